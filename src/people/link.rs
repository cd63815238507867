//! Signed links: whoever holds one was sent it, and may answer one question as one person until its time is over.
//!
//! A link proves no more than that somebody reads the mailbox it was sent to. Its token is `APPROVER.EXPIRES.PROOF`; the
//! proof covers the approval, the whole plan, the approver and the end of the time, so a token of one is worth nothing for
//! another. Where no script runs, a code of ten letters and digits stands for it. Both follow from the key: nothing is
//! kept, and another key makes all of them worthless. Read [`LinkKey::proves`].

use super::mac::Mac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// What the proof begins with: another kind of link would begin otherwise.
const KIND: &str = "approve/v1";

/// The letters and digits of a code: none looks like another.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// So many of them make a code.
const CODE_LEN: usize = 10;

/// No token is longer.
const TOKEN_LEN_MAX: usize = 256;

/// What links are signed with.
#[derive(Clone, Debug)]
pub struct LinkKey(SecretString);

/// What a link is about.
#[derive(Clone, Copy, Debug)]
pub struct LinkAbout<'a> {
    /// The approval.
    pub approval: &'a str,
    /// The whole plan.
    pub plan: &'a str,
    /// Who may answer by it.
    pub approver: &'a str,
    /// Until when, in seconds since 1970.
    pub until: i64,
}

/// Why a token proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// It is no token, or not a whole one.
    #[error("it is no whole token")]
    Malformed,
    /// It is for another approval, plan, person or time, or was signed with another key.
    #[error("its proof does not fit")]
    Forged,
    /// It was good, and its time is over.
    #[error("its time is over")]
    Expired,
    /// It was signed for a question of this very name and plan that had another time: by another daemon, or before the log began
    /// anew.
    #[error("it is for another question")]
    AnotherQuestion,
}

impl LinkKey {
    /// A shorter key could be guessed by whoever was sent a link.
    pub const LEN_MIN: usize = 32;

    /// A key, if it is long enough.
    ///
    /// # Errors
    /// If it is not.
    pub fn new(key: SecretString) -> Result<Self, String> {
        let least = Self::LEN_MIN;
        if key.expose_secret().len() < least {
            return Err(format!(
                "is shorter than {least} characters; `sickbay hash-password --token` makes a long enough one"
            ));
        }
        Ok(Self(key))
    }

    /// The token of a link.
    #[must_use]
    pub fn token(&self, about: LinkAbout<'_>) -> SecretString {
        let proof = URL_SAFE_NO_PAD.encode(self.mac(about, &about.until.to_string()).bytes());
        SecretString::from(format!("{}.{}.{proof}", about.approver, about.until))
    }

    /// The code that stands for the link where no script runs.
    #[must_use]
    pub fn code(&self, about: LinkAbout<'_>) -> SecretString {
        let code = code_of(&self.mac(about, &about.until.to_string()));
        let (head, tail) = code.split_at_checked(CODE_LEN / 2).unwrap_or((&code, ""));
        SecretString::from(format!("{head}-{tail}"))
    }

    /// Who may answer with this token about this approval and this plan, `now` in seconds since 1970.
    ///
    /// # Errors
    /// [`Unproven`] says why nobody.
    pub fn proves<'t>(&self, token: &'t str, (approval, plan): (&str, &str), now: i64) -> Result<&'t str, Unproven> {
        if TOKEN_LEN_MAX < token.len() {
            return Err(Unproven::Malformed);
        }
        // A name may hold dots, and what follows it holds none.
        let (rest, proof) = token.rsplit_once('.').ok_or(Unproven::Malformed)?;
        let (approver, expires) = rest.rsplit_once('.').ok_or(Unproven::Malformed)?;
        let is_number = !expires.is_empty() && expires.bytes().all(|byte| byte.is_ascii_digit());
        let until: i64 = expires.parse().ok().filter(|_| is_number).ok_or(Unproven::Malformed)?;
        let presented = URL_SAFE_NO_PAD.decode(proof).map_err(|_not_it| Unproven::Malformed)?;
        let mac = self.mac(LinkAbout { approval, plan, approver, until }, expires);
        if approver.is_empty() || !bool::from(mac.bytes().ct_eq(&presented)) {
            return Err(Unproven::Forged);
        }
        if now < until { Ok(approver) } else { Err(Unproven::Expired) }
    }

    /// Whether a code is that of this link, however it is written. Takes as long whatever differs.
    #[must_use]
    pub fn fits_code(&self, presented: &str, about: LinkAbout<'_>) -> bool {
        let code = code_of(&self.mac(about, &about.until.to_string()));
        code.as_bytes().ct_eq(plain(presented).as_bytes()).into()
    }

    /// Whether a token is that of this very link, its time included.
    #[must_use]
    pub fn fits_token(&self, presented: &str, about: LinkAbout<'_>) -> bool {
        self.token(about).expose_secret().as_bytes().ct_eq(presented.as_bytes()).into()
    }

    fn mac(&self, about: LinkAbout<'_>, until: &str) -> Mac {
        let LinkAbout { approval, plan, approver, until: _ } = about;
        // No approval, no plan and no number holds the sign between them, so no two lists of parts look alike.
        let parts = [KIND, approval, plan, approver, until].join("|");
        Mac::of(self.0.expose_secret().as_bytes(), &[parts.as_bytes()])
    }
}

/// The first fifty bits of a proof.
fn code_of(mac: &Mac) -> String {
    let bits = mac.bytes().iter().take(7).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let sign = |place: usize| {
        let index = usize::try_from(bits >> (51 - 5 * place) & 31).unwrap_or_default();
        ALPHABET.get(index).copied().map_or('0', char::from)
    };
    (0..CODE_LEN).map(sign).collect()
}

/// A code as people write it: small or large, in groups, and with letters in place of the digits they look like.
fn plain(presented: &str) -> String {
    let signs = presented.chars().filter(|sign| !matches!(sign, ' ' | '-')).take(CODE_LEN + 1);
    let plain = |sign: char| match sign.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    signs.map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";
    const NOW: i64 = 1_795_000_000;

    fn key(text: &str) -> LinkKey {
        LinkKey::new(SecretString::from(text)).unwrap()
    }

    fn plan() -> String {
        "ab".repeat(32)
    }

    fn about<'a>(approval: &'a str, plan: &'a str, approver: &'a str, until: i64) -> LinkAbout<'a> {
        LinkAbout { approval, plan, approver, until }
    }

    fn token(approver: &str, until: i64) -> String {
        key(KEY).token(about("i12.1", &plan(), approver, until)).expose_secret().to_owned()
    }

    #[test]
    fn a_token_is_for_one_person_approval_plan_and_time_and_of_one_key() {
        let (plan, other_plan) = (plan(), "ac".repeat(32));
        let good = token("alice", NOW + 60);
        assert_eq!(good.split('.').take(2).collect::<Vec<_>>(), ["alice", "1795000060"]);
        let proves = |token: &str, approval: &str, plan: &str, now: i64| {
            key(KEY).proves(token, (approval, plan), now).map(str::to_owned)
        };
        assert_eq!(proves(&good, "i12.1", &plan, NOW), Ok("alice".to_owned()));
        assert_eq!(proves(&good, "i12.1", &plan, NOW + 59), Ok("alice".to_owned()));
        let proof = good.rsplit('.').next().unwrap();
        for (what, token, about, now, want) in [
            ("another approval", good.clone(), ("i12.2", &plan), NOW, Unproven::Forged),
            ("another incident", good.clone(), ("i1.12", &plan), NOW, Unproven::Forged),
            ("another plan", good.clone(), ("i12.1", &other_plan), NOW, Unproven::Forged),
            ("another person", format!("bob.1795000060.{proof}"), ("i12.1", &plan), NOW, Unproven::Forged),
            ("nobody", format!(".1795000060.{proof}"), ("i12.1", &plan), NOW, Unproven::Forged),
            ("a later end", format!("alice.1795000061.{proof}"), ("i12.1", &plan), NOW, Unproven::Forged),
            ("an end written otherwise", format!("alice.01795000060.{proof}"), ("i12.1", &plan), NOW, Unproven::Forged),
            ("a sign before it", format!("alice.+1795000060.{proof}"), ("i12.1", &plan), NOW, Unproven::Malformed),
            ("no end", format!("alice..{proof}"), ("i12.1", &plan), NOW, Unproven::Malformed),
            (
                "an end beyond all",
                format!("alice.99999999999999999999.{proof}"),
                ("i12.1", &plan),
                NOW,
                Unproven::Malformed,
            ),
            ("a longer name", format!("alice.1.1795000060.{proof}"), ("i12.1", &plan), NOW, Unproven::Forged),
            ("no proof", "alice.1795000060.".to_owned(), ("i12.1", &plan), NOW, Unproven::Forged),
            (
                "half a proof",
                format!("alice.1795000060.{}", proof.chars().take(40).collect::<String>()),
                ("i12.1", &plan),
                NOW,
                Unproven::Forged,
            ),
            ("padding", format!("{good}="), ("i12.1", &plan), NOW, Unproven::Malformed),
            ("something behind it", format!("{good}.x"), ("i12.1", &plan), NOW, Unproven::Malformed),
            ("a blank", format!(" {good}"), ("i12.1", &plan), NOW, Unproven::Forged),
            ("a letter that looks alike", good.replacen('a', "\u{430}", 1), ("i12.1", &plan), NOW, Unproven::Forged),
            ("too long", format!("{}{good}", "a".repeat(TOKEN_LEN_MAX)), ("i12.1", &plan), NOW, Unproven::Malformed),
            ("nothing", String::new(), ("i12.1", &plan), NOW, Unproven::Malformed),
            ("expired", good.clone(), ("i12.1", &plan), NOW + 60, Unproven::Expired),
            ("long expired", good.clone(), ("i12.1", &plan), i64::MAX, Unproven::Expired),
        ] {
            assert_eq!(proves(&token, about.0, about.1, now), Err(want), "{what}: {token}");
        }
        assert_eq!(key("0123456789abcdef0123456789abcdeg").proves(&good, ("i12.1", &plan), NOW), Err(Unproven::Forged));
    }

    #[test]
    fn no_changed_letter_of_a_token_is_taken() {
        let (good, plan) = (token("alice", NOW + 60), plan());
        for (place, letter) in good.char_indices() {
            for other in ['a', 'b', 'A', '0', '9', '-', '_', '.'] {
                let mut altered = good.clone();
                altered.replace_range(place..place + 1, &other.to_string());
                let proved = key(KEY).proves(&altered, ("i12.1", &plan), NOW);
                assert_eq!(proved.is_ok(), letter == other, "{place}: {altered}");
            }
        }
    }

    #[test]
    fn names_with_dots_and_of_any_letters_are_told_apart() {
        let plan = plan();
        for name in ["a.b", "a.1795000060", "a..b", "jos\u{e9}", "\u{f8}ystein.\u{e5}s", "a|b", "-"] {
            let token = token(name, NOW + 60);
            assert_eq!(key(KEY).proves(&token, ("i12.1", &plan), NOW), Ok(name));
        }
    }

    #[test]
    fn a_code_stands_for_one_link_however_it_is_written() {
        let plan = plan();
        let alice = about("i12.1", &plan, "alice", NOW + 60);
        let code = key(KEY).code(alice).expose_secret().to_owned();
        assert_eq!(code.len(), CODE_LEN + 1);
        let bare = code.replace('-', "");
        assert!(bare.bytes().all(|sign| ALPHABET.contains(&sign)), "{code}");
        for (written, want) in [
            (code.clone(), true),
            (code.to_lowercase(), true),
            (format!("  {bare} "), true),
            (bare.replace('0', "o").replace('1', "l"), true),
            (bare.replace('0', "O").replace('1', "I"), true),
            (bare.chars().take(9).collect(), false),
            (format!("{bare}0"), false),
            (bare.chars().rev().collect(), false),
            (String::new(), false),
        ] {
            assert_eq!(key(KEY).fits_code(&written, alice), want, "{written}");
        }
        let other_plan = "ac".repeat(32);
        for other in [
            LinkAbout { approval: "i12.2", ..alice },
            LinkAbout { plan: &other_plan, ..alice },
            LinkAbout { approver: "bob", ..alice },
            LinkAbout { until: NOW + 61, ..alice },
        ] {
            assert!(!key(KEY).fits_code(&code, other), "{other:?}");
        }
        assert!(!key("another-key-of-thirty-two-letters").fits_code(&code, alice));
        let token = token("alice", NOW + 60);
        assert!(key(KEY).fits_token(&token, alice));
        assert!(!key(KEY).fits_token(&token, LinkAbout { until: NOW + 61, ..alice }));
        // Fifty bits of the same proof as the token's.
        let proof = token;
        let bytes = URL_SAFE_NO_PAD.decode(proof.rsplit('.').next().unwrap()).unwrap();
        let first = usize::from(bytes[0] >> 3);
        assert_eq!(bare.as_bytes()[0], ALPHABET[first]);
        assert_eq!(bare.as_bytes()[9], ALPHABET[usize::from(bytes[5] & 7) << 2 | usize::from(bytes[6] >> 6)]);
    }

    #[test]
    fn a_key_is_long_and_never_shown() {
        let short = LinkKey::new(SecretString::from("c4nary")).map(|_| ()).unwrap_err();
        assert!(short.contains("shorter than 32 characters") && !short.contains("c4nary"), "{short}");
        let about = about("i12.1", "ab", "alice", NOW);
        let told = format!("{:?} {:?} {:?}", key(KEY), key(KEY).token(about), key(KEY).code(about));
        assert!(!told.contains("0123456789abcdef") && !told.contains("alice."), "{told}");
    }
}

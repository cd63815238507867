//! Slack as a witness: what a request of our own Slack app proves, and how long it is worth anything.
//!
//! Slack signs each request with a secret that it shares with the app. It vouches for who has clicked; that this user is
//! somebody here, the settings say. Read [`SlackApp::proves`].

use super::mac::Mac;
use secrecy::{ExposeSecret, SecretString};

/// What `slack` of the settings says.
#[derive(Clone, Debug)]
pub struct SlackApp {
    /// What Slack signs with.
    pub signing_secret: SecretString,
    /// The workspace. Users of others are nobody, even if their ID looks like somebody's.
    pub team_id: String,
    /// The app, if the settings name it.
    pub app_id: Option<String>,
    /// Where answers to clicks may be sent, as `SCHEME://HOST` or `SCHEME://HOST:PORT`, and nowhere else.
    pub answer_origin: String,
}

/// Why a request is not taken for Slack's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// A header is missing, stands twice, or is no time.
    #[error("it is not signed as Slack signs")]
    Malformed,
    /// Too old, or from a time that has not come.
    #[error("it was signed more than 5 minutes before or after now; are both clocks right?")]
    Stale,
    /// Another body, another time or another secret.
    #[error("its signature does not fit; is `slack.signing_secret_file` that of the app?")]
    Forged,
}

impl SlackApp {
    /// Where Slack takes answers.
    pub const ANSWERS: &str = "https://hooks.slack.com";

    /// A shorter signing secret is none of Slack's, and could be guessed.
    pub const SECRET_LEN_MIN: usize = 32;

    /// How far apart signing and reading may be, in seconds.
    pub const AGE_MAX: i64 = 300;

    /// The time of a request, if one that was signed then may still be heard `now`. Both in seconds since 1970.
    ///
    /// # Errors
    /// [`Unsigned`] says why not.
    pub fn in_time(timestamp: &str, now: i64) -> Result<(), Unsigned> {
        let is_number = !timestamp.is_empty() && timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let signed: i64 = timestamp.parse().ok().filter(|_| is_number).ok_or(Unsigned::Malformed)?;
        let apart = now.checked_sub(signed).map(i64::unsigned_abs).ok_or(Unsigned::Stale)?;
        if apart <= Self::AGE_MAX.unsigned_abs() { Ok(()) } else { Err(Unsigned::Stale) }
    }

    /// Whether Slack has signed these very bytes for this app, lately: `signature` is `v0=` and hexadecimal digits.
    ///
    /// # Errors
    /// [`Unsigned`] says why not.
    pub fn proves(&self, (timestamp, signature): (&str, &str), body: &[u8], now: i64) -> Result<(), Unsigned> {
        Self::in_time(timestamp, now)?;
        let digits = signature.strip_prefix("v0=").ok_or(Unsigned::Malformed)?;
        let mac = Mac::of(self.signing_secret.expose_secret().as_bytes(), &[b"v0:", timestamp.as_bytes(), b":", body]);
        if mac.is_hex(digits) { Ok(()) } else { Err(Unsigned::Forged) }
    }

    /// Whether a click comes from this app and this workspace, and whoever has clicked belongs to it: where channels are
    /// shared, users of other workspaces see the buttons too.
    #[must_use]
    pub fn is_ours(&self, team: Option<&str>, app: Option<&str>, of_user: Option<&str>) -> bool {
        let same_app = self.app_id.is_none() || app == self.app_id.as_deref();
        same_app && team == Some(&*self.team_id) && of_user.is_none_or(|team| team == self.team_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(app_id: Option<&str>) -> SlackApp {
        SlackApp {
            signing_secret: SecretString::from("8f742231b10e8888abcd99yyyzzz85a5"),
            team_id: "T0US".to_owned(),
            app_id: app_id.map(str::to_owned),
            answer_origin: SlackApp::ANSWERS.to_owned(),
        }
    }

    /// The example of Slack's own documentation.
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&\
                        channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&\
                        response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlg\
                        cZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SIGNED: (&str, &str) = ("1531420618", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503");
    const AT: i64 = 1_531_420_618;

    #[test]
    fn what_slack_signs_is_taken_and_nothing_else() {
        let (app, (time, signature)) = (app(None), SIGNED);
        assert_eq!(app.proves(SIGNED, BODY.as_bytes(), AT), Ok(()));
        let altered = BODY.replace("U2CERLKJA", "U2CERLKJB");
        let other = SlackApp { signing_secret: SecretString::from("8f742231b10e8888abcd99yyyzzz85a6"), ..app.clone() };
        for (what, app, signed, body, want) in [
            ("another body", &app, SIGNED, &*altered, Unsigned::Forged),
            ("a longer body", &app, SIGNED, &format!("{BODY}&"), Unsigned::Forged),
            ("another secret", &other, SIGNED, BODY, Unsigned::Forged),
            ("another time", &app, ("1531420619", signature), BODY, Unsigned::Forged),
            ("the same time, written otherwise", &app, ("01531420618", signature), BODY, Unsigned::Forged),
            ("a sign before the time", &app, ("+1531420618", signature), BODY, Unsigned::Malformed),
            ("no time", &app, ("", signature), BODY, Unsigned::Malformed),
            ("a time beyond all", &app, ("99999999999999999999", signature), BODY, Unsigned::Malformed),
            ("no signature", &app, (time, "v0="), BODY, Unsigned::Forged),
            ("another version", &app, (time, &signature.replace("v0", "v1")), BODY, Unsigned::Malformed),
            ("half of it", &app, (time, signature.trim_end_matches("9b503")), BODY, Unsigned::Forged),
        ] {
            assert_eq!(app.proves(signed, body.as_bytes(), AT), Err(want), "{what}");
        }
        assert!(!format!("{app:?}").contains("8f742231"), "the secret is not shown");
    }

    #[test]
    fn what_was_signed_more_than_5_minutes_ago_or_ahead_is_not_heard() {
        for (apart, want) in [
            (-301, Err(Unsigned::Stale)),
            (-300, Ok(())),
            (0, Ok(())),
            (300, Ok(())),
            (301, Err(Unsigned::Stale)),
            (i64::MAX - AT, Err(Unsigned::Stale)),
        ] {
            assert_eq!(app(None).proves(SIGNED, BODY.as_bytes(), AT + apart), want, "{apart}");
        }
    }

    #[test]
    fn only_this_workspace_and_this_app_are_ours() {
        for (app_id, team, app_said, of_user, want) in [
            (None, Some("T0US"), Some("A0"), Some("T0US"), true),
            (None, Some("T0US"), None, None, true),
            (Some("A0"), Some("T0US"), Some("A0"), None, true),
            (Some("A0"), Some("T0US"), Some("A1"), None, false),
            (Some("A0"), Some("T0US"), None, None, false),
            (None, Some("T0THEM"), None, None, false),
            (None, None, None, None, false),
            (None, Some("T0US"), None, Some("T0THEM"), false),
        ] {
            assert_eq!(app(app_id).is_ours(team, app_said, of_user), want, "{app_id:?} {team:?} {app_said:?}");
        }
    }
}

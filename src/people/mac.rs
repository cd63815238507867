//! HMAC-SHA256 (RFC 2104): the proof that whoever wrote something knew a secret. Read [`Mac`].

use ring::hmac::{Context, HMAC_SHA256, Key, Tag};
use std::fmt;
use subtle::ConstantTimeEq;

/// The proof. Compared in constant time, and never shown by itself.
#[derive(Clone)]
pub struct Mac(Tag);

impl Mac {
    /// Of these parts, as if they were one text, under a key.
    #[must_use]
    pub fn of(key: &[u8], parts: &[&[u8]]) -> Self {
        let mut context = Context::with_key(&Key::new(HMAC_SHA256, key));
        parts.iter().for_each(|part| context.update(part));
        Self(context.sign())
    }

    /// Whether these hexadecimal digits are the same proof. Takes as long whatever differs.
    #[must_use]
    pub fn is_hex(&self, digits: &str) -> bool {
        let mut presented = [0; 32];
        let is_one = hex::decode_to_slice(digits, &mut presented).is_ok();
        bool::from(self.0.as_ref().ct_eq(&presented)) && is_one
    }

    /// The proof itself.
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// In hexadecimal digits, for whoever carries it.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(self.0.as_ref())
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mac(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_the_standard_says() {
        // RFC 4231, test cases 1, 2, 6 and 7: a short key, a shorter one, and two that are longer than a block.
        for (key, text, want) in [
            (&[0x0b; 20][..], "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe",
                "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                "Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                &[0xaa; 131],
                "This is a test using a larger than block-size key and a larger than block-size data. The key needs \
                 to be hashed before being used by the HMAC algorithm.",
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ] {
            let mac = Mac::of(key, &[text.as_bytes()]);
            assert_eq!(mac.hex(), want, "{text}");
            let (head, rest) = text.split_at(5);
            assert_eq!(Mac::of(key, &[head.as_bytes(), b"", rest.as_bytes()]).hex(), want, "in parts");
            assert!(mac.is_hex(want) && mac.is_hex(&want.to_uppercase()));
            for wrong in [
                "",
                want.trim_start_matches(|digit: char| digit.is_ascii_hexdigit()),
                &format!("{want}00"),
                &want.replace('b', "c"),
                &"0".repeat(64),
            ] {
                assert!(!mac.is_hex(wrong), "{wrong}");
            }
        }
    }
}

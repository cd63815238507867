//! Secrets, given as text or as the name of a file that holds them.

use secrecy::{ExposeSecret, SecretString};
use std::path::Path;

/// A secret file longer than this is the wrong file.
pub(super) const SECRET_BYTES_MAX: usize = 64 << 10;

/// Cleans what a secret file held: one trailing newline, which every editor adds, is not part of the secret.
pub(super) fn from_file(path: &Path, read: std::io::Result<String>) -> Result<SecretString, String> {
    let path = path.display();
    let text = read.map(SecretString::from).map_err(|cause| {
        format!("cannot read the secret file {path}: {cause}; create it, or let the user sickbay runs as read it")
    })?;
    let content = text.expose_secret();
    let secret = content.strip_suffix('\n').map_or(content, |line| line.strip_suffix('\r').unwrap_or(line));
    if secret.is_empty() {
        return Err(format!("the secret file {path} is empty; write the secret into it"));
    }
    if SECRET_BYTES_MAX < secret.len() {
        return Err(format!("the secret file {path} is larger than 64 KiB; name the file that holds only the secret"));
    }
    if secret.chars().any(char::is_control) {
        return Err(format!("the secret file {path} has several lines or control characters; write one line into it"));
    }
    Ok(SecretString::from(secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, ErrorKind};

    #[test]
    fn one_trailing_newline_is_not_part_of_a_secret() {
        for (content, secret) in [("s3\n", "s3"), ("s3\r\n", "s3"), ("s3", "s3"), (" s3 ", " s3 ")] {
            let read = from_file(Path::new("t"), Ok(content.to_owned())).unwrap();
            assert_eq!(read.expose_secret(), secret, "{content:?}");
        }
    }

    #[test]
    fn a_file_that_gives_no_secret_is_named_with_the_cause() {
        let missing = from_file(Path::new("/run/t"), Err(Error::from(ErrorKind::NotFound))).unwrap_err();
        assert!(missing.contains("/run/t") && missing.contains("not found"), "{missing}");
        for empty in ["", "\n", "\r\n"] {
            let message = from_file(Path::new("/run/t"), Ok(empty.to_owned())).unwrap_err();
            assert!(message.contains("/run/t is empty"), "{message}");
        }
        for lines in ["s3\n\n", "\n\n", "s3\ns4\n", "s\0three"] {
            let message = from_file(Path::new("/run/t"), Ok(lines.to_owned())).unwrap_err();
            assert!(message.contains("/run/t has several lines or control characters"), "{message}");
        }
    }
}

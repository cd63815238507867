//! `web.socket` of the settings: where it is, and who may open it.

use super::raw::RawSocket;
use super::resolve::Checks;
use super::types::SocketSettings;

impl Checks<'_> {
    /// None if it cannot be bound as it stands there.
    pub(super) fn socket(&mut self, raw: &RawSocket) -> Option<SocketSettings> {
        let path = self.path("web.socket.path", &raw.path);
        let key = "web.socket.path";
        if raw.path.is_empty() {
            self.fail(key, "is empty; name a file, such as /run/sickbay/sickbay.sock");
            return None;
        }
        let (len, max) = (path.as_os_str().len(), SocketSettings::PATH_LEN_MAX);
        if max < len {
            self.fail(key, format!("has {len} bytes, and the system takes at most {max}; choose a shorter path"));
            return None;
        }
        let octal = |text: &str| {
            u32::from_str_radix(text, 8).ok().filter(|mode| (3..=4).contains(&text.len()) && *mode <= 0o777)
        };
        let mode = match raw.mode.as_deref() {
            None => Some(SocketSettings::MODE_DEFAULT),
            Some(text) => octal(text),
        };
        if mode.is_none() {
            self.fail(
                "web.socket.mode",
                "is no mode of a file; write it in octal digits and in quotes, such as \"0660\"",
            );
        }
        Some(SocketSettings { path, mode: mode? })
    }
}

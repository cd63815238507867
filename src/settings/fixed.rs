//! What cannot change while the daemon runs. A reload that would change it is refused, and nothing of it is taken.
//!
//! Everything else takes effect at once. Read [`Settings::fixed_but_changed`] first.

use super::problem::{About, Place, SettingsProblem};
use super::types::{LogFormat, Settings};
use std::net::SocketAddr;

/// The keys that are read at the start alone.
pub const FIXED: [&str; 8] = [
    "web.listen_address",
    "web.socket",
    "web.config_file",
    "storage.path",
    "docker.hosts",
    "labels.prefix",
    "dry_run",
    "log.format",
];

impl Settings {
    /// Every key that `new` sets to something else than this, although it cannot change while the daemon runs.
    #[must_use]
    pub fn fixed_but_changed(&self, new: &Self) -> Vec<SettingsProblem> {
        let problem = |key: &str| SettingsProblem {
            place: new.places.iter().find(|(set, _)| *set == key).map_or(Place::Default, |(_, place)| place.clone()),
            key: key.to_owned(),
            about: About::Value,
            message: format!(
                "cannot change while sickbay runs: it is {} and would become {}; restart sickbay, or set it back and \
                 reload",
                self.fixed(key),
                new.fixed(key)
            ),
        };
        FIXED.into_iter().filter(|key| self.fixed(key) != new.fixed(key)).map(problem).collect()
    }

    /// The value of one of them, in words.
    fn fixed(&self, key: &str) -> String {
        match key {
            "web.listen_address" => {
                let addresses: Vec<String> = self.web.listen_addresses.iter().map(SocketAddr::to_string).collect();
                addresses.join(", ")
            }
            "web.socket" => match &self.web.socket {
                Some(socket) => format!("{} with mode {:04o}", socket.path.display(), socket.mode),
                None => "none".to_owned(),
            },
            "web.config_file" => self.web.file.as_ref().map_or_else(|| "none".to_owned(), |file| file.to_string()),
            "storage.path" => self.storage_path.display().to_string(),
            "docker.hosts" => {
                let hosts: Vec<String> = self.docker.hosts.iter().map(ToString::to_string).collect();
                hosts.join(", ")
            }
            "labels.prefix" => self.labels.prefix.clone().unwrap_or_else(|| "left out".to_owned()),
            "dry_run" => self.dry_run.to_string(),
            "log.format" => match self.log.format {
                LogFormat::Logfmt => "logfmt".to_owned(),
                LogFormat::Json => "json".to_owned(),
            },
            _ => String::new(),
        }
    }
}

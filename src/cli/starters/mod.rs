//! Starters for people who begin: commented files that pass `check`, as `init` and `new` write them.
//!
//! Nothing is ever overwritten. Read [`Kind`] first.

use clap::ValueEnum;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What stands in a starter where its playbook's name belongs.
const PLACEHOLDER: &str = "NAME";

/// The settings that `init` writes.
pub(super) const SETTINGS: &str = include_str!("sickbay.yml");

/// What a starter does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Restart a container and look whether it helped
    Restart,
    /// Scale a service out, and back when the alert has resolved
    Scale,
    /// Only tell people
    Notify,
}

impl Kind {
    /// The name of its playbook where nobody gave one.
    pub(super) fn default_name(self) -> &'static str {
        match self {
            Self::Restart => "restart-unhealthy-container",
            Self::Scale => "scale-out-workers",
            Self::Notify => "tell-about-disk",
        }
    }

    /// The name of the alert that its playbook takes.
    pub(super) fn alert(self) -> &'static str {
        match self {
            Self::Restart => "ContainerUnhealthy",
            Self::Scale => "QueueBacklog",
            Self::Notify => "HostDiskWillFillIn4Hours",
        }
    }

    /// The rules file.
    pub(super) fn playbook(self, name: &str) -> String {
        let text = match self {
            Self::Restart => include_str!("restart.yaml"),
            Self::Scale => include_str!("scale.yaml"),
            Self::Notify => include_str!("notify.yaml"),
        };
        text.replace(PLACEHOLDER, name)
    }

    /// The file of its tests.
    pub(super) fn test(self, name: &str) -> String {
        let text = match self {
            Self::Restart => include_str!("restart.test.yaml"),
            Self::Scale => include_str!("scale.test.yaml"),
            Self::Notify => include_str!("notify.test.yaml"),
        };
        text.replace(PLACEHOLDER, name)
    }
}

/// A file that is to be written.
pub(super) struct NewFile {
    /// Where.
    pub(super) path: PathBuf,
    /// What.
    pub(super) text: String,
}

/// Writes all of them, or, if one of them is there already, nothing.
///
/// # Errors
/// The file that cannot be written, and why.
pub(super) fn write_all(files: &[NewFile]) -> Result<(), String> {
    if let Some(there) = files.iter().find(|file| file.path.symlink_metadata().is_ok()) {
        return Err(format!(
            "{} is there already, and nothing was written; choose another place",
            there.path.display()
        ));
    }
    for file in files {
        write(&file.path, &file.text).map_err(|error| format!("{} cannot be written: {error}", file.path.display()))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    // Somebody may have written it since we looked.
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

/// The line by which an editor finds a schema.
pub(super) fn with_modeline(schema: &str, text: &str) -> String {
    format!("# yaml-language-server: $schema={schema}\n{text}")
}

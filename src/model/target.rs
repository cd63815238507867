//! Which container is meant: names that are safe to send to Docker, and the question put to it.
//!
//! Names come from alert labels, that is, from outside. A name is validated once, here; everything after that uses the
//! full ID that Docker returned.

use std::fmt;

/// A container name Docker would accept: `^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`, at most 255 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerName(Box<str>);

/// A text that is not a container name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a container name (letters, digits, `_`, `.` and `-`, starting with a letter or digit)")]
pub struct BadContainerName(pub String);

impl ContainerName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`BadContainerName`] if Docker would not accept it as a name.
    pub fn parse(name: &str) -> Result<Self, BadContainerName> {
        let starts_well = name.starts_with(|first: char| first.is_ascii_alphanumeric());
        let rest_is_fine = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        if starts_well && rest_is_fine && name.len() <= 255 {
            Ok(Self(name.into()))
        } else {
            Err(BadContainerName(name.chars().take(80).collect()))
        }
    }

    /// The name, without a leading slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContainerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A full container ID: 64 lower-case hex digits, as Docker's inspect returns it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerId(Box<str>);

impl ContainerId {
    /// Reads a full ID; `None` for a prefix or anything else.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        let hex = id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        (id.len() == 64 && hex).then(|| Self(id.into()))
    }

    /// All 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 12 digits, as Docker prints them.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The question put to Docker: which container is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetQuery {
    /// The container of exactly this name.
    Name(ContainerName),
    /// The one container of a Compose service.
    Compose {
        /// `com.docker.compose.project`
        project: String,
        /// `com.docker.compose.service`
        service: String,
    },
    /// The very container a plan was made for.
    Id(ContainerId),
}

impl fmt::Display for TargetQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "container {name}"),
            Self::Compose { project, service } => write!(f, "Compose service {project}/{service}"),
            Self::Id(id) => write!(f, "container {}", id.short()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_docker_itself_accepts_pass() {
        for good in ["web", "web-1", "a.b_c-d", "0a"] {
            assert!(ContainerName::parse(good).is_ok(), "{good}");
        }
        let long = "a".repeat(256);
        for bad in ["", "/web", "a/../../images/prune#", "a?b", "a b", "-a", ".a", "é", "a%2e", "a\n", &long] {
            assert!(ContainerName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_full_ids_pass() {
        assert!(ContainerId::parse(&"a1".repeat(32)).is_some());
        assert!(ContainerId::parse(&"A1".repeat(32)).is_none());
        assert!(ContainerId::parse("a1b2").is_none());
    }
}

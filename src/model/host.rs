//! On which Docker host something is.
//!
//! The first host of the settings has no name here, and neither has the only one: so a log, a limit or a breaker from the
//! time when there was one host goes on to mean that host when others join it.

use super::target::ContainerName;
use std::fmt;
use std::sync::Arc;

/// A Docker host, as targets and records tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// The first of the settings, or the only one.
    #[default]
    First,
    /// Another one, by its name in the settings.
    Named(HostName),
}

/// The name of a Docker host: what Docker would accept as the name of a container, so that it stands in front of one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(Arc<str>);

impl HostName {
    /// Reads a name; `None` if it cannot be one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        ContainerName::parse(name).is_ok().then(|| Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Host {
    /// Its name, unless it is the first.
    #[must_use]
    pub fn name(&self) -> Option<&HostName> {
        match self {
            Self::First => None,
            Self::Named(name) => Some(name),
        }
    }
}

impl From<Option<HostName>> for Host {
    fn from(name: Option<HostName>) -> Self {
        name.map_or(Self::First, Self::Named)
    }
}

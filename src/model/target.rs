//! Which container or service is meant: names that are safe to send to Docker, and the question put to it.
//!
//! Names come from alert labels, that is, from outside. A name is validated once, here; everything after that uses the
//! full ID that Docker returned.

use super::host::{Host, HostName};
use std::collections::BTreeMap;
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

/// The full ID of a Swarm object: 25 lower-case letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SwarmId(Box<str>);

impl SwarmId {
    /// Reads a full ID; `None` for a prefix or anything else.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        let plain = id.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
        (id.len() == 25 && plain).then(|| Self(id.into()))
    }

    /// All of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A service of a Compose project. Both names are such that Docker would accept them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ComposeService {
    /// `com.docker.compose.project`
    pub project: ContainerName,
    /// `com.docker.compose.service`
    pub service: ContainerName,
}

impl ComposeService {
    /// Reads `project/service`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (project, service) = text.split_once('/')?;
        Some(Self { project: ContainerName::parse(project).ok()?, service: ContainerName::parse(service).ok()? })
    }
}

impl fmt::Display for ComposeService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.service)
    }
}

/// What Docker is given for a target: what kind of thing it is, and which.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TargetId {
    /// A container.
    Container(ContainerId),
    /// A Swarm service.
    Swarm(SwarmId),
    /// A Compose service.
    Compose(ComposeService),
}

impl TargetId {
    /// The container's ID, if it is one.
    #[must_use]
    pub fn container(&self) -> Option<&ContainerId> {
        match self {
            Self::Container(id) => Some(id),
            Self::Swarm(_) | Self::Compose(_) => None,
        }
    }

    /// As Docker prints it: the first 12 characters of an ID.
    #[must_use]
    pub fn short(&self) -> String {
        match self {
            Self::Container(id) => id.short().to_owned(),
            Self::Swarm(id) => id.as_str().get(..12).unwrap_or(id.as_str()).to_owned(),
            Self::Compose(_) => "Compose service".to_owned(),
        }
    }
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container(id) => id.fmt(f),
            Self::Swarm(id) => f.write_str(id.as_str()),
            Self::Compose(service) => service.fmt(f),
        }
    }
}

impl From<&ContainerId> for TargetId {
    fn from(id: &ContainerId) -> Self {
        Self::Container(id.clone())
    }
}

/// What people and limits call a target: a container's or a Swarm service's name, or `project/service`. On another Docker
/// host than the first, that host's name stands before it: `web-2:shop/web`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetName(Box<str>);

impl TargetName {
    /// Reads a name back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (host, bare) = split(text);
        let is_name = ContainerName::parse(bare).is_ok() || ComposeService::parse(bare).is_some();
        (is_name && host.is_none_or(|host| HostName::parse(host).is_some())).then(|| Self(text.into()))
    }

    /// The name, with its host's before it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name alone, as Docker on its host knows it.
    #[must_use]
    pub fn bare(&self) -> &str {
        split(&self.0).1
    }

    /// On which host it is.
    #[must_use]
    pub fn host(&self) -> Host {
        host_of(&self.0)
    }

    /// The same name on a host.
    #[must_use]
    pub fn on(self, host: &Host) -> Self {
        match host {
            Host::First => Self(self.bare().into()),
            Host::Named(name) => Self(format!("{name}:{}", self.bare()).into()),
        }
    }
}

/// On which host the target of a name is.
#[must_use]
pub fn host_of(target: &str) -> Host {
    split(target).0.and_then(HostName::parse).into()
}

/// Names have no colon.
fn split(text: &str) -> (Option<&str>, &str) {
    text.split_once(':').map_or((None, text), |(host, bare)| (Some(host), bare))
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&ContainerName> for TargetName {
    fn from(name: &ContainerName) -> Self {
        Self(name.as_str().into())
    }
}

impl From<&ComposeService> for TargetName {
    fn from(service: &ComposeService) -> Self {
        Self(service.to_string().into())
    }
}

/// The question put to Docker: which container or service is meant.
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
    /// The containers that have all of these labels with exactly these values.
    Selector(Selector),
    /// The very container a plan was made for.
    Id(ContainerId),
    /// The Swarm service of exactly this name.
    Service(ContainerName),
    /// The very Swarm service a plan was made for.
    ServiceId(SwarmId),
    /// A Compose service as a whole, to be scaled.
    ComposeService(ComposeService),
}

impl fmt::Display for TargetQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "container {name}"),
            Self::Compose { project, service } => write!(f, "Compose service {project}/{service}"),
            Self::Selector(selector) => selector.fmt(f),
            Self::Id(id) => write!(f, "container {}", id.short()),
            Self::Service(name) => write!(f, "service {name}"),
            Self::ServiceId(id) => write!(f, "service {}", id.as_str()),
            Self::ComposeService(service) => write!(f, "Compose service {service}"),
        }
    }
}

/// Labels that containers are chosen by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// Each label with its value. Never empty.
    pub labels: Vec<(String, String)>,
    /// With more containers than this none is meant.
    pub max: u32,
    /// Of those that match, the one of this name alone is meant, however many there are.
    pub only: Option<ContainerName>,
    /// Those that other incidents have by now: they count, and are not meant.
    pub besides: Vec<ContainerId>,
}

impl Selector {
    /// Whether a container with these labels matches.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        !self.labels.is_empty() && self.labels.iter().all(|(name, value)| labels.get(name) == Some(value))
    }

    /// Which of the containers that match are meant, by name: an empty list if none is left.
    ///
    /// # Errors
    /// The names of all that match, if they are more than `max`.
    pub fn choose(
        &self,
        mut matching: Vec<(ContainerId, ContainerName)>,
    ) -> Result<Vec<(ContainerId, ContainerName)>, Vec<String>> {
        matching.sort_by(|(_, a), (_, b)| a.cmp(b));
        if let Some(only) = &self.only {
            matching.retain(|(_, name)| name == only);
            return Ok(matching);
        }
        if usize::try_from(self.max).is_ok_and(|max| max < matching.len()) {
            return Err(matching.into_iter().map(|(_, name)| name.to_string()).collect());
        }
        matching.retain(|(id, _)| !self.besides.contains(id));
        Ok(matching)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<String> = self.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let labels = labels.join(", ");
        match &self.only {
            Some(name) => write!(f, "container {name} with the labels {labels}"),
            None => write!(f, "containers with the labels {labels}, at most {}", self.max),
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
    fn a_name_of_a_target_is_a_containers_or_a_projects_service() {
        for good in ["web", "shop_worker", "shop/web"] {
            assert_eq!(TargetName::parse(good).map(|name| name.to_string()).as_deref(), Some(good));
        }
        for (text, host, bare) in
            [("web", None, "web"), ("web-2:web", Some("web-2"), "web"), ("b:shop/web", Some("b"), "shop/web")]
        {
            let name = TargetName::parse(text).unwrap();
            let there = Host::from(host.and_then(HostName::parse));
            assert_eq!((name.host(), name.bare()), (there.clone(), bare), "{text}");
            assert_eq!(TargetName::parse(bare).unwrap().on(&there).as_str(), text);
            assert_eq!(name.on(&Host::First).as_str(), bare);
        }
        for bad in ["", "/web", "shop/", "a/b/c", "a/../b", "a b/c", ":web", "a:", "a:b:c", "a/b:c", "a b:c", "../a:b"]
        {
            assert_eq!(TargetName::parse(bad), None, "{bad:?}");
        }
        assert!(SwarmId::parse("9mnpnzenvg8p8tdbtq4wvbkcz").is_some());
        assert!(SwarmId::parse("9mnpnzenvg8p8tdbtq4wvbkc").is_none(), "a prefix");
        assert!(SwarmId::parse("9mnpnzenvg8p8tdbtq4wvbk/z").is_none());
    }

    #[test]
    fn a_selector_takes_exact_labels_alone_and_none_of_too_many() {
        let selector = |max, only: Option<&str>, besides: &[&str]| Selector {
            labels: vec![("role".into(), "web".into()), ("tier".into(), "1".into())],
            max,
            only: only.map(|name| ContainerName::parse(name).unwrap()),
            besides: besides.iter().map(|pair| ContainerId::parse(&pair.repeat(32)).unwrap()).collect(),
        };
        let any = selector(1, None, &[]);
        for (labels, want) in [
            (vec![("role", "web"), ("tier", "1"), ("x", "y")], true),
            (vec![("role", "web")], false),
            (vec![("role", "web"), ("tier", "10")], false),
            (vec![("role", "Web"), ("tier", "1")], false),
            (vec![], false),
        ] {
            let labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            assert_eq!(any.matches(&labels), want, "{labels:?}");
        }
        let nothing = Selector { labels: Vec::new(), ..any };
        assert!(!nothing.matches(&BTreeMap::new()), "no labels mean no container, not every one");

        let all = || {
            let one =
                |pair: &str, name| (ContainerId::parse(&pair.repeat(32)).unwrap(), ContainerName::parse(name).unwrap());
            vec![one("cc", "c"), one("aa", "a"), one("bb", "b")]
        };
        for (selector, want) in [
            (selector(3, None, &[]), Ok(vec!["a", "b", "c"])),
            (selector(2, None, &[]), Err(vec!["a", "b", "c"])),
            (selector(2, None, &["bb"]), Err(vec!["a", "b", "c"])),
            (selector(3, None, &["aa", "bb"]), Ok(vec!["c"])),
            (selector(3, None, &["aa", "bb", "cc"]), Ok(vec![])),
            (selector(1, Some("b"), &["bb"]), Ok(vec!["b"])),
            (selector(1, Some("d"), &[]), Ok(vec![])),
        ] {
            let chosen = selector.choose(all());
            let names = chosen.map(|chosen| chosen.into_iter().map(|(_, name)| name.to_string()).collect::<Vec<_>>());
            let want = want.map(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>());
            let want = want.map_err(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(names, want, "{selector}");
        }
    }

    #[test]
    fn only_full_ids_pass() {
        assert!(ContainerId::parse(&"a1".repeat(32)).is_some());
        assert!(ContainerId::parse(&"A1".repeat(32)).is_none());
        assert!(ContainerId::parse("a1b2").is_none());
    }
}

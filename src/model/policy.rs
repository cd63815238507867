//! What the settings impose on every playbook. A playbook can only be stricter.

use super::approval::ApprovalRequested;
use super::host::{Host, HostName};
use super::limit::{Breaker, Storm, Window};
use super::matcher::AnchoredRegex;
use std::time::Duration;

/// The rules that stand above all playbooks.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Nothing is changed, by anyone.
    pub dry_run: bool,
    /// At first sight of an episode, an older alert is refused as stale.
    pub max_alert_age: Duration,
    /// Only containers with `sickbay.enable=true` may be treated.
    pub require_opt_in: bool,
    /// What the label `sickbay.scope` must say where it stands; `None`: then whatever carries it is somebody else's.
    pub scope: Option<String>,
    /// Containers that may never be treated, by name.
    pub protect: Vec<ProtectedName>,
    /// Who touched a container from outside, or created it, within this time keeps it to themselves. Zero: nobody does.
    pub hands_off: Duration,
    /// The host names by which Dockers are reached, where they are reached over a network: a container of such a name is
    /// what stands between us and Docker.
    pub docker_hosts: Vec<String>,
    /// Windows over all runs of all playbooks.
    pub global: Vec<Window>,
    /// Windows over all runs on one target, whichever playbook.
    pub per_target: Vec<Window>,
    /// How many runs may act at once on one Docker host: one that hangs must not hold back what others need.
    pub max_parallel: u32,
    /// When runs on a target do not help.
    pub breaker: Breaker,
    /// When too many alerts come at once.
    pub storm: Storm,
    /// A target that falls ill again this soon after a recovery had not recovered.
    pub relapse_within: Duration,
    /// The container sickbay itself runs in: a prefix of its ID, if any.
    pub own_container: Option<String>,
    /// The names of the Docker hosts, by which targets and pauses name them. Never empty.
    pub hosts: Vec<String>,
    /// Whether a playbook may take silence for a yes: `on_timeout: approve`.
    pub approve_on_timeout_allowed: bool,
    /// Who may decide about plans, with their groups. `None` where nobody knows: then whoever votes is believed.
    pub voters: Option<Vec<(String, Vec<String>)>>,
    /// Where people reach sickbay's pages, with a slash at its end.
    pub url: String,
}

impl Policy {
    /// Whether the settings let this person decide about this question, as they are now.
    #[must_use]
    pub fn lets_decide(&self, asked: &ApprovalRequested, person: &str) -> bool {
        let may = |(name, groups): &(String, Vec<String>)| name == person && asked.may_decide(name, groups);
        self.voters.as_ref().is_none_or(|voters| voters.iter().any(may))
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            dry_run: false,
            max_alert_age: Duration::from_secs(3600),
            require_opt_in: true,
            scope: None,
            protect: Vec::new(),
            hands_off: Duration::from_secs(300),
            docker_hosts: Vec::new(),
            global: vec![Window { runs: 20, per: Duration::from_secs(3600) }],
            per_target: Vec::new(),
            max_parallel: 2,
            breaker: Breaker::default(),
            storm: Storm::default(),
            relapse_within: Duration::from_secs(600),
            own_container: None,
            hosts: vec!["local".to_owned()],
            approve_on_timeout_allowed: false,
            voters: None,
            url: "http://127.0.0.1:10112/".to_owned(),
        }
    }
}

impl Policy {
    /// The host of a name.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<Host> {
        match self.hosts.iter().position(|known| known == name)? {
            0 => Some(Host::First),
            _ => HostName::parse(name).map(Host::Named),
        }
    }

    /// What a host is called, whether the settings have it or not.
    #[must_use]
    pub fn name_of<'a>(&'a self, host: &'a Host) -> &'a str {
        match host {
            Host::First => self.hosts.first().map_or("", String::as_str),
            Host::Named(name) => name.as_str(),
        }
    }

    /// Whether a playbook's target must say on which host it is.
    #[must_use]
    pub fn has_several_hosts(&self) -> bool {
        1 < self.hosts.len()
    }

    /// A target's name as records have it: people may write the first host's name before it as well.
    #[must_use]
    pub fn recorded<'a>(&self, target: &'a str) -> &'a str {
        let first = target.split_once(':').filter(|(host, _)| self.hosts.first().is_some_and(|first| first == host));
        first.map_or(target, |(_, bare)| bare)
    }
}

/// Images that are never treated, by the last part of their names: what watches, what calls, and what stands between us
/// and Docker. Whoever restarts those may silence the alert that is being treated.
pub const GUARDIANS: [&str; 5] = ["prometheus", "alertmanager", "docker-socket-proxy", "socket-proxy", "sickbay"];

/// Which of the [`GUARDIANS`] an image name means: `registry:5000/prom/prometheus:v3` is `prometheus`.
#[must_use]
pub fn guardian(image: &str) -> Option<&'static str> {
    let unpinned = image.split_once('@').map_or(image, |(name, _digest)| name);
    let last = unpinned.rsplit('/').next().unwrap_or(unpinned);
    let name = last.split_once(':').map_or(last, |(name, _tag)| name);
    GUARDIANS.into_iter().find(|guardian| name.eq_ignore_ascii_case(guardian))
}

/// One entry of `docker.protect`.
#[derive(Clone, Debug)]
pub enum ProtectedName {
    /// The exact container name.
    Exact(String),
    /// `regex:…`, anchored at both ends.
    Pattern(AnchoredRegex),
}

impl ProtectedName {
    /// Whether the entry covers a container of this name.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Pattern(pattern) => pattern.is_match(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_host_has_no_name_in_records() {
        let hosts = vec!["local".to_owned(), "web-2".to_owned()];
        let policy = Policy { hosts, ..Policy::default() };
        let named = |name| HostName::parse(name).map(Host::Named);
        for (name, want) in [("local", Some(Host::First)), ("web-2", named("web-2")), ("web-3", None), ("", None)] {
            assert_eq!(policy.host(name), want, "{name}");
            assert_eq!(want.as_ref().map_or(name, |host| policy.name_of(host)), name);
        }
        for (target, want) in [("local:web", "web"), ("web", "web"), ("web-2:web", "web-2:web")] {
            assert_eq!(policy.recorded(target), want);
        }
    }

    #[test]
    fn guardians_are_known_by_the_last_part_of_their_image() {
        for (image, want) in [
            ("prom/prometheus:v3.5.0", Some("prometheus")),
            ("prometheus", Some("prometheus")),
            ("registry.example:5000/mirror/prom/Alertmanager@sha256:0123", Some("alertmanager")),
            ("wollomatic/socket-proxy:1.13.1", Some("socket-proxy")),
            ("tecnativa/docker-socket-proxy", Some("docker-socket-proxy")),
            ("sickbay:dev", Some("sickbay")),
            ("registry.example:5000/prometheus-demo", None),
            ("prometheus/web:1", None),
            ("sickbay-demo-box:1", None),
            ("sha256:62b4", None),
            ("", None),
        ] {
            assert_eq!(guardian(image), want, "{image}");
        }
    }
}

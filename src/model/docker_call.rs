//! Every call that is ever made to Docker: its method, its path and what it is for. There is one list, and it is this one.
//!
//! `docker` sends nothing that has no row here, `permissions` prints rows of it, and the daemon asks at its start which of
//! them it may make. So a call cannot be added and forgotten. Read [`DockerCall`] first.

/// What a call can do to the machine that Docker runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Power {
    /// It looks, and changes nothing.
    Look,
    /// It changes what one container does.
    Act,
    /// Whoever may make it can become root on the machine.
    Root,
}

impl Power {
    /// The word in what is printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Act => "act",
            Self::Root => "root",
        }
    }
}

/// What stands in a path where the call is about one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A container's full ID: a name of somebody else's is never put into a path.
    Container,
    /// A Swarm service's full ID.
    Service,
    /// A network's ID or name, as Docker itself said it.
    Network,
    /// An image's ID or name, as Docker itself said it.
    Image,
}

impl Subject {
    /// What is printed in its place.
    #[must_use]
    pub fn placeholder(self) -> &'static str {
        match self {
            Self::Container => "{container}",
            Self::Service => "{service}",
            Self::Network => "{network}",
            Self::Image => "{image}",
        }
    }

    /// The regular expression for it, without a group.
    #[must_use]
    pub fn regex(self) -> &'static str {
        match self {
            Self::Container => "[0-9a-f]{64}",
            Self::Service => "[0-9a-z]{25}",
            Self::Network => "[a-zA-Z0-9][a-zA-Z0-9_.-]*",
            Self::Image => "[a-zA-Z0-9][a-zA-Z0-9_./:@-]*",
        }
    }

    fn accepts(self, text: &str) -> bool {
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let all = |fits: fn(u8) -> bool| text.bytes().all(fits);
        match self {
            Self::Container => text.len() == 64 && all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)),
            Self::Service => text.len() == 25 && all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase()),
            Self::Network => first && all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)),
            Self::Image => {
                let plain = all(|byte| byte.is_ascii_alphanumeric() || b"_./:@-".contains(&byte));
                first && plain && !text.contains("..") && !text.contains("//")
            }
        }
    }
}

/// One row of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    operation: &'static str,
    method: &'static str,
    /// What stands before the subject; the whole path where there is none.
    before: &'static str,
    subject: Option<Subject>,
    after: &'static str,
    power: Power,
    purpose: &'static str,
}

macro_rules! calls {
    ($($(#[$doc:meta])* $variant:ident = $operation:literal, $method:literal $before:literal
        $([$subject:ident] $after:literal)?, $power:ident, $purpose:literal;)*) => {
        /// One kind of call to Docker's API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum DockerCall { $($(#[$doc])* $variant,)* }

        impl DockerCall {
            /// All there are, in the order in which they are printed.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            fn row(self) -> Row {
                match self {
                    $(Self::$variant => Row {
                        operation: $operation,
                        method: $method,
                        before: $before,
                        subject: None::<Subject>$(.or(Some(Subject::$subject)))?,
                        after: concat!("" $(, $after)?),
                        power: Power::$power,
                        purpose: $purpose,
                    },)*
                }
            }
        }
    };
}

calls! {
    /// Who the engine is, and which versions of the API it speaks.
    Version = "version", "GET" "/version", Look, "which version of the API the engine speaks";
    /// Containers by name or label.
    List = "list", "GET" "/containers/json", Look, "finds targets, replicas and dependents";
    /// One container.
    Inspect = "inspect", "GET" "/containers/" [Container] "/json", Look, "the state of a container, before and after";
    /// What happened.
    Events = "events", "GET" "/events", Look, "who stopped, changed or replaced a container lately";
    /// The last lines that a container wrote.
    Logs = "logs", "GET" "/containers/" [Container] "/logs", Look, "evidence: the last log lines";
    /// One sample of what a container uses.
    Stats = "stats", "GET" "/containers/" [Container] "/stats", Look, "evidence: memory and process counts; memory in use before its limit is lowered";
    /// What runs in a container.
    Top = "top", "GET" "/containers/" [Container] "/top", Look, "evidence: the processes";
    /// Which files of a container differ from its image's.
    Changes = "changes", "GET" "/containers/" [Container] "/changes", Look, "files that were put into a container";
    /// One image.
    Image = "image", "GET" "/images/" [Image] "/json", Look, "whether an image name still means the same image";
    /// Which machine it is.
    Info = "info", "GET" "/info", Look, "whether Docker runs on this machine: only `sickbay diagnose` asks";
    /// Swarm services by name.
    Services = "services", "GET" "/services", Look, "finds Swarm services";
    /// One Swarm service.
    Service = "service", "GET" "/services/" [Service] "", Look, "the definition of a Swarm service";
    /// Tasks of Swarm services.
    Tasks = "tasks", "GET" "/tasks", Look, "how many replicas of a Swarm service run";
    /// Nodes of the swarm.
    Nodes = "nodes", "GET" "/nodes", Look, "on how many nodes a Swarm service can run";
    /// Stops a container and starts it.
    Restart = "restart", "POST" "/containers/" [Container] "/restart", Act, "restarts a container";
    /// Starts a container.
    Start = "start", "POST" "/containers/" [Container] "/start", Act, "starts a container";
    /// Stops a container.
    Stop = "stop", "POST" "/containers/" [Container] "/stop", Act, "stops a container";
    /// Changes a container's limits.
    Update = "update", "POST" "/containers/" [Container] "/update", Act, "changes a container's memory and CPU limits";
    /// Makes a container.
    Create = "create", "POST" "/containers/create", Root, "makes a copy of a replica, or one of the image before";
    /// Connects a container to a network.
    Connect = "connect", "POST" "/networks/" [Network] "/connect", Act, "connects a copy to its networks";
    /// Gives a container another name.
    Rename = "rename", "POST" "/containers/" [Container] "/rename", Act, "puts a replica aside while another takes its place";
    /// Removes a container.
    Remove = "remove", "DELETE" "/containers/" [Container] "", Act, "removes a replica";
    /// Changes the definition of a Swarm service.
    ServiceUpdate = "service_update", "POST" "/services/" [Service] "/update", Root, "changes a Swarm service";
}

impl DockerCall {
    /// The call that a request is: its method and its path, with a version before it or not, without a query.
    #[must_use]
    pub fn of(method: &str, path: &str) -> Option<Self> {
        let path = unversioned(path);
        Self::ALL.iter().copied().find(|call| call.method() == method && call.is_at(path))
    }

    /// A short word for it, as in the metrics.
    #[must_use]
    pub fn operation(self) -> &'static str {
        self.row().operation
    }

    /// `GET`, `POST` or `DELETE`.
    #[must_use]
    pub fn method(self) -> &'static str {
        self.row().method
    }

    /// What whoever may make it can do.
    #[must_use]
    pub fn power(self) -> Power {
        self.row().power
    }

    /// Whether it changes something, so that it goes to where writing is allowed.
    #[must_use]
    pub fn writes(self) -> bool {
        self.power() != Power::Look
    }

    /// What it is for, in a few words.
    #[must_use]
    pub fn purpose(self) -> &'static str {
        self.row().purpose
    }

    /// What it is about; `None` for calls about no one thing.
    #[must_use]
    pub fn subject(self) -> Option<Subject> {
        self.row().subject
    }

    /// The path of this call for one thing; calls about no one thing have one path.
    #[must_use]
    pub fn path(self, subject: &str) -> String {
        let Row { before, subject: kind, after, .. } = self.row();
        let subject = if kind.is_some() { subject } else { "" };
        format!("{before}{subject}{after}")
    }

    /// The path with a word in place of the thing: `/containers/{container}/json`.
    #[must_use]
    pub fn shown(self) -> String {
        self.path(self.subject().map_or("", Subject::placeholder))
    }

    /// The path as a regular expression, without a version and without anchors. No text in it but the subject's is special.
    #[must_use]
    pub fn regex(self) -> String {
        self.path(self.subject().map_or("", Subject::regex))
    }

    fn is_at(self, path: &str) -> bool {
        let Row { before, subject, after, .. } = self.row();
        match subject {
            None => path == before,
            Some(subject) => {
                let named = path.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
                named.is_some_and(|named| subject.accepts(named))
            }
        }
    }
}

/// A path without `/v1.NN` before it.
fn unversioned(path: &str) -> &str {
    let rest = path.strip_prefix("/v1.").and_then(|rest| rest.find('/').and_then(|slash| rest.split_at_checked(slash)));
    match rest {
        Some((version, bare)) if !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()) => bare,
        Some(_) | None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(call: DockerCall) -> String {
        match call.subject() {
            None => String::new(),
            Some(Subject::Container) => "ab".repeat(32),
            Some(Subject::Service) => "a1b2c".repeat(5),
            Some(Subject::Network) => "shop_front".to_owned(),
            Some(Subject::Image) => "registry:5000/shop/web@sha256:ab".to_owned(),
        }
    }

    #[test]
    fn each_call_is_known_again_by_its_own_path_with_a_version_and_without() {
        for call in DockerCall::ALL {
            let path = call.path(&subject(*call));
            for path in [path.clone(), format!("/v1.41{path}")] {
                assert_eq!(DockerCall::of(call.method(), &path), Some(*call), "{path}");
                let anchored = regex::Regex::new(&format!(r"^((/v1\.[0-9]{{2}})?{})$", call.regex())).unwrap();
                assert!(anchored.is_match(&path), "{path}");
            }
            let also = DockerCall::ALL.iter().filter(|other| other.operation() == call.operation());
            assert_eq!(also.count(), 1, "{}", call.operation());
            assert_eq!(call.writes(), call.method() != "GET", "{}", call.operation());
        }
    }

    #[test]
    fn nothing_else_is_a_call() {
        let id = "ab".repeat(32);
        for (method, path) in [
            ("POST", format!("/containers/{id}/kill")),
            ("POST", format!("/containers/{id}/exec")),
            ("POST", format!("/containers/{id}/json")),
            ("GET", format!("/containers/{id}/restart")),
            ("GET", format!("/containers/{id}/export")),
            ("PUT", format!("/containers/{id}/archive")),
            ("DELETE", format!("/containers/{id}/json")),
            ("DELETE", "/containers/web".to_owned()),
            ("POST", "/containers/web/restart".to_owned()),
            ("POST", "/containers/a/../../images/prune".to_owned()),
            ("POST", "/images/create".to_owned()),
            ("GET", "/images/../containers/json".to_owned()),
            ("GET", "/images/a/../../secrets/json".to_owned()),
            ("GET", "/secrets".to_owned()),
            ("POST", "/services/create".to_owned()),
            ("DELETE", "/services/a1b2ca1b2ca1b2ca1b2ca1b2c".to_owned()),
            ("POST", "/networks/a/b/connect".to_owned()),
            ("GET", "/v1.x/version".to_owned()),
            ("GET", "/v1.41".to_owned()),
            ("GET", "version".to_owned()),
        ] {
            assert_eq!(DockerCall::of(method, &path), None, "{method} {path}");
        }
    }
}

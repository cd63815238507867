//! What each socket proxy has to be told so that certain calls get through, and what it then lets through besides.
//!
//! The regular expressions are in brackets as a whole, because wollomatic's proxy puts `^` and `$` around them without a
//! group. Read [`allow_list`] first.

use super::Proxy;
use crate::model::docker_call::DockerCall;
use serde::Serialize;
use std::collections::BTreeMap;

/// The configuration of one proxy.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct AllowList {
    /// Its containers; one, or one for reading and one for writing.
    pub(super) instances: Vec<Instance>,
    /// What gets through although nobody needs it. Empty if nothing does.
    pub(super) wider: Vec<&'static str>,
}

/// One container of a proxy.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Instance {
    pub(super) name: &'static str,
    pub(super) image: &'static str,
    /// Its arguments, as they are to reach it.
    pub(super) command: Vec<String>,
    pub(super) environment: BTreeMap<&'static str, u8>,
    #[serde(flatten)]
    pub(super) confined: Confined,
}

/// What keeps a proxy that is taken over from more; of one that needs more than nothing, nothing.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Confined {
    /// As a compose file has it: the group is the one of Docker's socket, which only that machine knows.
    pub(super) user: Option<&'static str>,
    pub(super) read_only: bool,
    pub(super) cap_drop: Vec<&'static str>,
    pub(super) security_opt: Vec<&'static str>,
    pub(super) mem_limit: Option<&'static str>,
}

/// Of wollomatic's proxy, whose image runs as nobody: nobody is not let to the socket unless its group is named.
fn confined() -> Confined {
    Confined {
        user: Some("65534:${DOCKER_GID:?set it to what `stat -c %g /var/run/docker.sock` prints}"),
        read_only: true,
        cap_drop: vec!["ALL"],
        security_opt: vec!["no-new-privileges"],
        mem_limit: Some("64m"),
    }
}

/// Which keys of the environment of the proxies that go by groups let a call through.
#[derive(Clone, Copy, Debug)]
struct Keys {
    /// One that lets this through, whatever `POST` says; otherwise the group, and `POST` if it writes.
    own: Option<&'static str>,
    group: &'static str,
}

/// What to tell a proxy for these calls.
pub(super) fn allow_list(proxy: Proxy, calls: &[DockerCall]) -> AllowList {
    match proxy {
        Proxy::Wollomatic => wollomatic(calls),
        Proxy::Linuxserver => linuxserver(calls),
        Proxy::Tecnativa => tecnativa(calls),
    }
}

fn wollomatic(calls: &[DockerCall]) -> AllowList {
    let mut command = vec!["-listenip=0.0.0.0".to_owned(), "-allowfrom=sickbay".to_owned()];
    for method in ["GET", "POST", "DELETE"] {
        let of: Vec<DockerCall> = calls.iter().copied().filter(|call| call.method() == method).collect();
        if !of.is_empty() {
            command.push(format!("-allow{method}={}", pattern(&of)));
        }
    }
    let image = "wollomatic/socket-proxy:1.13.1";
    let (name, environment) = ("socket-proxy", BTreeMap::new());
    let instance = Instance { name, image, command, environment, confined: confined() };
    AllowList { instances: vec![instance], wider: Vec::new() }
}

/// One regular expression for several paths, in brackets: what differs only in its last part stands together.
pub(super) fn pattern(calls: &[DockerCall]) -> String {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for call in calls {
        let path = call.regex();
        let (head, last) = path.rsplit_once('/').unwrap_or(("", path.as_str()));
        match groups.iter_mut().find(|(known, _)| known == head) {
            Some((_, lasts)) => lasts.push(last.to_owned()),
            None => groups.push((head.to_owned(), vec![last.to_owned()])),
        }
    }
    let paths = groups.into_iter().map(|(head, lasts)| match lasts.as_slice() {
        [one] => format!("{head}/{one}"),
        several => format!("{head}/({})", several.join("|")),
    });
    format!(r"((/v1\.[0-9]{{2}})?({}))", paths.collect::<Vec<_>>().join("|"))
}

/// By which keys both proxies that go by groups let a call through.
fn keys(call: DockerCall) -> Keys {
    let in_group = |group| Keys { own: None, group };
    let by_itself = |own, group| Keys { own: Some(own), group };
    match call {
        DockerCall::Version => in_group("VERSION"),
        DockerCall::Events => in_group("EVENTS"),
        DockerCall::Image => in_group("IMAGES"),
        DockerCall::Info => in_group("INFO"),
        DockerCall::Services | DockerCall::Service | DockerCall::ServiceUpdate => in_group("SERVICES"),
        DockerCall::Tasks => in_group("TASKS"),
        DockerCall::Nodes => in_group("NODES"),
        DockerCall::Connect => in_group("NETWORKS"),
        DockerCall::List
        | DockerCall::Inspect
        | DockerCall::Stats
        | DockerCall::Logs
        | DockerCall::Top
        | DockerCall::Changes
        | DockerCall::Update
        | DockerCall::Create
        | DockerCall::Rename
        | DockerCall::Remove => in_group("CONTAINERS"),
        DockerCall::Restart => by_itself("ALLOW_RESTARTS", "CONTAINERS"),
        DockerCall::Start => by_itself("ALLOW_START", "CONTAINERS"),
        DockerCall::Stop => by_itself("ALLOW_STOP", "CONTAINERS"),
    }
}

/// Both let these through unless told otherwise.
const OPEN_UNASKED: [&str; 3] = ["EVENTS", "PING", "VERSION"];

const RESTARTS_ARE_MORE: &str = "ALLOW_RESTARTS lets `stop` and `kill` through as well";
const WRITING_IS_ROOT: &str = "POST=1 lets every call of its groups through, and with CONTAINERS=1 whoever reaches the \
     proxy can create a container that is root on the machine: it cannot allow one of those calls alone. Use \
     wollomatic/socket-proxy instead";
const SERVICES_ARE_ROOT: &str = "POST=1 with SERVICES=1 lets whoever reaches the proxy create services, which can be root \
     on any node. Use wollomatic/socket-proxy instead";

fn wider(calls: &[DockerCall]) -> Vec<&'static str> {
    let by_post: Vec<DockerCall> =
        calls.iter().copied().filter(|call| call.writes() && keys(*call).own.is_none()).collect();
    let restarts = calls.contains(&DockerCall::Restart).then_some(RESTARTS_ARE_MORE);
    let root = by_post.iter().any(|call| keys(*call).group != "SERVICES").then_some(WRITING_IS_ROOT);
    let services = by_post.contains(&DockerCall::ServiceUpdate).then_some(SERVICES_ARE_ROOT);
    [restarts, root, services].into_iter().flatten().collect()
}

fn linuxserver(calls: &[DockerCall]) -> AllowList {
    let mut environment = closed();
    for call in calls {
        let Keys { own, group } = keys(*call);
        let named =
            [(DockerCall::Logs, "ALLOW_LOGS"), (DockerCall::Top, "ALLOW_TOP"), (DockerCall::Changes, "ALLOW_CHANGES")];
        let further = named.into_iter().find(|(named, _)| named == call).map(|(_, key)| (key, 1));
        match own {
            Some(own) => environment.extend([(own, 1)]),
            None => environment.extend([(group, 1)].into_iter().chain(further)),
        }
        if call.writes() && own.is_none() {
            environment.insert("POST", 1);
        }
    }
    let image = "lscr.io/linuxserver/socket-proxy:latest";
    let instance = by_groups("socket-proxy", image, environment);
    AllowList { instances: vec![instance], wider: wider(calls) }
}

/// Its rule for `POST` comes before those that let single calls through, so reading and writing are apart.
fn tecnativa(calls: &[DockerCall]) -> AllowList {
    let image = "tecnativa/docker-socket-proxy:0.4.1";
    let mut reading = closed();
    reading.extend(calls.iter().filter(|call| !call.writes()).map(|call| (keys(*call).group, 1)));
    let read = by_groups("socket-proxy-read", image, reading);
    let writes: Vec<DockerCall> = calls.iter().copied().filter(|call| call.writes()).collect();
    if writes.is_empty() {
        return AllowList { instances: vec![read], wider: Vec::new() };
    }
    let mut writing = closed();
    // Before each write it is asked for the version of its API.
    writing.extend([("POST", 1), ("VERSION", 1)]);
    for call in &writes {
        let Keys { own, group } = keys(*call);
        writing.insert(own.unwrap_or(group), 1);
    }
    let write = by_groups("socket-proxy-write", image, writing);
    AllowList { instances: vec![read, write], wider: wider(calls) }
}

fn by_groups(name: &'static str, image: &'static str, environment: BTreeMap<&'static str, u8>) -> Instance {
    Instance { name, image, command: Vec::new(), environment, confined: Confined::default() }
}

/// Nothing is let through but what is added.
fn closed() -> BTreeMap<&'static str, u8> {
    OPEN_UNASKED.into_iter().chain(["POST"]).map(|key| (key, 0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;

    fn environment(instance: &Instance) -> String {
        let set = instance.environment.iter().filter(|(_, on)| **on == 1).map(|(key, _)| *key);
        set.collect::<Vec<_>>().join(" ")
    }

    const RESTARTING: [DockerCall; 5] =
        [DockerCall::Version, DockerCall::List, DockerCall::Inspect, DockerCall::Logs, DockerCall::Restart];

    #[test]
    fn a_pattern_takes_its_calls_and_nothing_else_although_the_proxy_does_not_group_it() {
        let id = "ab".repeat(32);
        let anchored = |calls: &[DockerCall]| Regex::new(&format!("^{}$", pattern(calls))).unwrap();
        let acts = anchored(&[DockerCall::Restart, DockerCall::Start, DockerCall::Create]);
        for (path, want) in [
            (format!("/v1.41/containers/{id}/restart"), true),
            (format!("/containers/{id}/start"), true),
            ("/v1.41/containers/create".to_owned(), true),
            (format!("/v1.41/containers/{id}/stop"), false),
            (format!("/v1.41/containers/{id}/start/x"), false),
            ("/v1.41/containers/web/restart".to_owned(), false),
            ("/x/v1.41/containers/create".to_owned(), false),
            (format!("/build?/containers/{id}/restart"), false),
            ("/v1.41/containers/a/../../images/prune".to_owned(), false),
        ] {
            assert_eq!(acts.is_match(&path), want, "{path}");
        }
        assert_eq!(pattern(&[DockerCall::Version, DockerCall::Events]), r"((/v1\.[0-9]{2})?(/(version|events)))");
    }

    #[test]
    fn each_proxy_is_told_what_it_understands() {
        let wollomatic = allow_list(Proxy::Wollomatic, &RESTARTING);
        let command = &wollomatic.instances[0].command;
        assert_eq!(command[2..].len(), 2, "{command:?}");
        assert_eq!(command[3], r"-allowPOST=((/v1\.[0-9]{2})?(/containers/[0-9a-f]{64}/restart))");
        assert_eq!(wollomatic.wider, Vec::<&str>::new());

        let linuxserver = allow_list(Proxy::Linuxserver, &RESTARTING);
        assert_eq!(environment(&linuxserver.instances[0]), "ALLOW_LOGS ALLOW_RESTARTS CONTAINERS VERSION");
        assert_eq!(linuxserver.wider, [RESTARTS_ARE_MORE]);

        let tecnativa = allow_list(Proxy::Tecnativa, &RESTARTING);
        let both: Vec<String> = tecnativa.instances.iter().map(environment).collect();
        assert_eq!(both, ["CONTAINERS VERSION", "ALLOW_RESTARTS POST VERSION"]);
        let looking = allow_list(Proxy::Tecnativa, &[DockerCall::Version, DockerCall::Events]);
        assert_eq!(looking.instances.iter().map(environment).collect::<Vec<_>>(), ["EVENTS VERSION"]);
    }

    #[test]
    fn what_makes_whoever_reaches_the_proxy_root_is_said() {
        for (call, want) in [
            (DockerCall::Start, None),
            (DockerCall::Update, Some(WRITING_IS_ROOT)),
            (DockerCall::Create, Some(WRITING_IS_ROOT)),
            (DockerCall::ServiceUpdate, Some(SERVICES_ARE_ROOT)),
        ] {
            for proxy in [Proxy::Linuxserver, Proxy::Tecnativa] {
                assert_eq!(allow_list(proxy, &[call]).wider.first().copied(), want, "{proxy:?} {}", call.operation());
            }
            assert_eq!(allow_list(Proxy::Wollomatic, &[call]).wider.first(), None);
        }
    }
}

//! For `sickbay diagnose`: looks at one container on the settings' Docker host, and says what is the matter. It holds a
//! `Reader` only, so it changes nothing; it needs no running daemon.
//!
//! Where Docker runs on this very machine, it also looks whether what is to be mounted is there: Docker refuses to start
//! without it and keeps no word of it. Read [`look`].

use super::parts;
use crate::diagnosis::with_diagnosis;
pub use crate::docker::Examination;
use crate::docker::{Reader, examine, find_container, machine};
use crate::settings::{DockerHost, Settings};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::path::Path;

/// What is known of the container as evidence, its diagnosis included.
///
/// # Errors
/// Why it cannot be looked at, and what to do.
pub fn look(settings: &Settings, (host, named): (Option<&str>, &str), how: &Examination) -> Result<Value, String> {
    let endpoint = parts::endpoint(on(&settings.docker.hosts, host)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the runtime cannot be started: {error}"))?;
    runtime.block_on(async {
        let reader = Reader::new(&endpoint, None);
        let id = find_container(&reader, named).await?;
        let mut evidence = Box::pin(examine(&reader, &id, how)).await;
        // In a container, other paths are meant than on the machine.
        if settings.own_container.is_none() && is_this(&machine(&reader).await) {
            add_missing_sources(&mut evidence);
        }
        Ok(with_diagnosis(evidence))
    })
}

/// The Docker host that is meant; the only one needs no name.
fn on<'s>(hosts: &'s [DockerHost], named: Option<&str>) -> Result<&'s DockerHost, String> {
    let known = || hosts.iter().map(|host| &*host.name).collect::<Vec<_>>().join(", ");
    match (hosts, named) {
        ([only], None) => Ok(only),
        (_, None) => Err(format!("there are several Docker hosts; name one with --host: {}", known())),
        (_, Some(name)) => {
            let host = hosts.iter().find(|host| host.name == name);
            host.ok_or_else(|| format!("there is no Docker host {name:?} in docker.hosts; there is: {}", known()))
        }
    }
}

/// Whether that machine is this one: its name and its kernel are the same. A forwarded socket leads to another.
fn is_this(machine: &Option<(String, String)>) -> bool {
    let own = |path: &str| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let own = own("/proc/sys/kernel/hostname").zip(own("/proc/sys/kernel/osrelease"));
    own.is_some() && own == *machine
}

fn add_missing_sources(evidence: &mut Value) {
    let mounts = evidence.pointer("/container/mounts").and_then(Value::as_array).into_iter().flatten();
    let binds = mounts.filter(|mount| mount.get("type").and_then(Value::as_str) == Some("bind"));
    let sources =
        binds.filter_map(|mount| mount.get("source").and_then(Value::as_str)).filter(|source| source.starts_with('/'));
    // Whatever else goes wrong says nothing about whether it is there.
    let gone =
        |source: &&str| Path::new(source).symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound);
    let gone: Vec<String> = sources.filter(gone).map(str::to_owned).collect();
    if let Some(parts) = evidence.as_object_mut().filter(|_| !gone.is_empty()) {
        parts.insert("machine".to_owned(), json!({"missing_sources": gone}));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{self, Overrides};

    #[test]
    fn only_a_bind_whose_source_is_surely_gone_is_told() {
        let here = tempfile::tempdir().unwrap();
        let (there, gone) = (here.path().display().to_string(), here.path().join("gone").display().to_string());
        let mount = |kind: &str, source: &str| json!({"type": kind, "source": source});
        let mounts = [
            mount("bind", &there),
            mount("bind", &gone),
            mount("volume", "data"),
            mount("volume", "/gone"),
            mount("bind", ""),
        ];
        let mut evidence = json!({"container": {"mounts": mounts}});
        add_missing_sources(&mut evidence);
        assert_eq!(evidence["machine"], json!({"missing_sources": [gone]}));
        let mut nothing = json!({"container": {"error": "no"}});
        add_missing_sources(&mut nothing);
        assert_eq!(nothing.get("machine"), None);
    }

    #[test]
    fn with_several_hosts_one_is_named() {
        let settings = settings::load(Overrides::default(), None).unwrap();
        let host = |name: &str| DockerHost { name: name.to_owned(), ..settings.docker.hosts[0].clone() };
        let (one, two) = ([host("a")], [host("a"), host("b")]);
        assert_eq!(on(&one, None).unwrap().name, "a");
        assert_eq!(on(&two, Some("b")).unwrap().name, "b");
        for (hosts, named, says) in [(&two[..], None, "--host: a, b"), (&one[..], Some("x"), "no Docker host \"x\"")] {
            let problem = on(hosts, named).unwrap_err();
            assert!(problem.contains(says), "{problem}");
        }
    }

    #[test]
    fn another_machine_is_not_this_one() {
        assert!(!is_this(&None));
        assert!(!is_this(&Some(("elsewhere".to_owned(), "6.1".to_owned()))));
    }
}

//! A daemon that cannot start, in a table.

use crate::real_daemon::{Daemon, Home, complaints, until};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// One thing that is wrong, what it ends with, and words that the one message must contain.
struct Case {
    name: &'static str,
    spoil: fn(&Home) -> Command,
    code: i32,
    words: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "an unknown key in the settings",
        spoil: |home| settings(home, "web: {listn: x}\n"),
        code: 78,
        words: &["sickbay.yml:1:7", "`listn`", "listen_address"],
    },
    Case {
        name: "a duration without a unit",
        spoil: |home| settings(home, "webhook: {max_alert_age: 10}\n"),
        code: 78,
        words: &["sickbay.yml:1:26", "webhook.max_alert_age", "`10s`"],
    },
    Case {
        name: "a word where a number belongs",
        spoil: |home| settings(home, "limits: {max_parallel: many}\n"),
        code: 78,
        words: &["sickbay.yml:1:24", "`limits.max_parallel`", "whole number"],
    },
    Case {
        name: "a word where true or false belongs",
        spoil: |home| settings(home, "docker:\n  require_opt_in: yes\n"),
        code: 78,
        words: &["sickbay.yml:2:19", "`docker.require_opt_in`", "true or false"],
    },
    Case {
        name: "a typing error in the environment",
        spoil: |home| {
            let mut command = home.command();
            command.env("SICKBAY__WEB__LISTN", "127.0.0.1:0");
            command
        },
        code: 78,
        words: &["SICKBAY__WEB__LISTN", "`listn`", "listen_address"],
    },
    Case {
        name: "no settings file",
        spoil: |home| {
            fs::remove_file(home.dir.path().join("sickbay.yml")).unwrap();
            home.command()
        },
        code: 78,
        words: &["sickbay.yml", "No such file", "--config.file"],
    },
    Case {
        name: "no secret file",
        spoil: |home| settings(home, "webhook: {senders: [{name: a, bearer_token_file: token}]}\n"),
        code: 78,
        words: &["webhook.senders[0].bearer_token_file", "No such file", "create it"],
    },
    Case {
        name: "an empty secret file",
        spoil: |home| {
            fs::write(home.dir.path().join("token"), "").unwrap();
            settings(home, "webhook: {senders: [{name: a, bearer_token_file: token}]}\n")
        },
        code: 78,
        words: &["webhook.senders[0].bearer_token_file", "empty", "write the secret"],
    },
    Case {
        name: "a secret file of somebody else",
        spoil: |home| {
            fs::write(home.dir.path().join("token"), "secret").unwrap();
            mode(&home.dir.path().join("token"), 0o000);
            _ = settings(home, "webhook: {senders: [{name: a, bearer_token_file: token}]}\n");
            as_nobody(home)
        },
        code: 78,
        words: &["webhook.senders[0].bearer_token_file", "Permission denied", "let the user sickbay runs as read it"],
    },
    Case {
        name: "a bad playbook",
        spoil: |home| {
            let text = "version: 1\nplaybooks:\n  - name: x\n    matchers:\n      - a=b\n    steps: []\n";
            fs::write(home.dir.path().join("rules/bad.yaml"), text).unwrap();
            home.command()
        },
        code: 78,
        words: &["rules/bad.yaml:6:", "sickbay check"],
    },
    Case {
        name: "no playbook at all",
        spoil: |home| {
            fs::remove_dir_all(home.dir.path().join("rules")).unwrap();
            home.command()
        },
        code: 78,
        words: &["names no rules file", "`rules.paths`"],
    },
    Case {
        name: "open to everybody",
        spoil: |home| settings(home, "web: {listen_address: 0.0.0.0:0}\n"),
        code: 78,
        words: &["0.0.0.0:0", "add a sender", "127.0.0.1", "--web.insecure-no-auth"],
    },
    Case {
        name: "a file where the storage directory belongs",
        spoil: |home| {
            fs::write(home.data(), "").unwrap();
            home.command()
        },
        code: 74,
        words: &["is not a directory", "--storage.path"],
    },
    Case {
        name: "a storage directory of somebody else",
        spoil: |home| {
            fs::create_dir(home.data()).unwrap();
            mode(&home.data(), 0o500);
            as_nobody(home)
        },
        code: 74,
        words: &["no permission", "data", "must belong to the user sickbay runs as"],
    },
    Case {
        name: "a read-only file system",
        spoil: |home| {
            fs::create_dir(home.data()).unwrap();
            let script = "mount -t tmpfs -o ro tmpfs data && exec \"$@\"";
            home.command_under(&["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"])
        },
        code: 74,
        words: &["read-only file system", "mount it writable", "--storage.path"],
    },
    Case {
        name: "no room for the log's directory",
        spoil: |home| {
            fs::create_dir(home.data()).unwrap();
            let script = "mount -t tmpfs -o nr_inodes=2 tmpfs data && exec \"$@\"";
            home.command_under(&["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"])
        },
        code: 74,
        words: &["no space is left", "make room and start again"],
    },
    Case {
        name: "an unknown flag",
        spoil: |home| {
            let mut command = home.command();
            command.arg("--storage.pth=data");
            command
        },
        code: 2,
        words: &["error: ", "--storage.pth", "--storage.path"],
    },
];

#[test]
fn each_mistake_gets_one_message_with_what_to_do_and_its_exit_code() {
    for case in CASES {
        let home = Home::new();
        refused(case.name, (case.spoil)(&home), case.code, case.words);
    }
}

#[test]
fn a_second_instance_is_told_who_has_the_directory() {
    let home = Home::new();
    let first = Daemon::start(home.command());
    // The lock is taken a moment after the port.
    until("it has opened its log", || fs::metadata(home.segment()).is_ok_and(|segment| 0 < segment.len()));
    let process = format!("process {}", first.child.id());
    refused("second instance", home.command(), 75, &["already uses", &process, "stop it", "--storage.path"]);
    assert!(first.stop().status.success(), "the first one is not disturbed");
}

#[test]
fn a_port_in_use_is_named() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = home.command();
    command.arg(format!("--web.listen-address={address}"));
    refused("port in use", command, 69, &[&address, "in use", "stop what listens there", "--web.listen-address"]);
}

/// The daemon ends at once, with this code and one message.
fn refused(name: &str, command: Command, code: i32, words: &[&str]) {
    let ended = Daemon::run_to_end(command);
    assert_eq!(ended.status.code(), Some(code), "{name}: {ended:?}");
    let said = ended.said.as_str();
    let message: Vec<&str> = said.lines().filter(|line| !line.contains("level=info")).collect();
    let message = message.join("\n");
    for word in words {
        assert!(message.contains(word), "{name}: {word:?} is missing in: {message}");
    }
    if code != 2 {
        // Somebody whom permissions bind is not let to Docker either.
        let others = complaints(said).into_iter().filter(|line| !line.contains("target=sickbay::daemon::probe"));
        assert!(others.count() == 1 && message.contains("sickbay: "), "{name}: one message, not: {said}");
    }
}

fn settings(home: &Home, text: &str) -> Command {
    fs::write(home.dir.path().join("sickbay.yml"), text).unwrap();
    home.command()
}

pub(crate) fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The daemon as a user whom permissions bind: for root, that is somebody else.
pub(crate) fn as_nobody(home: &Home) -> Command {
    mode(home.dir.path(), 0o755);
    if !rustix::process::geteuid().is_root() {
        return home.command();
    }
    // The build directory may be closed to others.
    let program = home.dir.path().join("sickbay");
    fs::copy(env!("CARGO_BIN_EXE_sickbay"), &program).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program).arg("--config.file=sickbay.yml");
    command.current_dir(home.dir.path());
    command
}

//! What is shipped beside the binary is in order: the playbooks under `rules/`, and the examples under `deploy/`, which
//! the tools they are written for must accept. A missing tool is an error that says how to install it, not a skip.

use std::path::Path;
use std::process::Command;

fn run(command: &mut Command) {
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("the command can be started");
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn shipped_playbooks_pass_check() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let files = std::fs::read_dir(rules).expect("there is a folder rules").count();
    assert!(4 <= files, "only {files} files under rules/");
    run(Command::new(env!("CARGO_BIN_EXE_sickbay")).args(["check", "rules/"]));
}

#[test]
fn shipped_settings_pass_check() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let token = folder.path().join("token");
    std::fs::write(&token, "a token of the test").expect("the folder is writable");
    let settings = include_str!("../deploy/sickbay.yml");
    let secret = "/run/secrets/webhook_token";
    assert!(settings.contains(secret), "deploy/sickbay.yml no longer names {secret}");
    let file = folder.path().join("sickbay.yml");
    std::fs::write(&file, settings.replace(secret, &token.to_string_lossy())).expect("the folder is writable");
    run(Command::new(env!("CARGO_BIN_EXE_sickbay")).arg("check").arg("--config.file").arg(&file).arg("rules/"));
}

/// The socket proxy of the compose file lets through what the shipped playbooks need, and nothing else.
#[test]
fn the_shipped_proxy_is_configured_as_permissions_says() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sickbay"));
    command.args(["permissions", "rules/", "--for=wollomatic"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().expect("the command can be started");
    assert!(output.status.success(), "{output:?}");
    let arguments = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim).filter(|line| line.starts_with("- '-") || line.starts_with("- -allow"));
        lines.map(str::to_owned).collect()
    };
    let compose = include_str!("../docker-compose.yml");
    let proxy = compose.split("\n  socket-proxy:").nth(1).and_then(|rest| rest.split("\n\n").next());
    let shipped = arguments(proxy.expect("docker-compose.yml has a socket-proxy"));
    let printed = arguments(&String::from_utf8_lossy(&output.stdout));
    assert!(!printed.is_empty());
    let group = "\n    user: \"65534:${DOCKER_GID:?";
    let printed_whole = String::from_utf8_lossy(&output.stdout);
    assert!(compose.contains(group) && printed_whole.contains(group), "nobody is let to the socket: {printed_whole}");
    assert_eq!(shipped, printed, "run `sickbay permissions rules/ --for=wollomatic` and put its lines there");
}

#[test]
fn shipped_examples_pass_their_own_tools() {
    run(Command::new("bash").arg("scripts/check-deploy.sh"));
}

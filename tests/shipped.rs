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
fn shipped_examples_pass_their_own_tools() {
    run(Command::new("bash").arg("scripts/check-deploy.sh"));
}

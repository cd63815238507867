//! The socket in the file system: who calls is known by the user ID that the kernel tells, and nothing has to be presented.

use crate::rules::{DOWN, engine, settings};
use crate::sickbay_process::Sickbay;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A user who looks, and one who is nobody.
const BOB: u32 = 23_001;
const NOBODY: u32 = 23_002;

/// A place that every user may enter, with the socket and a copy of the program.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_sickbay"), dir.path().join("sickbay")).unwrap();
        Self(dir)
    }

    fn socket(&self) -> PathBuf {
        self.0.path().join("sickbay.sock")
    }

    /// The program, against the socket.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.0.path().join("sickbay"));
        command.args(args).current_dir(self.0.path()).env("SICKBAY_URL", format!("unix://{}", self.socket().display()));
        command
    }

    fn pause(&self) -> Command {
        self.command(&["pause", "--by", "somebody else", "--reason", "a look", "-o", "json"])
    }
}

fn people(socket: &Path) -> String {
    let us = rustix::process::geteuid().as_raw();
    format!(
        "web: {{socket: {{path: '{}', mode: \"0666\"}}}}\npeople:\n  - {{name: ada, uid: {us}, roles: [operate]}}\n  - \
         {{name: bob, uid: {BOB}, roles: [view]}}\n",
        socket.display()
    )
}

fn told(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_calls_over_the_socket_is_who_the_kernel_says() {
    let (docker, place) = (engine(), Place::new());
    let mut sickbay = Sickbay::running(DOWN, &format!("{}{}", settings(&docker), people(&place.socket())));
    let paused = place.pause().output().unwrap();
    assert_eq!(told(&paused), (Some(0), String::new()), "{}", sickbay.story());
    let set = sickbay.wait_for("pause.set", 1).remove(0);
    assert_eq!(set["by"], "ada", "their own name, whatever they claim: {set}");
    let status = place.command(&["status", "-o", "json"]).output().unwrap();
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["pauses"][0]["by"], "ada");

    // Whoever is root can be others as well; elsewhere this user alone can be tried.
    if rustix::process::geteuid().is_root() {
        let (code, said) = told(&place.pause().uid(BOB).gid(BOB).output().unwrap());
        assert!(code == Some(1) && said.contains("403") && said.contains("operate"), "{code:?} {said}");
        let (code, said) = told(&place.pause().uid(NOBODY).gid(NOBODY).output().unwrap());
        assert!(code == Some(1) && said.contains("401"), "{code:?} {said}");
        let status = place.command(&["status"]).uid(BOB).gid(BOB).output().unwrap();
        assert_eq!(told(&status).0, Some(0), "who may look, looks");
    }
    assert_eq!(sickbay.records_of("pause.set").len(), 1);
    sickbay.stop();
    assert!(!place.socket().exists(), "it cleans up");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_the_socket_is_taken_over_and_what_is_in_its_way_is_told() {
    let (docker, place) = (engine(), Place::new());
    let mut sickbay = Sickbay::running(DOWN, &format!("{}{}", settings(&docker), people(&place.socket())));
    sickbay.kill();
    assert!(fs::metadata(place.socket()).unwrap().file_type().is_socket(), "nobody could clean up");
    let (code, said) = told(&place.pause().output().unwrap());
    assert!(code == Some(4) && said.contains("no daemon answers at unix:///"), "{code:?} {said}");
    sickbay.start(&[]);
    assert_eq!(fs::metadata(place.socket()).unwrap().permissions().mode() & 0o777, 0o666);
    assert_eq!(told(&place.command(&["healthcheck", "--ready"]).output().unwrap()).0, Some(0));
    sickbay.stop();

    for (path, want) in
        [("sickbay", "a file that is no socket is there"), ("no/such.sock", "No such file or directory")]
    {
        let path = place.0.path().join(path);
        sickbay.write(DOWN, &format!("{}{}", settings(&docker), people(&path)));
        let output = sickbay.run(&["serve", "--config.file=sickbay.yml", "--web.listen-address=127.0.0.1:0"]);
        let (code, said) = told(&output);
        assert!(code == Some(69) && said.contains(want) && said.contains("`web.socket.path`"), "{code:?} {said}");
        let kept = fs::metadata(place.0.path().join("sickbay")).unwrap();
        assert!(kept.is_file(), "what is in the way stays");
    }
}

//! A program of Debian's as a child process that ends with the test.

use crate::http::request;
use crate::sickbay_process::wait_until;
use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

pub(super) struct Program {
    child: Child,
    said: PathBuf,
}

impl Program {
    /// Starts it, and waits until it answers that it is ready.
    pub(super) fn start(name: &str, directory: &tempfile::TempDir, (port, args): (u16, &[String])) -> Self {
        let said = directory.path().join("said");
        let file = OpenOptions::new().create(true).append(true).open(&said).unwrap();
        let mut command = Command::new(name);
        command.args(args).arg(format!("--web.listen-address=127.0.0.1:{port}")).current_dir(directory.path());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn();
        let child = child.unwrap_or_else(|error| panic!("{name} cannot be run (apt install {name}): {error}"));
        let program = Self { child, said };
        let ready = || request(port, "GET /-/ready", &[], "").is_ok_and(|answer| answer.status == 200);
        if wait_until(|| ready().then_some(())).is_none() {
            panic!("{name} is not ready: {}", fs::read_to_string(&program.said).unwrap());
        }
        program
    }

    /// Ends it at once, without a chance to save anything.
    pub(super) fn kill(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

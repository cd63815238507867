//! A real OpenSSH server on loopback, with throwaway keys, and the configuration of a client that may come in.

use crate::sickbay_process::{free_port, wait_until};
use std::fs::{self, OpenOptions, Permissions};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The server. It ends with the test, and so do the connections through it.
pub(crate) struct Sshd {
    directory: tempfile::TempDir,
    /// Where it listens.
    pub(crate) port: u16,
    child: Child,
}

impl Sshd {
    /// Starts one that lets this very user in.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // The server is strict about who may write what it reads.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o700)).unwrap();
        let port = free_port();
        let at = |name: &str| directory.path().join(name).display().to_string();
        for name in ["host", "user", "stranger"] {
            keygen(&directory.path().join(name));
        }
        fs::copy(at("user.pub"), at("authorized")).unwrap();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\n\
             StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n",
            at("host"),
            at("authorized")
        );
        fs::write(at("sshd_config"), config).unwrap();
        let host_key = fs::read_to_string(at("host.pub")).unwrap();
        fs::write(at("known_hosts"), format!("[127.0.0.1]:{port} {host_key}")).unwrap();
        fs::write(at("no_hosts"), "").unwrap();
        for (name, key, hosts) in [
            ("good", "user", "known_hosts"),
            ("stranger_config", "stranger", "known_hosts"),
            ("unknown", "user", "no_hosts"),
        ] {
            let text = format!(
                "IdentityFile {}\nIdentitiesOnly yes\nIdentityAgent none\nUserKnownHostsFile {}\nGlobalKnownHostsFile none\n",
                at(key),
                at(hosts)
            );
            fs::write(at(name), text).unwrap();
        }
        // Where it gives up its rights; Debian's service makes it at each boot.
        drop(fs::create_dir_all("/run/sshd"));
        let said = OpenOptions::new().create(true).append(true).open(at("said")).unwrap();
        let mut command = Command::new("/usr/sbin/sshd");
        command.args(["-D", "-e", "-f", &at("sshd_config")]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        let child = command.spawn().unwrap_or_else(|error| panic!("sshd: {error} (apt install openssh-server)"));
        let sshd = Self { directory, port, child };
        let listens = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        assert!(wait_until(|| listens().then_some(())).is_some(), "sshd does not listen: {}", sshd.said());
        sshd
    }

    /// A configuration of the client: `good`, `stranger_config` with a key that nobody knows, or `unknown` by which the
    /// server's own key is a stranger's.
    pub(crate) fn config(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// What it said.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.directory.path().join("said")).unwrap_or_default()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn keygen(path: &Path) {
    let output = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).output();
    let output = output.unwrap_or_else(|error| panic!("ssh-keygen: {error} (apt install openssh-client)"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

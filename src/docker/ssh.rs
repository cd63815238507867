//! An engine behind SSH: the system's own `ssh` runs `docker system dial-stdio` there, one process for each connection.
//!
//! Keys, known hosts and jumps are ssh's own configuration; it is never asked anything, and refuses hosts that it does not
//! know. Nothing of an alert is among its arguments: they come from the settings alone. Read [`SshStream`].

use super::transport::NotAccepted;
use crate::model::redact;
use crate::model::ssh::SshAddress;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::OwnedSemaphorePermit;

/// How many connections to one engine there may be at a time: servers drop those that knock while ten others do.
pub(super) const CONNECTIONS_MAX: usize = 6;

/// How much of ssh's own words is kept, in bytes.
const WORDS_LEN_MAX: usize = 500;

/// A connection through a process of `ssh`, which ends with it.
pub(super) struct SshStream {
    _child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: ChildStderr,
    /// What ssh said.
    said: Vec<u8>,
    /// Whether anything came from the other end.
    answered: bool,
    _turn: OwnedSemaphorePermit,
}

impl SshStream {
    /// Starts ssh. That it has reached anybody is known when the first byte comes back.
    pub(super) fn start(address: &SshAddress, config: Option<&Path>, turn: OwnedSemaphorePermit) -> io::Result<Self> {
        let mut command = Command::new("ssh");
        command.args(arguments(address, config)).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = command.spawn();
        let mut child = started.map_err(|error| {
            let words = format!("`ssh` cannot be started: {error}; install the OpenSSH client");
            io::Error::other(NotAccepted(words))
        })?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(io::Error::other("ssh was started without its pipes"));
        };
        Ok(Self { _child: child, stdin, stdout, stderr, said: Vec::new(), answered: false, _turn: turn })
    }

    /// The engine was never reached: why, in ssh's words.
    fn poll_why(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let mut piece = [0; 256];
        loop {
            let mut read = ReadBuf::new(&mut piece);
            let ended = match ready!(Pin::new(&mut self.stderr).poll_read(cx, &mut read)) {
                Ok(()) => read.filled().is_empty(),
                Err(_gone) => true,
            };
            self.said.extend_from_slice(read.filled());
            if ended || WORDS_LEN_MAX < self.said.len() {
                let said = String::from_utf8_lossy(&self.said);
                let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
                let words = match &*redact::clean(&said, WORDS_LEN_MAX) {
                    "" => "ssh ended without a word".to_owned(),
                    said => format!("ssh says: {said}"),
                };
                return Poll::Ready(io::Error::new(io::ErrorKind::ConnectionAborted, NotAccepted(words)));
            }
        }
    }
}

/// What `ssh` is started with. It asks nobody anything, and gives up soon.
fn arguments(address: &SshAddress, config: Option<&Path>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    if let Some(config) = config {
        arguments.extend(["-F".into(), config.into()]);
    }
    let fixed = ["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "-o", "ServerAliveInterval=15"];
    arguments.extend(fixed.map(OsString::from));
    arguments.extend(address.user.iter().flat_map(|user| ["-l".into(), user.into()]));
    arguments.extend(address.port.iter().flat_map(|port| ["-p".into(), port.to_string().into()]));
    arguments.extend(["--".into(), address.host.clone().into(), "docker".into()]);
    arguments.extend(address.socket.iter().flat_map(|socket| ["-H".into(), format!("unix://{socket}").into()]));
    arguments.extend(["system".into(), "dial-stdio".into()]);
    arguments
}

impl AsyncRead for SshStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stdout).poll_read(cx, buf))?;
        this.answered |= before < buf.filled().len();
        if this.answered { Poll::Ready(Ok(())) } else { Poll::Ready(Err(ready!(this.poll_why(cx)))) }
    }
}

impl AsyncWrite for SshStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match ready!(Pin::new(&mut this.stdin).poll_write(cx, bytes)) {
            // Why ssh has ended, its own words tell, and reading brings them.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && !this.answered => Poll::Ready(Ok(bytes.len())),
            written => Poll::Ready(written),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stdin).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stdin).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_gets_each_part_as_an_argument_of_its_own_and_the_host_after_all_options() {
        let shown = |rest: &str, config: Option<&str>| {
            let arguments = arguments(&SshAddress::parse(rest).unwrap(), config.map(Path::new));
            arguments.iter().map(|argument| argument.to_str().unwrap()).collect::<Vec<_>>().join(" ")
        };
        let options = "-T -o BatchMode=yes -o ConnectTimeout=5 -o ServerAliveInterval=15";
        assert_eq!(shown("web-2", None), format!("{options} -- web-2 docker system dial-stdio"));
        assert_eq!(
            shown("me@web-2:2222/run/x.sock", Some("/etc/ssh_config")),
            format!(
                "-F /etc/ssh_config {options} -l me -p 2222 -- web-2 docker -H unix:///run/x.sock system dial-stdio"
            )
        );
    }
}

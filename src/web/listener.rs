//! What is listened on: addresses, and a socket in the file system whose kernel says which user is calling.
//!
//! A socket that a process left behind is taken over; one that somebody answers on is not, and neither is any other file.
//! Read [`Listener`] first.

use super::guard::Peer;
use std::fs::{self, Permissions};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::either::Either;

/// One connection.
pub(super) type Stream = Either<TcpStream, UnixStream>;

/// A bound socket.
#[derive(Debug)]
pub enum Listener {
    /// An address.
    Tcp(TcpListener),
    /// A file.
    Unix(UnixSocket),
}

/// A bound socket in the file system. Its file goes when this is dropped, unless another one has taken its place.
#[derive(Debug)]
pub struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
    file: (u64, u64),
}

impl Listener {
    /// The next connection, and who calls.
    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY could not be set");
                }
                Ok((Either::Left(stream), Peer::Address(address.ip())))
            }
            Self::Unix(socket) => {
                let (stream, _unnamed) = socket.listener.accept().await?;
                let uid = stream.peer_cred()?.uid();
                Ok((Either::Right(stream), Peer::User(uid)))
            }
        }
    }
}

impl UnixSocket {
    /// Binds a path; the file may then be opened by whom `mode` lets.
    ///
    /// # Errors
    /// What is in the way: somebody who answers there, a file that is no socket, or the system.
    pub fn bind(path: &Path, mode: u32) -> io::Result<Self> {
        take_over(path)?;
        // Until the second call the umask decides who may connect; whoever does is asked for a proof like everybody.
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        let file = identity(path)?;
        Ok(Self { listener, path: path.to_owned(), file })
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|file| file == self.file)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::debug!(%error, path = %self.path.display(), "the socket could not be removed");
        }
    }
}

/// As which address connections of this peer are counted.
pub(super) fn counted_as(peer: Peer) -> IpAddr {
    match peer {
        Peer::Address(address) => address,
        Peer::User(_) => Ipv4Addr::LOCALHOST.into(),
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Removes a socket that nobody listens on.
fn take_over(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket is there")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_answered) => Err(io::Error::new(io::ErrorKind::AddrInUse, "somebody listens there")),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_process_left_behind_is_taken_over_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sickbay.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let socket = UnixSocket::bind(&path, 0o600).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let kind = |bound: io::Result<UnixSocket>| bound.map(drop).unwrap_err().kind();
        assert_eq!(kind(UnixSocket::bind(&path, 0o600)), io::ErrorKind::AddrInUse);
        drop(socket);
        assert!(!path.exists(), "it cleans up");
        fs::write(&path, "precious").unwrap();
        assert_eq!(kind(UnixSocket::bind(&path, 0o600)), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        assert_eq!(kind(UnixSocket::bind(&dir.path().join("no/such"), 0o600)), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_socket_that_took_its_place_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sickbay.sock");
        let first = UnixSocket::bind(&path, 0o600).unwrap();
        fs::rename(&path, dir.path().join("away")).unwrap();
        let second = UnixSocket::bind(&path, 0o600).unwrap();
        drop(first);
        assert!(path.exists());
        drop(second);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn the_kernel_says_who_calls() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sickbay.sock");
        let listener = Listener::Unix(UnixSocket::bind(&path, 0o600).unwrap());
        let _client = std::os::unix::net::UnixStream::connect(&path).unwrap();
        let (_stream, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, Peer::User(rustix::process::geteuid().as_raw()));
    }
}

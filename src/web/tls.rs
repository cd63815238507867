//! The greeting over TLS. Whoever speaks plain HTTP to it is told so in plain HTTP.

use super::listener::Stream;
use super::seats::Seat;
use super::stream::Watched;
use rustls::ServerConfig;
use std::io;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

/// What every greeting begins with.
const GREETING: u8 = 0x16;

/// The answer to a request that came without TLS.
const PLAIN: &str = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n\
                     content-length: 66\r\n\r\n{\"error\":\"sickbay speaks TLS here: begin the address with https\"}\n";

/// Greets a client. It has no deadline of its own.
pub(super) async fn greet(
    stream: Stream,
    config: Arc<ServerConfig>,
    seat: &Arc<Seat>,
) -> io::Result<TlsStream<Watched>> {
    let speaks_http = begins_like_http(&stream).await?;
    let mut stream = Watched::new(stream, Arc::clone(seat));
    if speaks_http {
        stream.write_all(PLAIN.as_bytes()).await?;
        stream.shutdown().await?;
        return Err(io::Error::new(io::ErrorKind::InvalidData, "plain HTTP where TLS is spoken"));
    }
    TlsAcceptor::from(config).accept(stream).await
}

/// Looks at the first byte without taking it: no greeting begins with a letter, and every request does.
async fn begins_like_http(stream: &Stream) -> io::Result<bool> {
    let mut first = [0];
    let seen = match stream {
        Either::Left(stream) => stream.peek(&mut first).await?,
        Either::Right(_) => 0,
    };
    Ok(seen == 1 && first != [GREETING] && first.first().is_some_and(u8::is_ascii_alphabetic))
}

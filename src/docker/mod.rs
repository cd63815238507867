//! The hand: everything that is asked of Docker or done to it.
//!
//! It decides nothing and writes no record. A [`client::Reader`] can only look; only a [`client::Writer`] can change
//! something, so a dry run that holds no writer cannot. What Docker says is decoded leniently (`convert`), because a
//! value that a newer engine invents must not blind us. Read [`client`] first, then [`act`].

pub mod act;
pub mod client;
pub mod convert;
pub mod endpoint;
pub mod error;
pub mod evidence;
pub mod reconcile;
pub mod redact;
pub mod resolve;
pub mod verify;

mod events;
mod history;
mod log_text;
mod transport;
mod watch;

pub use act::perform;
pub use client::{Observer, Reader, Writer};
pub use endpoint::DockerEndpoint;
pub use evidence::capture;
pub use reconcile::reconcile;
pub use resolve::resolve;
pub use verify::verify;
pub use watch::watch_events;

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
pub mod examine;
pub mod reconcile;
pub mod resolve;
pub mod service;
pub mod verify;

mod compose;
mod dependents;
mod events;
mod history;
mod log_text;
mod many;
mod portrait;
mod probe;
mod seen;
mod ssh;
mod surroundings;
mod tls;
mod traces;
mod transport;
mod usage;
mod watch;

pub use act::perform;
pub use client::{Observer, Reader, Writer};
pub use compose::remove_half_made;
pub use endpoint::DockerEndpoint;
pub use evidence::capture;
pub use examine::{Examination, examine, find_container, machine};
pub use probe::Prober;
pub use reconcile::reconcile;
pub use resolve::resolve;
pub use seen::remember;
pub use tls::Tls;
pub use usage::look_at_memory;
pub use verify::verify;
pub use watch::watch_events;

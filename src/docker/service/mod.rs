//! Services as targets: looking at those of Swarm and of Compose, and changing those of Swarm.
//!
//! A Swarm service is one object of a manager, with its tasks and nodes beside it; a Compose service is the containers
//! that carry its labels. Both become a `Service`, by which the gates decide. What is sent back to Swarm is the definition
//! as it was read, with one number changed: typed clients lose what they do not know. Read `look` first.

pub mod compose;
pub mod definition;

mod change;
mod evidence;
mod look;
mod placement;
mod swarm;
mod watch;

pub use change::change;
pub use watch::verify;

pub(super) use evidence::capture;
pub(super) use look::{find, look};

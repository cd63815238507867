//! The past once more, at virtual speed: what came, through playbooks that were or were not there.
//!
//! The deciding and the state are the daemon's own; around them is a loop without disk, Docker or people. What is known
//! of the world answers the engine's questions: the incident log, as long as the replay goes the same way, and where it
//! goes another way the nearest look at the same target, or an assumption, which is always named as one.
//!
//! Read [`History`] for what can be played, [`play()`] for how, and [`Tally`] for what is gathered meanwhile.

mod cause;
mod compare;
mod history;
mod oracle;
mod people;
mod play;
mod services;
mod tally;
mod timetable;
mod walk;

pub use compare::{Change, Difference, compare};
pub use history::{Assume, Came, History};
pub use play::{Config, Configs, Observer, Origin, Seen, play};
pub use tally::{Act, Decision, Outcome, Tally};

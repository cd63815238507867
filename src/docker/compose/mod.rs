//! Scaling a Compose service without Swarm, and taking it back to the image before: a replica is copied, or replaced, so that
//! Compose takes the new one for its own.
//!
//! What Docker tells of a replica goes back as raw JSON, so that what this version does not know is copied too. Not
//! everything can be copied, and then nothing is begun: [`obstacles`] has every reason. Only what sickbay added is taken
//! away again. Pure: [`copy`], [`obstacles`], [`choice`], [`past`],
//! [`replacement`]. Read [`look`] for what is asked, then [`scale()`] and [`roll_back`] for what is done.

mod choice;
mod copy;
mod creation;
mod look;
mod obstacles;
mod past;
mod replacement;
mod rollback;
mod scale;
mod settings;
mod tidy;

#[cfg(test)]
mod recorded;

use crate::model::owner_names::{ACT, CLONE_OF, INCIDENT, ROLLED_BACK_FROM};

pub(super) use look::{back, room};
pub(super) use rollback::{Back, left_behind, roll_back};
pub(super) use scale::{Order, made_by, scale};
pub use tidy::remove_half_made;

/// Compose's label for a replica's number.
const NUMBER: &str = "com.docker.compose.container-number";

//! Who somebody is: the people of the settings, what each may do, and how they prove it.
//!
//! It knows no HTTP and decides nothing about plans: whoever carries a request asks it for a [`Person`], and the engine
//! decides by that person's name and groups. The same person has the same name however they come. Read [`Person`] first.

mod alike;
mod attempts;
mod directory;
mod forward;
mod link;
mod mac;
mod password;
mod person;
mod slack;
mod token;
mod users;

pub use attempts::{Attempts, FAILURES_MAX, WINDOW};
pub use directory::People;
pub use forward::{ForwardAuth, Network};
pub use link::{LinkAbout, LinkKey, Unproven};
pub use mac::Mac;
pub use password::{PASSWORD_BYTES_MAX, PasswordHash};
pub use person::{Person, Role};
pub use slack::{SlackApp, Unsigned};
pub use token::TokenHash;
pub use users::Users;

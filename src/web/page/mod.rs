//! The pages for people: what they are asked, with forms to answer, and how the daemon is, with forms to pause.
//!
//! They are written on the server and work without a script; one small script shows what changes. They decide nothing:
//! forms take the same way as the API. Read [`render`] for how text from outside is kept text, then [`handlers`].

mod errors;
mod handlers;
mod incident;
mod link;
mod log;
mod oidc;
mod playbooks;
mod render;

pub(super) use errors::as_pages;
pub(super) use handlers::{
    after_pause, after_vote, door, fragment, home, log_in, log_out, login, pause, resume, status, vote,
};
pub(super) use incident::incident;
pub(super) use link::{LinkQuestion, link, link_part, link_script};
pub(super) use log::incidents;
pub(super) use oidc::{begin_login, finish_login};
pub(super) use playbooks::playbooks;
pub(super) use render::{course, script, style, times};

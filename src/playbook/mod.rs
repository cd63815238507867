//! Playbooks: YAML text in, [`definition::Playbook`]s out, or every problem with its place.

pub mod definition;
pub mod index;
pub mod template;

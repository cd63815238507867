//! `sickbay schema`: the JSON Schemas of everything that is written or read as a file, for editors and other programs.

use super::print_json;
use crate::{playbook, record, settings, unit_test};
use clap::{Args, ValueEnum};
use serde_json::Value;
use std::io::{self, Write};

/// Print a JSON Schema (draft-07) for editors and other programs.
#[derive(Args, Clone, Copy, Debug)]
pub struct SchemaArgs {
    /// What the schema is of
    #[arg(value_enum)]
    pub of: Of,
}

/// What there is a schema of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Of {
    /// A rules file
    Playbooks,
    /// A file of tests, *.test.yaml
    Tests,
    /// The settings file
    Settings,
    /// A line of the incident log
    Records,
}

impl Of {
    /// The name of the committed file under `schema/`.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Playbooks => "playbooks.schema.json",
            Self::Tests => "tests.schema.json",
            Self::Settings => "settings.schema.json",
            Self::Records => "records.schema.json",
        }
    }

    /// The schema itself.
    #[must_use]
    pub fn schema(self) -> Value {
        match self {
            Self::Playbooks => playbook::schema::rules(),
            Self::Tests => unit_test::schema(),
            Self::Settings => settings::schema::schema(),
            Self::Records => record::schema::schema(),
        }
    }
}

/// Prints a schema; the exit code.
///
/// # Errors
/// If the result cannot be printed.
pub fn run(args: SchemaArgs, out: &mut dyn Write) -> io::Result<u8> {
    print_json(&args.of.schema(), out)?;
    Ok(0)
}

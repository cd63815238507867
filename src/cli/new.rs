//! `sickbay new`: a commented playbook to begin with, printed or written beside its tests.

use super::check::patterns_of;
use super::starters::{Kind, NewFile, with_modeline, write_all};
use super::{USAGE, complain};
use crate::model::label::Labels;
use crate::model::matcher::Matcher;
use crate::playbook::{RuleFile, Severity, load};
use crate::settings::rules;
use clap::Args;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Something is in the way, or cannot be written.
const REFUSED: u8 = 1;

/// How many numbers are tried behind the name of an alert.
const NUMBERS_MAX: u32 = 99;

/// Print or write a commented playbook to begin with.
#[derive(Args, Clone, Debug)]
pub struct NewArgs {
    /// What it does
    #[arg(value_enum)]
    pub kind: Kind,
    /// What the playbook is called
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Write DIR/NAME.yaml, and DIR/NAME.test.yaml with its tests, instead of printing
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Prints or writes the starter; the exit code.
///
/// # Errors
/// If the result cannot be printed.
pub fn run(args: &NewArgs, out: &mut dyn Write) -> io::Result<u8> {
    let name = args.name.as_deref().unwrap_or(args.kind.default_name());
    let playbook = args.kind.playbook(name);
    let loaded = load(&[RuleFile { path: name.to_owned(), text: playbook.clone() }]);
    if let Some(problem) = loaded.problems.iter().find(|problem| problem.severity == Severity::Error) {
        complain(&format!("{} ({})", problem.message, problem.hint.as_deref().unwrap_or_default()));
        return Ok(USAGE);
    }
    let Some(dir) = &args.dir else {
        out.write_all(playbook.as_bytes())?;
        return Ok(0);
    };
    let with_schema = |schema: &str, text: String| {
        let schema = format!("../schema/{schema}.schema.json");
        if dir.join(&schema).exists() { with_modeline(&schema, &text) } else { text }
    };
    let (usual, alert) = (args.kind.alert(), free_alert(args.kind, dir));
    let text = with_schema("playbooks", playbook.replace(usual, &alert));
    let test = with_schema("tests", args.kind.test(name).replace(usual, &alert));
    let files = [
        NewFile { path: dir.join(format!("{name}.yaml")), text },
        NewFile { path: dir.join(format!("{name}.test.yaml")), text: test },
    ];
    if let Err(problem) = write_all(&files) {
        complain(&problem);
        return Ok(REFUSED);
    }
    for file in &files {
        writeln!(out, "wrote {}", file.path.display())?;
    }
    if alert != usual {
        writeln!(
            out,
            "its alert is called {alert}, as another playbook there takes {usual}; write the name of your own"
        )?;
    }
    Ok(0)
}

/// The name of the starter's alert, with a number where a playbook in the directory takes alerts of that name already: they
/// would never come to the new one. What takes alerts of any name is left to `check`.
fn free_alert(kind: Kind, dir: &Path) -> String {
    let paths = rules::find(&patterns_of(dir)).unwrap_or_default();
    let files: Vec<RuleFile> = paths
        .iter()
        .filter_map(|path| Some(RuleFile { path: path.display().to_string(), text: rules::read_one(path).ok()? }))
        .collect();
    let playbooks = load(&files).playbooks;
    let is_free = |alert: &String| {
        let labels: Labels = [("alertname", alert.as_str())].into_iter().collect();
        let takes = |matcher: &Matcher| matcher.name == "alertname" && matcher.matches(&labels);
        !playbooks.iter().any(|playbook| playbook.matchers.iter().any(takes))
    };
    let usual = kind.alert().to_owned();
    let numbered = (2..=NUMBERS_MAX).map(|number| format!("{usual}{number}"));
    std::iter::once(usual.clone()).chain(numbered).find(is_free).unwrap_or(usual)
}

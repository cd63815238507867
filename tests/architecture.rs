//! The map of the modules, as a test: who may import whom, who stays pure, how long a file may be.
//!
//! It reads the sources as text, so it sees every import whichever feature or target is compiled. The table [`MAY_NAME`]
//! is the one in `docs/ARCHITECTURE.md`; a module that is not in it fails.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each top-level module, pure ones first, and the other top-level modules that its production code may name.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("diagnosis", &["model"]),
    ("playbook", &["model"]),
    ("engine", &["model", "playbook"]),
    ("record", &["model"]),
    ("sim", &["model", "playbook", "engine"]),
    ("replay", &["model", "playbook", "engine"]),
    ("unit_test", &["model", "playbook", "engine", "sim"]),
    ("people", &[]),
    ("settings", &["model", "people"]),
    ("inbox", &["model", "engine"]),
    ("incident_log", &["model", "record"]),
    ("docker", &["model"]),
    ("http_client", &["model"]),
    ("notifier", &["model", "http_client"]),
    ("alertmanager", &["model", "http_client"]),
    ("requester", &["model", "http_client"]),
    ("oidc", &["model", "people", "http_client"]),
    ("story", &["model", "record", "incident_log"]),
    ("receiver", &["model", "engine", "inbox"]),
    (
        "web",
        &["model", "engine", "record", "people", "oidc", "incident_log", "inbox", "receiver", "story", "telemetry"],
    ),
    (
        "daemon",
        &[
            "model",
            "diagnosis",
            "playbook",
            "engine",
            "record",
            "people",
            "settings",
            "inbox",
            "incident_log",
            "docker",
            "notifier",
            "alertmanager",
            "requester",
            "receiver",
            "web",
            "telemetry",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "diagnosis",
            "playbook",
            "engine",
            "record",
            "replay",
            "unit_test",
            "people",
            "settings",
            "incident_log",
            "receiver",
            "story",
            "web",
            "daemon",
            "telemetry",
        ],
    ),
    ("telemetry", &[]),
];

/// Modules that decide: no clock, no I/O, no async.
const PURE: &[&str] = &["model", "diagnosis", "playbook", "engine", "record", "sim", "replay", "unit_test"];

/// What a pure module must not contain.
const WORLDLY: &[&str] = &[
    "tokio::",
    "tokio_util::",
    "axum::",
    "bollard::",
    "hyper::",
    "reqwest::",
    "rustix::",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "async fn",
    "async move",
    ".await",
    "Instant::now",
    "SystemTime",
    "Utc::now",
    "Local::now",
];

/// Longest file: lines above its tests, comment lines not counted.
const LINES_MAX: usize = 500;

#[test]
fn every_module_keeps_to_the_map() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect_sources(&src, &mut files);
    assert!(20 < files.len(), "only {} files found under {}", files.len(), src.display());

    let mut problems = Vec::new();
    for file in files {
        let place = file.strip_prefix(&src).expect("the file was found under src").to_owned();
        let text = fs::read_to_string(&file).expect("a source file is readable text");
        problems
            .extend(problems_of(&place, &text).into_iter().map(|problem| format!("{}: {problem}", place.display())));
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// All that is wrong with one file, whose place is relative to `src`.
fn problems_of(place: &Path, text: &str) -> Vec<String> {
    let path = module_path(place);
    // `<file>/tests.rs` is test code as a whole; `lib.rs` and `main.rs` belong to no module and only tie them together.
    let Some(module) = path.first().filter(|_| path.last().is_none_or(|last| last != "tests")) else {
        return Vec::new();
    };
    let code = production_code(text);
    let mut problems = Vec::new();

    let lines = code.lines().count();
    if LINES_MAX < lines {
        problems.push(format!("{lines} lines of production code, the limit is {LINES_MAX}: split it by its nouns"));
    }

    let Some((_, allowed)) = MAY_NAME.iter().find(|(name, _)| name == module) else {
        problems.push(format!("module `{module}` is not on the map; add it to MAY_NAME and to docs/ARCHITECTURE.md"));
        return problems;
    };
    for named in named_modules(&code, path.len()) {
        if named != *module && !allowed.contains(&named.as_str()) && is_module(&named) {
            problems.push(format!("`{module}` may not name `crate::{named}`"));
        }
    }

    if PURE.contains(&module.as_str()) {
        for word in WORLDLY.iter().filter(|word| code.contains(**word)) {
            problems.push(format!("`{module}` is pure and may not contain `{word}`"));
        }
    }
    problems
}

/// `engine/gate/mod.rs` is `[engine, gate]`; `lib.rs` and `main.rs` are `[]`.
fn module_path(place: &Path) -> Vec<String> {
    let mut path: Vec<String> =
        place.iter().map(|part| part.to_string_lossy().trim_end_matches(".rs").to_owned()).collect();
    if path.last().is_some_and(|last| last == "mod")
        || matches!(path.as_slice(), [only] if only == "lib" || only == "main")
    {
        path.pop();
    }
    path
}

/// The text above the first `#[cfg(test)]`, without comment lines.
fn production_code(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines().take_while(|line| line.trim() != "#[cfg(test)]") {
        if !line.trim_start().starts_with("//") {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

fn is_module(name: &str) -> bool {
    MAY_NAME.iter().any(|(module, _)| *module == name)
}

/// Every first segment that follows the crate's root, written `crate::x`, `crate::{x, y::z}`, or as a chain of `super::`
/// that climbs to the root from a module `depth` levels below it.
fn named_modules(code: &str, depth: usize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, rest) in after_word(code, "crate::") {
        collect_heads(rest, &mut found);
    }
    for (before, mut rest) in after_word(code, "super::") {
        if before.ends_with("super::") {
            continue;
        }
        let mut climbed = 1;
        while let Some(further) = rest.strip_prefix("super::") {
            rest = further;
            climbed += 1;
        }
        if depth <= climbed {
            collect_heads(rest, &mut found);
        }
    }
    found
}

/// What stands before and behind each occurrence of a word that is not the tail of a longer one.
fn after_word<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    code.match_indices(word).filter_map(move |(at, _)| {
        let (before, from) = code.split_at(at);
        let glued = before.chars().next_back().is_some_and(|last| last.is_alphanumeric() || last == '_');
        (!glued).then(|| (before, from.strip_prefix(word).unwrap_or_default()))
    })
}

/// The identifier at the start of `rest`, or of each item if it starts a `{…}` group.
fn collect_heads(rest: &str, found: &mut BTreeSet<String>) {
    let Some(group) = rest.strip_prefix('{') else {
        found.insert(leading_name(rest));
        return;
    };
    let mut depth = 0_usize;
    let mut item_begins = true;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => return,
            '}' => depth -= 1,
            ',' if depth == 0 => item_begins = true,
            _ if item_begins && !letter.is_whitespace() => {
                found.insert(leading_name(group.get(at..).unwrap_or_default()));
                item_begins = false;
            }
            _ => {}
        }
    }
}

fn leading_name(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

fn collect_sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("the entry is readable").path();
        if path.is_dir() {
            collect_sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The check itself must be able to fail.
#[test]
fn each_way_around_the_map_is_found() {
    let cases: &[(&str, &str, bool)] = &[
        ("engine/decide.rs", "use crate::model::alert::Alert;", true),
        ("engine/decide.rs", "use crate::docker::Client;", false),
        ("engine/decide.rs", "use crate::{model::alert, docker::{Client, Error}};", false),
        ("engine/decide.rs", "fn f() { crate::docker::call() }", false),
        ("engine/decide.rs", "use super::state::State;", true),
        ("engine/decide.rs", "use super::super::docker;", false),
        ("engine/gate/budget.rs", "use super::super::state::State;", true),
        ("engine/gate/budget.rs", "use super::super::super::docker;", false),
        ("engine/mod.rs", "use super::docker;", false),
        ("engine/decide.rs", "// crate::docker is not for us", true),
        ("engine/decide.rs", "fn f() {}\n#[cfg(test)]\nmod tests { use crate::docker::Client; }", true),
        ("engine/decide/tests.rs", "use crate::docker::Client;", true),
        ("engine/decide.rs", "use std::fs;", false),
        ("engine/decide.rs", "async fn f() {}", false),
        ("docker/client.rs", "use std::fs;", true),
        ("helpers.rs", "", false),
        ("lib.rs", "use crate::docker::Client;", true),
    ];
    for (place, text, fine) in cases {
        let problems = problems_of(Path::new(place), text);
        assert_eq!(problems.is_empty(), *fine, "{place}: {text}\n{problems:?}");
    }
    let long = "fn f() {}\n".repeat(LINES_MAX + 1);
    assert_eq!(problems_of(Path::new("docker/client.rs"), &long).len(), 1);
}

//! Every playbook that comes with sickbay (`rules/`, the cookbook, what `init` and `new` write), made looser in each way
//! that an edit may make it: one of its unit tests must fail. Read [`edits`] first.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on has failed"
)]

use clap::ValueEnum;
use regex::{Captures, Regex};
use serde_json::Value;
use sickbay::cli::check::Output;
use sickbay::cli::init::{self, InitArgs};
use sickbay::cli::new::{self, NewArgs};
use sickbay::cli::starters::Kind;
use sickbay::cli::test::{TestArgs, run};
use sickbay::model::duration::parse_duration;
use sickbay::playbook::{RuleFile, load};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What no unit test can tell, by file. On the simulated machine a container's page answers as well as the container is, so
/// it says nothing that the container's own health does not say. Where `if` asks for a health check, `health: healthy` is
/// what is looked at by default. Where `if` asks for what runs, it is asked once more right before the restart.
const UNSEEN: [(&str, &str); 5] = [
    ("01-unhealthy", "health: healthy, -> "),
    ("01-unhealthy", "restart: {} -> restart: {start_if_stopped: true}"),
    ("03-seen-from-outside", "http: \"http://{{ target.name }}:8080/healthz\" -> "),
    ("06-leak", "restart: {} -> restart: {start_if_stopped: true}"),
    ("restart-unhealthy-container", "restart: {} -> restart: {start_if_stopped: true}"),
];

/// A playbook that was made looser.
struct Edit {
    what: String,
    text: String,
}

fn edits(text: &str) -> Vec<Edit> {
    let kinds = [counts, bounds, lengths, witnesses, matchers, conditions, gates, selectors, verifies, acts];
    kinds.iter().flat_map(|kind| kind(text)).collect()
}

/// One edit for each place that fits, outside comments, and each text to put there.
fn each(text: &str, pattern: &str, by: impl Fn(&Captures<'_>) -> Vec<String>) -> Vec<Edit> {
    let in_comment = |place: usize| text[..place].rsplit('\n').next().unwrap().contains('#');
    let mut edits = Vec::new();
    for found in Regex::new(pattern).unwrap().captures_iter(text) {
        let whole = found.get(0).unwrap();
        // A block begins with the end of the line before it.
        if in_comment(whole.end() - whole.as_str().trim_start().len()) {
            continue;
        }
        edits.extend(by(&found).into_iter().map(|by| Edit {
            what: format!("{} -> {}", whole.as_str().trim(), by.trim()),
            text: format!("{}{by}{}", &text[..whole.start()], &text[whole.end()..]),
        }));
    }
    edits
}

fn dropped(text: &str, pattern: &str) -> Vec<Edit> {
    each(text, pattern, |_| vec![String::new()])
}

fn replaced(text: &str, pattern: &str, by: &str) -> Vec<Edit> {
    each(text, pattern, |_| vec![by.to_owned()])
}

/// More of what is counted: one more, and ten times as many.
fn counts(text: &str) -> Vec<Edit> {
    each(text, r"\b(runs|max|max_parallel): ([0-9]+)\b", |found| {
        let number: u32 = found[2].parse().unwrap();
        [number + 1, number * 10].map(|number| format!("{}: {number}", &found[1])).to_vec()
    })
}

/// Less of what there must be at least.
fn bounds(text: &str) -> Vec<Edit> {
    let mut edits = each(text, r"\b(required|min): ([2-9]|[1-9][0-9]+)\b", |found| {
        vec![format!("{}: {}", &found[1], found[2].parse::<u32>().unwrap() - 1)]
    });
    edits.extend(each(text, r"\bmin_healthy: ([0-9]+)%", |found| {
        let share: u32 = found[1].parse().unwrap();
        [share / 2, share * 2 / 3 + 1].map(|share| format!("min_healthy: {share}%")).to_vec()
    }));
    edits.extend(dropped(text, r", min_healthy: [0-9]+%"));
    edits
}

/// Shorter where a length holds back: a little, half and a second; longer where there is time to recover or to agree.
fn lengths(text: &str) -> Vec<Edit> {
    let seconds = |text: &str| parse_duration(text).unwrap().as_secs();
    let mut edits = each(text, r"\b(per|cooldown|stable_for|wait|for): ([0-9][0-9a-z]*)", |found| {
        let whole = seconds(&found[2]);
        let little = match &found[1] {
            "per" => whole / 60,
            "stable_for" => 5,
            _ => whole / 6,
        };
        let shorter =
            [whole.saturating_sub(little), whole / 2, 1].into_iter().filter(|length| (1..whole).contains(length));
        shorter.map(|length| format!("{}: {length}s", &found[1])).collect()
    });
    edits.extend(each(text, r"\b(timeout|within): ([0-9][0-9a-z]*)", |found| {
        let whole = seconds(&found[2]);
        [whole + 60, whole * 2].map(|length| format!("{}: {length}s", &found[1])).to_vec()
    }));
    edits
}

/// Less that must be seen before somebody counts as well.
fn witnesses(text: &str) -> Vec<Edit> {
    let mut edits = replaced(text, "health: healthy", "health: running");
    edits.extend(dropped(text, "health: healthy, "));
    edits.extend(replaced(text, "alert_resolved: true", "alert_resolved: false"));
    edits.extend(replaced(text, "replicas_running: all", "replicas_running: 1"));
    edits.extend(dropped(text, r#"\n +http: "[^\n]*"#));
    edits
}

/// Alerts with any value of the label, with one that begins or ends like it, or without the label.
fn matchers(text: &str) -> Vec<Edit> {
    each(text, r#"- ([a-z_]+) (=|!=) "([^"\n]*)""#, |found| {
        let (label, value) = (&found[1], &found[3]);
        let mut by = vec!["- alertname != \"\"".to_owned()];
        if &found[2] == "=" {
            by.extend([format!("- {label} =~ \"{value}.*\""), format!("- {label} =~ \".*{value}\"")]);
        }
        by
    })
}

/// Without an `if`, and without each of its parts.
fn conditions(text: &str) -> Vec<Edit> {
    each(text, r"(\n +if: )([^\n]*)", |found| {
        let parts: Vec<&str> = found[2].split(" && ").collect();
        let without = |left_out: usize| {
            let kept = parts.iter().enumerate().filter(|(place, _)| *place != left_out).map(|(_, part)| *part);
            format!("{}{}", &found[1], kept.collect::<Vec<_>>().join(" && "))
        };
        let shorter = (0..parts.len()).filter(|_| 1 < parts.len()).map(without);
        [String::new()].into_iter().chain(shorter).collect()
    })
}

/// What is stopped is started as well, any answer will do, and nobody is woken.
fn acts(text: &str) -> Vec<Edit> {
    let mut edits = replaced(text, r"\brestart: \{\}", "restart: {start_if_stopped: true}");
    edits.extend(each(text, r"\brestart: \{(stop_timeout: [0-9a-z]+)\}", |found| {
        vec![format!("restart: {{{}, start_if_stopped: true}}", &found[1])]
    }));
    edits.extend(each(text, r"\bexpect: \[([0-9, ]+)\]", |found| vec![format!("expect: [{}, 500]", &found[1])]));
    edits.extend(replaced(text, r"\bseverity: critical\b", "severity: info"));
    edits
}

/// Without a key that holds back, or that calls people.
fn gates(text: &str) -> Vec<Edit> {
    let mut edits = dropped(text, r"\n +mute_time_intervals: [^\n]*");
    edits.extend(dropped(text, r"\n +- \{start_time: [^\n]*"));
    edits.extend(dropped(text, r"\n +location: [^\n]*"));
    edits.extend(replaced(text, r"\n    (on_failure|on_denied):\n(      [^\n]*\n)+", "\n"));
    // What follows a no goes with the question.
    let denied = Regex::new(r"\n    on_denied:\n(      [^\n]*\n)+").unwrap();
    edits.extend(replaced(&denied.replace(text, "\n"), r"\n    approval:\n(      [^\n]*\n)+", "\n"));
    if text.contains("\n    target:") {
        edits.extend(replaced(text, "scope: playbook", "scope: target"));
    }
    edits
}

/// A selector without each of its labels.
fn selectors(text: &str) -> Vec<Edit> {
    let Some(selector) = Regex::new(r"\n      selector:\n(        [^\n]*\n)+").unwrap().find(text) else {
        return Vec::new();
    };
    let (before, after) = (&text[..selector.start()], &text[selector.end()..]);
    let without = |edit: Edit| Edit { text: format!("{before}{}{after}", edit.text), ..edit };
    dropped(selector.as_str(), r"        [^\n]*\n").into_iter().map(without).collect()
}

/// `verify: none` in place of each verify, and each left out, so that there is the default one at most.
fn verifies(text: &str) -> Vec<Edit> {
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_verify = |line: &str| line.trim_start().trim_start_matches("- ").starts_with("verify:");
    let mut edits = Vec::new();
    for place in (0..lines.len()).filter(|place| is_verify(lines[*place])) {
        let begin = (0..=place).rev().find(|place| lines[*place].trim_start().starts_with("- ")).unwrap();
        let deep = indent(lines[begin]);
        let item = lines[begin + 1..].iter().take_while(|line| !line.trim().is_empty() && deep < indent(line)).count();
        let (before, step, after) =
            (&lines[..begin], lines[begin..=begin + item].join("\n"), &lines[begin + item + 1..]);
        let none = format!("{}- verify: none", " ".repeat(deep));
        for (by, instead) in [("none", &[none.as_str()] as &[&str]), ("left out", &[])] {
            let mut text = [before, instead, after].concat().join("\n") + "\n";
            // What told of it has nothing to tell.
            if let Some(id) = step.split("id: ").nth(1).and_then(|rest| rest.split_whitespace().next()) {
                let told = Regex::new(&format!(r"\{{\{{ steps\.{id}\.[a-z]+ \}}\}}")).unwrap();
                text = told.replace_all(&text, "a while").into_owned();
            }
            edits.push(Edit { what: format!("the verify of line {} -> {by}", place + 1), text });
        }
    }
    edits
}

/// Whether the tests in a folder pass; whatever is wrong with them besides is no answer.
fn passes(folder: &Path, what: &str) -> bool {
    let args = TestArgs { paths: vec![folder.to_owned()], output: Output::Json, ..TestArgs::default() };
    let mut out = Vec::new();
    let code = run(&args, false, &mut out, &mut Vec::new()).unwrap();
    let report: Value = serde_json::from_slice(&out).unwrap();
    for file in report["files"].as_array().unwrap() {
        assert_eq!(file["problems"], serde_json::json!([]), "{what}");
    }
    assert_ne!(report["tests"], 0, "{what}");
    code == 0
}

/// Tries every edit of every playbook in a folder: how many, and those that no test noticed.
fn unnoticed(folder: &Path) -> (usize, Vec<(String, String)>) {
    assert!(passes(folder, "as it is"), "{} fails as it is", folder.display());
    let (mut tried, mut unnoticed) = (0, Vec::new());
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(name) = name.strip_suffix(".yaml").filter(|name| !name.ends_with(".test")) else { continue };
        for Edit { what, text } in edits(&fs::read_to_string(&path).unwrap()) {
            let copy = tempfile::tempdir().unwrap();
            let file = RuleFile { path: format!("{name}.yaml"), text };
            fs::write(copy.path().join(&file.path), &file.text).unwrap();
            fs::copy(path.with_extension("test.yaml"), copy.path().join(format!("{name}.test.yaml"))).unwrap();
            let loaded = load(&[file]);
            if loaded.problems.iter().any(|problem| problem.code == "playbook.matches-everything") {
                // No test is needed where `check` says no.
                continue;
            }
            assert!(!loaded.has_errors(), "{name}, {what}: {:?}", loaded.problems);
            tried += 1;
            if passes(copy.path(), &what) {
                unnoticed.push((name.to_owned(), what));
            }
        }
    }
    (tried, unnoticed)
}

/// Every edit is noticed, but for those that cannot be. Word for word: what can be noticed does not stay in the list.
fn all_noticed(folder: &Path, at_least: usize) {
    let (tried, unnoticed) = unnoticed(folder);
    let here = |name: &str| folder.join(format!("{name}.yaml")).exists();
    let unseen =
        UNSEEN.iter().filter(|(name, _)| here(name)).map(|(name, what)| ((*name).to_owned(), (*what).to_owned()));
    let (mut unnoticed, mut unseen) = (unnoticed, unseen.collect::<Vec<_>>());
    unnoticed.sort();
    unseen.sort();
    assert_eq!(unnoticed, unseen);
    assert!(at_least <= tried, "only {tried} edits");
}

#[test]
fn a_rule_made_looser_fails_its_tests() {
    all_noticed(&Path::new(ROOT).join("rules"), 61);
}

#[test]
fn a_recipe_made_looser_fails_its_tests() {
    all_noticed(&Path::new(ROOT).join("docs/cookbook"), 181);
}

#[test]
fn a_starter_made_looser_fails_its_tests() {
    let folder = tempfile::tempdir().unwrap();
    let started = folder.path().join("started");
    assert_eq!(init::run(&InitArgs { dir: started.clone() }, &mut Vec::new()).unwrap(), 0);
    let added = folder.path().join("added");
    for kind in Kind::value_variants() {
        let args = NewArgs { kind: *kind, name: None, dir: Some(added.clone()) };
        assert_eq!(new::run(&args, &mut Vec::new()).unwrap(), 0);
    }
    for (folder, at_least) in [(started.join("rules"), 17), (added, 49)] {
        all_noticed(&folder, at_least);
    }
}

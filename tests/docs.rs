//! The documentation is true: its commands run, its links lead somewhere, its examples load, and its lists are complete.
//!
//! What a fenced block is for stands behind its language: `sh run` is run line by line, `yaml playbook` goes through
//! `sickbay check`, `yaml unit-test` through `sickbay test` with the playbook printed before it, `yaml settings` through `sickbay check --config.file`, `yaml alertmanager` through `amtool`. In every
//! other `sh` block, `sickbay` must know the command and its flags, and `make` the target.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use sickbay::model::diagnosis::DiagnosisCode;
use sickbay::model::incident::Verdict;
use sickbay::model::reason::{Gate, Reason};
use sickbay::playbook::{codes, condition, names};
use sickbay::settings::fixed::FIXED;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const BINARY: &str = env!("CARGO_BIN_EXE_sickbay");

/// README, changelog and everything under `docs/`, relative to the root, with their texts.
fn pages() -> Vec<(PathBuf, String)> {
    let mut paths = vec![PathBuf::from("README.md"), PathBuf::from("CHANGELOG.md")];
    for folder in ["docs", "docs/decisions"] {
        for entry in fs::read_dir(Path::new(ROOT).join(folder)).expect("the folder is part of the repository") {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path.strip_prefix(ROOT).unwrap().to_owned());
            }
        }
    }
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(ROOT).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One fenced block.
struct Block {
    /// Where it stands: `docs/X.md:12`.
    place: String,
    /// What stands behind the fence: `yaml playbook`.
    kind: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for (path, text) in pages() {
        let mut open: Option<Block> = None;
        for (number, line) in text.lines().enumerate() {
            match (line.trim_start().strip_prefix("```"), &mut open) {
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some(kind), None) => {
                    let place = format!("{}:{}", path.display(), number + 1);
                    open = Some(Block { place, kind: kind.trim().to_owned(), text: String::new() });
                }
                (None, Some(block)) => block.text.push_str(&format!("{line}\n")),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block is not closed", path.display());
    }
    blocks
}

fn blocks_of(kind: &str, at_least: usize) -> Vec<Block> {
    let found: Vec<Block> = blocks().into_iter().filter(|block| block.kind == kind).collect();
    assert!(at_least <= found.len(), "only {} blocks of the kind `{kind}`", found.len());
    found
}

fn output(command: &mut Command, what: &str) -> Output {
    command.output().unwrap_or_else(|error| panic!("{what} cannot be started: {error}"))
}

fn must_succeed(command: &mut Command, what: &str) {
    let output = output(command, what);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {}\n{out}{err}", output.status);
}

/// The binary under test under its own name, first on the path.
fn path_with_binary() -> String {
    let folder = Path::new(BINARY).parent().unwrap().display().to_string();
    format!("{folder}:{}", std::env::vars().find(|(name, _)| name == "PATH").map(|(_, path)| path).unwrap_or_default())
}

#[test]
fn commands_that_need_no_daemon_run_as_printed() {
    for block in blocks_of("sh run", 2) {
        for line in block.text.lines().filter(|line| !line.trim().is_empty()) {
            let mut shell = Command::new("bash");
            shell.args(["-c", line]).current_dir(ROOT).env("PATH", path_with_binary());
            must_succeed(&mut shell, &format!("{}: {line}", block.place));
        }
    }
}

#[test]
fn every_printed_command_and_flag_exists() {
    let makefile = read("Makefile");
    let mut seen = 0;
    for block in blocks_of("sh", 4) {
        for line in block.text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let place = format!("{}: {line}", block.place);
            if let Some(target) = line.strip_prefix("make ") {
                assert!(
                    makefile.lines().any(|rule| rule.starts_with(&format!("{target}:"))),
                    "{place}: no such target"
                );
            } else if line.starts_with("sickbay ") {
                // Everything before `--help` is parsed, and nothing is done.
                let mut shell = Command::new("bash");
                shell.args(["-c", &format!("{line} --help")]).current_dir(ROOT).env("PATH", path_with_binary());
                must_succeed(&mut shell, &place);
            } else {
                let known = ["cargo build --release --locked", "install -m 755 target/release/sickbay /usr/local/bin/"];
                assert!(known.contains(&line), "{place}: a command that nobody tests");
            }
            seen += 1;
        }
    }
    assert!(10 <= seen, "only {seen} commands");
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut seen = 0;
    for (path, text) in pages() {
        for target in links(&text) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let place = format!("{}: {target}", path.display());
            let to = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(Path::new(ROOT).join(&to).exists(), "{place}: no such file");
            if !anchor.is_empty() {
                assert!(anchors(&read(&to)).contains(anchor), "{place}: no such anchor");
            }
            seen += 1;
        }
    }
    assert!(20 <= seen, "only {seen} links");
}

/// Targets of `[text](target)` within this repository.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.contains(' '))
}

/// What can be linked to on a page: its headings, as GitHub names them, and explicit anchors.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter_map(|line| line.strip_prefix('#')).map(|line| {
        let kept = line.trim_start_matches('#').trim().chars();
        let kept = kept.filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase()
    });
    let explicit = text.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned);
    headings.chain(explicit).collect()
}

#[test]
fn every_printed_playbook_passes_check() {
    let folder = tempfile::tempdir().unwrap();
    for (number, block) in blocks_of("yaml playbook", 3).iter().enumerate() {
        let file = folder.path().join(format!("{number}.yaml"));
        fs::write(&file, &block.text).unwrap();
        must_succeed(Command::new(BINARY).args(["check", "--lint-fatal"]).arg(&file), &block.place);
    }
}

/// One that the daemon executes, or one that it does not execute yet.
fn is_playbook(kind: &str) -> bool {
    matches!(kind, "yaml playbook" | "yaml")
}

#[test]
fn every_printed_unit_test_passes() {
    let printed = blocks();
    let mut seen = 0;
    for (number, block) in printed.iter().enumerate().filter(|(_, block)| block.kind == "yaml unit-test") {
        let about = printed[..number].iter().rev().find(|before| is_playbook(&before.kind)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("web.yaml"), &about.text).unwrap();
        fs::write(folder.path().join("web.test.yaml"), &block.text).unwrap();
        must_succeed(Command::new(BINARY).arg("test").arg(folder.path()), &block.place);
        seen += 1;
    }
    assert!(3 <= seen, "only {seen} unit tests");
}

#[test]
fn the_readmes_playbook_is_the_shipped_one() {
    let printed = blocks_of("yaml playbook", 1).into_iter().find(|block| block.place.starts_with("README")).unwrap();
    let without_comments = |text: &str| -> Vec<String> {
        let code = text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim_end());
        code.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
    };
    let shipped = without_comments(&read("rules/container-down.yaml"));
    let printed = without_comments(&printed.text);
    // The last message is shortened; everything before it is word for word the same.
    let until = |lines: &[String]| lines.iter().position(|line| line.trim() == "severity: critical").unwrap();
    assert_eq!(printed[..until(&printed)], shipped[..until(&shipped)]);
}

#[test]
fn every_printed_settings_file_loads() {
    for block in blocks_of("yaml settings", 1) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("rules")).unwrap();
        fs::copy(Path::new(ROOT).join("rules/probe-failed.yaml"), folder.path().join("rules/web.yaml")).unwrap();
        for (secret, text) in [
            ("webhook_token", "t"),
            ("api_token", "the-api-token-of-all"),
            ("proxy_secret", "a-secret-of-the-proxy"),
            ("ada_hash", "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe"),
            ("ada_token", "a-token-that-nobody-guesses"),
            ("bob_token", "another-that-nobody-guesses"),
            ("am_token", "b"),
            ("grafana_password", "p"),
            ("chat_url", "https://chat.example/x"),
            ("slack_url", "https://hooks.slack.com/services/x"),
            ("oidc_client_secret", "s3cret"),
            ("slack_signing_secret", "0123456789abcdef0123456789abcdef"),
            ("link_secret", "0123456789abcdef0123456789abcdef"),
            ("joe_url", "https://push.example/joe"),
            ("mail_password", "p"),
            ("mail_ca.pem", "-----BEGIN CERTIFICATE-----\n"),
        ] {
            fs::write(folder.path().join(secret), text).unwrap();
        }
        let file = folder.path().join("sickbay.yml");
        fs::write(&file, &block.text).unwrap();
        let mut check = Command::new(BINARY);
        must_succeed(check.arg("check").arg(format!("--config.file={}", file.display())), &block.place);
    }
}

#[test]
fn the_printed_alertmanager_file_is_accepted_by_alertmanager() {
    for block in blocks_of("yaml alertmanager", 1) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("alertmanager.yml");
        fs::write(&file, &block.text).unwrap();
        let mut amtool = Command::new("amtool");
        amtool.arg("check-config").arg(&file);
        must_succeed(&mut amtool, &format!("{}: amtool (Debian's package prometheus-alertmanager)", block.place));
    }
}

/// The codes that stand as headings of the third level below a heading of the second.
fn headings_below(section: &str) -> Vec<String> {
    let text = read("docs/REASONS.md");
    let (_, rest) = text.split_once(&format!("\n## {section}\n")).expect("the section is there");
    let own = rest.split("\n## ").next().unwrap_or_default();
    own.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).map(str::to_owned).collect()
}

#[test]
fn every_reason_gate_and_verdict_is_explained_and_no_other() {
    let codes = |all: Vec<&str>| all.into_iter().map(str::to_owned).collect::<Vec<String>>();
    assert_eq!(headings_below("Reasons"), codes(Reason::ALL.iter().map(|reason| reason.as_str()).collect()));
    assert_eq!(headings_below("Gates"), codes(Gate::ALL.iter().map(|gate| gate.as_str()).collect()));
    assert_eq!(headings_below("Verdicts"), codes(Verdict::ALL.iter().map(|verdict| verdict.as_str()).collect()));
}

/// The keys that `playbook::keys` declares, with whether the daemon executes them.
fn declared() -> Vec<(String, bool)> {
    let text = read("src/playbook/keys.rs");
    let (tables, _tests) = text.split_once("#[cfg(test)]").expect("the tests come last");
    let entry = |rest: &str| Some((rest.split('"').nth(1)?.to_owned(), !rest.contains(".later()")));
    let keys: Vec<(String, bool)> = tables.split(" key(").skip(2).filter_map(entry).collect();
    assert!(80 <= keys.len(), "only {} keys", keys.len());
    keys
}

#[test]
fn every_key_and_name_of_the_language_is_documented() {
    let text = read("docs/PLAYBOOKS.md");
    let (executed, not_executed) = text.split_once("<a id=\"not-executed\"></a>").expect("the section is there");
    // A key has a row of a table, or a heading of its own.
    let places = executed.lines().filter_map(|line| match line.strip_prefix("| `") {
        Some(row) => row.split('|').next(),
        None => line.strip_prefix("##").filter(|heading| heading.contains('`')),
    });
    let words = places.flat_map(|place| place.split(|c: char| !c.is_alphanumeric() && c != '_'));
    let words: BTreeSet<&str> = words.collect();
    for (key, executed) in declared() {
        assert!(!executed || words.contains(key.as_str()), "the key `{key}` is not documented");
    }
    let not_executed = not_executed.split("\n## ").nth(1).expect("the heading follows the anchor");
    let listed: BTreeSet<&str> = not_executed
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| templates") && !line.starts_with("| conditions"))
        .flat_map(|line| line.split(" | ").nth(1).unwrap_or_default().split('`').skip(1).step_by(2))
        .collect();
    let later = declared().into_iter().filter(|(_, executed)| !executed).map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(listed, later.iter().map(String::as_str).collect::<BTreeSet<_>>());
    for (root, known) in names::FIXED {
        known.iter().for_each(|name| assert!(executed.contains(&format!("| `{root}.{name}` |")), "{root}.{name}"));
    }
    for name in names::OF_A_STEP {
        assert!(executed.contains(&format!("| `steps.ID.{name}` |")), "steps.ID.{name}");
    }
    for (root, fields) in condition::names::FIXED {
        for (name, kind) in *fields {
            assert!(executed.contains(&format!("| `{root}.{name}` | {kind} |")), "{root}.{name} is a {kind}");
        }
    }
}

/// A key that has a section of its own is missed by who reads the table, so each of a playbook stands there too, in order.
#[test]
fn the_table_of_a_playbook_has_all_of_its_keys_in_their_order() {
    let (text, keys) = (read("docs/PLAYBOOKS.md"), read("src/playbook/keys.rs"));
    let section = text.split("\n## A playbook\n").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("is there");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let table = keys.split("static PLAYBOOK: ").nth(1).and_then(|rest| rest.split("};").next()).expect("is there");
    let declared = table.split(" key(").skip(1).filter_map(|rest| rest.split('"').nth(1));
    assert_eq!(rows.collect::<Vec<_>>(), declared.collect::<Vec<_>>());
}

#[test]
fn the_settings_that_only_a_start_can_change_are_listed() {
    for page in ["README.md", "docs/decisions/0009-reload.md"] {
        let text = read(page);
        let paragraph =
            text.split("\n\n").find(|paragraph| FIXED.iter().all(|key| paragraph.contains(&format!("`{key}`"))));
        assert!(paragraph.is_some(), "{page} does not name all of {FIXED:?}");
    }
}

#[test]
fn every_code_of_check_is_listed_with_what_to_do() {
    let row = |code: &codes::Code| format!("| `{}` | {} | {} |", code.code, code.means, code.help);
    let expected: Vec<String> = codes::CODES.iter().map(row).collect();
    let text = read("docs/PROBLEMS.md");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(rows, expected, "{}", expected.join("\n"));
}

/// The words between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The rows of the table of `docs/SAFETY.md`, cut into their columns.
fn safety_rows(text: &str) -> Vec<Vec<&str>> {
    let is_row = |line: &&str| line.trim_start_matches("| ").starts_with(|c: char| c.is_ascii_digit());
    let columns = |line| str::trim_matches(line, '|').split('|').map(str::trim).collect();
    text.lines().filter(is_row).map(columns).collect()
}

fn all_sources() -> String {
    let mut sources = String::new();
    collect_sources(&Path::new(ROOT).join("src"), &mut sources);
    collect_sources(&Path::new(ROOT).join("tests"), &mut sources);
    sources
}

#[test]
fn every_code_of_a_diagnosis_is_listed_and_no_other() {
    let page = read("docs/DIAGNOSE.md");
    let (_, table) = page.split_once("## Codes").unwrap();
    let listed: BTreeSet<&str> =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(code, _)| code).collect();
    assert_eq!(listed, DiagnosisCode::ALL.iter().map(|code| code.as_str()).collect());
}

#[test]
fn every_test_that_the_safety_page_names_exists() {
    let (sources, text) = (all_sources(), read("docs/SAFETY.md"));
    let rows = safety_rows(&text);
    for columns in &rows {
        assert_eq!(columns.len(), 6, "{columns:?}");
        let tests: Vec<&str> = quoted(columns[3]).collect();
        assert!(!tests.is_empty() || !columns[5].is_empty(), "neither a test nor a plan: {columns:?}");
        for test in tests {
            assert!(sources.contains(&format!("fn {test}(")), "there is no test {test}");
        }
    }
    assert_eq!(rows.len(), 34);
}

#[test]
fn every_test_that_is_named_for_approvals_exists() {
    let (sources, text) = (all_sources(), read("docs/SAFETY.md"));
    let (_, section) = text.split_once("## Approvals, test by test").unwrap();
    let rows = section.split("\n## ").next().unwrap().lines().filter(|line| line.starts_with("| "));
    let rows: Vec<&str> = rows.skip(1).map(|line| line.trim_matches('|').split('|').nth(1).unwrap()).collect();
    assert!(10 < rows.len(), "{rows:?}");
    for row in rows {
        let tests: Vec<&str> = quoted(row).filter(|name| name.contains('_')).collect();
        assert!(!tests.is_empty(), "{row}");
        for test in tests {
            let name = test.rsplit("::").next().unwrap();
            assert!(sources.contains(&format!("fn {name}(")), "there is no test {test}");
        }
    }
}

/// The patches of `tests/mutants`, by name.
fn planted_bugs() -> BTreeMap<String, String> {
    let files = fs::read_dir(Path::new(ROOT).join("tests/mutants")).unwrap();
    let named = files.map(|file| {
        let path = file.unwrap().path();
        assert!(path.extension().is_some_and(|extension| extension == "patch"), "{}", path.display());
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap())
    });
    named.collect()
}

#[test]
fn every_guard_is_taken_away_by_a_planted_bug_and_every_planted_bug_takes_one_away() {
    let (text, bugs) = (read("docs/SAFETY.md"), planted_bugs());
    let mut named = BTreeSet::new();
    for columns in safety_rows(&text) {
        let patches: Vec<&str> = quoted(columns[4]).collect();
        assert!(!patches.is_empty(), "no patch removes the guard: {columns:?}");
        for patch in patches {
            assert!(bugs.contains_key(patch), "there is no tests/mutants/{patch}.patch");
            named.insert(patch);
        }
    }
    let unnamed: Vec<&String> = bugs.keys().filter(|name| !named.contains(name.as_str())).collect();
    assert!(unnamed.is_empty(), "docs/SAFETY.md does not name {unnamed:?}");
}

#[test]
fn every_planted_bug_says_what_it_is_and_has_its_recorded_result() {
    let (sources, recorded) = (all_sources(), read("docs/MUTANTS.md"));
    let rows: BTreeSet<&str> =
        recorded.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let bugs = planted_bugs();
    for (name, patch) in &bugs {
        let header = |key: &str| patch.lines().filter_map(move |line| line.strip_prefix(key)).collect::<Vec<&str>>();
        assert_eq!(header("what: ").len(), 1, "{name}");
        assert!(!header("test: ").is_empty(), "{name}");
        for test in header("test: ") {
            let test = test.rsplit([' ', ':']).next().unwrap_or_default();
            assert!(sources.contains(&format!("fn {test}(")), "{name}: there is no test {test}");
        }
        assert!(patch.contains(&format!("planted(\"{name}\")")), "{name} cannot be switched on");
    }
    assert_eq!(rows, bugs.keys().map(String::as_str).collect(), "the rows of docs/MUTANTS.md");
}

fn collect_sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let help = output(Command::new(BINARY).arg("--help"), "sickbay --help");
    let help = String::from_utf8(help.stdout).unwrap();
    let (_, codes) = help.split_once("Exit codes:").expect("the help lists the exit codes");
    let of_help: Vec<&str> = codes.lines().filter_map(|line| line.split_whitespace().next()).collect();
    for page in ["README.md", "docs/decisions/0006-exit-codes.md"] {
        let text = read(page);
        let (_, table) = text.split_once("| code | meaning").expect("the table is there");
        let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let of_page: Vec<&str> = rows.filter_map(|row| row.split('|').nth(1)).map(str::trim).collect();
        assert_eq!(of_page, of_help, "{page}");
    }
}

#[test]
fn the_example_log_verifies() {
    let example = Path::new(ROOT).join("incident_log.example.jsonl");
    must_succeed(Command::new(BINARY).args(["log", "verify"]).arg(&example), "the example log");
}

//! Every file of `tests/fixtures/playbooks` is read and says about itself what must be found in it.
//!
//! `# expect LINE:COLUMN CODE: WORDS | WORDS` lines at the head of a file are all of its problems: in `invalid/` its
//! errors, in `lint/` its warnings. Files in `valid/` have neither.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use sickbay::playbook::definition::{CaptureSpec, HealthGoal, Playbook, TargetSpec, Verb, VerifySpec};
use sickbay::playbook::{Loaded, Problem, RuleFile, Severity, load, load_knowing};
use std::path::Path;
use std::time::{Duration, Instant};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/playbooks");

fn files(kind: &str) -> Vec<RuleFile> {
    let mut paths: Vec<_> = std::fs::read_dir(Path::new(FIXTURES).join(kind))
        .expect("the fixtures are part of the repository")
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| RuleFile {
        path: path.file_name().unwrap().to_string_lossy().into_owned(),
        text: std::fs::read_to_string(path).unwrap(),
    };
    paths.iter().map(read).collect()
}

fn one(text: &str) -> Loaded {
    load(&[RuleFile { path: "t.yaml".to_owned(), text: text.to_owned() }])
}

/// A file with one playbook whose steps these are.
fn with_steps(steps: &str) -> Loaded {
    let head = "version: 1\nplaybooks:\n  - name: web\n    matchers:\n      - alertname = \"Down\"\n";
    one(&format!("{head}    target: {{container: web-1}}\n    steps:\n{steps}"))
}

fn verbs(loaded: &Loaded) -> Vec<&'static str> {
    loaded.playbooks[0].attempts.first.steps.iter().map(|step| step.verb.word()).collect()
}

struct Expected {
    line: usize,
    column: usize,
    code: String,
    words: Vec<String>,
}

fn expectations(text: &str) -> Vec<Expected> {
    let read = |line: &str| {
        let (place, rest) = line.split_once(' ').expect("`LINE:COLUMN CODE: WORDS`");
        let (line, column) = place.split_once(':').expect("`LINE:COLUMN`");
        let (code, words) = rest.split_once(':').expect("`CODE: WORDS`");
        let words = words.split('|').map(|words| words.trim().to_owned()).collect();
        Expected { line: line.parse().unwrap(), column: column.parse().unwrap(), code: code.to_owned(), words }
    };
    text.lines().map_while(|line| line.strip_prefix("# expect ")).map(read).collect()
}

fn check_expectations(file: &RuleFile, found: &[&Problem]) -> Vec<String> {
    let expected = expectations(&file.text);
    assert!(!expected.is_empty(), "{}: says nothing about what is expected", file.path);
    let matches = |problem: &Problem, expected: &Expected| {
        let text = format!("{} {}", problem.message, problem.hint.as_deref().unwrap_or_default());
        problem.line == expected.line
            && problem.column == expected.column
            && problem.code == expected.code
            && expected.words.iter().all(|words| text.contains(words.as_str()))
    };
    let mut wrong = Vec::new();
    if found.len() != expected.len() || !found.iter().zip(&expected).all(|(found, wanted)| matches(found, wanted)) {
        wrong.push(format!("{}:", file.path));
        wrong.extend(expected.iter().map(|e| format!("  want {}:{} {}: {:?}", e.line, e.column, e.code, e.words)));
        wrong.extend(
            found.iter().map(|f| format!("  got  {}:{} {}: {} ({:?})", f.line, f.column, f.code, f.message, f.hint)),
        );
    }
    wrong
}

fn check_kind(kind: &str, severity: Severity) {
    let mut wrong = Vec::new();
    for file in files(kind) {
        let loaded = load(std::slice::from_ref(&file));
        let found: Vec<&Problem> = loaded.problems.iter().filter(|problem| problem.severity == severity).collect();
        wrong.extend(check_expectations(&file, &found));
        let marked = |problem: &&&Problem| file.text.get(problem.offset..problem.offset + problem.length).is_none();
        assert!(found.iter().find(marked).is_none(), "{}: a span outside of the text", file.path);
        if severity == Severity::Warning {
            assert!(!loaded.has_errors(), "{}: {:?}", file.path, loaded.problems);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_mistake_is_reported_at_its_place() {
    assert!(files("invalid").len() >= 40);
    check_kind("invalid", Severity::Error);
}

#[test]
fn every_suspicion_is_reported_at_its_place() {
    check_kind("lint", Severity::Warning);
}

#[test]
fn what_is_right_gives_no_problem() {
    for file in files("valid") {
        let mut loaded = load(std::slice::from_ref(&file));
        if file.path == "minimal.yaml" {
            loaded.problems.retain(|problem| problem.code != "lint.no-on-failure");
        }
        assert_eq!(loaded.problems, [], "{}", file.path);
        assert!(!loaded.playbooks.is_empty(), "{}", file.path);
    }
}

#[test]
fn a_full_playbook_means_what_it_says() {
    let full = files("valid").into_iter().find(|file| file.path == "full.yaml").unwrap();
    let loaded = load(&[full]);
    let [web, worker, disk] = &loaded.playbooks[..] else { panic!("{:?}", loaded.problems) };
    assert_eq!(
        (&*web.name, web.source.as_str(), web.enabled, web.dry_run),
        ("restart-unhealthy-web", "full.yaml:5", true, false)
    );
    assert_eq!(web.matchers.len(), 2);
    let windows: Vec<(u32, u64)> = web.limits.windows.iter().map(|w| (w.runs, w.per.as_secs())).collect();
    assert_eq!(windows, [(3, 3600), (7, 86400)]);
    assert_eq!(web.limits.cooldown, Duration::from_secs(600));
    assert_eq!(web.limits.scope, sickbay::model::limit::Scope::Playbook);
    let titles: Vec<&str> = web.attempts.first.steps.iter().map(|step| step.title()).collect();
    assert_eq!(titles, ["Keep the evidence", "restart", "verify", "wait", "notify"]);
    let Verb::Verify(verify) = &web.attempts.first.steps[2].verb else { panic!() };
    let secs = Duration::from_secs;
    let expected = VerifySpec {
        health: HealthGoal::Healthy,
        within: Some(secs(120)),
        every: secs(5),
        stable_for: secs(30),
        alert_resolved: false,
    };
    assert_eq!(*verify, expected);
    let Verb::Restart(restart) = &web.attempts.first.steps[1].verb else { panic!() };
    assert_eq!((restart.stop_timeout, restart.start_if_stopped), (Some(secs(20)), true));
    assert_eq!(web.on_failure.len(), 3);
    assert!(matches!(&worker.target, Some(TargetSpec::Compose { .. })));
    assert!(disk.target.is_none() && !disk.acts());
    assert_eq!((disk.limits.windows.len(), disk.limits.cooldown), (1, secs(3600)));
}

#[test]
fn acting_brings_its_evidence_and_its_verification() {
    assert_eq!(verbs(&with_steps("      - restart: {}\n")), ["capture", "restart", "verify"]);
    let told = with_steps("      - restart: {}\n      - notify: {to: [log], message: hi}\n");
    assert_eq!(verbs(&told), ["capture", "restart", "verify", "notify"]);
    let given = with_steps("      - capture: {logs: 0}\n      - wait: 1s\n      - restart: {}\n      - verify: {}\n");
    assert_eq!(verbs(&given), ["capture", "wait", "restart", "verify"]);
    let none = with_steps("      - capture: none\n      - restart: {}\n      - verify: none\n");
    assert_eq!(verbs(&none), ["restart"]);
    let early = with_steps("      - verify: {}\n      - restart: {}\n      - capture: {}\n");
    assert_eq!(verbs(&early), ["verify", "capture", "restart", "verify", "capture"]);
    // A stop is verified with the start that follows it, or else by itself.
    let both = with_steps("      - stop: {}\n      - wait: 1s\n      - start: {}\n");
    assert_eq!(verbs(&both), ["capture", "stop", "wait", "start", "verify"]);
    assert_eq!(verbs(&with_steps("      - stop: {}\n")), ["capture", "stop", "verify"]);
    assert_eq!(verbs(&with_steps("      - start: {}\n")), ["capture", "start", "verify"]);
    let Verb::Capture(capture) = &with_steps("      - restart: {}\n").playbooks[0].attempts.first.steps[0].verb else {
        panic!()
    };
    assert_eq!(*capture, CaptureSpec::default());
    assert_eq!(verbs(&with_steps("      - notify: {to: [log], message: hi}\n")), ["notify"]);
}

#[test]
fn every_attempt_brings_its_evidence_and_its_verification() {
    let file = files("valid").into_iter().find(|file| file.path == "attempts.yaml").unwrap();
    let loaded = load(&[file]);
    let [stubborn, one] = &loaded.playbooks[..] else { panic!("{:?}", loaded.problems) };
    let tries: Vec<(Option<&str>, Vec<&str>)> = stubborn
        .attempts
        .iter()
        .map(|attempt| (attempt.name.as_deref(), attempt.steps.iter().map(|step| step.verb.word()).collect()))
        .collect();
    let expected = [
        (Some("a plain restart"), vec!["capture", "restart", "verify"]),
        (Some("off for a minute"), vec!["capture", "stop", "wait", "start", "verify", "notify"]),
        (None, vec!["capture", "restart", "verify"]),
    ];
    assert_eq!(tries, expected);
    assert_eq!((stubborn.attempts.count(), one.attempts.count()), (3, 1));
    assert!(stubborn.attempts.steps(0).is_empty() && stubborn.attempts.steps(4).is_empty());
}

fn revisions(text: &str) -> Vec<String> {
    let loaded = one(text);
    loaded.playbooks.iter().map(|playbook: &Playbook| playbook.revision.to_string()).collect()
}

#[test]
fn the_revision_changes_with_the_entry_and_only_with_it() {
    let minimal = files("valid").into_iter().find(|file| file.path == "minimal.yaml").unwrap().text;
    let entry = "name: web\n    matchers:\n      - alertname = \"Down\"\n    target: {container: web-1}\n    steps:\n      - restart: {}";
    assert!(minimal.trim_end().ends_with(entry));
    let digest = {
        use sha2::Digest;
        hex::encode(sha2::Sha256::digest(entry))
    };
    let first = revisions(&minimal);
    assert_eq!(first, [digest.chars().take(12).collect::<String>()]);
    assert_eq!(revisions(&format!("# a comment\n\n{minimal}\n# another\n")), first);
    assert_ne!(revisions(&minimal.replace("web-1", "web-2")), first);
    assert_ne!(revisions(&minimal.replace("restart: {}", "restart:  {}")), first);
}

#[test]
fn the_revision_changes_with_an_anchor_that_the_entry_uses() {
    let aliases = files("valid").into_iter().find(|file| file.path == "aliases.yaml").unwrap().text;
    let before = revisions(&aliases);
    let after = revisions(&aliases.replace("runs: 1", "runs: 2"));
    assert_eq!(before.len(), 2);
    assert!(before[0] != after[0] && before[1] != after[1]);
    let told = revisions(&aliases.replace("did not recover", "is down"));
    assert_ne!(told[1], before[1]);
}

/// One playbook that names the interval `office`, and one that names none.
const SCHEDULED: &str = r#"version: 1
playbooks:
  - name: web
    matchers:
      - alertname = "Down"
    mute_time_intervals: [office]
    steps:
      - notify: {to: [log], message: hi}
  - name: other
    matchers:
      - alertname = "Up"
    steps:
      - notify: {to: [log], message: hi}
"#;

const OFFICE: &str = r#"version: 1
time_intervals:
  - name: office
    time_intervals:
      - weekdays: ["monday:friday"]
"#;

fn two_files(first: (&str, &str), second: (&str, &str)) -> Loaded {
    let file = |(path, text): (&str, &str)| RuleFile { path: path.to_owned(), text: text.to_owned() };
    load(&[file(first), file(second)])
}

#[test]
fn intervals_belong_to_all_files_whichever_is_read_first() {
    for (first, second) in [(("a.yaml", SCHEDULED), ("b.yaml", OFFICE)), (("a.yaml", OFFICE), ("b.yaml", SCHEDULED))] {
        let loaded = two_files(first, second);
        assert_eq!(loaded.problems, [], "{}", first.1);
        assert_eq!(&*loaded.playbooks[0].schedule.mute[0].name, "office");
        assert!(loaded.playbooks[1].schedule.mute.is_empty());
    }
    let twice = two_files(("a.yaml", OFFICE), ("b.yaml", &format!("{OFFICE}playbooks: []\n")));
    let errors: Vec<&Problem> = twice.problems.iter().filter(|p| p.severity == Severity::Error).collect();
    assert_eq!((errors.len(), errors[0].file.as_str(), errors[0].code), (1, "b.yaml", "playbook.duplicate-name"));
    assert!(errors[0].message.contains("a.yaml:3"), "{}", errors[0].message);
    let unused =
        two_files(("a.yaml", OFFICE), ("b.yaml", &SCHEDULED.replace("    mute_time_intervals: [office]\n", "")));
    let codes: Vec<(&str, &str)> = unused.problems.iter().map(|p| (p.file.as_str(), p.code)).collect();
    assert_eq!(codes, [("a.yaml", "lint.unused-interval")]);
    // A mistake in an interval is told where it stands, and not again where it is named.
    let broken = two_files(("a.yaml", SCHEDULED), ("b.yaml", &OFFICE.replace("friday", "fryday")));
    let codes: Vec<(&str, &str)> = broken.problems.iter().map(|p| (p.file.as_str(), p.code)).collect();
    assert_eq!(codes, [("b.yaml", "playbook.time-interval")]);
}

#[test]
fn the_revision_changes_with_the_intervals_that_the_entry_names() {
    let of = |office: &str| {
        let loaded = two_files(("a.yaml", SCHEDULED), ("b.yaml", office));
        loaded.playbooks.iter().map(|playbook| playbook.revision.to_string()).collect::<Vec<_>>()
    };
    let (before, after) = (of(OFFICE), of(&OFFICE.replace("friday", "thursday")));
    assert_ne!(before[0], after[0]);
    assert_eq!(before[1], after[1], "the other playbook does not name it");
    assert_eq!(of(&OFFICE.replace("version: 1\n", "# a comment\nversion: 1\n")), before);
    let anchored = OFFICE.replace(
        "time_intervals:\n  - name",
        "time_intervals:\n  - {name: o2, time_intervals: &p [{months: [may]}]}\n  - name",
    );
    let used = |month: &str| {
        let text = anchored.replace("- weekdays: [\"monday:friday\"]", "- {}").replace("may", month);
        of(&text.replace("    time_intervals:\n      - {}", "    time_intervals: *p"))
    };
    assert_ne!(used("may")[0], used("june")[0], "an anchor that the interval uses");
}

#[test]
fn names_are_unique_over_all_files() {
    let minimal = files("valid").into_iter().find(|file| file.path == "minimal.yaml").unwrap();
    let other = RuleFile { path: "other.yaml".to_owned(), text: minimal.text.clone() };
    let loaded = load(&[minimal, other]);
    let errors: Vec<&Problem> = loaded.problems.iter().filter(|p| p.severity == Severity::Error).collect();
    assert_eq!(errors.len(), 1);
    assert_eq!((errors[0].file.as_str(), errors[0].code), ("other.yaml", "playbook.duplicate-name"));
    assert!(errors[0].message.contains("minimal.yaml:3"), "{}", errors[0].message);
}

#[test]
fn notifiers_are_checked_only_where_they_are_known() {
    let text = "version: 1\nplaybooks:\n  - name: tell\n    matchers:\n      - a = \"b\"\n    steps:\n      \
                - notify: {to: [log, chat, pager], message: hi}\n";
    let file = [RuleFile { path: "t.yaml".to_owned(), text: text.to_owned() }];
    assert!(!load(&file).has_errors());
    let loaded = load_knowing(&file, &["chat".to_owned()]);
    let codes: Vec<(&str, usize)> = loaded.problems.iter().map(|problem| (problem.code, problem.column)).collect();
    assert_eq!(codes, [("playbook.unknown-notifier", 34)]);
}

#[test]
fn the_documented_examples_are_refused_for_what_is_not_executed_and_nothing_else() {
    let cases = [
        ("restart-unhealthy-web", vec!["`http`", "`run.url`"]),
        ("scale-out-workers", vec!["`service`", "`target.replicas`", "`scale`", "`replicas_running`", "`on_resolved`"]),
        ("restart-primary-database", vec!["`approval`", "`top`", "`on_denied`"]),
        ("disk-filling", vec!["`key`"]),
    ];
    let text = std::fs::read_to_string(Path::new(FIXTURES).join("language.yaml")).unwrap();
    let (head, entries) = text.split_once("playbooks:\n").unwrap();
    let entries: Vec<&str> = entries.split("\n\n").collect();
    assert_eq!(entries.len(), cases.len());
    for (entry, (name, refused)) in entries.iter().zip(cases) {
        let loaded = one(&format!("{head}playbooks:\n{entry}\n"));
        let errors: Vec<&Problem> = loaded.problems.iter().filter(|p| p.severity == Severity::Error).collect();
        assert!(entry.contains(name));
        assert!(errors.iter().all(|problem| problem.code == "playbook.not-executed"), "{name}: {errors:?}");
        let found: Vec<&str> = errors.iter().filter_map(|problem| problem.message.split(' ').next()).collect();
        assert_eq!(found, refused, "{name}");
    }
    let whole = load(&[RuleFile { path: "language.yaml".to_owned(), text: text.clone() }]);
    let refusals = whole.problems.iter().filter(|problem| problem.code == "playbook.not-executed").count();
    assert!(head.contains("time_intervals:"));
    assert_eq!(refusals, 11);
}

#[test]
fn hostile_files_are_refused_quickly() {
    let nested_flow = format!("version: 1\nplaybooks: {}", "[".repeat(100_000));
    let nested_maps = "{a: ".repeat(100_000);
    let nested_block: String = (0..2000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let dashes = "- ".repeat(100_000);
    let huge = "# x\n".repeat(2_500_000);
    let many_keys = format!("{{{}}}", (0..60_000).map(|n| format!("k{n}: 1")).collect::<Vec<_>>().join(", "));
    let many_problems: String = (0..9000).map(|n| format!("k{n}: 1\n")).collect();
    let anchors = format!("a: &a [{}]\n{}", "x,".repeat(5000), "b: *a\n".repeat(50));
    for (name, text) in [
        ("flow", nested_flow),
        ("maps", nested_maps),
        ("block", nested_block),
        ("dashes", dashes),
        ("huge", huge),
        ("keys", many_keys),
        ("problems", many_problems),
        ("anchors", anchors),
        ("control", "\u{0}\u{1}\u{7f}".to_owned()),
        ("bom", "\u{feff}".to_owned()),
        ("tab", "a:\n\t- b\n".to_owned()),
    ] {
        let start = Instant::now();
        let loaded = one(&text);
        assert!(loaded.has_errors(), "{name}");
        assert!(loaded.problems.len() <= 101, "{name}: {}", loaded.problems.len());
        assert!(start.elapsed() < Duration::from_secs(10), "{name} took {:?}", start.elapsed());
    }
}

#[test]
fn a_scalar_is_kept_as_written() {
    let text = "version: 1\nplaybooks:\n  - name: 0755\n    description: 1.10\n    matchers:\n      - a = \"b\"\n    \
                steps:\n      - notify: {to: [log], message: no}\n";
    let loaded = one(text);
    assert!(!loaded.has_errors(), "{:?}", loaded.problems);
    assert_eq!((&*loaded.playbooks[0].name, loaded.playbooks[0].description.as_str()), ("0755", "1.10"));
    let Verb::Notify(notify) = &loaded.playbooks[0].attempts.first.steps[0].verb else { panic!() };
    assert_eq!((notify.message.source(), notify.severity.as_str()), ("no", "info"));
}

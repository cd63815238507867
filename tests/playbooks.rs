//! Every file of `tests/fixtures/playbooks` is read and says about itself what must be found in it.
//!
//! `# expect LINE:COLUMN CODE «UNDERLINED»: WORDS | WORDS` lines at the head of a file are all of its problems: in
//! `invalid/` its errors, in `lint/` its warnings. Files in `valid/` have neither. What is underlined may be cut with `…`.
//! Each problem says what to do.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on has failed"
)]

use sickbay::playbook::definition::{CaptureSpec, HealthGoal, Playbook, TargetSpec, Verb, VerifySpec, Which};
use sickbay::playbook::{Known, Loaded, Problem, RuleFile, Severity, load, load_knowing, load_with};
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
    underlined: String,
    words: Vec<String>,
}

impl Expected {
    fn underlines(&self, text: &str) -> bool {
        self.underlined.strip_suffix('…').map_or(self.underlined == text, |head| text.starts_with(head))
    }
}

fn expectations(text: &str) -> Vec<Expected> {
    let read = |line: &str| {
        let (place, rest) = line.split_once(' ').expect("`LINE:COLUMN CODE: WORDS`");
        let (line, column) = place.split_once(':').expect("`LINE:COLUMN`");
        let (code, rest) = rest.split_once(" «").expect("`CODE «UNDERLINED»`");
        let (underlined, words) = rest.split_once("»:").expect("`«UNDERLINED»: WORDS`");
        let words = words.split('|').map(|words| words.trim().to_owned()).collect();
        Expected {
            line: line.parse().unwrap(),
            column: column.parse().unwrap(),
            code: code.to_owned(),
            underlined: underlined.to_owned(),
            words,
        }
    };
    text.lines().map_while(|line| line.strip_prefix("# expect ")).map(read).collect()
}

fn check_expectations(file: &RuleFile, found: &[&Problem]) -> Vec<String> {
    let expected = expectations(&file.text);
    assert!(!expected.is_empty(), "{}: says nothing about what is expected", file.path);
    let marked = |problem: &Problem| &file.text[problem.offset..problem.offset + problem.length];
    let matches = |problem: &Problem, expected: &Expected| {
        let text = format!("{} {}", problem.message, problem.hint.as_deref().unwrap_or_default());
        problem.line == expected.line
            && problem.column == expected.column
            && problem.code == expected.code
            && expected.underlines(marked(problem))
            && problem.hint.as_ref().is_some_and(|hint| !hint.is_empty())
            && expected.words.iter().all(|words| text.contains(words.as_str()))
    };
    let mut wrong = Vec::new();
    if found.len() != expected.len() || !found.iter().zip(&expected).all(|(found, wanted)| matches(found, wanted)) {
        wrong.push(format!("{}:", file.path));
        wrong.extend(
            expected
                .iter()
                .map(|e| format!("  want {}:{} {} «{}»: {:?}", e.line, e.column, e.code, e.underlined, e.words)),
        );
        wrong.extend(found.iter().map(|f| {
            format!("  got  {}:{} {} «{}»: {} ({:?})", f.line, f.column, f.code, marked(f), f.message, f.hint)
        }));
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
    assert_eq!(verify.spec, expected);
    let Verb::Restart(restart) = &web.attempts.first.steps[1].verb else { panic!() };
    assert_eq!((restart.stop_timeout, restart.start_if_stopped), (Some(secs(20)), true));
    assert_eq!(web.on_failure.len(), 3);
    assert!(matches!(&worker.target, Some(TargetSpec { which: Which::Compose { .. }, host: None })));
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
fn hosts_are_checked_only_where_they_are_known_and_written_out() {
    let file = |host: &str| {
        let text = format!(
            "version: 1\nplaybooks:\n  - name: p\n    matchers:\n      - a = \"b\"\n    target: {{container: web, host: \
             '{host}'}}\n    steps:\n      - restart: {{}}\n"
        );
        [RuleFile { path: "t.yaml".to_owned(), text }]
    };
    assert!(!load(&file("other")).has_errors(), "nobody knows");
    let hosts = ["local".to_owned()];
    let known = Known { hosts: Some(&hosts), ..Known::default() };
    for (host, want) in
        [("local", vec![]), ("{{ labels.host }}", vec![]), ("other", vec![("playbook.unknown-host", 36)])]
    {
        let loaded = load_with(&file(host), known);
        let errors = loaded.problems.iter().filter(|problem| problem.severity == Severity::Error);
        let codes: Vec<(&str, usize)> = errors.map(|problem| (problem.code, problem.column)).collect();
        assert_eq!(codes, want, "{host}");
    }
}

#[test]
fn with_several_hosts_a_target_says_on_which_one_it_is() {
    let file = |target: &str| {
        let text = format!(
            "version: 1\nplaybooks:\n  - name: p\n    matchers:\n      - a = \"b\"\n{target}    steps:\n      - notify: {{to: [log], \
             message: hi}}\n"
        );
        [RuleFile { path: "t.yaml".to_owned(), text }]
    };
    for (target, several) in [
        ("    target: {container: web}\n", vec![("playbook.no-host", 5)]),
        ("    target: {container: web, host: two}\n", vec![]),
        ("    target: {container: web, host: \"{{ labels.node }}\"}\n", vec![]),
        ("", vec![]),
    ] {
        for (hosts, want) in
            [(&["one"][..], if target.contains("two") { None } else { Some(vec![]) }), (&["one", "two"], Some(several))]
        {
            let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
            let loaded = load_with(&file(target), Known { hosts: Some(&hosts), ..Known::default() });
            let errors = loaded.problems.iter().filter(|problem| problem.severity == Severity::Error);
            let codes: Vec<(&str, usize)> = errors.map(|problem| (problem.code, problem.column)).collect();
            assert!(want.is_none_or(|want| codes == want), "{hosts:?} {target}: {codes:?}");
        }
    }
}

#[test]
fn silence_may_count_as_a_yes_only_where_the_settings_say_so() {
    let approval = "{from: [sre], timeout: 5m, on_timeout: approve}";
    for (place, column) in [
        (format!("    approval: {approval}\n    steps:\n      - notify: {{to: [log], message: hi}}\n"), 54),
        (format!("    steps:\n      - approve: {approval}\n      - notify: {{to: [log], message: hi}}\n"), 57),
    ] {
        let text = format!("version: 1\nplaybooks:\n  - name: tell\n    matchers:\n      - a = \"b\"\n{place}");
        let file = [RuleFile { path: "t.yaml".to_owned(), text }];
        let errors = |approve_on_timeout| {
            let loaded = load_with(&file, Known { approve_on_timeout: Some(approve_on_timeout), ..Known::default() });
            let errors = loaded.problems.into_iter().filter(|problem| problem.severity == Severity::Error);
            errors.map(|error| (error.code, error.column)).collect::<Vec<_>>()
        };
        assert_eq!(errors(true), []);
        assert_eq!(errors(false), [("playbook.approval", column)], "{place}");
        assert!(!load(&file).has_errors(), "nobody knows");
    }
}

#[test]
fn the_documented_examples_are_right_and_say_what_the_daemon_does_not_execute() {
    let cases = [
        ("restart-unhealthy-web", vec![]),
        ("scale-out-workers", vec![]),
        ("restart-primary-database", vec![]),
        ("disk-filling", vec![]),
    ];
    let text = std::fs::read_to_string(Path::new(FIXTURES).join("language.yaml")).unwrap();
    let loaded = load(&[RuleFile { path: "language.yaml".to_owned(), text }]);
    assert!(!loaded.has_errors(), "{:?}", loaded.problems);
    let found: Vec<(&str, Vec<&str>)> =
        loaded.playbooks.iter().map(|playbook| (&*playbook.name, playbook.not_executed.clone())).collect();
    assert_eq!(found, cases);
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

/// A playbook as it is, without what tells where its text stands.
fn meaning(loaded: &Loaded) -> Vec<String> {
    let bare = |playbook: &Playbook| Playbook {
        revision: "".into(),
        source: String::new(),
        text: "".into(),
        ..playbook.clone()
    };
    loaded.playbooks.iter().map(|playbook| format!("{:#?}", bare(playbook))).collect()
}

#[test]
fn what_is_printed_as_effective_means_the_same() {
    let mut all = files("valid");
    all.extend(files("lint"));
    all.push(RuleFile {
        path: "language.yaml".to_owned(),
        text: std::fs::read_to_string(Path::new(FIXTURES).join("language.yaml")).unwrap(),
    });
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    for entry in std::fs::read_dir(rules).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_string_lossy().ends_with(".test.yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            all.push(RuleFile { path: path.display().to_string(), text });
        }
    }
    for file in all {
        let before = load(std::slice::from_ref(&file));
        let yaml = sickbay::playbook::effective::to_yaml(&before.playbooks);
        let after = one(&yaml);
        assert!(!after.has_errors(), "{}: {:#?}\n{yaml}", file.path, after.problems);
        pretty_eq(&meaning(&before), &meaning(&after), &format!("{}\n{yaml}", file.path));
        // Written out once, there is nothing to add.
        assert_eq!(sickbay::playbook::effective::to_yaml(&after.playbooks), yaml);
        let steps = |loaded: &Loaded| {
            loaded.playbooks.iter().map(|p| p.attempts.iter().map(|a| a.steps.len()).sum()).collect::<Vec<usize>>()
        };
        assert_eq!(steps(&before), steps(&after));
    }
}

/// The first line that differs, rather than all of them.
fn pretty_eq(before: &[String], after: &[String], what: &str) {
    assert_eq!(before.len(), after.len(), "{what}");
    for (before, after) in before.iter().zip(after) {
        let differing = before.lines().zip(after.lines()).find(|(before, after)| before != after);
        assert!(differing.is_none() && before.len() == after.len(), "{what}: {differing:?}");
    }
}

#[test]
fn every_text_survives_being_written_out() {
    for text in [
        "no",
        "1.10",
        "0755",
        "~",
        "a: b",
        "# x",
        "- x",
        "\u{1f642}\u{7f}\u{85}\u{2028}\u{feff}\u{0}",
        "{{ labels.a }}",
        "tab\there",
        "a\n\n b\n",
        "'\"\\",
        " x ",
        "é",
    ] {
        let yaml = format!(
            "version: 1\nplaybooks:\n  - name: a\n    description: {}\n    matchers:\n      - a=\"b\"\n    steps:\n      - notify: {{to: [log], message: {}}}\n",
            serde_json::to_string(&format!("x{text}")).unwrap(),
            serde_json::to_string(text).unwrap()
        );
        let before = one(&yaml);
        if before.has_errors() {
            continue;
        }
        let again = sickbay::playbook::effective::to_yaml(&before.playbooks);
        pretty_eq(&meaning(&before), &meaning(&one(&again)), &again);
    }
}

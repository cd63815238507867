//! `sickbay test` as people and pipelines meet it: the tests of the shipped playbooks and what they catch, every kind of
//! input and expectation, broken test files, and what is printed.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use serde_json::Value;
use sha2::{Digest, Sha256};
use sickbay::cli::check::Output;
use sickbay::cli::test::{CoverageMode, TestArgs, run};
use sickbay::playbook::{RuleFile, load};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/unit_tests");

/// The exit code and what was printed.
fn test(args: &TestArgs) -> (u8, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run(args, false, &mut out, &mut err).unwrap();
    (code, String::from_utf8(out).unwrap() + &String::from_utf8(err).unwrap())
}

fn of(paths: &[&Path]) -> TestArgs {
    TestArgs { paths: paths.iter().map(|path| path.to_path_buf()).collect(), ..TestArgs::default() }
}

/// The exit code and the report.
fn report(args: TestArgs) -> (u8, Value) {
    let (code, printed) = test(&TestArgs { output: Output::Json, ..args });
    (code, serde_json::from_str(&printed).unwrap())
}

/// The names of the tests that failed.
fn failed(report: &Value) -> Vec<String> {
    let tests = report["files"].as_array().unwrap().iter().flat_map(|file| file["tests"].as_array().unwrap());
    tests.filter(|test| test["passed"] == false).map(|test| test["name"].as_str().unwrap().to_owned()).collect()
}

/// A copy of a shipped playbook and its test.
struct Copy {
    folder: tempfile::TempDir,
    name: &'static str,
}

impl Copy {
    fn of(name: &'static str) -> Self {
        let copy = Self { folder: tempfile::tempdir().unwrap(), name };
        for tail in ["yaml", "test.yaml"] {
            let from = Path::new(ROOT).join("rules").join(format!("{name}.{tail}"));
            fs::copy(&from, copy.path(tail)).unwrap();
        }
        copy
    }

    fn path(&self, tail: &str) -> PathBuf {
        self.folder.path().join(format!("{}.{tail}", self.name))
    }

    fn edit(&self, tail: &str, edits: &[(&str, &str)]) {
        let mut text = fs::read_to_string(self.path(tail)).unwrap();
        for (from, to) in edits {
            assert!(text.contains(from), "{}.{tail} does not hold {from:?}", self.name);
            text = text.replace(from, to);
        }
        fs::write(self.path(tail), text).unwrap();
    }
}

#[test]
fn every_shipped_playbook_and_recipe_has_a_test_that_reaches_all_of_it_and_passes() {
    for folder in ["rules", "docs/cookbook"] {
        let rules = Path::new(ROOT).join(folder);
        for entry in fs::read_dir(&rules).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let test = name.replace(".yaml", ".test.yaml");
            assert!(name.ends_with(".test.yaml") || rules.join(&test).exists(), "{name} has no {test}");
        }
        let args = TestArgs { coverage: Some(CoverageMode::Fail), ..of(&[&rules]) };
        let (code, printed) = test(&args);
        assert_eq!(code, 0, "{printed}");
        assert!(printed.contains("all passed") && printed.contains("Coverage:"), "{printed}");
    }
}

/// An edit of a shipped playbook, and part of the name of a test that must fail because of it.
type Edit = (&'static str, &'static [(&'static str, &'static str)], &'static str);

const VERIFY_DOWN: &str = "      - id: back
        # No `health`: healthy where the container has a health check, running on the same start where it has none.
        verify: {within: 2m, every: 2s, stable_for: 10s}
";

const VERIFY_UNHEALTHY: &str = "        verify: {health: healthy, within: 5m, every: 2s, stable_for: 30s}";

const EDITS: &[Edit] = &[
    ("container-down", &[("runs: 3", "runs: 4")], "three tries within an hour"),
    ("container-down", &[("per: 1h", "per: 30m")], "three tries within an hour"),
    ("container-down", &[("cooldown: 2m", "cooldown: 1m50s")], "cooldown of two minutes"),
    ("container-down", &[("stable_for: 10s", "stable_for: 5s")], "dies again while it is watched"),
    (
        "container-down",
        &[(VERIFY_DOWN, "      - verify: none\n"), ("{{ steps.back.elapsed }}", "a while")],
        "dies again while it is watched",
    ),
    ("container-down", &[("{start_if_stopped: true}", "{}")], "is started, watched and reported"),
    ("container-down", &[("alertname = \"ContainerDown\"", "alertname =~ \"ContainerDown.*\"")], "only its own alert"),
    ("container-down", &[("- container != \"\"", "- alertname != \"\"")], "only its own alert"),
    ("container-down", &[("severity: critical", "severity: info")], "dies again while it is watched"),
    ("container-down", &[("- restart: {start_if_stopped: true}", "- start: {}")], "watched and reported"),
    ("container-unhealthy", &[("runs: 3", "runs: 5")], "three restarts within an hour"),
    ("container-unhealthy", &[("per: 1h", "per: 40m")], "three restarts within an hour"),
    ("container-unhealthy", &[("cooldown: 10m", "cooldown: 9m")], "cooldown of ten minutes"),
    ("container-unhealthy", &[("health: healthy", "health: running")], "running is not healthy"),
    ("container-unhealthy", &[("stable_for: 30s", "stable_for: 10s")], "less than half a minute"),
    ("container-unhealthy", &[("within: 5m", "within: 3m")], "restarted with time to finish"),
    (
        "container-unhealthy",
        &[
            ("      - id: back\n", ""),
            (VERIFY_UNHEALTHY, "      - verify: none"),
            ("{{ steps.back.elapsed }}", "a while"),
        ],
        "running is not healthy",
    ),
    (
        "container-unhealthy",
        &[("{stop_timeout: 30s}", "{stop_timeout: 30s, start_if_stopped: true}")],
        "stopped container",
    ),
    ("container-unhealthy", &[("{stop_timeout: 30s}", "{}")], "restarted with time to finish"),
    ("container-unhealthy", &[("= \"ContainerUnhealthy\"", "=~ \"ContainerUnhealthy.*\"")], "only its own alert"),
    ("container-unhealthy", &[("- container != \"\"", "- alertname != \"\"")], "only its own alert"),
    ("high-error-rate", &[("runs: 2", "runs: 3")], "four hours between two restarts"),
    ("high-error-rate", &[("per: 1d", "per: 12h")], "four hours between two restarts"),
    ("high-error-rate", &[("cooldown: 4h", "cooldown: 3h")], "four hours between two restarts"),
    ("high-error-rate", &[("scope: playbook", "scope: target")], "four hours between two restarts"),
    ("high-error-rate", &[("stable_for: 30s", "stable_for: 20s")], "not stay up for half a minute"),
    ("high-error-rate", &[("severity = \"critical\"", "severity =~ \"warning|critical\"")], "only a critical rate"),
    ("high-error-rate", &[("- container != \"\"", "- alertname != \"\"")], "only a critical rate"),
    ("high-error-rate", &[("{stop_timeout: 30s}", "{stop_timeout: 30s, start_if_stopped: true}")], "stopped container"),
    ("high-error-rate", &[("          severity: warning\n", "")], "people are told first"),
    ("probe-failed", &[("runs: 3", "runs: 4")], "three restarts within an hour"),
    ("probe-failed", &[("per: 1h", "per: 20m")], "three restarts within an hour"),
    ("probe-failed", &[("cooldown: 5m", "cooldown: 4m30s")], "cooldown of five minutes"),
    ("probe-failed", &[("stable_for: 5s", "stable_for: 1s")], "does not stay up"),
    ("probe-failed", &[("{start_if_stopped: true}", "{}")], "a dead web server"),
    ("probe-failed", &[("- restart: {start_if_stopped: true}", "- start: {}")], "hanging web server"),
    ("probe-failed", &[("alertname = \"ProbeFailed\"", "alertname =~ \"Probe.*\"")], "only its own alert"),
    ("probe-failed", &[("- container != \"\"", "- alertname != \"\"")], "only its own alert"),
];

#[test]
fn an_edit_that_loosens_a_shipped_playbook_fails_its_test() {
    for (name, edits, caught_by) in EDITS {
        let copy = Copy::of(name);
        copy.edit("yaml", edits);
        must_fail(&copy, caught_by, &format!("{name}: {edits:?}"));
    }
}

#[test]
fn a_shipped_playbook_without_its_on_failure_fails_its_test() {
    for (name, caught_by) in [
        ("container-down", "dies again while it is watched"),
        ("container-unhealthy", "running is not healthy"),
        ("high-error-rate", "not stay up for half a minute"),
        ("probe-failed", "does not stay up"),
    ] {
        let copy = Copy::of(name);
        let text = fs::read_to_string(copy.path("yaml")).unwrap();
        let (before, _) = text.split_once("    on_failure:\n").unwrap();
        fs::write(copy.path("yaml"), before).unwrap();
        must_fail(&copy, caught_by, &format!("{name} without on_failure"));
    }
}

/// The edited playbook is one that could be shipped, and its test says no to it.
fn must_fail(copy: &Copy, caught_by: &str, what: &str) {
    let text = fs::read_to_string(copy.path("yaml")).unwrap();
    let loaded = load(&[RuleFile { path: "edited.yaml".to_owned(), text }]);
    assert!(!loaded.has_errors(), "{what}: {:?}", loaded.problems);
    let (code, report) = report(of(&[&copy.path("test.yaml")]));
    assert_eq!(report["files"][0]["problems"], serde_json::json!([]), "{what}");
    let failed = failed(&report);
    assert_eq!(code, 1, "{what} is not caught");
    assert!(failed.iter().any(|name| name.contains(caught_by)), "{what} is caught by {failed:?} only");
}

#[test]
fn coverage_names_what_no_test_reached_by_its_line() {
    let copy = Copy::of("container-down");
    let line = |part: &str| {
        let text = fs::read_to_string(copy.path("yaml")).unwrap();
        format!(
            "container-down.yaml:{}",
            text.lines().collect::<Vec<_>>().iter().rposition(|line| line.contains(part)).unwrap() + 1
        )
    };
    let only_one = TestArgs { run: vec!["watched and reported".to_owned()], ..of(&[copy.folder.path()]) };
    let inform = TestArgs { coverage: Some(CoverageMode::Inform), ..only_one.clone() };
    let (code, printed) = test(&inform);
    assert_eq!(code, 0, "{printed}");
    for (part, words) in [
        ("- alertname =", "no test reached an alert that only `alertname=\"ContainerDown\"` keeps away"),
        ("- container !=", "no test reached an alert that only `container!=\"\"` keeps away"),
        ("runs: 3", "no test reached a no because of the cooldown of 2m"),
        ("runs: 3", "no test reached a no because of 3 runs per 1h"),
        ("- restart:", "no test reached step 2 (restart) failing"),
        ("- id: back", "no test reached step 3 (verify) failing"),
        ("- notify:", "no test reached on_failure, step 1 (notify)"),
    ] {
        let place = line(part);
        assert!(printed.contains(&format!("{place}: {words}")), "{place}: {words}\n{printed}");
    }
    assert!(printed.contains("5 of 12 reached") && printed.contains("7 left out by --run"), "{printed}");
    let (code, report) = report(TestArgs { coverage: Some(CoverageMode::Fail), ..only_one.clone() });
    assert_eq!((code, &report["missed"], &report["failed"]), (1, &7.into(), &0.into()));
    assert_eq!(test(&only_one).0, 0, "nobody asked for it");
}

const BRANCHES: &str = r#"version: 1
playbooks:
  - name: branches
    matchers:
      - alertname = "Down"
    target: {container: web}
    limits: {runs: 9, per: 1h, cooldown: 1s}
    approval:
      from: [ops]
      timeout: 5m
    steps:
      - id: told
        continue_on_error: true
        http: {url: "http://tickets.example/new"}
      - approve: {from: [ops], timeout: 10m}
      - if: steps.told.outcome == "success"
        restart: {}
      - verify: none
    on_failure:
      - if: failed.verdict == "failed"
        notify: {to: [log], message: failed}
"#;

/// One way through them, and then the others.
const ONE_WAY: &str = r#"playbook_files: [branches.yaml]
tests:
  - name: one way
    docker: &web
      containers: [{name: web, labels: {sickbay.enable: "true"}}]
    input:
      - {at: 0s, firing: {alertname: Down}}
      - {at: 1m, approve: {by: ada, groups: [ops]}}
      - {at: 2m, approve: {by: ada, groups: [ops]}}
    expect: [{at: 3m, runs: [{playbook: branches}]}]
"#;

const OTHER_WAYS: &str = r#"  - name: no ticket, and no at both times
    docker: *web
    input:
      - {at: 0s, firing: {alertname: Down, n: "1"}}
      - {at: 1m, deny: {by: ada, groups: [ops]}}
      - {at: 10m, http: {away: 10m}}
      - {at: 10m, firing: {alertname: Down, n: "2"}}
      - {at: 11m, approve: {by: ada, groups: [ops]}}
      - {at: 12m, approve: {by: ada, groups: [ops]}}
      - {at: 20m, firing: {alertname: Down, n: "3"}}
      - {at: 21m, approve: {by: ada, groups: [ops]}}
      - {at: 22m, deny: {by: ada, groups: [ops]}}
    expect: [{at: 30m, open: []}]
  - name: nobody answers at either time
    docker: *web
    input:
      - {at: 0s, firing: {alertname: Down, n: "1"}}
      - {at: 10m, firing: {alertname: Down, n: "2"}}
      - {at: 11m, approve: {by: ada, groups: [ops]}}
    expect: [{at: 30m, open: []}]
"#;

#[test]
fn coverage_names_what_an_if_a_request_and_people_can_say() {
    let folder = tempfile::tempdir().unwrap();
    let missed = |tests: &str| {
        fs::write(folder.path().join("branches.yaml"), BRANCHES).unwrap();
        fs::write(folder.path().join("branches.test.yaml"), tests).unwrap();
        let (code, printed) = test(&TestArgs { coverage: Some(CoverageMode::Inform), ..of(&[folder.path()]) });
        assert_eq!(code, 0, "{printed}");
        let lines =
            printed.lines().filter_map(|line| line.split_once("branches.yaml:")?.1.split_once(": no test reached "));
        lines.map(|(line, words)| format!("{line} {words}")).collect::<Vec<String>>()
    };
    let of_limits = ["7 a no because of the cooldown of 1s", "7 a no because of 9 runs per 1h"];
    let expected = [
        "5 an alert that only `alertname=\"Down\"` keeps away",
        of_limits[0],
        of_limits[1],
        "9 the approval being denied",
        "9 the approval expiring without an answer",
        "12 step 1 (http) failing",
        "15 step 2 (approve) being denied",
        "15 step 2 (approve) expiring without an answer",
        "16 step 4 (restart), its `if` being false",
        "16 step 4 (restart) failing",
        "20 on_failure, step 1 (notify)",
        "20 on_failure, step 1 (notify), its `if` being true",
        "20 on_failure, step 1 (notify), its `if` being false",
    ];
    assert_eq!(missed(ONE_WAY), expected);
    let all = missed(&[ONE_WAY, OTHER_WAYS].concat());
    // A request that failed, with nothing behind it that saw the target recover, fails the run in the end.
    let left: Vec<&str> = [&expected[..3], &expected[9..10], &expected[12..]].concat();
    assert_eq!(all, left);
}

const TWO: &str = r#"version: 1
playbooks:
  - name: first
    matchers:
      - alertname = "Down", env =~ "prod.*"
      - team != ""
    limits: &often {runs: 100, per: 1h, scope: playbook, cooldown: 1s}
    steps: &tell [{notify: {to: [log], message: hi}}]
  - name: second
    matchers:
      - alertname = "Down"
      - tier = "db"
    limits: *often
    steps: *tell
"#;

#[test]
fn coverage_names_each_matcher_that_no_alert_fails_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("two.yaml"), TWO).unwrap();
    let missed = |input: &str| {
        let tests = format!(
            "playbook_files: [two.yaml]\ntests:\n  - name: one\n    input: [{input}]\n    expect: [{{at: 3m, open: []}}]\n"
        );
        fs::write(folder.path().join("two.test.yaml"), tests).unwrap();
        let (_, report) = report(TestArgs { coverage: Some(CoverageMode::Inform), ..of(&[folder.path()]) });
        assert_eq!(failed(&report), Vec::<String>::new(), "{input}");
        let points =
            report["coverage"].as_array().unwrap().iter().flat_map(|one| one["not_reached"].as_array().unwrap());
        let keeps = |point: &serde_json::Value| {
            let what = point["what"].as_str()?.strip_prefix("an alert that only `")?.strip_suffix("` keeps away")?;
            Some(format!("{} {what}", point["place"].as_str()?.rsplit_once(':')?.1))
        };
        points.filter_map(keeps).collect::<Vec<String>>()
    };
    let of_first = [r#"5 alertname="Down""#, r#"5 env=~"prod.*""#, r#"6 team!="""#];
    let of_second = [r#"11 alertname="Down""#, r#"12 tier="db""#];
    let none = [&of_first[..], &of_second[..]].concat();
    for (input, want) in [
        ("{at: 0s, firing: {alertname: Down, env: prod-1, team: a}}", none.clone()),
        ("{at: 0s, firing: {alertname: Up, env: test}}", none.clone()),
        ("{at: 0s, firing: {alertname: Up, env: prod, team: a}}", [&of_first[1..], &of_second[..]].concat()),
        ("{at: 0s, firing: {alertname: Down, env: prod}}", [&of_first[..2], &of_second[..1]].concat()),
        // The first takes it either way, so this tells nothing of the second.
        ("{at: 0s, firing: {alertname: Down, env: prod, team: a, tier: web}}", none.clone()),
        // The second takes it, and would not if the first had one matcher less.
        ("{at: 0s, firing: {alertname: Down, env: prod, tier: db}}", [&of_first[..2], &of_second[..]].concat()),
        ("{at: 0s, firing: {alertname: Up, tier: db}}", [&of_first[..], &of_second[1..]].concat()),
        ("{at: 0s, resolved: {alertname: Up, env: prod, team: a}}", none.clone()),
    ] {
        assert_eq!(missed(input), want, "{input}");
    }
}

#[test]
fn every_kind_of_input_and_expectation_does_what_it_says() {
    for file in ["inputs.test.yaml", "hosts.test.yaml"] {
        let (code, printed) = test(&of(&[&Path::new(FIXTURES).join(file)]));
        assert_eq!(code, 0, "{printed}");
    }
}

/// The keys that `unit_test::keys` declares.
fn declared() -> BTreeSet<String> {
    let read = |name: &str| fs::read_to_string(Path::new(ROOT).join("src/unit_test").join(name)).unwrap();
    let text = read("keys.rs") + &read("keys_seen.rs");
    let names = text.split("key(").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    let keys: BTreeSet<String> = names.map(str::to_owned).collect();
    assert!(80 <= keys.len(), "only {} keys", keys.len());
    keys
}

#[test]
fn every_key_is_tried_and_documented() {
    let tried = fs::read_to_string(Path::new(FIXTURES).join("inputs.test.yaml")).unwrap();
    let documented = fs::read_to_string(Path::new(ROOT).join("docs/TESTING.md")).unwrap();
    for key in declared() {
        assert!(tried.contains(&format!("{key}:")), "`{key}` is not tried");
        let forms = [format!("`{key}`"), format!("`{key}: "), format!("`{key}:`"), format!("`{{{key}: ")];
        assert!(forms.iter().any(|form| documented.contains(form)), "`{key}` is not documented");
    }
}

struct Expected {
    place: String,
    code: String,
    words: Vec<String>,
}

/// `# expect LINE:COLUMN CODE: WORDS | WORDS` lines at the head of a file.
fn expectations(text: &str) -> Vec<Expected> {
    let read = |line: &str| {
        let (place, rest) = line.split_once(' ').unwrap();
        let (code, words) = rest.split_once(':').unwrap();
        let words = words.split('|').map(|words| words.trim().to_owned()).collect();
        Expected { place: place.to_owned(), code: code.to_owned(), words }
    };
    text.lines().map_while(|line| line.strip_prefix("# expect ")).map(read).collect()
}

#[test]
fn every_mistake_in_a_test_file_is_told_at_its_place() {
    let (code, report) = report(of(&[&Path::new(FIXTURES).join("invalid")]));
    let files = report["files"].as_array().unwrap();
    assert_eq!(code, 1);
    assert!(40 <= files.len(), "only {} files", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let path = file["path"].as_str().unwrap();
        let expected = expectations(&fs::read_to_string(path).unwrap());
        let problems = file["problems"].as_array().unwrap();
        let fits = |(problem, expected): (&Value, &Expected)| {
            let text = format!("{} {}", problem["message"], problem["hint"]).replace("\\\"", "\"");
            format!("{}:{}", problem["line"], problem["column"]) == expected.place
                && problem["code"] == expected.code.as_str()
                && expected.words.iter().all(|words| text.contains(words.as_str()))
        };
        let fine = !expected.is_empty() && expected.len() == problems.len();
        if !(fine && problems.iter().zip(&expected).all(fits)) {
            wrong.push(format!("{path}: {problems:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const RULES: &str = r#"version: 1
playbooks:
  - name: web
    matchers:
      - alertname = "Down"
    target: {container: web-1}
    limits: {runs: 1, per: 1h, cooldown: 0s}
    steps:
      - restart: {}
"#;

const TESTS: &str = r#"tests:
  - name: one & only
    docker: {containers: [{name: web-1, labels: {sickbay.enable: "true"}}]}
    input:
      - {at: 0s, firing: {alertname: Down}}
    expect:
      - at: 1m
        runs: [{outcome: failed, notified: [chat]}]
        suppressed: []
      - at: 2m
        suppressed: [{reason: cooldown}]
    expect_docker_calls: []
  - name: two
    expect: [{at: 1s, matched: []}]
"#;

fn small() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("web.yaml"), RULES).unwrap();
    fs::write(folder.path().join("web.test.yaml"), TESTS).unwrap();
    folder
}

#[test]
fn what_is_expected_and_what_is_got_is_printed_with_what_happened() {
    let folder = small();
    let (code, printed) = test(&of(&[folder.path()]));
    let printed = printed.replace(&format!("{}/", folder.path().display()), "");
    let (head, story) = printed.split_once("    what happened:\n").unwrap();
    let expected = "Unit Testing:  web.test.yaml
  FAILED:
    name: one & only,  (web.test.yaml:2)
    runs, time: 1m,  (web.test.yaml:8)
        exp:[
          1: {outcome: failed, notified: [chat]}
            ]
        got:[
          1: {playbook: web, target: web-1, outcome: recovered, steps: [capture, restart, verify], notified: []}
            ]
        → item 1, outcome: expected failed, got recovered
        → item 1, notified: expected [chat], got []

    suppressed, time: 2m,  (web.test.yaml:11)
        exp:[
          1: {reason: cooldown}
            ]
        got:[]
        → 1 item expected, 0 seen

    expect_docker_calls, time: the end,  (web.test.yaml:12)
        exp:[]
        got:[
          1: POST /containers/web-1/restart
            ]
        → none expected, 1 sent

";
    assert_eq!((code, head), (1, expected));
    assert!(story.contains("i2 decision: run web on web-1"), "{story}");
    assert!(story.ends_with("\n2 tests in 1 file: 1 failed\n"), "{story}");
}

#[test]
fn only_the_chosen_tests_are_run() {
    let folder = small();
    let chosen = |patterns: &[&str]| {
        let run = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        test(&TestArgs { run, ..of(&[folder.path()]) })
    };
    let (code, printed) = chosen(&["^two$"]);
    assert_eq!(code, 0, "{printed}");
    assert!(printed.ends_with("1 test in 1 file: all passed, 1 left out by --run\n"), "{printed}");
    assert_eq!(chosen(&["^two$", "only"]).0, 1);
    // Nothing may pass because nothing was tried.
    assert_eq!(chosen(&["three"]), (1, "sickbay test: no test has a name that --run chooses\n".to_owned()));
    let (code, printed) = chosen(&["("]);
    assert!(code == 2 && printed.contains("--run is no regular expression"), "{printed}");
}

#[test]
fn what_is_no_test_file_fails() {
    let folder = small();
    let (code, printed) = test(&of(&[&folder.path().join("web.yaml")]));
    assert!(code == 1 && printed.contains("the name of a test file ends in .test.yaml"), "{printed}");
    let (code, printed) = test(&of(&[&folder.path().join("missing.test.yaml")]));
    assert!(code == 1 && printed.contains("cannot be opened"), "{printed}");
    let empty = tempfile::tempdir().unwrap();
    let (code, printed) = test(&of(&[empty.path()]));
    assert!(code == 1 && printed.contains("holds no test file"), "{printed}");
    // Without playbooks there is nothing to test.
    fs::write(empty.path().join("a.test.yaml"), TESTS).unwrap();
    let (code, printed) = test(&of(&[empty.path()]));
    assert!(code == 1 && printed.contains("no rules file lies beside this one"), "{printed}");
}

#[test]
fn tests_of_subdirectories_are_found_and_each_is_run_once() {
    let folder = small();
    fs::create_dir(folder.path().join("tests")).unwrap();
    let tests = TESTS.replace("tests:\n", "playbook_files: [../*.yaml]\ntests:\n");
    fs::write(folder.path().join("tests/more.test.yml"), tests).unwrap();
    let args = of(&[folder.path(), &folder.path().join("web.test.yaml")]);
    let (_, report) = report(args);
    assert_eq!((report["files"].as_array().unwrap().len(), &report["tests"]), (2, &4.into()));
}

#[test]
fn junit_gets_every_test() {
    let folder = small();
    fs::write(folder.path().join("broken.test.yaml"), "tests: 1\n").unwrap();
    let junit = folder.path().join("junit.xml");
    let (code, _) = test(&TestArgs { junit: Some(junit.clone()), ..of(&[folder.path()]) });
    let xml = fs::read_to_string(junit).unwrap();
    assert_eq!(code, 1);
    for part in [
        "<testsuites name=\"sickbay\" tests=\"3\" failures=\"2\" errors=\"0\">",
        "<testcase name=\"one &amp; only\"",
        "message=\"line 8, runs, time 1m: item 1, outcome: expected failed, got recovered;",
        "<testcase name=\"two\" classname=\"",
        "`tests` is a list, not text",
    ] {
        assert!(xml.contains(part), "{part}\n{xml}");
    }
}

#[test]
fn the_cookbook_of_the_documentation_is_the_files_of_the_cookbook() {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/PLAYBOOKS.md")).unwrap();
    let section = page.split("\n## Cookbook\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let blocks: Vec<&str> = section
        .split("```yaml")
        .skip(1)
        .map(|rest| rest.split_once('\n').unwrap().1.split("```\n").next().unwrap())
        .collect();
    let mut paths: Vec<PathBuf> =
        fs::read_dir(Path::new(ROOT).join("docs/cookbook")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| !path.to_string_lossy().ends_with(".test.yaml"));
    paths.sort();
    assert_eq!(blocks.len(), paths.len(), "as many recipes as files");
    for (block, path) in blocks.iter().zip(&paths) {
        let text = fs::read_to_string(path).unwrap();
        let (modeline, text) = text.split_once('\n').unwrap();
        assert!(modeline.starts_with("# yaml-language-server: "), "{}", path.display());
        assert_eq!(*block, text, "docs/PLAYBOOKS.md and {} differ", path.display());
    }
}

/// The four examples that the language was designed by, word for word: they pass `check`, and their tests say what they do.
#[test]
fn the_four_examples_of_the_language_do_what_they_say() {
    let path = Path::new(ROOT).join("tests/fixtures/playbooks/language.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let digest: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, "6da7f956e6d94b41553a5569f79c9af28d0176d1ca018a8618fcfc8d98b9fb9a", "not as they were given");
    let loaded = load(&[RuleFile { path: "language.yaml".to_owned(), text }]);
    assert!(!loaded.has_errors(), "{:?}", loaded.problems);
    let tests = Path::new(ROOT).join("tests/fixtures/language");
    let (code, report) = report(TestArgs { coverage: Some(CoverageMode::Inform), ..of(&[&tests]) });
    assert_eq!((code, failed(&report)), (0, Vec::new()));
    assert_eq!(report["files"].as_array().unwrap().len(), 4, "one file for each");
}

#[test]
fn an_answer_that_reaches_nobody_fails_its_test() {
    let folder = small();
    let tests = r#"tests:
  - name: nobody asked
    input: [{at: 1m, approve: {by: ada}}]
    expect: [{at: 2m, runs: []}]
  - name: nobody is there
    input: [{at: 1m, sickbay: {stopped: 5m}}, {at: 2m, deny: {by: ada}}]
    expect: [{at: 9m, runs: []}]
"#;
    fs::write(folder.path().join("web.test.yaml"), tests).unwrap();
    let (code, printed) = test(&of(&[folder.path()]));
    assert_eq!(code, 1, "{printed}");
    for line in [
        "web.test.yaml:3)",
        "        → nobody has been asked anything that this would answer",
        "        → sickbay does not run at this time: it cannot be told",
    ] {
        assert!(printed.lines().any(|printed| printed.ends_with(line)), "{line:?}\n{printed}");
    }
    assert!(!printed.contains("exp:"), "there is nothing to compare\n{printed}");
}

#[test]
fn the_same_test_gives_the_same_story() {
    let folder = small();
    let story = || report(of(&[folder.path()])).1;
    assert_eq!(story(), story());
}

#[test]
fn check_reads_test_files_too() {
    let folder = small();
    let check = |path: &Path| {
        let args = sickbay::cli::check::CheckArgs { paths: vec![path.to_owned()], ..Default::default() };
        let mut out = Vec::new();
        let code = sickbay::cli::check::run(&args, false, &mut &b""[..], &mut out).unwrap();
        (code, String::from_utf8(out).unwrap())
    };
    let (code, printed) = check(folder.path());
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("web.test.yaml'  SUCCESS\nFound:\n - 2 tests\n"), "{printed}");
    let broken = folder.path().join("broken.test.yaml");
    fs::write(&broken, TESTS.replace("outcome", "outcom")).unwrap();
    let (code, printed) = check(&broken);
    assert_eq!(code, 1);
    assert!(
        printed.contains("broken.test.yaml'  FAILED: 1 error") && printed.contains("did you mean `outcome`?"),
        "{printed}"
    );
    assert_eq!(check(folder.path()).0, 1);
}

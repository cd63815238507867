//! `sickbay check` as people and pipelines meet it: real files, the printed text, the exit code.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use sickbay::cli::check::{CheckArgs, Output, run};
use std::path::PathBuf;

const GOOD: &str = r#"version: 1
playbooks:
  - name: web
    matchers:
      - alertname = "Down"
    target: {container: web-1}
    steps:
      - restart: {}
    on_failure:
      - notify: {to: [chat], message: "{{ target.name }} did not recover."}
"#;

struct Rules(tempfile::TempDir);

impl Rules {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Checks, and gives the exit code and what was printed, with the directory's name left out.
    fn check(&self, args: &CheckArgs, stdin: &str) -> (u8, String) {
        let mut out = Vec::new();
        let code = run(args, false, &mut stdin.as_bytes(), &mut out).unwrap();
        let printed = String::from_utf8(out).unwrap().replace(&format!("{}/", self.0.path().display()), "");
        (code, printed.replace(&self.0.path().display().to_string(), "DIR"))
    }

    fn check_paths(&self, names: &[&str]) -> (u8, String) {
        let paths = names.iter().map(|name| if *name == "-" { PathBuf::from("-") } else { self.path(name) }).collect();
        self.check(&CheckArgs { paths, ..CheckArgs::default() }, "")
    }
}

#[test]
fn what_is_right_is_counted() {
    let rules = Rules::new(&[("a.yaml", GOOD)]);
    let expected = "Checking 'a.yaml'  SUCCESS\nFound:\n - 1 playbook\n - 4 steps\n - 0 warnings\n\n";
    assert_eq!(rules.check_paths(&["a.yaml"]), (0, expected.to_owned()));
}

#[test]
fn a_mistake_is_drawn_where_it_stands() {
    let rules = Rules::new(&[("a.yaml", &GOOD.replace("restart: {}", "restrat: {}"))]);
    let (code, printed) = rules.check_paths(&["a.yaml"]);
    let expected = "Checking 'a.yaml'  FAILED: 1 error, 0 warnings

playbook.unknown-key

  × unknown key `restrat` in a step
   ╭─[a.yaml:8:9]
 7 │     steps:
 8 │       - restrat: {}
   ·         ───────
 9 │     on_failure:
   ╰────
  help: did you mean `restart`?

sickbay: error: failed to validate 1 file
";
    assert_eq!((code, printed.as_str()), (1, expected));
}

#[test]
fn a_mistake_within_a_condition_is_drawn_within_its_text() {
    let text = GOOD.replace("    steps:", "    if: target.state == \"exited\" && targt.exit_code != 0\n    steps:");
    let rules = Rules::new(&[("a.yaml", &text)]);
    let (code, printed) = rules.check_paths(&["a.yaml"]);
    let expected = "Checking 'a.yaml'  FAILED: 1 error, 0 warnings

playbook.condition

  × unknown name `targt`
   ╭─[a.yaml:7:37]
 6 │     target: {container: web-1}
 7 │     if: target.state == \"exited\" && targt.exit_code != 0
   ·                                     ─────
 8 │     steps:
   ╰────
  help: did you mean `target`?

sickbay: error: failed to validate 1 file
";
    assert_eq!((code, printed.as_str()), (1, expected));
}

#[test]
fn intervals_are_shared_by_the_files_of_a_directory_and_every_mistake_is_shown() {
    let muted = GOOD.replace("    target:", "    mute_time_intervals: [freeze, nights]\n    target:");
    let freeze = "version: 1\ntime_intervals:\n  - name: freeze\n    time_intervals:\n      - months: [december]\n";
    let rules = Rules::new(&[("a.yaml", &muted), ("b.yaml", freeze)]);
    let (code, printed) = rules.check_paths(&[""]);
    assert_eq!(code, 1, "{printed}");
    assert!(printed.contains("there is no time interval `nights`") && !printed.contains("`freeze`"), "{printed}");
    assert!(printed.contains("[a.yaml:6:35]") && printed.contains("Checking 'b.yaml'  SUCCESS"), "{printed}");
    let nights =
        "  - name: nights\n    time_intervals:\n      - times: [{start_time: \"22:00\", end_time: \"6:00\"}]\n";
    std::fs::write(rules.path("b.yaml"), format!("{freeze}{nights}      - location: Local\n")).unwrap();
    let (code, printed) = rules.check_paths(&[""]);
    assert_eq!(code, 1, "{printed}");
    assert!(printed.contains("FAILED: 2 errors") && printed.contains("`6:00` is not a time of day"), "{printed}");
    assert!(printed.contains("`Local` is another time"), "{printed}");
    std::fs::write(rules.path("b.yaml"), format!("{freeze}{}", nights.replace("6:00", "24:00"))).unwrap();
    assert_eq!(rules.check_paths(&[""]).0, 0);
}

#[test]
fn all_files_of_a_directory_are_checked_before_it_fails() {
    let bad = GOOD.replace("version: 1", "version: 2").replace("web", "api");
    let rules = Rules::new(&[
        ("a.yaml", &bad),
        ("b.yml", GOOD),
        ("b.test.yaml", "tests: []"),
        ("c.yaml", &bad),
        ("d.txt", "x"),
    ]);
    let (code, printed) = rules.check_paths(&["", "b.test.yaml"]);
    let verdicts: Vec<&str> = printed.lines().filter(|line| line.starts_with("Checking")).collect();
    assert_eq!(code, 1);
    let expected = [
        "Checking 'a.yaml'  FAILED: 1 error, 0 warnings",
        "Checking 'b.yml'  SUCCESS",
        // The version is wrong and the name is taken.
        "Checking 'c.yaml'  FAILED: 2 errors, 0 warnings",
        "Checking 'b.test.yaml'  SKIPPED: holds tests, not rules",
    ];
    assert_eq!(verdicts, expected, "{printed}");
    assert!(printed.ends_with("sickbay: error: failed to validate 2 files\n"), "{printed}");
}

#[test]
fn a_file_that_cannot_be_read_fails_with_the_reason() {
    let rules = Rules::new(&[]);
    std::fs::write(rules.path("latin1.yaml"), b"version: 1\n# caf\xe9\n").unwrap();
    let (code, printed) = rules.check_paths(&["missing.yaml", "latin1.yaml"]);
    assert_eq!(code, 1);
    assert!(printed.contains("cannot be opened"), "{printed}");
    assert!(printed.contains("line 2 is not UTF-8"), "{printed}");
    std::fs::remove_file(rules.path("latin1.yaml")).unwrap();
    let (code, printed) = rules.check_paths(&[""]);
    assert_eq!(code, 1);
    assert!(printed.contains("names no rules file"), "{printed}");
}

#[test]
fn standard_input_is_a_file_called_dash() {
    let rules = Rules::new(&[]);
    let args = CheckArgs { paths: vec![PathBuf::from("-")], ..CheckArgs::default() };
    let (code, printed) = rules.check(&args, GOOD);
    assert_eq!((code, printed.starts_with("Checking '-'  SUCCESS\n")), (0, true), "{printed}");
    let (code, printed) = rules.check(&args, "");
    assert_eq!((code, printed.contains("the file is empty")), (1, true), "{printed}");
}

#[test]
fn lint_findings_fail_only_if_asked_to() {
    let rules = Rules::new(&[("a.yaml", &GOOD.replace("restart: {}", "restart: {}\n      - verify: none"))]);
    let mut args = CheckArgs { paths: vec![rules.path("a.yaml")], ..CheckArgs::default() };
    let (code, printed) = rules.check(&args, "");
    assert_eq!(code, 0);
    assert!(printed.contains("SUCCESS") && printed.contains(" - 1 warning\n") && printed.contains("⚠ "), "{printed}");
    args.lint_fatal = true;
    assert_eq!(rules.check(&args, "").0, 3);
    std::fs::write(rules.path("b.yaml"), "version: 3\n").unwrap();
    args.paths.push(rules.path("b.yaml"));
    assert_eq!(rules.check(&args, "").0, 1);
}

#[test]
fn the_json_has_every_problem_with_its_place() {
    let rules = Rules::new(&[("a.yaml", &GOOD.replace("restart: {}", "restrat: {}"))]);
    let args = CheckArgs { paths: vec![rules.path("a.yaml")], output: Output::Json, ..CheckArgs::default() };
    let (code, printed) = rules.check(&args, "");
    let report: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((code, &report["errors"], &report["warnings"]), (1, &1.into(), &0.into()));
    let problem = &report["files"][0]["problems"][0];
    assert_eq!((&problem["line"], &problem["column"], &problem["length"]), (&8.into(), &9.into(), &7.into()));
    assert_eq!((&problem["severity"], &problem["code"]), (&"error".into(), &"playbook.unknown-key".into()));
    assert_eq!(problem["hint"], "did you mean `restart`?");
}

fn with_settings(rules: &Rules, text: &str, paths: &[&str]) -> (u8, String) {
    std::fs::write(rules.path("sickbay.yml"), text).unwrap();
    let paths = paths.iter().map(|name| rules.path(name)).collect();
    let args = CheckArgs { paths, config_file: Some(rules.path("sickbay.yml")), ..CheckArgs::default() };
    rules.check(&args, "")
}

#[test]
fn with_settings_the_notifiers_must_exist() {
    let rules = Rules::new(&[("a.yaml", GOOD)]);
    let named = |name: &str| {
        format!(
            "rules: {{paths: [\"*.yaml\"]}}\nnotifiers: [{{name: {name}, http: {{url: \"http://127.0.0.1:1/\"}}}}]\n"
        )
    };
    let (code, printed) = with_settings(&rules, &named("chat"), &[]);
    assert_eq!(code, 0, "{printed}");
    assert!(printed.starts_with("Checking 'sickbay.yml'  SUCCESS\n\nChecking 'a.yaml'  SUCCESS\n"), "{printed}");
    let (code, printed) = with_settings(&rules, &named("pager"), &["a.yaml"]);
    assert_eq!(code, 1);
    assert!(printed.contains("no notifier is called `chat`"), "{printed}");
    assert!(printed.contains("help: the settings have: pager, log"), "{printed}");
}

#[test]
fn wrong_settings_are_shown_with_their_place_and_the_rules_are_checked_all_the_same() {
    let rules = Rules::new(&[("a.yaml", GOOD)]);
    let (code, printed) = with_settings(&rules, "web:\n  listn: x\n", &["a.yaml"]);
    assert_eq!(code, 1);
    assert!(printed.starts_with("Checking 'sickbay.yml'  FAILED\n  sickbay.yml:2:3: "), "{printed}");
    assert!(printed.contains("Checking 'a.yaml'  SUCCESS"), "{printed}");
}

#[test]
fn every_problem_can_be_drawn_whatever_the_text() {
    for text in ["\u{feff}", "a: \u{1f642}\u{1f642} b\n\t", "\r\n\r\nversion: 2\r\n", "version: [", "\"", "é: é"] {
        let rules = Rules::new(&[("a.yaml", text)]);
        let (code, printed) = rules.check_paths(&["a.yaml"]);
        assert_eq!((code, printed.contains("a.yaml:")), (1, true), "{text:?}: {printed}");
    }
}

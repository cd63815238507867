//! `sickbay check` as people and pipelines meet it: real files, the printed text, the exit code.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use sickbay::cli::check::{CheckArgs, Format, run};
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
        ("b.test.yaml", "playbook_files: [b.yml]\ntests:\n  - name: t\n    expect: [{at: 1m, runs: []}]\n"),
        ("c.yaml", &bad),
        ("d.txt", "x"),
    ]);
    let (code, printed) = rules.check_paths(&[""]);
    let verdicts: Vec<&str> = printed.lines().filter(|line| line.starts_with("Checking")).collect();
    assert_eq!(code, 1);
    let expected = [
        "Checking 'a.yaml'  FAILED: 1 error, 0 warnings",
        "Checking 'b.yml'  SUCCESS",
        // The version is wrong and the name is taken.
        "Checking 'c.yaml'  FAILED: 2 errors, 0 warnings",
        "Checking 'b.test.yaml'  SUCCESS",
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
fn whoever_names_nothing_and_has_an_empty_standard_input_has_named_nothing() {
    for command in ["check", "permissions"] {
        let mut sickbay = std::process::Command::new(env!("CARGO_BIN_EXE_sickbay"));
        let output = sickbay.arg(command).stdin(std::process::Stdio::null()).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(2), "{command}: {printed}");
        assert!(printed.contains("name rules files or a directory"), "{command}: {printed}");
    }
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
    let args = CheckArgs { paths: vec![rules.path("a.yaml")], output: Format::Json, ..CheckArgs::default() };
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
    assert!(printed.starts_with("Checking 'sickbay.yml'  FAILED: 1 error\n"), "{printed}");
    assert!(printed.contains("sickbay.yml:2:3]") && printed.contains("listn: "), "{printed}");
    assert!(printed.contains("Checking 'a.yaml'  SUCCESS"), "{printed}");
}

#[test]
fn all_problems_of_the_settings_come_at_once_and_in_the_shape_of_any_other() {
    let rules = Rules::new(&[("a.yaml", GOOD)]);
    let text = "webb: {}\nweb:\n  api_token: s3cret\n  listn: s3cret\nlimits: {max_parallel: many, global: 5}\n";
    std::fs::write(rules.path("sickbay.yml"), text).unwrap();
    let args = |output| CheckArgs {
        paths: vec![rules.path("a.yaml")],
        config_file: Some(rules.path("sickbay.yml")),
        output,
        ..CheckArgs::default()
    };
    let (code, printed) = rules.check(&args(Format::Json), "");
    let report: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let place = |problem: &serde_json::Value| {
        let [line, column, offset, length] =
            ["line", "column", "offset", "length"].map(|part| problem[part].as_u64().unwrap());
        let [start, end] = [offset, offset + length].map(|at| usize::try_from(at).unwrap());
        assert_eq!((&problem["severity"], &problem["code"]), (&"error".into(), &"settings".into()));
        (line, column, text.get(start..end).unwrap())
    };
    let places: Vec<_> = report["settings"]["problems"].as_array().unwrap().iter().map(place).collect();
    assert_eq!(places, [(1, 1, "webb"), (3, 14, "s3cret"), (4, 3, "listn"), (5, 24, "many"), (5, 38, "5")]);
    assert_eq!((code, &report["errors"]), (1, &5.into()));
    for output in [Format::Text, Format::Github, Format::Sarif, Format::Json] {
        let (_, printed) = rules.check(&args(output), "");
        assert!(!printed.contains("s3cret"), "{printed}");
        assert!(printed.contains("must be a list") && !printed.contains("sequence"), "{printed}");
    }
}

/// Every file of `tests/fixtures/settings` says about itself what is wrong with it, as the playbooks of
/// `tests/fixtures/playbooks/invalid` do.
#[test]
fn broken_settings_are_told_where_they_are_broken_and_what_to_do() {
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/settings");
    let mut files: Vec<_> = std::fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(20 <= files.len());
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let args = ["check", "-o", "json", "--config.file", file.to_str().unwrap(), "rules"];
        let (_, printed) = sickbay(&args, &[]);
        let report: serde_json::Value =
            serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
        let told = |problem: &serde_json::Value| {
            let number = |part: &str| usize::try_from(problem[part].as_u64().unwrap()).unwrap();
            let marked = text.get(number("offset")..number("offset") + number("length")).unwrap();
            let word = |part: &str| problem[part].as_str().unwrap_or_default();
            let hint = if word("hint").is_empty() { String::new() } else { format!(" | {}", word("hint")) };
            let (line, column) = (number("line"), number("column"));
            format!("# expect {line}:{column} {} \u{ab}{marked}\u{bb}: {}{hint}", word("code"), word("message"))
        };
        let got: Vec<String> = report["settings"]["problems"].as_array().unwrap().iter().map(told).collect();
        let want: Vec<&str> = text.lines().take_while(|line| line.starts_with("# expect ")).collect();
        let name = file.file_name().unwrap().to_string_lossy();
        if got != want {
            wrong.push(format!("{name}:\n{}", got.join("\n")));
        }
        for secret in ["s3cret", "hunter2"] {
            for output in ["text", "json", "github", "sarif"] {
                let (_, printed) = sickbay(&["check", "-o", output, "--config.file", file.to_str().unwrap()], &[]);
                assert!(!printed.contains(secret), "{name}: {printed}");
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_wrong_variable_is_named_as_the_place_beside_the_mistakes_of_the_file() {
    let rules = Rules::new(&[("a.yaml", GOOD)]);
    let file = rules.path("sickbay.yml");
    std::fs::write(&file, "web:\n  listn: x\nlimits: {storm: {per: 1 minute}}\n").unwrap();
    let env = [
        ("SICKBAY__LOG__LEVEL", "loud"),
        ("SICKBAY__DRY_RUN", "perhaps"),
        ("SICKBAY__WEB__LISTEN_ADRESS", "s3cret"),
        ("SICKBAY__WEB__API_TOKEN", "s3cret"),
        ("SICKBAY__WEBHOOK__SENDERS", "s3cret"),
    ];
    let file = file.to_str().unwrap().to_owned();
    let (code, printed) = sickbay(&["check", "--config.file", &file], &env);
    let flat = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(code, Some(1), "{printed}");
    for words in [
        "FAILED: 7 errors",
        "`web.listn`: unknown key `listn`",
        "`limits.storm.per`: `1 minute` is not a duration",
        "`log.level`: must be one of debug, info, warn, error (set by SICKBAY__LOG__LEVEL)",
        "`dry_run`: must be true or false (set by SICKBAY__DRY_RUN)",
        "`web.listen_adress`: unknown key `listen_adress` (set by SICKBAY__WEB__LISTEN_ADRESS)",
        "did you mean `listen_address`?",
        "`web.api_token`: is shorter than 16 characters",
        "(set by SICKBAY__WEB__API_TOKEN)",
        "`webhook.senders`: is a list, which no variable can hold (set by SICKBAY__WEBHOOK__SENDERS)",
    ] {
        assert!(flat.contains(words), "{words}: {printed}");
    }
    assert!(!printed.contains("s3cret"), "{printed}");
    for output in ["json", "github", "sarif"] {
        let (_, printed) = sickbay(&["check", "-o", output, "--config.file", &file], &env);
        assert!(!printed.contains("s3cret") && printed.contains("SICKBAY__LOG__LEVEL"), "{printed}");
    }
}

#[test]
fn every_problem_can_be_drawn_whatever_the_text() {
    for text in ["\u{feff}", "a: \u{1f642}\u{1f642} b\n\t", "\r\n\r\nversion: 2\r\n", "version: [", "\"", "é: é"] {
        let rules = Rules::new(&[("a.yaml", text)]);
        let (code, printed) = rules.check_paths(&["a.yaml"]);
        assert_eq!((code, printed.contains("a.yaml:")), (1, true), "{text:?}: {printed}");
    }
}

#[test]
fn a_file_named_twice_is_checked_once() {
    let rules = Rules::new(&[("a.yaml", GOOD)]);
    let (code, printed) = rules.check_paths(&["", "a.yaml", "", "./a.yaml"]);
    assert_eq!((code, printed.matches("Checking").count()), (0, 1), "{printed}");
}

#[test]
fn a_github_workflow_gets_a_command_for_each_problem() {
    let text = GOOD.replace("restart: {}", "restrat: {}\n      - wait: 10");
    let rules = Rules::new(&[("a.yaml", &text), ("b.yaml", "")]);
    let args = CheckArgs { paths: vec![rules.path("")], output: Format::Github, ..CheckArgs::default() };
    let (code, printed) = rules.check(&args, "");
    let expected = "\
::error file=a.yaml,line=8,endLine=8,col=9,endColumn=15,title=playbook.unknown-key::unknown key `restrat` in a step%0Adid you mean `restart`?
::error file=a.yaml,line=9,endLine=9,col=15,endColumn=16,title=playbook.duration::`wait` is not a duration: `10` is not a duration: it has no unit, did you mean `10s`?%0Awrite digits and units as Prometheus does: `90s`, `5m`, `1h30m`
::error file=b.yaml,line=1,endLine=1,col=1,endColumn=1,title=file.empty::the file is empty%0Astart it with `version: 1` and a list of `playbooks`
";
    assert_eq!((code, printed.as_str()), (1, expected));
}

#[test]
fn sarif_names_rule_file_and_region_of_each_problem() {
    let text = GOOD.replace("restart: {}", "wait: {b: \"ää\", restrat: 1}");
    let rules = Rules::new(&[("ä b.yaml", &text)]);
    std::fs::write(rules.path("settings"), "web:\n  listn: x\n").unwrap();
    let args = CheckArgs {
        paths: vec![rules.path("")],
        output: Format::Sarif,
        config_file: Some(rules.path("settings")),
        ..CheckArgs::default()
    };
    let (code, printed) = rules.check(&args, "");
    let log: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((code, &log["version"], log["$schema"].is_string()), (1, &"2.1.0".into(), true));
    let run = &log["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let settings = &run["results"][0];
    assert_eq!((&settings["ruleId"], &settings["level"]), (&"settings".into(), &"error".into()));
    assert_eq!(settings["locations"][0]["physicalLocation"]["region"]["startLine"], 2);
    for result in run["results"].as_array().unwrap() {
        let rule = &run["tool"]["driver"]["rules"][usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(rule["help"]["text"].is_string() && rule["shortDescription"]["text"].is_string(), "{rule}");
        assert!(result["message"]["text"].as_str().unwrap().contains(' '), "{result}");
    }
    let place = &run["results"][1]["locations"][0]["physicalLocation"];
    let region = serde_json::json!({
        "startLine": 8, "startColumn": 15, "endLine": 8, "endColumn": 36, "snippet": {"text": "{b: \"ää\", restrat: 1}"}
    });
    assert_eq!(place["region"], region);
    // Outside of the working directory a file goes by its whole path.
    let uri = place["artifactLocation"]["uri"].as_str().unwrap();
    assert!(uri.starts_with("file://") && uri.ends_with("%C3%A4%20b.yaml"), "{uri}");
    let relative = CheckArgs { paths: vec!["Cargo.toml".into()], output: Format::Sarif, ..CheckArgs::default() };
    let (_, printed) = rules.check(&relative, "");
    let log: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let artifact = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"];
    assert_eq!(artifact, &serde_json::json!({"uri": "Cargo.toml", "uriBaseId": "%SRCROOT%"}));
}

#[test]
fn a_long_line_is_cut_around_the_mistake() {
    let filler = "ä".repeat(5000);
    let rules = Rules::new(&[("a.yaml", &GOOD.replace("restart: {}", &format!("{{wait: 1s, nme: {filler}}}")))]);
    let (code, printed) = rules.check_paths(&["a.yaml"]);
    assert_eq!(code, 1);
    assert!(printed.contains("a.yaml:8:20]"), "{printed}");
    let marked = printed.lines().find(|line| line.contains("nme: ")).unwrap();
    assert!(marked.ends_with('…') && marked.chars().count() < 250, "{marked}");
    let far = format!("# x\nversion: 1\nplaybooks: {{a: {filler}, b: \"\"}}\n");
    let rules = Rules::new(&[("a.yaml", &far.replace("b: ", "a: "))]);
    let (_, printed) = rules.check_paths(&["a.yaml"]);
    let underlined = printed.lines().skip_while(|line| !line.contains("a.yaml:3:5018]")).nth(2).unwrap();
    assert!(underlined.contains("│ …ä") && underlined.contains("ä, a: \"\"}"), "{printed}");
}

fn sickbay(args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sickbay"));
    let ended = command.args(args).envs(env.iter().copied()).output().unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    (ended.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn a_directory_holds_the_same_files_however_its_name_is_written() {
    let rules = Rules::new(&[]);
    std::fs::create_dir(rules.path("rules")).unwrap();
    std::fs::write(rules.path("rules/a.yaml"), GOOD).unwrap();
    std::fs::write(rules.path("rules/a.test.yaml"), "version: 1\ntests: [{nam: a}]\n").unwrap();
    for (from, name) in
        [("", "rules"), ("", "rules/"), ("", "./rules"), ("", "./rules/"), ("rules", "."), ("rules", "../rules/.")]
    {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sickbay"));
        let ended = command.args(["check", name]).current_dir(rules.path(from)).output().unwrap();
        let said = String::from_utf8(ended.stdout).unwrap();
        assert!(said.contains("unknown key `nam`") && ended.status.code() == Some(1), "{name}: {said}");
    }
}

#[test]
fn an_address_that_is_none_is_wrong_usage() {
    for url in ["nonsense", "ftp://a:1", "/x", "http://a/?b=c", ""] {
        for command in ["status", "healthcheck", "reload", "resume", "pause", "reset"] {
            let (code, said) = sickbay(&[command, "--url", url], &[]);
            assert_eq!(code, Some(2), "{command} {url}: {said}");
            assert!(said.contains("--url"), "{command} {url}: {said}");
        }
    }
}

#[test]
fn a_pipe_nobody_writes_to_holds_nothing_up() {
    let rules = Rules::new(&[("a.yaml", GOOD)]);
    let pipe = rules.path("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    let (code, printed) = rules.check_paths(&["pipe"]);
    assert_eq!((code, printed.contains("the file is empty")), (1, true), "{printed}");
    let (code, printed) = with_settings(&rules, "web: {api_token_file: pipe}\n", &["a.yaml"]);
    assert_eq!(
        (code, printed.contains("pipe is empty") && printed.contains("help: write the secret into it")),
        (1, true),
        "{printed}"
    );
    let args = CheckArgs { paths: vec![rules.path("a.yaml")], config_file: Some(pipe), ..CheckArgs::default() };
    let (_, printed) = rules.check(&args, "");
    assert!(printed.starts_with("Checking 'pipe'  SUCCESS"), "settings of which nothing is said: {printed}");
    let endless = CheckArgs { config_file: Some("/dev/zero".into()), ..CheckArgs::default() };
    let (code, printed) = rules.check(&endless, "");
    assert_eq!((code, printed.contains("1 MiB")), (1, true), "{printed}");
}

#[test]
fn a_variable_of_the_wrong_kind_is_told_in_words() {
    for (variable, words) in [
        ("SICKBAY__WEB", "is a map of keys"),
        ("SICKBAY__LIMITS__STORM", "is a map of keys"),
        ("SICKBAY__NOTIFIERS", "is a list, which no variable can hold"),
        ("SICKBAY__LIMITS__MAX_PARALLEL", "must be a whole number"),
        ("SICKBAY__DRY_RUN", "must be true or false"),
    ] {
        let (code, said) = sickbay(&["check", "--config.file=deploy/sickbay.yml", "rules"], &[(variable, "x")]);
        assert_eq!(code, Some(1), "{variable}: {said}");
        assert!(said.contains(words) && said.contains(variable) && !said.contains("Raw"), "{variable}: {said}");
    }
}

#[test]
fn what_a_playbook_really_means_is_printed_as_a_playbook() {
    let rules = Rules::new(&[("a.yaml", GOOD)]);
    let args = CheckArgs { paths: vec![rules.path("a.yaml")], print_effective: true, ..CheckArgs::default() };
    let (code, printed) = rules.check(&args, "");
    assert_eq!(code, 0, "{printed}");
    for line in
        ["enabled: true", "cooldown: 5m", "- capture:", "logs: 50", "- verify:", "stable_for: 10s", "severity: info"]
    {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    let again = CheckArgs { paths: vec![PathBuf::from("-")], lint_fatal: true, ..CheckArgs::default() };
    let (code, said) = rules.check(&again, &printed);
    assert_eq!((code, said.contains(" - 4 steps")), (0, true), "{said}");
    std::fs::write(rules.path("a.yaml"), GOOD.replace("restart", "restrat")).unwrap();
    let (code, printed) = rules.check(&args, "");
    assert_eq!((code, printed.contains("did you mean `restart`?")), (1, true), "{printed}");
}

#[test]
fn nothing_in_a_rules_file_reaches_a_terminal_as_a_command() {
    let rules = Rules::new(&[("a.yaml", "version: 1\n\"\\e[31mred\\u202e\": 1\nplaybooks: []\n")]);
    for format in [Format::Text, Format::Github, Format::Sarif, Format::Json] {
        let args = CheckArgs { paths: vec![rules.path("a.yaml")], output: format, ..CheckArgs::default() };
        let (code, printed) = rules.check(&args, "");
        assert_eq!(code, 1, "{printed}");
        let obeyed = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!printed.contains(obeyed), "{printed:?}");
        assert!(printed.contains("[31mred"), "{printed}");
    }
}

#[test]
fn warnings_past_those_shown_are_no_error() {
    let playbook = |n: usize| {
        format!(
            "  - name: p{n}\n    matchers:\n      - a{n} =~ \"x$y\"\n    steps:\n      - notify: {{to: [log], message: m}}\n"
        )
    };
    let text = (0..101).map(playbook).fold("version: 1\nplaybooks:\n".to_owned(), |all, one| all + &one);
    let rules = Rules::new(&[("many.yaml", &text)]);
    let (code, printed) = rules.check_paths(&["many.yaml"]);
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("SUCCESS") && printed.contains("beyond the first 100, not shown"), "{printed}");
}

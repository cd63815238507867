//! The JSON Schemas: committed as they are generated, and true of every file that is read. What editors underline is
//! wrong, and what `check` refuses for its shape they underline.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use jsonschema::Validator;
use serde_json::Value;
use sickbay::playbook::{RuleFile, load};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const OF: [&str; 4] = ["playbooks", "tests", "settings", "records"];

fn root() -> &'static Path {
    Path::new(ROOT)
}

fn printed(of: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sickbay")).args(["schema", of]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn validator(of: &str) -> Validator {
    let schema: Value = serde_json::from_str(&printed(of)).unwrap();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    jsonschema::draft7::meta::validate(&schema).unwrap_or_else(|error| panic!("{of}: {error}"));
    jsonschema::draft7::new(&schema).unwrap()
}

fn yaml(path: &Path) -> Option<Value> {
    parsed(&std::fs::read_to_string(path).unwrap())
}

/// As an editor reads it: YAML 1.2, where `no` is a text.
fn parsed(text: &str) -> Option<Value> {
    serde_saphyr::from_str_with_options(text, serde_saphyr::options! { strict_booleans: true }).ok()
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|tail| tail == "yaml"));
    paths.sort();
    paths
}

fn is_test(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".test.yaml")
}

fn errors(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_committed_schemas_are_current() {
    for of in OF {
        let path = root().join(format!("schema/{of}.schema.json"));
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == printed(of), "run: sickbay schema {of} > schema/{of}.schema.json");
    }
    let committed: BTreeSet<String> = std::fs::read_dir(root().join("schema"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(committed, OF.iter().map(|of| format!("{of}.schema.json")).collect());
}

#[test]
fn every_playbook_that_loads_is_valid() {
    let validator = validator("playbooks");
    let mut seen = 0;
    for folder in
        ["rules", "tests/fixtures/playbooks/valid", "tests/fixtures/playbooks/lint", "tests/fixtures/playbooks"]
    {
        for path in files(folder).iter().filter(|path| !is_test(path)) {
            let errors = errors(&validator, &yaml(path).unwrap());
            assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
            seen += 1;
        }
    }
    assert!(30 <= seen, "only {seen} files");
}

#[test]
fn every_test_file_is_valid_and_a_mistyped_one_is_not() {
    let validator = validator("tests");
    let paths: Vec<PathBuf> =
        ["rules", "docs/cookbook"].into_iter().flat_map(files).filter(|path| is_test(path)).collect();
    assert!(8 <= paths.len(), "{paths:?}");
    for path in paths {
        let value = yaml(&path).unwrap();
        let errors = errors(&validator, &value);
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
        let text = std::fs::read_to_string(&path).unwrap();
        for (right, wrong) in [("expect:", "expct:"), ("input:", "inputs:"), ("tests:", "test:")] {
            let mistyped = parsed(&text.replacen(right, wrong, 1)).unwrap();
            assert!(!validator.is_valid(&mistyped), "{}: {wrong}", path.display());
        }
    }
}

/// Codes of what more than the shape of a file decides, or what no JSON Schema can say.
const BEYOND_SHAPE: [&str; 24] = [
    "file.empty",
    "playbook.approval",
    "playbook.attempts",
    "playbook.condition",
    "playbook.contradiction",
    "playbook.duplicate-name",
    "playbook.http",
    "playbook.limits",
    "playbook.matcher",
    "playbook.matches-everything",
    "playbook.notify",
    "playbook.on-denied",
    "playbook.on-failure",
    "playbook.on-resolved",
    "playbook.regex-size",
    "playbook.step-id",
    "playbook.step-timeout",
    "playbook.target",
    "playbook.template",
    "playbook.time-interval",
    "playbook.unknown-interval",
    "playbook.unknown-name",
    "playbook.unknown-step",
    "playbook.url",
];

#[test]
fn what_check_refuses_for_its_shape_is_not_valid() {
    let validator = validator("playbooks");
    let (mut refused, mut passed) = (0, Vec::new());
    for path in files("tests/fixtures/playbooks/invalid") {
        let text = std::fs::read_to_string(&path).unwrap();
        let loaded = load(&[RuleFile { path: "t.yaml".to_owned(), text }]);
        let shape: BTreeSet<&str> = loaded
            .problems
            .iter()
            .map(|problem| problem.code)
            .filter(|code| !code.starts_with("lint.") && !code.starts_with("yaml.") && !BEYOND_SHAPE.contains(code))
            .collect();
        let Some(value) = yaml(&path).filter(|_| !shape.is_empty()) else { continue };
        if validator.is_valid(&value) {
            passed.push(format!("{}: {shape:?}", path.file_name().unwrap().display()));
        } else {
            refused += 1;
        }
    }
    assert!(60 <= refused, "only {refused} files");
    // A bound that depends on another key, or on the whole list of steps.
    let known = [
        "attempt-steps-empty.yaml: {\"playbook.steps\"}",
        "limits-zero-per.yaml: {\"playbook.duration\"}",
        "on-resolved-empty.yaml: {\"playbook.steps\"}",
        "restart-fraction-of-a-second.yaml: {\"playbook.stop-timeout\"}",
        "restart-stop-timeout-too-long.yaml: {\"playbook.stop-timeout\"}",
        "scale-bounds-contradict.yaml: {\"playbook.scale\"}",
        "scale-by-nothing.yaml: {\"playbook.scale\"}",
        "scale-original-too-early.yaml: {\"playbook.scale\"}",
        "scale-original-without-scale.yaml: {\"playbook.scale\"}",
        "scale-up-without-max.yaml: {\"playbook.scale\"}",
        "step-timeout-zero.yaml: {\"playbook.duration\"}",
        "steps-empty.yaml: {\"playbook.steps\"}",
        "stop-timeout-too-long.yaml: {\"playbook.stop-timeout\"}",
        "update-limits-original-too-early.yaml: {\"playbook.update-limits\"}",
        "update-limits-original-without-raising.yaml: {\"playbook.update-limits\"}",
        "verify-every-too-short.yaml: {\"playbook.verify\"}",
        "verify-health-after-stop.yaml: {\"playbook.verify\"}",
        "verify-health-of-a-service.yaml: {\"playbook.verify\"}",
        "verify-replicas-of-a-container.yaml: {\"playbook.verify\"}",
        "verify-within-not-longer-than-every.yaml: {\"playbook.verify\"}",
        "wait-zero.yaml: {\"playbook.duration\"}",
    ];
    assert_eq!(passed, known);
}

#[test]
fn an_editor_finds_the_schema_of_every_file_we_ship() {
    let mut seen = 0;
    let kind = |path: PathBuf| if is_test(&path) { (path, "tests") } else { (path, "playbooks") };
    let mut shipped: Vec<(PathBuf, &str)> = ["rules", "docs/cookbook"].into_iter().flat_map(files).map(kind).collect();
    shipped.push((root().join("deploy/sickbay.yml"), "settings"));
    for (path, of) in shipped {
        let text = std::fs::read_to_string(&path).unwrap();
        let modeline =
            text.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=").unwrap_or_else(|| {
                panic!(
                    "{}: begins without `# yaml-language-server: $schema=../schema/{of}.schema.json`",
                    path.display()
                )
            });
        let schema = path.parent().unwrap().join(modeline);
        assert!(schema.ends_with(format!("schema/{of}.schema.json")) && schema.exists(), "{}", path.display());
        seen += 1;
    }
    assert!(15 <= seen);
}

#[test]
fn the_shipped_settings_are_valid() {
    let validator = validator("settings");
    let value = yaml(&root().join("deploy/sickbay.yml")).unwrap();
    assert_eq!(errors(&validator, &value), Vec::<String>::new());
}

#[test]
fn what_the_documentation_prints_is_valid() {
    for (kind, of) in [("```yaml playbook\n", "playbooks"), ("```yaml settings\n", "settings")] {
        let validator = validator(of);
        let mut seen = 0;
        for page in ["README.md", "docs/PLAYBOOKS.md"] {
            let text = std::fs::read_to_string(root().join(page)).unwrap();
            for block in text.split(kind).skip(1).filter_map(|rest| rest.split("```").next()) {
                let errors = errors(&validator, &parsed(block).unwrap());
                assert!(errors.is_empty(), "{page}: {errors:#?}\n{block}");
                seen += 1;
            }
        }
        assert!(0 < seen, "no block of the kind {kind}");
    }
}

/// Another validator has the same opinion, so that the schemas do not lean on a peculiarity of one.
#[test]
fn python_agrees() {
    let script = "
import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
for name in sys.argv[2:]:
    for line in open(name):
        print('valid' if validator.is_valid(json.loads(line)) else 'not valid')
";
    let folder = tempfile::tempdir().unwrap();
    let ours = validator("playbooks");
    let mut lines = String::new();
    let mut expected = String::new();
    for kind in ["valid", "invalid", "lint"] {
        for value in files(&format!("tests/fixtures/playbooks/{kind}")).iter().filter_map(|path| yaml(path)) {
            lines.push_str(&format!("{value}\n"));
            expected.push_str(if ours.is_valid(&value) { "valid\n" } else { "not valid\n" });
        }
    }
    let file = folder.path().join("values.jsonl");
    std::fs::write(&file, lines).unwrap();
    let mut python = Command::new("python3");
    python.args(["-c", script, "schema/playbooks.schema.json"]).arg(&file).current_dir(ROOT);
    let output = python.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "python3 with jsonschema (Debian's package python3-jsonschema): {said}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    let records = Command::new("python3")
        .args(["-c", script, "schema/records.schema.json", "incident_log.example.jsonl"])
        .current_dir(ROOT)
        .output()
        .unwrap();
    let answers = String::from_utf8(records.stdout).unwrap();
    assert!(answers.lines().all(|answer| answer == "valid") && 10 < answers.lines().count(), "{answers}");
}

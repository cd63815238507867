//! What `init` and `new` write: it passes `check`, is valid for editors, and takes the place of nothing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::{Command, Output};

fn sickbay(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sickbay")).args(args).current_dir(folder).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn succeeds(folder: &Path, args: &[&str]) -> String {
    let output = sickbay(folder, args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
    said(&output)
}

#[test]
fn a_directory_to_begin_with_passes_check() {
    for dir in ["new/place", "."] {
        let folder = tempfile::tempdir().unwrap();
        let args: Vec<&str> = if dir == "." { vec!["init"] } else { vec!["init", dir] };
        let printed = succeeds(folder.path(), &args);
        let place = folder.path().join(dir);
        for file in [
            "sickbay.yml",
            "rules/restart-unhealthy-container.yaml",
            "rules/restart-unhealthy-container.test.yaml",
            "schema/settings.schema.json",
            "schema/playbooks.schema.json",
            "schema/tests.schema.json",
        ] {
            assert!(place.join(file).exists() && printed.contains(file), "{file}: {printed}");
        }
        assert!(printed.contains("Next:") && printed.contains("sickbay check --config.file="), "{printed}");
        let settings = format!("--config.file={dir}/sickbay.yml");
        let checked = succeeds(folder.path(), &["check", "--lint-fatal", &settings]);
        assert!(checked.contains(" - 1 playbook") && checked.contains(" - 0 warnings"), "{checked}");
        let tested = succeeds(folder.path(), &["test", &format!("{dir}/rules")]);
        assert!(tested.contains("11 tests in 1 file: all passed"), "{tested}");
        // Each command of the next steps is one that exists.
        for command in printed.lines().filter_map(|line| line.trim_start().split_once(". sickbay ")) {
            let words = command.1.split("   ").next().unwrap();
            let args: Vec<&str> = words.split(' ').chain(["--help"]).collect();
            succeeds(folder.path(), &args);
        }
    }
}

#[test]
fn the_settings_are_valid_and_what_is_commented_out_is_right_too() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &["init"]);
    let text = std::fs::read_to_string(folder.path().join("sickbay.yml")).unwrap();
    // A line that is YAML but for its `# `: all of them at once.
    let uncommented: String = text
        .lines()
        .map(|line| match line.trim_start().strip_prefix("# ") {
            Some(rest) if rest.starts_with([' ', '-']) || (rest.ends_with(':') && !rest.contains(' ')) => {
                let indent = " ".repeat(line.len() - line.trim_start().len());
                format!("{indent}{rest}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    assert!(uncommented.contains("\nnotifiers:\n") && uncommented.contains("\n  hosts:\n"), "{uncommented}");
    let secret = folder.path().join("chat_url");
    std::fs::write(&secret, "http://127.0.0.1:1/").unwrap();
    let uncommented = uncommented.replace("/run/secrets/webhook_token", secret.to_str().unwrap());
    let schema: serde_json::Value = serde_json::from_str(&succeeds(folder.path(), &["schema", "settings"])).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    for text in [text, uncommented] {
        std::fs::write(folder.path().join("sickbay.yml"), &text).unwrap();
        succeeds(folder.path(), &["check", "--config.file=sickbay.yml"]);
        let value: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

#[test]
fn what_is_there_already_stays() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("rules")).unwrap();
    let mine = folder.path().join("rules/restart-unhealthy-container.yaml");
    std::fs::write(&mine, "mine").unwrap();
    let output = sickbay(folder.path(), &["init"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("is there already, and nothing was written"), "{}", said(&output));
    assert!(!folder.path().join("sickbay.yml").exists() && std::fs::read_to_string(&mine).unwrap() == "mine");
    let output = sickbay(folder.path(), &["new", "restart", "--dir", "rules"]);
    assert_eq!((output.status.code(), std::fs::read_to_string(&mine).unwrap().as_str()), (Some(1), "mine"));
    assert!(!folder.path().join("rules/restart-unhealthy-container.test.yaml").exists());
}

#[test]
fn each_starter_passes_check_under_the_name_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    for kind in ["restart", "scale", "notify"] {
        let printed = succeeds(folder.path(), &["new", kind, "my-own-2"]);
        assert!(
            printed.contains("- name: my-own-2") && printed.contains("# ") && !printed.contains("NAME"),
            "{printed}"
        );
        assert!(succeeds(folder.path(), &["new", kind]).contains("    description: "));
        let rules = format!("rules-{kind}");
        succeeds(folder.path(), &["new", kind, "my-own-2", "--dir", &rules]);
        let written = std::fs::read_to_string(folder.path().join(&rules).join("my-own-2.yaml")).unwrap();
        assert_eq!(written, printed, "there is no schema beside it");
        succeeds(folder.path(), &["check", "--lint-fatal", &rules]);
        assert!(!written.contains("enabled:"), "it is ready to act: {written}");
        // Each line of it is reached by a test.
        let tested = succeeds(folder.path(), &["test", "--coverage=fail", &rules]);
        assert!(tested.contains(" in 1 file: all passed"), "{tested}");
    }
    let output = sickbay(folder.path(), &["new", "restart", "My Own"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("cannot name a playbook"), "{}", said(&output));
}

#[test]
fn a_starter_beside_the_schemas_names_them() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &["init"]);
    succeeds(folder.path(), &["new", "notify", "tell", "--dir", "rules"]);
    for file in
        ["rules/tell.yaml", "rules/tell.test.yaml", "rules/restart-unhealthy-container.test.yaml", "sickbay.yml"]
    {
        let path = folder.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        let schema = text.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=").unwrap();
        assert!(path.parent().unwrap().join(schema).exists(), "{file}: {schema}");
    }
    succeeds(folder.path(), &["check", "--lint-fatal", "--config.file=sickbay.yml"]);
}

#[test]
fn starters_beside_each_other_take_alerts_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &["init"]);
    for (kind, name, alert) in [
        ("restart", "another", "ContainerUnhealthy2"),
        ("restart", "a-third", "ContainerUnhealthy3"),
        ("scale", "out", "QueueBacklog"),
        ("scale", "further-out", "QueueBacklog2"),
        ("notify", "tell", "HostDiskWillFillIn4Hours"),
        ("notify", "tell-more", "HostDiskWillFillIn4Hours2"),
    ] {
        let printed = succeeds(folder.path(), &["new", kind, name, "--dir", "rules"]);
        assert_eq!(
            printed.contains(&format!("its alert is called {alert},")),
            alert.ends_with(['2', '3']),
            "{printed}"
        );
        let written = std::fs::read_to_string(folder.path().join(format!("rules/{name}.yaml"))).unwrap();
        assert!(written.contains(&format!("- alertname = \"{alert}\"\n")), "{written}");
    }
    let checked = succeeds(folder.path(), &["check", "--lint-fatal", "--config.file=sickbay.yml"]);
    assert_eq!(checked.matches(" - 1 playbook\n - ").count(), 7, "{checked}");
    let tested = succeeds(folder.path(), &["test", "--coverage=fail", "rules"]);
    assert!(tested.contains(" in 7 files: all passed"), "{tested}");
}

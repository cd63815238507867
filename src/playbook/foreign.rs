//! Keys that belong to Prometheus, Alertmanager or another tool, and what is written here in their place.
//!
//! Asked only about a key that does not exist. Read [`instead`] first.

/// What to write in place of such a key; `None` if it is none that people know from elsewhere.
pub(super) fn instead(noun: &str, key: &str) -> Option<&'static str> {
    Some(match (noun, key) {
        ("a rules file", "groups" | "rules") => {
            "these are Prometheus' alerting rules: they stay where they are; a file of playbooks begins with `version: 1`"
        }
        ("a rules file", "route" | "receivers" | "global" | "inhibit_rules" | "templates") => {
            "this belongs into alertmanager.yml; a file of playbooks begins with `version: 1`"
        }
        ("a rules file", "tests" | "rule_files" | "rules_files" | "evaluation_interval") => {
            "this is a file of tests: name it *.test.yaml and give it to `sickbay test`"
        }
        ("a playbook", "match" | "matcher" | "match_re" | "alert" | "alertname" | "labels" | "on") => {
            "write `matchers:`, and below it `- alertname = \"NAME\"`"
        }
        ("a playbook", "expr" | "for" | "query") => {
            "when an alert fires is said in Prometheus' rules; here `if: alert.age > duration(\"5m\")` can wait for longer"
        }
        ("a playbook", "repeat_interval" | "group_wait" | "group_interval" | "group_by" | "continue") => {
            "this belongs to Alertmanager's route; here `limits: {cooldown: 4h}` says how soon a target is treated again"
        }
        ("a playbook", "cooldown" | "runs" | "per" | "max_parallel" | "min_healthy" | "rate") => {
            "it belongs under `limits`, such as limits: {runs: 3, per: 1h, cooldown: 10m}"
        }
        ("a playbook", "actions" | "action" | "then" | "do" | "tasks" | "run") => {
            "write `steps:`, and below it `- restart: {}`"
        }
        ("a playbook" | "a step", "container" | "service" | "host" | "compose") => {
            "it belongs under the playbook's `target`, such as target: {container: \"{{ labels.container }}\"}"
        }
        ("a playbook", "receiver" | "receivers" | "notify") => {
            "people are told by a step: `- notify: {to: [log], message: \"…\"}`"
        }
        ("a step", "action" | "type" | "verb" | "uses") => "the verb itself is the key, such as `- restart: {}`",
        ("a step", "sleep" | "delay" | "pause") => "write `- wait: 30s`",
        ("a step", "webhook" | "url" | "curl" | "request") => "write `- http: {url: https://…, method: POST}`",
        ("a step", "slack" | "email" | "mail" | "message" | "alert" | "page") => {
            "write `- notify: {to: [NAME], message: \"…\"}`"
        }
        ("a step", "check" | "healthcheck" | "wait_for" | "assert") => "write `- verify: {within: 2m}`",
        ("`notify`", "receiver" | "receivers" | "channel" | "notifier") => "write `to: [NAME]`",
        ("`notify`", "text" | "body" | "description" | "summary") => "write `message: \"…\"`",
        ("`limits`", "for" | "window" | "interval" | "period" | "every" | "within") => "write `per: 1h`",
        ("`limits`", "max" | "count" | "limit" | "times") => "write `runs: 3`",
        ("`target`", "label" | "name" | "labels" | "id") => "write `container: \"{{ labels.container }}\"`",
        ("`http`", "data" | "json" | "payload") => "write `body: \"…\"`, as a text",
        ("`verify`", "timeout" | "for") => "write `within: 2m`",
        _ => return None,
    })
}

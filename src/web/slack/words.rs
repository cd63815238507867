//! What is said in Slack about a click.

use serde_json::{Value, json};

/// Slack takes 50; one is added.
const BLOCKS_MAX: usize = 45;

/// Words that only whoever has clicked sees.
pub(super) fn ephemeral(words: &str) -> Value {
    json!({"response_type": "ephemeral", "replace_original": false, "text": escaped(words)})
}

/// The message as it was, with a line more, and with its buttons or without.
pub(super) fn replaced(line: &str, blocks: &[Value], buttons: bool) -> String {
    let line = escaped(line);
    let kept = |block: &&Value| match block.get("type").and_then(Value::as_str) {
        Some("header" | "section" | "context") => true,
        Some("actions") => buttons,
        Some(_) | None => false,
    };
    let end = json!({"type": "context", "elements": [{"type": "mrkdwn", "text": line, "verbatim": true}]});
    let blocks: Vec<Value> = blocks.iter().filter(kept).take(BLOCKS_MAX).cloned().chain([end]).collect();
    json!({"replace_original": true, "text": line, "blocks": blocks}).to_string()
}

/// Slack's three signs, so that it shows the text and obeys nothing of it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

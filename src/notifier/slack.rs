//! Notices as messages in a channel of Slack, by an incoming webhook; a question carries the buttons Approve and Deny.
//!
//! All text is data: what Slack would take for markup, a mention or a link is escaped, and nothing is longer than Slack
//! takes. What cannot be shown whole carries no buttons, because people agree to what they have seen. Read
//! [`SlackNotifier::send`] first.

use super::http::{HttpConfig, HttpNotifier, NotifierError};
use super::pace::Pace;
use crate::model::approval::AskedPlan;
use crate::model::hidden::{by_number, hides};
use crate::model::notice::{Notice, NoticeOutcome};
use secrecy::SecretString;
use serde_json::{Value, json};

/// What Slack takes of a header, of one section and of the whole message's plain text, in UTF-16 units, with some room.
const HEADER_LEN_MAX: usize = 140;
const SECTION_LEN_MAX: usize = 2900;

/// How many sections a message has at most.
const SECTIONS_MAX: usize = 8;

/// Posts to one channel.
#[derive(Clone, Debug)]
pub struct SlackNotifier {
    http: HttpNotifier,
    buttons: bool,
}

impl SlackNotifier {
    /// Posts to this incoming webhook, with buttons or without.
    ///
    /// # Errors
    /// [`NotifierError`] naming the setting that is wrong.
    pub fn new(url: SecretString, buttons: bool, pace: Pace) -> Result<Self, NotifierError> {
        let config = HttpConfig { url, method: "POST".to_owned(), headers: Vec::new(), bearer_token: None };
        Ok(Self { http: HttpNotifier::new(&config, pace)?, buttons })
    }

    /// Sends a notice, a few times if need be.
    pub async fn send(&self, notice: &Notice, asks: Option<&AskedPlan>, repeat: bool) -> NoticeOutcome {
        let asks = asks.filter(|_| self.buttons);
        self.http.post(notice, &message(notice, asks, repeat).to_string()).await
    }

    /// Connects to Slack and says nothing.
    ///
    /// # Errors
    /// Why nobody can be reached there, without the URL.
    pub async fn knock(&self) -> Result<(), String> {
        self.http.knock().await
    }
}

fn message(notice: &Notice, asks: Option<&AskedPlan>, repeat: bool) -> Value {
    let (title, _) = pieces(&notice.title, (HEADER_LEN_MAX, 1));
    let title = title.into_iter().next().unwrap_or_default();
    let header = json!({"type": "header", "text": {"type": "plain_text", "text": title, "emoji": false}});
    let (texts, whole) = pieces(&notice.message, (SECTION_LEN_MAX, SECTIONS_MAX));
    let section = |text: String| json!({"type": "section", "text": mrkdwn(&text)});
    let again = if repeat { ", perhaps once more" } else { "" };
    let (incident, act, severity, playbook) = (notice.act.incident, notice.act, &notice.severity, &notice.playbook);
    let (foot, _) = pieces(&format!("{severity}, {playbook}, {incident}, {act}{again}"), (SECTION_LEN_MAX, 1));
    let foot = json!({"type": "context", "elements": [mrkdwn(&foot.concat())]});
    let buttons = match asks {
        None => None,
        Some(asks) if whole => Some(buttons(asks)),
        Some(_) => {
            let words = "This is too long to be decided here: look at the page, or use the command line.";
            Some(json!({"type": "section", "text": mrkdwn(words)}))
        }
    };
    let blocks: Vec<Value> =
        std::iter::once(header).chain(texts.into_iter().map(section)).chain([foot]).chain(buttons).collect();
    // Previews would have other machines call the links of a message.
    json!({"text": title, "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

/// Slack neither makes links of what looks like one, nor mentions of names, in a text that is `verbatim`.
fn mrkdwn(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

/// What is clicked names the approval and the whole plan; who clicks, Slack says.
fn buttons(asks: &AskedPlan) -> Value {
    let value = format!("{} {}", asks.approval, asks.plan);
    let button = |action: &str, text: &str, style: &str| {
        let text = json!({"type": "plain_text", "text": text, "emoji": false});
        json!({"type": "button", "action_id": action, "text": text, "style": style, "value": value})
    };
    let elements = [button("sickbay_approve", "Approve", "primary"), button("sickbay_deny", "Deny", "danger")];
    json!({"type": "actions", "block_id": format!("sickbay {}", asks.approval), "elements": elements})
}

/// The text escaped, in so many pieces of this length at most, and whether that is all of it. No piece is empty.
fn pieces(text: &str, (len_max, count_max): (usize, usize)) -> (Vec<String>, bool) {
    let mut pieces = Vec::new();
    let (mut piece, mut length) = (String::new(), 0);
    for letter in text.chars() {
        let shown = escaped(letter);
        let more = shown.chars().map(char::len_utf16).sum::<usize>();
        if len_max < length + more {
            if pieces.len() + 1 == count_max {
                piece.push('…');
                pieces.push(piece);
                return (pieces, false);
            }
            pieces.push(std::mem::take(&mut piece));
            length = 0;
        }
        piece.push_str(&shown);
        length += more;
    }
    if !piece.trim().is_empty() || pieces.is_empty() {
        pieces.push(if piece.trim().is_empty() { "-".to_owned() } else { piece });
    }
    (pieces, true)
}

/// A letter as Slack shows it and obeys nothing: its three signs escaped, and what is not seen or turns the direction of
/// text written by its number.
fn escaped(letter: char) -> String {
    match letter {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '\n' => "\n".to_owned(),
        letter if hides(letter) => by_number(letter),
        letter => letter.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{ActId, IncidentId, Seq};

    fn notice(title: &str, message: &str) -> Notice {
        Notice {
            act: ActId { incident: IncidentId(Seq(12)), number: 2 },
            notifier: "team".to_owned(),
            severity: "warning".to_owned(),
            title: title.to_owned(),
            message: message.to_owned(),
            playbook: "restart-web".to_owned(),
            target: None,
            dry_run: false,
        }
    }

    fn asks() -> AskedPlan {
        AskedPlan { approval: ActId { incident: IncidentId(Seq(12)), number: 1 }, plan: "ab".repeat(32), links: None }
    }

    #[test]
    fn a_question_carries_two_buttons_that_name_the_whole_plan() {
        let text = |text: &str| json!({"type": "mrkdwn", "text": text, "verbatim": true});
        let button = |action: &str, text: &str, style: &str| {
            json!({
                "type": "button", "action_id": action, "style": style, "value": format!("i12.1 {}", "ab".repeat(32)),
                "text": {"type": "plain_text", "text": text, "emoji": false},
            })
        };
        let want = json!({
            "text": "restart-web: may web be treated?",
            "unfurl_links": false, "unfurl_media": false,
            "blocks": [
                {"type": "header",
                 "text": {"type": "plain_text", "text": "restart-web: may web be treated?", "emoji": false}},
                {"type": "section", "text": text("restart web")},
                {"type": "context", "elements": [text("warning, restart-web, i12, i12.2")]},
                {"type": "actions", "block_id": "sickbay i12.1", "elements": [
                    button("sickbay_approve", "Approve", "primary"), button("sickbay_deny", "Deny", "danger"),
                ]},
            ],
        });
        let asked = notice("restart-web: may web be treated?", "restart web");
        assert_eq!(message(&asked, Some(&asks()), false), want);
        let told = message(&asked, None, true);
        assert_eq!(told["blocks"].as_array().unwrap().len(), 3, "{told}");
        assert_eq!(told["blocks"][2]["elements"][0]["text"], "warning, restart-web, i12, i12.2, perhaps once more");
    }

    #[test]
    fn text_from_alerts_stays_text() {
        let nasty = "<!channel> <@U0ADA> <https://evil.example|approve> a&b &lt; \u{202e}live\u{200b}\u{7}\r";
        let told = message(&notice(nasty, nasty), None, false).to_string();
        for obeyed in ["<!", "<@", "<http", "\u{202e}", "\u{200b}", "\u{7}", "\\r", " &lt; "] {
            assert!(!told.contains(obeyed), "{obeyed:?}: {told}");
        }
        for shown in ["&lt;!channel&gt;", "a&amp;b &amp;lt;", "u{202e}live", "u{200b}", "u{7}", "u{d}"] {
            assert_eq!(told.matches(shown).count(), 3, "{shown}: {told}");
        }
    }

    #[test]
    fn nothing_is_longer_than_slack_takes_and_what_is_cut_has_no_buttons() {
        for (text, buttons) in [
            ("&".repeat(3000), true),
            ("🙂".repeat(3000), true),
            ("x".repeat(SECTION_LEN_MAX * SECTIONS_MAX), true),
            ("x".repeat(SECTION_LEN_MAX * SECTIONS_MAX + 1), false),
            ("<".repeat(1 << 20), false),
            (String::new(), true),
            (" \n ".to_owned(), true),
        ] {
            let told = message(&notice(&text, &text), Some(&asks()), false);
            let blocks = told["blocks"].as_array().unwrap();
            assert!(blocks.len() <= 50);
            let length = |block: &Value| {
                let text = block["text"]["text"].as_str().unwrap();
                assert!(!text.trim().is_empty());
                // No escape is cut in two.
                assert!(text.split('&').skip(1).all(|rest| rest.contains(';')), "{text}");
                text.encode_utf16().count()
            };
            assert!(length(&blocks[0]) <= 150);
            for section in blocks.iter().filter(|block| block["type"] == "section") {
                assert!(length(section) <= 3000);
            }
            let has = blocks.iter().any(|block| block["type"] == "actions");
            assert_eq!(has, buttons, "{} of {:?}", text.len(), text.chars().next());
        }
    }
}

//! What Slack sends when somebody clicks: a form with one field, which holds JSON. What is not known is passed over,
//! because Slack adds to it.

use serde::Deserialize;
use serde_json::Value;

/// The longest ID that is shown to anybody.
const ID_LEN_MAX: usize = 32;

/// The digits of a whole plan.
const PLAN_LEN: usize = 64;

/// Somebody clicked on a button of ours.
pub(super) struct Click {
    payload: Payload,
    choice: Choice,
    id: String,
    plan: String,
}

/// On which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Approve,
    Deny,
}

/// Why it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// Something else happened in Slack.
    OtherKind,
    /// It is not what Slack sends, or not what our buttons hold.
    Wrong,
}

#[derive(Deserialize)]
struct Form {
    payload: String,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "type")]
    kind: String,
    team: Option<Team>,
    api_app_id: Option<String>,
    user: Option<User>,
    #[serde(default)]
    actions: Vec<Action>,
    response_url: Option<String>,
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Team {
    id: String,
}

#[derive(Deserialize)]
struct User {
    id: String,
    team_id: Option<String>,
}

#[derive(Deserialize)]
struct Action {
    action_id: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    blocks: Vec<Value>,
}

impl Click {
    pub(super) fn read(body: &[u8]) -> Result<Self, Unread> {
        let form: Form = serde_urlencoded::from_bytes(body).map_err(|_not_one| Unread::Wrong)?;
        let payload: Payload = serde_json::from_str(&form.payload).map_err(|_not_one| Unread::Wrong)?;
        let [action] = payload.actions.as_slice() else { return Err(Unread::OtherKind) };
        let choice = match action.action_id.as_deref() {
            Some("sickbay_approve") => Choice::Approve,
            Some("sickbay_deny") => Choice::Deny,
            Some(_) | None => return Err(Unread::OtherKind),
        };
        if payload.kind != "block_actions" {
            return Err(Unread::OtherKind);
        }
        let (id, plan) = action.value.as_deref().and_then(|value| value.split_once(' ')).ok_or(Unread::Wrong)?;
        let whole = plan.len() == PLAN_LEN && plan.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !whole || payload.user.is_none() {
            return Err(Unread::Wrong);
        }
        let (id, plan) = (id.to_owned(), plan.to_owned());
        Ok(Self { payload, choice, id, plan })
    }

    pub(super) fn choice(&self) -> Choice {
        self.choice
    }

    /// The approval and the whole plan.
    pub(super) fn about(&self) -> (&str, &str) {
        (&self.id, &self.plan)
    }

    pub(super) fn team(&self) -> Option<&str> {
        self.payload.team.as_ref().map(|team| &*team.id)
    }

    pub(super) fn app(&self) -> Option<&str> {
        self.payload.api_app_id.as_deref()
    }

    /// Who clicked, as Slack calls them; empty if it is no ID.
    pub(super) fn user(&self) -> &str {
        let id = self.payload.user.as_ref().map(|user| &*user.id).unwrap_or_default();
        let plain = id.len() <= ID_LEN_MAX && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if plain { id } else { "" }
    }

    pub(super) fn team_of_user(&self) -> Option<&str> {
        self.payload.user.as_ref().and_then(|user| user.team_id.as_deref())
    }

    pub(super) fn response_url(&self) -> Option<&str> {
        self.payload.response_url.as_deref()
    }

    /// The message as it stands in the channel.
    pub(super) fn blocks(&self) -> &[Value] {
        self.payload.message.as_ref().map(|message| &*message.blocks).unwrap_or_default()
    }
}

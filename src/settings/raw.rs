//! The shape of `sickbay.yml`: every key, nothing checked yet.
//!
//! Keys that design and documentation have but this version does not execute are `Later`: they are read so that
//! `resolve` can refuse them by name. No `Debug`: some of these texts are secrets. Read [`RawSettings`] first.

use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, de};
use std::collections::BTreeMap;
use std::fmt;

/// A key that is refused if it is there.
pub(super) type Later = Option<IgnoredAny>;

/// The whole file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSettings {
    pub(super) web: RawWeb,
    pub(super) webhook: RawWebhook,
    pub(super) rules: RawRules,
    pub(super) storage: RawStorage,
    pub(super) docker: RawDocker,
    pub(super) labels: RawLabels,
    pub(super) limits: RawLimits,
    pub(super) approvals: RawApprovals,
    pub(super) slack: Option<RawSlack>,
    pub(super) people: Vec<RawPerson>,
    pub(super) groups: Vec<RawGroup>,
    pub(super) notifiers: Vec<RawNotifier>,
    pub(super) alertmanagers: Vec<RawAlertmanager>,
    pub(super) dry_run: Option<bool>,
    pub(super) log: RawLog,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawWeb {
    pub(super) listen_address: Option<OneOrMany>,
    pub(super) external_url: Option<String>,
    pub(super) api_token: Option<String>,
    pub(super) api_token_file: Option<String>,
    pub(super) forward_auth: Option<RawForwardAuth>,
    pub(super) oidc: Option<RawOidc>,
    pub(super) socket: Option<RawSocket>,
    pub(super) config_file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSocket {
    pub(super) path: String,
    pub(super) mode: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawForwardAuth {
    pub(super) header: Option<String>,
    pub(super) secret_header: Option<String>,
    pub(super) secret: Option<String>,
    pub(super) secret_file: Option<String>,
    pub(super) trusted: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOidc {
    pub(super) issuer: String,
    pub(super) client_id: String,
    pub(super) client_secret: Option<String>,
    pub(super) client_secret_file: Option<String>,
    pub(super) scopes: Option<Vec<String>>,
    pub(super) claim: Option<String>,
    pub(super) name: Option<String>,
    pub(super) ca_file: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawWebhook {
    pub(super) senders: Vec<RawSender>,
    pub(super) max_body: Option<String>,
    pub(super) max_alert_age: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSender {
    pub(super) name: String,
    pub(super) bearer_token: Option<String>,
    pub(super) bearer_token_file: Option<String>,
    pub(super) basic_auth: Option<RawBasicAuth>,
    pub(super) hmac_secret: Later,
    pub(super) hmac_secret_file: Later,
    pub(super) header: Later,
    pub(super) client_certificate: Later,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBasicAuth {
    pub(super) username: String,
    pub(super) password: Option<String>,
    pub(super) password_file: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRules {
    pub(super) paths: Option<OneOrMany>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawStorage {
    pub(super) path: Option<String>,
    pub(super) segment_size: Later,
    pub(super) retention: Later,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDocker {
    pub(super) require_opt_in: Option<bool>,
    pub(super) protect: Vec<String>,
    pub(super) hands_off: Option<String>,
    pub(super) hosts: Option<Vec<RawHost>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLabels {
    pub(super) prefix: Option<String>,
    pub(super) scope: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHost {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) write_url: Option<String>,
    pub(super) tls: Option<RawTls>,
    pub(super) ssh_config: Option<String>,
    pub(super) renamed_from: Option<String>,
    pub(super) allow_insecure_tcp: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTls {
    pub(super) ca_file: String,
    pub(super) cert_file: Option<String>,
    pub(super) key_file: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLimits {
    pub(super) global: Option<Vec<RawWindow>>,
    pub(super) per_target: Option<Vec<RawWindow>>,
    pub(super) max_parallel: Option<u32>,
    pub(super) breaker: RawBreaker,
    pub(super) storm: RawStorm,
    pub(super) relapse_within: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawBreaker {
    pub(super) failures: Option<u32>,
    pub(super) per: Option<String>,
    pub(super) open_for: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawStorm {
    pub(super) alerts: Option<u32>,
    pub(super) per: Option<String>,
    pub(super) freeze: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawApprovals {
    pub(super) approve_on_timeout: Option<bool>,
    pub(super) link_secret: Option<String>,
    pub(super) link_secret_file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSlack {
    pub(super) signing_secret: Option<String>,
    pub(super) signing_secret_file: Option<String>,
    pub(super) team_id: String,
    pub(super) app_id: Option<String>,
    pub(super) answer_origin: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPerson {
    pub(super) name: String,
    #[serde(default)]
    pub(super) groups: Vec<String>,
    pub(super) roles: Option<Vec<String>>,
    pub(super) password_hash: Option<String>,
    pub(super) password_hash_file: Option<String>,
    pub(super) token_hash: Option<String>,
    pub(super) token_file: Option<String>,
    pub(super) uid: Option<u32>,
    pub(super) slack_user: Option<String>,
    pub(super) link_notifier: Option<String>,
    pub(super) oidc_user: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGroup {
    pub(super) name: String,
    #[serde(default)]
    pub(super) roles: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWindow {
    pub(super) runs: u32,
    pub(super) per: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNotifier {
    pub(super) name: String,
    pub(super) http: Option<RawHttp>,
    pub(super) slack: Option<RawSlackNotifier>,
    pub(super) email: Option<RawEmail>,
    pub(super) discord: Later,
    pub(super) teams: Later,
    pub(super) telegram: Later,
    pub(super) mattermost: Later,
    pub(super) google_chat: Later,
    pub(super) ntfy: Later,
    pub(super) gotify: Later,
    pub(super) pagerduty: Later,
    pub(super) opsgenie: Later,
    pub(super) apprise: Later,
    pub(super) alertmanager: Later,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHttp {
    pub(super) url: Option<String>,
    pub(super) url_file: Option<String>,
    pub(super) method: Option<String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    pub(super) bearer_token: Option<String>,
    pub(super) bearer_token_file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSlackNotifier {
    pub(super) url: Option<String>,
    pub(super) url_file: Option<String>,
    pub(super) buttons: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEmail {
    pub(super) to: OneOrMany,
    pub(super) from: String,
    pub(super) smarthost: String,
    pub(super) hello: Option<String>,
    pub(super) auth_username: Option<String>,
    pub(super) auth_password: Option<String>,
    pub(super) auth_password_file: Option<String>,
    pub(super) require_tls: Option<bool>,
    pub(super) force_implicit_tls: Option<bool>,
    pub(super) ca_file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAlertmanager {
    pub(super) url: String,
    pub(super) bearer_token: Option<String>,
    pub(super) bearer_token_file: Option<String>,
    pub(super) basic_auth: Option<RawBasicAuth>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLog {
    pub(super) level: Option<String>,
    pub(super) format: Option<String>,
}

/// `a` or `[a, b]`.
pub(super) struct OneOrMany(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(OneOrMany(texts))
            }
        }

        deserializer.deserialize_any(Texts)
    }
}

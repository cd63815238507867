//! `sickbay.yml` as JSON Schema (draft-07): editors complete and underline by it.
//!
//! The tables below name what this version takes; tests compare them with the types that read the file, and their
//! defaults with what is loaded from an empty one. Read [`schema`] first.

use crate::model::limit::STORM_ALERTS_MAX;
use serde_json::{Map, Value, json};

/// One key: what it is called, holds, and is for.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) holds: Holds,
    about: &'static str,
    /// What holds if it is left out, as JSON.
    default: Option<&'static str>,
    pub(super) needed: bool,
}

/// What a key may hold.
pub(super) enum Holds {
    Text,
    /// A text, or a list of texts.
    Texts,
    Flag,
    Count(u32, u32),
    /// A duration in Prometheus' grammar; of nothing only if this is true.
    Time(bool),
    Size,
    Word(&'static [&'static str]),
    /// Texts by names.
    Names,
    List(&'static Holds),
    Map(&'static Table),
}

/// The keys of one map.
pub(super) struct Table {
    pub(super) keys: &'static [Key],
    /// Of each of these groups one must be there, and not two.
    one_of: &'static [&'static [&'static str]],
    /// Of each of these groups there may be one, and not two.
    not_both: &'static [[&'static str; 2]],
}

pub(super) const fn key(name: &'static str, holds: Holds, about: &'static str) -> Key {
    Key { name, holds, about, default: None, needed: false }
}

impl Key {
    const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    pub(super) const fn needed(self) -> Self {
        Self { needed: true, ..self }
    }
}

pub(super) const fn table(keys: &'static [Key]) -> Table {
    Table { keys, one_of: &[], not_both: &[] }
}

use Holds::{Count, Flag, List, Names, Size, Text, Texts, Time, Word};

pub(super) static SETTINGS: Table = table(&[
    key("web", Holds::Map(&WEB), "Where the daemon listens and how it is reached."),
    key("webhook", Holds::Map(&WEBHOOK), "Who may send alerts, and how much."),
    key("rules", Holds::Map(&RULES), "Where the playbooks are."),
    key("storage", Holds::Map(&STORAGE), "Where the incident log is."),
    key("docker", Holds::Map(&DOCKER), "Which Docker, and what may be touched there."),
    key("labels", Holds::Map(&LABELS), "What owners' labels are called, and which of them are about this sickbay."),
    key("limits", Holds::Map(&LIMITS), "Caps over all playbooks; a playbook can only be stricter."),
    key("approvals", Holds::Map(&APPROVALS), "What playbooks may do about people's consent."),
    key("slack", Holds::Map(&SLACK), "The Slack app whose buttons approve and deny."),
    key("people", List(&Holds::Map(&PERSON)), "Who may decide, operate and look.").default("[]"),
    key("groups", List(&Holds::Map(&GROUP)), "What the members of groups may do; then all groups stand here.")
        .default("[]"),
    key("notifiers", List(&Holds::Map(&NOTIFIER)), "Where notices go, beside the built-in `log`.").default("[]"),
    key("alertmanagers", List(&Holds::Map(&ALERTMANAGER)), "Who is asked whether an alert still fires.").default("[]"),
    key("dry_run", Flag, "Decide and record, but change nothing.").default("false"),
    key("log", Holds::Map(&LOG), "The program's own log."),
]);

static WEB: Table = Table {
    not_both: &[["api_token", "api_token_file"]],
    ..table(&[
        key("listen_address", Texts, "IP:PORT, or :PORT for all addresses of the machine; a list is allowed.")
            .default("\"127.0.0.1:10112\""),
        key("external_url", Text, "How people and other programs reach it."),
        key("config_file", Text, "TLS and users, in the format of Prometheus' `--web.config.file`."),
        key("api_token", Text, "What a call that changes something must present. Better given as a file."),
        key("api_token_file", Text, "The file that holds `api_token`."),
        key("forward_auth", Holds::Map(&FORWARD_AUTH), "The proxies that say who somebody is."),
        key("oidc", Holds::Map(&OIDC), "The provider of OpenID Connect by which people log in; needs `external_url`."),
        key("socket", Holds::Map(&SOCKET), "A socket in the file system: callers are known by their user ID."),
    ])
};

static SOCKET: Table = table(&[
    key("path", Text, "Where its file is; at most 107 bytes.").needed(),
    key("mode", Text, "Who may open it, in octal digits.").default("\"0660\""),
]);

static OIDC: Table = Table {
    not_both: &[["client_secret", "client_secret_file"]],
    ..table(&[
        key("issuer", Text, "The provider, exactly as it writes its own address.").needed(),
        key("client_id", Text, "What the provider calls sickbay.").needed(),
        key("client_secret", Text, "What sickbay proves itself with there. Better given as a file."),
        key("client_secret_file", Text, "The file that holds `client_secret`. Without both, a public client."),
        key("scopes", List(&Text), "What is asked for. Left out: openid, and what `claim` needs."),
        key("claim", Text, "The claim that tells people apart, compared with `oidc_user`.").default("\"sub\""),
        key("name", Text, "What the button calls the provider. Left out: its host."),
        key("ca_file", Text, "The authorities, in PEM, that are trusted instead of the usual ones."),
    ])
};

static FORWARD_AUTH: Table = Table {
    one_of: &[&["secret", "secret_file"]],
    ..table(&[
        key("header", Text, "The header with the name of one of `people`.").needed(),
        key("secret_header", Text, "The header with the secret.").needed(),
        key("secret", Text, "What the proxies add to each request. Better given as a file."),
        key("secret_file", Text, "The file that holds `secret`."),
        key("trusted", List(&Text), "Where the proxies are: addresses and networks.").needed(),
    ])
};

static WEBHOOK: Table = table(&[
    key("senders", List(&Holds::Map(&SENDER)), "Who may send alerts. None: only loopback is listened on.")
        .default("[]"),
    key("max_body", Size, "The longest request body, from 1KiB to 1GiB.").default("\"16MiB\""),
    key("max_alert_age", Time(false), "An alert that is older at first sight is not acted on.").default("\"1h\""),
]);

static SENDER: Table = Table {
    one_of: &[&["bearer_token", "bearer_token_file", "basic_auth"]],
    ..table(&[
        key("name", Text, "Unique; recorded with what it sends.").needed(),
        key("bearer_token", Text, "The token it presents. Better given as a file."),
        key("bearer_token_file", Text, "The file that holds `bearer_token`."),
        key("basic_auth", Holds::Map(&BASIC_AUTH), "The user and password it presents."),
    ])
};

static BASIC_AUTH: Table = Table {
    one_of: &[&["password", "password_file"]],
    ..table(&[
        key("username", Text, "The user.").needed(),
        key("password", Text, "The password. Better given as a file."),
        key("password_file", Text, "The file that holds `password`."),
    ])
};

static RULES: Table =
    table(&[key("paths", Texts, "Globs of the rules files; *.test.yaml is left out.").default("\"rules/*.yaml\"")]);

static STORAGE: Table = table(&[key("path", Text, "The directory of the incident log.").default("\"data/\"")]);

static DOCKER: Table = table(&[
    key("require_opt_in", Flag, "Only containers with the label sickbay.enable=true are treated.").default("true"),
    key("protect", List(&Text), "Names that are never treated; `regex:` before a pattern for the whole name.")
        .default("[]"),
    key(
        "hands_off",
        Time(true),
        "What somebody else touched or deployed this lately is left alone; 0 for never. At most 1d.",
    )
    .default("\"5m\""),
    key(
        "hosts",
        List(&Holds::Map(&HOST)),
        "The Dockers. Left out: DOCKER_HOST, or the local socket. The first one's targets are recorded without its name.",
    ),
]);

static LABELS: Table = table(&[
    key("prefix", Text, "A prefix under which labels are read beside `sickbay`, such as com.example.sickbay."),
    key(
        "scope",
        Text,
        "What the label sickbay.scope must say where it stands; left out, whatever carries it is left alone.",
    ),
]);

static HOST: Table = table(&[
    key("name", Text, "Unique; how people, playbooks and limits call it. Letters, digits, `.`, `_` and `-`.").needed(),
    key("url", Text, "unix:///path/to/docker.sock, tcp://HOST:PORT or ssh://USER@HOST:PORT/path/to/docker.sock.")
        .needed(),
    key("write_url", Text, "Where what changes something is sent, if not there as well: to a second socket proxy."),
    key("tls", Holds::Map(&TLS), "How it is spoken to over TLS, for a tcp:// address."),
    key("ssh_config", Text, "A configuration file of ssh in place of the user's own, for an ssh:// address."),
    key("renamed_from", Text, "What the first host was called before, if it is the same Docker under another name."),
    key("allow_insecure_tcp", Flag, "Speak plain HTTP to an address that is not a private one.").default("false"),
]);

static TLS: Table = table(&[
    key("ca_file", Text, "The authority that signed the engine's certificate, in PEM. No other is trusted.").needed(),
    key("cert_file", Text, "The certificate that the engine is shown, in PEM; goes with `key_file`."),
    key("key_file", Text, "The key of `cert_file`, in PEM."),
]);

static LIMITS: Table = table(&[
    key("global", List(&Holds::Map(&WINDOW)), "Windows over all runs of all playbooks.")
        .default("[{\"runs\": 20, \"per\": \"1h\"}]"),
    key("per_target", List(&Holds::Map(&WINDOW)), "Windows over all runs on one target.").default("[]"),
    key("max_parallel", Count(1, u32::MAX), "How many runs may act at once on one Docker host.").default("2"),
    key("breaker", Holds::Map(&BREAKER), "When runs on a target do not help."),
    key("storm", Holds::Map(&STORM), "When too many alerts come at once."),
    key("relapse_within", Time(false), "A target that falls ill again this soon had not recovered. At most 31d.")
        .default("\"10m\""),
]);

static APPROVALS: Table = Table {
    not_both: &[["link_secret", "link_secret_file"]],
    ..table(&[
        key("approve_on_timeout", Flag, "Whether a playbook may take silence for a yes: `on_timeout: approve`.")
            .default("false"),
        key("link_secret", Text, "What signed links are signed with. Better given as a file."),
        key(
            "link_secret_file",
            Text,
            "The file that holds `link_secret`, at least 32 characters: with it, people with a `link_notifier` are sent \
             signed links. Another secret makes all links of before worthless.",
        ),
    ])
};

static SLACK: Table = Table {
    one_of: &[&["signing_secret", "signing_secret_file"]],
    ..table(&[
        key("signing_secret", Text, "What Slack signs with. Better given as a file."),
        key(
            "signing_secret_file",
            Text,
            "The file that holds `signing_secret`: Basic Information of the app shows it.",
        ),
        key("team_id", Text, "The workspace, such as T012AB3CD; users of others are nobody.").needed(),
        key("app_id", Text, "The app, such as A012AB3CD; then clicks in others do not count."),
        key(
            "answer_origin",
            Text,
            "Where answers to clicks may be sent: Slack, or for tests an address of this machine.",
        )
        .default("\"https://hooks.slack.com\""),
    ])
};

static PERSON: Table = Table {
    not_both: &[["password_hash", "password_hash_file"], ["token_hash", "token_file"]],
    ..table(&[
        key("name", Text, "Unique; what they do is recorded under it.").needed(),
        key("groups", List(&Text), "Their groups, as playbooks name them in `from`.").default("[]"),
        key("roles", List(&ROLE), "What they may do; admin is all of it.").default("[\"approve\"]"),
        key("password_hash", Text, "As `sickbay hash-password` prints it; bcrypt is taken too."),
        key("password_hash_file", Text, "The file that holds `password_hash`."),
        key("token_hash", Text, "The SHA-256 of their token, as `sickbay hash-password --token` prints it."),
        key("token_file", Text, "The file that holds their token, at least 16 characters."),
        key("uid", Count(0, 65533), "Their user ID on this machine, for `web.socket`."),
        key("slack_user", Text, "Their user ID in Slack, such as U012AB3CD, for `slack`."),
        key("link_notifier", Text, "The notifier that reaches them and nobody else: their signed links go there."),
        key("oidc_user", Text, "Who they are to the provider of `web.oidc`, byte by byte: what `claim` says."),
    ])
};

static ROLE: Holds = Word(&["view", "approve", "operate", "admin"]);

static GROUP: Table = table(&[
    key("name", Text, "Unique among groups and people.").needed(),
    key("roles", List(&ROLE), "What its members may do beside their own roles.").default("[]"),
]);

static WINDOW: Table = table(&[
    key("runs", Count(1, u32::MAX), "At most so many runs within `per`.").needed(),
    key("per", Time(false), "The length of the window, at most 31d.").needed(),
]);

static BREAKER: Table = table(&[
    key("failures", Count(1, u32::MAX), "Runs in a row without lasting help that open it.").default("3"),
    key("per", Time(false), "Older runs are forgotten. At most 31d.").default("\"1d\""),
    key("open_for", Time(false), "How long it stays open before one trial. At most 31d.").default("\"1h\""),
]);

static STORM: Table = table(&[
    key("alerts", Count(1, STORM_ALERTS_MAX), "More taken alerts than this within `per` are a storm.").default("50"),
    key("per", Time(false), "The time in which they are counted, at most 1h.").default("\"1m\""),
    key("freeze", Time(false), "How long nothing is done then. At most 31d.").default("\"10m\""),
]);

static NOTIFIER: Table = Table {
    one_of: &[&["http", "slack", "email"]],
    ..table(&[
        key("name", Text, "Unique; playbooks name it in `notify: {to: [NAME]}`.").needed(),
        key("http", Holds::Map(&HTTP), "A notifier that sends an HTTP request."),
        key("slack", Holds::Map(&SLACK_NOTIFIER), "A notifier that posts in a channel of Slack."),
        key("email", Holds::Map(&EMAIL), "A notifier that sends mail by SMTP."),
    ])
};

static EMAIL: Table = Table {
    not_both: &[["auth_password", "auth_password_file"]],
    ..table(&[
        key("to", Texts, "Whom it is for: joe@example.com or Joe <joe@example.com>; a list is allowed.").needed(),
        key("from", Text, "Whom it is from.").needed(),
        key("smarthost", Text, "The mail server: HOST:PORT.").needed(),
        key("hello", Text, "What sickbay calls itself there.").default("\"localhost\""),
        key("auth_username", Text, "The account there, if it needs one."),
        key("auth_password", Text, "Its password. Better given as a file."),
        key("auth_password_file", Text, "The file that holds `auth_password`."),
        key("require_tls", Flag, "Whether nothing is sent unless the server takes it encrypted (STARTTLS).")
            .default("true"),
        key(
            "force_implicit_tls",
            Flag,
            "Whether TLS begins with the first byte. Left out: on port 465 it does, on others not.",
        ),
        key("ca_file", Text, "The authorities, in PEM, that are trusted instead of the usual ones."),
    ])
};

static SLACK_NOTIFIER: Table = Table {
    one_of: &[&["url", "url_file"]],
    ..table(&[
        key("url", Text, "The URL of an incoming webhook. It is a secret: better given as a file."),
        key("url_file", Text, "The file that holds `url`."),
        key(
            "buttons",
            Flag,
            "Whether questions carry buttons. Left out: if there is a `slack` at the top of the file.",
        ),
    ])
};

static HTTP: Table = Table {
    one_of: &[&["url", "url_file"]],
    not_both: &[["bearer_token", "bearer_token_file"]],
    ..table(&[
        key("url", Text, "Where it sends. Better given as a file if it holds a secret."),
        key("url_file", Text, "The file that holds `url`."),
        key("method", Word(&["POST", "PUT"]), "How it sends.").default("\"POST\""),
        key("headers", Names, "Further headers.").default("{}"),
        key("bearer_token", Text, "The token it presents. Better given as a file."),
        key("bearer_token_file", Text, "The file that holds `bearer_token`."),
    ])
};

static ALERTMANAGER: Table = Table {
    not_both: &[
        ["bearer_token", "bearer_token_file"],
        ["bearer_token", "basic_auth"],
        ["bearer_token_file", "basic_auth"],
    ],
    ..table(&[
        key("url", Text, "One instance, not a load balancer; a path prefix is allowed.").needed(),
        key("bearer_token", Text, "The token to present. Better given as a file."),
        key("bearer_token_file", Text, "The file that holds `bearer_token`."),
        key("basic_auth", Holds::Map(&BASIC_AUTH), "The user and password to present."),
    ])
};

static LOG: Table = table(&[
    key("level", Word(&["debug", "info", "warn", "error"]), "The least important line that is written.")
        .default("\"info\""),
    key("format", Word(&["logfmt", "json"]), "How a line looks.").default("\"logfmt\""),
]);

/// The schema of a settings file.
#[must_use]
pub fn schema() -> Value {
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    schema.insert("title".to_owned(), json!("Settings of sickbay"));
    if let Value::Object(map) = of_table(&SETTINGS) {
        schema.extend(map);
    }
    Value::Object(schema)
}

fn of_table(table: &Table) -> Value {
    let member = |key: &Key| {
        let mut member = Map::new();
        let left_out =
            key.default.map(|default| format!(" Left out: {}.", default.replace('"', ""))).unwrap_or_default();
        member.insert("description".to_owned(), json!(format!("{}{left_out}", key.about)));
        if let Some(default) = key.default.and_then(|default| serde_json::from_str::<Value>(default).ok()) {
            member.insert("default".to_owned(), default);
        }
        if let Value::Object(value) = of_value(&key.holds) {
            member.extend(value);
        }
        (key.name.to_owned(), Value::Object(member))
    };
    let required: Vec<&str> = table.keys.iter().filter(|key| key.needed).map(|key| key.name).collect();
    let present = |name: &str| json!({"required": [name]});
    let exactly_one =
        table.one_of.iter().map(|names| json!({"oneOf": names.iter().map(|name| present(name)).collect::<Value>()}));
    let not_both = table.not_both.iter().map(|names| json!({"not": {"required": names}}));
    let all: Vec<Value> = exactly_one.chain(not_both).collect();
    let mut schema = json!({
        "type": "object",
        "properties": table.keys.iter().map(member).collect::<Map<String, Value>>(),
        "additionalProperties": false,
    });
    if let Value::Object(map) = &mut schema {
        if !required.is_empty() {
            map.insert("required".to_owned(), json!(required));
        }
        if !all.is_empty() {
            map.insert("allOf".to_owned(), json!(all));
        }
    }
    schema
}

fn of_value(holds: &Holds) -> Value {
    match holds {
        Text => json!({"type": "string", "minLength": 1}),
        Texts => json!({"anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}]}),
        Flag => json!({"type": "boolean"}),
        Count(least, u32::MAX) => json!({"type": "integer", "minimum": least}),
        Count(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Time(of_nothing) => {
            let units = ["y", "w", "d", "h", "m", "s", "ms"].map(|unit| format!("(?:[0-9]+{unit})?"));
            let zero = if *of_nothing { "0|" } else { "" };
            let pattern = format!("^(?:{zero}(?=[0-9]){})$", units.concat());
            if *of_nothing {
                json!({"type": ["string", "integer"], "pattern": pattern, "minimum": 0, "maximum": 0})
            } else {
                json!({"type": "string", "pattern": pattern})
            }
        }
        Size => json!({"type": "string", "pattern": "^[0-9]+ ?(?:B|KiB|MiB|GiB)$"}),
        Word(words) => json!({"enum": words}),
        Names => json!({"type": "object", "additionalProperties": {"type": "string"}}),
        List(items) => json!({"type": "array", "items": of_value(items)}),
        Holds::Map(table) => of_table(table),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::layers::{Inputs, layer, typed};
    use crate::settings::resolve::resolve;
    use crate::settings::shape::LATER;
    use crate::settings::{Overrides, Settings, SettingsError};
    use std::collections::{BTreeMap, BTreeSet};

    fn inputs(text: &str) -> Inputs {
        let file = Some(("sickbay.yml".to_owned(), text.to_owned()));
        Inputs { overrides: Overrides::default(), file, env: BTreeMap::new() }
    }

    fn load(text: &str) -> Result<Settings, SettingsError> {
        let inputs = inputs(text);
        resolve(layer(&inputs)?, &inputs, &|_path| Ok("secret".to_owned()))
    }

    /// The keys that the types know at a place, from what they say of one they do not know.
    fn known_to_the_types(open: &str, close: &str) -> BTreeSet<String> {
        let text = format!("{open}{{zzz: 1}}{close}");
        let message = typed(&text).err().map(|error| error.to_string()).unwrap_or_default();
        let message = message.split(" at line ").next().unwrap_or_default();
        let (_, known) = message.rsplit_once("expected ").unwrap_or_else(|| panic!("{text}: {message}"));
        let known = known.trim_start_matches("one of ").replace(" or ", ", ").replace('`', "");
        known.split(", ").map(|key| key.trim().to_owned()).collect()
    }

    fn compare(table: &Table, open: &str, close: &str, later: &BTreeSet<String>) {
        let ours: BTreeSet<String> = table.keys.iter().map(|key| key.name.to_owned()).collect();
        let known = known_to_the_types(open, close);
        assert!(ours.is_subset(&known), "{open}: {ours:?} and {known:?}");
        for key in known.difference(&ours) {
            assert!(later.contains(key), "{open}: the schema does not have `{key}`");
        }
        for key in table.keys {
            let (open, close) = (format!("{open}{{{}: ", key.name), format!("}}{close}"));
            match &key.holds {
                Holds::Map(inner) => compare(inner, &open, &close, later),
                List(Holds::Map(inner)) => compare(inner, &format!("{open}["), &format!("]{close}"), later),
                Text | Texts | Flag | Count(..) | Time(_) | Size | Word(_) | Names | List(_) => {}
            }
        }
    }

    #[test]
    fn the_schema_has_every_key_that_is_read_and_no_other() {
        let raw = include_str!("raw.rs");
        let later = raw.lines().filter_map(|line| line.trim().strip_prefix("pub(super) ")?.strip_suffix(": Later,"));
        let later: BTreeSet<String> = later.map(str::to_owned).collect();
        assert!(later.iter().map(String::as_str).eq(LATER), "shape.rs: {later:?}");
        compare(&SETTINGS, "", "", &later);
    }

    fn defaults(table: &Table) -> Map<String, Value> {
        let of = |key: &Key| match (&key.holds, key.default) {
            (_, Some(default)) => Some((key.name.to_owned(), serde_json::from_str(default).unwrap())),
            // Where something is needed, an empty one is a mistake.
            (Holds::Map(inner), None) if inner.keys.iter().any(|key| key.needed) => None,
            (Holds::Map(inner), None) => Some((key.name.to_owned(), Value::Object(defaults(inner)))),
            (_, None) => None,
        };
        table.keys.iter().filter_map(of).collect()
    }

    #[test]
    fn the_defaults_are_those_of_an_empty_file() {
        let written = Value::Object(defaults(&SETTINGS));
        assert!(jsonschema::validator_for(&schema()).unwrap().is_valid(&written));
        let text = |settings: Settings| {
            let settings = Settings { file: None, places: Vec::new(), ..settings };
            // What a file says is relative to it; here it lies where we are.
            format!("{settings:?}")
        };
        assert_eq!(text(load(&written.to_string()).unwrap()), text(load("").unwrap()));
    }

    #[test]
    fn what_is_refused_for_its_shape_is_not_valid() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        for text in [
            r#"{"zzz": 1}"#,
            r#"{"web": {"listen_address": 1}}"#,
            r#"{"web": {"api_token": "a", "api_token_file": "b"}}"#,
            r#"{"web": {"forward_auth": {"header": "a", "secret_header": "b", "secret": "c"}}}"#,
            r#"{"web": {"oidc": {"issuer": "https://a"}}}"#,
            r#"{"webhook": {"senders": [{"name": "a"}]}}"#,
            r#"{"webhook": {"senders": [{"name": "a", "bearer_token": "b", "basic_auth": {"username": "c", "password": "d"}}]}}"#,
            r#"{"webhook": {"senders": [{"name": "a", "basic_auth": {"username": "c"}}]}}"#,
            r#"{"webhook": {"max_body": "16"}}"#,
            r#"{"webhook": {"max_alert_age": "90"}}"#,
            r#"{"limits": {"max_parallel": 0}}"#,
            r#"{"limits": {"global": [{"runs": 3}]}}"#,
            r#"{"limits": {"storm": {"alerts": 10001}}}"#,
            r#"{"docker": {"require_opt_in": "yes"}}"#,
            r#"{"docker": {"hosts": [{"name": "a"}]}}"#,
            r#"{"notifiers": [{"name": "a"}]}"#,
            r#"{"notifiers": [{"name": "a", "http": {"method": "POST"}}]}"#,
            r#"{"notifiers": [{"name": "a", "http": {"url": "http://a/"}, "slack": {"url": "http://a/"}}]}"#,
            r#"{"notifiers": [{"name": "a", "slack": {"buttons": false}}]}"#,
            r#"{"notifiers": [{"name": "a", "email": {"to": "a@b.c", "from": "a@b.c"}}]}"#,
            r#"{"notifiers": [{"name": "a", "email": {"to": "a@b.c", "from": "a@b.c", "smarthost": "a:25"}, "http": {"url": "http://a/"}}]}"#,
            r#"{"slack": {"signing_secret_file": "a"}}"#,
            r#"{"slack": {"team_id": "T0"}}"#,
            r#"{"notifiers": [{"name": "a", "http": {"url": "http://a/", "method": "GET"}}]}"#,
            r#"{"alertmanagers": [{"bearer_token": "a"}]}"#,
            r#"{"log": {"level": "trace"}}"#,
        ] {
            assert!(!validator.is_valid(&serde_json::from_str(text).unwrap()), "{text}");
            assert!(load(text).is_err(), "{text}");
        }
    }
}

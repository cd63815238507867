//! File, environment and flags laid over each other, with the memory of who set what.
//!
//! The file is read twice: once straight into [`RawSettings`], so that a mistake is reported with its line, and once
//! into a tree that keeps places, which is what the `config` crate layers. Pure: text in. Read [`layer`] first.

use super::problem::{Place, SettingsError, SettingsProblem};
use super::raw::RawSettings;
use super::types::Overrides;
use config::builder::DefaultState;
use config::{Config, ConfigBuilder, ConfigError, Environment, File, FileStoredFormat, Format, Map, Value, ValueKind};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

/// What the variables start with that are settings.
pub(super) const ENV_PREFIX: &str = "SICKBAY__";
/// A longer file is not a settings file.
const FILE_BYTES_MAX: usize = 1 << 20;

/// Everything that settings are made of.
pub(super) struct Inputs {
    /// What the flags say.
    pub(super) overrides: Overrides,
    /// The file's name and text.
    pub(super) file: Option<(String, String)>,
    /// The environment, as far as it is ours or Docker's.
    pub(super) env: BTreeMap<String, String>,
}

/// The layers merged.
pub(super) struct Layered {
    /// What they say together.
    pub(super) raw: RawSettings,
    /// Who said it.
    pub(super) origins: Origins,
}

/// Who set which key.
#[derive(Default)]
pub(super) struct Origins {
    file: Option<String>,
    places: BTreeMap<String, (u64, u64)>,
    env: BTreeMap<String, String>,
    flags: BTreeMap<&'static str, &'static str>,
}

impl Origins {
    /// Who set this key, such as `webhook.senders[0].name`; for a key that is missing, who set what it belongs to.
    pub(super) fn place(&self, key: &str) -> Place {
        let mut wanted = key;
        while !wanted.is_empty() {
            if let Some(flag) = self.flags.get(wanted) {
                return Place::Flag(flag);
            }
            if let Some(variable) = self.env.get(wanted) {
                return Place::Environment(variable.clone());
            }
            if let (Some(path), Some((line, column))) = (&self.file, self.places.get(wanted)) {
                return Place::File { path: path.clone(), line: *line, column: *column };
            }
            wanted = wanted.rfind(['.', '[']).and_then(|at| wanted.get(..at)).unwrap_or_default();
        }
        Place::Default
    }
}

/// Lays the flags over the environment over the file.
pub(super) fn layer(inputs: &Inputs) -> Result<Layered, SettingsError> {
    let mut problems = Vec::new();
    let mut origins = Origins::default();
    let mut builder = Config::builder();
    if let Some((path, text)) = &inputs.file {
        match read_file(path, text) {
            Ok(tree) => {
                tree.value.collect_places("", &mut origins.places);
                builder = builder.add_source(File::from_str(text, StrictYaml));
            }
            Err(problem) => problems.push(problem),
        }
        origins.file = Some(path.clone());
    }
    for (variable, value) in inputs.env.iter().filter(|(name, _)| name.starts_with(ENV_PREFIX)) {
        let key = variable.strip_prefix(ENV_PREFIX).unwrap_or(variable).to_lowercase().replace("__", ".");
        match deserialize(Config::builder().add_source(environment(variable, value))) {
            Ok(_) => {
                builder = builder.add_source(environment(variable, value));
                origins.env.insert(key, variable.clone());
            }
            Err(error) => problems.push(SettingsProblem {
                place: Place::Environment(variable.clone()),
                key,
                message: without_values(&error),
            }),
        }
    }
    let flags = flags(&inputs.overrides);
    origins.flags = flags.iter().map(|(key, flag, _)| (*key, *flag)).collect();
    let merged = flags
        .into_iter()
        .try_fold(builder, |builder, (key, _, value)| builder.set_override(key, value))
        .and_then(deserialize);
    match merged {
        Ok(raw) if problems.is_empty() => Ok(Layered { raw, origins }),
        Ok(_) => Err(SettingsError { problems }),
        Err(error) => {
            if problems.is_empty() {
                let message = without_values(&error);
                problems.push(SettingsProblem { place: Place::Default, key: String::new(), message });
            }
            Err(SettingsError { problems })
        }
    }
}

fn deserialize(builder: ConfigBuilder<DefaultState>) -> Result<RawSettings, ConfigError> {
    builder.build()?.try_deserialize()
}

fn environment(variable: &str, value: &str) -> Environment {
    let one: Map<String, String> = [(variable.to_owned(), value.to_owned())].into_iter().collect();
    Environment::with_prefix("SICKBAY").prefix_separator("__").separator("__").source(Some(one))
}

/// The flags that were given: key, flag, value.
fn flags(overrides: &Overrides) -> Vec<(&'static str, &'static str, Value)> {
    let many = |texts: &[String]| (!texts.is_empty()).then(|| Value::from(texts.to_vec()));
    let text = |text: &Option<String>| text.clone().map(Value::from);
    let storage = overrides.storage_path.as_ref().map(|path| Value::from(path.to_string_lossy().into_owned()));
    let all = [
        ("web.listen_address", "--web.listen-address", many(&overrides.listen_addresses)),
        ("web.external_url", "--web.external-url", text(&overrides.external_url)),
        ("storage.path", "--storage.path", storage),
        ("rules.paths", "--rules", many(&overrides.rules)),
        ("dry_run", "--dry-run", overrides.dry_run.map(Value::from)),
        ("log.level", "--log.level", text(&overrides.log_level)),
        ("log.format", "--log.format", text(&overrides.log_format)),
    ];
    all.into_iter().filter_map(|(key, flag, value)| Some((key, flag, value?))).collect()
}

/// What `config` says, without the values: one of them could be a secret.
fn without_values(error: &ConfigError) -> String {
    if let ConfigError::Type { expected, .. } = error {
        return format!("not {expected}");
    }
    if let ConfigError::At { error, .. } = error {
        return without_values(error);
    }
    without_value(&error.to_string())
}

/// Serde's "invalid type: string \"s3cret\", expected a sequence" without its middle.
fn without_value(message: &str) -> String {
    match message.rsplit_once(", expected ") {
        Some((wrong, expected)) if wrong.starts_with("invalid ") => format!("not {expected}"),
        _ => message.to_owned(),
    }
}

/// What the YAML reader says of a value of another kind, in the words of whoever wrote the value.
fn in_words(message: &str) -> String {
    if let Some((key, _)) = message.strip_prefix("duplicate mapping key: ").and_then(|rest| rest.split_once(',')) {
        return format!("the key `{key}` stands twice; keep one of the two");
    }
    if message.starts_with("multiple YAML documents") {
        return "the settings are one YAML document; remove the line `---` and what does not belong".to_owned();
    }
    if message.starts_with("YAML merge keys") {
        return "merge keys (`<<`) are not part of the settings; write the keys out".to_owned();
    }
    if message == "expected mapping start" {
        return "a map of keys and values belongs here".to_owned();
    }
    match message.strip_prefix("invalid ") {
        Some(kind) if kind.starts_with("bool") => "must be true or false".to_owned(),
        Some("u32" | "u64" | "usize") => "must be a whole number".to_owned(),
        _ => message.to_owned(),
    }
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: 20_000, max_aliases: 100, max_depth: 32 },
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn read_file(path: &str, text: &str) -> Result<Spanned<Tree>, SettingsProblem> {
    let problem = |line, column, message: String| SettingsProblem {
        place: Place::File { path: path.to_owned(), line, column },
        key: String::new(),
        message,
    };
    if FILE_BYTES_MAX < text.len() {
        return Err(problem(0, 0, "the file is larger than 1 MiB; a settings file is not".to_owned()));
    }
    let at = |error: serde_saphyr::Error| {
        let (line, column) = error.location().map_or((0, 0), |location| (location.line(), location.column()));
        let text = error.to_string();
        let message = text.split(" at line ").next().unwrap_or(&text);
        problem(line, column, in_words(&without_value(message.trim_end_matches([',', ':']))))
    };
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        let location = serde_saphyr::Location::UNKNOWN;
        return Ok(Spanned::new(Tree::Map(Vec::new()), location, location));
    }
    let tree = serde_saphyr::from_str_with_options::<Spanned<Tree>>(text, options()).map_err(at)?;
    match serde_saphyr::from_str_with_options::<RawSettings>(text, options()).map_err(at) {
        Ok(_) => Ok(tree),
        Err(problem) => Err(SettingsProblem { key: key_at(&tree.value, &problem.place), ..problem }),
    }
}

/// The key that stands last before a place: the one a value there belongs to.
fn key_at(tree: &Tree, place: &Place) -> String {
    let mut places = BTreeMap::new();
    tree.collect_places("", &mut places);
    let Place::File { line, column, .. } = place else { return String::new() };
    let before = places.into_iter().filter(|(_, key)| *key <= (*line, *column));
    before.max_by_key(|(_, key)| *key).map(|(path, _)| path).unwrap_or_default()
}

/// The file as `config` wants it: strict, and every plain scalar but booleans as the text that was written, so that
/// `1.10` stays `1.10`.
#[derive(Clone, Debug)]
struct StrictYaml;

impl Format for StrictYaml {
    fn parse(&self, uri: Option<&String>, text: &str) -> Result<Map<String, Value>, Box<dyn Error + Send + Sync>> {
        let tree = read_file(uri.map_or("", |uri| uri.as_str()), text).map_err(|problem| problem.to_string())?;
        if let Tree::Nothing = tree.value {
            return Ok(Map::new());
        }
        Ok(to_value(&tree, text).into_table()?)
    }
}

impl FileStoredFormat for StrictYaml {
    fn file_extensions(&self) -> &'static [&'static str] {
        &["yml", "yaml"]
    }
}

/// YAML with places.
enum Tree {
    Nothing,
    Boolean(bool),
    /// A plain scalar that looks like a number: its text is in the file.
    Number,
    Text(String),
    List(Vec<Spanned<Tree>>),
    Map(Vec<(Spanned<String>, Spanned<Tree>)>),
}

impl Tree {
    fn collect_places(&self, path: &str, places: &mut BTreeMap<String, (u64, u64)>) {
        match self {
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    item.value.collect_places(&path, places);
                    places.insert(path, (item.referenced.line(), item.referenced.column()));
                }
            }
            Self::Map(entries) => {
                for (key, value) in entries {
                    let path = if path.is_empty() { key.value.clone() } else { format!("{path}.{}", key.value) };
                    value.value.collect_places(&path, places);
                    places.insert(path, (key.referenced.line(), key.referenced.column()));
                }
            }
            Self::Nothing | Self::Boolean(_) | Self::Number | Self::Text(_) => {}
        }
    }
}

fn to_value(node: &Spanned<Tree>, text: &str) -> Value {
    let kind = match &node.value {
        Tree::Nothing => ValueKind::Nil,
        Tree::Boolean(value) => ValueKind::Boolean(*value),
        Tree::Number => {
            let span = node.defined.span();
            let start = span.byte_offset().and_then(|start| usize::try_from(start).ok()).unwrap_or_default();
            let length = span.byte_len().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
            ValueKind::String(text.get(start..start + length).unwrap_or_default().trim().to_owned())
        }
        Tree::Text(value) => ValueKind::String(value.clone()),
        Tree::List(items) => ValueKind::Array(items.iter().map(|item| to_value(item, text)).collect()),
        Tree::Map(entries) => {
            ValueKind::Table(entries.iter().map(|(key, value)| (key.value.clone(), to_value(value, text))).collect())
        }
    };
    Value::new(None, kind)
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("settings")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Boolean(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
        Ok(Tree::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
        Ok(Tree::Number)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Tree, E> {
        Ok(Tree::Number)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Tree, E> {
        Ok(Tree::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
        Ok(Tree::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Tree::Map(entries))
    }
}

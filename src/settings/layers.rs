//! File, environment and flags laid over each other, with the memory of who set what.
//!
//! The file is read twice: once straight into [`RawSettings`], so that a mistake is found, and once into a tree that keeps
//! places, which is what the `config` crate layers. Pure: text in. Read [`layer`] first.

use super::problem::{About, Place, SettingsError, SettingsProblem};
use super::raw::RawSettings;
use super::shape;
use super::types::Overrides;
use config::builder::DefaultState;
use config::{Config, ConfigBuilder, ConfigError, Environment, Map, Source, Value, ValueKind};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What the variables start with that are settings.
pub(super) const ENV_PREFIX: &str = "SICKBAY__";
/// So many mistakes of a file are reported.
const PROBLEMS_MAX: usize = 100;
/// A longer file is not a settings file.
pub(super) const FILE_BYTES_MAX: usize = 1 << 20;

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
    /// What is wrong with the rest of what they say.
    pub(super) problems: Vec<SettingsProblem>,
    /// The keys that were left out because of that.
    pub(super) left_out: Vec<String>,
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

/// Lays the flags over the environment over the file. What has the wrong shape is left out and reported beside the rest, so
/// that everything that is wrong is found at once.
pub(super) fn layer(inputs: &Inputs) -> Result<Layered, SettingsError> {
    let (mut problems, mut left_out) = (Vec::new(), Vec::new());
    let mut origins = Origins::default();
    let mut builder = Config::builder();
    if let Some((path, text)) = &inputs.file {
        match read_file(path, text) {
            Ok((tree, mistakes)) => {
                tree.value.collect_places("", &mut origins.places);
                left_out.extend(mistakes.iter().map(|mistake| mistake.leave_out.clone()));
                problems.extend(of_file(path, mistakes));
                let wrong: BTreeSet<&str> = left_out.iter().map(String::as_str).collect();
                builder = builder.add_source(Written(table(&tree, (text, &wrong))));
            }
            Err(found) => problems.push(*found),
        }
        origins.file = Some(path.clone());
    }
    // Of a file that cannot be read nothing is known.
    let unread = !problems.is_empty() && left_out.is_empty();
    for (variable, value) in inputs.env.iter().filter(|(name, _)| name.starts_with(ENV_PREFIX)) {
        let key = variable.strip_prefix(ENV_PREFIX).unwrap_or(variable).to_lowercase().replace("__", ".");
        match deserialize(Config::builder().add_source(environment(variable, value))) {
            Ok(_) => {
                builder = builder.add_source(environment(variable, value));
                origins.env.insert(key, variable.clone());
            }
            Err(error) => {
                let unknown = shape::unknown_path(&key);
                left_out.push(key.clone());
                problems.push(SettingsProblem {
                    place: Place::Environment(variable.clone()),
                    key,
                    about: if unknown.is_some() { About::Key } else { About::Value },
                    message: unknown.unwrap_or_else(|| without_values(&error)),
                });
            }
        }
    }
    let flags = flags(&inputs.overrides);
    origins.flags = flags.iter().map(|(key, flag, _)| (*key, *flag)).collect();
    let merged = flags
        .into_iter()
        .try_fold(builder, |builder, (key, _, value)| builder.set_override(key, value))
        .and_then(deserialize);
    match merged {
        Ok(raw) if !unread => Ok(Layered { raw, origins, problems, left_out }),
        Ok(_) => Err(SettingsError { problems }),
        Err(error) => {
            if problems.is_empty() {
                problems.push(SettingsProblem::of_all(Place::Default, without_values(&error)));
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
    let web_config = overrides.web_config_file.as_ref().map(|path| Value::from(path.to_string_lossy().into_owned()));
    let all = [
        ("web.listen_address", "--web.listen-address", many(&overrides.listen_addresses)),
        ("web.external_url", "--web.external-url", text(&overrides.external_url)),
        ("web.config_file", "--web.config.file", web_config),
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
        return not(expected);
    }
    if let ConfigError::At { error, .. } = error {
        return without_values(error);
    }
    without_value(&error.to_string())
}

/// Serde's "invalid type: string \"s3cret\", expected a sequence" without its middle.
fn without_value(message: &str) -> String {
    match message.rsplit_once(", expected ") {
        Some((wrong, expected)) if wrong.starts_with("invalid ") => not(expected),
        _ => message.to_owned(),
    }
}

/// What a value must be, in words that name no type of ours.
fn not(expected: &str) -> String {
    if expected.starts_with("struct ") || expected == "a map" {
        return "is a map of keys; set each key by itself, such as SICKBAY__WEB__LISTEN_ADDRESS".to_owned();
    }
    match expected {
        "a sequence" => "is a list, which no variable can hold; write it into the settings file".to_owned(),
        "an integer" | "u32" | "u64" => "must be a whole number".to_owned(),
        "a boolean" => "must be true or false".to_owned(),
        other => format!("must be {other}"),
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
    if message.contains("tab") && message.contains("indentation") {
        return "a tab in the indentation; indent with spaces".to_owned();
    }
    if message.contains("unclosed quote") || message.contains("quoted scalar") {
        return format!("{message}; close the quote that begins here");
    }
    if message == "expected sequence start" {
        return "a list belongs here".to_owned();
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

/// The file as the types read it.
pub(super) fn typed(text: &str) -> Result<RawSettings, serde_saphyr::Error> {
    serde_saphyr::from_str_with_options::<RawSettings>(text, options())
}

/// The file as it is written; `None` if it is no YAML that settings may be.
pub(super) fn tree_of(text: &str) -> Option<Spanned<Tree>> {
    serde_saphyr::from_str_with_options::<Spanned<Tree>>(text, options()).ok()
}

/// The first mistakes of a file, and how many more there are.
fn of_file(path: &str, mistakes: Vec<shape::Mistake>) -> Vec<SettingsProblem> {
    let place = |(line, column)| Place::File { path: path.to_owned(), line, column };
    let more = mistakes.len().saturating_sub(PROBLEMS_MAX);
    let told = mistakes.into_iter().take(PROBLEMS_MAX).map(|mistake| {
        let shape::Mistake { at, key, message, about, leave_out: _ } = mistake;
        SettingsProblem { place: place(at), key, message, about }
    });
    let rest = || SettingsProblem::of_all(place((0, 0)), format!("{more} more problems are not shown; mend the first"));
    told.chain((more != 0).then(rest)).collect()
}

/// The file, and all that has the wrong shape in it; or why none of it can be read.
fn read_file(path: &str, text: &str) -> Result<(Spanned<Tree>, Vec<shape::Mistake>), Box<SettingsProblem>> {
    let tree = parsed(path, text)?;
    if is_blank(text) {
        return Ok((tree, Vec::new()));
    }
    let Err(refused) = typed(text).map_err(|error| of_yaml(path, &error)) else { return Ok((tree, Vec::new())) };
    let mistakes = shape::mistakes(&tree, text);
    // What the file is at all decides whether anything of it can be read.
    match mistakes.iter().find(|mistake| mistake.key.is_empty()) {
        Some(whole) => Err(of_text(path, whole.at, whole.message.clone())),
        None if mistakes.is_empty() => {
            let key = key_at(&tree.value, &refused.place);
            Err(Box::new(SettingsProblem { key, ..*refused }))
        }
        None => Ok((tree, mistakes)),
    }
}

/// A file as YAML with places; one that says nothing is an empty map.
pub(super) fn parsed(path: &str, text: &str) -> Result<Spanned<Tree>, Box<SettingsProblem>> {
    if FILE_BYTES_MAX < text.len() {
        return Err(of_text(path, (0, 0), "the file is larger than 1 MiB; a settings file is not".to_owned()));
    }
    if is_blank(text) {
        let location = serde_saphyr::Location::UNKNOWN;
        return Ok(Spanned::new(Tree::Map(Vec::new()), location, location));
    }
    serde_saphyr::from_str_with_options::<Spanned<Tree>>(text, options()).map_err(|error| of_yaml(path, &error))
}

fn is_blank(text: &str) -> bool {
    text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
}

fn of_text(path: &str, (line, column): (u64, u64), message: String) -> Box<SettingsProblem> {
    Box::new(SettingsProblem::of_all(Place::File { path: path.to_owned(), line, column }, message))
}

fn of_yaml(path: &str, error: &serde_saphyr::Error) -> Box<SettingsProblem> {
    let at = error.location().map_or((0, 0), |location| (location.line(), location.column()));
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text);
    of_text(path, at, in_words(&without_value(message.trim_end_matches([',', ':']))))
}

/// The key that stands last before a place: the one a value there belongs to.
fn key_at(tree: &Tree, place: &Place) -> String {
    let mut places = BTreeMap::new();
    tree.collect_places("", &mut places);
    let Place::File { line, column, .. } = place else { return String::new() };
    let before = places.into_iter().filter(|(_, key)| *key <= (*line, *column));
    before.max_by_key(|(_, key)| *key).map(|(path, _)| path).unwrap_or_default()
}

/// The file as `config` wants it.
#[derive(Clone, Debug)]
struct Written(Map<String, Value>);

impl Source for Written {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// YAML with places.
pub(super) enum Tree {
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

/// A plain scalar as it stands in the file.
pub(super) fn written<'t>(node: &Spanned<Tree>, text: &'t str) -> &'t str {
    let span = node.defined.span();
    let start = span.byte_offset().and_then(|start| usize::try_from(start).ok()).unwrap_or_default();
    let length = span.byte_len().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    text.get(start..start + length).unwrap_or_default().trim()
}

/// A file's keys without what is left out: every plain scalar but booleans is the text that was written, so that `1.10`
/// stays `1.10`.
fn table(tree: &Spanned<Tree>, (text, left_out): (&str, &BTreeSet<&str>)) -> Map<String, Value> {
    let writer = Writer { text, left_out };
    if let Tree::Map(entries) = &tree.value { writer.entries(entries, "") } else { Map::new() }
}

struct Writer<'t> {
    text: &'t str,
    left_out: &'t BTreeSet<&'t str>,
}

impl Writer<'_> {
    fn entries(&self, entries: &[(Spanned<String>, Spanned<Tree>)], path: &str) -> Map<String, Value> {
        let mut table = Map::new();
        for (key, value) in entries {
            let path = if path.is_empty() { key.value.clone() } else { format!("{path}.{}", key.value) };
            if !self.left_out.contains(path.as_str()) {
                table.insert(key.value.clone(), self.value(value, &path));
            }
        }
        table
    }

    fn value(&self, node: &Spanned<Tree>, path: &str) -> Value {
        let kind = match &node.value {
            Tree::Nothing => ValueKind::Nil,
            Tree::Boolean(value) => ValueKind::Boolean(*value),
            Tree::Number => ValueKind::String(written(node, self.text).to_owned()),
            Tree::Text(value) => ValueKind::String(value.clone()),
            Tree::List(items) => {
                let items = items.iter().enumerate();
                ValueKind::Array(items.map(|(index, item)| self.value(item, &format!("{path}[{index}]"))).collect())
            }
            Tree::Map(entries) => ValueKind::Table(self.entries(entries, path)),
        };
        Value::new(None, kind)
    }
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

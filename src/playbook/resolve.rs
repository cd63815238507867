//! One entry of `playbooks` into a [`Playbook`], valid by construction.
//!
//! Every rule is checked even after one is broken, so that one run of `check` shows all there is to mend. What it does is
//! read by `attempts`, times and conditions by `when`, lint is in `lint`. Read [`playbook`] first.

use super::attempts::{self, Doings};
use super::condition::Nameable;
use super::definition::Playbook;
use super::keys;
use super::lint;
use super::load::Reading;
use super::names;
use super::problem::{Findings, Note};
use super::raw::{self, Field, Fields};
use super::steps::Sees;
use super::target;
use super::template::Template;
use super::text;
use super::url::UrlTemplate;
use super::when;
use super::yaml::{Content, Node, Span};
use crate::model::limit::Limits;
use crate::model::matcher::{MatchOp, Matcher, parse_matchers};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::time::Duration;

/// A playbook, and where its parts stand for the lint that follows.
#[derive(Debug)]
pub(super) struct Resolved {
    /// The playbook.
    pub(super) playbook: Playbook,
    /// The place of its matchers.
    pub(super) matchers: Span,
}

/// Reads one entry. `None` if anything in it is an error; all of it is in the findings.
pub(super) fn playbook(entry: &Node, reading: &mut Reading<'_>) -> Option<Resolved> {
    let errors = reading.findings.errors();
    reading.findings.take_not_executed();
    let fields = Fields::read(entry, entry.span, &keys::PLAYBOOK, &mut reading.findings)?;
    let name = name(&fields, reading);
    let findings = &mut reading.findings;
    let description = fields.get("description").and_then(|field| field.text(findings)).unwrap_or_default();
    let enabled = fields.boolean("enabled", true, findings);
    let dry_run = fields.boolean("dry_run", false, findings);
    let matchers_span = fields.get("matchers").map_or(entry.span, |field| field.key);
    let matchers = matchers(&fields, findings, &mut reading.regexes_left);
    let (schedule, intervals) = when::schedule(&fields, reading);
    let findings = &mut reading.findings;
    let looks = target::looks(&fields);
    let hosts = reading.hosts;
    let target = fields.get("target").and_then(|field| target::target(field, hosts, findings));
    let scope = Nameable { target: looks, ..Nameable::default() };
    let condition = fields.get("if").and_then(|field| when::condition(field, scope, findings));
    let limits =
        fields.get("limits").map_or_else(|| Some(Limits::default()), |field| super::limits::limits(field, findings));
    let doings = attempts::read(&fields, looks, reading);
    let findings = &mut reading.findings;
    if let Some((verb, at)) = doings.first_on_target
        && fields.get("target").is_none()
    {
        let note = Note::error("playbook.target", at, format!("`{verb}` needs a `target`"));
        findings.push(note.hint("say which container is meant: target: {container: \"{{ labels.container }}\"}"));
    }
    if let Some(matchers) = &matchers {
        refuse_matching_everything(matchers, matchers_span, &doings, findings);
    }
    if findings.errors() != errors {
        return None;
    }
    let mut not_executed = findings.take_not_executed();
    not_executed.sort_unstable();
    not_executed.dedup();
    let done = doings.finish()?;
    let playbook = Playbook {
        name: name?.into(),
        revision: revision(entry, findings.text(), &intervals).into(),
        text: text::of(entry, findings.text(), &intervals).into(),
        source: findings.place(entry.span.start),
        description: description.trim().to_owned(),
        enabled,
        dry_run,
        matchers: matchers?,
        schedule,
        target,
        condition,
        limits: limits?,
        approval: done.approval,
        attempts: done.attempts,
        on_failure: done.on_failure,
        on_denied: done.on_denied,
        on_resolved: done.on_resolved,
        not_executed,
    };
    lint::playbook(&playbook, &fields, &done.marks, findings);
    Some(Resolved { playbook, matchers: matchers_span })
}

/// The first 12 digits of the SHA-256 of the entry's text, from the first character of its first key to the last of its
/// last value, followed by the texts of the anchors it uses from elsewhere and of the time intervals it names.
fn revision(entry: &Node, text: &str, intervals: &[String]) -> String {
    let parts = entry.sources(text).into_iter().chain(intervals.iter().map(String::as_str));
    let digest = parts.fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize();
    hex::encode(digest).chars().take(12).collect()
}

fn name<'n>(fields: &Fields<'n>, reading: &mut Reading<'_>) -> Option<&'n str> {
    let findings = &mut reading.findings;
    let field = fields.need("name", findings)?;
    let name = field.text(findings)?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let well_formed = name.bytes().all(|byte| plain(byte) || byte == b'-') && name.bytes().next().is_some_and(plain);
    if !well_formed || name.len() > keys::NAME_LEN_MAX as usize {
        let message = format!("{:?} cannot name a playbook", raw::shorten(name));
        let hint = format!(
            "lower-case letters, digits and `-`, starting with a letter or digit, at most {}",
            keys::NAME_LEN_MAX
        );
        findings.push(Note::error("playbook.name", field.span(), message).hint(hint));
        return None;
    }
    if let Some(first) = reading.names.get(name) {
        let message = format!("the name `{name}` is taken by the playbook at {first}");
        findings.push(Note::error("playbook.duplicate-name", field.span(), message));
        return None;
    }
    reading.names.insert(name.to_owned(), findings.place(field.key.start));
    Some(name)
}

/// What the regular expressions of all files together may weigh: some 25 MiB, and a second or two to compile.
pub(super) const REGEX_WEIGHT_MAX: usize = 300_000;

const REGEXES_TOO_LARGE: &str = "the regular expressions up to this one are too large together";

fn weight_of(matcher: &Matcher) -> usize {
    match &matcher.op {
        MatchOp::Regex(regex) | MatchOp::NotRegex(regex) => regex.weight(),
        MatchOp::Equal(_) | MatchOp::NotEqual(_) => 0,
    }
}

/// All matchers, or nothing if one of them cannot be read: it may be the one that narrows.
fn matchers(fields: &Fields<'_>, findings: &mut Findings<'_>, regexes_left: &mut usize) -> Option<Vec<Matcher>> {
    let mut matchers = Some(Vec::new());
    let field = fields.need("matchers", findings)?;
    let hint = "write each matcher as `- name = \"value\"`, as in an Alertmanager route";
    let items = field.list(hint, findings)?;
    if matches!(field.value.content, Content::List { flow: true, .. }) && !items.is_empty() {
        let note = Note::warning("lint.flow-matchers", field.span(), "matchers in flow style");
        findings.push(note.hint("use a block list (`- …`): between brackets YAML reads commas and braces as its own"));
    }
    for item in items {
        let item = Field { value: item, key: item.span, ..field };
        let text = item.text(findings);
        if *regexes_left == 0 && text.is_some_and(|text| text.contains("=~") || text.contains("!~")) {
            matchers = None;
            findings.push(Note::error("playbook.regex-size", item.span(), REGEXES_TOO_LARGE));
            continue;
        }
        match text.map(parse_matchers) {
            Some(Ok(parsed)) => {
                let weight = parsed.matchers.iter().map(weight_of).fold(0, usize::saturating_add);
                if *regexes_left < weight {
                    (matchers, *regexes_left) = (None, 0);
                    findings.push(Note::error("playbook.regex-size", item.span(), REGEXES_TOO_LARGE));
                    continue;
                }
                *regexes_left -= weight;
                let written = |content: &Content| match content {
                    Content::Scalar { text, .. } => text.contains(['“', '”', '„', '‘', '’']),
                    Content::List { .. } | Content::Map(_) => false,
                };
                if written(&item.value.content) {
                    let message = "these are typographic quotes: they belong to the value, and no label has them";
                    let note = Note::warning("lint.matcher-syntax", item.span(), message);
                    findings.push(note.hint("write `- name = \"value\"`, with plain quotes"));
                }
                for warning in parsed.warnings {
                    findings.push(Note::warning("lint.matcher-syntax", item.span(), warning));
                }
                parsed.matchers.iter().for_each(|matcher| lint::matcher(matcher, item.span(), findings));
                matchers = matchers.map(|all| all.into_iter().chain(parsed.matchers).collect());
            }
            Some(Err(error)) => {
                matchers = None;
                // To find that one is too large takes as long as to compile a large one.
                let cost = if error.message.contains("too large") { REGEX_WEIGHT_MAX / 2 } else { 0 };
                *regexes_left = regexes_left.saturating_sub(cost);
                let at = item.value.inner_span(findings.text(), error.span);
                let note = Note::error("playbook.matcher", at, format!("this is not a matcher: {}", error.message));
                let doubled = matches!(&item.value.content, Content::Scalar { text, .. } if text.contains("=="));
                findings.push(note.hint(if doubled {
                    "write a single `=`: name = \"value\""
                } else {
                    "write it as in an Alertmanager route: name, one of = != =~ !~, \"value\""
                }));
            }
            None => matchers = None,
        }
    }
    matchers
}

/// An acting playbook must say what it is for.
fn refuse_matching_everything(matchers: &[Matcher], at: Span, doings: &Doings, findings: &mut Findings<'_>) {
    let narrows = |matcher: &Matcher| !matches_any_alert(matcher);
    if (doings.acts() || doings.acts_afterwards()) && !matchers.iter().any(narrows) {
        let message = "these matchers match every alert, and the playbook acts";
        let hint = "name what it is for, such as `- alertname = \"BlackboxProbeFailed\"`";
        findings.push(Note::error("playbook.matches-everything", at, message).hint(hint));
    }
}

/// Whether a matcher excludes no alert at all. A regex is tried on texts that have nothing in common; that an alert has
/// a name excludes none.
pub(super) fn matches_any_alert(matcher: &Matcher) -> bool {
    const PROBES: [&str; 7] = ["a", "Zz_9", "0", " ", "web-1.example:9100/x?y=[z]", "\u{e9}\u{1f642}", "$^\\|(){}"];
    let takes = |text: &str| match &matcher.op {
        MatchOp::Equal(value) => text == value,
        MatchOp::NotEqual(value) => text != value,
        MatchOp::Regex(regex) => regex.is_match(text),
        MatchOp::NotRegex(regex) => !regex.is_match(text),
    };
    let excludes_a_value = match &matcher.op {
        MatchOp::NotEqual(value) => !value.is_empty(),
        MatchOp::Equal(_) | MatchOp::Regex(_) | MatchOp::NotRegex(_) => false,
    };
    !excludes_a_value && PROBES.into_iter().all(takes) && (matcher.name == "alertname" || takes(""))
}

/// A duration of more than nothing.
pub(super) fn positive(field: Field<'_>, findings: &mut Findings<'_>) -> Option<Duration> {
    let duration = field.duration(findings)?;
    if duration.is_zero() {
        let message = format!("`{}` must be more than zero", field.name);
        findings.push(Note::error("playbook.duration", field.span(), message));
        return None;
    }
    Some(duration)
}

/// One word out of a few.
pub(super) fn one_of<T: Copy>(field: Field<'_>, words: &[(&str, T)], findings: &mut Findings<'_>) -> Option<T> {
    let text = field.text(findings)?;
    let value = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    if value.is_none() {
        let known: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        field.wrong(&format!("one of {}", known.join(", ")), findings);
    }
    value
}

/// Text with alert values in it. `steps.X` must name a step that comes before.
pub(super) fn template(
    field: Field<'_>,
    (ids, sees): (&[&str], Sees<'_>),
    findings: &mut Findings<'_>,
) -> Option<Template> {
    let source = field.text(findings)?;
    if source.trim().is_empty() {
        field.wrong("text", findings);
        return None;
    }
    match Template::parse(source, sees.roots) {
        Ok(template) => {
            check_names((field, source), ids, &template.references(), findings);
            Some(template)
        }
        Err(error) => {
            let at = field.value.inner_span(findings.text(), error.span);
            findings.push(match error.message.split_once("; ") {
                Some((message, hint)) => Note::error("playbook.template", at, message).hint(hint),
                None => Note::error("playbook.template", at, error.message),
            });
            None
        }
    }
}

/// A URL with values in its path and query; with `of_target` the host may be the target's name.
pub(super) fn url(
    field: Field<'_>,
    (ids, sees): (&[&str], Sees<'_>),
    of_target: bool,
    findings: &mut Findings<'_>,
) -> Option<UrlTemplate> {
    let source = field.text(findings)?;
    match UrlTemplate::parse(source, sees.roots, of_target) {
        Ok(url) => {
            let references = url.templates().flat_map(Template::references).collect();
            check_names((field, source), ids, &references, findings);
            Some(url)
        }
        Err(error) => {
            let at = field.value.inner_span(findings.text(), error.span);
            findings.push(match error.message.split_once("; ") {
                Some((message, hint)) if message.contains("template") || message.contains("unknown") => {
                    Note::error("playbook.url", at, message).hint(hint)
                }
                Some(_) | None => Note::error("playbook.url", at, error.message)
                    .hint("such as: https://hooks.example:8443/restart?job={{ labels.job }}"),
            });
            None
        }
    }
}

/// Whether all that a template names is there.
fn check_names(
    (field, source): (Field<'_>, &str),
    earlier: &[&str],
    references: &BTreeSet<String>,
    findings: &mut Findings<'_>,
) {
    for id in steps_named(references) {
        if earlier.contains(&id) {
            continue;
        }
        let named = format!("steps.{id}");
        let at = place_of((field, source), &named, findings);
        let note = Note::error("playbook.unknown-step", at, format!("no earlier step has the id `{id}`"));
        findings.push(match raw::nearest(id, earlier.iter().copied()) {
            Some(near) => note.hint(format!("did you mean `steps.{near}`?")),
            None => note.hint("give the step an `id`; a template sees only the steps before it"),
        });
    }
    for path in references {
        let Some((name, known)) = names::unknown(path) else { continue };
        let at = place_of((field, source), path, findings);
        let note = Note::error("playbook.unknown-name", at, format!("there is no `{path}`"));
        let listed = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let root = path.strip_suffix(name).unwrap_or(path).trim_end_matches('.');
        findings.push(note.hint(format!("`{root}` has {listed}")));
    }
}

/// Where a dotted name stands in a template.
fn place_of((field, source): (Field<'_>, &str), name: &str, findings: &Findings<'_>) -> Span {
    let range = source.find(name).map(|start| (start, start + name.len()));
    field.value.inner_span(findings.text(), range)
}

/// The ids that a template reads as `steps.ID`, each once.
fn steps_named(references: &BTreeSet<String>) -> BTreeSet<&str> {
    references.iter().filter_map(|name| name.strip_prefix("steps.")?.split('.').next()).collect()
}

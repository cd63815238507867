//! Reads `approval` and `approve`: who must agree, and until when.

use super::definition::ApprovalSpec;
use super::keys;
use super::load::Reading;
use super::problem::Note;
use super::raw::{self, Field, Fields};
use super::resolve::{one_of, positive, template};
use super::steps::{Sees, recipients};
use crate::model::approval::ReasonFor;
use crate::model::duration::format_duration;
use std::time::Duration;

/// The longest that people may be waited for.
const TIMEOUT_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// The most groups and people that one approval may name.
const PEOPLE_MAX: usize = 50;

/// The longest name of one of them, in characters.
const NAME_MAX: usize = 128;

/// Reads the map of `approval` or `approve`.
pub(super) fn approval(
    field: Field<'_>,
    (ids, sees): (&[&str], Sees<'_>),
    reading: &mut Reading<'_>,
) -> Option<ApprovalSpec> {
    let fields = Fields::read(field.value, field.span(), &keys::APPROVAL, &mut reading.findings)?;
    let required =
        fields.get("required").map_or(Some(1), |f| f.whole(&(1..=keys::APPROVERS_MAX), &mut reading.findings));
    let from = people(&fields, reading);
    if let (Some(required), Some(from), Some(field)) = (required, &from, fields.get("from")) {
        enough(field, (required, from), reading);
    }
    let timeout = timeout(&fields, reading);
    let findings = &mut reading.findings;
    let words = [("deny", false), ("approve", true)];
    let on_timeout = fields.get("on_timeout");
    let approve_on_timeout = on_timeout.map_or(Some(false), |field| one_of(field, &words, findings));
    if let Some(field) = on_timeout.filter(|_| approve_on_timeout == Some(true)) {
        let note = Note::warning("lint.approve-on-timeout", field.span(), "silence counts as a yes");
        findings.push(note.hint("at 3 a.m. nobody looks: leave `on_timeout` out, and let `on_denied` call somebody"));
    }
    if let Some(field) =
        on_timeout.filter(|_| approve_on_timeout == Some(true) && reading.approve_on_timeout == Some(false))
    {
        let message = "the settings do not let silence count as a yes";
        let note = Note::error("playbook.approval", field.span(), message);
        findings
            .push(note.hint("leave `on_timeout` out, or set `approvals: {approve_on_timeout: true}` in the settings"));
    }
    let prevent_self_approval = fields.boolean("prevent_self_approval", true, findings);
    let links = fields.boolean("links", true, findings);
    let reasons: Vec<_> = ReasonFor::ALL.iter().map(|reason| (reason.as_str(), *reason)).collect();
    let reason = fields.get("reason").map_or(Some(ReasonFor::Never), |field| one_of(field, &reasons, findings));
    let message = fields.get("message").map(|field| template(field, (ids, sees), findings));
    let ask = if fields.get("ask").is_some() { recipients(&fields, "ask", reading)? } else { Vec::new() };
    Some(ApprovalSpec {
        required: required?,
        from: from?,
        timeout: timeout?,
        approve_on_timeout: approve_on_timeout?,
        prevent_self_approval,
        links,
        reason: reason?,
        ask,
        message: message.map_or(Some(None), |message| message.map(Some))?,
    })
}

fn people(fields: &Fields<'_>, reading: &mut Reading<'_>) -> Option<Vec<String>> {
    let field = fields.need("from", &mut reading.findings)?;
    let items = field.list("name groups of people: from: [sre]", &mut reading.findings)?;
    if items.is_empty() {
        let note = Note::error("playbook.approval", field.span(), "`from` names nobody, so nobody could agree");
        reading.findings.push(note.hint("name one or more groups or people"));
    }
    if PEOPLE_MAX < items.len() {
        let note = Note::error("playbook.approval", field.span(), format!("`from` has more than {PEOPLE_MAX} entries"));
        reading.findings.push(note.hint("make one group of those who may decide"));
    }
    let findings = &mut reading.findings;
    let item = |item| Field { value: item, key: field.key, ..field }.text(findings).map(str::to_owned);
    let people: Option<Vec<String>> = items.iter().map(item).collect();
    let too_long = |name: &&String| NAME_MAX < name.chars().count();
    if let Some(name) = people.iter().flatten().find(too_long) {
        let message = format!("{:?} is longer than {NAME_MAX} characters", raw::shorten(name));
        let note = Note::error("playbook.approval", field.span(), message);
        findings.push(note.hint("name groups or people as the settings do"));
    }
    people
}

/// Whether the settings have as many people as must agree.
fn enough(field: Field<'_>, (required, from): (u32, &[String]), reading: &mut Reading<'_>) {
    let Some(deciders) = reading.deciders.filter(|_| !from.is_empty()) else { return };
    let among = |(name, groups): &&(String, Vec<String>)| from.iter().any(|who| who == name || groups.contains(who));
    let count = deciders.iter().filter(among).count();
    if usize::try_from(required).is_ok_and(|required| required <= count) {
        return;
    }
    let of = from.join(", ");
    let message = format!("{required} of {of} must agree, and the settings have {count} of them who may");
    let note = Note::error("playbook.approval", field.span(), message);
    reading.findings.push(note.hint("add `people` with these groups to the settings, each with the role `approve`"));
}

fn timeout(fields: &Fields<'_>, reading: &mut Reading<'_>) -> Option<Duration> {
    let field = fields.need("timeout", &mut reading.findings)?;
    let timeout = positive(field, &mut reading.findings)?;
    if TIMEOUT_MAX < timeout {
        let message = format!("`timeout` is at most {}", format_duration(TIMEOUT_MAX));
        let note = Note::error("playbook.approval", field.span(), message);
        reading.findings.push(note.hint("what waits longer treats another incident than the one people looked at"));
    }
    Some(timeout)
}

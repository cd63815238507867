//! What people are asked: the exact plan, by its hash and in words, and the messages that carry the question.

use super::Approval;
use super::course::{alert_over, ended, not_carried_out};
use super::terms::{About, Terms};
use super::vote::lapses;
use super::words::Known;
use crate::engine::advance::{self, Move};
use crate::engine::decide::Draft;
use crate::engine::effect::{Effect, LookCloser};
use crate::engine::gate::Question;
use crate::engine::incident::{Incident, Run};
use crate::engine::judge::{Judgment, plan_hash};
use crate::engine::values;
use crate::model::action::TargetIdent;
use crate::model::approval::{ApprovalOutcome, ApprovalRequested, AskedPlan, LinksFor, WRONG_LINKS_MAX, who};
use crate::model::diagnosis::Diagnosis;
use crate::model::duration::format_duration;
use crate::model::fact::{Fact, NoticeFinished, NoticeIntended, StepRef};
use crate::model::id::ActId;
use crate::model::incident::AttemptNumber;
use crate::model::moment::Moment;
use crate::model::notice::{Notice, NoticeOutcome};
use crate::model::policy::Policy;
use crate::playbook::definition::{ApprovalSpec, Playbook, Step};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// How often people are asked anew because what would be done has changed. After that a person must look.
pub(super) const ROUNDS_MAX: u32 = 5;

/// Before a run: `None` if people have agreed to this very plan, else what that calls for.
pub(in crate::engine) fn before_run(
    question: &Question<'_>,
    spec: &ApprovalSpec,
    target: Option<&TargetIdent>,
) -> Option<Judgment> {
    let (incident, playbook) = (question.incident, question.playbook);
    let plan = plan_hash(question, target);
    let ask = || {
        let attempt = AttemptNumber { number: incident.attempt(), count: playbook.attempts.count() };
        let steps = playbook.attempts.steps(attempt.number);
        let about = About { target, attempt, dry_run: question.dry_run() };
        let terms = Terms { incident, playbook, policy: question.policy }.of(about, steps, question.now);
        let about = (question.dry_run(), Some(plan.clone()));
        let about = Run::start(target.cloned(), about, attempt, *question.now);
        let values = values::of_run(incident, &about, playbook, question.policy);
        let container = question.view.map(|view| &view.container);
        let known = Known { values: &values, container, service: question.service };
        let mut what = known.plan(steps, target);
        what.push_str(&known.afterwards(playbook));
        let evidence = known_of(incident, target);
        let asked =
            Asked { plan: plan.clone(), terms, what, step: None, attempt, dry_run: question.dry_run(), evidence };
        request((incident, playbook), spec, target, asked)
    };
    let asked_anew = |approval: &Approval, detail: String, lapsed: Vec<Fact>| {
        let superseded = ended(approval, ApprovalOutcome::Superseded, detail);
        let again = (approval.round < ROUNDS_MAX).then(ask);
        std::iter::once(superseded).chain(lapsed).chain(again).collect()
    };
    let facts = match incident.open_approval() {
        None => vec![ask()],
        // Docker's answer to an earlier question.
        Some(approval) if approval.is_pending() => Vec::new(),
        Some(approval) if approval.is_too_old(question.now) => vec![not_carried_out(approval)],
        Some(approval) if approval.asked.plan != plan => {
            let detail = match (approval.asked.dry_run, question.dry_run()) {
                (true, false) => "people agreed to a dry run, and this would be none any more",
                (false, true) | (true, true) | (false, false) => {
                    "what would be done is no longer what people agreed to"
                }
            };
            asked_anew(approval, detail.to_owned(), Vec::new())
        }
        Some(approval) => match approval.lapsed(question.policy).as_slice() {
            [] => return None,
            gone => {
                let detail = format!("{} agreed, and may no longer decide about it", gone.join(", "));
                asked_anew(approval, detail, lapses(approval, question.policy))
            }
        },
    };
    Some(Judgment { facts, effect: None })
}

/// Whether a look at the target finds out as well what is the matter with it.
pub(in crate::engine) fn closer(incident: &Incident, playbook: &Playbook) -> LookCloser {
    if playbook.approval.is_none() || incident.is_aftercare() {
        return LookCloser::No;
    }
    match incident.open_approval() {
        None => LookCloser::Yes,
        // What people have agreed to is not looked into once more.
        Some(approval) => match &approval.asked.target {
            Some(target) => LookCloser::Unless(target.id.clone()),
            None => LookCloser::No,
        },
    }
}

/// What was found to be the matter with the target when people were asked about it before.
fn known_of(incident: &Incident, target: Option<&TargetIdent>) -> Option<Value> {
    let asked = &incident.open_approval()?.asked;
    let same = asked.target.as_ref()?.id == target?.id;
    asked.evidence.clone().filter(|_| same)
}

/// Puts what was found to be the matter to the question about the very target; of another one nobody is told anything.
pub(in crate::engine) fn seen(evidence: &Value, facts: &mut [Fact]) {
    let of = |pointer: &str| evidence.pointer(pointer).and_then(Value::as_str);
    let looked_at = of("/container/id").or_else(|| of("/service/id"));
    for fact in facts {
        if let Fact::ApprovalRequested(asked) = fact
            && let Some(target) = &asked.target
            && (looked_at == Some(target.id.to_string().as_str()) || evidence.get("error").is_some())
        {
            asked.evidence = Some(evidence.clone());
        }
    }
}

/// What the run's own capture has found.
fn captured(run: &Run) -> Option<Value> {
    let (finding, target) = (run.diagnosis.clone()?, run.target.as_ref()?);
    let diagnosis = Diagnosis { findings: vec![finding] }.to_json();
    Some(json!({"container": {"id": target.id.to_string(), "name": target.name.as_str()}, "diagnosis": diagnosis}))
}

/// Begins an `approve` step.
pub(in crate::engine) fn before_steps(
    (incident, run): (&Incident, &Run),
    (playbook, step, spec): (&Playbook, &Step, &ApprovalSpec),
    (policy, now): (&Policy, &Moment),
) -> Fact {
    if incident.alert_ended && !run.stopped {
        return alert_over(incident, run);
    }
    let rest = advance::steps_of(playbook, run).get(run.index + 1..).unwrap_or_default();
    let values = values::of_run(incident, run, playbook, policy);
    let known = Known { values: &values, container: None, service: None };
    let mut what = known.plan(rest, run.target.as_ref());
    what.push_str(&known.afterwards(playbook));
    let place = advance::step_ref(run, step);
    let terms = Terms { incident, playbook, policy }.of(About::from(run), rest, now);
    let evidence = captured(run);
    let plan = plan_of_step((incident, run), (run.index, &terms));
    let asked = Asked { plan, terms, what, step: Some(place), attempt: run.attempt, dry_run: run.dry_run, evidence };
    request((incident, playbook), spec, run.target.as_ref(), asked)
}

/// What follows an `approve` step, exactly.
pub(in crate::engine) fn plan_of_step((incident, run): (&Incident, &Run), (index, terms): (usize, &str)) -> String {
    let mut hash = Sha256::new();
    let plan = run.plan.as_deref().unwrap_or_default();
    let (id, index, attempt) = (incident.id.to_string(), index.to_string(), run.attempt.number.to_string());
    for part in [plan, &incident.playbook, &incident.revision, &id, &attempt, &index, terms] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex::encode(hash.finalize())
}

/// The parts of a question that differ between a playbook's `approval` and an `approve` step.
struct Asked {
    plan: String,
    terms: String,
    what: String,
    step: Option<StepRef>,
    attempt: AttemptNumber,
    dry_run: bool,
    evidence: Option<Value>,
}

fn request(
    (incident, playbook): (&Incident, &Playbook),
    spec: &ApprovalSpec,
    target: Option<&TargetIdent>,
    Asked { plan, terms, what, step, attempt, dry_run, evidence }: Asked,
) -> Fact {
    Fact::ApprovalRequested(Box::new(ApprovalRequested {
        approval: incident.next_act(),
        playbook: Arc::clone(&playbook.name),
        target: target.cloned(),
        plan,
        terms,
        what,
        required: spec.required,
        from: spec.from.clone(),
        timeout: spec.timeout,
        approve_on_timeout: spec.approve_on_timeout,
        prevent_self_approval: spec.prevent_self_approval,
        // So far, alerts alone cause runs.
        cause: None,
        step,
        attempt,
        dry_run,
        no_links: !spec.links,
        reason: spec.reason,
        evidence,
        look: None,
    }))
}

/// Who would be asked before anything is done, in words; `None` if nobody.
pub(in crate::engine) fn foreseen(playbook: &Playbook) -> Option<String> {
    let spec = playbook.approval.as_ref()?;
    let who = who(spec.required, &spec.from);
    Some(format!("{who} must agree within {}", format_duration(spec.timeout)))
}

/// Lets the next notifier carry the question. Its intent is recorded before it is sent.
pub(super) fn ask(
    incident: &Incident,
    approval: &Approval,
    (playbook, spec, policy): (&Playbook, &ApprovalSpec, &Policy),
    (now, resuming): (&Moment, bool),
) -> Move {
    let asked = &approval.asked;
    let asks = asks(approval).filter(|_| approval.told < spec.ask.len());
    if let Some(notice) = &approval.asking {
        let again = || Move::Do(Effect::SendNotice { notice: notice.clone(), repeat: true, asks, within: None });
        return if resuming { again() } else { Move::Rest };
    }
    let Some(notifier) = spec.ask.get(approval.told) else {
        return links_are_closed(incident, approval, spec);
    };
    let about = Run::of_approval(asked, *now);
    let values = values::of_run(incident, incident.run().unwrap_or(&about), playbook, policy);
    let message = spec.message.as_ref().map(|template| {
        template.render(&values).unwrap_or_else(|error| format!("(the question could not be rendered: {error})"))
    });
    let target = asked.target.as_ref().map(|target| target.name.to_string());
    let on = target.clone().unwrap_or_else(|| incident.alert.labels.value("alertname").to_owned());
    let until = asked
        .until(approval.since.wall)
        .map(|until| format!(" until {}", until.format("%F %T UTC")))
        .unwrap_or_default();
    let silence = if asked.approve_on_timeout { " Silence counts as a yes." } else { "" };
    let (id, plan, what, who) = (asked.approval, asked.digits(), &asked.what, asked.who());
    let found = asked.evidence.as_ref().map(Diagnosis::in_evidence).unwrap_or_default();
    let found = found.first().map(|first| format!("Diagnosis: {} ({}). ", first.what, first.code));
    let diagnosis = found.unwrap_or_default();
    let how = format!("sickbay approve {id} --plan {plan}, or: sickbay deny {id} --plan {plan}");
    let facts = format!(
        "Approval {id}, plan {plan}: {what}. {diagnosis}Needed: {who}{until}.{silence} Look at {}, then: {how}",
        { policy.url.as_str() }
    );
    let message = message.map_or_else(|| facts.clone(), |message| format!("{message}\n{facts}"));
    let mark = if asked.dry_run { "[dry run] " } else { "" };
    let notice = Notice {
        act: incident.next_act(),
        notifier: notifier.clone(),
        severity: "warning".to_owned(),
        title: format!("{mark}{}: may {on} be treated?", playbook.name),
        message: format!("{mark}{message}"),
        playbook: playbook.name.to_string(),
        target,
        dry_run: asked.dry_run,
    };
    let effect = Effect::SendNotice { notice: notice.clone(), repeat: false, asks, within: None };
    Move::RecordAndDo(Fact::NoticeIntended(NoticeIntended { notice }), effect)
}

/// What people can decide with a message.
fn asks(approval: &Approval) -> Option<AskedPlan> {
    let asked = &approval.asked;
    let links = asked.until(approval.since.wall).filter(|_| approval.takes_links());
    let links = links.map(|until| LinksFor { from: asked.from.clone(), until });
    Some(AskedPlan { approval: asked.approval, plan: asked.plan.clone(), links })
}

/// Tells all who were asked that somebody has guessed at links until none was taken any more.
fn links_are_closed(incident: &Incident, approval: &Approval, spec: &ApprovalSpec) -> Move {
    let asked = &approval.asked;
    let notifier = approval.told.checked_sub(spec.ask.len()).and_then(|told| spec.ask.get(told));
    let Some(notifier) = notifier.filter(|_| WRONG_LINKS_MAX <= approval.wrong_links) else { return Move::Rest };
    let id = asked.approval;
    let notice = Notice {
        act: incident.next_act(),
        notifier: notifier.clone(),
        severity: "warning".to_owned(),
        title: format!("{}: links are closed for approval {id}", asked.playbook),
        message: format!(
            "{WRONG_LINKS_MAX} links or codes were tried for approval {id} that fit nobody, so none is taken for it any \
             more: somebody may be guessing. Decide on the page, in Slack or with sickbay approve {id}."
        ),
        playbook: asked.playbook.to_string(),
        target: asked.target.as_ref().map(|target| target.name.to_string()),
        dry_run: asked.dry_run,
    };
    let effect = Effect::SendNotice { notice: notice.clone(), repeat: false, asks: None, within: None };
    Move::RecordAndDo(Fact::NoticeIntended(NoticeIntended { notice }), effect)
}

/// A message came back. False if it is not one that carries a question.
pub(in crate::engine) fn asked(draft: &mut Draft<'_>, act: ActId, outcome: &NoticeOutcome) -> bool {
    let Some(incident) = draft.state.incident(act.incident) else { return false };
    if !incident.approval.as_ref().is_some_and(|approval| approval.is_asked_by(act)) {
        return false;
    }
    let fact = Fact::NoticeFinished(NoticeFinished { act, outcome: outcome.clone() });
    let mut after = incident.clone();
    after.apply(&fact, *draft.now);
    draft.decision.facts.push(fact);
    // Once they have decided, whatever comes next is under way already.
    if after.waits_for_people() {
        draft.carry_on(after, false);
    }
    true
}

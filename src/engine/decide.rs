//! The one function: what happened, against what is known, makes facts to record and effects to release.
//!
//! Pure: no clock, no I/O. The caller appends the facts to the log, applies them to the state in order, and releases the
//! effects and receipts once they are durable.

use super::advance::{self, Move};
use super::effect::Effect;
use super::event::Event;
use super::incident::{Incident, Phase, Stage};
use super::judge::{self, Judgment};
use super::receipt::Reply;
use super::ruleset::Ruleset;
use super::state::State;
use super::switch::Occasion;
use super::texts::Texts;
use super::{abort, approval, breaker, intake, offspring, step_asked, step_rules, switch, tick, witness};
use crate::model::container::TargetReport;
use crate::model::fact::{
    ActionFinished, ActionReconciled, BreakerReset, ConfigLoaded, ConfigRejected, Fact, LogOpened, LogRecovered,
    NoticeFinished, RequestFinished, StepResult, StormFrozen, Taken,
};
use crate::model::host::Host;
use crate::model::id::IncidentId;
use crate::model::limit::Storm;
use crate::model::moment::Moment;
use crate::model::stamp::Stamp;
use crate::model::testimony::Heard;
use crate::playbook::definition::Playbook;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// More moves than any incident can make at once: a guard against a loop that would be our own mistake.
const MOVES_MAX: usize = 64;

/// What follows from an event.
#[derive(Debug, Default)]
pub struct Decision {
    /// To be recorded, in order. The first gets the state's next number.
    pub facts: Vec<Fact>,
    /// To be released once all facts are durable.
    pub effects: Vec<Effect>,
    /// For whoever brought the event, once all facts are durable.
    pub reply: Reply,
    /// What to decide by from the next event on, if that is no longer what this was decided by.
    pub ruleset: Option<Ruleset>,
}

/// Decides.
#[must_use]
pub fn decide(state: &State, ruleset: &Ruleset, event: Event, now: &Stamp) -> Decision {
    let moment = state.timeline().moment(now);
    let replaced = if let Event::Reloaded(new) = &event { Some(ruleset.replaced_by(new, state)) } else { None };
    let ruleset_now = replaced.as_ref().unwrap_or(ruleset);
    let mut draft = Draft {
        state,
        ruleset: ruleset_now,
        now: &moment,
        decision: Decision::default(),
        taken: 0,
        closed: BTreeMap::new(),
        texts: Texts::default(),
        settled: 0,
    };
    draft.decision.facts.extend(state.timeline().jump(now).map(Fact::ClockJumped));
    let occasion = Occasion::of(&event);
    switch::run_out(&mut draft);
    happen(&mut draft, ruleset, event);
    offspring::settle(&mut draft);
    switch::ask_again(&mut draft, occasion);
    let mut decision = draft.decision;
    decision.ruleset = replaced;
    decision
}

/// What an event itself brings about; `before` is what was loaded until now.
fn happen(draft: &mut Draft<'_>, before: &Ruleset, event: Event) {
    match event {
        Event::Started { recovered, version, hostname, files } => {
            draft.started(recovered, (version, hostname, files));
        }
        Event::NotificationReceived(notification) => intake::notification(draft, notification),
        Event::TargetResolved { incident, report, evidence, heard } => {
            draft.target_known(incident, (Some(report), evidence), heard);
        }
        Event::TargetSkipped { incident } => draft.target_known(incident, (None, None), Heard::NotPut),
        Event::StepAsked { incident, index, report, heard } => {
            step_asked::answered(draft, (incident, index), (report, heard));
        }
        Event::StepEnded { incident, index, elapsed, result } => draft.step_ended(incident, index, (elapsed, result)),
        Event::AlertWitnessed { incident, index, testimony } => {
            witness::heard(draft, (incident, index), &testimony);
        }
        Event::ActionReturned { act, outcome } => {
            draft.came_back(act.incident, Fact::ActionFinished(ActionFinished { act, outcome }));
        }
        Event::ActionObserved { act, finding, post, detail } => {
            draft.came_back(act.incident, Fact::ActionReconciled(ActionReconciled { act, finding, post, detail }));
        }
        Event::RequestReturned { act, outcome } => {
            draft.came_back(act.incident, Fact::RequestFinished(RequestFinished { act, outcome }));
        }
        Event::NoticeReturned { act, outcome } => {
            if !approval::asked(draft, act, &outcome) {
                draft.came_back(act.incident, Fact::NoticeFinished(NoticeFinished { act, outcome }));
            }
        }
        Event::VoteCast(ballot) => approval::vote(draft, ballot),
        Event::AbortRequested { incident, by, reason } => abort::abort(draft, (incident, by, reason)),
        Event::PauseRequested(pause) => switch::pause(draft, pause),
        Event::ResumeRequested { scope, by, reason } => switch::resume(draft, (scope, by, reason)),
        Event::PauseFileRead(seen) => switch::file(draft, seen),
        Event::BreakerResetRequested { target, by, reason } => {
            breaker::reset(draft, BreakerReset { target, by, reason });
        }
        Event::Reloaded(new) => {
            draft.decision.reply = Reply::Reloaded(before.changes_to(&new.playbooks));
            draft.reloaded(before, (new.files, new.by));
        }
        Event::ReloadFailed { problem, by } => {
            draft.decision.reply = Reply::NotReloaded;
            draft.decision.facts.push(Fact::ConfigRejected(ConfigRejected { problem, by }));
        }
        Event::Ticked => {
            tick::expire(draft);
            approval::expire(draft);
        }
        Event::Stopping => draft.decision.facts.push(Fact::LogClosed),
    }
}

/// A decision in the making.
pub(super) struct Draft<'a> {
    pub(super) state: &'a State,
    pub(super) ruleset: &'a Ruleset,
    pub(super) now: &'a Moment,
    pub(super) decision: Decision,
    /// How many alerts playbooks took in this decision, not counted in the state yet.
    taken: usize,
    /// The incidents that this decision closes, as they are then.
    closed: BTreeMap<IncidentId, Incident>,
    /// The playbooks' texts that this decision tells.
    texts: Texts,
    /// How many of the facts have been settled with the incidents beside the one they are about.
    pub(super) settled: usize,
}

impl Draft<'_> {
    /// Whether this decision tells something about an incident already.
    pub(super) fn has_told_of(&self, incident: IncidentId) -> bool {
        // What opens an incident bears its number: it cannot be one that is known.
        let nobody = self.state.next_seq();
        self.decision.facts.iter().any(|fact| fact.incident(nobody) == Some(incident))
    }

    /// The number the next fact will have.
    pub(super) fn next_seq(&self) -> crate::model::id::Seq {
        let drafted = u64::try_from(self.decision.facts.len()).unwrap_or(u64::MAX);
        crate::model::id::Seq(self.state.next_seq().0 + drafted)
    }

    /// A playbook takes an alert. Its text goes with the first record that tells of this revision.
    pub(super) fn taken(&self, playbook: &Playbook, host: Host) -> Taken {
        let (name, revision) = (Arc::clone(&playbook.name), Arc::clone(&playbook.revision));
        let told = self.state.texts().tell(&revision) || self.texts.tell(&revision);
        let text = (!told).then(|| Arc::clone(&playbook.text));
        Taken::ByPlaybook { playbook: name, revision, host, text }
    }

    /// Records what opens an incident.
    pub(super) fn opens(&mut self, fact: Fact) {
        if let Fact::AlertReceived(alert) = &fact {
            self.texts.opened(alert);
        } else if let Fact::IncidentOpened(opened) = &fact {
            self.texts.opened(&opened.alert);
        }
        self.decision.facts.push(fact);
    }

    /// A playbook took an alert: if that makes a storm, it is recorded, and the gates will know.
    pub(super) fn count_towards_storm(&mut self) {
        self.taken += 1;
        self.freeze_in_a_storm();
    }

    fn freeze_in_a_storm(&mut self) {
        let storm = &self.ruleset.policy.storm;
        let frozen = |fact: &Fact| matches!(fact, Fact::StormFrozen(_));
        if let Some(alerts) = self.state.storm().due(storm, self.taken, self.now)
            && !self.decision.facts.iter().any(frozen)
        {
            let Storm { per, freeze, .. } = *storm;
            self.decision.facts.push(Fact::StormFrozen(StormFrozen { alerts, per, freeze }));
        }
    }

    fn started(
        &mut self,
        recovered: Option<LogRecovered>,
        (version, hostname, files): (String, String, Vec<(String, String)>),
    ) {
        let policy = &self.ruleset.policy;
        let (dry_run, first_host) = (policy.dry_run, policy.hosts.first().cloned());
        self.decision.facts.extend(recovered.map(Fact::LogRecovered));
        self.decision.facts.push(Fact::LogOpened(LogOpened { version, hostname, dry_run, first_host }));
        self.config_loaded(files, (false, None));
        // The alerts of a storm may be in the log, and the freeze lost in the crash.
        self.freeze_in_a_storm();
        offspring::cut_off(self);
        for incident in self.state.incidents() {
            let incident = approval::recounted(self, incident);
            match approval::run_out(self, &incident) {
                Some(over) => self.came_back(incident.id, over),
                None => self.carry_on(incident, true),
            }
        }
    }

    /// The ruleset is the new one already. Runs go on by the revision they began with. What has not begun goes on only
    /// if its very playbook is still loaded; otherwise its alert is taken by what is loaded now: at once if it is being
    /// decided about this moment, else when it is delivered again.
    fn reloaded(&mut self, before: &Ruleset, (files, by): (Vec<(String, String)>, Option<String>)) {
        self.config_loaded(files, (true, by));
        for incident in self.state.incidents() {
            let recounted = approval::recounted(self, incident);
            if incident.has_begun() || advance::playbook_of(incident, self.ruleset).is_some() {
                continue;
            }
            self.carry_on(recounted, false);
            // How complete its notification was is known only if the playbook before had asked.
            let complete = before.loaded(&incident.playbook, &incident.revision).is_some_and(|old| old.acts());
            let own = incident.origin.is_none() && !incident.alert_ended;
            if incident.phase == Phase::AwaitingTarget && own && complete {
                intake::take_anew(self, &incident.alert);
            }
        }
    }

    fn config_loaded(&mut self, files: Vec<(String, String)>, (reloaded, by): (bool, Option<String>)) {
        let Ruleset { playbooks, policy, .. } = self.ruleset;
        let playbooks = playbooks.iter().map(|playbook| (playbook.name.to_string(), playbook.revision.to_string()));
        let (playbooks, dry_run) = (playbooks.collect(), policy.dry_run);
        self.decision.facts.push(Fact::ConfigLoaded(ConfigLoaded { files, playbooks, dry_run, reloaded, by }));
    }

    fn target_known(
        &mut self,
        incident: IncidentId,
        (report, evidence): (Option<TargetReport>, Option<serde_json::Value>),
        heard: Heard,
    ) {
        let Some(incident) = self.state.incident(incident) else { return };
        let report = report.map(|report| offspring::further_targets(self, incident, report));
        let mut judgment = judge::judge(self.state, self.ruleset, incident, (report, heard), self.now);
        if let Some(evidence) = evidence {
            approval::seen(&evidence, &mut judgment.facts);
        }
        self.judged(incident, judgment);
    }

    /// What was judged about an incident's next step.
    pub(super) fn judged(&mut self, incident: &Incident, judgment: Judgment) {
        let Judgment { facts, effect } = judgment;
        let mut incident = incident.clone();
        let news = !facts.is_empty();
        for fact in facts {
            incident.apply(&fact, *self.now);
            self.decision.facts.push(fact);
        }
        match effect {
            Some(effect) => self.decision.effects.push(effect),
            None if news => self.carry_on(incident, false),
            None => {}
        }
    }

    fn step_ended(&mut self, incident: IncidentId, index: usize, (elapsed, result): (Duration, StepResult)) {
        let Some(incident) = self.state.incident(incident) else { return };
        let Some(run) = incident.run().filter(|run| run.index == index) else { return };
        let Some(playbook) = advance::playbook_of(incident, self.ruleset) else {
            self.carry_on(incident.clone(), false);
            return;
        };
        let Some(step) = advance::steps_of(playbook, run).get(index) else { return };
        let step = advance::step_ref(run, step);
        // The log keeps milliseconds: live and replayed state must be the same.
        let elapsed = Duration::from_millis(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
        let fact = advance::step_fact(incident, (playbook, run), (step, elapsed, result));
        self.came_back(incident.id, fact);
    }

    /// Something an incident waited for came back. What fits nothing it waits for is dropped.
    pub(super) fn came_back(&mut self, incident: IncidentId, fact: Fact) {
        let Some(before) = self.state.incident(incident) else { return };
        let mut after = before.clone();
        after.apply(&fact, *self.now);
        if after == *before {
            return;
        }
        self.decision.facts.push(fact);
        self.carry_on(after, false);
    }

    /// Lets an incident make every move it can make by itself.
    pub(super) fn carry_on(&mut self, mut incident: Incident, resuming: bool) {
        let mut resuming = resuming;
        for _ in 0..MOVES_MAX {
            let (fact, effect) = match advance::next_move(&incident, self.ruleset, self.now, resuming) {
                Move::Record(fact) => (fact, None),
                Move::RecordAndDo(fact, effect) => (fact, Some(effect)),
                Move::Do(effect) => {
                    self.decision.effects.push(effect);
                    return;
                }
                Move::Pause(pause, step) => {
                    let (set, finished) = step_rules::paused(self.state, &incident, (pause, step), self.now);
                    self.decision.facts.extend(set);
                    (finished, None)
                }
                Move::Rest => return,
            };
            resuming = false;
            let over = matches!(fact, Fact::IncidentClosed(_));
            let opened = breaker::tripped(self.state, &self.ruleset.policy, (&incident, &fact), self.now);
            for fact in std::iter::once(fact).chain(opened) {
                incident.apply(&fact, *self.now);
                self.decision.facts.push(fact);
            }
            if let Some(effect) = effect {
                self.decision.effects.push(effect);
                return;
            }
            if over {
                self.closed.insert(incident.id, incident);
                return;
            }
        }
    }

    /// Ends an incident by these facts, the last of which closes it.
    pub(super) fn end(&mut self, mut incident: Incident, facts: impl Iterator<Item = Fact>) {
        for fact in facts {
            incident.apply(&fact, *self.now);
            self.decision.facts.push(fact);
        }
        self.closed.insert(incident.id, incident);
    }

    /// The facts that have not been settled yet.
    pub(super) fn unsettled(&self) -> &[Fact] {
        self.decision.facts.get(self.settled..).unwrap_or_default()
    }

    /// An incident that this decision closes.
    pub(super) fn closed_as(&self, incident: IncidentId) -> Option<&Incident> {
        self.closed.get(&incident)
    }

    /// Whether this decision closes an incident.
    pub(super) fn has_closed(&self, incident: IncidentId) -> bool {
        self.closed_as(incident).is_some()
    }

    /// The incident if it still waits for the gates' first yes.
    pub(super) fn not_begun(&self, incident: Option<IncidentId>) -> Option<&Incident> {
        let incident = self.state.incident(incident?)?;
        match incident.phase {
            Phase::AwaitingTarget | Phase::AwaitingApproval | Phase::Refused { .. } | Phase::BetweenTries => {
                Some(incident)
            }
            Phase::Running(_) => None,
        }
    }

    /// The incident if the end of its alert changes what comes next.
    pub(super) fn waiting_for_alert(&self, incident: Option<IncidentId>) -> Option<&Incident> {
        let known = self.state.incident(incident?)?;
        let awaits =
            known.run().is_some_and(|run| matches!(run.stage, Stage::AwaitingAlert(_) | Stage::AwaitingApproval));
        if awaits { Some(known) } else { self.not_begun(incident) }
    }
}

//! One record after the other: what must have happened for it to be written happens again.
//!
//! What follows from an earlier record is passed by: the engine has decided it already. Read [`Player::walk`] first.

use super::play::{Player, Story};
use super::{cause, oracle};
use crate::engine::event::{Event, NewConfig};
use crate::engine::incident::{Incident, Stage};
use crate::engine::ruleset::Ruleset;
use crate::engine::{Decision, decide};
use crate::model::approval::{Ballot, VoteAnswer, VoteCast};
use crate::model::fact::{
    AlertReceived, Branch, Cause, Fact, IncidentOpened, IncidentRelapsed, LogOpened, Origin, Record,
};
use crate::model::id::{ActId, IncidentId, Seq};
use crate::model::incident::EpisodeEnd;
use crate::model::label::Fingerprint;
use crate::model::policy::Policy;
use crate::playbook::definition::{Playbook, Verb};
use crate::playbook::index::Playbooks;
use chrono::TimeDelta;
use std::sync::Arc;

impl Player<'_> {
    /// One record.
    pub(super) fn walk(&mut self, entry: usize) {
        let records = self.records;
        let Some(record) = records.get(entry) else { return };
        self.go_to(record.at);
        self.entry = entry;
        match &record.fact {
            Fact::LogOpened(_)
            | Fact::LogClosed
            | Fact::ConfigLoaded(_)
            | Fact::ConfigRejected(_)
            | Fact::ClockJumped(_)
            | Fact::StateSaved(_) => self.of_the_daemon(record, entry),
            Fact::PauseSet(_) | Fact::PauseCleared(_) | Fact::BreakerReset(_) => self.of_people(&record.fact),
            Fact::AlertReceived(_) => self.alert(entry),
            Fact::AlertEnded(ended) => match ended.incident {
                Some(_) if self.has_told(record) => {}
                Some(_) | None => self.alert_ended(record, entry),
            },
            Fact::AlertsRejected(rejected) => {
                self.feed(Event::NotificationReceived(cause::unreadable(rejected)));
            }
            Fact::IncidentRelapsed(relapsed) => {
                if !self.has_told(record) {
                    self.relapsed(*relapsed, entry);
                }
            }
            Fact::Decided(_)
            | Fact::StepFinished(_)
            | Fact::StepMarked(_)
            | Fact::RequestIntended(_)
            | Fact::RequestFinished(_)
            | Fact::TargetVerified(_)
            | Fact::ActionIntended(_)
            | Fact::ActionFinished(_)
            | Fact::ActionReconciled(_)
            | Fact::NoticeIntended(_)
            | Fact::NoticeFinished(_)
            | Fact::AttemptEnded(_)
            | Fact::IncidentClosed(_)
            | Fact::ApprovalRequested(_)
            | Fact::VoteCast(_)
            | Fact::ApprovalEnded(_)
            | Fact::BreakerOpened(_) => {
                if !self.has_told(record) && !self.counts_no_more(record) {
                    self.go_on(record);
                }
            }
            // These follow from others.
            Fact::LogRecovered(_) | Fact::StormFrozen(_) => {}
            Fact::IncidentOpened(opened) => self.opened(record, opened),
        }
    }

    /// What the daemon records about itself.
    fn of_the_daemon(&mut self, record: &Record, entry: usize) {
        if let Fact::LogOpened(opened) = &record.fact {
            self.start(opened, entry);
        } else if let Fact::ConfigLoaded(loaded) = &record.fact {
            if loaded.reloaded {
                let (playbooks, policy) = self.loaded_as(record.seq);
                let new = NewConfig { playbooks, policy, files: loaded.files.clone(), by: loaded.by.clone() };
                self.feed(Event::Reloaded(Box::new(new)));
            }
        } else if let Fact::ConfigRejected(rejected) = &record.fact {
            self.feed(Event::ReloadFailed { problem: rejected.problem.clone(), by: rejected.by.clone() });
        } else if let Fact::ClockJumped(_) = &record.fact {
            self.look_at_the_clock();
        } else if let Fact::StateSaved(_) = &record.fact {
            // Later ones tell what the replay knows by itself.
            if entry == 0 {
                self.state.apply(record);
            }
        } else if let Fact::LogClosed = &record.fact {
            self.feed(Event::Stopping);
            // What the log no longer tells may come to its end.
            if entry + 1 < self.records.len() {
                self.forget_what_is_under_way();
                self.is_up = false;
            }
        }
    }

    /// What this record loaded, or what is loaded already.
    fn loaded_as(&self, seq: Seq) -> (Playbooks, Policy) {
        match self.configs.and_then(|configs| configs(seq)) {
            Some(new) => (new.playbooks, new.policy),
            None => (self.ruleset.playbooks.clone(), self.ruleset.policy.clone()),
        }
    }

    /// What people do at the switches.
    fn of_people(&mut self, fact: &Fact) {
        if let Fact::PauseSet(pause) = fact {
            // A step of a run set it, and the replay of the run does so too.
            if pause.by.starts_with("playbook ") {
                return;
            }
            let of_file = pause.by.starts_with("file:");
            let pause = pause.clone();
            self.feed(if of_file { Event::PauseFileRead(Some(pause)) } else { Event::PauseRequested(pause) });
        } else if let Fact::PauseCleared(cleared) = fact {
            if cleared.by == "sickbay" {
                self.look_at_the_clock();
            } else if cleared.by.starts_with("file:") {
                self.feed(Event::PauseFileRead(None));
            } else {
                let (scope, by, reason) = (cleared.scope.clone(), cleared.by.clone(), cleared.reason.clone());
                self.feed(Event::ResumeRequested { scope, by, reason });
            }
        } else if let Fact::BreakerReset(reset) = fact {
            let (target, by, reason) = (Arc::clone(&reset.target), reset.by.clone(), reset.reason.clone());
            self.feed(Event::BreakerResetRequested { target, by, reason });
        }
    }

    /// Whether the replay has decided a recorded thing already. The walk passes it by with this.
    fn has_told(&mut self, record: &Record) -> bool {
        let incident = record.fact.incident(record.seq);
        let Some(story) = incident.and_then(|incident| self.stories.get_mut(&incident)) else { return false };
        story.walked += 1;
        story.walked <= story.told
    }

    /// The daemon starts.
    fn start(&mut self, opened: &LogOpened, entry: usize) {
        self.forget_what_is_under_way();
        self.is_up = true;
        let before = entry.checked_sub(1).and_then(|before| self.records.get(before));
        let recovered = before.and_then(|record| {
            if let Fact::LogRecovered(recovered) = &record.fact { Some(recovered.clone()) } else { None }
        });
        let loaded = self.records.get(entry + 1).and_then(|next| {
            if let Fact::ConfigLoaded(loaded) = &next.fact { Some((next.seq, loaded.files.clone())) } else { None }
        });
        let (playbooks, policy) = self.loaded_as(loaded.as_ref().map_or(Seq(u64::MAX), |(seq, _)| *seq));
        let files = loaded.map(|(_, files)| files);
        // What was kept for the runs of before is gone with the process.
        self.ruleset = Ruleset::new(playbooks, policy);
        let (version, hostname) = (opened.version.clone(), opened.hostname.clone());
        self.feed(Event::Started { recovered, version, hostname, files: files.unwrap_or_default() });
    }

    fn forget_what_is_under_way(&mut self) {
        self.timetable.forget();
        for followed in self.followed.values_mut() {
            followed.pending = None;
            followed.asked = false;
        }
    }

    /// Something happened that tells nothing but the time.
    fn look_at_the_clock(&mut self) {
        self.feed(Event::TargetSkipped { incident: IncidentId(Seq(u64::MAX)) });
    }

    fn alert(&mut self, entry: usize) {
        let Some(Record { fact: Fact::AlertReceived(received), seq, .. }) = self.records.get(entry) else { return };
        if self.seen_alerts.contains(&entry) {
            return;
        }
        let first = self.stories.get(&IncidentId(*seq)).and_then(|story| self.records.get(*story.records.first()?));
        let left_out = first.map_or(0, |first| cause::truncated(&first.fact));
        self.feed(Event::NotificationReceived(cause::firing(received, left_out)));
    }

    fn alert_ended(&mut self, record: &Record, entry: usize) {
        let Fact::AlertEnded(ended) = &record.fact else { return };
        let episode = self.state.episode(ended.fingerprint);
        let is_open = episode.is_some_and(|episode| episode.ended.is_none());
        match ended.end {
            EpisodeEnd::Resolved => {
                self.feed(Event::NotificationReceived(cause::resolved(ended, record.at.wall)));
            }
            EpisodeEnd::Expired if is_open => self.feed(Event::Ticked),
            EpisodeEnd::Inferred if is_open => {
                self.ended_by_a_later_start(ended.fingerprint, entry);
            }
            EpisodeEnd::NotFiring if is_open => {
                if ended.incident.is_none_or(|_| !self.follow(record)) {
                    self.feed(Event::NotificationReceived(cause::resolved(ended, record.at.wall)));
                }
            }
            EpisodeEnd::Expired | EpisodeEnd::Inferred | EpisodeEnd::NotFiring => {}
        }
    }

    /// The same alert came again with a later start, and that it came is told next.
    fn ended_by_a_later_start(&mut self, fingerprint: Fingerprint, entry: usize) {
        let here = self.clock.stamp();
        let is_it = |record: &Record| {
            let Fact::AlertReceived(received) = &record.fact else { return false };
            received.fingerprint == fingerprint
        };
        let mut together = self.records.iter().skip(entry).take_while(|record| record.at == here);
        if let Some(later) = together.position(is_it) {
            return self.alert(entry + later);
        }
        // The daemon died before it was durable: any later start ends it as well, and what it begins is cut off again.
        let before = self.records.iter().take(entry).rev().find(|record| is_it(record));
        if let Some(Record { fact: Fact::AlertReceived(received), .. }) = before {
            let known = self.state.episode(fingerprint).and_then(|episode| episode.starts_at);
            let starts_at = known.map(|known| known + TimeDelta::hours(1));
            let again = AlertReceived { starts_at, ..AlertReceived::clone(received) };
            self.feed(Event::NotificationReceived(cause::firing(&again, 0)));
        }
    }

    /// An incident opened another one. It follows from the decision that is told next, unless the daemon died before that
    /// was durable.
    fn opened(&mut self, record: &Record, opened: &IncidentOpened) {
        let replayed = |id: &IncidentId| self.stories.get(id).and_then(|story: &Story| story.replayed);
        let (of, is_known) = (opened.origin.of, replayed(&IncidentId(record.seq)).is_some());
        let together = self.records.iter().skip(self.entry + 1).take_while(|later| later.at == record.at);
        let told = together.into_iter().any(|later| later.fact.incident(later.seq) == Some(of));
        if is_known || told || opened.origin.cause == Cause::Resolved {
            return;
        }
        if let Some(of) = replayed(&of) {
            let origin = Origin { of, ..opened.origin.clone() };
            self.note(Fact::IncidentOpened(IncidentOpened { alert: Arc::clone(&opened.alert), origin }));
        }
    }

    /// A recovery did not last, says the decision about another incident that comes next.
    fn relapsed(&mut self, relapsed: IncidentRelapsed, entry: usize) {
        let here = self.clock.stamp();
        let together = self.records.iter().skip(entry).take_while(|record| record.at == here);
        let decision = together.into_iter().find(|record| {
            matches!(record.fact, Fact::Decided(_)) && record.fact.incident(record.seq) == Some(relapsed.by)
        });
        if let Some(decision) = decision {
            self.follow(decision);
            return;
        }
        // The daemon died before the decision itself was durable.
        let replayed = |id| self.stories.get(&id).and_then(|story: &Story| story.replayed);
        if let (Some(incident), Some(by)) = (replayed(relapsed.incident), replayed(relapsed.by)) {
            self.note(Fact::IncidentRelapsed(IncidentRelapsed { incident, by }));
        }
    }

    /// Takes over that a yes counts no more, which follows from settings that the replay may not know.
    fn counts_no_more(&mut self, record: &Record) -> bool {
        let Fact::VoteCast(VoteCast { ballot, answer: VoteAnswer::Lapsed }) = &record.fact else { return false };
        let incident = self.stories.get(&ballot.approval.incident).and_then(|story| story.replayed);
        if let Some(incident) = incident {
            let approval = ActId { incident, number: ballot.approval.number };
            let ballot = Ballot { approval, ..ballot.clone() };
            self.note(Fact::VoteCast(VoteCast { ballot, answer: VoteAnswer::Lapsed }));
        }
        true
    }

    /// A record about an incident that the replay has not decided yet.
    fn go_on(&mut self, record: &Record) {
        if self.follow(record) {
            return;
        }
        if let Fact::VoteCast(vote) = &record.fact {
            return self.say_all_the_same(vote);
        }
        if !matches!(record.fact, Fact::Decided(_)) {
            return;
        }
        // The gates were asked again, so the alert was delivered again: that much the log tells of the other way, too.
        let incident = record.fact.incident(record.seq).and_then(|id| self.stories.get(&id)?.replayed);
        let incident = incident.and_then(|id| self.state.incident(id)).filter(|incident| !incident.alert_ended);
        if let Some(incident) = incident.filter(|incident| incident.run().is_none()) {
            let again = cause::firing(&incident.alert, 0);
            self.feed(Event::NotificationReceived(again));
        }
    }

    /// Brings about what the log tells of an incident that is in step with it; false if it is not.
    fn follow(&mut self, record: &Record) -> bool {
        let told = record.fact.incident(record.seq).and_then(|id| self.stories.get(&id)?.replayed);
        let Some(id) = told else { return false };
        let in_step = self.followed.get(&id).is_some_and(|followed| followed.in_step);
        let Some(incident) = self.state.incident(id).filter(|_| in_step) else { return false };
        let playbook = self.ruleset.revision(&incident.playbook, &incident.revision);
        let needs_target = playbook.is_none_or(|playbook| playbook.target.is_some());
        let now = self.state.timeline().moment(&self.clock.stamp());
        let at_request = playbook.is_some_and(|playbook| is_at_request(incident, playbook));
        let event = if let Fact::Decided(decided) = &record.fact
            && at_request
        {
            cause::of_request(decided, incident)
        } else if let Fact::VoteCast(vote) = &record.fact {
            self.vote(id, vote)
        } else {
            cause::of(&record.fact, incident, needs_target, &now)
        };
        let (before, pending) =
            (self.told(id), self.followed.get_mut(&id).and_then(|followed| followed.pending.take()));
        if let Some(event) = event.filter(|event| oracle::answers(pending.as_ref(), event)) {
            if cause::is_told(&record.fact) {
                self.feed(event);
            } else {
                self.feed_or_copy(event, (id, record));
            }
        }
        if self.told(id) == before {
            self.part(id);
            self.set_off(id, pending);
        }
        true
    }

    /// A log that does not tell what the gates saw: a refusal about that stands, if no other gate refuses before.
    fn feed_or_copy(&mut self, event: Event, (id, record): (IncidentId, &Record)) {
        let decision = decide(&self.state, &self.ruleset, event, &self.clock.stamp());
        let own = decision.facts.iter().find(|fact| matches!(fact, Fact::Decided(_)));
        let alike = own.is_some_and(|own| cause::same(own, &record.fact));
        let earlier = own.is_some_and(|own| {
            let refused = |fact| cause::refusal_of(fact).map(|refusal| refusal.gate);
            matches!((refused(own), refused(&record.fact)), (Some(own), Some(recorded)) if own < recorded)
        });
        let copied = cause::is_about_docker(&record.fact).filter(|_| !alike && !earlier);
        self.copies = true;
        match copied {
            Some(_) => {
                let fact = cause::about(&record.fact, id);
                self.take(Decision { facts: vec![fact], ..Decision::default() });
            }
            None => self.take(decision),
        }
        self.copies = false;
    }
}

/// Whether an incident's next step is a request to another system.
fn is_at_request(incident: &Incident, playbook: &Playbook) -> bool {
    let Some(run) = incident.run().filter(|run| run.stage == Stage::Ready) else { return false };
    let steps = match run.branch {
        Branch::Steps => playbook.attempts.steps(run.attempt.number),
        Branch::OnFailure => &playbook.on_failure,
        Branch::OnDenied => &playbook.on_denied,
        Branch::OnResolved => &playbook.on_resolved,
    };
    steps.get(run.index).is_some_and(|step| matches!(step.verb, Verb::Http(_)))
}

//! The loop: walks through a history, finds the event behind each record, and lets the engine decide on it anew.
//!
//! As long as an incident goes the way the log tells (it is *in step*), its questions are answered by the log, at the
//! recorded time. Where it parts from it, the [`Oracle`] answers at virtual time. Read [`play()`] first, then [`Player`].

use super::cause;
use super::history::{Assume, Came, History};
use super::oracle::{Looks, Memory, Oracle};
use super::timetable::{Clock, Timetable};
use crate::engine::effect::Effect;
use crate::engine::event::{Event, NewConfig};
use crate::engine::incident::{Incident, Phase};
use crate::engine::ruleset::Ruleset;
use crate::engine::state::State;
use crate::engine::{Decision, decide};
use crate::model::fact::{Cause, Fact, IncidentOpened, Record, Taken};
use crate::model::id::{IncidentId, Seq};
use crate::model::label::Fingerprint;
use crate::model::policy::Policy;
use crate::model::stamp::{BootId, Stamp};
use crate::playbook::index::Playbooks;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// How often time alone may bring something about, where an incident waits for it.
const TICK_MS: u64 = 60_000;

/// How often it may where none does.
const SLOW_TICK_MS: u64 = 3_600_000;

/// After the last thing that happened, what goes on may come to its end within this time.
const AFTERMATH_MS: u64 = 24 * 3_600_000;

/// What the replay decides by.
pub struct Config<'a> {
    /// The playbooks.
    pub playbooks: Playbooks,
    /// What the settings impose.
    pub policy: Policy,
    /// What becomes of targets where nobody knows.
    pub assume: Assume,
    /// How often Alertmanager delivers an alert again that still fires, beside what the history tells of; `None` if only
    /// that counts.
    pub repeat: Option<Duration>,
    /// What the `config.loaded` of this number loaded, where the replay is to decide by what was loaded then; `None`
    /// leaves everything as it is.
    pub configs: Option<&'a Configs<'a>>,
}

/// Tells what a recorded `config.loaded` loaded.
pub type Configs<'a> = dyn Fn(Seq) -> Option<NewConfig> + 'a;

/// What a decision rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// On what the log tells of that very moment, or on nothing but the alert.
    Told,
    /// On the nearest look at the target, or an assumption.
    Assumed,
    /// The engine could not be asked: the log does not tell what was seen, and the record stands.
    Copied,
}

/// One thing that the replay decided.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// What.
    pub record: &'a Record,
    /// What it rests on.
    pub origin: Origin,
    /// The place in the history of what caused it.
    pub entry: usize,
    /// What the replay knows by now.
    pub state: &'a State,
}

/// Gets everything that is decided, in order.
pub type Observer<'a> = dyn FnMut(&Seen<'_>) + 'a;

/// Plays a history.
pub fn play(history: &History, config: Config<'_>, observer: &mut Observer<'_>) {
    match history {
        History::Log(records) => {
            let Some(first) = records.first() else { return };
            let mut player = Player::new((records, first.at), config, observer);
            player.state.continue_at(first.seq);
            (0..records.len()).for_each(|entry| player.walk(entry));
            player.end();
        }
        History::Notifications(came) => {
            let Some(first) = came.first() else { return };
            let stamp = |came: &Came| {
                let up_ms = u64::try_from((came.at - first.at).num_milliseconds()).unwrap_or(0);
                Stamp { wall: came.at, up_ms, boot: BootId(0) }
            };
            let mut player = Player::new((&[], stamp(first)), config, observer);
            for (entry, came) in came.iter().enumerate() {
                player.go_to(stamp(came));
                player.entry = entry;
                player.feed(Event::NotificationReceived(came.notification.clone()));
            }
            player.end();
        }
    }
}

/// An incident as the log tells it.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// The places of its records, without the alert that opened it.
    pub(super) records: Vec<usize>,
    /// How many of them the walk has passed.
    pub(super) walked: usize,
    /// How many of them the replay has decided alike.
    pub(super) told: usize,
    /// The revision of the playbook that it goes by, if the log tells.
    pub(super) revision: Option<Arc<str>>,
    /// The incident of the replay.
    pub(super) replayed: Option<IncidentId>,
}

/// An incident of the replay.
#[derive(Debug, Default)]
pub(super) struct Followed {
    /// The recorded incident whose way it goes.
    pub(super) recorded: Option<IncidentId>,
    pub(super) in_step: bool,
    /// What was asked and the log is to answer.
    pub(super) pending: Option<Effect>,
    /// Whether a question about the target is under way.
    pub(super) asked: bool,
    memory: Memory,
}

/// A replay under way.
pub(super) struct Player<'a> {
    pub(super) records: &'a [Record],
    pub(super) configs: Option<&'a Configs<'a>>,
    observer: &'a mut Observer<'a>,
    oracle: Oracle,
    pub(super) state: State,
    pub(super) ruleset: Ruleset,
    pub(super) clock: Clock,
    pub(super) timetable: Timetable,
    repeat: Option<Duration>,
    /// By the recorded incident.
    pub(super) stories: HashMap<IncidentId, Story>,
    /// By the replay's incident.
    pub(super) followed: HashMap<IncidentId, Followed>,
    /// The recorded alerts that the replay has seen already.
    pub(super) seen_alerts: HashSet<usize>,
    /// Those that have gone their own way in this turn.
    parted: Vec<IncidentId>,
    /// Those that wait for time alone.
    waiting: HashSet<IncidentId>,
    /// Where in the records each start begins.
    starts: Vec<usize>,
    /// The place in the history.
    pub(super) entry: usize,
    /// The log's own record stands for what the engine would say.
    pub(super) copies: bool,
    /// What is decided follows from no record.
    by_itself: bool,
    pub(super) is_up: bool,
    /// After the end of the log, nobody knows what people would have said to these.
    left_open: HashSet<IncidentId>,
}

impl<'a> Player<'a> {
    fn new((records, first): (&'a [Record], Stamp), config: Config<'a>, observer: &'a mut Observer<'_>) -> Self {
        let Config { playbooks, policy, assume, repeat, configs } = config;
        let mut stories: HashMap<IncidentId, Story> = HashMap::new();
        for (place, record) in records.iter().enumerate() {
            if let Some(incident) = record.fact.incident(record.seq) {
                let story = stories.entry(incident).or_default();
                let opening = if let Fact::AlertReceived(alert) = &record.fact {
                    Some(alert)
                } else if let Fact::IncidentOpened(opened) = &record.fact {
                    Some(&opened.alert)
                } else {
                    story.records.push(place);
                    None
                };
                if let Some(Taken::ByPlaybook { revision, .. }) = opening.map(|alert| &alert.taken) {
                    story.revision = Some(Arc::clone(revision));
                }
            }
        }
        Self {
            records,
            configs,
            observer,
            oracle: Oracle { looks: Looks::of(records), assume },
            state: State::default(),
            ruleset: Ruleset::new(playbooks, policy),
            clock: Clock::new(first),
            timetable: Timetable::default(),
            repeat,
            stories,
            followed: HashMap::new(),
            seen_alerts: HashSet::new(),
            parted: Vec::new(),
            waiting: HashSet::new(),
            starts: starts(records),
            entry: 0,
            copies: false,
            by_itself: false,
            is_up: true,
            left_open: HashSet::new(),
        }
    }

    /// Lets everything happen that is due before a recorded moment.
    pub(super) fn go_to(&mut self, stamp: Stamp) {
        let until = self.clock.ms_of(&stamp);
        self.by_itself = true;
        self.pass_until(until);
        self.by_itself = false;
        self.clock.go_to(stamp);
    }

    fn pass_until(&mut self, until: u64) {
        while self.is_up {
            let every = if self.waiting.is_empty() { SLOW_TICK_MS } else { TICK_MS };
            let ticks = !self.waiting.is_empty() || self.records.is_empty();
            let tick = Some((self.clock.ms / every + 1) * every).filter(|_| ticks);
            let due = self.timetable.next_at();
            let Some(next) = [tick, due].into_iter().flatten().min().filter(|next| *next < until) else { return };
            self.clock.pass_to(next);
            let event = if due == Some(next) { self.timetable.take() } else { None };
            match event {
                Some((incident, Event::NotificationReceived(again))) => {
                    // An alert that ended, or is being treated, tells nothing new.
                    if self.state.incident(incident).is_some_and(is_refused) {
                        self.feed(Event::NotificationReceived(again));
                        self.repeat_later(incident);
                    }
                }
                Some((incident, event)) => {
                    if let (Event::TargetResolved { .. } | Event::TargetSkipped { .. }, Some(followed)) =
                        (&event, self.followed.get_mut(&incident))
                    {
                        followed.asked = false;
                    }
                    self.feed(event);
                }
                None => self.feed(Event::Ticked),
            }
        }
    }

    /// What goes on comes to its end.
    fn end(&mut self) {
        let until = self.clock.ms.saturating_add(AFTERMATH_MS);
        self.by_itself = true;
        self.left_open = self.followed.keys().copied().filter(|id| self.is_left_open(*id)).collect();
        self.waiting.retain(|id| !self.left_open.contains(id));
        while self.is_up
            && let Some(next) = self.timetable.next_at().or((!self.waiting.is_empty()).then_some(self.clock.ms))
            && next < until
        {
            self.pass_until(next.saturating_add(TICK_MS + 1).min(until));
        }
    }

    /// How many records of its story an incident has told.
    pub(super) fn told(&self, id: IncidentId) -> usize {
        let recorded = self.followed.get(&id).and_then(|followed| followed.recorded);
        recorded.and_then(|recorded| self.stories.get(&recorded)).map_or(0, |story| story.told)
    }

    pub(super) fn feed(&mut self, event: Event) {
        let decision = decide(&self.state, &self.ruleset, event, &self.clock.stamp());
        self.take(decision);
    }

    pub(super) fn take(&mut self, decision: Decision) {
        let Decision { mut facts, effects, reply: _, ruleset } = decision;
        let cut = self.cut_by_a_crash(&facts);
        if let Some(cut) = cut {
            facts.truncate(cut);
        }
        let left_open = &self.left_open;
        facts.retain(|fact| fact.incident(Seq(u64::MAX)).is_none_or(|id| !left_open.contains(&id)));
        facts.into_iter().for_each(|fact| self.note(fact));
        if let Some(ruleset) = ruleset {
            self.ruleset = ruleset;
        }
        if cut.is_none() {
            let open = effects.into_iter().filter(|effect| !self.left_open.contains(&effect.incident()));
            open.collect::<Vec<_>>().into_iter().for_each(|effect| self.expect(effect));
        }
        for id in std::mem::take(&mut self.parted) {
            let pending = self.followed.get_mut(&id).and_then(|followed| followed.pending.take());
            self.set_off(id, pending);
        }
    }

    /// How many of these facts became durable, where the daemon died in the middle of them and the log tells the same.
    fn cut_by_a_crash(&self, facts: &[Fact]) -> Option<usize> {
        if self.by_itself {
            return None;
        }
        let next = self.starts.get(self.starts.partition_point(|start| *start <= self.entry))?;
        let left = next - self.entry;
        let told = self.records.get(self.entry..*next)?;
        let alike = left < facts.len() && told.iter().zip(facts).all(|(record, fact)| self.same(&record.fact, fact));
        alike.then_some(left)
    }

    /// A fact of the replay.
    pub(super) fn note(&mut self, fact: Fact) {
        let record = Record { seq: self.state.next_seq(), at: self.clock.stamp(), fact };
        let incident = record.fact.incident(record.seq);
        if let (Fact::AlertReceived(received), Some(id)) = (&record.fact, incident) {
            let followed = self.recorded_as(received.fingerprint, &received.taken, id);
            self.followed.insert(id, followed);
        } else if let Fact::AlertReceived(received) = &record.fact {
            self.recorded_as(received.fingerprint, &received.taken, IncidentId(record.seq));
        } else if let (Fact::IncidentOpened(opened), Some(id)) = (&record.fact, incident) {
            let mut followed = self.opened_as_recorded(opened, id);
            // What follows the end of an alert finds the target as the run left it.
            let before = self.followed.get(&opened.origin.of).filter(|_| opened.origin.cause == Cause::Resolved);
            if let Some(before) = before {
                followed.memory = before.memory.clone();
            }
            self.followed.insert(id, followed);
        }
        let in_step = incident.and_then(|id| self.followed.get(&id)).is_none_or(|followed| followed.in_step);
        let opens = matches!(record.fact, Fact::AlertReceived(_) | Fact::IncidentOpened(_));
        let question = if let (Fact::ApprovalRequested(asked), Some(id)) = (&record.fact, incident) {
            Some((id, &**asked))
        } else {
            None
        };
        let known = question.map_or(in_step || opens, |(id, asked)| self.is_recorded(id, asked));
        let origin = match (self.copies, known) {
            (true, _) => Origin::Copied,
            (false, true) => Origin::Told,
            (false, false) => Origin::Assumed,
        };
        self.state.apply(&record);
        if let Some(id) = incident.filter(|_| !opens) {
            self.compare(id, &record.fact);
        }
        if let Some((id, asked)) = question.filter(|(id, _)| !self.is_in_step(*id)) {
            self.answer_later(id, asked);
        }
        if let Some(id) = incident {
            let waits = |incident: &Incident| {
                let by_itself = incident.tried.is_some() || incident.is_aftercare();
                let tries = by_itself && incident.run().is_none() && !incident.alert_ended;
                tries || incident.open_approval().is_some()
            };
            let own_way = self.followed.get(&id).is_some_and(|followed| !followed.in_step);
            if own_way && self.state.incident(id).is_some_and(waits) {
                self.waiting.insert(id);
            } else {
                self.waiting.remove(&id);
            }
            if own_way && cause::refusal_of(&record.fact).is_some() {
                self.repeat_later(id);
            }
        }
        (self.observer)(&Seen { record: &record, origin, entry: self.entry, state: &self.state });
    }

    /// Alertmanager delivers an alert again for which nothing was done.
    fn repeat_later(&mut self, id: IncidentId) {
        let (Some(every), Some(incident)) = (self.repeat, self.state.incident(id)) else { return };
        if !is_refused(incident) {
            return;
        }
        // Its rhythm goes on from the first delivery.
        let now = self.state.timeline().moment(&self.clock.stamp());
        let since = now.since(&incident.opened).as_millis();
        let every = every.as_millis().max(1);
        let left = u64::try_from(every - since % every).unwrap_or(u64::MAX);
        let again = Event::NotificationReceived(cause::firing(&incident.alert, 0));
        self.timetable.repeat(self.clock.ms.saturating_add(left), id, again);
    }

    fn is_in_step(&self, id: IncidentId) -> bool {
        self.followed.get(&id).is_some_and(|followed| followed.in_step)
    }

    /// Which recorded alert a new one of the replay is, if the log tells of one at this moment.
    fn recorded_as(&mut self, fingerprint: Fingerprint, taken: &Taken, id: IncidentId) -> Followed {
        let at = self.clock.stamp();
        let later = self.records.iter().enumerate().skip(self.entry).take_while(|(_, record)| record.at == at);
        let found = later.filter(|(place, _)| !self.seen_alerts.contains(place)).find_map(|(place, record)| {
            let Fact::AlertReceived(received) = &record.fact else { return None };
            (received.fingerprint == fingerprint).then_some((place, IncidentId(record.seq), &received.taken))
        });
        let Some((place, recorded, as_recorded)) = found else { return Followed::default() };
        self.seen_alerts.insert(place);
        let Taken::ByPlaybook { playbook: recorded_playbook, .. } = as_recorded else { return Followed::default() };
        if let Some(story) = self.stories.get_mut(&recorded) {
            story.replayed = Some(id);
        }
        let in_step = matches!(taken, Taken::ByPlaybook { playbook, .. } if playbook == recorded_playbook);
        Followed { recorded: Some(recorded), in_step, ..Followed::default() }
    }

    /// Which recorded incident one is that another one of the replay opened, if the log tells of one at this moment.
    fn opened_as_recorded(&mut self, opened: &IncidentOpened, id: IncidentId) -> Followed {
        let at = self.clock.stamp();
        // Further containers come before the decision about the first, which is what the replay brings about.
        let (passed, coming) = self.records.split_at(self.entry.min(self.records.len()));
        let together = |record: &&Record| record.at == at;
        let found =
            passed.iter().rev().take_while(together).chain(coming.iter().take_while(together)).find_map(|record| {
                let Fact::IncidentOpened(recorded) = &record.fact else { return None };
                let of = self.stories.get(&recorded.origin.of).and_then(|story| story.replayed);
                let id = IncidentId(record.seq);
                let is_new = self.stories.get(&id).is_none_or(|story| story.replayed.is_none());
                let is_it = is_new && of == Some(opened.origin.of) && recorded.origin.cause == opened.origin.cause;
                is_it.then(|| (id, recorded.alert.taken.clone()))
            });
        let Some((recorded, as_recorded)) = found else { return Followed::default() };
        if let Some(story) = self.stories.get_mut(&recorded) {
            story.replayed = Some(id);
        }
        let name = |taken: &Taken| match taken {
            Taken::ByPlaybook { playbook, .. } => Some(Arc::clone(playbook)),
            Taken::ByNobody(_) => None,
        };
        let in_step = name(&as_recorded) == name(&opened.alert.taken);
        Followed { recorded: Some(recorded), in_step, ..Followed::default() }
    }

    /// Whether the replay still goes the recorded way.
    fn compare(&mut self, id: IncidentId, fact: &Fact) {
        let Some(followed) = self.followed.get(&id).filter(|followed| followed.in_step) else { return };
        let Some(recorded) = followed.recorded else { return };
        let Some(story) = self.stories.get(&recorded) else { return };
        let next = story.records.get(story.told).and_then(|place| self.records.get(*place));
        let same = next.is_some_and(|next| self.same(&next.fact, fact));
        match self.stories.get_mut(&recorded).filter(|_| same) {
            Some(story) => story.told += 1,
            None => self.part(id),
        }
    }

    /// An incident goes its own way from here.
    pub(super) fn part(&mut self, id: IncidentId) {
        let Some(followed) = self.followed.get_mut(&id).filter(|followed| followed.in_step) else { return };
        followed.in_step = false;
        self.parted.push(id);
        let story = followed.recorded.and_then(|recorded| self.stories.get(&recorded));
        let passed = story.into_iter().flat_map(|story| story.records.iter().take(story.told + 1).rev());
        let look = passed.filter_map(|place| cause::look_of(&self.records.get(*place)?.fact)).next();
        if let Some(look) = look {
            followed.memory.saw(look);
        }
    }

    /// The engine wants to know something, or to have something done.
    fn expect(&mut self, effect: Effect) {
        let id = effect.incident();
        let followed = self.followed.entry(id).or_default();
        if followed.in_step {
            followed.pending = Some(effect);
        } else {
            self.set_off(id, Some(effect));
        }
    }

    /// Asks the oracle.
    pub(super) fn set_off(&mut self, id: IncidentId, effect: Option<Effect>) {
        let (Some(effect), Some(followed)) = (effect, self.followed.get_mut(&id)) else { return };
        if matches!(effect, Effect::ResolveTarget { .. } | Effect::SkipTarget { .. }) {
            if followed.asked {
                return;
            }
            followed.asked = true;
        }
        let incident = self.state.incident(id);
        let playbook = incident.and_then(|incident| self.ruleset.revision(&incident.playbook, &incident.revision));
        let now = self.state.timeline().moment(&self.clock.stamp());
        let (takes, event) =
            self.oracle.answer(effect, (&mut followed.memory, playbook.map(|playbook| &**playbook)), &now);
        let takes = u64::try_from(takes.as_millis()).unwrap_or(u64::MAX);
        self.timetable.put(self.clock.ms.saturating_add(takes), id, event);
    }
}

/// Whether a gate said no, and the alert still fires.
fn is_refused(incident: &Incident) -> bool {
    matches!(incident.phase, Phase::Refused { .. }) && !incident.alert_ended
}

/// Where each start of the daemon begins, with what a start records before it says that it is one.
fn starts(records: &[Record]) -> Vec<usize> {
    let opened = records.iter().enumerate().filter(|(_, record)| matches!(record.fact, Fact::LogOpened(_)));
    let begins = opened.map(|(place, opened)| {
        let before = records.iter().take(place).rev();
        let belongs = |record: &&Record| {
            let prelude = matches!(&record.fact, Fact::LogRecovered(_) | Fact::ClockJumped(_))
                || matches!(&record.fact, Fact::PauseCleared(cleared) if cleared.by == "sickbay");
            prelude && record.at == opened.at
        };
        place - before.take_while(belongs).count()
    });
    begins.collect()
}

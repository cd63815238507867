//! The whole state as one record, and back: a start that finds such a record need not read what came before.
//!
//! What follows from the rest is not saved: who is running, how many episodes are open. Incidents are saved as what
//! happened to them, so that there is one way in which they come to be what they are.

use super::State;
use crate::engine::aftermath::Aftermath;
use crate::engine::budget::Ledger;
use crate::engine::history::History;
use crate::engine::incident::Incident;
use crate::engine::own_acts::OwnActs;
use crate::engine::pause::Pauses;
use crate::engine::raised::Raised;
use crate::engine::services::Services;
use crate::engine::storm::StormWatch;
use crate::engine::texts::Texts;
use crate::engine::timeline::Timeline;
use crate::model::memory::{Memory, OpenIncident};
use std::sync::Arc;

impl State {
    /// All of it, for a record. The record's own number and time are not in it.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let mut episodes: Vec<_> =
            self.episodes.iter().map(|(fingerprint, episode)| (*fingerprint, Box::as_ref(episode).clone())).collect();
        episodes.sort_unstable_by_key(|(fingerprint, _)| *fingerprint);
        let open = |incident: &Incident| OpenIncident {
            id: incident.id,
            opened: incident.opened,
            alert: Arc::clone(&incident.alert),
            story: incident.story.clone(),
        };
        let (taken, frozen) = self.storm.remembered();
        Memory {
            clock: self.timeline.remembered(),
            episodes,
            ended: self.ended.iter().copied().collect(),
            incidents: self.incidents().map(open).collect(),
            owed: self.aftermath.iter().cloned().collect(),
            attempts: self.ledger.iter().cloned().collect(),
            ends: self.history.iter().cloned().collect(),
            pauses: self.pauses.iter().cloned().collect(),
            taken,
            frozen,
            own_acts: self.own_acts.iter().cloned().collect(),
            services: self.services.left().cloned().collect(),
            originals: self.services.originals().cloned().collect(),
            raised: self.raised.iter().cloned().collect(),
            texts: self.texts.iter().cloned().collect(),
            first_host: self.first_host.clone(),
        }
    }

    /// What such a record says is all there is.
    pub(super) fn recall(&mut self, memory: &Memory) {
        let incidents = memory.incidents.iter().filter_map(|open| Some((open.id, Box::new(told_anew(open)?))));
        let episodes = memory.episodes.iter().map(|(fingerprint, episode)| (*fingerprint, Box::new(episode.clone())));
        *self = Self {
            next_seq: self.next_seq,
            timeline: Timeline::from_memory(memory.clock),
            episodes: episodes.collect(),
            incidents: incidents.collect(),
            aftermath: Aftermath::from_memory(&memory.owed),
            raised: Raised::from_memory(&memory.raised),
            texts: Texts::from_memory(&memory.texts),
            ledger: Ledger::from_memory(&memory.attempts),
            history: History::from_memory(&memory.ends),
            pauses: Pauses::from_memory(&memory.pauses),
            storm: StormWatch::from_memory(&memory.taken, memory.frozen),
            own_acts: OwnActs::from_memory(&memory.own_acts),
            services: Services::from_memory(&memory.services, &memory.originals),
            ended: memory.ended.iter().copied().collect(),
            first_host: memory.first_host.clone(),
            ..Self::default()
        };
        self.open_episodes = self.episodes.values().filter(|episode| episode.ended.is_none()).count();
        for incident in self.incidents.values() {
            self.of_alert.entry(incident.alert.fingerprint).or_default().insert(incident.id);
        }
        self.running = self.incidents.values().filter(|incident| incident.run().is_some()).map(|it| it.id).collect();
        let asked = self.incidents.values().filter(|incident| incident.open_approval().is_some());
        self.waiting = asked.map(|it| it.id).collect();
    }
}

/// The incident that these facts make; `None` if its alert was taken by nobody, which no record says.
fn told_anew(open: &OpenIncident) -> Option<Incident> {
    let mut incident = Incident::open(open.id, &open.alert, open.opened)?;
    for (at, fact) in &open.story {
        incident.apply(fact, *at);
    }
    Some(incident)
}

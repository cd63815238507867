//! What the incident log tells of each playbook and of each target, counted: how often something was done, what helped, and
//! what keeps coming back.
//!
//! An incident counts by the time it was opened. Only `recovered` that lasted is a success, and only where something was
//! done; what follows the end of an alert (`on_resolved`) belongs to the run before it and is not counted. Read [`Tally`].

use crate::incident_log::{LogReader, ReadError};
use crate::model::fact::{Answer, Cause, Fact, Taken};
use crate::model::id::{IncidentId, Seq};
use crate::model::incident::Verdict;
use crate::record::{Content, decode};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

/// What has been counted.
#[derive(Debug, Default)]
pub struct Tally {
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    /// The playbooks of the last configuration, by name.
    loaded: BTreeMap<String, String>,
    incidents: HashMap<IncidentId, Incident>,
    unreadable: u64,
}

/// When something was done, in which incident.
type Treated<'a> = (DateTime<Utc>, IncidentId, &'a Incident);

/// What counts of one incident.
#[derive(Debug)]
struct Incident {
    playbook: String,
    opened: DateTime<Utc>,
    refusals: u64,
    target: Option<String>,
    /// When the first thing was sent that changes something.
    treated: Option<DateTime<Utc>>,
    closed: Option<(DateTime<Utc>, Verdict)>,
    relapsed: bool,
}

/// One playbook. The shape is stable: members are added, never renamed or removed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlaybookTally {
    /// Its name.
    pub playbook: String,
    /// Its revision in the last configuration that was loaded; null if it is none of it.
    pub revision: Option<String>,
    /// How many incidents it opened.
    pub incidents: u64,
    /// How often a gate said no.
    pub refusals: u64,
    /// In how many incidents something was done.
    pub treated: u64,
    /// In how many of these the target recovered, and did not fall ill again too soon.
    pub recovered: u64,
    /// In how many it did fall ill again too soon.
    pub relapsed: u64,
    /// How many are open.
    pub open: u64,
    /// How many incidents ended with each verdict, treated or not.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// `recovered`, as a part of those that were treated and have ended, from 0 to 1; null if there is none.
    pub success: Option<f64>,
    /// The median time from opening to a recovery that lasted, in seconds; null if there is none.
    pub recovery_seconds: Option<u64>,
    /// When something was last done.
    pub last_treated: Option<DateTime<Utc>>,
    /// The last incident.
    pub last_incident: Option<String>,
}

/// A target that keeps being treated for the same thing. The shape is stable, as that of [`PlaybookTally`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Debt {
    /// The target's name.
    pub target: String,
    /// By which playbook.
    pub playbook: String,
    /// How often something was done; at least 2.
    pub treated: u64,
    /// How often it recovered, and did not fall ill again too soon.
    pub recovered: u64,
    /// How often it did.
    pub relapsed: u64,
    /// The first time.
    pub first: DateTime<Utc>,
    /// The last time.
    pub last: DateTime<Utc>,
    /// The median time from one treatment to the next, in seconds.
    pub between_seconds: u64,
    /// The last incident.
    pub last_incident: String,
}

impl Tally {
    /// Counts the incidents that were opened at or after `since` and before `until`.
    ///
    /// # Errors
    /// [`ReadError`] if there is no log or it cannot be read.
    pub fn read(
        path: &Path,
        (since, until): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    ) -> Result<Self, ReadError> {
        let mut tally = Self { since, until, ..Self::default() };
        let mut reader = LogReader::open(path)?;
        while let Some(line) = reader.next_line()? {
            match decode(line) {
                Ok(decoded) => match &decoded.content {
                    Content::Fact(fact) => tally.count(decoded.seq, decoded.at.wall, fact),
                    Content::Unknown { .. } => {}
                },
                Err(_) => tally.unreadable += 1,
            }
        }
        Ok(tally)
    }

    /// How many lines are no records.
    #[must_use]
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    fn count(&mut self, seq: Seq, at: DateTime<Utc>, fact: &Fact) {
        if let Fact::ConfigLoaded(loaded) = fact {
            self.loaded = loaded.playbooks.iter().cloned().collect();
        } else if let Fact::AlertReceived(alert) = fact {
            self.open(IncidentId(seq), at, &alert.taken);
        } else if let Fact::IncidentOpened(opened) = fact {
            if let Cause::FurtherTarget(_) = opened.origin.cause {
                self.open(IncidentId(seq), at, &opened.alert.taken);
            }
        } else if let Fact::IncidentRelapsed(relapsed) = fact {
            if let Some(incident) = self.incidents.get_mut(&relapsed.incident) {
                incident.relapsed = true;
            }
        } else if let Some(incident) = fact.incident(seq).and_then(|id| self.incidents.get_mut(&id)) {
            incident.count(at, fact);
        }
    }

    fn open(&mut self, id: IncidentId, at: DateTime<Utc>, taken: &Taken) {
        let wanted = self.since.is_none_or(|since| since <= at) && self.until.is_none_or(|until| at < until);
        if let Taken::ByPlaybook { playbook, .. } = taken
            && wanted
        {
            let playbook = playbook.to_string();
            let incident = Incident {
                playbook,
                opened: at,
                refusals: 0,
                target: None,
                treated: None,
                closed: None,
                relapsed: false,
            };
            self.incidents.insert(id, incident);
        }
    }

    /// Each playbook that is loaded or opened an incident, by name.
    #[must_use]
    pub fn playbooks(&self) -> Vec<PlaybookTally> {
        let mut of: BTreeMap<&str, Vec<(IncidentId, &Incident)>> = BTreeMap::new();
        for name in self.loaded.keys() {
            of.entry(name).or_default();
        }
        for (id, incident) in &self.incidents {
            of.entry(&incident.playbook).or_default().push((*id, incident));
        }
        of.into_iter().map(|(name, incidents)| self.playbook(name, &incidents)).collect()
    }

    fn playbook(&self, name: &str, incidents: &[(IncidentId, &Incident)]) -> PlaybookTally {
        let count =
            |wanted: fn(&Incident) -> bool| incidents.iter().filter(|(_, incident)| wanted(incident)).count() as u64;
        let mut verdicts = BTreeMap::new();
        for (_, verdict) in incidents.iter().filter_map(|(_, incident)| incident.closed) {
            *verdicts.entry(verdict.as_str()).or_insert(0) += 1;
        }
        let recovered = count(Incident::has_recovered);
        let ended = count(|incident| incident.treated.is_some() && incident.closed.is_some());
        let took = incidents.iter().filter(|(_, incident)| incident.has_recovered());
        let took =
            took.filter_map(|(_, incident)| Some((incident.closed?.0 - incident.opened).to_std().unwrap_or_default()));
        PlaybookTally {
            playbook: name.to_owned(),
            revision: self.loaded.get(name).cloned(),
            incidents: incidents.len() as u64,
            refusals: incidents.iter().map(|(_, incident)| incident.refusals).sum(),
            treated: count(|incident| incident.treated.is_some()),
            recovered,
            relapsed: count(|incident| incident.treated.is_some() && incident.relapsed),
            open: count(|incident| incident.closed.is_none()),
            verdicts,
            success: share(recovered, ended),
            recovery_seconds: median(took.collect()).map(|took| took.as_secs()),
            last_treated: incidents.iter().filter_map(|(_, incident)| incident.treated).max(),
            last_incident: incidents.iter().map(|(id, _)| *id).max().map(|id| id.to_string()),
        }
    }

    /// Each target to which a playbook did something more than once, the most often treated first.
    #[must_use]
    pub fn debts(&self) -> Vec<Debt> {
        let mut of: BTreeMap<(&str, &str), Vec<Treated<'_>>> = BTreeMap::new();
        for (id, incident) in &self.incidents {
            if let (Some(target), Some(treated)) = (&incident.target, incident.treated) {
                of.entry((target, &incident.playbook)).or_default().push((treated, *id, incident));
            }
        }
        let mut debts: Vec<Debt> = of.into_iter().filter_map(|(whose, treated)| debt(whose, treated)).collect();
        debts.sort_by_key(|debt| std::cmp::Reverse(debt.treated));
        debts
    }
}

impl Incident {
    fn count(&mut self, at: DateTime<Utc>, fact: &Fact) {
        if let Fact::Decided(decided) = fact {
            self.refusals += u64::from(matches!(decided.answer, Answer::Refused(_)));
            if let Some(target) = &decided.target {
                self.target = Some(target.name.to_string());
            }
        } else if let Fact::IncidentClosed(closed) = fact {
            self.closed = Some((at, closed.verdict));
        } else if is_treatment(fact) {
            self.treated.get_or_insert(at);
        }
    }

    fn has_recovered(&self) -> bool {
        let recovered = self.closed.is_some_and(|(_, verdict)| verdict == Verdict::Recovered);
        self.treated.is_some() && recovered && !self.relapsed
    }
}

/// Whether something is about to be sent that changes something.
fn is_treatment(fact: &Fact) -> bool {
    if let Fact::ActionIntended(intended) = fact {
        !intended.dry_run
    } else if let Fact::RequestIntended(intended) = fact {
        !intended.dry_run
    } else {
        false
    }
}

/// Something is owed where a playbook did something more than once.
fn debt((target, playbook): (&str, &str), mut treated: Vec<Treated<'_>>) -> Option<Debt> {
    treated.sort_by_key(|(at, id, _)| (*at, *id));
    let ((first, ..), (last, last_incident, _)) = (treated.first()?, treated.last()?);
    let between =
        treated.iter().zip(treated.iter().skip(1)).map(|((a, ..), (b, ..))| (*b - *a).to_std().unwrap_or_default());
    let between = median(between.collect())?;
    let count =
        |wanted: fn(&Incident) -> bool| treated.iter().filter(|(_, _, incident)| wanted(incident)).count() as u64;
    Some(Debt {
        target: target.to_owned(),
        playbook: playbook.to_owned(),
        treated: treated.len() as u64,
        recovered: count(Incident::has_recovered),
        relapsed: count(|incident| incident.relapsed),
        first: *first,
        last: *last,
        between_seconds: between.as_secs(),
        last_incident: last_incident.to_string(),
    })
}

/// The middle one; of an even number the lower of the two in the middle.
fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) / 2).copied()
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn share(part: u64, of: u64) -> Option<f64> {
    (0 < of).then(|| part as f64 / of as f64)
}

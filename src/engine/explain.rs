//! What the gates say about an alert beforehand, by its labels and the time alone or as a notification told of it: for
//! whoever writes playbooks.
//!
//! The gates are the engine's own, in its own order. Those that need Docker, the daemon's history or more of the alert are
//! not asked, and nothing is claimed about them. Read [`Explained`].

use super::gate::{self, Question};
use super::incident::Incident;
use super::ruleset::Ruleset;
use super::state::State;
use super::{advance, approval, values};
use crate::model::alert::{Alert, AlertStatus};
use crate::model::fact::{AlertReceived, Refusal, Taken};
use crate::model::host::Host;
use crate::model::id::{IncidentId, Seq};
use crate::model::incident::FirstSight;
use crate::model::label::Labels;
use crate::model::moment::Moment;
use crate::model::reason::Gate;
use crate::playbook::definition::{Playbook, TargetSpec};
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// What one playbook would make of the alert, as far as can be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The playbook's name.
    pub playbook: Arc<str>,
    /// Where it stands.
    pub source: String,
    /// Whether it changes nothing in any case.
    pub dry_run: bool,
    /// Whether it is enabled and all of its matchers match.
    pub matched: bool,
    /// The first no, if one of the gates that were asked says no.
    pub no: Option<No>,
    /// The target, if it was rendered.
    pub target: Option<String>,
    /// The gates that were asked and said yes, in order.
    pub yes: Vec<Gate>,
    /// The gates that were not asked, or not wholly, and why.
    pub not_asked: Vec<(Gate, String)>,
}

/// Why a playbook would do nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum No {
    /// It matches, and this one before it takes the alert.
    TakenBy(Arc<str>),
    /// A gate refuses.
    Refused(Refusal),
}

impl Explained {
    /// Whether it takes the alert and nothing that was asked stands in its way.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.no.is_none()
    }
}

/// Asks about every playbook, in the order of the files. Without settings the policy is of no use: it is not asked.
#[must_use]
pub fn explain(ruleset: &Ruleset, labels: &Labels, at: DateTime<Utc>) -> Vec<Explained> {
    let alert = Alert {
        fingerprint: labels.fingerprint(),
        status: AlertStatus::Firing,
        labels: labels.clone(),
        annotations: Labels::default(),
        starts_at: None,
        ends_at: None,
        generator_url: "".into(),
    };
    of_each(ruleset, Told { alert: &alert, left_out: None }, at)
}

/// The same about an alert as a notification tells of it, from which so many others were left out.
#[must_use]
pub fn explain_told(ruleset: &Ruleset, (alert, left_out): (&Alert, u64), at: DateTime<Utc>) -> Vec<Explained> {
    of_each(ruleset, Told { alert, left_out: Some(left_out) }, at)
}

fn of_each(ruleset: &Ruleset, told: Told<'_>, at: DateTime<Utc>) -> Vec<Explained> {
    let taker = ruleset.playbooks.select(&told.alert.labels);
    let playbooks = ruleset.playbooks.iter();
    playbooks.map(|playbook| Case::new(playbook, told, at).explain((ruleset, taker))).collect()
}

/// What is known of an alert.
#[derive(Clone, Copy)]
struct Told<'a> {
    alert: &'a Alert,
    /// How many others its notification left out; `None` where nothing is known but the labels.
    left_out: Option<u64>,
}

impl Told<'_> {
    /// Whether the alert and the playbook alone tell this value.
    fn tells(self, root: &str, field: &str) -> bool {
        match root {
            "labels" | "limits" => true,
            "alert" => matches!(field, "name" | "fingerprint") || self.left_out.is_some(),
            "annotations" => self.left_out.is_some(),
            "run" => field == "playbook",
            _ => false,
        }
    }

    /// The same for a name as a template refers to it.
    fn tells_name(self, name: &str) -> bool {
        let (root, field) = name.split_once('.').unwrap_or((name, ""));
        self.tells(root, field.split('.').next().unwrap_or_default())
    }
}

/// One playbook and one alert.
struct Case<'a> {
    playbook: &'a Playbook,
    told: Told<'a>,
    now: Moment,
    explained: Explained,
}

impl<'a> Case<'a> {
    fn new(playbook: &'a Playbook, told: Told<'a>, at: DateTime<Utc>) -> Self {
        let explained = Explained {
            playbook: Arc::clone(&playbook.name),
            source: playbook.source.clone(),
            dry_run: playbook.dry_run,
            matched: false,
            no: None,
            target: None,
            yes: Vec::new(),
            not_asked: Vec::new(),
        };
        Self { playbook, told, now: Moment { wall: at, passed_ms: 0 }, explained }
    }

    fn explain(mut self, (ruleset, taker): (&Ruleset, Option<&Arc<Playbook>>)) -> Explained {
        let no = self.first_no((ruleset, taker)).err();
        let mut explained = self.explained;
        let refused_by = match &no {
            Some(No::Refused(refusal)) => Some(refusal.gate),
            Some(No::TakenBy(_)) => Some(Gate::Playbook),
            None => None,
        };
        explained.no = no;
        for gate in Gate::ALL {
            let told = explained.yes.contains(gate)
                || refused_by == Some(*gate)
                || explained.not_asked.iter().any(|(not_asked, _)| not_asked == gate);
            if !told {
                explained.not_asked.push((*gate, why_not(*gate, self.told).to_owned()));
            }
        }
        explained.not_asked.sort_unstable_by_key(|(gate, _)| *gate);
        explained
    }

    /// In the engine's order: who takes it, which target, and then the gates before Docker's answer.
    fn first_no(&mut self, (ruleset, taker): (&Ruleset, Option<&Arc<Playbook>>)) -> Result<(), No> {
        gate::takes(self.playbook, &self.told.alert.labels).map_err(No::Refused)?;
        self.explained.matched = true;
        if let Some(taker) = taker.filter(|taker| taker.name != self.playbook.name) {
            return Err(No::TakenBy(Arc::clone(&taker.name)));
        }
        self.explained.yes.push(Gate::Playbook);
        self.target().map_err(No::Refused)?;
        if let Some(left_out) = self.told.left_out {
            gate::complete(self.playbook, left_out).map_err(No::Refused)?;
            self.explained.yes.push(Gate::Parsed);
        }
        let incident = self.incident();
        let (state, policy, playbook) = (&State::default(), &ruleset.policy, self.playbook);
        let (incident, now) = (&incident, &self.now);
        let question = Question { state, policy, playbook, incident, view: None, service: None, testimony: None, now };
        gate::in_time(&question).map_err(No::Refused)?;
        self.explained.yes.push(Gate::TimeInterval);
        if let Some(words) = approval::foreseen(playbook) {
            self.explained.not_asked.push((Gate::Approval, words));
        }
        let told = self.told;
        let needed = gate::foresee(&question, &|root, field| told.tells(root, field)).map_err(No::Refused)?;
        if needed.is_empty() {
            self.explained.yes.push(Gate::Condition);
        } else {
            let what = if told.left_out.is_some() { "the notification does" } else { "the labels do" };
            let why = format!("needs {}, which {what} not tell", needed.join(", "));
            self.explained.not_asked.push((Gate::Condition, why));
        }
        Ok(())
    }

    /// Renders the target, if the labels suffice.
    fn target(&mut self) -> Result<(), Refusal> {
        let templates = self.playbook.target.iter().flat_map(TargetSpec::templates);
        let needed: Vec<String> = templates
            .flat_map(|(_, template)| template.references())
            .filter(|name| !self.told.tells_name(name))
            .collect();
        if !needed.is_empty() {
            let why = format!("needs Docker, and {} to render its name", needed.join(", "));
            self.explained.not_asked.push((Gate::Target, why));
            return Ok(());
        }
        let alert = self.told.alert;
        let rendered = advance::render_target(self.playbook, &values::of_new_alert(alert));
        let query = rendered.map_err(|detail| advance::not_rendered(self.playbook, &alert.labels, detail))?;
        self.explained.target = query.map(|query| query.to_string());
        Ok(())
    }

    /// The incident that this alert would open.
    fn incident(&self) -> Incident {
        let (playbook, revision) = (Arc::clone(&self.playbook.name), Arc::clone(&self.playbook.revision));
        let Alert { fingerprint, labels, annotations, starts_at, generator_url, .. } = self.told.alert.clone();
        let received = AlertReceived {
            fingerprint,
            labels,
            annotations,
            starts_at,
            generator_url,
            sender: "".into(),
            receiver_name: "".into(),
            group_key: "".into(),
            sight: FirstSight::New,
            taken: Taken::ByPlaybook { playbook, revision, host: Host::First, text: None },
        };
        Incident::open(IncidentId(Seq(0)), &Arc::new(received), self.now).expect("a playbook takes it")
    }
}

/// Why a gate is not asked from here.
fn why_not(gate: Gate, told: Told<'_>) -> &'static str {
    match gate {
        Gate::Parsed if told.left_out.is_some() => "an earlier gate says no",
        Gate::Parsed => "needs the whole notification",
        Gate::Fresh if told.left_out.is_some() => "needs the settings, and the time when it is delivered",
        Gate::Fresh => "needs the time when the alert began",
        Gate::Episode | Gate::Pause | Gate::SingleFlight | Gate::Budget | Gate::Breaker => "needs the daemon's history",
        Gate::Target => "needs Docker",
        Gate::BlastRadius => "needs Docker and the daemon's history",
        Gate::Approval => "nobody has to agree",
        Gate::Playbook | Gate::TimeInterval | Gate::Condition => "an earlier gate says no",
    }
}

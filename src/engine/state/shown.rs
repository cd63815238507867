//! The state as readers may see it.

use super::State;
use crate::engine::approval;
use crate::engine::history::Standing;
use crate::engine::incident::{Incident, Phase};
use crate::engine::judge::ASKED;
use crate::engine::ruleset::Ruleset;
use crate::engine::snapshot::{ApprovalSummary, BreakerSummary, IncidentSummary, PauseSummary, Snapshot, StormSummary};
use crate::model::fact::{Fact, Refusal};
use crate::model::id::{IncidentId, Seq};
use crate::model::moment::Moment;
use crate::model::policy::Policy;
use crate::model::reason::Reason;
use std::sync::Arc;

/// How many of a kind are listed for readers.
const SNAPSHOT_LISTED_MAX: usize = 1000;

/// The target of a refusal: as Docker showed it, else as it was looked for.
fn refused_target(incident: &Incident, refusal: &Refusal) -> Option<String> {
    let decided = incident.story.iter().rev().find_map(|(_, fact)| {
        let Fact::Decided(decided) = fact else { return None };
        Some(decided.target.as_ref().map(|target| target.name.to_string()))
    });
    let asked = || {
        let (_, asked) = refusal.inputs.iter().find(|(name, _)| name == ASKED)?;
        let bare = asked.strip_prefix("container ").or_else(|| asked.strip_prefix("service "));
        Some(bare.unwrap_or(asked).to_owned()).filter(|name| !name.is_empty())
    };
    decided.flatten().or_else(asked)
}

impl State {
    /// The oldest open incidents, oldest first.
    fn oldest(&self, count: usize) -> Vec<&Incident> {
        let mut ids: Vec<IncidentId> = self.incidents.keys().copied().collect();
        if count < ids.len() {
            ids.select_nth_unstable(count);
            ids.truncate(count);
        }
        ids.sort_unstable();
        ids.into_iter().filter_map(|id| self.incident(id)).collect()
    }

    /// The targets whose breaker is open.
    fn open_breakers(&self, policy: &Policy, now: &Moment) -> Vec<BreakerSummary> {
        let open = self.history.open(&policy.breaker, policy.relapse_within, now).into_iter();
        let summary = |(target, standing): (&Arc<str>, Standing)| BreakerSummary {
            target: Arc::clone(target),
            failures: standing.failures,
            since: standing.last.map_or(now.wall, |last| last.wall),
            open_for: policy.breaker.open_for,
        };
        open.map(summary).take(SNAPSHOT_LISTED_MAX).collect()
    }

    /// What people are asked, oldest first.
    fn approvals(&self, ruleset: &Ruleset, now: &Moment) -> Vec<ApprovalSummary> {
        let open = self.waiting_for_people().filter_map(|incident| Some((incident, incident.open_approval()?)));
        open.take(SNAPSHOT_LISTED_MAX).map(|asked| approval::shown((self, ruleset), asked, now)).collect()
    }

    /// A copy for readers, as the ruleset lets things stand now.
    #[must_use]
    pub fn snapshot(&self, last_durable: Option<Seq>, ruleset: &Ruleset, now: &Moment) -> Snapshot {
        let summary = |incident: &Incident| {
            let (doing, reason, target) = match &incident.phase {
                Phase::AwaitingTarget => ("awaiting_target", None, None),
                Phase::AwaitingApproval => {
                    let target = incident.approval.as_ref().and_then(|approval| approval.asked.target.as_ref());
                    let target = target.map(|target| target.name.to_string());
                    ("awaiting_approval", Some(Reason::ApprovalPending), target)
                }
                Phase::Refused { refusal, .. } => ("refused", Some(refusal.reason), refused_target(incident, refusal)),
                Phase::BetweenTries => {
                    let target = incident.tried.as_ref().and_then(|tried| tried.run.target.as_ref());
                    ("between_tries", None, target.map(|target| target.name.to_string()))
                }
                Phase::Running(run) => {
                    let (doing, reason) = if incident.waits_for_people() {
                        ("awaiting_approval", Some(Reason::ApprovalPending))
                    } else {
                        run.held.as_ref().map_or(("running", None), |held| ("held", Some(held.reason)))
                    };
                    (doing, reason, run.target.as_ref().map(|target| target.name.to_string()))
                }
            };
            IncidentSummary {
                id: incident.id,
                playbook: Arc::clone(&incident.playbook),
                alertname: incident.alert.labels.value("alertname").to_owned(),
                target,
                doing,
                reason,
                origin: incident.origin.as_ref().map(|origin| (origin.of, origin.cause.as_str())),
            }
        };
        let breakers = self.open_breakers(&ruleset.policy, now);
        Snapshot {
            last_seq: last_durable,
            open_episodes: self.open_episodes,
            pauses: self.pauses.iter().map(PauseSummary::from).collect(),
            budgets: self.budgets(ruleset, &breakers, now),
            breakers,
            approvals: self.approvals(ruleset, now),
            storm: self.storm.freeze_since(now).map(|(at, freeze)| StormSummary { since: at.wall, freeze }),
            incidents: self.oldest(SNAPSHOT_LISTED_MAX).into_iter().map(summary).collect(),
        }
    }
}

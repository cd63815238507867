//! What people agree to, as one digest: every step with its arguments, and each request as it would be sent.
//!
//! The words of a question leave out what would make them too long, or what could be a secret; this leaves out nothing. It
//! does not name the incident, so that the same question has the same terms in a replay of the log. What only the steps
//! before it tell is not known yet when people are asked: there, the template's text is bound. Read [`Terms`] first.

use crate::engine::incident::{Incident, Run};
use crate::engine::values;
use crate::model::action::TargetIdent;
use crate::model::approval::ApprovalRequested;
use crate::model::fact::Branch;
use crate::model::id::{IncidentId, Seq};
use crate::model::incident::AttemptNumber;
use crate::model::moment::Moment;
use crate::model::policy::Policy;
use crate::playbook::definition::{HttpSpec, Playbook, Step, Verb};
use crate::playbook::effective;
use minijinja::Value;
use sha2::{Digest, Sha256};

/// Whose steps, by which settings.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Terms<'a> {
    /// About which alert.
    pub(in crate::engine) incident: &'a Incident,
    /// Whose steps.
    pub(in crate::engine) playbook: &'a Playbook,
    /// What templates see of the settings.
    pub(in crate::engine) policy: &'a Policy,
}

/// What of a run is known before it begins.
#[derive(Clone, Copy)]
pub(in crate::engine) struct About<'a> {
    /// What is treated.
    pub(in crate::engine) target: Option<&'a TargetIdent>,
    /// Which try.
    pub(in crate::engine) attempt: AttemptNumber,
    /// Whether nothing will be changed.
    pub(in crate::engine) dry_run: bool,
}

impl<'a> From<&'a Run> for About<'a> {
    fn from(run: &'a Run) -> Self {
        Self { target: run.target.as_ref(), attempt: run.attempt, dry_run: run.dry_run }
    }
}

impl Terms<'_> {
    /// The digest: hex of SHA-256.
    pub(in crate::engine) fn of(self, about: About<'_>, steps: &[Step], now: &Moment) -> String {
        let values = self.values(about, now);
        let mut hash = Sha256::new();
        // What follows a failure or the end of the alert belongs to it: nobody is asked again then.
        for list in [steps, &self.playbook.on_failure, &self.playbook.on_resolved] {
            put(&mut hash, &effective::steps_to_yaml(list));
            for spec in list.iter().filter_map(request_of) {
                put(&mut hash, spec.method);
                put(&mut hash, &spec.url.render(&values).unwrap_or_default());
                let body = spec.body.as_ref().and_then(|body| body.render(&values).ok());
                put(&mut hash, &body.unwrap_or_default());
            }
        }
        hex::encode(hash.finalize())
    }

    /// The terms of a try, where a request belongs to them: without one, the playbook's revision says as much.
    pub(in crate::engine) fn of_requests(self, about: About<'_>, steps: &[Step], now: &Moment) -> Option<String> {
        let all = steps.iter().chain(&self.playbook.on_failure).chain(&self.playbook.on_resolved);
        all.into_iter().any(|step| request_of(step).is_some()).then(|| self.of(about, steps, now))
    }

    /// Whether what people were asked would be asked in the very same terms now.
    pub(in crate::engine) fn hold(self, asked: &ApprovalRequested, now: &Moment) -> bool {
        let about = About { target: asked.target.as_ref(), attempt: asked.attempt, dry_run: asked.dry_run };
        asked.terms == self.of(about, self.steps(asked), now)
    }

    /// The steps that people were asked about.
    fn steps(&self, asked: &ApprovalRequested) -> &[Step] {
        let of_try = self.playbook.attempts.steps(asked.attempt.number);
        let Some(step) = &asked.step else { return of_try };
        let all = match step.branch {
            Branch::Steps => of_try,
            Branch::OnFailure => &self.playbook.on_failure,
            Branch::OnDenied => &self.playbook.on_denied,
            Branch::OnResolved => &self.playbook.on_resolved,
        };
        all.get(step.index + 1..).unwrap_or_default()
    }

    /// What templates see before anything was done, for an incident without a number.
    fn values(self, about: About<'_>, now: &Moment) -> Value {
        let incident = Incident { id: IncidentId(Seq(0)), approval: None, ..self.incident.clone() };
        let run = Run::start(about.target.cloned(), (about.dry_run, None), about.attempt, *now);
        values::of_run(&incident, &run, self.playbook, self.policy)
    }
}

fn request_of(step: &Step) -> Option<&HttpSpec> {
    if let Verb::Http(spec) = &step.verb { Some(spec) } else { None }
}

/// With its length, so that no two lists of parts look alike.
fn put(hash: &mut Sha256, part: &str) {
    hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
    hash.update(part);
}

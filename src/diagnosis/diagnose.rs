//! All rules on one look, and the diagnosis put into the evidence that it was made from.

use super::findings::Findings;
use super::look::Look;
use super::{ending, health, listening, log, notes, pressure, service, start, state};
use crate::model::diagnosis::Diagnosis;
use serde_json::Value;

/// What is the matter with the container or service that this evidence is about.
#[must_use]
pub fn diagnose(evidence: &Value) -> Diagnosis {
    let look = Look::new(evidence);
    let mut findings = Findings::default();
    if look.is_a_service() {
        service::find(&look, &mut findings);
        return findings.in_order();
    }
    state::find(&look, &mut findings);
    start::find(&look, &mut findings);
    ending::find(&look, &mut findings);
    health::find(&look, &mut findings);
    pressure::find(&look, &mut findings);
    log::find(&look, &mut findings);
    listening::find(&look, &mut findings);
    notes::find(&look, &mut findings);
    findings.in_order()
}

/// The evidence with its diagnosis, made from what stands in it.
#[must_use]
pub fn with_diagnosis(mut evidence: Value) -> Value {
    let diagnosis = diagnose(&evidence).to_json();
    if let Some(parts) = evidence.as_object_mut() {
        parts.insert("diagnosis".to_owned(), diagnosis);
    }
    evidence
}

//! The findings so far, and in which order they are told.

use crate::model::diagnosis::{Diagnosis, DiagnosisCode, Finding, Weight};

/// The most findings that are told.
const FINDINGS_MAX: usize = 12;

/// How surely a finding explains what is the matter: the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// The state alone says it: paused, dead.
    State,
    /// Docker's own words about a failed start.
    Start,
    /// A network that is dead or gone, whatever else follows from it.
    Namespace,
    /// Somebody did it.
    ByHand,
    /// The kernel killed for memory.
    OutOfMemory,
    /// The health check's own words.
    Health,
    /// The program cannot even be loaded, by its log.
    Loading,
    /// A command cannot be run, by its exit code.
    Program,
    /// Memory, processes or CPU, as measured.
    Pressure,
    /// Ended by a signal.
    Signal,
    /// What the log points to.
    Log,
    /// The exit code alone.
    Exit,
    /// What cannot be seen from outside, and is likely.
    Hint,
    /// Worth knowing.
    Note,
}

/// What a rule says of what it found: what, the evidence seen, what to do next.
pub(super) type Said = (String, String, String);

/// What was found, in the order of the rules.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<(Class, Finding)>);

impl Findings {
    pub(super) fn cause(&mut self, class: Class, code: DiagnosisCode, said: Said) {
        self.add(class, (code, Weight::Cause), said);
    }

    pub(super) fn risk(&mut self, class: Class, code: DiagnosisCode, said: Said) {
        self.add(class, (code, Weight::Risk), said);
    }

    pub(super) fn note(&mut self, code: DiagnosisCode, said: Said) {
        self.add(Class::Note, (code, Weight::Note), said);
    }

    /// What is said first of one thing stands.
    fn add(&mut self, class: Class, (code, weight): (DiagnosisCode, Weight), (what, seen, next): Said) {
        if self.0.iter().all(|(_, known)| known.code != code) {
            self.0.push((class, Finding { code, weight, what, seen, next }));
        }
    }

    /// The likeliest first; of one class, in the order of the rules. Notes come last, and are dropped first.
    pub(super) fn in_order(mut self) -> Diagnosis {
        self.0.sort_by_key(|(class, _)| *class);
        Diagnosis { findings: self.0.into_iter().map(|(_, finding)| finding).take(FINDINGS_MAX).collect() }
    }
}

//! What Alertmanager's API says about an alert: the second witness, beside what it sent us.
//!
//! Only a clear word counts. An alert that is not in the list has ended only if every instance that was asked says so,
//! and each has been up for long enough to know: an Alertmanager that just started has an empty list. Read [`Testimony`].

use super::duration::format_duration;
use super::fact::AlertReceived;
use super::reason::codes;
use std::time::Duration;

/// An instance that started less than this ago may lack what fires: Prometheus sends what fires again every minute, and
/// keeps an alert alive for four times as long.
pub const UP_MIN: Duration = Duration::from_secs(300);

/// How often the witness is asked while a run waits for its alert to end.
pub const ASK_EVERY: Duration = Duration::from_secs(15);

/// How many instances are named in one sentence.
const NAMED_MAX: usize = 4;

codes! {
    /// What the witness says.
    Says {
        /// At least one instance lists the alert.
        Firing = "firing",
        /// No instance lists it, and all have been up for long enough to know.
        NotFiring = "not_firing",
        /// Anything else: it may still fire.
        CannotTell = "cannot_tell",
    }
}

/// The word of all instances together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Testimony {
    /// What they say.
    pub says: Says,
    /// Who says it, or why nobody can tell.
    pub detail: String,
}

/// What was heard of an alert together with an answer about its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The question was not the one right before a first act.
    NotPut,
    /// It was, and no Alertmanager is configured.
    Nobody,
    /// It was, and Alertmanager said this.
    Said(Testimony),
}

impl Heard {
    /// What was said, if anything was.
    #[must_use]
    pub fn testimony(&self) -> Option<&Testimony> {
        match self {
            Self::Said(testimony) => Some(testimony),
            Self::NotPut | Self::Nobody => None,
        }
    }
}

/// What one instance answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It lists the alert.
    Lists,
    /// It does not list the alert, and started this long ago.
    Lacks {
        /// By its own clock.
        up: Duration,
    },
    /// It gave no answer that could be used; in words, why.
    Silent(String),
}

impl Testimony {
    /// Puts the answers of all instances together. Each comes with the instance's name.
    #[must_use]
    pub fn of(answers: &[(String, Answer)]) -> Self {
        let lists = |answer: &&(String, Answer)| answer.1 == Answer::Lists;
        if let Some((name, _)) = answers.iter().find(lists) {
            return Self { says: Says::Firing, detail: format!("{name} lists it") };
        }
        let doubts: Vec<String> = answers.iter().filter_map(doubt).collect();
        if !doubts.is_empty() {
            return Self::cannot_tell(listed(&doubts, "; "));
        }
        if answers.is_empty() {
            return Self::cannot_tell("no Alertmanager is configured");
        }
        let names: Vec<String> = answers.iter().map(|(name, _)| name.clone()).collect();
        Self { says: Says::NotFiring, detail: format!("no longer listed by {}", listed(&names, ", ")) }
    }

    /// Nobody can tell.
    #[must_use]
    pub fn cannot_tell(why: impl Into<String>) -> Self {
        Self { says: Says::CannotTell, detail: why.into() }
    }

    /// Why an alert cannot be asked about, if so. Alertmanager knows alerts by a hash of their labels; a sender with
    /// fingerprints of its own, such as Grafana, sends alerts that no Alertmanager would list, ended or not.
    #[must_use]
    pub fn about_a_stranger(alert: &AlertReceived) -> Option<Self> {
        let known = alert.labels.fingerprint() == alert.fingerprint;
        let why = "the alert's fingerprint is not the one that Alertmanager computes from its labels";
        (!known).then(|| Self::cannot_tell(why))
    }
}

/// Why an instance's answer does not show that the alert has ended.
fn doubt((name, answer): &(String, Answer)) -> Option<String> {
    match answer {
        Answer::Lists => None,
        Answer::Lacks { up } if UP_MIN < *up => None,
        Answer::Lacks { up } => {
            let up = format_duration(Duration::from_secs(up.as_secs()));
            Some(format!("{name} does not list it, but started only {up} ago"))
        }
        Answer::Silent(why) => Some(format!("{name} {why}")),
    }
}

fn listed(parts: &[String], between: &str) -> String {
    let named = parts.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(between);
    match parts.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named}{between}and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fact::Taken;
    use crate::model::incident::FirstSight;
    use crate::model::label::{Fingerprint, Labels};
    use crate::model::reason::Reason;

    fn of(answers: &[Answer]) -> Testimony {
        let named = answers.iter().enumerate().map(|(index, answer)| (format!("am-{index}"), answer.clone()));
        Testimony::of(&named.collect::<Vec<_>>())
    }

    #[test]
    fn only_a_clear_word_of_every_instance_ends_an_alert() {
        let old = || Answer::Lacks { up: UP_MIN + Duration::from_millis(1) };
        let fresh = || Answer::Lacks { up: UP_MIN };
        let silent = || Answer::Silent("answered 500".to_owned());
        for (answers, says, detail) in [
            (vec![], Says::CannotTell, "no Alertmanager is configured"),
            (vec![Answer::Lists], Says::Firing, "am-0 lists it"),
            (vec![old()], Says::NotFiring, "no longer listed by am-0"),
            (vec![fresh()], Says::CannotTell, "am-0 does not list it, but started only 5m ago"),
            (vec![silent()], Says::CannotTell, "am-0 answered 500"),
            (vec![old(), old()], Says::NotFiring, "no longer listed by am-0, am-1"),
            (vec![old(), Answer::Lists], Says::Firing, "am-1 lists it"),
            (vec![silent(), Answer::Lists], Says::Firing, "am-1 lists it"),
            (vec![fresh(), Answer::Lists], Says::Firing, "am-1 lists it"),
            (vec![old(), silent()], Says::CannotTell, "am-1 answered 500"),
            (vec![old(), fresh()], Says::CannotTell, "am-1 does not list it, but started only 5m ago"),
            (
                vec![old(), old(), old(), old(), old(), old()],
                Says::NotFiring,
                "no longer listed by am-0, am-1, am-2, am-3, and 2 more",
            ),
        ] {
            assert_eq!(of(&answers), Testimony { says, detail: detail.to_owned() }, "{answers:?}");
        }
    }

    #[test]
    fn whose_fingerprint_is_not_of_its_labels_cannot_be_asked_about() {
        let labels: Labels = [("alertname", "Down")].into_iter().collect();
        let alert = |fingerprint| AlertReceived {
            fingerprint,
            labels: labels.clone(),
            annotations: Labels::default(),
            starts_at: None,
            generator_url: "".into(),
            sender: "grafana".into(),
            receiver_name: "".into(),
            group_key: "".into(),
            sight: FirstSight::New,
            taken: Taken::ByNobody(Reason::NoMatch),
        };
        assert_eq!(Testimony::about_a_stranger(&alert(labels.fingerprint())), None);
        let stranger = Testimony::about_a_stranger(&alert(Fingerprint(7)));
        assert_eq!(stranger.map(|testimony| testimony.says), Some(Says::CannotTell));
    }
}

//! Which calls to Docker the playbooks need: no more than these need be allowed by a socket proxy.
//!
//! It follows what the engine and `docker` do with each step; a test on the real engine compares the two on the wire. A
//! playbook that is not enabled needs nothing, and one that only decides needs nothing that changes something. Read
//! [`needs`].

use super::definition::{LimitsSpec, Playbook, RestartSpec, ScaleChange, Step, Verb, Which};
use crate::model::docker_call::DockerCall;
use crate::model::permission::{Need, Why};
use crate::model::step::{ASKED_ABOUT, CaptureSpec};
use std::sync::Arc;

/// What the settings say about it.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Nothing is changed, by anyone.
    pub dry_run: bool,
    /// Whoever touched a container lately keeps it: `docker.hands_off` is not zero.
    pub hands_off: bool,
}

/// Whether something goes on without a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Needed,
    Optional,
}

/// Every call that these playbooks and sickbay itself need, in the order of the list of calls.
#[must_use]
pub fn needs<'a>(playbooks: impl IntoIterator<Item = &'a Playbook>, terms: Terms) -> Vec<Need> {
    let mut gathered = Gathered { whys: Vec::new() };
    let itself = (None, "sickbay itself");
    gathered.add(itself, Weight::Needed, &[DockerCall::Version]);
    gathered.add(itself, Weight::Optional, &[DockerCall::Events]);
    for playbook in playbooks.into_iter().filter(|playbook| playbook.enabled) {
        Asked { playbook, terms, gathered: &mut gathered }.all();
    }
    gathered.needs()
}

/// Who needs what, in no order.
struct Gathered {
    whys: Vec<(DockerCall, Why)>,
}

impl Gathered {
    fn add(&mut self, (playbook, what): (Option<&Arc<str>>, &'static str), weight: Weight, calls: &[DockerCall]) {
        for call in calls {
            let why = Why { playbook: playbook.cloned(), what, optional: weight == Weight::Optional };
            if !self.whys.contains(&(*call, why.clone())) {
                self.whys.push((*call, why));
            }
        }
    }

    fn needs(self) -> Vec<Need> {
        let of = |call: &DockerCall| {
            let why: Vec<Why> =
                self.whys.iter().filter(|(whose, _)| whose == call).map(|(_, why)| why.clone()).collect();
            let optional = why.iter().all(|why| why.optional);
            (!why.is_empty()).then_some(Need { call: *call, optional, why })
        };
        DockerCall::ALL.iter().filter_map(of).collect()
    }
}

/// What kind of thing a playbook treats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Container,
    ComposeService,
    SwarmService,
}

/// One playbook that is asked what it needs.
struct Asked<'a> {
    playbook: &'a Playbook,
    terms: Terms,
    gathered: &'a mut Gathered,
}

impl Asked<'_> {
    fn all(&mut self) {
        let Some(target) = &self.playbook.target else { return };
        let kind = match &target.which {
            Which::Service(_) => Kind::SwarmService,
            Which::Compose { .. } if self.playbook.treats_a_service() => Kind::ComposeService,
            Which::Compose { .. } | Which::Container(_) | Which::Selector { .. } => Kind::Container,
        };
        self.look(kind);
        if self.playbook.approval.is_some() && kind == Kind::Container {
            self.capture("approval", &ASKED_ABOUT);
        }
        let Playbook { attempts, on_failure, on_denied, on_resolved, .. } = self.playbook;
        let tries = attempts.iter().flat_map(|attempt| &attempt.steps);
        for step in tries.chain(on_failure).chain(on_denied).chain(on_resolved) {
            self.step(kind, step);
        }
    }

    fn need(&mut self, what: &'static str, weight: Weight, calls: &[DockerCall]) {
        self.gathered.add((Some(&self.playbook.name), what), weight, calls);
    }

    /// What the gates must know of the target, whatever is done to it.
    fn look(&mut self, kind: Kind) {
        match kind {
            Kind::Container => {
                self.need("target", Weight::Needed, &[DockerCall::List, DockerCall::Inspect]);
                let events = if self.terms.hands_off { Weight::Needed } else { Weight::Optional };
                self.need("target", events, &[DockerCall::Events]);
            }
            Kind::ComposeService => {
                let calls = [DockerCall::List, DockerCall::Inspect, DockerCall::Image, DockerCall::Changes];
                self.need("target", Weight::Needed, &calls);
                let events = if self.terms.hands_off { Weight::Needed } else { Weight::Optional };
                self.need("target", events, &[DockerCall::Events]);
            }
            Kind::SwarmService => {
                let calls = [DockerCall::Services, DockerCall::Service, DockerCall::Tasks, DockerCall::Nodes];
                self.need("target", Weight::Needed, &calls);
            }
        }
    }

    fn step(&mut self, kind: Kind, step: &Step) {
        let word = step.verb.word();
        match &step.verb {
            Verb::Capture(spec) if kind == Kind::Container => self.capture("capture", spec),
            Verb::Restart(spec) => self.restart(kind, spec),
            Verb::Start => {
                // Who stopped it must be known, and what its stop left behind is restarted.
                self.need(word, Weight::Needed, &[DockerCall::Events]);
                self.act(word, &[DockerCall::Start, DockerCall::Restart]);
            }
            Verb::Stop(_) => self.act(word, &[DockerCall::Stop]),
            Verb::UpdateLimits(spec) => {
                if *spec == LimitsSpec::ToOriginal {
                    // A memory limit is lowered by a look at what is in use; a number of CPUs is not.
                    let weight = if self.raises_memory() { Weight::Needed } else { Weight::Optional };
                    self.need(word, weight, &[DockerCall::Stats]);
                }
                self.act(word, &[DockerCall::Update]);
            }
            Verb::Rollback(_) if kind == Kind::ComposeService => self.replace(word),
            Verb::Rollback(_) => self.act(word, &[DockerCall::ServiceUpdate]),
            Verb::Scale(spec) => self.scale(kind, spec.change),
            // The target of a service shows all that there is to be captured and watched.
            Verb::Capture(_)
            | Verb::Verify(_)
            | Verb::Wait(_)
            | Verb::Notify(_)
            | Verb::Http(_)
            | Verb::Approve(_)
            | Verb::PausePlaybook(_) => {}
        }
    }

    fn raises_memory(&self) -> bool {
        let raises = |step: &Step| matches!(step.verb, Verb::UpdateLimits(LimitsSpec::Raise { memory: Some(_), .. }));
        self.playbook.attempts.iter().flat_map(|attempt| &attempt.steps).any(raises)
    }

    fn restart(&mut self, kind: Kind, spec: &RestartSpec) {
        match kind {
            Kind::SwarmService => self.act("restart", &[DockerCall::ServiceUpdate]),
            Kind::Container | Kind::ComposeService => {
                if spec.start_if_stopped {
                    self.need("restart", Weight::Needed, &[DockerCall::Events]);
                }
                self.act("restart", &[DockerCall::Restart]);
            }
        }
    }

    fn scale(&mut self, kind: Kind, change: ScaleChange) {
        let (up, down) = match change {
            ScaleChange::By(by) => (0 < by, by < 0),
            ScaleChange::To(_) | ScaleChange::ToOriginal => (true, true),
        };
        if kind == Kind::SwarmService {
            self.act("scale", &[DockerCall::ServiceUpdate]);
            return;
        }
        if up {
            // A copy that does not come up is removed again.
            let calls = [DockerCall::Create, DockerCall::Connect, DockerCall::Start, DockerCall::Remove];
            self.act("scale", &calls);
        }
        if down {
            self.act("scale", &[DockerCall::Stop, DockerCall::Remove]);
        }
    }

    /// What ran before must have been seen, so somebody has to listen and look all the time.
    fn replace(&mut self, word: &'static str) {
        self.need(word, Weight::Needed, &[DockerCall::List, DockerCall::Inspect, DockerCall::Events]);
        self.act(
            word,
            &[
                DockerCall::Create,
                DockerCall::Connect,
                DockerCall::Stop,
                DockerCall::Rename,
                DockerCall::Start,
                DockerCall::Remove,
            ],
        );
    }

    fn capture(&mut self, what: &'static str, spec: &CaptureSpec) {
        let CaptureSpec { logs, inspect, stats, top, changes, events } = *spec;
        for (wanted, call) in [
            (logs != 0, DockerCall::Logs),
            (inspect, DockerCall::Image),
            (stats, DockerCall::Stats),
            (top, DockerCall::Top),
            (changes, DockerCall::Changes),
            (events, DockerCall::Events),
        ] {
            if wanted {
                self.need(what, Weight::Optional, &[call]);
            }
        }
    }

    /// What only a playbook that may change something needs.
    fn act(&mut self, word: &'static str, calls: &[DockerCall]) {
        if !self.terms.dry_run && !self.playbook.dry_run {
            self.need(word, Weight::Needed, calls);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::{RuleFile, Severity, load};

    const LIVE: Terms = Terms { dry_run: false, hands_off: true };

    fn playbooks(target: &str, body: &str) -> Vec<Playbook> {
        let text = format!(
            "version: 1\nplaybooks:\n  - name: p\n    matchers: ['alertname = \"A\"']\n    target: {target}\n{body}    \
             on_failure:\n      - notify: {{to: [log], message: no}}\n"
        );
        let loaded = load(&[RuleFile { path: "rules.yaml".to_owned(), text }]);
        let wrong = |problem: &&crate::playbook::Problem| problem.severity == Severity::Error;
        assert_eq!(loaded.problems.iter().find(wrong).map(|problem| problem.message.clone()), None, "{target} {body}");
        loaded.playbooks
    }

    /// The operations that are needed beside those that everybody needs on this target.
    fn operations(target: &str, body: &str, terms: Terms) -> String {
        let needs = needs(&playbooks(target, body), terms);
        let all = needs.iter().map(|need| {
            let operation = need.call.operation();
            if need.optional { format!("({operation})") } else { operation.to_owned() }
        });
        let usual = ["version", "list", "inspect", "services", "service", "tasks", "nodes"];
        all.filter(|operation| !usual.contains(&operation.as_str())).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_step_needs_what_it_sends_and_no_more() {
        const BARE: &str = "      - capture: none\n      - verify: none\n";
        let (container, compose, service) = ("{container: web}", "{compose: {project: a, service: b}}", "{service: w}");
        for (target, steps, want) in [
            (container, "restart: {}", "events restart"),
            (container, "start: {}", "events restart start"),
            (container, "stop: {}", "events stop"),
            (container, "update_limits: {memory: {factor: 2, max: 1GiB}}", "events update"),
            (compose, "restart: {}", "events restart"),
            (compose, "scale: {by: 1, max: 3}", "events changes image start create connect remove"),
            (compose, "scale: {by: -1}", "events changes image stop remove"),
            (compose, "scale: {to: 2, max: 3}", "events changes image start stop create connect remove"),
            (compose, "rollback: {}", "events changes image start stop create connect rename remove"),
            (service, "restart: {}", "(events) service_update"),
            (service, "scale: {by: 1, max: 3}", "(events) service_update"),
            (service, "rollback: {}", "(events) service_update"),
        ] {
            let steps = format!("    steps:\n{BARE}      - {steps}\n");
            assert_eq!(operations(target, &steps, LIVE), want, "{target} {steps}");
            let looks: Vec<&str> =
                want.split(' ').filter(|word| ["events", "(events)", "changes", "image"].contains(word)).collect();
            let dry = operations(target, &steps, Terms { dry_run: true, hands_off: true });
            assert_eq!(dry, looks.join(" "), "in dry-run: {target} {steps}");
            let own = format!("    dry_run: true\n{steps}");
            assert_eq!(operations(target, &own, LIVE), looks.join(" "), "{target} {own}");
            let disabled = format!("    enabled: false\n{steps}");
            assert_eq!(operations(target, &disabled, LIVE), "(events)", "{target} {disabled}");
        }
    }

    #[test]
    fn evidence_is_optional_and_what_comes_after_counts_too() {
        let container = "{container: web}";
        let capture =
            "    steps:\n      - capture: {logs: 0, stats: false, top: true, changes: true}\n      - restart: {}\n";
        assert_eq!(operations(container, capture, LIVE), "events (top) (changes) (image) restart");
        let usual = "    steps:\n      - restart: {}\n";
        assert_eq!(operations(container, usual, LIVE), "events (logs) (stats) (image) restart");
        let careless = Terms { hands_off: false, ..LIVE };
        assert_eq!(operations(container, usual, careless), "(events) (logs) (stats) (image) restart");
        let stopped = "    steps:\n      - restart: {start_if_stopped: true}\n";
        assert_eq!(operations(container, stopped, careless), "events (logs) (stats) (image) restart");
        let asked = "    approval: {required: 1, from: [sre], timeout: 15m}\n    steps:\n      - capture: none\n      - restart: {}\n";
        assert_eq!(operations(container, asked, LIVE), "events (logs) (stats) (image) restart");
        let after = format!("{usual}    on_resolved:\n      - stop: {{}}\n");
        assert_eq!(operations(container, &after, LIVE), "events (logs) (stats) (image) restart stop");
    }

    #[test]
    fn a_memory_limit_is_not_taken_back_without_a_look_at_what_is_in_use() {
        let bare = "      - capture: none\n      - verify: none\n";
        for (raise, want) in [
            ("{memory: {factor: 2, max: 1GiB}}", "events stats update"),
            ("{cpus: {factor: 2, max: 2}}", "events (stats) update"),
        ] {
            let steps = format!("    steps:\n{bare}      - update_limits: {raise}\n");
            assert_eq!(operations("{container: web}", &steps, LIVE), "events update", "raised and never taken back");
            let back = format!("{steps}    on_resolved:\n{bare}      - update_limits: {{to: original}}\n");
            assert_eq!(operations("{container: web}", &back, LIVE), want, "{raise}");
        }
    }
}

//! SIGKILL between the intent and the outcome of a scaling, on a real manager: what was done is found as done, what was not
//! done as not done, what somebody else made of it as theirs, and nothing is sent again.

use crate::alerts::notification;
use crate::real_docker::{OBEDIENT, docker};
use crate::real_swarm::{Swarm, TestService};
use crate::sickbay_process::Sickbay;
use crate::support::between::{Between, Fate};
use crate::swarm::{busy, treating};
use std::thread;

/// The daemon also asks whether it may change services, with the ID of none, and with no registry to name.
fn changes(line: &str) -> bool {
    line.starts_with("POST ") && line.contains("/update?") && line.contains("registryAuthFrom=")
}

/// The finding, the verdict, and how many replicas there are to be in the end.
fn killed(name: &str, fate: Fate, meanwhile: Option<u32>) -> (String, String, u64) {
    let service = TestService::create(name, &["--label", "sickbay.enable=true"], &OBEDIENT);
    let between = Between::start(changes, fate);
    let mut sickbay = Sickbay::running(&treating("- scale: {by: 1, max: 5}"), &between.settings());
    assert_eq!(sickbay.post(&notification(&[busy(&service)])).status, 200);
    sickbay.until("the call is held", || (between.held() == 1).then_some(()));
    sickbay.kill();
    assert_eq!(sickbay.records_of("action.intent").len(), 1, "{}", sickbay.story());
    assert_eq!(sickbay.records_of("action.outcome").len(), 0, "{}", sickbay.story());
    between.let_pass();
    if let Some(replicas) = meanwhile {
        docker(&["service", "scale", "--detach", &format!("{}={replicas}", service.name)]);
    }
    sickbay.start(&[]);
    let verdict = sickbay.verdict_of(1);
    let reconciled = sickbay.records_of("action.reconciled");
    assert_eq!(reconciled.len(), 1, "{}", sickbay.story());
    assert_eq!(sickbay.records_of("action.intent").len(), 1, "nothing is sent again: {}", sickbay.story());
    let finding = reconciled[0]["result"].as_str().unwrap_or_else(|| panic!("{}", reconciled[0])).to_owned();
    (finding, verdict, service.replicas())
}

#[test]
fn killed_between_intent_and_outcome_of_a_scaling_it_finds_out() {
    let _swarm = Swarm::borrow();
    thread::scope(|scope| {
        let done = scope.spawn(|| killed("swarm-killed-done", Fate::Unheard, None));
        let not_done = scope.spawn(|| killed("swarm-killed-not", Fate::Swallowed, None));
        let others = scope.spawn(|| killed("swarm-killed-others", Fate::Swallowed, Some(4)));
        let ended = |finding: &str, verdict: &str, replicas| (finding.to_owned(), verdict.to_owned(), replicas);
        assert_eq!(done.join().unwrap(), ended("observed", "recovered", 2));
        assert_eq!(not_done.join().unwrap(), ended("not_applied", "abandoned", 1));
        assert_eq!(others.join().unwrap(), ended("superseded", "superseded", 4));
    });
}

//! SIGKILL at each call of a way back, on a real engine: nothing is sent again, what is there is found out and said, and a
//! person is told how to bring back what was put aside.

use crate::compose_back::{BAD, GOOD, Images, PLAIN, alarm, once, rules, text, up, watching};
use crate::compose_crash::{create, remove, start, stop};
use crate::real_docker::{docker, unique};
use crate::sickbay_process::wait_until;
use crate::support::between::{Between, Fate, Meant};
use crate::support::{Generation, Project};
use serde_json::{Value, json};
use std::thread;

/// The finding, its words, and the service's containers in the end.
fn killed(purpose: &str, (meant, fate): (Meant, Fate)) -> (String, String, Vec<Value>, String) {
    let (mut images, tag) = (Images::none(), unique(purpose));
    let (first, second) = (format!("{tag}:1"), format!("{tag}:2"));
    let good = images.make(&first, GOOD, "1");
    images.make(&second, BAD, "2");
    let (old, new) = (PLAIN.replace("APP", &first), PLAIN.replace("APP", &second));
    let project = Project::of(Generation::Two, purpose, &old).unwrap();
    let between = Between::start(meant, fate);
    let mut sickbay = watching(&rules(&project, ""), &between.settings());
    up(&project, &old, &[]);
    once((&sickbay, &project), |all| all[0]["State"]["Running"] == true);
    up(&project, &new, &[]);
    once((&sickbay, &project), |all| all[0]["Image"] != json!(good) && all[0]["State"]["Running"] == true);
    alarm(&sickbay, "web", "first");
    sickbay.until("the call is held", || (0 < between.held()).then_some(()));
    sickbay.kill();
    assert_eq!(sickbay.records_of("action.intent").len(), 1, "{}", sickbay.story());
    assert_eq!(sickbay.records_of("action.outcome").len(), 0, "{}", sickbay.story());
    between.let_pass();
    let before = state(&project);
    sickbay.start(&[]);
    // Docker may be at the last call for as long as a stop and a start may take.
    let found = wait_until(|| sickbay.records_of("action.reconciled").pop());
    let found = found.or_else(|| wait_until(|| sickbay.records_of("action.reconciled").pop()));
    let found = found.unwrap_or_else(|| panic!("{}", sickbay.story()));
    sickbay.verdict_of(1);
    assert_eq!(sickbay.records_of("action.intent").len(), 1, "nothing is sent again: {}", sickbay.story());
    assert_eq!(state(&project), before, "nothing is touched");
    let left = project.replicas("web");
    // What it says is what helps.
    let words = text(&found["detail"]);
    let how = words.find("docker rm -f").map(|place| words.split_at(place).1);
    for command in how.into_iter().flat_map(|how| how.split("; ")) {
        let words: Vec<&str> = command.split(' ').collect();
        docker(&words[1..]);
    }
    if how.is_some() {
        let back = project.replicas("web");
        assert!(back.len() == 1 && back[0]["State"]["Running"] == true, "{back:#?}");
        assert!(!text(&back[0]["Name"]).contains("_before"), "{back:#?}");
    }
    (text(&found["result"]), words, left, good)
}

/// Names and states.
fn state(project: &Project) -> Vec<(String, String, String)> {
    let all = project.replicas("web");
    let one = |one: &Value| (text(&one["Id"]), text(&one["Name"]), text(&one["State"]["Status"]));
    let mut all: Vec<_> = all.iter().map(one).collect();
    all.sort();
    all
}

fn up_and_running(all: &[Value]) -> usize {
    all.iter().filter(|one| one["State"]["Running"] == true).count()
}

#[test]
fn killed_at_any_call_of_a_way_back_it_says_what_is_there() {
    let renames: Meant = |line| line.starts_with("POST ") && line.contains("_before-");
    thread::scope(|scope| {
        let at = |purpose: &'static str, meant: Meant, fate| scope.spawn(move || killed(purpose, (meant, fate)));
        let created = at("back-k-create", create, Fate::Unheard);
        let stopped = at("back-k-stop", stop, Fate::Unheard);
        let renamed = at("back-k-rename", renames, Fate::Unheard);
        let not_started = at("back-k-start", start, Fate::Swallowed);
        let not_removed = at("back-k-remove", remove, Fate::Swallowed);
        let not_created = at("back-k-none", create, Fate::Swallowed);

        let (found, words, left, _) = not_created.join().unwrap();
        assert_eq!((found.as_str(), left.len(), up_and_running(&left)), ("not_applied", 1, 1), "{words}");
        let (found, words, left, _) = created.join().unwrap();
        assert_eq!((found.as_str(), left.len(), up_and_running(&left)), ("partly", 2, 1), "still up: {words}");
        for (call, seen) in [("stop", stopped), ("rename", renamed), ("start", not_started)] {
            let (found, words, left, _) = seen.join().unwrap();
            assert_eq!((found.as_str(), up_and_running(&left)), ("partly", 0), "{call}: {words}");
            assert!(words.contains("the service is down"), "{call}: {words}");
        }
        let (found, words, left, good) = not_removed.join().unwrap();
        assert_eq!((found.as_str(), up_and_running(&left)), ("partly", 1), "{words}");
        assert!(left.iter().any(|one| one["State"]["Running"] == true && one["Image"] == json!(good)), "{left:#?}");
    });
}

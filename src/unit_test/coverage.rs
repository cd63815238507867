//! What of the playbooks some test has reached: each matcher's no, each step and each of its failures, each side of a
//! condition and of a time interval, each limit's no, each no of the people who are asked.
//!
//! Told from the incident logs of the tests alone. Read [`Coverage`] first, then [`What`].

use super::definition::TestFile;
use super::play::Played;
use crate::engine::state::State;
use crate::model::approval::ApprovalOutcome;
use crate::model::duration::format_duration;
use crate::model::fact::{Answer, Branch, Fact, Record, Refusal, StepFinished, StepMarked, StepResult, Taken};
use crate::model::limit::Window;
use crate::model::matcher::parse_matchers;
use crate::model::reason::Reason;
use crate::model::step::StepMark;
use crate::playbook::RuleFile;
use crate::playbook::definition::{ApprovalSpec, Playbook, Step, Verb};
use crate::playbook::index::Playbooks;
use crate::playbook::keys::STEP_COMMON;
use crate::playbook::problem::Findings;
use crate::playbook::yaml::{self, Content, Node};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Something of a playbook that a test can reach.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// An alert was taken.
    Matched,
    /// An alert would have been taken but for this one of the matchers.
    KeptAway(usize),
    /// The playbook's `if` was true, or false.
    Condition(bool),
    /// It was within the time intervals, or outside of them.
    Interval(bool),
    /// The cooldown refused.
    Cooldown,
    /// A window was full: so many runs in so long.
    Window(u32, Duration),
    /// Too few of the service would have been left.
    MinHealthy,
    /// A step of a try was done, or begun: the try, and its place in it.
    Step(u32, usize),
    /// It failed.
    Fails(u32, usize),
    /// The step's `if` was true, or false.
    StepIf(Box<Self>, bool),
    /// People who were asked, by the playbook or by its step, said no, or did not agree in time.
    NotAgreed(Option<Box<Self>>, ApprovalOutcome),
    /// A step of `on_failure` was done, or begun.
    OnFailure(usize),
    /// A step of `on_denied` was done, or begun.
    OnDenied(usize),
    /// A step of `on_resolved` was done, or begun.
    OnResolved(usize),
}

/// One thing that can be reached, and whether it was.
#[derive(Clone, Debug)]
pub struct Point {
    /// What it is.
    pub what: What,
    /// In words.
    pub words: String,
    /// Where it stands: `rules/web.yaml:12`.
    pub place: String,
    /// Whether a test reached it.
    pub reached: bool,
}

/// One playbook.
#[derive(Clone, Debug)]
pub struct Covered {
    /// Its name.
    pub name: Arc<str>,
    /// Where it stands.
    pub place: String,
    /// Everything that can be reached, in the order of the text.
    pub points: Vec<Point>,
}

impl Covered {
    /// How many of its points were reached.
    #[must_use]
    pub fn reached(&self) -> usize {
        self.points.iter().filter(|point| point.reached).count()
    }

    /// What no test reached.
    pub fn missed(&self) -> impl Iterator<Item = &Point> {
        self.points.iter().filter(|point| !point.reached)
    }
}

/// A playbook in one revision.
type Key = (Arc<str>, Arc<str>);

/// What was reached, over all tests that were added.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// Where each playbook's parts stand.
    playbooks: BTreeMap<Key, Covered>,
}

impl Coverage {
    /// Adds the playbooks of a file: nothing of them is reached by that.
    pub fn know(&mut self, file: &TestFile) {
        for playbook in file.playbooks.iter().filter(|playbook| playbook.enabled) {
            let key = (Arc::clone(&playbook.name), Arc::clone(&playbook.revision));
            self.playbooks.entry(key).or_insert_with(|| {
                let places = Places::find(&file.rules, playbook);
                let (name, place) = (Arc::clone(&playbook.name), playbook.source.clone());
                Covered { name, place, points: points(playbook, &places) }
            });
        }
    }

    /// Adds what a test of a file reached.
    pub fn add(&mut self, file: &TestFile, played: &Played) {
        let records = || played.records.iter().map(|(_, record)| record);
        for (key, what) in reached(records()).into_iter().chain(kept_away(&file.playbooks, records())) {
            let covered = self.playbooks.get_mut(&key);
            if let Some(point) = covered.and_then(|covered| covered.points.iter_mut().find(|point| point.what == what))
            {
                point.reached = true;
            }
        }
    }

    /// Each playbook, by its name.
    pub fn playbooks(&self) -> impl Iterator<Item = &Covered> {
        self.playbooks.values()
    }
}

/// Everything of a playbook that a test can reach.
fn points(playbook: &Playbook, places: &Places) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    let mut add = |what: What, words: String, place: &str| {
        points.push(Point { what, words, place: place.to_owned(), reached: false });
    };
    let own = &playbook.source;
    add(What::Matched, "an alert that it takes".to_owned(), own);
    for (index, matcher) in playbook.matchers.iter().enumerate() {
        add(What::KeptAway(index), format!("an alert that only `{matcher}` keeps away"), places.matcher(index, own));
    }
    if !playbook.schedule.active.is_empty() || !playbook.schedule.mute.is_empty() {
        add(What::Interval(true), "a run at a time when it may run".to_owned(), own);
        add(What::Interval(false), "a no at a time when it may not run".to_owned(), own);
    }
    if playbook.condition.is_some() {
        add(What::Condition(true), "`if` being true".to_owned(), places.of("if", own));
        add(What::Condition(false), "`if` being false".to_owned(), places.of("if", own));
    }
    let limits = places.of("limits", own);
    if !playbook.limits.cooldown.is_zero() {
        let cooldown = format_duration(playbook.limits.cooldown);
        add(What::Cooldown, format!("a no because of the cooldown of {cooldown}"), limits);
    }
    for Window { runs, per } in &playbook.limits.windows {
        let words = format!("a no because of {runs} runs per {}", format_duration(*per));
        add(What::Window(*runs, *per), words, limits);
    }
    if playbook.limits.min_healthy.is_some() {
        add(What::MinHealthy, "a no because of `min_healthy`".to_owned(), limits);
    }
    if let Some(approval) = &playbook.approval {
        for (outcome, words) in noes(approval) {
            add(What::NotAgreed(None, outcome), format!("the approval {words}"), places.of("approval", own));
        }
    }
    points.extend(of_steps(playbook, places));
    points
}

/// How people can fail to agree, in words. Where no answer is a yes, time does not run out on them.
fn noes(approval: &ApprovalSpec) -> impl Iterator<Item = (ApprovalOutcome, &'static str)> {
    let expires = !approval.approve_on_timeout;
    [(ApprovalOutcome::Denied, "being denied")]
        .into_iter()
        .chain(expires.then_some((ApprovalOutcome::Expired, "expiring without an answer")))
}

/// What can be reached of the steps.
fn of_steps(playbook: &Playbook, places: &Places) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    let own = &playbook.source;
    let mut add = |what: What, words: String, place: &str| {
        points.push(Point { what, words, place: place.to_owned(), reached: false });
    };
    for (number, attempt) in (1..).zip(playbook.attempts.iter()) {
        let of_try = if 1 < playbook.attempts.count() { format!("try {number}, ") } else { String::new() };
        for (index, step) in attempt.steps.iter().enumerate() {
            let place = places.step(&List::Try(number), index, own);
            let title = format!("{of_try}step {} ({})", index + 1, step.title());
            let verifies = matches!(step.verb, Verb::Verify(_));
            if !(playbook.dry_run && verifies) {
                add(What::Step(number, index), title.clone(), place);
            }
            for (what, words) in forks(step, &What::Step(number, index)) {
                add(what, format!("{title}{words}"), place);
            }
            if !playbook.dry_run && (verifies || step.verb.acts() || matches!(step.verb, Verb::Http(_))) {
                add(What::Fails(number, index), format!("{title} failing"), place);
            }
        }
    }
    for (list, steps) in afterwards(playbook) {
        for (index, step) in steps.iter().enumerate() {
            let what = match list {
                List::Denied => What::OnDenied(index),
                List::Resolved => What::OnResolved(index),
                List::Failure | List::Try(_) => What::OnFailure(index),
            };
            let title = format!("{}, step {} ({})", list.key(), index + 1, step.title());
            let place = places.step(&list, index, own);
            add(what.clone(), title.clone(), place);
            for (what, words) in forks(step, &what) {
                add(what, format!("{title}{words}"), place);
            }
        }
    }
    points
}

/// What a step's `if` and the people it asks can say, each with the words behind the step's title.
fn forks(step: &Step, what: &What) -> Vec<(What, String)> {
    let sides: &[bool] = if step.condition.is_some() { &[true, false] } else { &[] };
    let of_if = |side: &bool| (What::StepIf(Box::new(what.clone()), *side), format!(", its `if` being {side}"));
    let asks = if let Verb::Approve(approval) = &step.verb { Some(approval) } else { None };
    let of_people = |(outcome, words)| (What::NotAgreed(Some(Box::new(what.clone())), outcome), format!(" {words}"));
    sides.iter().map(of_if).chain(asks.into_iter().flat_map(noes).map(of_people)).collect()
}

/// A list of steps of a playbook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum List {
    Try(u32),
    Failure,
    Denied,
    Resolved,
}

impl List {
    fn key(self) -> &'static str {
        match self {
            Self::Try(_) => "steps",
            Self::Failure => "on_failure",
            Self::Denied => "on_denied",
            Self::Resolved => "on_resolved",
        }
    }
}

/// The lists that come after the tries.
fn afterwards(playbook: &Playbook) -> [(List, &[Step]); 3] {
    let Playbook { on_failure, on_denied, on_resolved, .. } = playbook;
    [(List::Failure, on_failure), (List::Denied, on_denied), (List::Resolved, on_resolved)]
}

/// What one log tells of the playbooks.
fn reached<'r>(records: impl Iterator<Item = &'r Record>) -> BTreeSet<(Key, What)> {
    let mut state = State::default();
    let mut reached = BTreeSet::new();
    for record in records {
        let incident = record.fact.incident(record.seq);
        let known = incident.and_then(|incident| state.incident(incident));
        let key = known.map(|incident| (Arc::clone(&incident.playbook), Arc::clone(&incident.revision)));
        let step = known.and_then(|incident| incident.run()).map(|run| match run.branch {
            Branch::Steps => What::Step(run.attempt.number, run.index),
            Branch::OnFailure => What::OnFailure(run.index),
            Branch::OnResolved => What::OnResolved(run.index),
            Branch::OnDenied => What::OnDenied(run.index),
        });
        // The step that asks, or the playbook itself.
        let asks = known.and_then(|incident| incident.approval.as_ref()?.asked.step.as_ref()).and(step.clone());
        if let Fact::AlertReceived(received) = &record.fact
            && let Taken::ByPlaybook { playbook, revision, .. } = &received.taken
        {
            reached.insert(((Arc::clone(playbook), Arc::clone(revision)), What::Matched));
        }
        state.apply(record);
        let Some(key) = key else { continue };
        let failed = incident.and_then(|incident| state.incident(incident)).filter(|known| !known.is_aftercare());
        let failed = failed.and_then(|incident| incident.run());
        let failed = failed.and_then(|run| Some(What::Fails(run.attempt.number, run.failure.as_ref()?.index)));
        let told = told(&record.fact, (step, asks));
        reached.extend(told.into_iter().chain(failed).map(|what| (key.clone(), what)));
    }
    reached
}

/// The matchers of which one alone kept an alert from a playbook: without it the playbook would have taken the alert, so a
/// test can tell that it is there. What an earlier playbook takes, or nobody because of the alert's age, tells nothing.
fn kept_away<'r>(playbooks: &Playbooks, records: impl Iterator<Item = &'r Record>) -> BTreeSet<(Key, What)> {
    let mut found = BTreeSet::new();
    for record in records {
        let Fact::AlertReceived(received) = &record.fact else { continue };
        if !matches!(received.taken, Taken::ByPlaybook { .. } | Taken::ByNobody(Reason::NoMatch)) {
            continue;
        }
        for playbook in playbooks.iter().filter(|playbook| playbook.enabled) {
            let mut failing = playbook.matchers.iter().enumerate().filter(|(_, one)| !one.matches(&received.labels));
            match (failing.next(), failing.next()) {
                (None, _) => break,
                (Some((index, _)), None) => {
                    let key = (Arc::clone(&playbook.name), Arc::clone(&playbook.revision));
                    found.insert((key, What::KeptAway(index)));
                }
                (Some(_), Some(_)) => {}
            }
        }
    }
    found
}

/// What one fact about an incident tells: of the step whose turn it is, or of the one that asks people.
fn told(fact: &Fact, (step, asks): (Option<What>, Option<What>)) -> Vec<What> {
    let of_if = |step: Option<What>, side| step.map(|step| What::StepIf(Box::new(step), side)).into_iter().collect();
    match fact {
        Fact::Decided(decided) => match &decided.answer {
            Answer::Run { .. } => vec![What::Condition(true), What::Interval(true)],
            Answer::Refused(refusal) => refused(refusal).into_iter().collect(),
        },
        // Every gate has said yes, and people are asked: for the run, or by a step.
        Fact::ApprovalRequested(asked) => match asked.step {
            None => vec![What::Condition(true), What::Interval(true)],
            Some(_) => step.into_iter().collect(),
        },
        Fact::ApprovalEnded(ended) if ended.outcome.is_no() => {
            vec![What::NotAgreed(asks.map(Box::new), ended.outcome)]
        }
        Fact::StepMarked(StepMarked { mark: StepMark::Allowed, .. }) => of_if(step, true),
        Fact::StepFinished(StepFinished { result: StepResult::ConditionFalse(_), .. }) => of_if(step, false),
        Fact::StepFinished(StepFinished { result: StepResult::Skipped, .. }) => Vec::new(),
        Fact::StepFinished(_) | Fact::ActionIntended(_) | Fact::RequestIntended(_) | Fact::NoticeIntended(_) => {
            step.into_iter().collect()
        }
        Fact::LogOpened(_)
        | Fact::LogClosed
        | Fact::LogRecovered(_)
        | Fact::ConfigLoaded(_)
        | Fact::ConfigRejected(_)
        | Fact::ClockJumped(_)
        | Fact::AlertReceived(_)
        | Fact::IncidentOpened(_)
        | Fact::AlertEnded(_)
        | Fact::AlertsRejected(_)
        | Fact::ActionFinished(_)
        | Fact::ActionReconciled(_)
        | Fact::NoticeFinished(_)
        | Fact::StepMarked(_)
        | Fact::RequestFinished(_)
        | Fact::TargetVerified(_)
        | Fact::AttemptEnded(_)
        | Fact::IncidentClosed(_)
        | Fact::IncidentRelapsed(_)
        | Fact::PauseSet(_)
        | Fact::PauseCleared(_)
        | Fact::BreakerOpened(_)
        | Fact::BreakerReset(_)
        | Fact::StormFrozen(_)
        | Fact::VoteCast(_)
        | Fact::ApprovalEnded(_)
        | Fact::StateSaved(_) => Vec::new(),
    }
}

/// Which part of the playbook said no.
fn refused(refusal: &Refusal) -> Option<What> {
    let saw = |name: &str| refusal.inputs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    if refusal.reason == Reason::Cooldown {
        return Some(What::Cooldown);
    }
    if refusal.reason == Reason::ConditionFalse {
        return Some(What::Condition(false));
    }
    if matches!(refusal.reason, Reason::OutsideTimeInterval | Reason::MutedTimeInterval) {
        return Some(What::Interval(false));
    }
    if refusal.reason == Reason::MinHealthy {
        return Some(What::MinHealthy);
    }
    if refusal.reason == Reason::BudgetExhausted {
        let per = crate::model::duration::parse_duration(saw("per")?).ok()?;
        return Some(What::Window(saw("runs")?.parse().ok()?, per));
    }
    None
}

/// Where the parts of a playbook stand, as `FILE:LINE`; what was added by default stands nowhere.
#[derive(Default)]
struct Places {
    keys: BTreeMap<String, String>,
    matchers: Vec<String>,
    /// By list and place in it.
    steps: BTreeMap<(List, usize), String>,
}

impl Places {
    fn find(rules: &[RuleFile], playbook: &Playbook) -> Self {
        let mut places = Self::default();
        let Some((path, _)) = playbook.source.rsplit_once(':') else { return places };
        let Some(file) = rules.iter().find(|file| file.path == path) else { return places };
        let mut findings = Findings::new(&file.path, &file.text);
        let Some(root) = yaml::parse(&file.text, &mut findings) else { return places };
        let entries = value(&root, "playbooks").map(list).unwrap_or_default();
        let named = |entry: &&Node| value(entry, "name").and_then(scalar) == Some(&*playbook.name);
        let Some(entry) = entries.iter().find(named) else { return places };
        for key in ["if", "limits", "approval"] {
            if let Some(node) = value(entry, key) {
                places.keys.insert(key.to_owned(), findings.place(node.span.start));
            }
        }
        for written in value(entry, "matchers").map(list).unwrap_or_default() {
            // One entry may hold several, between braces or commas.
            let count =
                scalar(written).and_then(|text| parse_matchers(text).ok()).map_or(1, |read| read.matchers.len());
            places.matchers.extend(std::iter::repeat_n(findings.place(written.span.start), count));
        }
        let tries: Vec<&Node> = match value(entry, "attempts") {
            Some(tries) => list(tries).iter().filter_map(|attempt| value(attempt, "steps")).collect(),
            None => value(entry, "steps").into_iter().collect(),
        };
        for ((number, attempt), written) in (1..).zip(playbook.attempts.iter()).zip(tries) {
            places.add(List::Try(number), &attempt.steps, (list(written), &findings));
        }
        for (after, steps) in afterwards(playbook) {
            if let Some(written) = value(entry, after.key()) {
                places.add(after, steps, (list(written), &findings));
            }
        }
        places
    }

    /// Steps that are not written where they would have to be were added by default.
    fn add(&mut self, of: List, steps: &[Step], (written, findings): (&[Node], &Findings<'_>)) {
        let mut written = written.iter().filter_map(verb).peekable();
        for (index, step) in steps.iter().enumerate() {
            if let Some((_, node)) = written.next_if(|(verb, _)| *verb == step.verb.word()) {
                self.steps.insert((of, index), findings.place(node.span.start));
            }
        }
    }

    fn of<'p>(&'p self, key: &str, own: &'p str) -> &'p str {
        self.keys.get(key).map_or(own, String::as_str)
    }

    fn matcher<'p>(&'p self, index: usize, own: &'p str) -> &'p str {
        self.matchers.get(index).map_or(own, String::as_str)
    }

    fn step<'p>(&'p self, of: &List, index: usize, own: &'p str) -> &'p str {
        self.steps.get(&(*of, index)).map_or(own, String::as_str)
    }
}

/// The verb of a written step; `none` is no step.
fn verb(entry: &Node) -> Option<(&str, &Node)> {
    let Content::Map(keys) = &entry.content else { return None };
    let verb = keys.iter().find(|key| !STEP_COMMON.contains(&key.key.as_str()))?;
    (scalar(&verb.value) != Some("none")).then_some((verb.key.as_str(), entry))
}

fn value<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Content::Map(entries) = &node.content else { return None };
    entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
}

fn list(node: &Node) -> &[Node] {
    if let Content::List { items, .. } = &node.content { items } else { &[] }
}

fn scalar(node: &Node) -> Option<&str> {
    if let Content::Scalar { text, .. } = &node.content { Some(text) } else { None }
}

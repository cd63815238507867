//! `log show`: one incident as a tree, from the alert to the verdict, with the time each thing took.

use super::args::LogOutput;
use crate::incident_log::LogReader;
use crate::model::action::{ActionOutcome, Reconciled};
use crate::model::fact::{Answer, Decided, Fact, Record, StepResult};
use crate::model::id::{ActId, IncidentId};
use crate::model::incident::AttemptNumber;
use crate::model::reason::Reason;
use crate::model::request::RequestOutcome;
use crate::model::stamp::Stamp;
use crate::record::{LogFilter, decode};
use crate::story::{
    action_outcome, approval_end, evidence_lines, evidence_of, finding, heading, notice_outcome, origin, printable,
    request_outcome, span, vote, words,
};
use anyhow::bail;
use std::io::Write;
use std::path::Path;

pub(super) fn show(
    path: &Path,
    output: LogOutput,
    (incident, evidence): (IncidentId, bool),
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let lines = lines_of(path, incident)?;
    if lines.is_empty() {
        bail!(
            "there is no incident {incident} in {}: `sickbay log query kind=\"alert.received\"` lists them",
            path.display()
        );
    }
    match output {
        LogOutput::Json => {
            write!(out, "{{\"incident\":\"{incident}\",\"records\":[")?;
            for (index, line) in lines.iter().enumerate() {
                out.write_all(if index == 0 { b"" } else { b"," })?;
                out.write_all(line)?;
            }
            writeln!(out, "]}}")?;
        }
        LogOutput::Text => {
            let records = lines.iter().map(|line| decode(line).map(crate::record::Decoded::into_record));
            let records: Vec<Option<Record>> = records.collect::<Result<_, _>>()?;
            let records: Vec<Record> = records.into_iter().flatten().collect();
            Tree::of(&records, evidence).print(out)?;
        }
    }
    Ok(0)
}

fn lines_of(path: &Path, incident: IncidentId) -> anyhow::Result<Vec<Vec<u8>>> {
    let filter = LogFilter::parse(&[format!("inc=\"{incident}\"")], None, None)?;
    let mut reader = LogReader::open(path)?;
    let mut lines = Vec::new();
    while let Some(line) = reader.next_line()? {
        if filter.matches(line) {
            lines.push(line.to_vec());
        }
    }
    Ok(lines)
}

/// One thing that happened, with what belongs to it.
struct Node {
    at: Stamp,
    act: Option<ActId>,
    heading: &'static str,
    text: String,
    children: Vec<String>,
    /// What happened within it, if it is a try of several.
    inner: Vec<Node>,
}

/// An incident, ready to be printed.
struct Tree {
    title: String,
    begun: Option<Stamp>,
    nodes: Vec<Node>,
    /// The last node is a try that is still under way.
    within_try: bool,
}

impl Tree {
    fn of(records: &[Record], evidence: bool) -> Self {
        let begun = records.first().map(|record| record.at);
        let mut tree = Self { title: title(records), begun, nodes: Vec::new(), within_try: false };
        for record in records {
            tree.add(record, evidence);
        }
        tree
    }

    /// Outcomes go below their intent, everything else in its turn.
    fn add(&mut self, record: &Record, evidence: bool) {
        let (act, outcome) = match &record.fact {
            Fact::ActionFinished(finished) => (Some(finished.act), Some(action_outcome(&finished.outcome))),
            Fact::ActionReconciled(reconciled) => (Some(reconciled.act), Some(finding(reconciled))),
            Fact::NoticeFinished(finished) => (Some(finished.act), Some(notice_outcome(&finished.outcome))),
            Fact::VoteCast(cast) => (Some(cast.ballot.approval), Some(vote(cast))),
            Fact::ApprovalEnded(ended) => (Some(ended.approval), Some(approval_end(ended))),
            Fact::ApprovalRequested(asked) => (Some(asked.approval), None),
            Fact::RequestFinished(finished) => (Some(finished.act), Some(request_outcome(&finished.outcome))),
            Fact::RequestIntended(intended) => (Some(intended.act), None),
            Fact::ActionIntended(intended) => (Some(intended.act), None),
            Fact::NoticeIntended(intended) => (Some(intended.notice.act), None),
            Fact::LogOpened(_)
            | Fact::LogClosed
            | Fact::LogRecovered(_)
            | Fact::ConfigLoaded(_)
            | Fact::ConfigRejected(_)
            | Fact::ClockJumped(_)
            | Fact::TargetVerified(_)
            | Fact::AttemptEnded(_)
            | Fact::IncidentRelapsed(_)
            | Fact::PauseSet(_)
            | Fact::PauseCleared(_)
            | Fact::BreakerOpened(_)
            | Fact::BreakerReset(_)
            | Fact::StormFrozen(_)
            | Fact::StateSaved(_)
            | Fact::AlertReceived(_)
            | Fact::IncidentOpened(_)
            | Fact::AlertEnded(_)
            | Fact::AlertsRejected(_)
            | Fact::Decided(_)
            | Fact::StepFinished(_)
            | Fact::StepMarked(_)
            | Fact::IncidentClosed(_) => (None, None),
        };
        if let Some(outcome) = outcome
            && let Some(intent) = self.nodes.iter_mut().find_map(|node| node.find(act))
        {
            let after = span(record.at.since(&intent.at));
            intent.children.push(format!("after {after}: {}", printable(&outcome)));
        } else {
            let children =
                if evidence { evidence_of(&record.fact).map(evidence_lines).unwrap_or_default() } else { Vec::new() };
            let (heading, text) = (heading(&record.fact), words(&record.fact));
            self.place(Node { at: record.at, act, heading, text, children, inner: Vec::new() }, &record.fact);
        }
        self.within_try &= !ends_a_try(&record.fact);
    }

    /// Puts a node where it belongs: a try of several is a branch, and what happens within it are its twigs.
    fn place(&mut self, node: Node, fact: &Fact) {
        if let Some(attempt) = begins_a_try(fact) {
            let (at, text) = (node.at, attempt.to_string());
            self.within_try = true;
            let (act, heading, children, inner) = (None, "try", Vec::new(), vec![node]);
            return self.nodes.push(Node { at, act, heading, text, children, inner });
        }
        let belongs =
            self.within_try && !matches!(fact, Fact::IncidentClosed(_)) || matches!(fact, Fact::AttemptEnded(_));
        match self.nodes.last_mut().filter(|last| belongs && !last.inner.is_empty()) {
            Some(branch) => branch.inner.push(node),
            None => self.nodes.push(node),
        }
    }

    fn print(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        writeln!(out, "{}", self.title)?;
        if let Some(begun) = self.begun {
            writeln!(out, "{}", begun.wall.format("%F %T UTC"))?;
        }
        self.print_below("", &self.nodes, out)
    }

    fn print_below(&self, above: &str, nodes: &[Node], out: &mut dyn Write) -> anyhow::Result<()> {
        for (index, node) in nodes.iter().enumerate() {
            let is_last = index + 1 == nodes.len();
            let (branch, trunk) = if is_last { ("└─", "  ") } else { ("├─", "│ ") };
            let after = self.begun.map_or_else(String::new, |begun| format!("+{}", span(node.at.since(&begun))));
            writeln!(out, "{above}{branch} {after:<12} {:<9} {}", node.heading, node.text)?;
            for (index, child) in node.children.iter().enumerate() {
                let twig = if index + 1 == node.children.len() { "└─" } else { "├─" };
                writeln!(out, "{above}{trunk} {:<22} {twig} {child}", "")?;
            }
            self.print_below(&format!("{above}{trunk} "), &node.inner, out)?;
        }
        Ok(())
    }
}

impl Node {
    /// The node of this act: itself, or one within it.
    fn find(&mut self, act: Option<ActId>) -> Option<&mut Self> {
        if self.act == act && self.inner.is_empty() {
            return Some(self);
        }
        self.inner.iter_mut().find_map(|node| node.find(act))
    }
}

/// The try that a decision begins, if it is one of several.
fn begins_a_try(fact: &Fact) -> Option<AttemptNumber> {
    let Fact::Decided(Decided { answer: Answer::Run { attempt, .. }, .. }) = fact else { return None };
    Some(*attempt).filter(|attempt| attempt.is_one_of_several())
}

/// Whether nothing of a try is done after this: it failed. A refusal puts it back, unless it is held after its first act.
fn ends_a_try(fact: &Fact) -> bool {
    if let Fact::StepFinished(finished) = fact {
        matches!(finished.result, StepResult::Failed(_) | StepResult::NotVerified(_))
    } else if let Fact::ActionFinished(finished) = fact {
        matches!(finished.outcome, ActionOutcome::Failed { .. })
    } else if let Fact::RequestFinished(finished) = fact {
        !matches!(finished.outcome, RequestOutcome::Answered { expected: true, .. } | RequestOutcome::Rehearsed)
    } else if let Fact::ActionReconciled(reconciled) = fact {
        !matches!(reconciled.finding, Reconciled::Observed | Reconciled::RestartPolicy)
    } else {
        matches!(fact, Fact::AttemptEnded(_))
            || matches!(fact, Fact::Decided(Decided { answer: Answer::Refused(refusal), .. }) if refusal.reason != Reason::Paused)
    }
}

/// What it was about and how it ended, in one line.
fn title(records: &[Record]) -> String {
    let (mut name, mut playbook, mut target, mut end) = (String::new(), String::new(), String::new(), String::new());
    let mut id = String::new();
    for record in records {
        match &record.fact {
            Fact::AlertReceived(received) => {
                id = IncidentId(record.seq).to_string();
                name = received.labels.value("alertname").to_owned();
            }
            Fact::IncidentOpened(opened) => {
                id = IncidentId(record.seq).to_string();
                name = format!("{}, {}", opened.alert.labels.value("alertname"), origin(&opened.origin));
            }
            Fact::Decided(decided) => {
                playbook = format!(", playbook {}", decided.playbook);
                if let Some(on) = &decided.target {
                    target = format!(" on {}", on.name);
                }
            }
            Fact::ApprovalRequested(asked) => {
                playbook = format!(", playbook {}", asked.playbook);
                if let Some(on) = &asked.target {
                    target = format!(" on {}", on.name);
                }
            }
            Fact::IncidentClosed(closed) => {
                let took = records.first().map(|first| span(record.at.since(&first.at))).unwrap_or_default();
                end = format!(": {} after {took}", closed.verdict);
            }
            Fact::LogOpened(_)
            | Fact::LogClosed
            | Fact::LogRecovered(_)
            | Fact::ConfigLoaded(_)
            | Fact::ConfigRejected(_)
            | Fact::ClockJumped(_)
            | Fact::TargetVerified(_)
            | Fact::AttemptEnded(_)
            | Fact::IncidentRelapsed(_)
            | Fact::PauseSet(_)
            | Fact::PauseCleared(_)
            | Fact::BreakerOpened(_)
            | Fact::BreakerReset(_)
            | Fact::StormFrozen(_)
            | Fact::VoteCast(_)
            | Fact::ApprovalEnded(_)
            | Fact::StateSaved(_)
            | Fact::AlertEnded(_)
            | Fact::AlertsRejected(_)
            | Fact::StepFinished(_)
            | Fact::RequestIntended(_)
            | Fact::RequestFinished(_)
            | Fact::StepMarked(_)
            | Fact::ActionIntended(_)
            | Fact::ActionFinished(_)
            | Fact::ActionReconciled(_)
            | Fact::NoticeIntended(_)
            | Fact::NoticeFinished(_) => {}
        }
    }
    let end = if end.is_empty() { ": still open".to_owned() } else { end };
    printable(&format!("{id}  {name}{target}{playbook}{end}")).into_owned()
}

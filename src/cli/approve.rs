//! `sickbay pending`, `approve` and `deny`: what people are asked, and somebody's answer, over HTTP.

use super::ask::{Question, REFUSED, ask, understood};
use super::check::Output;
use super::reach::{Reach, Way};
use super::{complain, print_json};
use crate::model::approval::{PLAN_DIGITS, ReasonFor, who};
use crate::model::duration::format_duration;
use crate::model::id::ActId;
use crate::story::printable;
use crate::web::api::{
    ApprovalList, AskedEvidence, AskedFinding, CooldownLeft, OpenApproval, RoomLeft, VoteAnswered, VoteRequest,
};
use clap::Args;
use hyper::Method;
use std::io::{self, Write};
use std::time::Duration;

/// The fewest characters by which a plan is found.
const SHORT_PLAN_MIN: usize = 4;

/// Which daemon, and as whom.
#[derive(Args, Clone, Debug)]
struct Access {
    #[command(flatten)]
    reach: Reach,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// Show what people are asked.
#[derive(Args, Clone, Debug)]
pub struct PendingArgs {
    #[command(flatten)]
    access: Access,
}

/// Say yes or no to a plan.
#[derive(Args, Clone, Debug)]
pub struct VoteArgs {
    /// The approval, as in i1042.2; its incident (1042) or the first digits of its plan will do if only one fits
    #[arg(value_name = "ID")]
    id: String,
    /// What to record with it
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// The plan you were shown, at least its first 12 digits; it must still be what people are asked about
    #[arg(long, value_name = "DIGITS")]
    plan: Option<String>,
    #[command(flatten)]
    access: Access,
}

/// Prints what people are asked; the exit code.
///
/// # Errors
/// If the result cannot be printed.
pub fn pending(args: &PendingArgs, out: &mut dyn Write) -> io::Result<u8> {
    let list = match args.access.list() {
        Ok((list, _way)) => list,
        Err(code) => return Ok(code),
    };
    match args.access.output {
        Output::Json => print_json(&list, out)?,
        Output::Text if list.approvals.is_empty() => writeln!(out, "nobody is asked anything")?,
        Output::Text => list.approvals.iter().try_for_each(|approval| print(approval, out))?,
    }
    Ok(0)
}

/// Votes yes; the exit code.
///
/// # Errors
/// If the result cannot be printed.
pub fn approve(args: &VoteArgs, out: &mut dyn Write) -> io::Result<u8> {
    vote("approve", args, out)
}

/// Votes no; the exit code.
///
/// # Errors
/// If the result cannot be printed.
pub fn deny(args: &VoteArgs, out: &mut dyn Write) -> io::Result<u8> {
    vote("deny", args, out)
}

fn vote(vote: &str, args: &VoteArgs, out: &mut dyn Write) -> io::Result<u8> {
    let (list, way) = match args.access.list() {
        Ok(known) => known,
        Err(code) => return Ok(code),
    };
    let approval = match find(&list.approvals, &args.id) {
        Ok(approval) => approval,
        Err(problem) => {
            if !told_how_it_ended(&way, &args.id) {
                complain(&problem);
            }
            return Ok(REFUSED);
        }
    };
    if vote == "approve" && args.plan.is_none() && !names_the_plan(approval, &args.id) {
        let (id, plan) = (&approval.id, digits(&approval.plan));
        complain(&format!(
            "{:?} names no plan, and what is agreed to must be what you were shown: sickbay approve {id} --plan {plan}",
            args.id
        ));
        return Ok(REFUSED);
    }
    let plan = args.plan.clone().unwrap_or_else(|| approval.plan.clone());
    let body = serde_json::to_vec(&VoteRequest { vote: vote.to_owned(), plan, comment: args.comment.clone() })?;
    let path = format!("/api/v1/approvals/{}", approval.id);
    let question = Question { way: &way, method: Method::POST, path: &path, body };
    let answered: VoteAnswered = match understood(&way.url, ask(question)) {
        Ok(answered) => answered,
        Err(code) => return Ok(code),
    };
    match args.access.output {
        Output::Json => print_json(&answered, out)?,
        Output::Text => {
            let VoteAnswered { id, by, message, .. } = &answered;
            let (on, what) = (digits(&answered.plan), &approval.what);
            writeln!(out, "{}", printable(&format!("{id}, plan {on}, as {by}: {message}")))?;
            writeln!(out, "  {}", printable(what))?;
        }
    }
    Ok(0)
}

impl Access {
    /// What people are asked, and how the daemon was reached.
    fn list(&self) -> Result<(ApprovalList, Way), u8> {
        let way = self.reach.way()?;
        let list = understood(&way.url, ask(Question::get(&way, "/api/v1/approvals")))?;
        Ok((list, way))
    }
}

/// Of an approval that is named in full, but not open any more, the daemon knows how it ended; whether it was told.
fn told_how_it_ended(way: &Way, text: &str) -> bool {
    let id = if text.starts_with('i') { text.to_owned() } else { format!("i{text}") };
    let Ok(id) = id.parse::<ActId>() else { return false };
    understood::<OpenApproval>(&way.url, ask(Question::get(way, &format!("/api/v1/approvals/{id}")))).is_err()
}

/// Whether a text names one question, whose plan never changes, and not whatever is asked about an incident by now.
fn names_the_plan(approval: &OpenApproval, text: &str) -> bool {
    let bare = approval.id.strip_prefix('i').unwrap_or(&approval.id);
    text == approval.id || text == bare || (PLAN_DIGITS <= text.len() && approval.plan.starts_with(text))
}

/// The one that is meant.
fn find<'a>(open: &'a [OpenApproval], text: &str) -> Result<&'a OpenApproval, String> {
    let short = |approval: &OpenApproval| {
        let named = [&*approval.id, &*approval.incident]
            .iter()
            .any(|name| *name == text || name.strip_prefix('i').is_some_and(|bare| bare == text));
        named || (SHORT_PLAN_MIN <= text.len() && approval.plan.starts_with(text))
    };
    if let Some(exact) = open.iter().find(|approval| approval.id == text) {
        return Ok(exact);
    }
    match open.iter().filter(|approval| short(approval)).collect::<Vec<_>>()[..] {
        [one] => Ok(one),
        [] => Err(format!("no approval {text:?} is open; `sickbay pending` lists those that are")),
        ref several => {
            let ids = several.iter().map(|approval| &*approval.id).collect::<Vec<_>>().join(", ");
            Err(format!("{text:?} may be any of {ids}; write more of it"))
        }
    }
}

fn print(approval: &OpenApproval, out: &mut dyn Write) -> io::Result<()> {
    let OpenApproval { id, playbook, required, from, yes, .. } = approval;
    let mut line = |text: String| writeln!(out, "{}", printable(&text));
    let on = approval.target.as_deref().map(|target| format!(" on {target}")).unwrap_or_default();
    let dry_run = if approval.dry_run { " (dry run)" } else { "" };
    let agreed = if yes.is_empty() { "nobody agreed yet".to_owned() } else { format!("{} agreed", yes.join(", ")) };
    let left = format_duration(Duration::from_secs(approval.seconds_left));
    let waits = if approval.approved { "not begun yet".to_owned() } else { format!("another {left}") };
    line(format!("{id}  {playbook}{on}{dry_run}, because of {}", approval.alertname))?;
    // A daemon of another version may know other rules.
    let reason = ReasonFor::parse(&approval.reason).unwrap_or(ReasonFor::Never);
    line(format!("  asks    {}{}; {agreed}; {waits}", who(*required, from), reason.in_words()))?;
    line(format!("  plan    {}  {}", digits(&approval.plan), approval.what))?;
    for call in &approval.calls {
        line(format!("  sends   {call}"))?;
    }
    if let Some(image) = &approval.image {
        line(format!("  image   {image}"))?;
    }
    for text in seen(approval.evidence.as_ref()) {
        line(text)?;
    }
    for RoomLeft { whose, of, runs, per, used, left, next } in &approval.limits {
        let next = next.as_deref().map(|next| format!("; one more from {next}")).unwrap_or_default();
        line(format!("  limit   {whose} ({of}): {left} left, {used} of {runs} used in the last {per}{next}"))?;
    }
    if let Some(CooldownLeft { of, until }) = &approval.cooldown {
        let until = until
            .as_deref()
            .map_or("from the end of the run that is under way".to_owned(), |until| format!("until {until}"));
        line(format!("  cools   {of} {until}: nothing begins before"))?;
    }
    line(format!(
        "  may     {}",
        if approval.deciders.is_empty() { "nobody".to_owned() } else { approval.deciders.join(", ") }
    ))?;
    line(format!("  more    {}", approval.url))?;
    let plan = digits(&approval.plan);
    let said = |verb: &str, approve: bool| {
        let why = if reason.is_for(approve) { " --comment WHY" } else { "" };
        format!("sickbay {verb} {id} --plan {plan}{why}")
    };
    line(format!("  say     {}  or  {}", said("approve", true), said("deny", false)))
}

/// What was found to be the matter with the target, line by line.
fn seen(evidence: Option<&AskedEvidence>) -> Vec<String> {
    let Some(AskedEvidence { container: _, service: _, state, findings, log, error }) = evidence else {
        return vec!["  seen    nobody looked into the target for this question".to_owned()];
    };
    if let Some(error) = error {
        return vec![format!("  seen    nobody could look into the target: {error}")];
    }
    let mut lines = vec![format!("  seen    {state}")];
    if findings.is_empty() {
        lines.push("          nothing was found to be the matter".to_owned());
    }
    for AskedFinding { code, weight, what, seen, next } in findings {
        lines.push(format!("          {weight}: {what} ({code})"));
        let more = [("seen", seen), ("next", next)].into_iter().filter(|(_, text)| !text.is_empty());
        lines.extend(more.map(|(word, text)| format!("            {word}: {text}")));
    }
    lines.extend(log.iter().map(|line| format!("  log     {line}")));
    lines
}

fn digits(plan: &str) -> &str {
    plan.get(..PLAN_DIGITS).unwrap_or(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approval(id: &str, plan: &str) -> OpenApproval {
        let text = serde_json::json!({
            "id": id, "playbook": "p", "target": null, "plan": plan, "what": "w", "required": 1, "from": ["sre"],
            "yes": [], "approved": false, "since": "", "seconds_left": 5, "approve_on_timeout": false, "dry_run": false,
            "incident": id.split('.').next(),
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn a_yes_is_for_a_plan_that_was_named() {
        let plan = "0123456789abcdef";
        let asked = approval("i12.1", plan);
        for (text, want) in [
            ("i12.1", true),
            ("12.1", true),
            (plan, true),
            (digits(plan), true),
            ("i12", false),
            ("12", false),
            ("0123", false),
            ("0123456789a", false),
        ] {
            assert_eq!(names_the_plan(&asked, text), want, "{text}");
        }
    }

    #[test]
    fn an_approval_is_found_by_what_names_it_alone() {
        let open = [approval("i12.1", "abcdef"), approval("i123.1", "abcd00"), approval("i12.10", "ff00ff")];
        for (text, want) in [
            ("i12.1", Ok("i12.1")),
            ("12.10", Ok("i12.10")),
            ("123", Ok("i123.1")),
            ("i123", Ok("i123.1")),
            ("abcde", Ok("i12.1")),
            ("abcd", Err("any of i12.1, i123.1")),
            ("12", Err("any of i12.1, i12.10")),
            ("abc", Err("is open")),
            ("", Err("is open")),
            ("i1", Err("is open")),
        ] {
            match (find(&open, text), want) {
                (Ok(found), Ok(want)) => assert_eq!(found.id, want, "{text}"),
                (Err(said), Err(want)) => assert!(said.contains(want), "{text}: {said}"),
                (found, _) => panic!("{text}: {:?}", found.map(|found| &found.id)),
            }
        }
    }
}

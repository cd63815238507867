//! What is the matter with a service, by what Docker says of its tasks.

use super::findings::{Class, Findings};
use super::look::{Look, number};
use super::start_causes::cause_of;
use super::words::quote;
use crate::model::diagnosis::DiagnosisCode as Code;
use serde_json::Value;

pub(super) fn find(look: &Look<'_>, findings: &mut Findings) {
    let text = |task: &Value, key: &str| task.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(task) = look.list("/tasks/in_trouble").first() {
        let (state, error) = (text(task, "state"), text(task, "error"));
        let code = task.get("exit_code").and_then(number).filter(|code| *code != 0);
        let code = code.map(|code| format!(", exit code {code}")).unwrap_or_default();
        let count = look.positive("/tasks/count").unwrap_or(1);
        let (what, next) = if error.contains("no suitable node") {
            (
                "Swarm finds no node for its tasks.".to_owned(),
                "Look at the constraints, the reservations and the nodes (`docker node ls`).".to_owned(),
            )
        } else if let Some(cause) = cause_of(&error) {
            (cause.what.to_owned(), cause.next.to_owned())
        } else {
            (
                format!("Its tasks end in trouble ({state}{code})."),
                "Look at `docker service ps --no-trunc` and at the log of a failed task.".to_owned(),
            )
        };
        let seen = format!("{count} tasks in trouble; the last one: {state}{code} {}", quote(&error));
        findings.cause(Class::Start, Code::TasksFailing, (what, seen, next));
    }
    let wanted = look.positive("/service/replicas");
    let running = look.number("/service/running").and_then(|running| u64::try_from(running).ok());
    if let Some((wanted, running)) = wanted.zip(running)
        && running < wanted
    {
        findings.risk(
            Class::Hint,
            Code::ReplicasMissing,
            (
                format!("Only {running} of its {wanted} replicas run."),
                format!("update {}", look.text("/service/update")).trim_end_matches("update ").to_owned(),
                "Look at its tasks: `docker service ps`.".to_owned(),
            ),
        );
    }
}

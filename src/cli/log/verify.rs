//! `log verify`: the conclusion in words or as one object, and as an exit code.

use super::args::LogOutput;
use crate::incident_log::{self, Conclusion, Damage, Report};
use crate::story::printable;
use serde_json::json;
use std::io::Write;
use std::path::Path;

const TAMPERED: u8 = 1;
const TORN: u8 = 3;

pub(super) fn verify(path: &Path, output: LogOutput, out: &mut dyn Write) -> anyhow::Result<u8> {
    let report = incident_log::verify(path)?;
    match output {
        LogOutput::Json => writeln!(out, "{}", object(&report))?,
        LogOutput::Text => writeln!(out, "{}", printable(&sentence(&report)))?,
    }
    Ok(match report.conclusion {
        Conclusion::Clean => 0,
        Conclusion::Damaged(_) => TAMPERED,
        Conclusion::Torn { .. } => TORN,
    })
}

fn sentence(report: &Report) -> String {
    let Report { segments, records, bytes, last, head, log, conclusion } = report;
    let files = if *segments == 1 { "file" } else { "files" };
    let end = match (last, log) {
        (Some(last), Some(log)) => format!("; the log {log} ends with record {last}, hash {head}"),
        (_, _) => String::new(),
    };
    let sound = format!("{records} records in {segments} {files} ({bytes} bytes)");
    match conclusion {
        Conclusion::Clean => format!("ok: {sound} follow from one another{end}"),
        Conclusion::Torn { file, offset } => format!(
            "torn: {}: an unfinished record begins at byte {offset}; {sound} before it follow from one another{end}; \
             the next start of sickbay moves the rest to quarantine",
            file.display()
        ),
        Conclusion::Damaged(damage) => format!("damaged: {damage}; {sound} before it follow from one another{end}"),
    }
}

fn object(report: &Report) -> serde_json::Value {
    let Report { segments, records, bytes, last, head, log, conclusion } = report;
    let (result, problem) = match conclusion {
        Conclusion::Clean => ("clean", None),
        Conclusion::Torn { file, offset } => (
            "torn",
            Some(json!({"file": file.to_string_lossy(), "offset": offset, "seq": last.map_or(0, |last| last.0 + 1)})),
        ),
        Conclusion::Damaged(Damage { file, offset, seq, problem }) => (
            "damaged",
            Some(json!({
                "file": file.to_string_lossy(), "offset": offset, "seq": seq.0, "rule": problem.to_string(),
            })),
        ),
    };
    json!({
        "result": result,
        "segments": segments,
        "records": records,
        "bytes": bytes,
        "last_seq": last.map(|last| last.0),
        "head": head.to_string(),
        "log": log.map(|log| log.to_string()),
        "problem": problem,
    })
}

//! `sickbay diagnose CONTAINER`: what an engineer would look up by hand, and what it means: state, exit code, OOM,
//! restarts, health checks, limits, memory over some seconds, the last lines of the log, and what to do, the likeliest
//! first. It reads only and needs no daemon.

mod text;

use super::check::Output;
use super::{complain, print_json};
use crate::daemon::diagnose::{Examination, look};
use crate::model::diagnosis::{Diagnosis, Weight};
use crate::model::duration::{format_duration, parse_duration};
use crate::settings::{self, Overrides};
use clap::Args;
use serde_json::{Value, json};
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Nothing was found that explains trouble, now or soon.
const FINE: u8 = 0;
/// Something was.
const FINDINGS: u8 = 1;
/// Docker does not answer, or knows no such container.
const UNREACHABLE: u8 = 4;
/// The settings are wrong.
const CONFIG: u8 = 78;

/// The shortest time between two samples.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// The longest.
const INTERVAL_MAX: Duration = Duration::from_secs(3600);

/// Say what is the matter with a container, by all that Docker tells about it.
#[derive(Args, Clone, Debug)]
pub struct DiagnoseArgs {
    /// The container's name, or the beginning of its ID
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// The settings file that names the Docker host [default: as Docker's own command, or the local socket]
    #[arg(long = "config.file", value_name = "FILE", env = "SICKBAY_CONFIG_FILE")]
    config_file: Option<PathBuf>,
    /// Which of the settings' Docker hosts it is on; needed where there are several
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// How many samples of memory and CPU to take of a container that runs; 4 and more show where its memory is going
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=1000))]
    samples: u32,
    /// The time between two samples, 100ms to 1h
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = interval)]
    interval: Duration,
    /// How many of the last log lines to read, up to 1000; the last ten are printed
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=1000))]
    logs: u32,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text).map_err(|error| error.to_string())?;
    if (INTERVAL_MIN..=INTERVAL_MAX).contains(&interval) {
        Ok(interval)
    } else {
        Err("an interval is 100ms to 1h".to_owned())
    }
}

/// Looks, says what was found, and returns the exit code: 0 nothing, 1 something, 4 it cannot be looked at, 78 the settings
/// are wrong.
///
/// # Errors
/// If the result cannot be printed.
pub fn run(args: &DiagnoseArgs, out: &mut dyn Write) -> io::Result<u8> {
    let settings = match settings::load(Overrides::default(), args.config_file.as_deref()) {
        Ok(settings) => settings,
        Err(error) => {
            for problem in &error.problems {
                complain(&problem.to_string());
            }
            return Ok(CONFIG);
        }
    };
    if args.output == Output::Text && 1 < args.samples && io::stderr().is_terminal() {
        let span = format_duration(args.interval.saturating_mul(args.samples - 1));
        complain(&format!("taking {} samples of its memory and CPU within {span}, if it runs", args.samples));
    }
    let how = Examination { samples: args.samples, interval: args.interval, logs: args.logs };
    let evidence = match look(&settings, (args.host.as_deref(), &args.container), &how) {
        Ok(evidence) => evidence,
        Err(problem) => {
            complain(&problem);
            return Ok(UNREACHABLE);
        }
    };
    let diagnosis = Diagnosis::in_evidence(&evidence);
    match args.output {
        Output::Json => print_json(&shape(&evidence, &diagnosis), out)?,
        Output::Text => text::print(&evidence, &diagnosis, out)?,
    }
    Ok(exit_code(&diagnosis))
}

fn exit_code(diagnosis: &Diagnosis) -> u8 {
    let nothing = diagnosis.findings.iter().all(|finding| finding.weight == Weight::Note);
    if nothing { FINE } else { FINDINGS }
}

/// The shape is stable: fields are added, never renamed or removed.
fn shape(evidence: &Value, diagnosis: &Diagnosis) -> Value {
    let part = |pointer: &str| evidence.pointer(pointer).cloned().unwrap_or_default();
    let mut parts = evidence.clone();
    if let Some(parts) = parts.as_object_mut() {
        parts.remove("diagnosis");
    }
    json!({
        "container": {
            "id": part("/container/id"),
            "name": part("/container/name"),
            "image": part("/container/image"),
            "status": part("/container/state/status"),
        },
        "findings": diagnosis.to_json().get("findings"),
        "evidence": parts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::diagnosis::{DiagnosisCode, Finding};

    fn finding(weight: Weight) -> Finding {
        let text = String::new();
        Finding { code: DiagnosisCode::Paused, weight, what: text.clone(), seen: text.clone(), next: text }
    }

    #[test]
    fn the_exit_code_says_whether_anything_explains_trouble() {
        for (weights, want) in [
            (vec![], FINE),
            (vec![Weight::Note], FINE),
            (vec![Weight::Risk], FINDINGS),
            (vec![Weight::Note, Weight::Cause], FINDINGS),
        ] {
            let diagnosis = Diagnosis { findings: weights.into_iter().map(finding).collect() };
            assert_eq!(exit_code(&diagnosis), want);
        }
    }

    #[test]
    fn the_json_keeps_its_shape() {
        let evidence =
            json!({"container": {"id": "ab", "name": "web-1", "state": {"status": "paused"}}, "diagnosis": {}});
        let shape = shape(&evidence, &Diagnosis { findings: vec![finding(Weight::Cause)] });
        assert_eq!(shape["container"], json!({"id": "ab", "name": "web-1", "image": null, "status": "paused"}));
        assert_eq!(shape["findings"][0]["code"], "paused");
        assert_eq!(shape["evidence"].get("diagnosis"), None);
    }

    #[test]
    fn an_interval_is_bounded() {
        for (text, good) in [("2s", true), ("100ms", true), ("1h", true), ("99ms", false), ("2h", false), ("x", false)]
        {
            assert_eq!(interval(text).is_ok(), good, "{text}");
        }
    }
}

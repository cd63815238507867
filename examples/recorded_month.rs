//! Writes the incident log of a month with many alerts, for measuring `sickbay simulate`.
//!
//! The alerts are played through rules by the replay's own loop, every container recovering, and each record is written as
//! the daemon writes it, hash chain included. Usage: `recorded_month RULES_FILE OUT_DIR [ALERTS]`.

use chrono::{DateTime, TimeDelta, Utc};
use sickbay::model::alert::{Alert, AlertStatus, Notification};
use sickbay::model::label::Labels;
use sickbay::model::policy::Policy;
use sickbay::playbook::index::Playbooks;
use sickbay::playbook::{RuleFile, load};
use sickbay::record::{Hash, LogId, encode};
use sickbay::replay::{Assume, Came, Config, History, play};
use std::error::Error;
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// How many containers fall ill in turn.
const CONTAINERS: u64 = 400;

/// Of so many alerts one is about something no playbook is for.
const STRANGERS: u64 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (rules, out) = (args.next().ok_or("which rules?")?, args.next().ok_or("where to?")?);
    let alerts: u64 = args.next().map_or(Ok(100_000), |text| text.parse())?;
    let loaded = load(&[RuleFile { text: std::fs::read_to_string(&rules)?, path: rules }]);
    if loaded.has_errors() {
        return Err(format!("{:?}", loaded.problems).into());
    }
    let config = Config {
        playbooks: Playbooks::new(loaded.playbooks),
        policy: Policy::default(),
        assume: Assume::Recovers,
        repeat: None,
        configs: None,
    };
    let folder = Path::new(&out).join("incident_log");
    std::fs::create_dir_all(&folder)?;
    let mut file = BufWriter::new(std::fs::File::create(folder.join("00000000000000000000.jsonl"))?);
    let (mut line, mut head, mut records, mut failed) = (Vec::new(), Hash::GENESIS, 0_u64, None);
    play(&history(alerts)?, config, &mut |seen| {
        line.clear();
        head = encode(seen.record, LogId(1), &head, &mut line);
        records += 1;
        if let Err(error) = file.write_all(&line) {
            failed.get_or_insert(error);
        }
    });
    file.flush()?;
    writeln!(std::io::stdout(), "{alerts} alerts, {records} records")?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// Over thirty days, each alert for some minutes.
fn history(alerts: u64) -> Result<History, Box<dyn Error>> {
    let begin: DateTime<Utc> = "2026-10-01T00:00:00Z".parse()?;
    let every = 30 * 24 * 3_600_000 / alerts.max(1);
    let mut came = Vec::new();
    for number in 0..alerts {
        let starts_at = begin + TimeDelta::milliseconds(i64::try_from(number * every)?);
        let stranger = number % STRANGERS == 0;
        let container = format!("shop-{}", number * 7919 % CONTAINERS);
        let text = number.to_string();
        let labels: Labels = [
            ("alertname", if stranger { "DiskAlmostFull" } else { "ContainerDown" }),
            ("container", &container),
            ("instance", "10.0.0.7:9100"),
            ("severity", "warning"),
            ("number", &text),
        ]
        .into_iter()
        .collect();
        let firing = Alert {
            fingerprint: labels.fingerprint(),
            status: AlertStatus::Firing,
            annotations: [("summary", "It does not answer")].into_iter().collect(),
            labels,
            starts_at: Some(starts_at),
            ends_at: None,
            generator_url: "http://prometheus.example:9090/graph?g0.expr=up+%3D%3D+0".into(),
        };
        let ends_at = starts_at + TimeDelta::seconds(i64::try_from(120 + number % 600)?);
        let resolved = Alert { status: AlertStatus::Resolved, ends_at: Some(ends_at), ..firing.clone() };
        for (at, alert) in [(starts_at + TimeDelta::seconds(20), firing), (ends_at + TimeDelta::seconds(20), resolved)]
        {
            let notification =
                Notification { sender: "alertmanager".into(), alerts: vec![alert], ..Notification::default() };
            came.push(Came { at, notification });
        }
    }
    Ok(History::of_notifications(came))
}

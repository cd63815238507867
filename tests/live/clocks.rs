//! No limit is exceeded, whatever the clocks do: the wall clock set a day forward or back, the machine started anew, or
//! both. The daemon is the real one; libfaketime sets its wall clock, and a time namespace with another boot id under
//! /proc is its reboot.

use crate::alerts::{firing, notification};
use crate::real_docker::{TestContainer, docker};
use crate::sickbay_process::Sickbay;
use crate::support::{EngineEvents, WIDE_SETTINGS, dead_container, down, restarts};
use chrono::{DateTime, TimeDelta};
use rustix::process::getuid;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// A day, in seconds.
const DAY: i64 = 86_400;

/// What the daemon's clocks say.
#[derive(Clone, Copy, Debug, Default)]
struct World {
    /// How far the wall clock is off, in seconds.
    wall_off: i64,
    /// The machine was started anew: which boot it is, and for how long it has been up, in seconds.
    reboot: Option<(u32, i64)>,
}

impl World {
    /// The command that runs a program in this world.
    fn launcher(self, sickbay: &Sickbay) -> Vec<String> {
        let mut words = Vec::new();
        if let Some((boot, up)) = self.reboot {
            let uptime = fs::read_to_string("/proc/uptime").unwrap();
            let uptime: f64 = uptime.split_whitespace().next().unwrap().parse().unwrap();
            #[expect(clippy::cast_possible_truncation, reason = "seconds")]
            let offset = up - uptime as i64;
            let boot_id = sickbay.storage().with_file_name("boot_id");
            fs::write(&boot_id, format!("{boot:08x}-0000-4000-8000-000000000000\n")).unwrap();
            let mount = format!("mount --bind {} /proc/sys/kernel/random/boot_id && exec \"$@\"", boot_id.display());
            let offset = format!("--boottime={offset}");
            words.extend(["unshare", "--mount", "--time", "--fork", "--kill-child", &offset].map(str::to_owned));
            if !getuid().is_root() {
                words.push("--map-root-user".to_owned());
            }
            words.extend(["sh", "-c", &mount, "sh"].map(str::to_owned));
        }
        // Not by the command faketime, which would stay between us and the daemon.
        let preload = format!("LD_PRELOAD={}", libfaketime().display());
        let wall = format!("FAKETIME={:+}", self.wall_off);
        words.extend(["env", "FAKETIME_DONT_FAKE_MONOTONIC=1", &wall, &preload].map(str::to_owned));
        words
    }

    /// An alert that has just begun, by this world's wall clock.
    fn alert(self, container: &TestContainer, serial: usize) -> Value {
        let mut alert =
            firing(&json!({"alertname": "Down", "container": container.name, "serial": serial.to_string()}));
        let now: DateTime<chrono::FixedOffset> = alert["startsAt"].as_str().unwrap().parse().unwrap();
        alert["startsAt"] = (now + TimeDelta::seconds(self.wall_off)).to_rfc3339().into();
        notification(&[alert])
    }
}

fn libfaketime() -> PathBuf {
    let places = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let libraries = places.map(|place| place.join("faketime/libfaketime.so.1"));
    libraries.into_iter().find(|library| library.exists()).expect("apt-get install faketime")
}

/// Treats a container as often as its limits allow, then lets the daemon wake up in other worlds: what it decides there,
/// one alert each, as the reason of a refusal or `run`.
fn decisions_in(purpose: &str, limits: &str, worlds: &[World]) -> (Vec<String>, Vec<Value>, String) {
    let container = dead_container(purpose, &[]);
    let mut sickbay = Sickbay::new(&down(limits), WIDE_SETTINGS);
    let events = EngineEvents::of(&container);
    let mut answers = Vec::new();
    let mut runs = 0;
    for (serial, world) in [World::default()].iter().chain(worlds).enumerate() {
        sickbay.launch_by(&world.launcher(&sickbay));
        sickbay.start(&[]);
        assert_eq!(sickbay.post(&world.alert(&container, serial)).status, 200);
        let decision = sickbay.until("it decides", || sickbay.records_of("decision").into_iter().nth(serial));
        let ran = decision["result"] == "run";
        if ran {
            runs += 1;
            assert_eq!(sickbay.verdict_of(runs), "recovered", "{}", sickbay.story());
        }
        answers.push(if ran { "run".to_owned() } else { decision["reason"].as_str().unwrap().to_owned() });
        sickbay.kill();
        if ran {
            docker(&["kill", &container.id]);
            docker(&["wait", &container.id]);
        }
    }
    assert_eq!(restarts(&events.until_now()), runs, "what the engine saw: {}", sickbay.story());
    (answers, sickbay.records(), sickbay.story())
}

fn jumps(records: &[Value]) -> usize {
    records.iter().filter(|record| record["kind"] == "clock.jump").count()
}

#[test]
fn a_wall_clock_that_is_set_opens_no_window() {
    for (purpose, limits, refusal) in [
        ("clock-window", "{runs: 1, per: 12h, cooldown: 0s}", "budget_exhausted"),
        ("clock-cooldown", "{runs: 1000, per: 1h, cooldown: 1h}", "cooldown"),
    ] {
        let off = |wall_off| World { wall_off, ..World::default() };
        let (answers, records, story) = decisions_in(purpose, limits, &[off(DAY), off(-DAY), off(0)]);
        assert_eq!(answers, ["run", refusal, refusal, refusal], "{story}");
        assert_eq!(jumps(&records), 3, "each is in the log: {records:?}");
    }
}

#[test]
fn a_reboot_opens_no_window_before_its_uptime_proves_that_it_is_over() {
    let booted = |wall_off, boot, up| World { wall_off, reboot: Some((boot, up)) };
    let worlds = [
        // Up for a minute, whatever the wall clock says meanwhile.
        booted(0, 1, 60),
        booted(DAY, 2, 60),
        booted(-DAY, 3, 60),
        // These clocks may be wrong, but this long it has been up: longer than the window.
        booted(-DAY, 4, 3700),
    ];
    let (answers, records, story) = decisions_in("reboot-window", "{runs: 1, per: 1h, cooldown: 0s}", &worlds);
    let full = "budget_exhausted";
    assert_eq!(answers, ["run", full, full, full, "run"], "{story}");
    let boots: std::collections::BTreeSet<&str> =
        records.iter().map(|record| record["boot"].as_str().unwrap()).collect();
    assert!(5 <= boots.len(), "each boot is in the log: {boots:?}");
    assert!(0 < jumps(&records), "a clock that went back is in the log");
}

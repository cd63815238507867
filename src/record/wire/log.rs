//! `log.open`, `log.recovered`, `config.loaded`, `config.rejected`, `clock.jump`: what the daemon says about itself and its log.

use super::parts::{BorrowedStr, Str, is_false};
use crate::model::fact::{ClockJumped, ConfigLoaded, ConfigRejected, LogOpened, LogRecovered};
use crate::record::text::{Cap, PairList, Text};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// `log.open`
#[derive(Serialize, Deserialize)]
pub(super) struct OpenLine<'a> {
    #[serde(borrow)]
    version: Str<'a>,
    #[serde(borrow)]
    hostname: Str<'a>,
    #[serde(default, skip_serializing_if = "is_false")]
    dry_run: bool,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    first_host: Option<BorrowedStr<'a>>,
}

impl<'a> OpenLine<'a> {
    pub(super) fn new(opened: &'a LogOpened) -> Self {
        let LogOpened { version, hostname, dry_run, first_host } = opened;
        let first_host = first_host.as_deref().map(BorrowedStr::from);
        Self { version: version.into(), hostname: hostname.into(), dry_run: *dry_run, first_host }
    }
}

impl From<OpenLine<'_>> for LogOpened {
    fn from(line: OpenLine<'_>) -> Self {
        let first_host = line.first_host.map(|name| name.0.into_owned());
        let (version, hostname) = (line.version.into_owned(), line.hostname.into_owned());
        Self { version, hostname, dry_run: line.dry_run, first_host }
    }
}

/// `log.recovered`
#[derive(Serialize, Deserialize)]
pub(super) struct RecoveredLine<'a> {
    bytes: u64,
    #[serde(borrow)]
    sha256: Str<'a>,
    offset: u64,
    #[serde(borrow)]
    quarantine: Str<'a>,
}

impl<'a> RecoveredLine<'a> {
    pub(super) fn new(recovered: &'a LogRecovered) -> Self {
        let LogRecovered { bytes, sha256, offset, quarantine } = recovered;
        Self { bytes: *bytes, sha256: sha256.into(), offset: *offset, quarantine: quarantine.into() }
    }
}

impl From<RecoveredLine<'_>> for LogRecovered {
    fn from(line: RecoveredLine<'_>) -> Self {
        Self {
            bytes: line.bytes,
            sha256: line.sha256.into_owned(),
            offset: line.offset,
            quarantine: line.quarantine.into_owned(),
        }
    }
}

/// `config.loaded`
#[derive(Serialize, Deserialize)]
pub(super) struct ConfigLine<'a> {
    files: PairList<'a>,
    playbooks: PairList<'a>,
    #[serde(default, skip_serializing_if = "is_false")]
    dry_run: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    reloaded: bool,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    by: Option<Text<'a>>,
}

impl<'a> ConfigLine<'a> {
    pub(super) fn new(loaded: &'a ConfigLoaded, cap: Cap) -> Self {
        Self {
            files: PairList(Cow::Borrowed(&loaded.files), cap),
            playbooks: PairList(Cow::Borrowed(&loaded.playbooks), cap),
            dry_run: loaded.dry_run,
            reloaded: loaded.reloaded,
            by: loaded.by.as_deref().map(|by| Text::new(by, cap)),
        }
    }
}

impl From<ConfigLine<'_>> for ConfigLoaded {
    fn from(line: ConfigLine<'_>) -> Self {
        Self {
            files: line.files.0.into_owned(),
            playbooks: line.playbooks.0.into_owned(),
            dry_run: line.dry_run,
            reloaded: line.reloaded,
            by: line.by.map(Text::into_string),
        }
    }
}

/// `config.rejected`
#[derive(Serialize, Deserialize)]
pub(super) struct RejectedConfigLine<'a> {
    #[serde(borrow)]
    problem: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    by: Option<Text<'a>>,
}

impl<'a> RejectedConfigLine<'a> {
    pub(super) fn new(rejected: &'a ConfigRejected, cap: Cap) -> Self {
        Self { problem: Text::new(&rejected.problem, cap), by: rejected.by.as_deref().map(|by| Text::new(by, cap)) }
    }
}

impl From<RejectedConfigLine<'_>> for ConfigRejected {
    fn from(line: RejectedConfigLine<'_>) -> Self {
        Self { problem: line.problem.into_string(), by: line.by.map(Text::into_string) }
    }
}

/// `clock.jump`
#[derive(Serialize, Deserialize)]
pub(super) struct JumpLine {
    by_ms: i64,
    #[serde(default, skip_serializing_if = "is_false")]
    rebooted: bool,
}

impl From<&ClockJumped> for JumpLine {
    fn from(jump: &ClockJumped) -> Self {
        Self { by_ms: jump.by_ms, rebooted: jump.rebooted }
    }
}

impl From<JumpLine> for ClockJumped {
    fn from(line: JumpLine) -> Self {
        Self { by_ms: line.by_ms, rebooted: line.rebooted }
    }
}

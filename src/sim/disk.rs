//! The simulated disk: records are queued at once and durable later, in order. A crash keeps all that is durable and some
//! of what was queued.

use super::clock::SimTime;
use crate::model::fact::Record;
use crate::model::id::Seq;

/// The incident log on its disk.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    records: Vec<Record>,
    /// When each record was made, in truth.
    made: Vec<SimTime>,
    durable: usize,
    /// Up to where the sync that is under way reaches.
    syncing: Option<usize>,
}

impl Disk {
    /// All records, durable or not; a record's number is its place.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// When a record was made, in truth.
    #[must_use]
    pub fn made(&self, place: usize) -> SimTime {
        self.made.get(place).copied().unwrap_or_default()
    }

    /// The number after the last durable record.
    #[must_use]
    pub fn durable(&self) -> Seq {
        Seq(u64::try_from(self.durable).unwrap_or(u64::MAX))
    }

    /// The record of this number, if it is durable.
    #[must_use]
    pub fn durable_records(&self) -> &[Record] {
        self.records.get(..self.durable).unwrap_or_default()
    }

    pub(super) fn queue(&mut self, record: Record, now: SimTime) {
        self.records.push(record);
        self.made.push(now);
    }

    /// Begins a sync of all that is queued, unless there is nothing or one is under way.
    pub(super) fn begin_sync(&mut self) -> bool {
        let begins = self.syncing.is_none() && self.durable < self.records.len();
        if begins {
            self.syncing = Some(self.records.len());
        }
        begins
    }

    /// The sync is over.
    pub(super) fn end_sync(&mut self) {
        if let Some(reached) = self.syncing.take() {
            self.durable = self.durable.max(reached);
        }
    }

    /// The process or the machine died: of what was not durable, so many thousandths were written all the same.
    pub(super) fn crash(&mut self, kept_permille: u16) {
        let queued = self.records.len() - self.durable;
        let kept = self.durable + queued * usize::from(kept_permille.min(1000)) / 1000;
        self.records.truncate(kept);
        self.made.truncate(kept);
        self.durable = kept;
        self.syncing = None;
    }
}

//! What waits for durability: answers to senders and effects, in the order of their records.
//!
//! Invariant: nothing leaves here before every record up to its mark is on disk. If the log fails, everything held is
//! dropped: the senders get 503 and the effects never happen.

use super::effect::Effect;
use super::receipt::Reply;
use crate::model::id::Seq;
use crate::model::stamp::Stamp;
use std::collections::VecDeque;

/// Held answers and effects. `A` is the way to a sender that waits.
#[derive(Debug)]
pub struct Hold<A> {
    held: VecDeque<Held<A>>,
    /// The number after the last durable record.
    durable: Seq,
}

/// What one decision left to be released.
#[derive(Debug)]
pub struct Held<A> {
    /// When it was decided.
    pub at: Stamp,
    /// All records before this number must be durable.
    pub before: Seq,
    /// Whom to answer, and what.
    pub answer: Option<(A, Reply)>,
    /// What to do.
    pub effects: Vec<Effect>,
}

impl<A> Hold<A> {
    /// Begins with everything before `durable` on disk.
    #[must_use]
    pub fn new(durable: Seq) -> Self {
        Self { held: VecDeque::new(), durable }
    }

    /// Holds a decision back, or lets it through if its records are durable already.
    pub fn push(&mut self, held: Held<A>, release: &mut impl FnMut(Held<A>)) {
        if self.held.is_empty() && held.before <= self.durable {
            release(held);
        } else {
            self.held.push_back(held);
        }
    }

    /// Everything before `durable` is on disk: releases what waited for it.
    pub fn durable(&mut self, durable: Seq, release: &mut impl FnMut(Held<A>)) {
        self.durable = self.durable.max(durable);
        while let Some(first) = self.held.front()
            && first.before <= self.durable
        {
            if let Some(held) = self.held.pop_front() {
                release(held);
            }
        }
    }

    /// The number after the last durable record.
    #[must_use]
    pub fn durable_before(&self) -> Seq {
        self.durable
    }

    /// What is held, first in first.
    pub fn iter(&self) -> impl Iterator<Item = &Held<A>> {
        self.held.iter()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::stamp::BootId;

    fn held(before: u64) -> Held<()> {
        let at = Stamp { wall: chrono::DateTime::UNIX_EPOCH, up_ms: 0, boot: BootId(1) };
        Held { at, before: Seq(before), answer: None, effects: Vec::new() }
    }

    #[test]
    fn nothing_leaves_before_its_records_are_durable_and_order_is_kept() {
        let mut hold = Hold::new(Seq(5));
        let mut left = Vec::new();
        let mut release = |held: Held<()>| left.push(held.before.0);
        hold.push(held(5), &mut release);
        hold.push(held(7), &mut release);
        // A repeat without records of its own still waits for those it depends on.
        hold.push(held(7), &mut release);
        hold.push(held(9), &mut release);
        hold.durable(Seq(6), &mut release);
        hold.durable(Seq(8), &mut release);
        assert_eq!(left, [5, 7, 7]);
        assert!(!hold.is_empty());
    }
}

//! What is going to happen, in the order of its time; what is due together happens in the order in which it was put in.

use super::clock::SimTime;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

/// A queue ordered by time.
#[derive(Clone, Debug)]
pub(super) struct Queue<T> {
    heap: BinaryHeap<Due<T>>,
    pushed: u64,
}

#[derive(Clone, Debug)]
struct Due<T> {
    at: SimTime,
    number: u64,
    what: T,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self { heap: BinaryHeap::new(), pushed: 0 }
    }

    pub(super) fn push(&mut self, at: SimTime, what: T) {
        self.pushed += 1;
        self.heap.push(Due { at, number: self.pushed, what });
    }

    /// When the next thing is due.
    pub(super) fn next_at(&self) -> Option<SimTime> {
        self.heap.peek().map(|due| due.at)
    }

    pub(super) fn pop(&mut self) -> Option<(SimTime, T)> {
        self.heap.pop().map(|due| (due.at, due.what))
    }

    /// Keeps only some of it.
    pub(super) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.heap.retain(|due| keep(&due.what));
    }

    /// Puts everything off: the machine slept.
    pub(super) fn postpone(&mut self, by: Duration) {
        let due = std::mem::take(&mut self.heap).into_vec();
        self.heap = due.into_iter().map(|due| Due { at: due.at.after(by), ..due }).collect();
    }
}

impl<T> PartialEq for Due<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Due<T> {}

impl<T> PartialOrd for Due<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Due<T> {
    /// The heap gives its greatest: the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

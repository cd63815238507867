//! Who sends alerts for as long as something is waited for, as Alertmanager does.
//!
//! Where the engine is too busy to answer in time, the gates refuse, and are asked again at the next delivery.

use crate::real_daemon::{Daemon, Home, post, until};
use crate::story::Story;
use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

/// How long it waits before it tells the same again.
pub(crate) const DELIVERED_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Sends one notification again and again.
pub(crate) struct Sender<'d> {
    daemon: &'d Daemon,
    body: String,
    delivered: Cell<Instant>,
}

impl<'d> Sender<'d> {
    /// It has delivered just now.
    pub(crate) fn new(daemon: &'d Daemon, body: String) -> Self {
        Self { daemon, body, delivered: Cell::new(Instant::now()) }
    }

    /// Delivers until something is so.
    pub(crate) fn until(&self, what: &str, mut so: impl FnMut() -> bool) {
        until(what, || {
            if DELIVERED_AGAIN_AFTER < self.delivered.get().elapsed() {
                self.delivered.set(Instant::now());
                assert_eq!(post(self.daemon.address, &self.body).unwrap().status, 200, "{what}");
            }
            so()
        });
    }

    /// Delivers until every incident has its verdict.
    pub(crate) fn all_closed(&self, home: &Home) {
        self.until("every incident is closed", || {
            // Reading takes a while, and so does what is waited for.
            thread::sleep(Duration::from_millis(250));
            Story::read(home).open_incidents() == 0
        });
    }
}

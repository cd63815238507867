//! What a person meets when something is wrong: one clear message with what to do, and the documented exit code.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests too: a panic names its line")]

mod abuse;
#[expect(dead_code, reason = "shared with other tests, which need more of it")]
#[path = "../support/real_daemon.rs"]
mod real_daemon;
mod start;
mod while_running;

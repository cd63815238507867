//! How often somebody may fail to prove who they are. Counted by where they come from, not by whom they claim to be:
//! otherwise a stranger could lock out those who are needed.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many failures from one place within [`WINDOW`], and nothing from there is looked at until it is over.
pub const FAILURES_MAX: u32 = 10;

/// See [`FAILURES_MAX`].
pub const WINDOW: Duration = Duration::from_secs(60);

/// So many places are remembered. When more fail at once, nobody new is looked at for a while.
const PLACES_MAX: usize = 4096;

/// The failures of late.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<HashMap<IpAddr, (Instant, u32)>>);

impl Attempts {
    /// Begins an attempt: it counts as a failure until it has [`Self::succeeded`], so that many at once are as many. False
    /// if it is not to be looked at.
    #[must_use]
    pub fn begin(&self, from: Option<IpAddr>, now: Instant) -> bool {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |since: &Instant| WINDOW <= now.saturating_duration_since(*since);
        let from = place(from);
        if PLACES_MAX <= places.len() && !places.contains_key(&from) {
            places.retain(|_, (since, failures)| !over(since) && 0 < *failures);
            if PLACES_MAX <= places.len() {
                return false;
            }
        }
        let (since, failures) = places.entry(from).or_insert((now, 0));
        if over(since) {
            (*since, *failures) = (now, 0);
        }
        let looked_at = *failures < FAILURES_MAX;
        if looked_at {
            *failures += 1;
        }
        looked_at
    }

    /// The attempt that was begun from there was no failure.
    pub fn succeeded(&self, from: Option<IpAddr>) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, failures)) = places.get_mut(&place(from)) {
            *failures = failures.saturating_sub(1);
        }
    }
}

/// Whoever has one address of IPv6 has a whole network of them.
fn place(from: Option<IpAddr>) -> IpAddr {
    match from.map(|from| from.to_canonical()) {
        Some(IpAddr::V6(address)) if !address.is_loopback() => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        Some(other) => other,
        None => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_from_one_place_are_bounded_and_others_are_not_held_up() {
        let (attempts, start) = (Attempts::default(), Instant::now());
        let address = |text: &str| Some(text.parse().unwrap());
        let (bad, neighbour, other) = (address("2001:db8::1"), address("2001:db8::2"), address("192.0.2.7"));
        for _ in 0..100 {
            assert!(attempts.begin(bad, start));
            attempts.succeeded(bad);
        }
        for _ in 0..FAILURES_MAX {
            assert!(attempts.begin(bad, start));
        }
        for (from, after, want) in [
            (bad, Duration::ZERO, false),
            (neighbour, Duration::ZERO, false),
            (address("::ffff:192.0.2.7"), Duration::ZERO, true),
            (other, Duration::ZERO, true),
            (None, Duration::ZERO, true),
            (bad, WINDOW - Duration::from_millis(1), false),
            (bad, WINDOW, true),
        ] {
            assert_eq!(attempts.begin(from, start + after), want, "{from:?} after {after:?}");
        }
    }

    #[test]
    fn however_many_places_fail_no_more_are_remembered() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        let mut looked_at = 0;
        for number in 0..u32::try_from(PLACES_MAX).unwrap() + 100 {
            let from = Some(IpAddr::from(number.to_be_bytes()));
            looked_at += usize::from(attempts.begin(from, now));
        }
        assert_eq!(looked_at, PLACES_MAX);
        assert!(attempts.begin(Some(IpAddr::from([192, 0, 2, 7])), now + WINDOW));
    }
}

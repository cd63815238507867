//! Who is connected, what each connection waits for, and since when.
//!
//! A connection either waits for its client (next request, header, body) or for us. The first kind has deadlines, and
//! when every seat is taken the one of them that has waited longest gives up its seat: clients that hold connections
//! open can therefore never keep a working client out. [`Seats`] is the type to read first.

use super::server::ServerLimits;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// The client's next request, or that it takes the last answer.
    Idle,
    /// The rest of a header.
    Head,
    /// The rest of a body.
    Body,
    /// Our own answer.
    Us,
}

/// One connection's place.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    number: u64,
    peer: IpAddr,
    /// Milliseconds since the server's start, times four, plus what it waits for.
    since: AtomicU64,
    /// Told when the seat must be given up.
    pub(super) leave: CancellationToken,
}

impl Seat {
    /// Notes what the connection waits for from now on.
    pub(super) fn now_waits_for(&self, what: Waiting) {
        let code = match what {
            Waiting::Idle => 0,
            Waiting::Head => 1,
            Waiting::Body => 2,
            Waiting::Us => 3,
        };
        self.since.store(self.seats.millis() << 2 | code, Ordering::Relaxed);
    }

    /// What the connection waits for, and for how long it has.
    pub(super) fn waiting(&self) -> (Waiting, Duration) {
        let packed = self.since.load(Ordering::Relaxed);
        let what = match packed & 3 {
            0 => Waiting::Idle,
            1 => Waiting::Head,
            2 => Waiting::Body,
            _ => Waiting::Us,
        };
        (what, Duration::from_millis(self.seats.millis().saturating_sub(packed >> 2)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        if taken.seats.remove(&self.number).is_some() {
            taken.leave(self.peer);
        }
        drop(taken);
        self.seats.freed.notify_one();
    }
}

/// The seats that are taken. A seat that was told to leave counts as free at once.
#[derive(Debug, Default)]
struct Taken {
    next: u64,
    seats: HashMap<u64, Weak<Seat>>,
    per_peer: HashMap<IpAddr, usize>,
}

impl Taken {
    fn leave(&mut self, peer: IpAddr) {
        if let Some(count) = self.per_peer.get_mut(&peer) {
            *count -= 1;
            if *count == 0 {
                self.per_peer.remove(&peer);
            }
        }
    }

    /// Picks the connection that has waited longest for its client; none if all wait for us.
    fn longest_waiting(seated: &[Arc<Seat>]) -> Option<&Arc<Seat>> {
        let waiting = seated.iter().filter(|seat| seat.waiting().0 != Waiting::Us);
        waiting.max_by_key(|seat| seat.waiting().1)
    }

    /// Gives a connection's seat away.
    fn evict(&mut self, seat: &Seat) {
        seat.leave.cancel();
        if self.seats.remove(&seat.number).is_some() {
            self.leave(seat.peer);
        }
    }

    fn seated(&self) -> Vec<Arc<Seat>> {
        self.seats.values().filter_map(Weak::upgrade).collect()
    }
}

/// Why a connection is not seated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoSeat {
    /// The peer holds as many as one peer may.
    PeerHasEnough,
    /// All are taken, and each of them waits for us.
    AllBusy,
}

/// All connections of a server.
#[derive(Debug)]
pub(super) struct Seats {
    limits: ServerLimits,
    started: Instant,
    taken: Mutex<Taken>,
    /// Told when a seat becomes free.
    pub(super) freed: Notify,
}

impl Seats {
    pub(super) fn new(limits: ServerLimits) -> Arc<Self> {
        Arc::new(Self { limits, started: Instant::now(), taken: Mutex::default(), freed: Notify::new() })
    }

    /// Seats a new connection, which then has to send its first header.
    pub(super) fn sit(self: &Arc<Self>, peer: IpAddr) -> Result<Arc<Seat>, NoSeat> {
        // Invariant: the last handle of a seat is never dropped under the lock, because its drop takes the lock.
        // So the handles of `seated` are declared before the guard and outlive it.
        let seated;
        let mut taken = self.lock();
        let held = taken.per_peer.get(&peer).copied().unwrap_or(0);
        if !peer.to_canonical().is_loopback() && self.limits.per_peer <= held {
            return Err(NoSeat::PeerHasEnough);
        }
        if self.limits.connections <= taken.seats.len() {
            seated = taken.seated();
            let longest = Taken::longest_waiting(&seated).ok_or(NoSeat::AllBusy)?;
            taken.evict(longest);
        }
        let number = taken.next;
        taken.next += 1;
        let seats = Arc::clone(self);
        let seat = Seat { seats, number, peer, since: AtomicU64::new(0), leave: CancellationToken::new() };
        seat.now_waits_for(Waiting::Head);
        let seat = Arc::new(seat);
        taken.seats.insert(number, Arc::downgrade(&seat));
        *taken.per_peer.entry(peer).or_insert(0) += 1;
        Ok(seat)
    }

    /// Tells every connection that has waited too long for its client to leave.
    pub(super) fn evict_overdue(&self) {
        let seated = self.lock().seated();
        for seat in seated {
            let (what, time) = seat.waiting();
            let allowed = match what {
                Waiting::Idle => self.limits.idle,
                Waiting::Head => self.limits.head,
                // The handler has a deadline of its own and answers when it passes; this is for whoever has none.
                Waiting::Body => self.limits.body,
                Waiting::Us => Duration::MAX,
            };
            if allowed < time {
                seat.leave.cancel();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX >> 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(connections: usize, per_peer: usize) -> Arc<Seats> {
        Seats::new(ServerLimits { connections, per_peer, ..ServerLimits::default() })
    }

    const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const FAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn one_peer_cannot_take_all_seats_unless_it_is_this_machine() {
        let seats = seats(10, 2);
        let first = seats.sit(FAR).unwrap();
        let _second = seats.sit(FAR).unwrap();
        assert_eq!(seats.sit(FAR).unwrap_err(), NoSeat::PeerHasEnough);
        drop(first);
        assert!(seats.sit(FAR).is_ok());
        let local: Vec<_> = (0..4).map(|_| seats.sit(LOCAL).unwrap()).collect();
        assert_eq!(local.len(), 4);
    }

    #[test]
    fn the_one_that_waits_longest_for_its_client_makes_room() {
        let seats = seats(3, 9);
        let busy = seats.sit(LOCAL).unwrap();
        busy.now_waits_for(Waiting::Us);
        let slow = seats.sit(LOCAL).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        let newer = seats.sit(LOCAL).unwrap();
        let good = seats.sit(LOCAL).unwrap();
        assert!(slow.leave.is_cancelled() && !busy.leave.is_cancelled() && !newer.leave.is_cancelled());
        for seat in [&newer, &good] {
            seat.now_waits_for(Waiting::Us);
        }
        assert_eq!(seats.sit(LOCAL).unwrap_err(), NoSeat::AllBusy);
        drop(slow);
        assert_eq!(seats.sit(LOCAL).unwrap_err(), NoSeat::AllBusy, "its seat was given away when it was told to leave");
        drop(newer);
        assert!(seats.sit(LOCAL).is_ok());
    }

    #[test]
    fn every_wait_for_a_client_ends() {
        let none = Duration::ZERO;
        let limits = ServerLimits { head: none, body: none, idle: none, ..ServerLimits::default() };
        let seats = Seats::new(limits);
        for (what, leaves) in
            [(Waiting::Head, true), (Waiting::Body, true), (Waiting::Idle, true), (Waiting::Us, false)]
        {
            let seat = seats.sit(FAR).unwrap();
            seat.now_waits_for(what);
            std::thread::sleep(Duration::from_millis(3));
            seats.evict_overdue();
            assert_eq!(seat.leave.is_cancelled(), leaves, "{what:?}");
        }
    }
}

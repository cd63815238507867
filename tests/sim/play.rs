//! One seed's story, from the first alert until all is calm again, with the invariants looked at after each step.

use crate::alertmanager::{Alertmanager, Duty};
use crate::cast::{Cast, secs};
use crate::invariants::an_answer_tells_what_is_recorded;
use crate::schedule::{self, Entry, What};
use crate::witness::{Violation, Witness};
use fastrand::Rng;
use sickbay::playbook::definition::Playbook;
use sickbay::sim::clock::SimTime;
use sickbay::sim::input::{Input, Touch};
use sickbay::sim::world::World;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

/// How long alerts go on firing after the last mishap, so that what was refused may be tried again.
const AFTERMATH: Duration = Duration::from_secs(240);

/// How long everything may take to come to its end after the last alert.
const UNTIL_REST: Duration = Duration::from_secs(1800);

/// After this time an episode nobody speaks of any more ends by itself, and with it what waited for it.
const UNTIL_FORGOTTEN: Duration = Duration::from_secs(7 * 24 * 3600 + 120);

/// Everything that a seed decides.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    pub(crate) cast: Cast,
    pub(crate) alertmanager: Alertmanager,
    pub(crate) entries: Vec<Entry>,
    pub(crate) length: SimTime,
}

impl Plot {
    pub(crate) fn of_seed(seed: u64) -> Self {
        let rng = &mut Rng::with_seed(seed);
        let cast = Cast::draw(rng);
        let interval = secs(rng.u64(15..90));
        let skew_ms = match rng.u32(..10) {
            0 => 600_000,
            1 => -600_000,
            _ => rng.i64(-20_000..20_000),
        };
        let alertmanager = Alertmanager::new(cast.alerts.clone(), interval, skew_ms);
        let (entries, length) = schedule::draw(rng, &cast);
        Self { cast, alertmanager, entries, length }
    }

    /// Every playbook that is ever loaded, in each of its revisions.
    fn playbooks(&self) -> impl Iterator<Item = &Arc<Playbook>> {
        let later = self.entries.iter().filter_map(|entry| match &entry.what {
            What::World(Input::Reload(new)) => Some(new.playbooks.iter()),
            _ => None,
        });
        self.cast.ruleset.playbooks.iter().chain(later.flatten())
    }
}

/// How a story ended.
pub(crate) struct Played {
    pub(crate) world: World,
    pub(crate) outcome: Result<(), Violation>,
}

/// Plays a story. If it is to be told, the world remembers what happened.
pub(crate) fn play(plot: &Plot, tell: bool) -> Played {
    let mut world = World::new(plot.cast.ruleset.clone(), plot.cast.containers.clone());
    world.add_services(plot.cast.services.clone());
    if tell {
        world.tell_the_story();
    }
    let mut stage = Stage {
        alertmanager: plot.alertmanager.clone(),
        witness: Witness::who_knows(plot.playbooks(), &plot.cast.containers),
        due: BinaryHeap::new(),
        duties: Vec::new(),
        acks_seen: 0,
    };
    let outcome = stage.perform(plot, &mut world);
    Played { world, outcome }
}

/// What stands around the world while a story is played.
struct Stage {
    alertmanager: Alertmanager,
    witness: Witness,
    /// When, in which order, and which duty.
    due: BinaryHeap<Reverse<(SimTime, usize)>>,
    duties: Vec<Option<Duty>>,
    acks_seen: usize,
}

/// Whoever paused thinks of it.
fn resume_all(world: &mut World) {
    let Some(daemon) = world.daemon() else { return };
    let standing: Vec<_> = daemon.state().pauses().iter().map(|standing| standing.pause.scope.clone()).collect();
    standing.into_iter().for_each(|scope| world.happen(&Input::Resume(scope)));
}

impl Stage {
    fn perform(&mut self, plot: &Plot, world: &mut World) -> Result<(), Violation> {
        for group in 0..plot.cast.groups {
            let first = self.alertmanager.interval() / u32::try_from(group + 2).unwrap_or(2);
            self.put(SimTime(0), vec![(first, Duty::Flush(group))]);
        }
        self.list_alerts(plot, world);
        self.witness.look(world)?;
        for Entry { at, what } in &plot.entries {
            self.go_on_until(world, *at)?;
            self.happen((plot, world), what)?;
        }
        self.go_on_until(world, plot.length)?;
        world.calm();
        resume_all(world);
        self.go_on_until(world, plot.length.after(AFTERMATH))?;
        self.alertmanager.resolve_all(world.now());
        self.list_alerts(plot, world);
        let end = world.now().after(UNTIL_REST);
        while world.now() < end && !self.is_at_rest(world) {
            // A daemon that was down could not be asked before.
            resume_all(world);
            let soon = world.now().after(secs(10));
            self.go_on_until(world, soon)?;
        }
        // A firing copy that came late, after its alert had ended, opens an episode that nobody will ever resolve.
        if !self.is_at_rest(world) {
            world.run_until(world.now().after(UNTIL_FORGOTTEN));
            self.look(world)?;
        }
        self.witness.look_at_the_end(world)
    }

    fn is_at_rest(&self, world: &World) -> bool {
        let rests = |state: &sickbay::engine::state::State| state.open_incidents() == 0;
        self.alertmanager.is_at_rest() && world.daemon().is_some_and(|daemon| rests(daemon.state()))
    }

    /// Alertmanager's API tells the truth about what fires, if it is there to tell.
    fn list_alerts(&self, plot: &Plot, world: &mut World) {
        if plot.cast.asks_alertmanager {
            world.list_alerts(self.alertmanager.firing());
        }
    }

    fn happen(&mut self, (plot, world): (&Plot, &mut World), what: &What) -> Result<(), Violation> {
        let now = world.now();
        match what {
            What::World(input) => {
                self.witness.slept |= matches!(input, Input::Suspend(_));
                self.witness.wall_was_set |= matches!(input, Input::SetWall(_));
                if let Input::Touch(name, Touch::Restart) = input {
                    let id = world.docker().by_name(name.as_str()).map(|found| found.shown().id.clone());
                    self.witness.restarted_by_hand.extend(id.map(|id| (id, now)));
                }
                world.happen(input);
            }
            What::Fire(alert, ago) => self.alertmanager.fire(*alert, now, *ago),
            What::Resolve(alert) => self.alertmanager.resolve(*alert, now),
            What::Mishap(mishap) => self.alertmanager.befall(*mishap),
        }
        self.list_alerts(plot, world);
        self.look(world)
    }

    fn put(&mut self, now: SimTime, duties: Vec<(Duration, Duty)>) {
        for (after, duty) in duties {
            self.due.push(Reverse((now.after(after), self.duties.len())));
            self.duties.push(Some(duty));
        }
    }

    /// Lets the world and Alertmanager go on, in the order of time.
    fn go_on_until(&mut self, world: &mut World, until: SimTime) -> Result<(), Violation> {
        loop {
            let next = self.due.peek().map(|Reverse((at, _))| *at).filter(|at| *at <= until);
            while world.step(next.unwrap_or(until)) {
                self.look(world)?;
            }
            if next.is_none() {
                return Ok(());
            }
            let duty = self.due.pop().and_then(|Reverse((_, place))| self.duties.get_mut(place)?.take());
            if let Some(duty) = duty {
                let later = self.alertmanager.attend(duty, &mut |id, notification| world.deliver(id, notification));
                self.put(world.now(), later);
                self.look(world)?;
            }
        }
    }

    fn look(&mut self, world: &World) -> Result<(), Violation> {
        self.witness.look(world)?;
        for ack in world.seen.acks.iter().skip(self.acks_seen) {
            if let Some(body) = self.alertmanager.answered(ack.id) {
                let invariant = "an_answer_tells_what_is_recorded";
                an_answer_tells_what_is_recorded(world, ack, &body).map_err(|words| Violation { invariant, words })?;
                let before = usize::try_from(ack.before.0).unwrap_or(usize::MAX);
                self.witness.acknowledged = self.witness.acknowledged.max(before);
            }
        }
        self.acks_seen = world.seen.acks.len();
        Ok(())
    }
}

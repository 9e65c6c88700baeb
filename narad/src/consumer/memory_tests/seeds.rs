//! Members come, go, stall and are thrown out at random, commits are refused, late or not answered, and
//! handlers end when they like. Whatever the order, what holds has to hold.

use std::time::Duration;

use super::world::World;
use crate::transport::{Class, Fault};

const SEEDS: u64 = 100;
const MOVES: usize = 120;
const PARTITIONS: usize = 4;
const KEYS: [&str; 4] = ["a", "b", "c", "d"];
/// How a coordinator refuses for the moment.
const REFUSALS: [Class; 4] = [Class::Rebalancing, Class::OldGeneration, Class::Passing, Class::Unknown];

/// Says which seed it was.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("with seed {}", self.0);
        }
    }
}

#[test]
fn in_whatever_order_things_happen_nothing_is_lost_or_reordered_and_no_commit_runs_ahead() {
    for seed in 0..SEEDS {
        let _seed = Seed(seed);
        World::with(seed, PARTITIONS, move |world| {
            world.join();
            world.holds.set(true);
            world.is_wild.set(true);
            for _ in 0..MOVES {
                moves(world);
                world.checks();
            }
            heals(world);
            world.goes_on_until("all is handled and committed", || world.is_all_committed());
        });
    }
}

fn moves(world: &World) {
    let processes = world.processes.borrow().len();
    match world.below(24) {
        0..=5 => {
            world.write(world.below(PARTITIONS) as i32, KEYS[world.below(KEYS.len())]);
        }
        6..=8 => world.works(),
        9..=10 => world.finishes_one(),
        11..=13 => {
            let _ = world.any().map(|process| process.polls(world));
        }
        14..=16 => {
            let _ = world.any().map(|process| process.commits(world));
        }
        17 => world.clock.moves(Duration::from_millis(1 + world.below(6_000) as u64)),
        18 => world.memory.is_slow(world.below(2) == 0),
        19 => {
            world.finishes.set(world.below(4) > 0);
            world.answers.set(world.below(4) > 0);
        }
        20 => world.memory.answer_commits([Some(Fault::of(REFUSALS[world.below(REFUSALS.len())]))]),
        21 if processes < 3 => drop(world.join()),
        22 if processes > 1 => {
            let deadline = world.now() + Duration::from_millis(world.below(25_000) as u64);
            world.any().iter().for_each(|process| process.stops(deadline));
        }
        23 => world.loses_one(),
        _ => {}
    }
}

/// From here on all is well.
fn heals(world: &World) {
    world.is_wild.set(false);
    world.holds.set(false);
    world.finishes.set(true);
    world.answers.set(true);
    world.memory.is_slow(false);
    world.finishes_all();
    if world.processes.borrow().iter().all(|process| process.is_stopped()) {
        world.join();
    }
}

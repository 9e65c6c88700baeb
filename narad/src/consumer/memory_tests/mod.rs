//! A whole group on the transport in memory: assignment, handlers, commits, rebalances, losses, stops. No
//! librdkafka, no thread, and no time but that by hand.

mod deeds;
mod seeds;
mod world;

use std::time::Duration;

use self::world::{COMMITS, TOPIC, World};
use crate::transport::{Class, Fault};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn two_members_share_the_partitions_and_a_stop_hands_them_over() {
    World::with(0, 4, |world| {
        let first = world.join();
        for partition in 0..4 {
            world.write(partition, "a");
        }
        world.goes_on_until("all is committed", || world.is_all_committed());
        assert_eq!(first.partitions(), [0, 1, 2, 3]);
        let second = world.join();
        world.goes_on_until("they share", || second.partitions().len() == 2);
        assert_eq!(first.partitions().len(), 2);
        for partition in 0..4 {
            world.write(partition, "a");
        }
        world.goes_on_until("all is committed", || world.is_all_committed());
        assert_eq!(world.deeds.borrow().attempts, 8, "each once");
        first.stops(world.now() + seconds(30));
        world.goes_on_until("it has ended", || first.let_go.get().is_some());
        let let_go = first.let_go.get().unwrap();
        assert!(let_go.in_time && let_go.committed, "{let_go:?}");
        world.goes_on_until("the other one has all", || second.partitions().len() == 4);
    });
}

#[test]
fn a_commit_that_fails_is_tried_again_when_the_interval_is_over() {
    World::with(0, 1, |world| {
        let process = world.join();
        world.goes_on_until("it is assigned", || !process.partitions().is_empty());
        world.write(0, "a");
        world.works();
        world.memory.answer_commits([Some(Fault::of(Class::Passing))]);
        let commits = world.memory.commits();
        let mut due = process.commits(world).expect("it goes on");
        while world.memory.commits() == commits {
            world.clock.moves(due.saturating_duration_since(world.now()));
            world.works();
            due = process.commits(world).expect("it goes on");
        }
        assert!(!world.is_all_committed(), "it was refused");
        // It went on at once with the wait for the next one.
        due = process.commits(world).expect("it goes on");
        assert_eq!(due - world.now(), COMMITS);
        world.clock.moves(COMMITS - Duration::from_millis(1));
        process.commits(world);
        assert_eq!(world.memory.commits(), commits + 1, "not before");
        world.clock.moves(Duration::from_millis(1));
        for _ in 0..3 {
            world.works();
            process.commits(world);
        }
        assert!(world.is_all_committed());
    });
}

#[test]
fn a_revoke_in_the_middle_of_a_commit_waits_for_it_and_commits_what_was_finished_since() {
    World::with(0, 2, |world| {
        let first = world.join();
        world.goes_on_until("it is assigned", || first.partitions().len() == 2);
        world.memory.is_slow(true);
        world.answers.set(false);
        world.write(0, "a");
        world.write(1, "a");
        world.works();
        first.sends_a_commit(world);
        // On its way, and not answered. Now more is finished, and another member comes.
        world.write(0, "b");
        world.write(1, "b");
        world.works();
        let second = world.join();
        world.answers.set(true);
        assert!(first.polls(world), "the revoke is served");
        assert_eq!(first.partitions().len(), 1);
        world.memory.is_slow(false);
        world.goes_on_until("the other one has it", || second.partitions().len() == 1);
        let given = second.partitions()[0];
        assert_eq!(world.memory.committed(TOPIC, given).map(|position| position.next), Some(2));
        world.goes_on_until("all is committed", || world.is_all_committed());
        assert_eq!(world.deeds.borrow().attempts, 4, "nothing was handled twice");
    });
}

#[test]
fn what_is_lost_is_fenced_before_anything_that_waits() {
    World::with(0, 1, |world| {
        let first = world.join();
        world.goes_on_until("it is assigned", || !first.partitions().is_empty());
        world.holds.set(true);
        world.write(0, "a");
        world.works();
        // A commit of before is on its way, and nobody answers it.
        world.memory.is_slow(true);
        world.answers.set(false);
        world.finishes.set(false);
        world.finishes_all();
        world.works();
        first.sends_a_commit(world);
        world.write(0, "a");
        world.works();
        let lane = first.group.committer.lanes().remove(0);
        first.member.loses();
        let began = world.now();
        let (current, at) = (lane.source().assignment.clone(), world.clock.clone());
        // Whoever looks while the loss waits for the commit sees a lane that is closed.
        world.clock.meanwhile(move |_| {
            assert!(!current.is_current(), "nobody waits before the fence, {:?}", at.elapsed());
            world::others();
        });
        first.polls(world);
        assert!(first.partitions().is_empty() || first.group.committer.lanes()[0].member() != lane.member());
        assert!(world.now() - began < seconds(1), "it waits for no answer");
        assert!(!lane.source().assignment.is_current());
        assert_eq!(world.memory.committed(TOPIC, 0), None, "and what was on its way is refused");
    });
}

#[test]
fn a_stop_drains_commits_and_leaves() {
    World::with(0, 2, |world| {
        let process = world.join();
        world.goes_on_until("it is assigned", || process.partitions().len() == 2);
        world.holds.set(true);
        for partition in [0, 0, 1] {
            world.write(partition, "a");
        }
        world.works();
        assert_eq!(world.pending.borrow().len(), 2, "one of each key");
        process.stops(world.now() + seconds(30));
        world.finishes.set(true);
        assert!(process.polls(world));
        let let_go = process.let_go.get().expect("it has ended");
        assert!(let_go.in_time && let_go.committed, "{let_go:?}");
        assert_eq!(world.memory.committed(TOPIC, 0).map(|position| position.next), Some(1), "not begun");
        assert_eq!(world.memory.committed(TOPIC, 1).map(|position| position.next), Some(1));
        assert!(world.processes.borrow().is_empty());
    });
}

#[test]
fn a_stop_that_handlers_outlive_ends_at_its_deadline_and_says_so() {
    World::with(0, 1, |world| {
        let process = world.join();
        world.goes_on_until("it is assigned", || !process.partitions().is_empty());
        world.holds.set(true);
        world.finishes.set(false);
        world.write(0, "a");
        world.works();
        let began = world.now();
        process.stops(began + seconds(30));
        assert!(process.polls(world));
        let let_go = process.let_go.get().expect("it has ended");
        assert!(!let_go.in_time && let_go.committed, "{let_go:?}");
        assert!((seconds(30)..seconds(31)).contains(&(world.now() - began)), "{:?}", world.now() - began);
    });
}

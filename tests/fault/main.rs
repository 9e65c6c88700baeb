//! The fault suite: real processes, a real Kafka, and what goes wrong in the night.
//!
//! ```text
//! eval "$(tests/kafka/kafka.sh up 1)"
//! NARAD_TEST_SEEDS=1,2,3 cargo test -p narad-tests --test fault -- --test-threads 1
//! ```
//!
//! A scenario runs once with each seed, which it prints; one that draws nothing from it runs once, and some
//! that take long run with the first seed only in the short run. `NARAD_TEST_SCALE` multiplies how much is
//! done (1); the long run has 10. Each is run alone by its name.
//!
//! | what goes wrong | scenario |
//! |---|---|
//! | `kill -9` under load | `killed_under_load_again_and_again` |
//! | rolling SIGTERM | `stopped_one_after_the_other_and_replaced` |
//! | a churn of members | `a_churn_of_members` |
//! | a revoke with records queued | `partitions_go_with_records_queued` |
//! | frozen past the session; during a rebalance; until the successor is done and gone | `frozen_for_longer_than_its_session`, `frozen_while_it_gives_partitions_back`, `frozen_until_its_successor_is_done_and_gone` |
//! | blocked past `max.poll.interval.ms`, during a rebalance | `a_handler_that_blocks_through_a_rebalance_for_longer_than_the_poll_interval_stays_a_member` |
//! | a completion after a revoke, when the same member has the partition back | `a_completion_of_an_assignment_that_ended_counts_for_nothing_when_the_partition_is_back` |
//! | the dead letter cannot be written | `a_dead_letter_topic_that_takes_nothing_holds_back_the_failing_keys_only` |
//! | returned events that nobody takes | `returned_events_that_nobody_takes_hold_back_their_keys_only` |
//! | two failing keys on one partition | `two_failing_keys_of_one_partition_and_a_kill` |
//! | a record that fails for long | `a_record_that_fails_all_the_while_holds_back_its_key_only`, `what_is_done_beyond_a_parked_key_is_not_repeated_after_a_kill` |
//! | panics | `handlers_that_panic_cost_their_records_only` |
//! | brokers killed: leaders, coordinator, controller; the only one | `leaders_and_coordinators_are_killed`, `the_only_broker_is_killed_and_comes_back` |
//! | a follower is frozen | `a_follower_that_is_frozen_holds_up_acknowledgements_and_loses_and_repeats_none` |
//! | rolling brokers | `brokers_are_restarted_one_after_the_other` |
//! | a rebalance during a backoff | `a_partition_that_goes_during_a_backoff_takes_its_records_along` |
//! | poison at the first, the last, all offsets | `poison_at_the_first_and_the_last_offset_and_at_random_ones`, `poison_at_every_offset` |
//! | acknowledgements that get lost | `acknowledgements_of_commits_get_lost`, `acknowledgements_of_dead_letters_get_lost` |
//! | connections that break; slow answers | `connections_are_reset_every_second`, `a_broker_that_is_slow_to_answer_costs_time_only` |
//! | slow links; a half-open network | `a_link_that_is_slow_in_both_directions_costs_time_only`, `a_member_whose_network_passes_nothing_is_replaced_and_comes_back`, `what_is_lost_behind_a_network_that_passes_nothing_is_not_begun` |
//! | a lag, with keys that wait; small records with large headers | `a_backlog_over_many_partitions_and_a_key_that_waits_stay_within_the_bound`, `large_headers_in_front_of_handlers_that_wait_stay_within_the_bound`, `large_headers_behind_a_key_that_waits_stay_within_the_bound` |
//! | the same, while members come and go and connections break | `large_headers_before_members_that_come_and_go_are_neither_lost_nor_repeated`, `large_headers_before_members_of_the_eager_protocol_are_neither_lost_nor_repeated` |
//! | little memory is left for a long backlog | `a_process_with_a_memory_limit_reads_a_long_backlog_without_running_into_it` |
//! | no file descriptor is left | `a_process_without_a_file_descriptor_says_so_and_goes_on_once_it_has_one` |
//! | a disk of the broker is full | `a_disk_of_the_broker_is_full`, by hand: with `NARAD_TEST_FULL_DISK=1`, as root |
//! | bits that flip on the way; a batch that stays broken | `bits_that_flip_on_the_way_reach_no_handler_and_skip_nothing`, `a_batch_that_stays_broken_stands_still_and_is_named_until_it_can_be_read` |
//! | a group that lets nobody in | `a_member_that_shares_out_in_another_way_is_refused_and_says_so_until_the_other_is_gone` |
//! | a log that nobody reads any more | `a_log_that_nobody_reads_any_more_costs_nothing` |
//! | handlers that block or hang | `a_handler_that_blocks_for_longer_than_the_session_stays_a_member_and_others_go_on`, `what_is_stuck_is_named` |
//! | a stop with handlers that end and one that does not; a last commit that nobody answers | `what_ends_while_one_handler_is_waited_for_is_committed`, `a_last_commit_that_nobody_answers_is_not_waited_for` |
//! | a stop with a hung handler, and a second signal | `a_handler_that_never_ends_is_left_to_the_next_process_and_the_exit_status_says_so` |
//! | transactions: open, committed, aborted; members come and go at the end of the log | `open_committed_and_aborted_transactions` |
//! | compaction | `a_compacted_topic` |
//! | partitions are added; a topic is deleted and made anew | `partitions_are_added`, `a_topic_is_made_anew` |
//! | the log is cut off by an unclean leader election | `a_log_that_was_cut_off_goes_on_where_it_parts` |
//! | another order at the next start, keys parked, `kill -9`; two orders at once | `another_order_after_a_kill_repeats_and_loses_nothing`, `two_orders_side_by_side_lose_nothing` |
//! | commits copied with their notes: to another group, to a denser topic, to a cluster with the same names, to an earlier offset | `commits_that_are_copied_lose_nothing` |
//! | a broker takes no notes of the usual size | `a_note_that_the_broker_refuses_costs_its_own_partition_only` |
//! | a rolling upgrade from the release before, and back (`NARAD_TEST_FORMER_APP` names its application) | `processes_of_the_release_before_lose_nothing_beside_those_of_now` |
//! | killed just before or after a commit or a dead letter is taken | `killed_before_the_broker_has_the_commit`, `killed_when_the_broker_has_the_commit`, `killed_before_the_broker_has_the_dead_letter`, `killed_between_the_dead_letter_and_its_commit` |
//!
//! `groups` has members with names and the protocol of KIP-848; `figures` prints what key order gains.

mod brokers;
mod ends;
mod failing;
mod figures;
mod groups;
mod hanging;
mod limits;
mod log;
mod members;
mod memory;
mod network;
mod notes;
mod points;
mod silence;

use std::str::FromStr;

use narad_tests::cluster::Cluster;
use narad_tests::deployment::{Deployment, work};
use narad_tests::process::Process;
use rustix::process::Signal;

const APP: &str = env!("CARGO_BIN_EXE_app");

/// Runs a scenario once with each seed, where there is a broker.
fn with_seeds(scenario: impl Fn(&Cluster, &mut fastrand::Rng)) {
    with(&seeds(), scenario);
}

/// The same for what takes long: in the short run, with the first seed only.
fn with_a_seed(scenario: impl Fn(&Cluster, &mut fastrand::Rng)) {
    let seeds = seeds();
    with(if scale(1) == 1 { &seeds[..1] } else { &seeds }, scenario);
}

fn seeds() -> Vec<u64> {
    let seeds = std::env::var("NARAD_TEST_SEEDS").unwrap_or_else(|_| "1".to_owned());
    seeds.split(',').map(|seed| seed.trim().parse().expect("NARAD_TEST_SEEDS holds numbers")).collect()
}

fn with(seeds: &[u64], scenario: impl Fn(&Cluster, &mut fastrand::Rng)) {
    let Some(cluster) = Cluster::of_env() else { return };
    for seed in seeds {
        println!("seed {seed}");
        scenario(&cluster, &mut fastrand::Rng::with_seed(*seed));
    }
}

/// Runs a scenario that has nothing to draw from a seed, where there is a broker.
fn once(scenario: impl Fn(&Cluster)) {
    if let Some(cluster) = Cluster::of_env() {
        scenario(&cluster);
    }
}

/// How much is done, of what is done once in the short run.
fn scale(once: usize) -> usize {
    once * std::env::var("NARAD_TEST_SCALE")
        .map_or(1, |scale| usize::from_str(&scale).expect("NARAD_TEST_SCALE is a number"))
}

/// An application with so many records of 1,000 keys before it, over 8 partitions.
fn deploy(cluster: &Cluster, records: usize) -> Deployment {
    let deployment = Deployment::new(cluster, APP, 8);
    cluster.write(&deployment.topic, work(records, 1_000));
    deployment
}

/// Stops a process as an orchestrator does; it has nothing to complain of.
fn stop(mut process: Process) {
    process.signal(Signal::TERM);
    process.ends_with(0);
}

/// Nothing lost, nothing committed too early, every key in order, and no repetition that a crash does not
/// excuse.
fn assert_kept(deployment: &Deployment) {
    let verdict = deployment.verdict();
    verdict.assert_sound();
    println!("repeated {}, of which unexcused {}", verdict.repeated, verdict.unexcused.len());
    assert!(
        verdict.unexcused.is_empty(),
        "{} repeated without a crash that excuses it: {:?}",
        verdict.unexcused.len(),
        &verdict.unexcused[..verdict.unexcused.len().min(5)]
    );
}

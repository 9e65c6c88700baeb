//! The verifier finds what it is there to find, and nothing in a run that is sound.

use super::*;

const KEYS: u64 = 3;

/// Nine records of three keys in one partition, handled one after the other by one process, with a commit
/// after each.
fn sound() -> Run {
    let mut run = Run::default();
    for offset in 0..9 {
        let (key, seq, at) = (format!("k{}", offset % KEYS), offset / KEYS, 10 + offset * 10);
        let entry = Entry {
            at,
            pid: 1,
            topic: "t".into(),
            partition: 0,
            offset: offset as i64,
            key: key.clone(),
            seq,
            attempt: 1,
            generation: 1,
            owned: true,
            step: Step::Start,
        };
        run.written.push(Written { partition: 0, offset: offset as i64, key, seq });
        run.ledger.extend([entry.clone(), Entry { at: at + 5, step: Step::Ok, ..entry }]);
        run.samples.push(Sample { at: at + 6, partition: 0, committed: offset as i64 + 1 });
    }
    run
}

fn entry(run: &mut Run, offset: i64, step: Step) -> &mut Entry {
    run.ledger.iter_mut().find(|entry| entry.offset == offset && entry.step == step).unwrap()
}

#[test]
fn a_sound_run_is_sound() {
    let verdict = verify(&sound());
    assert_eq!(verdict, Verdict::default());
    verdict.assert_sound();
}

#[test]
fn a_record_that_nobody_handled_is_lost() {
    let mut run = sound();
    run.ledger.retain(|entry| entry.offset != 8);
    run.samples.pop();
    let verdict = verify(&run);
    assert_eq!(verdict.lost.len(), 1);
    assert!(verdict.ahead.is_empty() && verdict.order.is_empty());
}

#[test]
fn a_record_in_the_dead_letter_is_not_lost() {
    let mut run = sound();
    entry(&mut run, 8, Step::Ok).step = Step::Err;
    assert_eq!(verify(&run).lost.len(), 1);
    run.dead_letters.push((0, 8));
    assert_eq!(verify(&run), Verdict::default());
    run.dead_letters.push((0, 8));
    let verdict = verify(&run);
    assert_eq!((verdict.repeated_dead_letters, verdict.unexcused.len()), (1, 1));
    run.crashes.push(Crash { pid: 1, from: 90, until: 200 });
    assert!(verify(&run).unexcused.is_empty());
}

#[test]
fn two_dead_letters_after_one_round_of_attempts_were_written_twice_and_after_two_rounds_they_were_not() {
    let mut run = sound();
    entry(&mut run, 8, Step::Ok).step = Step::Err;
    run.dead_letters.extend([(0, 8), (0, 8)]);
    // An excuse for a repetition is none for this.
    run.crashes.push(Crash { pid: 1, from: 0, until: 1_000 });
    assert_eq!(verify(&run).written_twice, ["2 dead letters of 0/8, after 1 rounds"]);
    let again = entry(&mut run, 8, Step::Err).clone();
    run.ledger.push(again);
    assert!(verify(&run).written_twice.is_empty());
    // What no handler tried says nothing.
    run.dead_letters.extend([(0, 99), (0, 99)]);
    assert!(verify(&run).written_twice.is_empty());
}

#[test]
fn a_commit_before_the_handler_ended_is_ahead() {
    let mut run = sound();
    run.samples[4].at = 54;
    assert_eq!(verify(&run).ahead.len(), 1);
}

#[test]
fn a_commit_past_a_record_that_waits_for_its_dead_letter_is_ahead() {
    let mut run = sound();
    entry(&mut run, 2, Step::Ok).step = Step::Err;
    let verdict = verify(&run);
    assert_eq!((verdict.lost.len(), verdict.ahead.len()), (1, 7));
}

#[test]
fn a_commit_that_goes_back_is_found() {
    let mut run = sound();
    run.samples.push(Sample { at: 200, partition: 0, committed: 3 });
    assert_eq!(verify(&run).ahead.len(), 1);
}

#[test]
fn two_records_of_a_key_at_once_are_found() {
    let mut run = sound();
    entry(&mut run, 0, Step::Ok).at = 41;
    let verdict = verify(&run);
    // They overlap, the later one starts before the earlier one is through, and commits passed it.
    assert_eq!(verdict.order.len(), 2);
    assert_eq!(verdict.ahead.len(), 3);
}

#[test]
fn a_key_handled_out_of_order_is_found() {
    let mut run = sound();
    run.samples.clear();
    for (offset, to) in [(0, 3), (3, 0)] {
        for step in [Step::Start, Step::Ok] {
            entry(&mut run, offset, step).offset = to + 100;
        }
    }
    run.ledger.iter_mut().filter(|entry| entry.offset >= 100).for_each(|entry| entry.offset -= 100);
    assert_eq!(verify(&run).order.len(), 1, "3 before 0; 6 is fine after both");
}

#[test]
fn processes_may_overlap_only_where_one_is_a_zombie() {
    let mut run = sound();
    run.samples.clear();
    let again = Entry { at: 12, pid: 2, ..entry(&mut run, 0, Step::Start).clone() };
    run.ledger.extend([again.clone(), Entry { at: 14, step: Step::Ok, ..again }]);
    let verdict = verify(&run);
    assert_eq!((verdict.order.len(), verdict.repeated), (1, 1));
    run.zombies = true;
    assert!(verify(&run).order.is_empty());
}

#[test]
fn a_generation_of_two_processes_is_found_and_one_that_goes_back_where_nobody_was_frozen() {
    let mut run = sound();
    for entry in run.ledger.iter_mut().filter(|entry| entry.offset >= 4) {
        entry.pid = 2;
    }
    assert_eq!(verify(&run).fences.len(), 1, "both are in generation 1");
    assert!(verify(&Run { named: true, ..run.clone() }).fences.is_empty());
    run.ledger.iter_mut().filter(|entry| entry.offset >= 4).for_each(|entry| entry.generation = 2);
    assert_eq!(verify(&run), Verdict::default());
    run.ledger
        .iter_mut()
        .filter(|entry| entry.offset == 8)
        .for_each(|entry| (entry.pid, entry.generation) = (1, 1));
    assert_eq!(verify(&run).fences.len(), 1, "process 1 is back with its old generation");
    run.zombies = true;
    assert!(verify(&run).fences.is_empty(), "a store would refuse it");
}

#[test]
fn an_attempt_of_a_killed_process_ends_with_it() {
    let mut run = sound();
    let cut = Entry { at: 8, pid: 2, generation: 0, ..entry(&mut run, 0, Step::Start).clone() };
    run.ledger.push(cut);
    assert_eq!(verify(&run), Verdict::default());
}

#[test]
fn handling_twice_is_counted_and_not_a_violation() {
    let mut run = sound();
    let again = Entry { at: 300, pid: 2, generation: 2, ..entry(&mut run, 8, Step::Start).clone() };
    run.ledger.extend([again.clone(), Entry { at: 305, step: Step::Ok, ..again }]);
    let verdict = verify(&run);
    assert_eq!(verdict.repeated, 1);
    verdict.assert_sound();
}

#[test]
fn a_crash_excuses_what_was_not_committed_before_it_and_nothing_else() {
    let mut run = sound();
    for offset in [0, 8] {
        let again =
            Entry { at: 300 + offset as u64 * 10, pid: 2, ..entry(&mut run, offset, Step::Start).clone() };
        run.ledger.extend([again.clone(), Entry { at: again.at + 5, step: Step::Ok, ..again }]);
    }
    assert_eq!(verify(&run).unexcused.len(), 2);
    run.crashes.push(Crash { pid: 1, from: 80, until: 100 });
    assert_eq!(verify(&run).unexcused.len(), 2, "both are committed");
    run.samples.pop();
    let verdict = verify(&run);
    assert_eq!((verdict.repeated, verdict.unexcused.len()), (2, 1), "{:?}", verdict.unexcused);
    assert!(verdict.unexcused[0].starts_with("0/0 "));
}

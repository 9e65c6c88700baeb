//! Offsets that do not move, for the log at `debug`: each said once, and again when another record, or
//! something else, stands in its way.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::commit_gate::Place;
use crate::view::{LaneView, RecordStage};

/// What stands in the way of the offsets of a group. Looked at by who commits, after each tick.
#[derive(Debug, Default)]
pub(super) struct Stills {
    known: BTreeMap<Place, (Still, Said)>,
    /// When they were looked at last.
    looked: Option<SystemTime>,
}

type Said = bool;

/// Where an offset is, and what it stands before.
#[derive(Debug, PartialEq, Eq)]
struct Still {
    committed: Option<i64>,
    record: Option<i64>,
    handler: Option<String>,
    /// Attempts and the pauses between them are one: each would be a line.
    stage: Option<RecordStage>,
}

impl Stills {
    /// Those of which something was read, and the offset is where it was at the last look, for a reason that
    /// was not said yet.
    pub(super) fn look(&mut self, views: Vec<LaneView>, now: SystemTime) -> Vec<LaneView> {
        let last = self.looked.replace(now);
        let is_old = |time: SystemTime| last.is_some_and(|last| time < last);
        let mut before = std::mem::take(&mut self.known);
        let mut news = Vec::new();
        for view in views.into_iter().filter(|view| view.uncommitted.is_some()) {
            let place = (view.topic.clone(), view.partition);
            let known = before.remove(&place);
            let lasts = view.call.is_some_and(|call| is_old(call.since));
            if is_old(view.as_of) && !lasts {
                // A worker came through just then: nothing is known of now.
                self.known.extend(known.map(|known| (place, known)));
                continue;
            }
            let still = Still::of(&view);
            let known = known.filter(|(known, _)| known.committed == still.committed);
            let is_known = known.as_ref().is_some_and(|(known, said)| *said && *known == still);
            // Where the offset has moved, what stands before it now may be gone at the next tick.
            let says = known.is_some() && !is_known;
            self.known.insert(place, (still, says || is_known));
            news.extend(says.then_some(view));
        }
        news
    }
}

impl Still {
    fn of(view: &LaneView) -> Self {
        let oldest = view.oldest.as_ref();
        Self {
            committed: view.committed,
            record: oldest.map(|oldest| oldest.offset).or(view.call.map(|call| call.offset)),
            handler: oldest.and_then(|oldest| oldest.handler.clone()),
            stage: oldest.map(|oldest| match oldest.stage {
                RecordStage::Backoff => RecordStage::Attempt,
                stage => stage,
            }),
        }
    }
}

/// Whether anybody hears it.
pub(super) fn is_heard() -> bool {
    tracing::enabled!(tracing::Level::DEBUG)
}

/// Says of one what stands in its way.
pub(super) fn say(view: &LaneView) {
    let LaneView { group, topic, partition, committed, uncommitted, oldest, .. } = view;
    let why = uncommitted.as_deref().unwrap_or_default();
    let record = oldest.as_ref().map(|oldest| format!(" ({oldest})")).unwrap_or_default();
    tracing::debug!(group, topic, partition, committed, "the committed offset does not move: {why}{record}");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::view::CallView;

    fn at(committed: i64, stage: RecordStage) -> LaneView {
        let mut view = LaneView::example();
        view.committed = Some(committed);
        view.oldest.as_mut().expect("one").stage = stage;
        view
    }

    /// How many lines a tick brings.
    fn lines(stills: &mut Stills, view: LaneView) -> usize {
        stills.look(vec![view], SystemTime::UNIX_EPOCH).len()
    }

    #[test]
    fn an_offset_that_does_not_move_is_said_once_until_something_else_stands_in_its_way() {
        let mut stills = Stills::default();
        assert_eq!(lines(&mut stills, at(100, RecordStage::Attempt)), 0, "it may move with the next tick");
        assert_eq!(lines(&mut stills, at(100, RecordStage::Backoff)), 1);
        for stage in [RecordStage::Attempt, RecordStage::Backoff, RecordStage::Attempt] {
            assert_eq!(lines(&mut stills, at(100, stage)), 0);
        }
        assert_eq!(lines(&mut stills, at(100, RecordStage::DeadLetter)), 1);
        assert_eq!(lines(&mut stills, at(101, RecordStage::DeadLetter)), 0, "it moved");
        assert_eq!(lines(&mut stills, at(101, RecordStage::DeadLetter)), 1);
        assert_eq!(lines(&mut stills, LaneView { uncommitted: None, ..at(101, RecordStage::Key) }), 0);
        assert_eq!(lines(&mut stills, at(101, RecordStage::DeadLetter)), 0, "anew");
    }

    #[test]
    fn what_a_worker_told_before_the_last_look_is_no_news_but_a_call_that_lasts_is() {
        let mut stills = Stills::default();
        let time = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut look = |now, told, view: LaneView| {
            stills.look(vec![LaneView { as_of: time(told), ..view }], time(now)).len()
        };
        assert_eq!(look(10, 10, at(100, RecordStage::Attempt)), 0);
        assert_eq!(look(20, 20, at(100, RecordStage::Attempt)), 1);
        let stale = || LaneView { oldest: None, ..at(100, RecordStage::Attempt) };
        assert_eq!(look(30, 5, stale()), 0);
        let inside = |since| Some(CallView { offset: 100, since: time(since) });
        assert_eq!(look(40, 5, LaneView { call: inside(40), ..stale() }), 0, "it came through");
        assert_eq!(look(50, 50, at(100, RecordStage::Attempt)), 0, "as before");
        assert_eq!(look(60, 5, LaneView { call: inside(40), ..stale() }), 1, "it does not come out");
    }
}

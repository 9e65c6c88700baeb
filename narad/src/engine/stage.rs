//! How far a record is on its way through its lane.

/// The stage of a record that was read. It is kept with what waits and with what is in flight; a record that
/// is handled as soon as it is read goes through its stages without being kept.
///
/// Its legal moves, by what happens to it:
///
/// ```text
///                KeyClosed      Gathered  Started  Retried   HeldBack       Isolated  Settled  Left
/// Queued         WaitingForKey  Gathered  Running  Retrying  -              -         Settled  Left
/// WaitingForKey  -              Gathered  Running  Retrying  -              -         -        Left
/// Gathered       -              -         Running  -         -              -         -        Left
/// Running        -              -         -        Retrying  -              -         Settled  Left
/// Retrying       -              -         -        Retrying  WaitingForKey  Isolated  Settled  Left
/// Isolated       -              -         -        Retrying  -              -         -        Left
/// Settled        -              -         -        -         -              -         -        -
/// Left           -              -         -        -         -              -         -        -
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Read, and not looked at.
    Queued,
    /// An earlier record of its key is not finished.
    WaitingForKey,
    /// In the batch that is being gathered.
    Gathered,
    /// With its handlers, the first attempt of each.
    Running,
    /// A handler did not finish it at once, or none can: what follows is a further attempt, events to publish
    /// or a dead letter.
    Retrying,
    /// Its batch failed as a whole: it waits to be handed over alone.
    Isolated,
    /// Nothing is left to be done: it counts as finished.
    Settled,
    /// No more is done about it here: the next owner repeats it, or it is no longer in the log.
    Left,
}

/// What happens to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Its turn came while its key was closed.
    KeyClosed,
    /// It goes into a batch.
    Gathered,
    /// Its handlers have it.
    Started,
    /// A handler, or the group's dead letter, is to be brought to an end with it.
    Retried,
    /// Its batch came apart, and an earlier record of its key comes first.
    HeldBack,
    /// Its batch has failed as a whole often enough.
    Isolated,
    /// All are through with it.
    Settled,
    /// The partition, or the log that it stood in, is gone; or the application stops.
    Left,
}

impl Stage {
    /// Where an event takes it; `None` where that cannot happen.
    pub(crate) fn after(self, event: Event) -> Option<Self> {
        match (self, event) {
            (Self::Settled | Self::Left, _) => None,
            (_, Event::Left) => Some(Self::Left),
            (Self::Queued, Event::KeyClosed) | (Self::Retrying, Event::HeldBack) => Some(Self::WaitingForKey),
            (Self::Queued | Self::WaitingForKey, Event::Gathered) => Some(Self::Gathered),
            (Self::Queued | Self::WaitingForKey | Self::Gathered, Event::Started) => Some(Self::Running),
            (
                Self::Queued | Self::WaitingForKey | Self::Running | Self::Retrying | Self::Isolated,
                Event::Retried,
            ) => Some(Self::Retrying),
            (Self::Retrying, Event::Isolated) => Some(Self::Isolated),
            (Self::Queued | Self::Running | Self::Retrying, Event::Settled) => Some(Self::Settled),
            _ => None,
        }
    }

    /// Moves on. What cannot happen is a bug, and leaves it where it is.
    pub(crate) fn moves(&mut self, event: Event) {
        let after = self.after(event);
        debug_assert!(after.is_some(), "{event:?} at the stage {self:?}");
        *self = after.unwrap_or(*self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [Stage; 8] = [
        Stage::Queued,
        Stage::WaitingForKey,
        Stage::Gathered,
        Stage::Running,
        Stage::Retrying,
        Stage::Isolated,
        Stage::Settled,
        Stage::Left,
    ];
    const EVENTS: [Event; 8] = [
        Event::KeyClosed,
        Event::Gathered,
        Event::Started,
        Event::Retried,
        Event::HeldBack,
        Event::Isolated,
        Event::Settled,
        Event::Left,
    ];

    #[test]
    fn every_event_at_every_stage_is_what_the_table_says() {
        let line = |name: String, cells: Vec<String>| {
            let widths = [15, 10, 9, 10, 15, 10, 9, 5];
            let cells: String =
                cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            format!("/// {name:<15}{cells}").trim_end().to_owned()
        };
        let mut table = vec![line(String::new(), EVENTS.iter().map(|event| format!("{event:?}")).collect())];
        for stage in STAGES {
            let after = EVENTS.iter().map(|event| match stage.after(*event) {
                Some(after) => format!("{after:?}"),
                None => "-".to_owned(),
            });
            table.push(line(format!("{stage:?}"), after.collect()));
        }
        let table = table.join("\n");
        assert!(include_str!("stage.rs").contains(&table), "the doc of Stage is to have\n{table}");
    }

    #[test]
    fn a_record_that_is_settled_or_left_is_never_begun_with_again() {
        for event in EVENTS {
            assert_eq!((Stage::Settled.after(event), Stage::Left.after(event)), (None, None));
        }
        assert!(STAGES[..6].iter().all(|stage| stage.after(Event::Left) == Some(Stage::Left)));
    }
}

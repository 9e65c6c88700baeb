//! The queue of one partition: its log, read from a cursor on.

use super::cluster::{Memory, Reader, State};
use crate::transport::consume::{Batch, Queue};
use crate::transport::position::ReadPosition;
use crate::transport::unread::{NoRecord, Unread};

pub(super) struct MemoryQueue {
    pub(super) memory: Memory,
    pub(super) reader: Reader,
}

impl Queue for MemoryQueue {
    fn read(&mut self, max: usize) -> Batch<'_> {
        let mut state = self.memory.lock();
        let State { topics, cursors, broken, .. } = &mut *state;
        let (_, place) = &self.reader;
        // What is not assigned any more is not read.
        let Some(cursor) = cursors.get_mut(&self.reader) else { return Batch::Owned(Vec::new(), false) };
        let log = &topics[&place.0][place.1 as usize];
        let mut entries = Vec::new();
        while !cursor.paused && entries.len() < max && (cursor.next as usize) < log.len() {
            let offset = cursor.next;
            if let Some(fault) = broken.remove(&(place.0.clone(), place.1, offset)) {
                let reason = "it was broken by a test".to_owned();
                entries.push(Err(NoRecord::Unread(Unread { fault, offset, reason })));
                continue;
            }
            entries.push(Ok(log[offset as usize].clone()));
            cursor.next += 1;
        }
        let more = entries.len() == max;
        if !cursor.paused && !more && !std::mem::replace(&mut cursor.said, true) {
            entries.push(Err(NoRecord::End(cursor.next)));
        }
        Batch::Owned(entries, more)
    }

    fn pause(&self) {
        self.memory.lock().pause(&self.reader);
    }

    fn go_on(&self, at: ReadPosition) {
        self.memory.lock().go_on(&self.reader, at);
    }
}

impl Drop for MemoryQueue {
    fn drop(&mut self) {
        self.memory.lock().filled.remove(&self.reader);
    }
}

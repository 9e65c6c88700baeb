//! Events encoded and sent until all are acknowledged: many at once, and one after the other from many tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use narad::Narad;
use tokio::task::JoinSet;

use super::block_on;
use super::events::{UserEvent, pool};
use crate::side::by_hand::TASKS;
use crate::side::{Measured, Task};

/// Events in one call; two calls are under way.
const CHUNK: usize = 5_000;

pub(crate) fn all(task: &Task) -> Measured {
    let measured = block_on(async {
        let narad = Narad::builder().build().await?;
        narad.connect().await?;
        let mut pool = pool();
        let mut spare: Vec<Vec<UserEvent>> = (0..2).map(|_| pool.split_off(pool.len() - CHUNK)).collect();
        let (mut sent, mut acknowledged, mut under_way) = (0, 0, JoinSet::new());
        let start = Instant::now();
        loop {
            if sent < task.records
                && let Some(mut events) = spare.pop()
            {
                let count = CHUNK.min(task.records - sent);
                events[..count].iter_mut().zip(sent as i64..).for_each(|(event, seq)| event.set_seq(seq));
                sent += count;
                let narad = narad.clone();
                under_way.spawn(async move {
                    narad.publish_all(&events[..count]).await.map(|sent| (sent.len(), events))
                });
                continue;
            }
            let Some(done) = under_way.join_next().await else { break };
            let (count, events) = done.expect("a task")?;
            acknowledged += count;
            spare.push(events);
        }
        let seconds = start.elapsed().as_secs_f64();
        narad.disconnect().await?;
        Ok(Measured { records: acknowledged, seconds, ..Measured::default() })
    });
    measured.unwrap_or_else(|error: narad::Error| panic!("{error}"))
}

pub(crate) fn singly(task: &Task) -> Measured {
    let measured = block_on(async {
        let narad = Narad::builder().build().await?;
        narad.connect().await?;
        let pool = Arc::new(pool());
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let (records, start, mut tasks) = (task.records, Instant::now(), JoinSet::new());
        for first in 0..TASKS {
            let (narad, pool, acknowledged) = (narad.clone(), pool.clone(), acknowledged.clone());
            tasks.spawn(async move {
                for index in (first..records).step_by(TASKS) {
                    narad.publish(&pool[index % pool.len()]).await?;
                    acknowledged.fetch_add(1, Relaxed);
                }
                Ok(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("a task")?;
        }
        let seconds = start.elapsed().as_secs_f64();
        narad.disconnect().await?;
        Ok(Measured { records: acknowledged.load(Relaxed), seconds, ..Measured::default() })
    });
    measured.unwrap_or_else(|error: narad::Error| panic!("{error}"))
}

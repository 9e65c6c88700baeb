//! Handlers as they run.

use narad_syntax::options::InForce;
#[cfg(test)]
use narad_syntax::options::Options;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::blocking::Threads;
#[cfg(test)]
use crate::application::Narad;
use crate::codec::Outline;
use crate::context::{Context, Scope};
use crate::dead_letter::DeadLetter;
use crate::engine::{Backoff, BatchPolicy, Policy, Taking};
use crate::handler::{Call, Input, Reply, Slot};
use crate::layer::{Layers, around};
use crate::outcome::Outcome;
#[cfg(test)]
use crate::producer::Producer;
use crate::record::Record;

/// A handler as it runs: every option resolved.
#[derive(Debug)]
pub(crate) struct Handler {
    pub(crate) name: String,
    /// Its place among the group's handlers of the topic.
    pub(crate) place: usize,
    pub(crate) call: Call,
    pub(crate) takes: Taking,
    pub(crate) options: InForce<String>,
    /// Where its dead letters from this topic go.
    pub(crate) dead_letter: DeadLetter,
    pub(crate) batch: Option<BatchPolicy>,
    pub(crate) layers: Layers,
    pub(crate) threads: Arc<Threads>,
    pub(crate) scope: Arc<Scope>,
    /// It was seen to wait: its records are copied before it gets them, so that they do not pin what they
    /// were fetched with.
    pub(crate) waits: AtomicBool,
}

impl Handler {
    /// Puts an attempt into a slot. Where nothing goes around it, that is the generated adapter and nothing
    /// else.
    pub(crate) fn start(self: &Arc<Self>, slot: &mut Slot, input: Input) {
        match self.call {
            Call::Async(adapter) if self.options.timeout.is_none() && self.layers.is_empty() => {
                adapter(slot, input)
            }
            _ => slot.set(self.clone().attempt(input)),
        }
    }

    async fn attempt(self: Arc<Self>, input: Input) -> Reply {
        let ctx = input.first().clone();
        let handler = self.clone();
        around(&self.layers, &ctx, async move {
            let run = async {
                match handler.call {
                    Call::Async(adapter) => {
                        let mut slot = Slot::new();
                        adapter(&mut slot, input);
                        slot.await
                    }
                    Call::Blocking(adapter) => handler.threads.run(move || adapter(input)).await,
                }
            };
            match handler.options.timeout {
                None => run.await,
                Some(timeout) => tokio::time::timeout(timeout, run)
                    .await
                    .unwrap_or_else(|_| Reply::new(Outcome::timed_out(timeout))),
            }
        })
        .await
    }

    pub(crate) fn saw_it_wait(&self) {
        if !self.waits.load(Relaxed) {
            self.waits.store(true, Relaxed);
        }
    }

    /// What one attempt works on.
    pub(crate) fn input(&self, records: &[(Record, Outline)], attempt: u32) -> Input {
        let context = |(record, outline): &(Record, Outline)| {
            Context::new(record.clone(), *outline, self.scope.clone(), attempt)
        };
        if self.batch.is_some() {
            Input::Many(records.iter().map(context).collect())
        } else {
            Input::One(context(&records[0]))
        }
    }

    /// What its options say of what follows an attempt.
    pub(crate) fn policy(&self) -> Policy {
        Policy {
            attempts: self.options.retry_attempts,
            backoff: Backoff::of_milliseconds(self.options.retry_backoff),
            is_endless: self.dead_letter == DeadLetter::Off,
            isolate: self.options.batch_isolate,
        }
    }
}

#[cfg(test)]
impl Handler {
    /// One that runs on this runtime, with every option at its default.
    pub(crate) fn of_tests(
        call: Call,
        takes: Taking,
        producer: &Producer,
        runtime: tokio::runtime::Handle,
    ) -> Self {
        Self {
            name: "handler".to_owned(),
            place: 0,
            call,
            takes,
            options: Options::NONE.in_force(false),
            dead_letter: DeadLetter::Topic("dead".to_owned()),
            batch: None,
            layers: Layers::default(),
            threads: Threads::new("handler", runtime),
            scope: Arc::new(Scope {
                handler: "handler".to_owned(),
                group: "group".into(),
                shape: takes.shape,
                is_batch: false,
                states: Arc::default(),
                narad: Narad::of_tests(producer.clone()),
            }),
            waits: false.into(),
        }
    }
}

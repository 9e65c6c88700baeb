//! Topics are asked about, and made, on threads of their own, which come with the first question and go with
//! the last: a broker that says nothing of one topic holds up no other one.

use std::sync::{Arc, PoisonError};
use std::thread;

use super::core::Core;
use super::failure::Failure;
use super::gate::Gate;
use super::questions::THREADS;
use super::step::Checked;
use super::topics::{self, Answer};
use crate::supervision::caught;

impl Core {
    /// Has a broker asked about a topic. `again`: the last answer was none, or that nothing can be sent to
    /// it.
    pub(super) fn check(self: &Arc<Self>, gate: Arc<Gate>, again: bool) {
        let mut questions = self.checks.lock();
        if again {
            questions.again.push_back(gate)
        } else {
            questions.new.push_back(gate)
        }
        if questions.threads == THREADS {
            return;
        }
        questions.threads += 1;
        drop(questions);
        let core = Arc::clone(self);
        let asking = thread::Builder::new().name("narad-check".to_owned()).spawn(move || {
            if let Err(cause) = caught(|| core.ask_of_topics()) {
                core.broke(cause);
            }
        });
        if let Err(error) = asking {
            let mut questions = self.checks.lock();
            questions.threads -= 1;
            if questions.threads > 0 {
                return;
            }
            let unasked: Vec<_> = questions
                .new
                .drain(..)
                .collect::<Vec<_>>()
                .into_iter()
                .chain(questions.again.drain(..))
                .collect();
            drop(questions);
            for gate in unasked {
                self.answered_of(
                    &gate,
                    Answer::Unanswered(format!("no thread can be started to ask: {error}")),
                );
            }
        }
    }

    fn ask_of_topics(&self) {
        loop {
            let mut questions = self.checks.lock();
            let Some((gate, again)) = questions.next() else {
                questions.threads -= 1;
                return;
            };
            drop(questions);
            let client = self.client.read().unwrap_or_else(PoisonError::into_inner).clone();
            let asked = self.clock().now();
            let answer = match client.as_deref() {
                Some(client) => {
                    let answer = topics::check(client, &self.settings, gate.topic(), again);
                    if !matches!(answer, Answer::Unanswered(_)) {
                        self.connection.answered_to(asked);
                    }
                    answer
                }
                None => Answer::Unanswered("the producer begins anew".to_owned()),
            };
            drop(client);
            if again {
                self.checks.lock().repeating -= 1;
            }
            self.answered_of(&gate, answer);
        }
    }

    fn answered_of(&self, gate: &Gate, answer: Answer) {
        let (answer, failure): (_, Option<Box<dyn Fn() -> Failure>>) = match answer {
            Answer::Known => (Checked::Known, None),
            Answer::Unanswered(cause) => (Checked::Unanswered(cause), None),
            Answer::Refused(failure) => (Checked::Refused, Some(failure)),
        };
        let mut outbox = self.lines.outbox();
        let refused = outbox.checked(gate, answer, self.clock().now());
        if failure.is_some() {
            outbox.let_go(gate, &self.lines.gates);
        }
        drop(outbox);
        self.lines.bell.ring();
        if let Some(failure) = failure {
            refused.iter().for_each(|waiting| waiting.fail(&failure));
        }
    }
}

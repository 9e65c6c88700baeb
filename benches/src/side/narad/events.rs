//! The events of the users, owned and borrowed.

use std::collections::HashMap;

use narad::prelude::*;

use crate::data::{Attributes, Envelope, User};

#[derive(Event)]
#[event(topic = "${BENCH_TOPIC:-bench}", type = "USER_LOGIN", key = user_id)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserLogin {
    pub(super) user_id: String,
    ip: String,
    action: String,
    attributes: HashMap<String, String>,
    pub(super) seq: i64,
}

#[derive(Event)]
#[event(topic = "${BENCH_TOPIC:-bench}", type = "USER_ACTION", key = user_id)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserAction {
    pub(super) user_id: String,
    ip: String,
    action: String,
    attributes: HashMap<String, String>,
    pub(super) seq: i64,
}

#[derive(Event)]
#[event(topic = "${BENCH_TOPIC:-bench}")]
pub(super) enum UserEvent {
    Login(UserLogin),
    Action(UserAction),
}

impl UserEvent {
    pub(super) fn seq(&self) -> i64 {
        match self {
            Self::Login(event) => event.seq,
            Self::Action(event) => event.seq,
        }
    }

    pub(super) fn set_seq(&mut self, seq: i64) {
        match self {
            Self::Login(event) => event.seq = seq,
            Self::Action(event) => event.seq = seq,
        }
    }
}

impl From<Envelope> for UserEvent {
    fn from(envelope: Envelope) -> Self {
        let User { user_id, ip, action, attributes, seq } = envelope.data;
        match envelope.r#type {
            "USER_LOGIN" => Self::Login(UserLogin { user_id, ip, action, attributes, seq }),
            _ => Self::Action(UserAction { user_id, ip, action, attributes, seq }),
        }
    }
}

/// Events made before the clock starts.
pub(super) fn pool() -> Vec<UserEvent> {
    crate::side::by_hand::pool().into_iter().map(UserEvent::from).collect()
}

#[derive(Event)]
#[event(type = "USER_LOGIN", key = user_id)]
#[serde(rename_all = "camelCase")]
pub(super) struct BorrowedLogin<'a> {
    user_id: &'a str,
    ip: &'a str,
    action: &'a str,
    #[serde(borrow)]
    attributes: Attributes<'a>,
    pub(super) seq: i64,
}

#[derive(Event)]
#[event(type = "USER_ACTION", key = user_id)]
#[serde(rename_all = "camelCase")]
pub(super) struct BorrowedAction<'a> {
    user_id: &'a str,
    ip: &'a str,
    action: &'a str,
    #[serde(borrow)]
    attributes: Attributes<'a>,
    pub(super) seq: i64,
}

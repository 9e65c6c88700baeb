//! What the program declares, as the macros registered it: its events and its handlers.

mod entries;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde::Serialize;

use crate::codec::{About, Shape};
use crate::handler::{HandlerSpec, Takes};

pub use entries::{EventEntry, HandlerEntry, ReturnsEvent, TakesEvent};

/// One handler, registered by `#[kafka_handler]`.
#[doc(hidden)]
#[derive(Debug)]
pub struct Registration(pub HandlerSpec);

inventory::collect!(Registration);

/// One event, registered by `#[derive(Event)]` or by [`events!`](crate::events).
#[doc(hidden)]
#[derive(Debug)]
pub struct EventRegistration(pub &'static Shape);

inventory::collect!(EventRegistration);

/// All registered handlers, in an order that does not depend on the linker.
pub(crate) fn handlers() -> Vec<HandlerSpec> {
    let mut handlers: Vec<_> =
        inventory::iter::<Registration>.into_iter().map(|registration| registration.0).collect();
    handlers.sort_by_key(|handler| (handler.module, handler.name, handler.about.file, handler.about.line));
    handlers
}

/// The events and handlers of the program, as they are written.
///
/// It is what the linker put into this program: an event or a handler of a crate that nothing names is not
/// in it (see [`handlers!`](crate::handlers)). As JSON (`Serialize`) it is for tools: documentation, tests
/// that compare two services, a check that a topic has a reader.
///
/// ```standalone_crate
/// use narad::prelude::*;
///
/// /// A user has signed in.
/// #[derive(Event)]
/// #[event(topic = "user.events", key = user_id)]
/// struct UserLogin {
///     user_id: String,
/// }
///
/// let login = narad::registry().events().iter().find(|event| event.name == "UserLogin").unwrap();
/// assert_eq!((login.types.as_slice(), login.topic, login.key), (["USER_LOGIN"].as_slice(), Some("user.events"), Some("user_id")));
/// assert_eq!(login.docs, "A user has signed in.");
/// ```
#[derive(Debug, Serialize)]
pub struct Registry {
    events: Vec<EventEntry>,
    handlers: Vec<HandlerEntry>,
}

impl Registry {
    /// The events, by name, then by where they are declared.
    ///
    /// Events with type or const parameters are there where a handler takes or returns them, or where
    /// [`events!`](crate::events) names them.
    pub fn events(&self) -> &[EventEntry] {
        &self.events
    }

    /// The handlers, by module, then by name, then by line.
    pub fn handlers(&self) -> &[HandlerEntry] {
        &self.handlers
    }
}

/// The events and handlers of this program, see [`Registry`].
pub fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| {
        let handlers = handlers();
        let mut known: BTreeSet<(About, &[&str])> = BTreeSet::new();
        let mut events: Vec<EventEntry> = inventory::iter::<EventRegistration>
            .into_iter()
            .map(|registration| registration.0)
            .chain(handlers.iter().flat_map(shapes))
            .filter(|shape| *shape.about != About::NOTHING && known.insert((*shape.about, shape.types)))
            .map(EventEntry::of)
            .collect();
        events.sort_by(|a, b| (a.name, a.file, a.line, &a.types).cmp(&(b.name, b.file, b.line, &b.types)));
        Registry { events, handlers: handlers.iter().map(HandlerEntry::of).collect() }
    })
}

/// The events that a handler takes or may return.
fn shapes(handler: &HandlerSpec) -> Vec<&'static Shape> {
    let taken = handler.takes_of_a_record().filter_map(|takes| match takes {
        Takes::Event(_, shape) => Some(shape),
        _ => None,
    });
    taken.chain(handler.returned().events.into_iter().map(|returned| returned.shape)).collect()
}

//! What the application shares with its handlers.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A value given to the builder with [`state`](crate::Builder::state), as a handler's parameter. Derefs to
/// the value; cheap to clone.
pub struct State<S: ?Sized>(Arc<S>);

impl<S: ?Sized> Clone for State<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: ?Sized> Deref for State<S> {
    type Target = S;
    fn deref(&self) -> &S {
        &self.0
    }
}

impl<S: ?Sized + fmt::Debug> fmt::Debug for State<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("State").field(&&*self.0).finish()
    }
}

/// The states of an application, by type.
#[derive(Clone, Default)]
pub(crate) struct States(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl States {
    pub(crate) fn insert<S: Send + Sync + 'static>(&mut self, state: S) {
        self.0.insert(TypeId::of::<S>(), Arc::new(state));
    }

    pub(crate) fn contains(&self, wanted: &Wanted) -> bool {
        self.0.contains_key(&(wanted.id)())
    }

    pub(crate) fn get<S: Send + Sync + 'static>(&self) -> Option<State<S>> {
        self.0.get(&TypeId::of::<S>()).and_then(|state| state.clone().downcast::<S>().ok()).map(State)
    }

    pub(crate) fn get_ref<S: Send + Sync + 'static>(&self) -> Option<&S> {
        self.0.get(&TypeId::of::<S>()).and_then(|state| state.downcast_ref::<S>())
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "States({})", self.0.len())
    }
}

/// A state that a handler asks for, so that a missing one is an error at start and not at the first record.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub id: fn() -> TypeId,
    pub name: fn() -> &'static str,
}

impl Wanted {
    pub(crate) const fn of<S: 'static>() -> Self {
        Self { id: TypeId::of::<S>, name: type_name::<S> }
    }
}

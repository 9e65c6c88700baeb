//! A batch of events, as a handler's parameter.

/// Several events of one partition, in order.
#[derive(Clone, Debug)]
pub struct Batch<T> {
    events: Vec<T>,
}

impl<T> Batch<T> {
    pub(crate) fn new(events: Vec<T>) -> Self {
        Self { events }
    }

    /// The events in order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.events.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are none; the engine gives no empty batch.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

impl<T> IntoIterator for Batch<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;
    fn into_iter(self) -> Self::IntoIter {
        self.events.into_iter()
    }
}

impl<'b, T> IntoIterator for &'b Batch<T> {
    type Item = &'b T;
    type IntoIter = std::slice::Iter<'b, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

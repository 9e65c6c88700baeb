//! Values of the user's that Narad drops: their `Drop` may panic, and so may that of what they panicked with.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops a value; a panic of its `Drop` goes no further.
pub(crate) fn discard<T>(value: T) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // What a drop panicked with while it was dropped is left where it is: somewhere there has to be an
        // end.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
            std::mem::forget(again);
        }
    }
}

/// Calls what may panic, such as a log of the application's; a panic goes no further.
pub(crate) fn quietly(call: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(call)) {
        discard(panic);
    }
}

/// What a panic says.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Panics as often as the number says, each time with what panics once less.
    struct Bomb(u32);

    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 > 0 {
                std::panic::panic_any(Bomb(self.0 - 1));
            }
        }
    }

    #[test]
    fn however_often_a_drop_panics_it_goes_no_further() {
        (0..5).for_each(|times| discard(Bomb(times)));
    }
}

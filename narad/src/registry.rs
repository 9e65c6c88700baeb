//! The handlers of the program, as the macros registered them.

use crate::handler::HandlerSpec;

/// One handler, registered by `#[kafka_handler]`.
#[doc(hidden)]
#[derive(Debug)]
pub struct Registration(pub HandlerSpec);

inventory::collect!(Registration);

/// All registered handlers, in an order that does not depend on the linker.
pub(crate) fn handlers() -> Vec<HandlerSpec> {
    let mut handlers: Vec<_> =
        inventory::iter::<Registration>.into_iter().map(|registration| registration.0).collect();
    handlers.sort_by_key(|handler| (handler.module, handler.name));
    handlers
}

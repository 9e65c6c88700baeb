//! What the one run of an application is made of, from its builder on.

use std::sync::Arc;

use crate::config::Config;
use crate::layer::Layers;
use crate::state::States;

pub(super) struct Setup {
    pub(super) config: Config,
    pub(super) states: Arc<States>,
    pub(super) layers: Layers,
}

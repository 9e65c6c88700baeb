//! The builder: checks the configuration, and makes the application.

use std::sync::Arc;

use super::setup::Setup;
use crate::application::{About, Narad};
use crate::clock::Clock;
use crate::config::{ClientKind, Config, Environment};
use crate::describe::described_names;
use crate::error::{Error, Result};
use crate::layer::{Layer, Layers};
use crate::producer::{Producer, Settings, once};
use crate::state::States;
use crate::supervision::Supervision;

/// Builds a [`Narad`].
#[derive(Debug, Default)]
pub struct Builder {
    config: Option<Config>,
    states: States,
    layers: Layers,
    groups: Option<Vec<String>>,
}

impl Narad {
    /// A builder with the configuration of the environment.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Builder {
    /// The configuration. Without this call it is that of the environment.
    pub fn config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// A value that handlers take as [`State<S>`](crate::State); one of each type.
    pub fn state<S: Send + Sync + 'static>(mut self, state: S) -> Self {
        self.states.insert(state);
        self
    }

    /// Runs only these groups; instead of `NARAD_GROUPS`.
    pub fn groups<G: AsRef<str>>(mut self, groups: impl IntoIterator<Item = G>) -> Self {
        self.groups = Some(groups.into_iter().map(|group| group.as_ref().to_owned()).collect());
        self
    }

    /// Puts a layer around every attempt of a handler, inside those given before.
    pub fn layer(mut self, layer: impl Layer) -> Self {
        self.layers = self.layers.with(layer);
        self
    }

    /// Reads the environment if no configuration was given.
    pub(crate) fn configured(self) -> Result<Self> {
        let config = match self.config {
            Some(config) => config,
            None => Config::from_env()?,
        };
        Ok(Self { config: Some(config), ..self })
    }

    pub(crate) fn config_given(&self) -> Option<&Config> {
        self.config.as_ref()
    }

    /// Checks the configuration and makes the application. Does not connect.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) in one line that names the variable.
    pub async fn build(self) -> Result<Narad> {
        let mut config = match self.config {
            Some(config) => config,
            None => Config::from_env()?,
        };
        if self.groups.is_some() {
            config.groups = self.groups;
        }
        config.check()?;
        let config = config.with_tokens().map_err(Error::Config)?;
        let client = config.client_config(ClientKind::Producer)?;
        let brokers = if config.is_embedded() {
            vec![crate::transport::embedded::brokers()?]
        } else {
            config.addresses()
        };
        let variables = config.clone();
        let supervision = Arc::<Supervision>::default();
        let producer = Producer::new(Settings {
            client,
            client_id: config.client_id.clone(),
            brokers: brokers.clone(),
            connection_timeout: config.connection_timeout,
            development: config.environment == Environment::Development,
            create_topics: config.creates_topics(),
            embedded: config.is_embedded(),
            resolve: once(move |topic| variables.resolve(topic, "topic")),
            supervision: supervision.clone(),
            clock: Clock::real(),
            transport: Arc::new(crate::transport::Kafka),
        });
        let described = config.clone();
        let about = About::new(
            config.client_id.clone(),
            brokers,
            config.http_token.as_ref().map(|token| token.reveal().to_owned()),
            move || described_names(&described),
        );
        let setup = Setup { config, states: Arc::new(self.states), layers: self.layers };
        Ok(Narad::new(about, producer, supervision, Arc::new(setup)))
    }
}

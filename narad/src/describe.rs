//! `NARAD_DESCRIBE`: what the program declares and its settings, without running it.

use std::io::{Write, stdout};

use serde_json::{Value, json};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::registry::registry;

/// Whether a run is to describe the program. A tool asks any program, also one that brings its own
/// configuration.
pub(crate) fn is_asked(config: &Config) -> bool {
    config.describe.is_some() || std::env::var("NARAD_DESCRIBE").is_ok_and(|text| text.trim() == "json")
}

/// Prints it on stdout, as one line.
pub(crate) fn describe(config: &Config) -> Result<()> {
    let unprintable = |error: &dyn std::fmt::Display| Error::Start(format!("NARAD_DESCRIBE: {error}"));
    let mut described = described_names(config);
    described["settings"] = json!(config.settings());
    writeln!(stdout(), "{described}").map_err(|error| unprintable(&error))
}

/// The events and handlers of the program, with all names resolved: `null` where a variable is missing.
pub(crate) fn described_names(config: &Config) -> Value {
    let mut described = json!(registry());
    resolve(&mut described, config);
    described
}

/// Puts values in the place of `${VAR}`: in what attributes write, and nowhere else.
fn resolve(described: &mut Value, config: &Config) {
    for event in entries(&mut described["events"]) {
        name(&mut event["topic"], config);
    }
    for handler in entries(&mut described["handlers"]) {
        match &handler["group"] {
            Value::Null => handler["group"] = json!(config.default_group("").ok()),
            _ => name(&mut handler["group"], config),
        }
        name(&mut handler["pattern"], config);
        entries(&mut handler["topics"]).for_each(|topic| name(topic, config));
        entries(&mut handler["returns"]).for_each(|event| name(&mut event["topic"], config));
        if let Some(topic) = handler["options"].get_mut("dead_letter") {
            name(topic, config);
        }
    }
}

fn entries(list: &mut Value) -> impl Iterator<Item = &mut Value> {
    list.as_array_mut().into_iter().flatten()
}

fn name(written: &mut Value, config: &Config) {
    if let Some(text) = written.as_str() {
        *written = json!(config.resolve(text, "").ok());
    }
}

//! What the log says at the start.

use crate::assemble::GroupPlan;
use crate::config::Config;

/// Says where it connects, and the table of handlers.
pub(crate) fn announce(config: &Config, brokers: &[String], plans: &[GroupPlan]) {
    config.notes.iter().for_each(|note| tracing::info!(target: "narad", "{note}"));
    config.warnings().iter().for_each(|warning| tracing::warn!(target: "narad", "{warning}"));
    let security = match (config.ssl, config.login_shown()) {
        _ if config.is_embedded() => "inside this process".to_owned(),
        (false, None) => "plaintext".to_owned(),
        (true, None) => "TLS".to_owned(),
        (false, Some(login)) => login,
        (true, Some(login)) => format!("TLS, {login}"),
    };
    let names: Vec<_> = plans.iter().map(|plan| plan.name.as_str()).collect();
    tracing::info!(target: "narad", "brokers {}, {security}, client id {}, groups {}", brokers.join(","), config.client_id, names.join(", "));
    let mut table = String::new();
    plans.iter().for_each(|plan| plan.table(&mut table));
    // Each handler is a line of its own: log lines are escaped.
    table.lines().filter(|line| !line.is_empty()).for_each(|line| tracing::info!(target: "narad", "{line}"));
}

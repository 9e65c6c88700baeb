//! The thread that asks the source: `narad-login`. Beside it `narad-login source` runs the source's own code,
//! so that one that blocks its thread is noticed, too.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::runtime::{Builder, Handle};
use tokio::time::{sleep, timeout};

use super::held::Turn;
use super::shared::{Shared, State};
use super::token::Token;
use crate::discard::{discard, panic_text};
use crate::outcome::told;
use crate::supervision::caught;

/// The source has so long for a token.
const PATIENCE: Duration = Duration::from_secs(30);
/// Clients without a token learn after this that it is the source they wait for.
const SAID_AFTER: Duration = Duration::from_secs(2);
/// So long nobody looks at the clock, which may be set, or run on while the machine sleeps.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

/// Begins to ask, until no client is left. `is_asking` is set already.
pub(super) fn begin(shared: &Arc<Shared>, state: &mut State) {
    let asked = shared.clone();
    let work = move || {
        // What broke is a failure of the source, and it is asked again.
        while let Err(cause) = caught(|| run(&asked)).and_then(|ran| ran) {
            let answer = asked.lock().held.answer(Err(cause.clone()), SystemTime::now());
            turned(&asked, &answer);
            std::thread::sleep(Duration::from_secs(1));
        }
    };
    if let Err(error) = std::thread::Builder::new().name("narad-login".to_owned()).spawn(work) {
        state.is_asking = false;
        let cause = format!("no thread to ask {}: {error}", shared.name);
        tracing::error!(target: "narad", "{cause}");
        state.clients.lack(&cause);
    }
}

/// The source has a runtime of its own: its connections and timers live as long as it is asked, whatever the
/// application's runtime does.
fn run(shared: &Arc<Shared>) -> Result<(), String> {
    let no_threads = |error| format!("no threads: {error}");
    let clock = Builder::new_current_thread().enable_time().build().map_err(no_threads)?;
    let source = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("narad-login source")
        .enable_all()
        .build()
        .map_err(no_threads)?;
    clock.block_on(serve(shared, source.handle()));
    // A source that blocks is not waited for.
    source.shutdown_background();
    Ok(())
}

async fn serve(shared: &Arc<Shared>, source: &Handle) {
    let mut had_one = false;
    loop {
        let now = SystemTime::now();
        let due = {
            let mut state = shared.lock();
            if state.clients.is_empty() {
                state.is_asking = false;
                return;
            }
            let has_one = state.held.good(now).is_some();
            if std::mem::replace(&mut had_one, has_one) && !has_one {
                let cause = state.held.cause().unwrap_or("it has not answered");
                tracing::error!(
                    target: "narad",
                    "the last token has ended, and {} gave no other: {cause}; brokers end the connections \
                     of this program, and take no new one until there is a token",
                    shared.name
                );
                state.clients.lack(&format!("{}: {cause}", shared.name));
            }
            if state.held.ask(now) { None } else { state.held.due(now) }
        };
        if let Some(due) = due {
            let pause = due.duration_since(now).unwrap_or_default().min(LONGEST_SLEEP);
            tokio::select! {
                () = sleep(pause) => {}
                () = shared.bell.notified() => {}
            }
            continue;
        }
        let answer = ask(shared, source).await;
        let turn = shared.lock().held.answer(answer, SystemTime::now());
        turned(shared, &turn);
    }
}

/// Asks the source once.
async fn ask(shared: &Arc<Shared>, source: &Handle) -> Result<Token, String> {
    let asked = shared.clone();
    let mut asking = source.spawn(async move { asked.ask().await });
    let answer = match timeout(SAID_AFTER, &mut asking).await {
        Ok(answer) => answer,
        Err(_) => {
            waits(shared);
            match timeout(PATIENCE - SAID_AFTER, &mut asking).await {
                Ok(answer) => answer,
                Err(_) => {
                    asking.abort();
                    return Err(format!("no answer within {} s", PATIENCE.as_secs()));
                }
            }
        }
    };
    match answer {
        Ok(Ok(token)) => Ok(token),
        Ok(Err(error)) => {
            let cause = told(&error, error.source());
            discard(error);
            Err(cause)
        }
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => {
                let cause = format!("it panicked: {}", crate::outcome::bounded(&panic_text(&*panic)));
                discard(panic);
                Err(cause)
            }
            Err(_) => Err("it was ended".to_owned()),
        },
    }
}

/// Clients that have no token learn that it is the source they wait for.
fn waits(shared: &Shared) {
    let state = shared.lock();
    if state.held.good(SystemTime::now()).is_none() {
        state.clients.lack(&format!("{}: no answer for {} s", shared.name, SAID_AFTER.as_secs()));
    }
}

/// Says what an answer changed, and tells the clients.
fn turned(shared: &Shared, turn: &Turn) {
    let now = SystemTime::now();
    let state = shared.lock();
    let seconds = |until: SystemTime| until.duration_since(now).unwrap_or_default().as_secs();
    let name = &shared.name;
    match turn {
        Turn::Unasked => {}
        Turn::Fresh(token, failed) => {
            let left = seconds(token.expires_at);
            match failed {
                Some(failed) => {
                    let lasted = now.duration_since(failed.since).unwrap_or_default().as_secs_f64();
                    tracing::info!(
                        target: "narad",
                        "{name} gives tokens again, after {lasted:.1} s; the new one is good for {left} s"
                    );
                }
                None => tracing::debug!(target: "narad", "{name} gave a token, which is good for {left} s"),
            }
            state.clients.take(token);
        }
        Turn::Failed { is_new } => {
            let cause = state.held.cause().unwrap_or_default();
            match state.held.good(now) {
                Some(token) if *is_new => tracing::warn!(
                    target: "narad",
                    "{name} gave no token: {cause}; the one that is in use is good for {} s more, and \
                     another one is asked for until then",
                    seconds(token.expires_at)
                ),
                None if *is_new => tracing::error!(
                    target: "narad",
                    "{name} gave no token: {cause}; without one no broker lets this program in; it is \
                     asked again"
                ),
                _ => tracing::debug!(target: "narad", "{name} gave no token: {cause}"),
            }
            if state.held.good(now).is_none() {
                state.clients.lack(&format!("{name}: {cause}"));
            }
        }
    }
}

//! Logging in with tokens (SASL OAUTHBEARER), at a listener that wants another login every 30 s.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use narad::prelude::*;
use narad::{Config, Narad, SaslMechanism, Token};
use narad_tests::cluster::{Cluster, fresh, variable};

type Given = Result<Token, Box<dyn Error + Send + Sync>>;

/// A JWT that nobody signed, as the listener takes them.
fn jwt(subject: &str, life: i64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock").as_secs() as i64;
    let claims = format!(r#"{{"sub":"{subject}","iat":{},"exp":{}}}"#, now - 60, now + life);
    format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), URL_SAFE_NO_PAD.encode(claims))
}

fn good_for(seconds: u64) -> Given {
    let ends = SystemTime::now() + Duration::from_secs(seconds);
    Ok(Token::new(jwt("alice", seconds as i64), ends).principal("alice"))
}

fn config() -> Config {
    let mut config = Config {
        brokers: variable("NARAD_TEST_TOKEN_BROKERS").split(',').map(str::to_owned).collect(),
        sasl_mechanism: SaslMechanism::OAuthBearer,
        create_topics: Some(true),
        connection_timeout: Duration::from_secs(6),
        ..Config::default()
    };
    config.variables.set("TOKENS_TOPIC", fresh("tokens"));
    // Those of the other tests of this program.
    config.variables.set("STARTING_TOPIC", "starting");
    config.variables.set("STARTING_OTHER", "starting-other");
    config
}

/// What a start says where no broker lets this program in.
async fn refusal(config: Config) -> String {
    let narad = Narad::builder().config(config).build().await.expect("an application");
    let said = narad.connect().await.expect_err("no connection").to_string();
    println!("{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_broker_refuses_is_named() {
    if Cluster::of_env().is_none() {
        return;
    }
    // Narad takes it for a good one, the broker knows that it has ended.
    let ended = || async {
        let ends = SystemTime::now() + Duration::from_secs(300);
        Ok(Token::new(jwt("canary", -30), ends))
    };
    let said = refusal(config().token_provider(ended)).await;
    assert!(said.contains("the broker refuses the token"), "{said}");
    assert!(!said.contains("KAFKA_SASL_PASSWORD"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_a_token_says_why_there_is_none() {
    if Cluster::of_env().is_none() {
        return;
    }
    let said = refusal(config().token_provider(|| async { Err("the vault is sealed".into()) })).await;
    let why = "there is no token to log in with: the token provider: the vault is sealed";
    assert!(said.contains(why), "{said}");
    let slow = || async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        good_for(60)
    };
    let said = refusal(config().token_provider(slow)).await;
    assert!(said.contains("the token provider: no answer for 2 s"), "{said}");
}

#[derive(Event)]
#[event(topic = "${TOKENS_TOPIC:-tokens}", key = number)]
struct Beat {
    number: u64,
}

type Seen = Arc<Mutex<Vec<(u64, Instant)>>>;

#[kafka_handler(topic = "${TOKENS_TOPIC:-tokens}", group = "${TOKENS_GROUP:-tokens}", start = "earliest")]
async fn beat(beat: Beat, seen: State<Seen>) {
    seen.lock().expect("no panic").push((beat.number, Instant::now()));
}

/// The first token is good for 70 s: over two logins of each connection. The refresh fails once, and then
/// takes ten seconds, in which the provider blocks its thread.
#[tokio::test(flavor = "multi_thread")]
async fn over_logins_again_and_a_refresh_that_fails_no_record_is_lost_or_repeated_and_none_is_held_up() {
    if Cluster::of_env().is_none() {
        return;
    }
    let asked = Arc::<AtomicUsize>::default();
    let slow = Arc::<Mutex<Option<(Instant, Instant)>>>::default();
    let (count, told) = (asked.clone(), slow.clone());
    let mut config = config();
    let group = fresh("tokens-group");
    config.variables.set("TOKENS_GROUP", &group);
    let config = config.token_provider(move || {
        let (time, told) = (count.fetch_add(1, SeqCst), told.clone());
        async move {
            match time {
                0 => good_for(70),
                1 => Err("the token service is restarted".into()),
                _ => {
                    let begun = Instant::now();
                    std::thread::sleep(Duration::from_secs(10));
                    told.lock().expect("no panic").get_or_insert((begun, Instant::now()));
                    good_for(3_600)
                }
            }
        }
    });
    let (seen, begun) = (Seen::default(), Instant::now());
    let builder = Narad::builder().config(config).state(seen.clone()).groups([&group]);
    let narad = builder.build().await.expect("an application");
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let running = narad.clone();
    let run = tokio::spawn(async move { running.run_until(async { drop(ended.await) }).await });
    narad.connect().await.expect("a connection");
    let mut sent = 0;
    let is_over = || slow.lock().expect("no panic").is_some_and(|(_, end)| end.elapsed().as_secs() >= 5);
    while !is_over() {
        assert!(begun.elapsed() < Duration::from_secs(180), "the provider was asked {asked:?} times");
        narad.publish(&Beat { number: sent }).await.expect("an acknowledgement");
        sent += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    narad_tests::wait::until("all records are handled", || {
        seen.lock().expect("no panic").len() as u64 >= sent
    });
    end.send(()).expect("it runs");
    run.await.expect("no panic").expect("a clean end");

    let seen = seen.lock().expect("no panic");
    let mut numbers: Vec<u64> = seen.iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..sent).collect::<Vec<_>>(), "each once");
    assert_eq!(asked.load(SeqCst), 3, "for all clients together");
    // While the provider blocked, and while the connections logged in again, records went on.
    let (from, to) = slow.lock().expect("no panic").expect("a slow refresh");
    let meanwhile = seen.iter().filter(|(_, at)| (from..to).contains(at)).count();
    let gap = seen.windows(2).map(|pair| pair[1].1.duration_since(pair[0].1)).max();
    println!(
        "{sent} records in {:?}, {meanwhile} in the slow refresh, longest pause {gap:?}",
        begun.elapsed()
    );
    assert!(meanwhile > 20, "{meanwhile} records while the provider blocked");
    assert!(gap < Some(Duration::from_secs(8)), "nothing for {gap:?}");
}

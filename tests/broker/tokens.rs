//! Logging in with tokens (SASL OAUTHBEARER), at a listener that wants another login every 30 s.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpListener;
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

/// Publishes, and handles what it publishes, until that is over, and for `NARAD_TEST_TOKENS_SECONDS`: how
/// many, and what was handled when. None is lost or repeated.
async fn beats(mut config: Config, is_over: impl Fn() -> bool) -> (u64, Vec<(u64, Instant)>) {
    let group = fresh("tokens-group");
    config.variables.set("TOKENS_GROUP", &group);
    let (seen, begun) = (Seen::default(), Instant::now());
    let builder = Narad::builder().config(config).state(seen.clone()).groups([&group]);
    let narad = builder.build().await.expect("an application");
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let running = narad.clone();
    let run = tokio::spawn(async move { running.run_until(async { drop(ended.await) }).await });
    narad.connect().await.expect("a connection");
    let least = std::env::var("NARAD_TEST_TOKENS_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let least = Duration::from_secs(least.unwrap_or_default());
    let mut sent = 0;
    while !is_over() || begun.elapsed() < least {
        assert!(is_over() || begun.elapsed() < Duration::from_secs(180), "the source was not asked again");
        narad.publish(&Beat { number: sent }).await.expect("an acknowledgement");
        sent += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let handled = || seen.lock().expect("no panic").len() as u64 >= sent;
    narad_tests::wait::until("all records are handled", handled);
    end.send(()).expect("it runs");
    run.await.expect("no panic").expect("a clean end");
    let seen = seen.lock().expect("no panic").clone();
    let mut numbers: Vec<u64> = seen.iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..sent).collect::<Vec<_>>(), "each once");
    let longest = seen.windows(2).map(|pair| pair[1].1.duration_since(pair[0].1)).max();
    println!("{sent} records in {:?}, longest pause {longest:?}", begun.elapsed());
    assert!(longest < Some(Duration::from_secs(8)), "nothing for {longest:?}");
    (sent, seen)
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
    let config = config().token_provider(move || {
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
    let is_over = || slow.lock().expect("no panic").is_some_and(|(_, end)| end.elapsed().as_secs() >= 5);
    let (_, seen) = beats(config, is_over).await;
    assert_eq!(asked.load(SeqCst), 3, "for all clients together");
    // While the provider blocked records went on.
    let (from, to) = slow.lock().expect("no panic").expect("a slow refresh");
    let meanwhile = seen.iter().filter(|(_, at)| (from..to).contains(at)).count();
    assert!(meanwhile > 20, "{meanwhile} records while the provider blocked");
}

/// The questions of a token service, each with the time when it came.
type Questions = Arc<Mutex<Vec<(Instant, String)>>>;

/// A token service on this machine: answers each question with the next of these, the last one again and
/// again.
fn service(answers: Vec<fn() -> (u16, String)>) -> (String, Questions) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/token", listener.local_addr().expect("an address"));
    let asked = Questions::default();
    let told = asked.clone();
    std::thread::spawn(move || {
        for (time, stream) in listener.incoming().enumerate() {
            let mut stream = stream.expect("a client");
            let (mut question, mut bytes) = (String::new(), [0; 4_096]);
            while !question.contains("grant_type=") {
                let read = stream.read(&mut bytes).expect("a question");
                question.push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
            told.lock().expect("no panic").push((Instant::now(), question));
            let (status, body) = answers[time.min(answers.len() - 1)]();
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    (url, asked)
}

fn with_service(url: &str) -> Config {
    Config {
        oauth_token_url: Some(url.to_owned()),
        oauth_client_id: Some("billing".to_owned()),
        oauth_client_secret: Some("canary".into()),
        ..config()
    }
}

fn answer(seconds: u64) -> (u16, String) {
    (200, format!(r#"{{"access_token":"{}","expires_in":{seconds}}}"#, jwt("alice", 3_600)))
}

/// The service says that its first token is good for 40 s, and is away when the next one is due. Later ones
/// are good for a minute.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_service_last_over_logins_again_and_a_service_that_is_away() {
    if Cluster::of_env().is_none() {
        return;
    }
    let away = || (503, String::new());
    let (url, asked) = service(vec![|| answer(40), away, || answer(60)]);
    let is_over =
        || asked.lock().expect("no panic").get(2).is_some_and(|(at, _)| at.elapsed().as_secs() >= 30);
    beats(with_service(&url), is_over).await;
    let asked = asked.lock().expect("no panic");
    println!("the service was asked {} times", asked.len());
    assert!(asked[0].1.starts_with("POST /token HTTP/1.1"), "{}", asked[0].1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_refuses_the_client_is_named_with_the_variables() {
    if Cluster::of_env().is_none() {
        return;
    }
    let (url, _) = service(vec![|| (401, r#"{"error":"invalid_client"}"#.to_owned())]);
    let said = refusal(with_service(&url)).await;
    assert!(said.contains("there is no token to log in with: the token service at 127.0.0.1:"), "{said}");
    assert!(said.contains("401 (invalid_client): check KAFKA_OAUTH_CLIENT_ID"), "{said}");
    assert!(!said.contains("canary"), "{said}");
}

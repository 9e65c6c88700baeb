//! What an application tells over HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use narad::prelude::*;
use narad::{Config, Narad};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::{Run, Seen, config, sightings, until};

#[derive(Event)]
#[event(topic = "it.told", type = "TOLD", key = key)]
struct Told {
    key: String,
}

/// Takes what is told.
#[kafka_handler(topic = "it.told", group = "it-told", retry(attempts = 1))]
async fn listens(event: Told, seen: State<Seen>) -> Result<(), &'static str> {
    let _ = seen.send(("told", event.key.clone()));
    if event.key == "bad" { Err("it was bad") } else { Ok(()) }
}

#[kafka_handler(
    topic = "it.told.failures",
    group = "it-told-failures",
    retry(attempts = 2, backoff = "1ms..1ms")
)]
async fn remembers(event: Told, seen: State<Seen>) -> Result<(), String> {
    let _ = seen.send(("remembered", event.key.clone()));
    if event.key == "bad" { Err(format!("it was {}", event.key)) } else { Ok(()) }
}

const TOKEN: &str = "open sesame";

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

fn served(address: SocketAddr) -> Config {
    let mut config = config();
    config.http = Some(address);
    config.http_token = Some(TOKEN.into());
    config
}

/// An application of one group, and what its handlers see.
async fn application(config: Config, group: &str) -> (Narad, UnboundedReceiver<(&'static str, String)>) {
    let (seen, sighted) = unbounded_channel();
    let narad = Narad::builder().config(config).groups([group]).state::<Seen>(seen).build().await;
    (narad.expect("an application"), sighted)
}

/// The answer to a request: its status, its head, its body.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a time-out");
    stream
}

/// Sends a request as it stands there, and reads until the server closes.
fn raw(address: SocketAddr, request: &str) -> Answer {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).expect("a request");
    let mut text = String::new();
    // A server that closes on a request that it did not read to its end may reset the connection.
    let _ = stream.read_to_string(&mut text);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let host = address.to_string();
    let is_named = headers.iter().any(|(name, _)| *name == "Host");
    let host = if is_named { None } else { Some(("Host", &*host)) };
    let headers: String =
        headers.iter().chain(&host).map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    raw(address, &format!("{method} {path} HTTP/1.1\r\n{headers}\r\n"))
}

fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, "GET", path, &[])
}

/// The value of a sample, by the whole of its name and labels.
fn sample(metrics: &str, name: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_tells_its_health_its_parts_and_its_figures() {
    let address = free_address();
    let (narad, mut sighted) = application(served(address), "it-told").await;
    let run = Run::of(&narad);
    for key in ["a", "b", "bad"] {
        narad.publish(&Told { key: key.into() }).await.expect("an acknowledgement");
    }
    sightings(&mut sighted, 3).await;
    until("it is ready", || narad.health().is_ready()).await;
    until("all is settled and committed", || {
        let settled = narad.handlers().iter().map(|handler| handler.settled()).next().expect("a handler");
        let partitions = narad.partitions();
        let is_committed = partitions.iter().all(|partition| partition.uncommitted.is_none());
        (settled.done, settled.dead_lettered) == (2, 1) && partitions.len() == 4 && is_committed
    })
    .await;

    let health = get(address, "/health/kafka");
    assert_eq!((health.status, health.body.as_str()), (200, narad.health().to_string().as_str()));
    assert!(health.head.contains("content-type: application/json"), "{}", health.head);
    for probe in ["/health/ready", "/health/live"] {
        let answer = get(address, probe);
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"), "{probe}");
    }
    let handlers = get(address, "/api/v1/handlers").json();
    let listener = handlers.as_array().into_iter().flatten().find(|handler| handler["name"] == "listens");
    let listener = listener.expect("the handler");
    assert_eq!(listener["docs"], "Takes what is told.");
    assert_eq!(listener["view"]["topics"][0]["deadLettered"], 1, "{listener}");
    let others = handlers.as_array().into_iter().flatten().find(|handler| handler["group"] != "it-told");
    assert_eq!(others.expect("one of another group")["view"], Value::Null);
    let events = get(address, "/api/v1/events").json();
    assert!(events.as_array().into_iter().flatten().any(|event| event["name"] == "Told"), "{events}");
    let groups = get(address, "/api/v1/groups").json();
    assert_eq!((groups[0]["group"].as_str(), groups[0]["state"].as_str()), (Some("it-told"), Some("stable")));
    assert_eq!(get(address, "/api/v1/partitions").json().as_array().map(Vec::len), Some(4));

    let metrics = get(address, "/metrics");
    assert!(metrics.head.contains("content-type: text/plain; version=0.0.4"), "{}", metrics.head);
    let text = metrics.body;
    let of = r#"group="it-told",topic="it.told",handler="listens""#;
    assert_eq!(sample(&text, &format!(r#"narad_records_total{{{of},outcome="done"}}"#)), Some(2.0), "{text}");
    assert_eq!(sample(&text, &format!(r#"narad_records_total{{{of},outcome="dead_lettered"}}"#)), Some(1.0));
    assert_eq!(
        sample(&text, &format!(r#"narad_dead_letters_total{{{of},class="&str"}}"#)),
        Some(1.0),
        "{text}"
    );
    let attempts = r#"narad_attempts_total{group="it-told",handler="listens",result="#;
    assert_eq!(sample(&text, &format!(r#"{attempts}"err"}}"#)), Some(1.0), "{text}");
    assert_eq!(sample(&text, r#"narad_group_state{group="it-told",state="stable"}"#), Some(1.0), "{text}");
    assert_eq!(sample(&text, "narad_connected"), Some(1.0), "{text}");
    assert_eq!(sample(&text, "narad_send_queue_records"), Some(0.0), "{text}");
    for view in narad.partitions() {
        let of = format!(r#"group="it-told",topic="it.told",partition="{}""#, view.partition);
        let at = |kind: &str| sample(&text, &format!(r#"narad_offset{{{of},kind="{kind}"}}"#));
        let told = [at("read"), at("finished"), at("committed")];
        let seen = [view.next_read, view.next_commit, view.committed];
        assert_eq!(told, seen.map(|offset| offset.map(|offset| offset as f64)), "{view}");
    }
    let open = ask(address, "GET", "/metrics", &[("Accept", "application/openmetrics-text;version=1.0.0")]);
    assert!(open.head.contains("content-type: application/openmetrics-text"), "{}", open.head);
    assert!(open.body.ends_with("# EOF\n"), "{}", open.body);

    run.stop().await.expect("a clean end");
    assert!(TcpStream::connect(address).is_err(), "the server ends with the run");
    assert!(narad.metrics().contains(r#"narad_group_state{group="it-told",state="ended"} 1"#));
}

/// A server with nothing behind it but what is not connected.
async fn unconnected(address: SocketAddr) -> (Narad, Run) {
    let mut config = served(address);
    config.brokers = vec!["127.0.0.1:1".to_owned()];
    config.environment = narad::Environment::Development;
    let (narad, _) = application(config, "it-told").await;
    let run = Run::of(&narad);
    until("it is served", || TcpStream::connect(address).is_ok()).await;
    (narad, run)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_an_application_is_alive_and_not_ready() {
    let address = free_address();
    let (_narad, run) = unconnected(address).await;
    assert_eq!(get(address, "/health/kafka").status, 503);
    let ready = get(address, "/health/ready");
    assert_eq!(ready.status, 503);
    assert!(ready.body.starts_with("no broker of 127.0.0.1:1 answers\n"), "{}", ready.body);
    let live = get(address, "/health/live");
    assert_eq!((live.status, live.body.as_str()), (200, "ok\n"), "a restart would mend nothing");
    assert_eq!(sample(&get(address, "/metrics").body, "narad_connected"), Some(0.0));
    run.stop().await.expect("a clean end");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_hosts_other_pages_and_other_methods_are_refused() {
    let address = free_address();
    let (_narad, run) = unconnected(address).await;
    let routes = [
        "/health/kafka",
        "/health/ready",
        "/health/live",
        "/metrics",
        "/api/v1/handlers",
        "/api/v1/events",
        "/api/v1/groups",
        "/api/v1/partitions",
        "/api/v1/failures",
    ];
    let host = address.to_string();
    for route in routes {
        for other in ["evil.example", "10.1.2.3:80", "localhost.evil.example"] {
            let answer = ask(address, "GET", route, &[("Host", other)]);
            assert_eq!(answer.status, 421, "{route} as {other}");
            assert!(answer.body.contains("bound to loopback"), "{}", answer.body);
        }
        for other in ["http://evil.example", "null", "https://127.0.0.1"] {
            assert_eq!(ask(address, "GET", route, &[("Origin", other)]).status, 403, "{route} from {other}");
        }
        let own = format!("http://{host}");
        assert_ne!(ask(address, "GET", route, &[("Origin", &own)]).status, 403, "{route} from its own page");
        let posted = ask(address, "POST", route, &[]);
        assert_eq!(posted.status, 405, "{route}");
        assert!(posted.head.contains("allow: get,head"), "{}", posted.head);
        let head = ask(address, "HEAD", route, &[]);
        assert_eq!(head.body, "", "{route}");
    }
    assert_eq!(get(address, "/").status, 404);
    run.stop().await.expect("a clean end");
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_floods_and_huge_heads_keep_nobody_from_an_answer() {
    let address = free_address();
    let (_narad, run) = unconnected(address).await;
    // Each has begun a request, and does not end it.
    let slow: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = connect(address);
            let _ = stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: ");
            stream
        })
        .collect();
    assert_eq!(get(address, "/health/live").status, 200);
    let huge = format!("GET /health/live HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    assert_eq!(raw(address, &huge).status, 431);
    // The last of the slow ones is let go after its time, without an answer to what it did not ask.
    let mut text = String::new();
    let _ = (&slow[199]).read_to_string(&mut text);
    assert!(!text.contains("200 OK"), "{text}");
    assert_eq!(get(address, "/health/live").status, 200);
    run.stop().await.expect("a clean end");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_is_a_start_error() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let (narad, _) = application(served(address), "it-told").await;
    let error = narad.run_until(std::future::pending()).await.expect_err("it is taken").to_string();
    assert!(error.contains(&format!("NARAD_HTTP: {address} cannot be bound")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_shown_without_what_is_in_the_record_unless_the_token_is_given() {
    let address = free_address();
    let (narad, mut sighted) = application(served(address), "it-told-failures").await;
    let run = Run::of(&narad);
    for key in ["good", "bad"] {
        narad.publish_to("it.told.failures", &Told { key: key.into() }).await.expect("an acknowledgement");
    }
    narad.raw("it.told.failures", "no JSON").send().await.expect("an acknowledgement");
    sightings(&mut sighted, 3).await;
    until("all is dead-lettered", || {
        let handlers = narad.handlers();
        let topic = handlers.first().and_then(|handler| handler.topic("it.told.failures")).cloned();
        topic.is_some_and(|topic| topic.settled.dead_lettered == 1 && topic.unhandled.malformed == 1)
    })
    .await;
    let of = |headers: &[(&str, &str)]| ask(address, "GET", "/api/v1/failures", headers);
    let told = |failures: &Value| {
        let mut told: Vec<_> = failures
            .as_array()
            .into_iter()
            .flatten()
            .map(|failure| [&failure["handler"], &failure["attempt"], &failure["then"]].map(Value::to_string))
            .collect();
        told.sort();
        told
    };
    let anonymous = of(&[]);
    assert_eq!(anonymous.status, 200);
    let expected = [
        ["\"remembers\"", "1", "\"trying again\""],
        ["\"remembers\"", "2", "\"giving up\""],
        ["null", "1", "\"not a well-formed record: to the dead letter\""],
    ];
    assert_eq!(told(&anonymous.json()), expected, "{}", anonymous.body);
    assert!(!anonymous.body.contains("bad"), "{}", anonymous.body);
    let trusted = of(&[("Authorization", &format!("Bearer {TOKEN}"))]).json();
    let given_up = trusted.as_array().into_iter().flatten().find(|failure| failure["then"] == "giving up");
    let given_up = given_up.expect("the last attempt");
    assert_eq!((&given_up["key"], &given_up["error"]), (&"bad".into(), &"it was bad".into()));
    assert_eq!((&given_up["class"], &given_up["topic"]), (&"String".into(), &"it.told.failures".into()));
    let wrong = of(&[("Authorization", "Bearer sesame")]);
    assert_eq!(wrong.status, 401);
    assert!(wrong.head.contains("www-authenticate: bearer"), "{}", wrong.head);
    assert!(!wrong.body.contains(TOKEN) && !narad.metrics().contains(TOKEN), "{}", wrong.body);
    run.stop().await.expect("a clean end");
}

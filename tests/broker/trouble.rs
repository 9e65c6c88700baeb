//! Brokers that answer and are of no use as they are: throttled, advertised where nobody reaches them, with
//! certificates that have expired.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use narad::{Config, Narad, Pem};
use narad_tests::cluster::{Cluster, fresh, variable};
use narad_tests::proxy::{Api, Blocked, Hold, Proxy};

use super::sending::config;

/// One of Kafka's own tools.
fn tool(class: &str, arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka/kafka.sh");
    let output =
        Command::new("bash").arg(script).args(["tool", class]).args(arguments).output().expect("bash");
    assert!(output.status.success(), "{class}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_that_a_quota_slows_down_stays_connected_and_its_sends_wait() {
    let Some(cluster) = Cluster::of_env() else { return };
    let (topic, client) = (fresh("throttled"), fresh("throttled-client"));
    let (at, made, named) = (cluster.clone(), topic.clone(), client.clone());
    let prepare = move || {
        at.create_topic(&made, 1, &[]);
        let quota = [
            "--alter",
            "--add-config",
            "producer_byte_rate=20000",
            "--entity-type",
            "clients",
            "--entity-name",
            &named,
        ];
        tool("kafka.admin.ConfigCommand", &[&["--bootstrap-server", &at.brokers][..], &quota].concat());
    };
    tokio::task::spawn_blocking(prepare).await.expect("a quota");
    let config = Config { client_id: client, connection_timeout: Duration::from_secs(2), ..config(&cluster) };
    let narad = Narad::builder().config(config).build().await.expect("an application");
    narad.connect().await.expect("a connection");
    // The broker takes it at once, and for some 15 s nothing more of this connection.
    narad.send(&topic, "x".repeat(500_000)).await.expect("an acknowledgement");
    let began = Instant::now();
    let mut small = narad.send(&topic, 1);
    let mut away = 0;
    let sent = loop {
        tokio::select! {
            sent = &mut small => break sent,
            () = tokio::time::sleep(Duration::from_millis(50)) => away += u32::from(!narad.is_connected()),
        }
    };
    println!("the second send took {:?}: {sent:?}; {away} times not connected", began.elapsed());
    sent.expect("it waits, and is written");
    assert!(began.elapsed() > Duration::from_secs(7), "the quota was in force: {:?}", began.elapsed());
    assert_eq!(away, 0, "a broker answers all the time");
    narad.disconnect().await.expect("a clean end");
}

/// Waits until an application is connected, or is not.
async fn until_connected(narad: &Narad, is: bool) {
    let deadline = Instant::now() + Duration::from_secs(90);
    while narad.is_connected() != is {
        assert!(Instant::now() < deadline, "is it connected? Not what is waited for: {is}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// All values that a topic holds.
async fn stored(cluster: &Cluster, topic: &str) -> Vec<String> {
    let (cluster, topic) = (cluster.clone(), topic.to_owned());
    let read = move || {
        cluster
            .records(&topic)
            .into_iter()
            .map(|record| String::from_utf8_lossy(&record.value.unwrap_or_default()).into())
    };
    tokio::task::spawn_blocking(move || read().collect()).await.expect("no panic")
}

/// Only the connection with the write is dead; a broker that is asked over another one answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_producer_whose_own_connection_passes_nothing_stays_connected_and_its_send_is_written_once() {
    let Some(cluster) = Cluster::of_env() else { return };
    let (topic, proxy) = (fresh("held"), Proxy::start());
    let (at, made) = (cluster.clone(), topic.clone());
    tokio::task::spawn_blocking(move || at.create_topic(&made, 1, &[])).await.expect("a topic");
    let config = Config { brokers: vec![proxy.address().to_owned()], ..config(&cluster) };
    let narad = Narad::builder().config(config).build().await.expect("an application");
    narad.send(&topic, 1).await.expect("an acknowledgement");
    proxy.hold(Hold::Request(Api::Produce));
    let mut held = narad.send(&topic, 2);
    let ends = tokio::time::Instant::now() + Duration::from_secs(12);
    let mut away = 0;
    while tokio::time::Instant::now() < ends {
        tokio::select! {
            sent = &mut held => panic!("nothing passes: {sent:?}"),
            () = tokio::time::sleep(Duration::from_millis(50)) => away += u32::from(!narad.is_connected()),
        }
    }
    assert!(proxy.holds(), "the write is on its way");
    assert_eq!(away, 0, "a broker answers all the time");
    proxy.cut();
    held.await.expect("an acknowledgement");
    narad.disconnect().await.expect("a clean end");
    assert_eq!(stored(&cluster, &topic).await, ["1", "2"]);
}

/// All connections stay, and new ones are accepted and hang.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_passes_nothing_is_no_connection_until_it_passes_again() {
    let Some(cluster) = Cluster::of_env() else { return };
    for blocked in [Blocked::ToBroker, Blocked::FromBroker, Blocked::Both] {
        let (topic, proxy) = (fresh("half-open"), Proxy::start());
        let (at, made) = (cluster.clone(), topic.clone());
        tokio::task::spawn_blocking(move || at.create_topic(&made, 1, &[])).await.expect("a topic");
        let config = Config { brokers: vec![proxy.address().to_owned()], ..config(&cluster) };
        let narad = Narad::builder().config(config).build().await.expect("an application");
        narad.send(&topic, 1).await.expect("an acknowledgement");
        proxy.block(blocked);
        until_connected(&narad, false).await;
        proxy.block(Blocked::Nothing);
        until_connected(&narad, true).await;
        narad.send(&topic, 2).await.expect("an acknowledgement");
        narad.disconnect().await.expect("a clean end");
        assert_eq!(stored(&cluster, &topic).await, ["1", "2"], "{blocked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advertised_address_that_nobody_reaches_is_named_with_the_one_that_answers() {
    if Cluster::of_env().is_none() {
        return;
    }
    let lanes = variable("NARAD_TEST_LANES");
    // No proxy listens at the last lane.
    let (advertised, answers) =
        lanes.split(' ').next_back().and_then(|lane| lane.split_once('=')).expect("a lane");
    let config = Config {
        brokers: vec![answers.to_owned()],
        connection_timeout: Duration::from_secs(3),
        ..Config::default()
    };
    let narad = Narad::builder().config(config).build().await.expect("an application");
    let said = narad.connect().await.expect_err("nothing can be sent").to_string();
    println!("{said}");
    for text in [advertised, answers, "advertised.listeners", "connection refused"] {
        assert!(said.contains(text), "{said}");
    }
    assert!(!narad.is_connected());
}

/// A TLS server that ends when it is dropped; no Kafka, but a handshake is all there is.
struct Server(Child, u16);

impl Server {
    fn start(folder: &Path, certificate: &str, more: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let mut command = Command::new("openssl");
        command.args([
            "s_server",
            "-quiet",
            "-accept",
            &port.to_string(),
            "-cert",
            &format!("{certificate}.pem"),
        ]);
        command.args(["-key", &format!("{certificate}.key")]).args(more).current_dir(folder);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        let server = Self(child, port);
        narad_tests::wait::until("the server listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `ca.pem`, and certificates of it for this host: `valid`, and `expired`, which ended yesterday.
fn certificates() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let openssl = |line: &str| {
        let output = Command::new("openssl")
            .args(line.split(' '))
            .current_dir(folder.path())
            .output()
            .expect("openssl");
        assert!(output.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&output.stderr));
    };
    std::fs::write(folder.path().join("san"), "subjectAltName=DNS:localhost,IP:127.0.0.1").expect("a file");
    openssl("req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=ca -keyout ca.key -out ca.pem");
    for (name, days) in [("valid", "30"), ("expired", "-1")] {
        openssl(&format!("req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"));
        openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -extfile san \
             -out {name}.pem"
        ));
    }
    folder
}

/// What a connection to such a server ends with.
async fn refusal(server: &Server, folder: &Path, own: Option<&str>) -> String {
    let file = |name: String| Some(Pem::file(folder.join(name)));
    let config = Config {
        brokers: vec![format!("localhost:{}", server.1)],
        ssl: true,
        ssl_ca: file("ca.pem".into()),
        ssl_cert: own.and_then(|name| file(format!("{name}.pem"))),
        ssl_key: own.and_then(|name| file(format!("{name}.key"))),
        connection_timeout: Duration::from_secs(6),
        ..Config::default()
    };
    let narad = Narad::builder().config(config).build().await.expect("an application");
    let said = narad.connect().await.expect_err("no Kafka is there").to_string();
    println!("{said}");
    said
}

/// Yesterday, as the errors have it.
fn yesterday() -> String {
    let now = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24);
    now.to_string()[..10].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brokers_certificate_that_has_expired_is_called_expired() {
    let folder = certificates();
    let server = Server::start(folder.path(), "expired", &[]);
    let said = refusal(&server, folder.path(), None).await;
    assert!(said.contains("the broker's certificate expired at") && said.contains(&yesterday()), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_this_client_that_has_expired_is_called_expired() {
    let folder = certificates();
    let server =
        Server::start(folder.path(), "valid", &["-CAfile", "ca.pem", "-Verify", "1", "-verify_return_error"]);
    let said = refusal(&server, folder.path(), Some("expired")).await;
    assert!(said.contains("KAFKA_SSL_CERT) expired at") && said.contains(&yesterday()), "{said}");
}

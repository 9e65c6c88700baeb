//! What stands on the wire, who gets it, and what handlers give back: through the public API, on the embedded
//! broker.

mod dispatch;
mod interop;
mod reading;
mod registry;
mod returning;
mod writing;

use std::time::Duration;

use narad::prelude::*;
use narad::{Config, Narad};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Where handlers say what they saw.
type Seen = UnboundedSender<String>;

type Headers<'r> = &'r [(&'r str, &'r str)];
type Payload<'r> = Option<&'r [u8]>;

/// A running application on the embedded broker, and a client that is not Narad's.
struct Application {
    narad: Narad,
    foreign: BaseProducer,
    seen: UnboundedReceiver<String>,
    stop: oneshot::Sender<()>,
    run: JoinHandle<narad::Result<()>>,
}

impl Application {
    async fn start(groups: &[&str]) -> Self {
        Self::configured(groups, |_| {}).await
    }

    async fn configured(groups: &[&str], configure: impl FnOnce(&mut Config)) -> Self {
        let (seen_by, seen) = unbounded_channel();
        let mut config = Config::default().or_embedded();
        config.commit_interval = Duration::from_millis(50);
        config.client_id = "wire".to_owned();
        configure(&mut config);
        let narad = Narad::builder()
            .config(config)
            .groups(groups)
            .state::<Seen>(seen_by)
            .build()
            .await
            .expect("an application");
        let foreign = ClientConfig::new()
            .set("bootstrap.servers", &narad.health().brokers()[0])
            .create()
            .expect("a producer");
        let (stop, stopped) = oneshot::channel::<()>();
        let running = narad.clone();
        let run = tokio::spawn(async move { running.run_until(async { drop(stopped.await) }).await });
        Self { narad, foreign, seen, stop, run }
    }

    /// Writes a record as another program would. All go to one partition and have no key, so they are handled
    /// in this order.
    fn write<'h>(&self, topic: &str, payload: impl Into<Payload<'h>>, headers: Headers<'_>) {
        let mut all = OwnedHeaders::new();
        for (key, value) in headers {
            all = all.insert(Header { key, value: Some(*value) });
        }
        let mut record = BaseRecord::<(), [u8]>::to(topic).partition(0).headers(all);
        record.payload = payload.into();
        self.foreign.send(record).map_err(|(error, _)| error).expect("a place in the queue");
        self.foreign.flush(Duration::from_secs(30)).expect("an acknowledgement");
    }

    /// Waits for so many sightings: they come, or the test fails after a generous time.
    async fn sightings(&mut self, count: usize) -> Vec<String> {
        let mut all = Vec::new();
        while all.len() < count {
            match tokio::time::timeout(Duration::from_secs(60), self.seen.recv()).await {
                Ok(Some(sighting)) => all.push(sighting),
                _ => panic!("only {all:#?}"),
            }
        }
        all
    }

    /// Ends it; nothing was seen that nobody waited for.
    async fn stop(mut self) {
        self.stop.send(()).expect("a running application");
        self.run.await.expect("no panic").expect("a clean drain");
        assert_eq!(self.seen.try_recv().ok(), None);
    }
}

fn say(seen: &State<Seen>, what: String) {
    seen.send(what).expect("somebody who waits");
}

/// The value as text; `null` where there is none.
fn text(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "null".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
}

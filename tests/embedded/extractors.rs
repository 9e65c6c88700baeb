//! Parameters of the application's own: made at once, by waiting, out of headers, and those that need not be
//! there.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use narad::prelude::*;
use narad::{Error, Extract, FromRecord, Layer, Next, OutcomeKind};

use crate::{Run, Seen, application, config, sightings, sorted};

/// What the header `user` asks for; how often it was asked decides whether it is there.
struct User(String);

static ASKED: AtomicUsize = AtomicUsize::new(0);

impl Extract for User {
    async fn extract(record: &Record, ctx: &Context) -> Result<Self, Outcome> {
        // It waits, with both at hand.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let user = record.header("user").ok_or_else(|| Outcome::dead_letter("the header user is missing"))?;
        match user {
            b"busy" if ctx.attempt() < 3 => Err(Outcome::retry("the users are busy")),
            b"never" => Err(Outcome::retry("the users are away")),
            b"skip" => Err(Outcome::skip("no such user")),
            b"dead" => Err(Outcome::dead_letter("a user who is dead")),
            b"failing" => {
                Err("not displayed as anything else".parse::<u8>().map_err(Outcome::from).unwrap_err())
            }
            b"panic" => panic!("no user at all"),
            b"hang" => std::future::pending().await,
            user => {
                ASKED.fetch_add(1, SeqCst);
                Ok(Self(String::from_utf8_lossy(user).into_owned()))
            }
        }
    }
}

#[derive(Event)]
#[event(topic = "it.visits", type = "VISIT", key = page)]
struct Visit {
    page: String,
}

#[kafka_handler(topic = "it.visits", group = "it-extract", retry(attempts = 3, backoff = "1ms..5ms"))]
async fn visited(user: User, visit: Visit, ctx: Context, seen: State<Seen>) {
    let _ = seen.send(("visited", format!("{} {} {}", user.0, visit.page, ctx.attempt())));
}

#[kafka_handler(topic = "it.visits", group = "it-extract-plain", retry(attempts = 3, backoff = "1ms..5ms"))]
fn visited_on_a_thread(visit: Visit, user: User, ctx: Context, seen: State<Seen>) {
    let _ = seen.send(("thread", format!("{} {} {}", user.0, visit.page, ctx.attempt())));
}

#[kafka_handler(
    topics = ["it.visits.it-extract.dlq", "it.visits.it-extract-plain.dlq"],
    group = "it-extract-dead"
)]
async fn dead_visit(record: Record, seen: State<Seen>) {
    let header = |name: &str| String::from_utf8_lossy(record.header(name).expect("a header")).into_owned();
    let [handler, attempts, error] =
        ["handler", "attempts", "error"].map(|name| header(&format!("narad-dlq-{name}")));
    let _ = seen.send(("dead", format!("{handler} {attempts} {error}")));
}

async fn visit(narad: &narad::Narad, page: &str, user: &str) {
    let visit = Visit { page: page.to_owned() };
    narad.event(&visit).header("user", user).send().await.expect("an acknowledgement");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_extractor_waits_for_is_there_when_the_handler_runs_and_its_outcome_is_the_attempts() {
    let (narad, _seen) = application(&[]).await;
    for user in ["ada", "busy", "never", "skip", "dead", "failing", "panic"] {
        visit(&narad, user, user).await;
    }
    narad.publish(&Visit { page: "none".into() }).await.expect("an acknowledgement");
    for (group, said, name) in
        [("it-extract", "visited", "visited"), ("it-extract-plain", "thread", "visited_on_a_thread")]
    {
        let (narad, mut seen) = application(&[group]).await;
        let run = Run::of(&narad);
        assert_eq!(
            sorted(&mut seen, 2).await,
            [(said, "ada ada 1".to_owned()), (said, "busy busy 3".to_owned())]
        );
        let handled = || {
            let views = narad.handlers();
            let records = views.iter().find_map(|view| view.topic("it.visits")).map(|topic| topic.settled);
            records.map(|settled| (settled.done, settled.skipped, settled.dead_lettered))
        };
        crate::until("all are settled", || handled() == Some((2, 1, 5))).await;
        run.stop().await.expect("a clean drain");
        let (narad, mut seen) = application(&["it-extract-dead"]).await;
        let run = Run::of(&narad);
        let mut dead: Vec<_> = Vec::new();
        while dead.len() < 5 {
            let sighting = sightings(&mut seen, 1).await.remove(0).1;
            dead.extend(sighting.strip_prefix(&format!("{name} ")).map(str::to_owned));
        }
        dead.sort();
        assert_eq!(
            dead,
            [
                "1 a user who is dead",
                "1 the header user is missing",
                "3 invalid digit found in string",
                "3 panicked: no user at all",
                "3 the users are away",
            ]
        );
        run.stop().await.expect("a clean drain");
    }
}

#[kafka_handler(topic = "it.malformed", group = "it-extract-malformed", ordering = "partition")]
async fn malformed(user: User, tenant: Tenant, visit: Visit, seen: State<Seen>) {
    let _ = seen.send(("malformed", format!("{} {} {}", user.0, tenant.0, visit.page)));
}

struct Tenant(u8);

impl<'r> FromRecord<'r> for Tenant {
    type Error = Outcome;

    fn from_record(record: &'r Record, ctx: &Context) -> Result<Self, Outcome> {
        match record.header("tenant") {
            None => Err(Outcome::skip("of no tenant")),
            Some(b"late") if ctx.attempt() < 2 => {
                Err(Outcome::retry_after("not yet", Duration::from_millis(1)))
            }
            Some(b"late") => Ok(Self(2)),
            Some(text) => {
                let text = std::str::from_utf8(text).map_err(Outcome::dead_letter)?;
                text.parse().map(Self).map_err(Outcome::dead_letter)
            }
        }
    }
}

#[kafka_handler(topic = "it.malformed.it-extract-malformed.dlq", group = "it-extract-malformed-dead")]
async fn dead_malformed(record: Record, seen: State<Seen>) {
    let handler = record.header("narad-dlq-handler").expect("a header");
    let error =
        String::from_utf8_lossy(record.header("narad-dlq-error-class").expect("a header")).into_owned();
    let _ = seen.send(("dead", format!("{:?} {error}", String::from_utf8_lossy(handler))));
}

/// The event would be found to be malformed, but an extractor before it is asked first.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_not_well_formed_is_that_whatever_an_extractor_says_of_it() {
    let (narad, mut seen) = application(&["it-extract-malformed", "it-extract-malformed-dead"]).await;
    let truncated = br#"{"type":"VISIT","data":{"page":"p""#.to_vec();
    for user in ["never", "skip", "dead", "ada"] {
        narad.raw("it.malformed", truncated.clone()).header("user", user).send().await.expect("written");
    }
    let whole = br#"{"type":"VISIT","data":{"page":"p"}}"#.to_vec();
    let whole = narad.raw("it.malformed", whole).header("user", "ada").header("tenant", "late");
    whole.send().await.expect("written");
    let run = Run::of(&narad);
    let group = ("dead", r#""" narad::Decode"#.to_owned());
    assert_eq!(
        sorted(&mut seen, 5).await,
        [group.clone(), group.clone(), group.clone(), group, ("malformed", "ada 2 p".to_owned())]
    );
    run.stop().await.expect("a clean drain");
}

#[kafka_handler(topic = "it.optional", group = "it-optional", retry(attempts = 2, backoff = "1ms..2ms"))]
async fn optional(
    visit: Visit,
    user: Option<User>,
    tenant: Result<Tenant, Outcome>,
    asked: Result<User, Outcome>,
    value: Option<Json<u8>>,
    missing: Option<State<u128>>,
    seen: State<Seen>,
) {
    let tenant = tenant.map_or_else(|outcome| format!("{:?}", outcome.kind()), |tenant| tenant.0.to_string());
    let asked = asked.map_or_else(|outcome| format!("{:?}", outcome.kind()), |user| user.0);
    assert!(value.is_none() && missing.is_none(), "an object is no number, and nobody has given a u128");
    let _ =
        seen.send(("optional", format!("{}: {:?} {tenant} {asked}", visit.page, user.map(|user| user.0))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_need_not_be_there_is_none_where_it_never_will_be_and_waited_for_else() {
    let (narad, mut seen) = application(&["it-optional"]).await;
    let send = |page: &'static str, user: &'static str, tenant: &'static str| {
        let visit = narad.event(&Visit { page: page.to_owned() }).topic("it.optional");
        visit.header("user", user).header("tenant", tenant).send()
    };
    for sent in [
        send("a", "ada", "7"),
        send("b", "skip", "seven"),
        send("c", "dead", "1"),
        // A retry stays one, and the second one is the last.
        send("d", "never", "1"),
    ] {
        sent.await.expect("an acknowledgement");
    }
    let run = Run::of(&narad);
    assert_eq!(
        sorted(&mut seen, 3).await,
        [
            ("optional", r#"a: Some("ada") 7 ada"#.to_owned()),
            ("optional", "b: None DeadLetter Skip".to_owned()),
            ("optional", "c: None 1 DeadLetter".to_owned()),
        ]
    );
    crate::until("the last one is in the dead letter", || {
        let views = narad.handlers();
        views
            .iter()
            .find_map(|view| view.topic("it.optional"))
            .is_some_and(|of| of.settled.dead_lettered == 1)
    })
    .await;
    run.stop().await.expect("a clean drain");
    assert!(seen.try_recv().is_err());
}

#[kafka_handler(topic = "it.headers", group = "it-headers")]
async fn headers(
    #[header("tenant")] tenant: &str,
    #[header("trace")] trace: Vec<u8>,
    #[header("retries")] retries: u8,
    #[header("delta")] delta: Option<i64>,
    #[header("note")] note: Option<String>,
    #[header("raw")] raw: Option<&[u8]>,
    seen: State<Seen>,
) {
    tokio::task::yield_now().await;
    let _ = seen.send(("headers", format!("{tenant} {trace:?} {retries} {delta:?} {note:?} {raw:?}")));
}

#[kafka_handler(topic = "it.headers", group = "it-headers-plain")]
fn headers_on_a_thread(
    #[header("tenant")] tenant: &str,
    #[header("retries")] retries: Option<u64>,
    seen: State<Seen>,
) {
    let _ = seen.send(("thread", format!("{tenant} {retries:?}")));
}

#[kafka_handler(topic = "it.headers.it-headers.dlq", group = "it-headers-dead")]
async fn dead_headers(
    #[header("narad-dlq-handler")] handler: &str,
    #[header("narad-dlq-attempts")] attempts: u32,
    #[header("narad-dlq-error-class")] class: String,
    #[header("narad-dlq-error")] error: &str,
    seen: State<Seen>,
) {
    let _ = seen.send(("dead", format!("{handler} {attempts} {class} {error}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_parameters_and_one_that_does_not_fit_is_named_in_the_dead_letter() {
    let (narad, mut seen) = application(&["it-headers", "it-headers-plain", "it-headers-dead"]).await;
    let message = || narad.message("it.headers", narad::serde_json::json!({"type": "ANY"}));
    let whole = || message().header("tenant", "t").header("trace", [0_u8, 255]).header("retries", "3");
    for sent in [
        whole().send(),
        whole().header("delta", "-9").header("note", "n\u{e9}").header("raw", [255_u8]).send(),
        // The last of a name counts.
        whole().header("tenant", "u").header("retries", "4").send(),
        message().header("trace", "").header("retries", "3").send(),
        whole().header("tenant", [b'a', 255]).send(),
        whole().header("retries", "300").send(),
        whole().header("delta", "many").send(),
    ] {
        sent.await.expect("an acknowledgement");
    }
    let run = Run::of(&narad);
    let mut all = sorted(&mut seen, 12).await;
    let thread = all.split_off(7);
    let of = |name: &'static str, text: &str| (name, text.to_owned());
    assert_eq!(
        all,
        [
            of("dead", "headers 1 narad::Header the header `delta` is no i64: invalid digit found in string"),
            of(
                "dead",
                "headers 1 narad::Header the header `retries` is no u8: number too large to fit in target type"
            ),
            of("dead", "headers 1 narad::Header the header `tenant` is missing"),
            of("dead", "headers 1 narad::Header the header `tenant` is not UTF-8 from byte 1 on"),
            of("headers", "t [0, 255] 3 None None None"),
            of("headers", "t [0, 255] 3 Some(-9) Some(\"n\u{e9}\") Some([255])"),
            of("headers", "u [0, 255] 4 None None None"),
        ]
    );
    assert_eq!(
        thread,
        [
            of("thread", "t Some(3)"),
            of("thread", "t Some(3)"),
            of("thread", "t Some(3)"),
            of("thread", "t Some(300)"),
            of("thread", "u Some(4)"),
        ]
    );
    run.stop().await.expect("a clean drain");
}

#[kafka_handler(
    topic = "it.hanging",
    group = "it-hanging",
    timeout = "20ms",
    retry(attempts = 2, backoff = "1ms..2ms")
)]
async fn hanging(user: User, seen: State<Seen>) {
    let _ = seen.send(("hanging", user.0));
}

#[kafka_handler(topic = "it.hanging.it-hanging.dlq", group = "it-hanging-dead")]
async fn dead_hanging(#[header("narad-dlq-error")] error: &str, seen: State<Seen>) {
    let _ = seen.send(("dead", error.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extractor_that_never_ends_is_ended_by_the_handlers_timeout() {
    let (narad, mut seen) = application(&["it-hanging", "it-hanging-dead"]).await;
    for user in ["hang", "ada"] {
        narad
            .message("it.hanging", narad::serde_json::json!({}))
            .header("user", user)
            .send()
            .await
            .expect("an acknowledgement");
    }
    let run = Run::of(&narad);
    assert_eq!(
        sorted(&mut seen, 2).await,
        [("dead", "no result within its timeout of 20ms".to_owned()), ("hanging", "ada".to_owned())]
    );
    run.stop().await.expect("a clean drain");
}

/// Says that it was dropped in the middle of its extraction.
struct Endless;

static ENDED: AtomicUsize = AtomicUsize::new(0);

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        ENDED.fetch_add(1, SeqCst);
    }
}

impl Extract for Endless {
    async fn extract(_: &Record, ctx: &Context) -> Result<Self, Outcome> {
        let _guard = Guard;
        if let Some(seen) = ctx.state::<Seen>() {
            let _ = seen.send(("begun", ctx.offset().to_string()));
        }
        std::future::pending().await
    }
}

#[kafka_handler(topic = "it.endless", group = "it-endless")]
async fn endless(_: Endless) {
    panic!("it is never made");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extraction_is_dropped_before_its_partition_is_let_go_and_its_record_stays() {
    let (seen, mut sighted) = tokio::sync::mpsc::unbounded_channel();
    let mut config = config();
    config.shutdown_timeout = Duration::from_millis(100);
    let built =
        narad::Narad::builder().config(config.clone()).groups(["it-endless"]).state::<Seen>(seen.clone());
    let narad = built.build().await.expect("an application");
    narad.message("it.endless", 1).key("k").send().await.expect("an acknowledgement");
    let run = Run::of(&narad);
    assert_eq!(sightings(&mut sighted, 1).await, [("begun", "0".to_owned())]);
    assert!(matches!(run.ended_after_stop().await, Err(Error::DrainTimeout)));
    assert_eq!(ENDED.load(SeqCst), 1, "dropped");
    // The next owner gets it.
    let built = narad::Narad::builder().config(config).groups(["it-endless"]).state::<Seen>(seen);
    let narad = built.build().await.expect("an application");
    let run = Run::of(&narad);
    assert_eq!(sightings(&mut sighted, 1).await, [("begun", "0".to_owned())]);
    assert!(run.ended_after_stop().await.is_err());
}

/// Notes the outcomes that layers see.
struct Outcomes(Seen);

impl Layer for Outcomes {
    async fn call<'a>(&'a self, ctx: &'a Context, next: Next<'a>) -> Outcome {
        let outcome = next.run().await;
        if ctx.group() == "it-layered" {
            let is_final = !matches!(outcome.kind(), OutcomeKind::Retry | OutcomeKind::RetryAfter(_));
            let _ = self.0.send(("layer", format!("{} {is_final}", outcome.cause().unwrap_or_default())));
        }
        outcome
    }
}

#[kafka_handler(topic = "it.layered", group = "it-layered", retry(attempts = 3, backoff = "1ms..2ms"))]
async fn layered(user: User, #[header("page")] page: u8) -> Result<(), String> {
    Err(format!("{} {page}", user.0))
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_are_around_extractors_and_see_their_outcomes() {
    let (seen, mut sighted) = tokio::sync::mpsc::unbounded_channel();
    let built = narad::Narad::builder().config(config()).groups(["it-layered"]);
    let narad = built.layer(Outcomes(seen)).build().await.expect("an application");
    let message = |user: &str| narad.message("it.layered", 1).header("user", user);
    for sent in [message("skip").send(), message("ada").send(), message("busy").send()] {
        sent.await.expect("an acknowledgement");
    }
    let run = Run::of(&narad);
    let missing = ("layer", "the header `page` is missing true".to_owned());
    let busy = ("layer", "the users are busy false".to_owned());
    assert_eq!(
        sorted(&mut sighted, 5).await,
        [("layer", "no such user true".to_owned()), missing.clone(), missing, busy.clone(), busy]
    );
    run.stop().await.expect("a clean drain");
}

#[kafka_handler(topic = "it.maybe", group = "it-maybe", ordering = "partition")]
async fn maybe(value: Option<Json<u8>>, seen: State<Seen>) {
    let _ = seen.send(("maybe", format!("{:?}", value.map(|value| value.0))));
}

#[kafka_handler(topic = "it.maybe.it-maybe.dlq", group = "it-maybe-dead")]
async fn dead_maybe(record: Record, #[header("narad-dlq-handler")] handler: &str, seen: State<Seen>) {
    let payload = String::from_utf8_lossy(record.payload().unwrap_or_default()).into_owned();
    let _ = seen.send(("dead", format!("{payload} {handler:?}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn json_that_need_not_fit_is_none_where_it_does_not_but_what_is_no_json_reaches_no_handler() {
    let (narad, mut seen) = application(&["it-maybe", "it-maybe-dead"]).await;
    for payload in ["5", r#"{"type":"X","data":{}}"#, r#"{"type":"X","data":{"#, "garbage"] {
        narad.raw("it.maybe", payload).send().await.expect("an acknowledgement");
    }
    let run = Run::of(&narad);
    assert_eq!(
        sorted(&mut seen, 4).await,
        [
            ("dead", r#"garbage """#.to_owned()),
            ("dead", r#"{"type":"X","data":{ """#.to_owned()),
            ("maybe", "None".to_owned()),
            ("maybe", "Some(5)".to_owned()),
        ]
    );
    run.stop().await.expect("a clean drain");
}

#![deny(warnings)]

use std::convert::Infallible;

use narad::prelude::*;
use narad::{Extract, FromRecord};

#[derive(Event)]
struct Login<'a> {
    id: std::borrow::Cow<'a, str>,
}

struct Session(String);

impl Extract for Session {
    async fn extract(record: &Record, ctx: &Context) -> Result<Self, Outcome> {
        tokio::task::yield_now().await;
        let number: u8 = "7".parse()?;
        Ok(Self(format!("{} {} {number}", record.topic(), ctx.attempt())))
    }
}

/// Without `async fn`.
struct Ready<T>(T);

impl<T: Default + Send> Extract for Ready<T> {
    fn extract(_: &Record, _: &Context) -> impl Future<Output = Result<Self, Outcome>> + Send {
        std::future::ready(Ok(Self(T::default())))
    }
}

/// An event that an extractor holds is none of the handler's.
struct Holds(Option<Login<'static>>);

impl Extract for Holds {
    async fn extract(_: &Record, _: &Context) -> Result<Self, Outcome> {
        Ok(Self(None))
    }
}

struct Key<'r>(Option<&'r [u8]>);

impl<'r> FromRecord<'r> for Key<'r> {
    type Error = Infallible;

    fn from_record(record: &'r Record, _: &Context) -> Result<Self, Infallible> {
        Ok(Self(record.key()))
    }
}

struct Tenant(u8);

impl<'r> FromRecord<'r> for Tenant {
    type Error = Outcome;

    fn from_record(_: &'r Record, _: &Context) -> Result<Self, Outcome> {
        Err(Outcome::retry("not yet"))
    }
}

type Maybe = Option<Session>;

#[kafka_handler(topic = "a")]
async fn all(
    session: Session,
    event: Login<'_>,
    Ready(number): Ready<u8>,
    holds: Holds,
    key: Option<Key<'_>>,
    tenant: Result<Tenant, Outcome>,
    maybe: Maybe,
    other: Result<Session, Outcome>,
    json: Option<Json<u8>>,
    meta: Option<Meta<'_>>,
) -> Result<(), Outcome> {
    let _ = (session.0, event.id, number, holds.0.is_some(), key.and_then(|key| key.0), maybe.map(|it| it.0));
    tokio::task::yield_now().await;
    let _ = (tenant?.0, other?.0, json.map(|json| json.0), meta.and_then(|meta| meta.id));
    Ok(())
}

#[kafka_handler(topic = "a")]
fn all_on_a_thread(
    session: Session,
    tenant: Option<Tenant>,
    event: Option<Login<'_>>,
    number: Option<Ready<u64>>,
) {
    let _ =
        (session.0, tenant.map(|tenant| tenant.0), event.map(|event| event.id), number.map(|ready| ready.0));
}

#[kafka_handler(topic = "a")]
async fn headers<'h>(
    #[header("tenant")] tenant: &'h str,
    #[header("größe")] size: Option<u128>,
    #[header(r#"id"#)]
    #[allow(unused_variables)]
    id: String,
    #[header("raw")] mut raw: Vec<u8>,
    #[header("other")] other: Option<&'h [u8]>,
    ctx: Context,
) {
    tokio::task::yield_now().await;
    raw.push(1);
    let _ = (tenant, size, raw, other, ctx);
}

const _: () = {
    macro_rules! by_header {
        ($name:ident, $header:literal, $param:ident: $ty:ty) => {
            #[kafka_handler(topic = "a")]
            fn $name(#[header($header)] $param: $ty) {
                let _ = $param;
            }
        };
        (attribute $name:ident, $(#[$attribute:meta])* $param:ident: $ty:ty) => {
            #[kafka_handler(topic = "a")]
            async fn $name($(#[$attribute])* $param: $ty) {
                let _ = $param;
            }
        };
    }
    by_header!(of_a_literal, "x", x: i8);
    by_header!(attribute of_an_attribute, #[header("x")] x: Option<&str>);
    by_header!(attribute of_none, x: Record);
};

fn main() {
    // It is called as it is written, without the attributes.
    let ctx: Option<Context> = None;
    let _ = ctx.map(|ctx| headers("t", None, String::new(), vec![], None, ctx));
    all_on_a_thread(Session(String::new()), None, None, None);
    let _ = all;
}

//! Lines of the log as JSON objects.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// `{"timestamp":…,"level":…,"target":…,"message":…,"fields":{…},"spans":[…]}` on one line; `fields` and
/// `spans` only where there are some.
pub(super) struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let mut fields = Fields::default();
        event.record(&mut fields);
        let about = event.metadata();
        // In the order in which people read them, which a map of serde_json's does not keep.
        let text = |text: &str| Value::from(text).to_string();
        write!(
            writer,
            "{{\"timestamp\":{},\"level\":\"{}\",\"target\":{},\"message\":{}",
            text(&timestamp),
            about.level(),
            text(about.target()),
            text(&fields.message)
        )?;
        if !fields.others.is_empty() {
            write!(writer, ",\"fields\":{}", Value::Object(fields.others))?;
        }
        let spans = ctx.event_scope().into_iter().flat_map(|scope| scope.from_root()).map(|span| {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>().map(|fields| fields.fields.as_str());
            match fields.filter(|fields| !fields.is_empty()) {
                Some(fields) => format!("{}{{{fields}}}", span.name()),
                None => span.name().to_owned(),
            }
        });
        let spans: Vec<_> = spans.map(Value::from).collect();
        if !spans.is_empty() {
            write!(writer, ",\"spans\":{}", Value::from(spans))?;
        }
        writeln!(writer, "}}")
    }
}

/// What an event says, its message apart.
#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        // A field that is a raw identifier is written without its mark, as in the text.
        let name = field.name().trim_start_matches("r#");
        match (name, value) {
            ("message", Value::String(message)) => self.message = message,
            (name, value) => drop(self.others.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // A value that cannot be written is cut short; `format!` would panic.
        let _ = write!(text, "{value:?}");
        self.put(field, text.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    /// One that JSON has no word for is written as text.
    fn record_f64(&mut self, field: &Field, value: f64) {
        let number = serde_json::Number::from_f64(value).map(Value::Number);
        self.put(field, number.unwrap_or_else(|| value.to_string().into()));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_an_object_with_what_the_text_says() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .event_format(Json)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::info_span!("request", id = 7).entered();
            tracing::warn!(
                target: "narad",
                topic = "orders",
                offset = 5_i64,
                share = f64::NAN,
                waits = true,
                cause = %"a \"cause\"\nof two lines",
                names = ?["a"],
                "attempt failed: {}",
                "trying \"again\""
            );
        });
        tracing::subscriber::with_default(
            tracing_subscriber::fmt()
                .event_format(Json)
                .with_writer({
                    let writer = lines.clone();
                    move || writer.clone()
                })
                .finish(),
            || tracing::info!("plain"),
        );
        let written = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let objects: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [first, second] = &objects[..] else { panic!("{written}") };
        assert!(first["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{written}");
        let mut rest = first.clone();
        rest.as_object_mut().unwrap().remove("timestamp");
        assert_eq!(
            rest,
            serde_json::json!({
                "level": "WARN",
                "target": "narad",
                "message": "attempt failed: trying \"again\"",
                "fields": {
                    "topic": "orders", "offset": 5, "share": "NaN", "waits": true,
                    "cause": "a \"cause\"\nof two lines", "names": "[\"a\"]",
                },
                "spans": ["request{id=7}"],
            })
        );
        assert_eq!((&second["message"], second.get("fields")), (&"plain".into(), None));
    }
}

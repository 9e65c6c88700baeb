//! The rules for handlers that span several options, or options and signature.

use narad_syntax::limits;
use proc_macro2::Span;

use super::args::{Args, DeadLetter, Ordering};
use super::signature::Signature;
use crate::attr::Text;
use crate::diagnostics::Diagnostics;
use crate::literal;

pub(crate) fn check(args: &Args, signature: Option<&Signature>, diagnostics: &Diagnostics) {
    check_source(args, diagnostics);
    check_names(args, diagnostics);
    check_partition_order(args, diagnostics);
    check_endless(args, diagnostics);
    if let Some(signature) = signature
        && !signature.is_async
    {
        check_plain(args, diagnostics);
    }
}

// #[kafka_handler(topic = "a", pattern = "^a")]
fn check_source(args: &Args, diagnostics: &Diagnostics) {
    let given =
        [("topic", args.topic.given()), ("topics", args.topics.given()), ("pattern", args.pattern.given())];
    let mut given = given.into_iter().filter_map(|(name, span)| Some((name, span?)));
    let Some((first, _)) = given.next() else {
        let usage = "`topic = \"…\"`, `topics = [\"…\", \"…\"]` or `pattern = \"^…\"`";
        diagnostics.at(Span::call_site(), format!("a handler says what it reads: {usage}"));
        return;
    };
    for (name, span) in given {
        diagnostics.at(
            span,
            format!("`{name}` beside `{first}`: a handler has one of `topic`, `topics` and `pattern`"),
        );
    }
}

// #[kafka_handler(topic = "user events")]
fn check_names(args: &Args, diagnostics: &Diagnostics) {
    let dead_letter = match args.dead_letter.get() {
        Some(DeadLetter::Topic(topic)) => Some(topic),
        _ => None,
    };
    let topics =
        args.topic.get().into_iter().chain(args.topics.get().into_iter().flatten()).chain(dead_letter);
    for topic in topics.filter_map(Text::as_literal) {
        literal::check_topic(topic, diagnostics);
    }
    if let Some(topics) = args.topics.get() {
        let mut seen = vec![];
        for topic in topics.iter().filter_map(Text::as_literal) {
            if seen.contains(&topic.value()) {
                diagnostics.on(topic, "this topic is listed twice; keep one");
            }
            seen.push(topic.value());
        }
    }
    if let Some(pattern) = args.pattern.get().and_then(Text::as_literal) {
        literal::check_pattern(pattern, diagnostics);
    }
    if let Some(group) = args.group.get().and_then(Text::as_literal) {
        literal::check_text(group, "a group's name", diagnostics);
    }
    if let Some(name) = args.name.get().and_then(Text::as_literal)
        && name.value().is_empty()
    {
        diagnostics.on(name, "a handler's name cannot be empty");
    }
}

// #[kafka_handler(topic = "a", ordering = "partition", concurrency = 4)]
fn check_partition_order(args: &Args, diagnostics: &Diagnostics) {
    if let (Some(Ordering::Partition), Some(concurrency)) = (args.ordering.get(), args.concurrency.get())
        && concurrency.count > 1
    {
        diagnostics.at(concurrency.span, limits::PARTITION_ORDER);
    }
}

// #[kafka_handler(topic = "a", dead_letter = off, retry(backoff = "0s..1s"))]
fn check_endless(args: &Args, diagnostics: &Diagnostics) {
    if let (Some(DeadLetter::Off), Some(retry)) = (args.dead_letter.get(), args.retry.get())
        && let (Some((0, _)), Some(span)) = (retry.backoff.get(), retry.backoff.given())
    {
        diagnostics.at(span, limits::NO_PAUSE);
    }
}

// #[kafka_handler(topic = "a", timeout = "5s")]
// fn plain(event: SomeEvent) {}
fn check_plain(args: &Args, diagnostics: &Diagnostics) {
    if let Some(span) = args.timeout.given() {
        diagnostics.at(span, limits::PLAIN_TIMEOUT);
    }
    if let Some(concurrency) = args.concurrency.get()
        && concurrency.count > limits::MAX_THREADS
    {
        diagnostics.at(concurrency.span, limits::too_many_threads());
    }
}

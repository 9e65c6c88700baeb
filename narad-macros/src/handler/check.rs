//! The rules for handlers that span several options, or options and signature.

use narad_syntax::options::DeadLetter;
use proc_macro2::Span;

use super::args::Args;
use super::options::Written;
use super::signature::Signature;
use crate::attr::Text;
use crate::diagnostics::Diagnostics;
use crate::literal;

pub(crate) fn check(args: &Args, signature: Option<&Signature>, diagnostics: &Diagnostics) {
    check_source(args, diagnostics);
    check_names(args, diagnostics);
    // Where the signature is wrong, nothing is said of what follows from it.
    check_options(&args.options, signature.is_some_and(|signature| !signature.is_async), diagnostics);
}

// #[kafka_handler(topic = "a", pattern = "^a")]
fn check_source(args: &Args, diagnostics: &Diagnostics) {
    let given =
        [("topic", args.topic.given()), ("topics", args.topics.given()), ("pattern", args.pattern.given())];
    let mut given = given.into_iter().filter_map(|(name, span)| Some((name, span?)));
    let Some((first, _)) = given.next() else {
        let usage = "`topic = \"…\"`, `topics = [\"…\", \"…\"]` or `pattern = \"^…\"`";
        diagnostics.at(Span::call_site(), format!("name what this handler reads: {usage}"));
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
    let dead_letter = match &args.options.values.dead_letter {
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
fn check_options(options: &Written, blocking: bool, diagnostics: &Diagnostics) {
    for refusal in options.values.refusals(blocking, &options.wrong) {
        if let Some(span) = options.place(refusal.field, refusal.place) {
            diagnostics.at(span, refusal.why);
        }
    }
}

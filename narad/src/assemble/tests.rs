//! What is resolved, and what is refused, before anything runs.

use super::*;
use crate::codec::{About, Shape};
use crate::handler::{Call, DeadLetterSpec, EventKind, LeftOver, OptionsSpec, Reply, Start, TopicsSpec};
use crate::outcome::Outcome;

fn handler(name: &'static str, topics: &'static [&'static str], group: &'static str) -> HandlerSpec {
    HandlerSpec {
        name,
        module: "shop::orders",
        about: &About::NOTHING,
        topics: TopicsSpec::Names(topics),
        group: Some(group),
        options: OptionsSpec::NONE,
        call: Call::Blocking(|_| Reply::new(Outcome::done())),
        params: &[],
        returns: |_| {},
    }
}

fn with(handler: HandlerSpec, options: OptionsSpec) -> HandlerSpec {
    HandlerSpec { options, ..handler }
}

fn plans(specs: Vec<HandlerSpec>) -> Result<Vec<GroupPlan>> {
    groups(specs, &Config::default(), &States::default())
}

fn refusal(specs: Vec<HandlerSpec>) -> String {
    let text = plans(specs).expect_err("a refusal").to_string();
    assert!(!text.contains('\n'), "one line: {text}");
    text
}

#[test]
fn an_empty_table_says_how_handlers_of_a_library_are_linked() {
    assert!(refusal(vec![]).contains("narad::handlers!(my_lib);"));
}

#[test]
fn the_same_name_twice_in_a_group_names_both_modules() {
    let other = HandlerSpec { module: "shop::returns", ..handler("count", &["b"], "g") };
    let text = refusal(vec![handler("count", &["a"], "g"), other]);
    assert!(
        text.contains("count") && text.contains("shop::orders") && text.contains("shop::returns"),
        "{text}"
    );
    plans(vec![handler("count", &["a"], "g"), handler("count", &["a"], "h")]).expect("two groups");
}

#[test]
fn what_belongs_to_the_group_on_the_topic_must_not_be_written_out_differently() {
    let none = OptionsSpec::NONE;
    let different = [
        (
            "ordering",
            OptionsSpec { ordering: Some(Ordering::Key), ..none },
            OptionsSpec { ordering: Some(Ordering::None), ..none },
        ),
        (
            "concurrency",
            OptionsSpec { concurrency: Some(2), ..none },
            OptionsSpec { concurrency: Some(3), ..none },
        ),
        (
            "start",
            OptionsSpec { start: Some(Start::Earliest), ..none },
            OptionsSpec { start: Some(Start::Latest), ..none },
        ),
        (
            "unknown",
            OptionsSpec { unknown: Some(LeftOver::Skip), ..none },
            OptionsSpec { unknown: Some(LeftOver::DeadLetter), ..none },
        ),
        (
            "tombstone",
            OptionsSpec { tombstone: Some(LeftOver::DeadLetter), ..none },
            OptionsSpec { tombstone: Some(LeftOver::Skip), ..none },
        ),
    ];
    for (option, first, second) in different {
        let text = refusal(vec![
            with(handler("one", &["a", "b"], "g"), first),
            with(handler("two", &["b"], "g"), second),
        ]);
        assert!(
            text.contains("topic b") && text.contains(option) && text.contains("one") && text.contains("two"),
            "{text}"
        );
        plans(vec![with(handler("one", &["a"], "g"), first), with(handler("two", &["b"], "g"), second)])
            .expect("two topics");
        plans(vec![with(handler("one", &["a"], "g"), first), with(handler("two", &["a"], "h"), second)])
            .expect("two groups");
        plans(vec![with(handler("one", &["a"], "g"), first), handler("two", &["a"], "g")])
            .expect("one of them says nothing");
    }
}

#[test]
fn overrides_are_in_before_the_options_are_compared() {
    let mut config = Config::default();
    config.handler_overrides.set("TWO_CONCURRENCY", "4");
    let written = OptionsSpec { concurrency: Some(2), ..OptionsSpec::NONE };
    let specs = || vec![with(handler("one", &["a"], "g"), written), handler("two", &["a"], "g")];
    let text = groups(specs(), &config, &States::default()).expect_err("a refusal").to_string();
    assert!(text.contains("concurrency") && text.contains('4'), "{text}");
    config.handler_overrides.set("ONE_CONCURRENCY", "4");
    groups(specs(), &config, &States::default()).expect("the same for both");
}

#[test]
fn a_batch_handler_has_its_topic_to_itself_in_its_group() {
    let batch = || HandlerSpec {
        params: &[|| Takes::Batch(|| Takes::Event(EventKind::Plain, &Shape::UNKNOWN))],
        ..handler("many", &["a"], "g")
    };
    let text = refusal(vec![batch(), handler("one", &["a"], "g")]);
    assert!(text.contains("many") && text.contains("one") && text.contains("topic a"), "{text}");
    plans(vec![batch(), handler("one", &["b"], "g"), handler("two", &["a"], "h")])
        .expect("another topic, another group");
}

#[test]
fn a_state_that_nobody_gave_names_handler_and_type() {
    let text = refusal(vec![HandlerSpec {
        params: &[|| Takes::State(crate::state::Wanted::of::<std::path::PathBuf>())],
        ..handler("count", &["a"], "g")
    }]);
    assert!(text.contains("count") && text.contains("PathBuf") && text.contains(".state("), "{text}");
}

#[test]
fn names_hold_placeholders_and_what_they_become_is_checked() {
    let plans = plans(vec![handler("count", &["a.${NARAD_TEST_NOBODY:-b}"], "g-${NARAD_TEST_NOBODY:-h}")])
        .expect("defaults");
    assert_eq!((plans[0].name.as_str(), plans[0].topics()), ("g-h", vec!["a.b".to_owned()]));
    let text = refusal(vec![handler("count", &["a.${NARAD_TEST_NOBODY}"], "g")]);
    assert!(text.contains("count") && text.contains("NARAD_TEST_NOBODY"), "{text}");
    let text = refusal(vec![handler("count", &["${NARAD_TEST_NOBODY:-a b}"], "g")]);
    assert!(text.contains("count") && text.contains("a b"), "{text}");
}

#[test]
fn a_dead_letter_holds_placeholders_and_what_it_becomes_is_checked() {
    let to = |name| {
        vec![with(
            handler("count", &["a"], "g"),
            OptionsSpec { dead_letter: Some(DeadLetterSpec::Topic(name)), ..OptionsSpec::NONE },
        )]
    };
    let plans = plans(to("a.${NARAD_TEST_NOBODY:-b}.failed")).expect("a default");
    assert_eq!(plans[0].dead_letters("a"), ["a.g.dlq", "a.b.failed"]);
    let text = refusal(to("a.${NARAD_TEST_NOBODY}.failed"));
    assert!(text.contains("count, dead_letter") && text.contains("NARAD_TEST_NOBODY"), "{text}");
    // A constant is seen by nobody before the start.
    let text = refusal(to("a b"));
    assert!(text.contains("count, dead_letter") && text.contains("a b"), "{text}");
}

#[test]
fn an_overridden_dead_letter_is_taken_as_it_is() {
    let mut config = Config::default();
    config.handler_overrides.set("COUNT_DEAD_LETTER", "a.failed");
    let plans = groups(vec![handler("count", &["a"], "g")], &config, &States::default()).expect("a topic");
    assert_eq!(plans[0].dead_letters("a"), ["a.g.dlq", "a.failed"]);
    config.handler_overrides.set("COUNT_DEAD_LETTER", "a.${NARAD_TEST_NOBODY:-b}");
    let text = groups(vec![handler("count", &["a"], "g")], &config, &States::default())
        .expect_err("a refusal")
        .to_string();
    assert!(text.contains("NARAD_HANDLER_COUNT_DEAD_LETTER"), "{text}");
}

#[test]
fn a_dead_letter_of_ones_own_is_the_groups_where_its_name_would_be_too_long() {
    let long: &'static str = "o".repeat(240).leak();
    let topics: &'static [&'static str] = vec![long].leak();
    let giving_up = |name, dead_letter| {
        let dead_letter = Some(dead_letter);
        with(handler(name, topics, "billing"), OptionsSpec { dead_letter, ..OptionsSpec::NONE })
    };
    let text = refusal(vec![handler("count", topics, "billing")]);
    assert!(text.contains("handler count") && text.contains("dead_letter = \"…\""), "{text}");
    let own = || giving_up("count", DeadLetterSpec::Topic("orders.failed"));
    let plans = plans(vec![own()]).expect("the remedy that was asked for");
    assert_eq!(plans[0].dead_letters(long), ["orders.failed"]);
    // Beside it every other handler must have one, too, or want none.
    let text = refusal(vec![own(), handler("sum", topics, "billing")]);
    assert!(text.contains("handler sum") && text.contains("dead_letter = \"…\""), "{text}");
    self::plans(vec![own(), giving_up("sum", DeadLetterSpec::Skip)]).expect("one of them has a topic");
    let text = refusal(vec![giving_up("sum", DeadLetterSpec::Skip)]);
    assert!(
        text.contains("group billing") && text.contains("dead_letter = \"…\"") && text.contains("249"),
        "{text}"
    );
}

#[test]
fn a_handler_without_a_group_has_the_configured_one() {
    let none = || vec![HandlerSpec { group: None, ..handler("count", &["a"], "") }];
    let text = refusal(none());
    assert!(
        text.contains("count") && text.contains("KAFKA_GROUP_ID") && text.contains("KAFKA_CLIENT_ID"),
        "{text}"
    );
    let mut config = Config { client_id: "shop".to_owned(), ..Config::default() };
    assert_eq!(groups(none(), &config, &States::default()).expect("the client id")[0].name, "shop");
    config.group_id = Some("billing".to_owned());
    assert_eq!(groups(none(), &config, &States::default()).expect("the group id")[0].name, "billing");
}

#[test]
fn dead_letters_that_come_back_as_records_are_refused() {
    let to = |name, topics, group, dead_letter| {
        with(
            handler(name, topics, group),
            OptionsSpec { dead_letter: Some(DeadLetterSpec::Topic(dead_letter)), ..OptionsSpec::NONE },
        )
    };
    let text = refusal(vec![to("bill", &["orders", "returns"], "g", "orders")]);
    assert!(text.contains("bill") && text.contains("dead_letter = \"orders\""), "{text}");
    let pattern =
        HandlerSpec { topics: TopicsSpec::Pattern("^orders"), ..to("all", &[], "g", "orders-dead") };
    assert!(refusal(vec![pattern]).contains("all"));
    let text = refusal(vec![
        to("one", &["a"], "g", "b"),
        to("two", &["b"], "h", "c"),
        to("three", &["c"], "g", "a"),
    ]);
    assert!(
        text.contains("one, two, three")
            || text.contains("three, one, two")
            || text.contains("two, three, one"),
        "{text}"
    );
    // A line of topics, a dead-letter topic by its name, one by what another handler writes there.
    plans(vec![to("one", &["a"], "g", "b"), to("two", &["b"], "g", "c"), handler("three", &["c"], "g")])
        .expect("no round");
    plans(vec![to("again", &["a.dlq"], "g", "a.dlq")])
        .expect("what was read from a dead-letter topic goes back to it");
    plans(vec![to("first", &["a"], "g", "graveyard"), to("again", &["graveyard"], "g", "graveyard")])
        .expect("the same");
}

#[test]
fn a_pattern_takes_neither_internal_topics_nor_dead_letters() {
    let spec = HandlerSpec { topics: TopicsSpec::Pattern(r"(^|\.)user\."), ..handler("count", &[], "g") };
    let plans = plans(vec![spec]).expect("a plan");
    let takes = |topic| plans[0].handlers[0].takes_topic(topic);
    assert!(takes("user.login") && takes("eu.user.login") && !takes("users"));
    assert!(!takes("user.login.g.dlq") && !takes("__user.login") && !takes("__consumer_offsets.user."));
}

#[test]
fn the_default_dead_letter_is_a_topic_whatever_the_group_is_called() {
    let plans = plans(vec![handler("count", &["orders"], "billing/eu ü")]).expect("a plan");
    assert_eq!(plans[0].dead_letters("orders"), ["orders.billing_eu__.dlq"]);
}

#[test]
fn a_group_that_is_asked_for_and_not_there_is_named_with_those_that_are() {
    let config = Config { groups: Some(vec!["audit".to_owned()]), ..Config::default() };
    let text = groups(vec![handler("count", &["a"], "billing")], &config, &States::default())
        .expect_err("a refusal")
        .to_string();
    assert!(text.contains("audit") && text.contains("billing"), "{text}");
}

/// The lines of a group in the table at the start.
fn table(specs: Vec<HandlerSpec>) -> Vec<String> {
    let mut lines = String::new();
    plans(specs).expect("a plan").iter().for_each(|plan| plan.table(&mut lines));
    lines.lines().filter(|line| !line.is_empty()).map(|line| line.trim().to_owned()).collect()
}

fn batches(name: &'static str, topics: &'static [&'static str]) -> HandlerSpec {
    let params: &[fn() -> Takes] = &[|| Takes::Batch(|| Takes::Event(EventKind::Plain, &Shape::UNKNOWN))];
    HandlerSpec { params, ..handler(name, topics, "g") }
}

#[test]
fn the_table_says_what_another_handler_of_the_group_wrote_for_the_topic() {
    let by_partition = OptionsSpec { ordering: Some(Ordering::Partition), ..OptionsSpec::NONE };
    let lines = table(vec![handler("one", &["a"], "g"), with(handler("two", &["a"], "g"), by_partition)]);
    for (line, name) in lines.iter().zip(["one", "two"]) {
        assert!(line.starts_with(name) && line.contains("ordering=partition concurrency=1 "), "{line}");
    }
    let many = OptionsSpec { concurrency: Some(64), ..OptionsSpec::NONE };
    let lines = table(vec![handler("one", &["a"], "g"), with(handler("two", &["a"], "g"), many)]);
    assert!(lines[0].contains("ordering=key concurrency=64 "), "{lines:?}");
    // Neither written beside the other, nor together.
    let lines =
        table(vec![with(handler("one", &["a"], "g"), by_partition), with(handler("two", &["a"], "g"), many)]);
    assert!(lines.iter().all(|line| line.contains("ordering=partition concurrency=1 ")), "{lines:?}");
}

#[test]
fn the_table_says_that_batches_are_handled_one_after_the_other() {
    let lines = table(vec![batches("index", &["a"])]);
    assert!(lines[0].contains("ordering=key concurrency=1 "), "{lines:?}");
}

#[test]
fn a_handler_has_a_line_for_the_topics_where_other_options_are_in_force() {
    let many = OptionsSpec { concurrency: Some(64), ..OptionsSpec::NONE };
    let lines = table(vec![handler("one", &["a", "b", "c"], "g"), with(handler("two", &["b"], "g"), many)]);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("one ◄ a,c ") && lines[0].contains("concurrency=16 "), "{lines:?}");
    assert!(lines[1].starts_with("one ◄ b ") && lines[1].contains("concurrency=64 "), "{lines:?}");
    assert!(lines[2].starts_with("two ◄ b ") && lines[2].contains("concurrency=64 "), "{lines:?}");
    let pattern = || HandlerSpec { topics: TopicsSpec::Pattern("^x"), ..handler("all", &[], "g") };
    let lines = table(vec![pattern(), with(handler("two", &["x.b"], "g"), many)]);
    assert!(lines[0].starts_with("all ◄ /^x/ ") && lines[0].contains("concurrency=16 "), "{lines:?}");
    assert!(lines[1].starts_with("all ◄ x.b ") && lines[1].contains("concurrency=64 "), "{lines:?}");
    assert_eq!(lines.len(), 3, "{lines:?}");
}

#[test]
fn the_table_shows_what_else_is_not_the_default() {
    let unusual = OptionsSpec {
        start: Some(Start::Latest),
        dead_letter: Some(DeadLetterSpec::Off),
        retry_backoff: Some((1_000, 90_000)),
        ..OptionsSpec::NONE
    };
    let lines = table(vec![with(handler("one", &["a"], "g"), unusual), handler("two", &["a"], "g")]);
    let columns = "ordering=key concurrency=16 attempts=5";
    let own = "retry_backoff=1s..90s dead_letter=off";
    assert!(lines[0].ends_with(&format!("group=g {columns} {own} start=latest")), "{lines:?}");
    assert!(lines[1].ends_with(&format!("group=g {columns} start=latest")), "{lines:?}");
}

use super::*;

#[test]
fn the_command_can_be_pasted() {
    let brokers = ["a:9092".to_owned(), "b:9092".to_owned()];
    assert_eq!(
        create_command(&brokers, &NewTopic::named("orders")),
        "kafka-topics.sh --bootstrap-server a:9092,b:9092 --create --topic orders --partitions 3"
    );
    let dead_letter =
        NewTopic { name: "orders.dlq".to_owned(), max_message_bytes: Some(1_048_588 + DEAD_LETTER_ROOM) };
    assert!(create_command(&brokers, &dead_letter).ends_with(" --config max.message.bytes=1114124"));
}

#[test]
fn refusals_say_which_topic_and_whether_waiting_helps() {
    let refused = [
        Refused { topic: "a".to_owned(), code: Code::TopicAuthorizationFailed },
        Refused { topic: "b".to_owned(), code: Code::RequestTimedOut },
    ];
    let text = Refused::list(&refused);
    assert!(
        text.starts_with(
            "a (not authorised: the user of this client needs the permission to create topics), b ("
        ),
        "{text}"
    );
    assert_eq!(refused.map(|refused| refused.is_mendable()), [false, true]);
}

#[test]
fn a_question_over_a_connection_that_broke_is_asked_again_and_no_other() {
    let asked = std::cell::Cell::new(0);
    let ask = |errors: &[Code]| {
        asked.set(0);
        insist("it fails", || {
            let error = errors.get(asked.get()).map(|code| KafkaError::MetadataFetch(*code));
            asked.set(asked.get() + 1);
            error.map_or(Ok("answered"), Err)
        })
    };
    assert_eq!(ask(&[Code::BrokerTransportFailure, Code::AllBrokersDown]).unwrap(), "answered");
    assert_eq!(asked.get(), 3);
    assert!(ask(&[Code::ClusterAuthorizationFailed]).is_err());
    assert_eq!(asked.get(), 1);
}

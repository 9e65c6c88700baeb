use super::*;

#[test]
fn refusals_say_which_topic_and_whether_waiting_helps() {
    let refused =
        [("a", Code::TopicAuthorizationFailed), ("b", Code::RequestTimedOut)].map(|(topic, code)| Refused {
            topic: topic.to_owned(),
            fault: code.into(),
            mendable: is_mendable(code),
        });
    let text = Refused::list(&refused);
    assert!(
        text.starts_with(
            "a (not authorised: the user of this client needs the permission to create topics), b ("
        ),
        "{text}"
    );
    assert_eq!(refused.map(|refused| refused.mendable), [false, true]);
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

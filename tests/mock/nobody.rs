//! Records of a type that no handler takes.

use narad_tests::cluster::Stored;

use crate::application::record;
use crate::cluster::TOPIC;
use crate::{Application, Mock, logs};

fn unknown(r#type: &str, headers: &[(&str, &[u8])]) -> Stored {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), Some(value.to_vec()))).collect();
    let value = format!(r#"{{"type": "{type}", "key": "user-1"}}"#).into_bytes();
    Stored { value: Some(value), headers, ..record("user-1", 0, "nothing") }
}

#[test]
fn the_first_of_each_type_is_logged_with_the_names_of_its_headers_and_not_their_values() {
    let mock = Mock::start(1);
    let mut application = Application::start(&mock, "m9-nobody");
    let forged = "id\nERROR forged";
    mock.cluster.write(
        TOPIC,
        [
            unknown("ORDER_PAID", &[("eventType", b"secret"), (forged, b"secret"), ("eventType", b"secret")]),
            unknown("ORDER_PAID", &[("another", b"secret")]),
            unknown("ORDER_SENT", &[]),
        ],
    );
    application.await_committed(&mock, 3);
    application.stop().expect("a clean drain");
    let lines: Vec<_> = logs::with("no handler takes this type")
        .into_iter()
        .filter(|line| line.contains("m9-nobody") && line.contains("logged once per type"))
        .collect();
    assert_eq!(lines.len(), 2, "once for each type: {lines:#?}");
    assert!(lines[0].contains("ORDER_PAID") && lines[1].contains("ORDER_SENT"), "{lines:#?}");
    assert!(lines[0].contains(r#"headers="eventType, id\\nERROR forged""#), "{}", lines[0]);
    assert!(lines[1].contains(r#"headers="none""#), "{}", lines[1]);
    assert!(logs::with("m9-nobody").iter().all(|line| !line.contains("secret") && !line.contains("\nERROR")));
}

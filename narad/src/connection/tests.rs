use super::*;

const PLAIN: Security = Security { tls: false, sasl: false };

fn connection(development: bool, timeout: u64) -> Connection {
    Connection::new(
        &["a:1".to_owned(), "b:2".to_owned()],
        PLAIN,
        Duration::from_millis(timeout),
        development,
        Clock::real(),
    )
}

/// The clock of the tests.
fn after(milliseconds: u64) -> Instant {
    Instant::now() + Duration::from_millis(milliseconds)
}

#[test]
fn an_answer_holds_for_five_seconds() {
    let connection = connection(false, 10_000);
    assert!(!connection.is_connected());
    connection.answered();
    assert!(connection.is_connected());
    connection.tick(after(4_900));
    assert_eq!(connection.phase(), Phase::Up);
    connection.tick(after(5_100));
    assert_eq!(connection.phase(), Phase::Down);
    connection.answered_to(after(5_200));
    assert!(connection.is_connected());
}

#[test]
fn one_broker_of_several_is_no_outage() {
    let connection = connection(false, 10_000);
    connection.answered();
    connection.fault("a:1/1: Connect to ipv4#127.0.0.1:1 failed: Connection refused");
    assert!(connection.is_connected());
    connection.all_down();
    assert!(!connection.is_connected());
    assert_eq!(connection.cause(), Some(Cause::Refused));
}

#[test]
fn sends_of_an_outage_wait_for_one_time_out_together() {
    let connection = connection(false, 1_000);
    let now = Instant::now();
    let until = now + Duration::from_millis(1_000);
    assert_eq!(connection.admission(now), Admission::Until(until));
    assert_eq!(connection.admission(now + Duration::from_millis(900)), Admission::Until(until));
    assert_eq!(connection.admission(now + Duration::from_millis(1_100)), Admission::Refused);
    connection.answered();
    assert_eq!(connection.admission(now), Admission::Now);
    connection.all_down();
    // The next outage has a time-out of its own.
    assert!(matches!(connection.admission(now + Duration::from_millis(2_000)), Admission::Until(_)));
}

#[test]
fn who_waits_is_told_the_brokers_and_the_cause() {
    let connection = connection(false, 1_000);
    let mut waiting = connection.wait();
    connection.fault("b:2/bootstrap: Failed to resolve 'b:2': Name or service not known");
    connection.tick(after(900));
    assert!(waiting.try_recv().is_err());
    connection.tick(after(1_100));
    let text = waiting.try_recv().expect("an outcome").expect_err("no broker").to_string();
    assert_eq!(
        text,
        "no broker answered within 1000 ms at a:1, b:2: the host name cannot be resolved; check KAFKA_BROKERS"
    );
}

#[test]
fn who_waits_learns_of_the_answer() {
    let connection = connection(false, 1_000);
    let mut waiting = connection.wait();
    connection.answered();
    assert!(waiting.try_recv().expect("an outcome").is_ok());
    assert!(connection.wait().try_recv().expect("an outcome").is_ok());
}

#[test]
fn development_waits_for_another_address_but_not_for_the_time_out() {
    let connection = connection(true, 10_000);
    let mut waiting = connection.wait();
    connection.fault("localhost:9092/bootstrap: Connect to ipv6#[::1]:9092 failed: Connection refused");
    connection.tick(after(100));
    assert_eq!(connection.phase(), Phase::Connecting);
    connection.tick(after(400));
    assert_eq!(connection.phase(), Phase::Down);
    assert!(waiting.try_recv().expect("an outcome").is_ok());
    assert!(connection.wait().try_recv().expect("an outcome").is_ok());
}

#[test]
fn an_answer_from_before_an_outage_does_not_end_it() {
    let connection = connection(false, 1_000);
    connection.answered();
    let asked = Instant::now();
    connection.all_down();
    connection.answered_to(asked);
    assert_eq!(connection.phase(), Phase::Down);
    connection.answered();
    assert_eq!(connection.phase(), Phase::Up);
}

#[test]
fn nothing_brings_an_ended_connection_back() {
    let connection = connection(false, 1_000);
    connection.answered();
    connection.end();
    connection.answered();
    assert!(!connection.is_connected());
}

#[test]
fn who_waits_for_an_ended_connection_waits_for_nobody() {
    let connection = connection(false, 1_000);
    connection.end();
    assert_eq!(connection.wait().try_recv().unwrap_err(), oneshot::error::TryRecvError::Closed);
}

#[test]
fn a_telling_cause_is_not_covered_by_a_vague_one() {
    let connection = connection(false, 1_000);
    connection.fault(
        "sasl_plaintext://a:1/bootstrap: SASL authentication error: Authentication failed: \
     Invalid username or password",
    );
    connection.fault("a:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused");
    assert_eq!(connection.cause(), Some(Cause::Authentication));
}

const REFUSED: &str = "sasl_plaintext://a:1/bootstrap: SASL authentication error: Authentication failed: \
 Invalid username or password";

#[test]
fn a_user_that_all_brokers_refuse_waits_for_no_time_out() {
    let connection = connection(false, 10_000);
    let mut waiting = connection.wait();
    let now = Instant::now();
    assert!(matches!(connection.admission(now), Admission::Until(_)));
    connection.fault(REFUSED);
    connection.tick(now);
    assert!(waiting.try_recv().is_err(), "another broker may know the user");
    connection.all_down();
    connection.tick(now);
    let text = waiting.try_recv().expect("an outcome").expect_err("no broker").to_string();
    assert!(text.starts_with("the brokers at a:1, b:2 refuse this client: authentication failed"), "{text}");
    assert_eq!(connection.admission(now + Duration::from_millis(1)), Admission::Refused);
    connection.answered();
    assert_eq!(connection.admission(now), Admission::Now);
}

#[test]
fn brokers_that_are_merely_away_are_waited_for() {
    let connection = connection(false, 10_000);
    let mut waiting = connection.wait();
    connection.fault("a:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused");
    connection.all_down();
    connection.tick(after(9_000));
    assert!(waiting.try_recv().is_err());
}

#[test]
fn an_advertised_address_that_cannot_be_reached_is_named_with_the_given_ones() {
    let connection = connection(false, 1_000);
    let mut waiting = connection.wait();
    connection.fault("a:1/bootstrap: Disconnected (after 1ms in state UP)");
    connection.fault("kafka:9092/7: Failed to resolve 'kafka:9092': Name or service not known");
    connection.fault("a:1/bootstrap: Disconnected (after 1ms in state UP)");
    connection.tick(after(1_100));
    let text = waiting.try_recv().expect("an outcome").expect_err("no broker").to_string();
    assert_eq!(
        text,
        "brokers answer at a:1, b:2, but one of them advertises the address kafka:9092, which cannot be \
         reached from here: the host name cannot be resolved; set advertised.listeners of the broker to an address that its clients reach"
    );
}

#[test]
fn brokers_that_go_away_later_are_not_called_badly_advertised() {
    let connection = connection(false, 1_000);
    connection.answered();
    connection.all_down();
    connection.fault("kafka:9092/7: Connect to ipv4#127.0.0.1:1 failed: Connection refused");
    assert_eq!(connection.cause(), Some(Cause::Refused));
}

#[test]
fn silence_while_the_process_was_stopped_is_no_outage() {
    let connection = connection(false, 1_000);
    connection.answered();
    connection.tick(after(100));
    connection.tick(after(60_000));
    assert_eq!(connection.phase(), Phase::Up, "nobody listened");
    for milliseconds in [61_000, 63_000, 64_900] {
        connection.tick(after(milliseconds));
        assert_eq!(connection.phase(), Phase::Up, "it has as long as ever to answer");
    }
    connection.tick(after(65_200));
    assert_eq!(connection.phase(), Phase::Down);
}

#[test]
fn brokers_that_change_their_names_fill_no_memory() {
    let connection = connection(false, 1_000);
    connection.answered();
    for number in 0..10_000 {
        connection.fault(&format!(
            "broker-{number}:9092/{number}: Connect to ipv4#127.0.0.1:1 failed: Connection refused"
        ));
    }
    assert_eq!(connection.lock().said_of.len(), SAID_OF);
}

#[test]
fn what_was_found_out_of_a_certificate_is_not_covered_by_what_librdkafka_says() {
    let connection = connection(false, 1_000);
    let refused = "ssl://b:2/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate \
     verify failed: broker certificate could not be verified";
    connection.fault(refused);
    let expired = Cause::Expired { own: true, end: "2025-01-02T03:04:05Z".to_owned() };
    connection.found(expired.clone());
    connection.fault(refused);
    assert_eq!(connection.cause(), Some(expired));
}

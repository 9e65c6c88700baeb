use super::*;

const PLAIN: Security = Security { tls: false, sasl: false };
const TLS: Security = Security { tls: true, sasl: false };
const SASL: Security = Security { tls: false, sasl: true };
const BOTH: Security = Security { tls: true, sasl: true };

/// What librdkafka 2.12 says of brokers of Apache Kafka 4.3.
#[test]
fn causes_are_recognised() {
    let unverified = "ssl://b:1/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate \
     verify failed: broker certificate could not be verified, verify that ssl.ca.location is correctly configured or root CA certificates are installed (install ca-certificates package) (after 7ms in state SSL_HANDSHAKE)";
    let table = [
        (
            BOTH,
            "sasl_ssl://b:1/bootstrap: SASL authentication error: Authentication failed: Invalid username \
             or password (after 304ms in state AUTH_REQ)",
            Cause::Authentication,
        ),
        (
            SASL,
            "sasl_plaintext://b:1/bootstrap: SASL authentication error: Authentication failed during \
             authentication due to invalid credentials with SASL mechanism SCRAM-SHA-256 (after 358ms in state AUTH_REQ)",
            Cause::Authentication,
        ),
        (
            SASL,
            "sasl_plaintext://b:1/bootstrap: SASL SCRAM-SHA-256 mechanism handshake failed: Broker: \
             Unsupported SASL mechanism: broker's supported mechanisms: PLAIN (after 2ms in state AUTH_HANDSHAKE)",
            Cause::Mechanism,
        ),
        (
            SASL,
            "sasl_plaintext://b:1/bootstrap: SASL PLAIN mechanism handshake failed: Broker: Request not \
             valid in current SASL state: broker's supported mechanisms:  (after 2ms in state AUTH_HANDSHAKE)",
            Cause::NoUsers,
        ),
        (
            SASL,
            "sasl_plaintext://b:1/bootstrap: SASL authentication error: {\"status\":\"invalid_token\"} (after \
             302ms in state AUTH_REQ)",
            Cause::TokenRefused,
        ),
        (
            BOTH,
            "sasl_ssl://b:1/bootstrap: SASL authentication error: [6be7e7ac]: Access denied (after 302ms in \
             state AUTH_REQ)",
            Cause::TokenRefused,
        ),
        (
            SASL,
            "Failed to acquire SASL OAUTHBEARER token: the token provider: connection refused",
            Cause::NoToken("the token provider: connection refused".to_owned()),
        ),
        (TLS, unverified, Cause::Certificate),
        (
            TLS,
            "ssl://b:1/bootstrap: error:0A000086:SSL routines::certificate verify failed (after 14ms in \
             state SSL_HANDSHAKE)",
            Cause::Certificate,
        ),
        (
            TLS,
            "ssl://b:1/bootstrap: SSL handshake failed: Disconnected: SSL connection closed by peer: \
             connecting to a PLAINTEXT broker listener? (after 11ms in state SSL_HANDSHAKE)",
            Cause::PlainPort,
        ),
        (
            TLS,
            "ssl://b:1/bootstrap: Disconnected: SSL connection closed by peer (after 0ms in state \
             SSL_HANDSHAKE)",
            Cause::PlainPort,
        ),
        (
            TLS,
            "ssl://b:1/bootstrap: SSL handshake failed: error:0A00010B:SSL routines::wrong version number \
             (after 3ms in state SSL_HANDSHAKE)",
            Cause::PlainPort,
        ),
        (
            PLAIN,
            "b:1/bootstrap: Disconnected: connection closed by peer: receive 0 after POLLIN (after 1ms in \
             state APIVERSION_QUERY)",
            Cause::TlsPort,
        ),
        (
            SASL,
            "sasl_plaintext://b:1/bootstrap: Disconnected: connection closed by peer: receive 0 after \
             POLLIN (after 1ms in state APIVERSION_QUERY)",
            Cause::TlsPort,
        ),
        (
            PLAIN,
            "b:1/bootstrap: Receive failed: Invalid response size 352518912 (0..100000000): increase \
             receive.message.max.bytes (after 2ms in state APIVERSION_QUERY)",
            Cause::TlsPort,
        ),
        (
            PLAIN,
            "b:1/bootstrap: Disconnected: connection closed by peer: receive 0 after POLLIN (after 11ms in \
             state UP)",
            Cause::Closed(PLAIN),
        ),
        (
            TLS,
            "ssl://b:1/bootstrap: Disconnected: SSL connection closed by peer (after 4ms in state UP, 1 \
             identical error(s) suppressed)",
            Cause::Closed(TLS),
        ),
        (
            PLAIN,
            "b:1/1: Disconnected: connection closed by peer: receive 0 after POLLIN (after 60211ms in state \
             UP)",
            Cause::Gone,
        ),
        (SASL, "sasl_plaintext://b:1/1: Disconnected (after 4ms in state UP)", Cause::Gone),
        (
            PLAIN,
            "b:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state \
             CONNECT)",
            Cause::Refused,
        ),
        (
            PLAIN,
            "b:1/bootstrap: Failed to resolve 'b:1': Name or service not known (after 11ms in state CONNECT)",
            Cause::Dns,
        ),
        (
            PLAIN,
            "b:1/bootstrap: Connection setup timed out in state CONNECT (after 30028ms in state CONNECT)",
            Cause::TimedOut,
        ),
    ];
    for (security, reason, cause) in table {
        assert_eq!(diagnose(reason, security), cause, "{reason}");
    }
}

#[test]
fn the_rest_keeps_librdkafkas_words() {
    let cause = diagnose("b:1/1: something new", PLAIN);
    assert_eq!(cause.to_string(), "b:1/1: something new");
    assert!(!cause.is_telling());
}

#[test]
fn security_is_that_of_the_protocol() {
    for (protocol, security) in [
        (None, PLAIN),
        (Some("plaintext"), PLAIN),
        (Some("SSL"), TLS),
        (Some("sasl_plaintext"), SASL),
        (Some("sasl_ssl"), BOTH),
    ] {
        assert_eq!(Security::of(protocol), security, "{protocol:?}");
    }
}

#[test]
fn what_to_do_is_named_by_its_variable() {
    for (cause, variable) in [
        (Cause::Authentication, "KAFKA_SASL_PASSWORD"),
        (Cause::Certificate, "KAFKA_SSL_CA"),
        (Cause::TlsPort, "KAFKA_SSL=true"),
        (Cause::PlainPort, "KAFKA_SSL=false"),
        (Cause::HostName, "KAFKA_BROKERS"),
        (Cause::Refused, "KAFKA_BROKERS"),
    ] {
        assert!(cause.to_string().contains(variable), "{cause}");
    }
}

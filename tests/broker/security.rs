//! TLS and SASL against a broker that asks for them, and what is said when something is wrong with them.

use std::time::Duration;

use narad::{Config, Narad, Pem, SaslMechanism};
use narad_tests::cluster::{Cluster, fresh, variable};

fn at(listener: &str) -> Config {
    Config {
        brokers: variable(listener).split(',').map(str::to_owned).collect(),
        create_topics: Some(true),
        connection_timeout: Duration::from_secs(4),
        ..Config::default()
    }
}

fn tls(listener: &str) -> Config {
    Config { ssl: true, ssl_ca: Some(Pem::file(variable("NARAD_TEST_CA"))), ..at(listener) }
}

/// What is in a file that kafka.sh made.
fn text(name: &str) -> Pem {
    Pem::text(std::fs::read_to_string(variable(name)).expect("a file of kafka.sh's"))
}

/// The same key, which needs a password.
fn encrypted(name: &str, password: &str) -> Pem {
    let (key, password) = (variable(name), format!("pass:{password}"));
    let arguments = ["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", &key, "-passout", &password];
    let output = std::process::Command::new("openssl")
        .args(arguments)
        .output()
        .expect("openssl, as kafka.sh needs it");
    Pem::text(String::from_utf8(output.stdout).expect("a PEM"))
}

fn with_user(config: Config, mechanism: SaslMechanism) -> Config {
    Config {
        sasl_mechanism: mechanism,
        sasl_username: Some(variable("NARAD_TEST_SASL_USERNAME").into()),
        sasl_password: Some(variable("NARAD_TEST_SASL_PASSWORD").into()),
        ..config
    }
}

async fn works(config: Config) {
    let topic = fresh("security");
    let narad = Narad::builder().config(config).build().await.expect("an application");
    narad.connect().await.expect("a connection");
    assert!(narad.is_connected());
    let sent = narad.send(&topic, "hello").await.expect("an acknowledgement");
    assert!(sent.offset().is_some());
    narad.disconnect().await.expect("a clean end");
}

/// What a start says of this configuration.
async fn refusal(config: Config) -> String {
    let password = config.sasl_password.clone();
    let narad = Narad::builder().config(config).build().await.expect("an application");
    let error = narad.connect().await.expect_err("no connection").to_string();
    if let Some(password) = password {
        assert!(!error.contains(password.reveal()), "a secret is in: {error}");
    }
    assert!(!narad.is_connected());
    error
}

macro_rules! works {
    ($($name:ident: $config:expr;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            if Cluster::of_env().is_some() {
                works($config).await;
            }
        }
    )*};
}

works! {
    tls_with_a_ca_file: tls("NARAD_TEST_SSL_BROKERS");
    tls_with_a_client_certificate: Config {
        ssl_cert: Some(Pem::file(variable("NARAD_TEST_CLIENT_CERT"))),
        ssl_key: Some(Pem::file(variable("NARAD_TEST_CLIENT_KEY"))),
        ..tls("NARAD_TEST_MUTUAL_BROKERS")
    };
    tls_with_certificates_and_a_key_that_are_text: Config {
        ssl_ca: Some(text("NARAD_TEST_CA")),
        ssl_cert: Some(text("NARAD_TEST_CLIENT_CERT")),
        ssl_key: Some(text("NARAD_TEST_CLIENT_KEY")),
        ..tls("NARAD_TEST_MUTUAL_BROKERS")
    };
    tls_with_a_key_that_is_encrypted: Config {
        ssl_cert: Some(text("NARAD_TEST_CLIENT_CERT")),
        ssl_key: Some(encrypted("NARAD_TEST_CLIENT_KEY", "of the key")),
        ssl_key_password: Some("of the key".into()),
        ..tls("NARAD_TEST_MUTUAL_BROKERS")
    };
    sasl_plain_over_tls: with_user(tls("NARAD_TEST_SASL_SSL_BROKERS"), SaslMechanism::Plain);
    sasl_scram_sha_256_over_tls: with_user(tls("NARAD_TEST_SASL_SSL_BROKERS"), SaslMechanism::ScramSha256);
    sasl_scram_sha_512_over_tls: with_user(tls("NARAD_TEST_SASL_SSL_BROKERS"), SaslMechanism::ScramSha512);
    sasl_scram_sha_512_without_tls: with_user(at("NARAD_TEST_SASL_PLAINTEXT_BROKERS"), SaslMechanism::ScramSha512);
}

macro_rules! refused {
    ($($name:ident: $config:expr, $($says:literal),+;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            if Cluster::of_env().is_some() {
                let said = refusal($config).await;
                println!("{said}");
                $(assert!(said.contains($says), "{said:?} does not say {:?}", $says);)+
            }
        }
    )*};
}

refused! {
    a_wrong_password_is_named: Config {
        sasl_password: Some("wrong-canary".into()),
        ..with_user(tls("NARAD_TEST_SASL_SSL_BROKERS"), SaslMechanism::ScramSha256)
    }, "authentication failed", "KAFKA_SASL_PASSWORD";
    a_wrong_ca_is_named: Config { ssl_ca: Some(Pem::file(variable("NARAD_TEST_OTHER_CA"))), ..tls("NARAD_TEST_SSL_BROKERS") }, "KAFKA_SSL_CA";
    a_wrong_host_is_named: tls("NARAD_TEST_WRONG_HOST_BROKERS"), "another host name", "KAFKA_BROKERS";
    tls_to_a_plain_port_is_named: Config { ssl_ca: None, ..tls("NARAD_TEST_BROKERS") }, "does not speak TLS", "KAFKA_SSL=false";
    plain_text_to_a_tls_port_is_named: at("NARAD_TEST_SSL_BROKERS"), "KAFKA_SSL=true";
    a_missing_client_certificate_is_named: tls("NARAD_TEST_MUTUAL_BROKERS"), "KAFKA_SSL_CERT";
    a_missing_user_is_named: tls("NARAD_TEST_SASL_SSL_BROKERS"), "KAFKA_SASL_USERNAME";
    a_user_where_none_is_taken_is_named: with_user(tls("NARAD_TEST_SSL_BROKERS"), SaslMechanism::Plain), "KAFKA_SASL_USERNAME";
    nothing_that_listens_is_named: Config { brokers: vec!["127.0.0.1:1".into()], ..Config::default() }, "127.0.0.1:1", "refused";
}

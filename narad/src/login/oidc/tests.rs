use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::*;
use crate::login::Recipient;
use crate::login::token::Token;

/// Answers each question with the next of these, and gives what it was asked.
fn service(answers: Vec<String>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (asked, questions) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut question = String::new();
            while !question.contains("grant_type=client_credentials") {
                let mut bytes = [0; 4_096];
                let read = stream.read(&mut bytes).expect("a question");
                question.push_str(std::str::from_utf8(&bytes[..read]).expect("a text"));
            }
            let _ = asked.send(question);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (format!("http://{address}/realms/x/token"), questions)
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

struct Client(Sender<Result<String, String>>);

impl Recipient for Client {
    fn take(&self, token: &Token) {
        let _ = self.0.send(Ok(token.value.clone()));
    }

    fn lacks(&self, why: &str) {
        let _ = self.0.send(Err(why.to_owned()));
    }
}

fn next(told: &Receiver<Result<String, String>>) -> Result<String, String> {
    told.recv_timeout(Duration::from_secs(60)).expect("it is told")
}

#[test]
fn a_token_is_asked_for_with_the_client_and_its_scope() {
    let body = r#"{"access_token":"opaque","expires_in":3600,"token_type":"Bearer"}"#;
    let (url, questions) = service(vec![http("200 OK", body)]);
    let credentials = ClientCredentials::new(&url, "billing", "s3cr~t:+", Some("kafka read")).unwrap();
    let (sender, told) = channel();
    let _joined = credentials.tokens().join(Box::new(Client(sender)));
    assert_eq!(next(&told), Ok("opaque".to_owned()));
    let question = questions.recv().expect("a question");
    let basic = STANDARD.encode("billing:s3cr~t%3A%2B");
    assert!(question.starts_with("POST /realms/x/token HTTP/1.1\r\n"), "{question}");
    assert!(question.contains(&format!("authorization: Basic {basic}\r\n")), "{question}");
    assert!(question.ends_with("\r\n\r\ngrant_type=client_credentials&scope=kafka%20read"), "{question}");
}

#[test]
fn what_goes_wrong_names_the_host_and_shows_no_secret() {
    let echo = r#"{"error":"invalid_client","error_description":"no client with s3cr3t"}"#;
    let long = "x".repeat(300 << 10);
    let answers = vec![
        http("401 Unauthorized", echo),
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_owned(),
        http("200 OK", &long),
        "SSH-2.0-OpenSSH\r\n".to_owned(),
        http("200 OK", r#"{"access_token":"opaque","expires_in":3600}"#),
    ];
    let (url, _questions) = service(answers);
    let credentials = ClientCredentials::new(&url, "billing", "s3cr3t", None).unwrap();
    let (sender, told) = channel();
    let tokens = credentials.tokens();
    assert!(!format!("{tokens:?}").contains("s3cr3t"));
    let _joined = tokens.join(Box::new(Client(sender)));
    for says in ["no client with ***", "answers 302", "longer than 256 KiB", "the connection broke"] {
        let said = next(&told).unwrap_err();
        assert!(said.contains(says) && said.starts_with("the token service at 127.0.0.1:"), "{said}");
        assert!(!said.contains("s3cr3t"), "{said}");
    }
    assert_eq!(next(&told), Ok("opaque".to_owned()));
}

/// The system's authorities know nobody of this machine's own making.
#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    use openssl::asn1::Asn1Time;
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;
    use openssl::ssl::{SslAcceptor, SslMethod};
    use openssl::x509::X509;

    let key = PKey::from_rsa(Rsa::generate(2_048).unwrap()).unwrap();
    let mut certificate = X509::builder().unwrap();
    certificate.set_pubkey(&key).unwrap();
    certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    certificate.sign(&key, MessageDigest::sha256()).unwrap();
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    acceptor.set_private_key(&key).unwrap();
    acceptor.set_certificate(&certificate.build()).unwrap();
    let acceptor = acceptor.build();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || drop(acceptor.accept(listener.accept().unwrap().0)));
    let url = format!("https://localhost:{port}/token");
    let credentials = ClientCredentials::new(&url, "billing", "s3cr3t", None).unwrap();
    let said = credentials.endpoint.post(&credentials.authorization(), credentials.form()).await.unwrap_err();
    assert!(
        said.contains("its certificate cannot be verified") && said.contains("ca-certificates"),
        "{said}"
    );
}

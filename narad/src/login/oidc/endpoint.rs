//! One question to a token service: by HTTPS, or by HTTP to this machine; bounded in size and time. It
//! follows nobody elsewhere: a secret goes to the host that is given.

use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1;
use hyper::{Request, Uri, header};
use hyper_util::rt::TokioIo;
use openssl::ssl::{SslConnector, SslMethod};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_openssl::SslStream;

/// A question has so long, the connection included.
const PATIENCE: Duration = Duration::from_secs(20);
/// An answer may be so long.
const LONGEST: usize = 256 << 10;

pub(super) struct Endpoint {
    uri: Uri,
    host: String,
    port: u16,
    tls: bool,
}

impl Endpoint {
    /// # Errors
    /// What is wrong with the URL; of it nothing but the host is shown.
    pub(super) fn of(url: &str) -> Result<Self, String> {
        let uri: Uri = url.trim().parse().map_err(|_| "it is no URL, as in https://login.example/token")?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("it does not begin with https://".to_owned()),
        };
        let authority = uri.authority().ok_or("it names no host")?;
        if authority.as_str().contains('@') {
            return Err("it holds a user: use KAFKA_OAUTH_CLIENT_ID and KAFKA_OAUTH_CLIENT_SECRET".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_loopback =
            host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        if !tls && !is_loopback {
            return Err(format!(
                "the secret would go to {host} unencrypted: use https:// (http:// is for loopback only)"
            ));
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { uri, host, port, tls })
    }

    /// Host and port, for messages.
    pub(super) fn shown(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Posts a form. Gives the status and the body of the answer.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(super) async fn post(&self, authorization: &str, form: String) -> Result<(u16, Vec<u8>), String> {
        let asked = async {
            let place = (self.host.as_str(), self.port);
            let tcp = TcpStream::connect(place).await.map_err(|error| format!("no connection: {error}"))?;
            if !self.tls {
                return self.ask(tcp, authorization, form).await;
            }
            let tls = encrypted(&self.host, tcp).await?;
            self.ask(tls, authorization, form).await
        };
        let late = |_| format!("no answer within {} s", PATIENCE.as_secs());
        timeout(PATIENCE, asked).await.map_err(late)?
    }

    async fn ask<S>(&self, stream: S, authorization: &str, form: String) -> Result<(u16, Vec<u8>), String>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let broken = |error: hyper::Error| format!("the connection broke: {error}");
        let mut secret = header::HeaderValue::from_str(authorization).map_err(|error| error.to_string())?;
        secret.set_sensitive(true);
        let host = self.uri.authority().map_or(self.host.as_str(), |authority| authority.as_str());
        let request = Request::post(self.uri.path_and_query().map_or("/", |path| path.as_str()))
            .header(header::HOST, host)
            .header(header::AUTHORIZATION, secret)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::CONNECTION, "close")
            .body(form)
            .map_err(|error| error.to_string())?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // It moves the bytes of the one question, and ends with it.
        let moving = tokio::spawn(connection);
        let answer = sender.send_request(request).await.map_err(broken)?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), LONGEST).collect().await.map_err(|error| {
            match error.downcast_ref::<http_body_util::LengthLimitError>() {
                Some(_) => format!("the answer is longer than {} KiB", LONGEST >> 10),
                None => format!("the answer broke off: {error}"),
            }
        })?;
        moving.abort();
        Ok((status, body.to_bytes().to_vec()))
    }
}

/// Certificate and host name are verified, by the system's authorities: the OpenSSL that is built in knows
/// none.
async fn encrypted(host: &str, tcp: TcpStream) -> Result<SslStream<TcpStream>, String> {
    let unusable = |error: openssl::error::ErrorStack| format!("TLS cannot be used: {error}");
    let mut builder = SslConnector::builder(SslMethod::tls()).map_err(unusable)?;
    let known = openssl_probe::probe();
    if let Some(file) = &known.cert_file {
        let what = format!("the authorities in {} cannot be read", file.display());
        builder.set_ca_file(file).map_err(|error| format!("{what}: {error}"))?;
    }
    let ssl = builder.build().configure().and_then(|tls| tls.into_ssl(host)).map_err(unusable)?;
    let mut stream = SslStream::new(ssl, tcp).map_err(unusable)?;
    let refused = |error: openssl::ssl::Error| match stream_error(&error) {
        Some(verify) => format!("its certificate cannot be verified: {verify}"),
        None => format!("the TLS handshake failed: {error}"),
    };
    let connected = Pin::new(&mut stream).connect().await;
    connected.map_err(refused)?;
    Ok(stream)
}

/// What OpenSSL says of a certificate that it refuses.
fn stream_error(error: &openssl::ssl::Error) -> Option<String> {
    let said = error.to_string();
    said.contains("certificate verify failed")
        .then(|| format!("{said}; is its CA among the system's (ca-certificates, or SSL_CERT_FILE)?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_only_where_nobody_reads_it() {
        for url in [
            "https://login.example/token",
            "https://login.example:8443/a?b=c",
            "http://localhost:8080/token",
            "http://127.0.0.2/token",
            "http://[::1]:1/token",
        ] {
            assert!(Endpoint::of(url).is_ok(), "{url}");
        }
        for (url, says) in [
            ("http://login.example/canary", "unencrypted"),
            ("http://10.0.0.1/token", "to 10.0.0.1 unencrypted"),
            ("https://alice:canary@login.example/token", "holds a user"),
            ("ftp://login.example/canary", "https://"),
            ("login.example/canary", "https://"),
            ("canary canary", "no URL"),
        ] {
            let said = Endpoint::of(url).err().expect(url);
            assert!(said.contains(says) && !said.contains("canary"), "{said}");
        }
        assert_eq!(Endpoint::of("https://[::1]/t").map(|it| it.shown()), Ok("::1:443".to_owned()));
    }
}

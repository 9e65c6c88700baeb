//! What librdkafka says of a failed connection, in plain words with what to do.

use std::fmt;

use super::Broker;

/// How the client connects, without its secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Security {
    pub(crate) tls: bool,
    pub(crate) sasl: bool,
}

impl Security {
    /// From librdkafka's `security.protocol`.
    pub(crate) fn of(protocol: Option<&str>) -> Self {
        let protocol = protocol.unwrap_or_default().to_ascii_lowercase();
        Self { tls: protocol.ends_with("ssl"), sasl: protocol.starts_with("sasl") }
    }
}

/// Why a broker cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The broker knows no such user or password.
    Authentication,
    /// The broker does not offer the mechanism.
    Mechanism,
    /// There is no token to log in with, and why.
    NoToken(String),
    /// The broker does not take the token.
    TokenRefused,
    /// The certificate is of no CA that the client trusts.
    Certificate,
    /// The certificate is for another host.
    HostName,
    /// The broker's certificate has expired: its own, or one of the CAs that signed it.
    Expired { own: bool, end: String },
    /// The broker's certificate is not valid yet.
    NotYetValid,
    /// The client's certificate has expired.
    OwnExpired(String),
    /// The broker wants a certificate of the client.
    ClientCertificate,
    /// TLS was spoken to a port that does not.
    PlainPort,
    /// Plain text was spoken to a port that closes on it: TLS, or a user wanted.
    TlsPort,
    /// A user was given where none is taken.
    NoUsers,
    /// The connection was closed while it was set up. TLS 1.3 ends the handshake before the broker looks at
    /// the client's certificate, so that a missing one looks like a missing user.
    Closed(Security),
    /// The connection was closed.
    Gone,
    /// Nothing listens there.
    Refused,
    /// No such host.
    Dns,
    /// Something that does not answer.
    TimedOut,
    /// No fault was reported either.
    Silent,
    /// The address that a broker advertises, learnt from the brokers that are given, and why it cannot be
    /// reached.
    Advertised(Broker, Box<Cause>),
    /// librdkafka's own words.
    Other(String),
}

impl Cause {
    /// Says more than that the connection is gone: such a cause is kept when vaguer ones follow it.
    pub(crate) fn is_telling(&self) -> bool {
        !matches!(self, Self::Silent | Self::TimedOut | Self::Refused | Self::Gone | Self::Other(_))
    }

    /// Was found out where librdkafka says no more than this.
    pub(crate) fn explains(&self, vague: &Self) -> bool {
        match self {
            Self::HostName | Self::Expired { .. } | Self::NotYetValid => *vague == Self::Certificate,
            Self::OwnExpired(_) => vague.may_be_our_certificate(),
            // librdkafka leaves the given addresses for the advertised ones.
            Self::Advertised(..) => !vague.is_telling() || matches!(vague, Self::Closed(_)),
            _ => false,
        }
    }

    /// What a broker that does not take the client's certificate looks like.
    pub(crate) fn may_be_our_certificate(&self) -> bool {
        matches!(
            self,
            Self::ClientCertificate | Self::Closed(_) | Self::Gone | Self::PlainPort | Self::Other(_)
        )
    }

    /// The broker answered, and takes no client that says this of itself.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Authentication | Self::Mechanism | Self::TokenRefused)
    }

    /// Does not mend itself in moments, as a closed connection does.
    pub(crate) fn is_lasting(&self) -> bool {
        !matches!(self, Self::Silent | Self::Gone | Self::Closed(_) | Self::NoToken(_) | Self::Other(_))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authentication => "authentication failed: wrong user name or password \
             (KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD), or a user that the mechanism (KAFKA_SASL_MECHANISM) does not know",
            Self::Mechanism => "the broker does not offer the SASL mechanism; set KAFKA_SASL_MECHANISM to \
             one that it does",
            Self::NoToken(why) => return write!(f, "there is no token to log in with: {why}"),
            Self::TokenRefused => "the broker refuses the token: it may have ended (is the clock of this \
             machine wrong?), or be of an issuer, for an audience or of a principal that the broker does not \
             take; the broker's log says which",
            Self::Certificate => "the broker's certificate cannot be verified: it is not signed by a CA \
             that this client trusts (certificate verify failed); set KAFKA_SSL_CA to the file of the CA",
            Self::Expired { own, end } => {
                let whose = if *own { "the broker's certificate" } else { "the certificate of a CA that \
                 signed the broker's" };
                return write!(f, "{whose} expired at {end}; renew it at the broker (or is the clock of this \
                 machine wrong?)");
            }
            Self::NotYetValid => "the broker's certificate is not valid yet: is the clock of this machine \
             wrong?",
            Self::OwnExpired(end) => return write!(f, "the certificate of this client (KAFKA_SSL_CERT) \
             expired at {end}; renew it and start again"),
            Self::HostName => "the broker's certificate is for another host name; connect with a name that \
             stands in the certificate (KAFKA_BROKERS, and the broker's advertised.listeners)",
            Self::ClientCertificate => "the broker refused the TLS handshake: it may want a certificate of \
             the client; set KAFKA_SSL_CERT and KAFKA_SSL_KEY",
            Self::PlainPort => "TLS handshake failed: the port does not speak TLS; set KAFKA_SSL=false, or \
             use the broker's TLS port",
            Self::TlsPort => "the broker closed the connection: does the port speak TLS? set \
             KAFKA_SSL=true. Does it want a user? set KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD",
            Self::NoUsers => "the port does not accept SASL: unset KAFKA_SASL_USERNAME, or use the broker's port for SASL",
            Self::Gone => "the connection was closed",
            Self::Closed(Security { sasl: false, tls: true }) => "the broker closed the connection: does it \
             want a user? set KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD. Does it want a certificate of the client? set KAFKA_SSL_CERT and KAFKA_SSL_KEY",
            Self::Closed(Security { sasl: false, tls: false }) => "the broker closed the connection: does \
             it want a user? set KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD",
            Self::Closed(Security { sasl: true, .. }) => "the broker closed the connection: does this port accept SASL? check KAFKA_SASL_USERNAME and the port",
            Self::Refused => "connection refused: nothing listens there; check KAFKA_BROKERS, and that the \
             broker runs",
            Self::Dns => "the host name cannot be resolved; check KAFKA_BROKERS",
            Self::TimedOut => "timed out: check KAFKA_BROKERS, and the network and firewalls in between",
            Self::Silent => "no answer; check KAFKA_BROKERS, and the network and firewalls in between",
            Self::Advertised(broker, cause) => {
                let cause = match **cause {
                    Self::Refused => "connection refused",
                    Self::Dns => "the host name cannot be resolved",
                    Self::TimedOut | Self::Silent => "timed out",
                    ref cause => return write!(f, "one of them advertises the address {broker}, which this \
                     client cannot use: {cause}"),
                };
                return write!(
                    f,
                    "one of them advertises the address {broker}, which cannot be reached from here: \
                     {cause}; set advertised.listeners of the broker to an address that its clients reach"
                );
            }
            Self::Other(text) => return f.write_str(text),
        })
    }
}

/// Recognises the cause in what librdkafka says.
pub(crate) fn diagnose(reason: &str, security: Security) -> Cause {
    let text = reason.to_ascii_lowercase();
    let says = |needle: &str| text.contains(needle);
    if let Some((_, why)) = reason.split_once("Failed to acquire SASL OAUTHBEARER token: ") {
        Cause::NoToken(why.to_owned())
    } else if says("hostname mismatch") || says("ip address mismatch") || says("host name mismatch") {
        Cause::HostName
    } else if says("certificate verify failed") || says("certificate could not be verified") {
        Cause::Certificate
    } else if says("not valid in current sasl state") {
        Cause::NoUsers
    } else if says("unsupported sasl mechanism") || says("mechanism handshake failed") {
        Cause::Mechanism
    } else if says("invalid_token")
        || says("oauthbearer authentication failed")
        || says("sasl mechanism oauthbearer")
        // Amazon MSK.
        || says("access denied")
    {
        Cause::TokenRefused
    } else if says("authentication fail")
        || says("authentication error")
        || says("invalid credentials")
        || says("sasl authentication")
    {
        Cause::Authentication
    } else if says("ssl handshake failed") || says("ssl connection failed") {
        if says("wrong version number")
            || says("plaintext broker listener")
            || says("disconnected")
            || says("packet length too long")
            || says("http request")
        {
            Cause::PlainPort
        } else if says("certificate required")
            || says("alert certificate")
            || says("bad certificate")
            || says("unexpected message")
            || says("handshake failure")
        {
            Cause::ClientCertificate
        } else {
            Cause::Other(reason.to_owned())
        }
    } else if says("failed to resolve")
        || says("name or service not known")
        || says("temporary failure in name resolution")
    {
        Cause::Dns
    } else if says("connection refused") {
        Cause::Refused
    } else if says("apiversion")
        || says("invalid response size")
        || says("incorrect security.protocol")
        || says("verify that security.protocol")
    {
        if security.tls { Cause::Closed(security) } else { Cause::TlsPort }
    } else if says("timed out") || says("timeout") {
        Cause::TimedOut
    } else if says("disconnected") || says("connection reset") || says("broken pipe") {
        if says("in state ssl_handshake") {
            Cause::PlainPort
        } else if says("in state apiversion_query") && !security.tls {
            Cause::TlsPort
        } else if says("in state apiversion_query")
            || says("in state auth_")
            || (!security.sasl && is_fresh(&text))
        {
            // A broker that wants a user closes on the first request without one.
            Cause::Closed(security)
        } else {
            Cause::Gone
        }
    } else {
        Cause::Other(reason.to_owned())
    }
}

/// Whether the connection was up for less than a second: "(after 3ms in state UP)".
fn is_fresh(text: &str) -> bool {
    let Some((before, _)) = text.rsplit_once("ms in state up") else { return false };
    before
        .rsplit_once("(after ")
        .and_then(|(_, duration)| duration.parse::<u64>().ok())
        .is_some_and(|duration| duration < 1_000)
}

#[cfg(test)]
mod tests;

//! Tokens that this program logs in with (SASL `OAUTHBEARER`): where they come from, and who has them.
//!
//! librdkafka asks for a token inside of a poll, where nothing may wait. So nobody waits for it there: a
//! thread of Narad's asks the [source](tokens) before the token that is held ends, and hands the new one over
//! to every client at once. What is held, and when it is asked for, is pure ([`held`]).

mod asking;
mod held;
#[cfg(feature = "oidc")]
mod oidc;
mod shared;
mod token;
mod tokens;

#[cfg(feature = "oidc")]
pub(crate) use oidc::ClientCredentials;
pub(crate) use shared::Recipient;
pub use token::Token;
pub(crate) use tokens::Joined;
pub use tokens::Tokens;

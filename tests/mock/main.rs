//! The application on librdkafka's mock cluster, which answers with the errors that a test asks for: no
//! Kafka, no Java.
//!
//! Each test has a cluster of its own. All of them ask the same: is every record handled or dead-lettered as
//! its rule says, in the order of its key; does the committed offset never go backward nor past what is
//! unfinished; does the process live and say once what happened.
//!
//! Transactions have no tests here: Narad has none.

mod application;
mod cluster;
mod commits_seen;
mod logs;

mod batches;
mod commits;
mod coordinator;
mod ends;
mod fetches;
mod headers;
mod membership;
mod nobody;
mod notes;
mod positions;
mod produces;
mod refusals;
mod returned;
mod saga;
mod send_errors;
mod sends;
mod starting;
mod views;
mod wide;

use application::{Application, work};
use cluster::Mock;
use narad_tests::wait;

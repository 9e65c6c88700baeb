//! A transport in memory, for tests: partitions that are there at once, one group, producers
//! that are acknowledged on the spot. Nothing of librdkafka is in it.

mod admin;
mod cluster;
mod group;
mod member;
mod producer;
mod queue;

pub(crate) use self::cluster::Memory;
pub(crate) use self::member::MemoryMember;

//! What a client is to its group.

use std::ffi::CStr;
use std::ptr::NonNull;

use rdkafka_sys as sys;

use super::handle::Handle;
use crate::transport::Membership;

/// What the client is to its group now; `None` where it has none.
pub(crate) fn membership(client: Handle<'_>) -> Option<Membership> {
    // SAFETY: the client is alive; what is given back is ours until it is destroyed.
    let metadata = NonNull::new(unsafe { sys::rd_kafka_consumer_group_metadata(client.as_ptr()) })?;
    // SAFETY: read and copied before it is destroyed, once; the name is a C string that lives as long as the
    // metadata, and may be null.
    unsafe {
        let generation = sys::rd_kafka_consumer_group_metadata_generation_id(metadata.as_ptr());
        let member = sys::rd_kafka_consumer_group_metadata_member_id(metadata.as_ptr());
        let member = if member.is_null() {
            String::new()
        } else {
            CStr::from_ptr(member).to_string_lossy().into_owned()
        };
        sys::rd_kafka_consumer_group_metadata_destroy(metadata.as_ptr());
        Some(Membership { member, generation })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::Relaxed;
    use std::time::Duration;

    use crate::transport::{
        Client, ClientProperties, Fault, GroupEvents, Member, OwnedMessage, Partition, await_joined, embedded,
    };

    struct Nobody;

    impl GroupEvents for Nobody {
        fn assigned(&self, client: &Arc<dyn Member>, _: &mut [Partition]) {
            // From inside the callback, as the engine does.
            assert!(
                client
                    .membership()
                    .is_some_and(|membership| membership.generation > 0 && !membership.member.is_empty())
            );
        }
        fn revoked(&self, client: &Arc<dyn Member>, _: &[Partition]) {
            client.membership();
        }
        fn lost(&self, _: &Arc<dyn Member>, _: &[Partition]) {}
        fn stray(&self, _: &str, _: i32, _: OwnedMessage) {}
        fn error(&self, _: Option<Fault>, _: bool, _: &str) {}
    }

    #[test]
    fn many_threads_may_ask_while_the_client_joins_and_leaves() {
        embedded::create_topic("membership").unwrap();
        let mut config = ClientProperties::of_member("membership");
        config.set("partition.assignment.strategy", "cooperative-sticky").set("heartbeat.interval.ms", "50");
        // The mock cluster makes who comes back wait for a session, now and then.
        config.set("session.timeout.ms", "2000");
        let client = Client::create(&config, Arc::new(Nobody)).unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let threads = [(); 4].map(|()| {
            let (client, ended) = (client.clone(), ended.clone());
            std::thread::spawn(move || {
                let mut seen = BTreeSet::new();
                while !ended.load(Relaxed) {
                    seen.extend(client.membership().map(|membership| membership.member));
                }
                seen
            })
        });
        for _ in 0..3 {
            client.subscribe(&["membership"]).unwrap();
            await_joined(&client);
            client.unsubscribe();
            for _ in 0..4 {
                client.poll(Duration::from_millis(5));
            }
        }
        ended.store(true, Relaxed);
        for thread in threads {
            let seen = thread.join().unwrap();
            assert!(seen.iter().any(|member| !member.is_empty()), "{seen:?}");
        }
        client.close(Duration::from_secs(10));
    }
}

//! Where partitions are read on.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{Consumer, RebalanceProtocol};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};

use super::{Client, offset};
use crate::transport::kafka::ffi;
use crate::transport::{Begin, Partition, ReadPosition};

impl Client {
    /// Begins to read partitions anew, at other offsets; what was fetched before is thrown away.
    ///
    /// librdkafka has stopped to read them, and refuses to seek in what it does not read: so they are taken
    /// out of the assignment and put back. The group does not learn of it. `all` is where all partitions of
    /// the assignment go on, these among them; none may be read meanwhile.
    ///
    /// A rebalance that waits to be served would be answered by this: see [`Client::serve`].
    pub(crate) fn read_from(
        &self,
        places: &[(&str, i32)],
        all: &[(&str, i32, ReadPosition)],
    ) -> Result<(), String> {
        self.reassign(places, all).map_err(|error| error.to_string())
    }

    fn reassign(&self, places: &[(&str, i32)], all: &[(&str, i32, ReadPosition)]) -> KafkaResult<()> {
        if matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Cooperative) {
            let places: HashSet<_> = places.iter().copied().collect();
            let is_one =
                |(topic, partition, _): &(&str, i32, ReadPosition)| places.contains(&(*topic, *partition));
            let these = positions(&all.iter().copied().filter(is_one).collect::<Vec<_>>());
            self.consumer.incremental_unassign(&these)?;
            return self.consumer.incremental_assign(&these);
        }
        // The eager protocol knows whole assignments only. librdkafka's own `position` is one too far behind
        // a read error.
        self.consumer.assign(&positions(all))
    }

    /// Reads a partition on at another place; what is in its queue is thrown away. Answers before that is
    /// done: who reads the queue from now on finds nothing of before in it. A partition that librdkafka does
    /// not read just now stays so.
    pub(crate) fn seek(&self, topic: &str, partition: i32, at: ReadPosition) {
        let list = positions(&[(topic, partition, at)]);
        if let Err(error) = self.consumer.seek_partitions(list, Duration::ZERO) {
            tracing::error!(
                topic,
                partition,
                offset = at.next,
                "the partition cannot be read on at this offset: {error}"
            );
        }
    }

    /// Has librdkafka fetch nothing of partitions; what is in their queues is thrown away. Waits until
    /// librdkafka's main thread has done it, which is soon: it waits for no lock of Narad's. Who reads a
    /// queue from now on finds nothing of before in it.
    pub(crate) fn pause(&self, places: &[(&str, i32)]) {
        report(places, self.consumer.pause(&named(places)));
    }

    /// Ends a pause. Where there is none, nothing happens. Waits as [`pause`](Self::pause) does.
    pub(in crate::transport) fn resume(&self, topic: &str, partition: i32) {
        let places = [(topic, partition)];
        report(&places, self.consumer.resume(&named(&places)));
    }

    /// As [`seek`](Self::seek), and answers when it is done; `false` where librdkafka does not read the
    /// partition.
    pub(crate) fn seek_read(&self, topic: &str, partition: i32, at: ReadPosition) -> Result<bool, String> {
        let list = positions(&[(topic, partition, at)]);
        let sought = self.consumer.seek_partitions(list, Duration::from_secs(1));
        let error =
            sought.and_then(|answers| answers.elements().first().map_or(Ok(()), |element| element.error()));
        match error {
            Ok(()) => Ok(true),
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::State) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Has librdkafka ask the leaders whether their logs still are those that were read up to there. It does
    /// so by itself only when a leader changes while it reads, and not at an assignment.
    pub(super) fn validate(&self, partitions: &[Partition]) {
        let known = partitions.iter().filter_map(|partition| match partition.begin {
            // Nothing lies before the first offset.
            Begin::At(at) if at.next > 0 && at.epoch >= 0 => {
                Some((partition.topic.as_str(), partition.partition, at))
            }
            _ => None,
        });
        let mut open: Vec<_> = known.collect();
        let deadline = Instant::now() + Duration::from_secs(2);
        while !open.is_empty() && Instant::now() < deadline {
            match self.consumer.seek_partitions(positions(&open), Duration::from_secs(1)) {
                Ok(answers) => {
                    // What is taken away just now is assigned again only after that.
                    let elements = answers.elements();
                    let waiting = elements.iter().filter(|element| {
                        element
                            .error()
                            .is_err_and(|error| error.rdkafka_error_code() == Some(RDKafkaErrorCode::State))
                    });
                    let waiting: HashSet<_> =
                        waiting.map(|element| (element.topic(), element.partition())).collect();
                    open.retain(|(topic, partition, _)| waiting.contains(&(*topic, *partition)));
                }
                Err(error) => return tracing::debug!("leader epochs are not checked: {error}"),
            }
            if !open.is_empty() {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

fn named(places: &[(&str, i32)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(places.len());
    for (topic, partition) in places {
        list.add_partition(topic, *partition);
    }
    list
}

fn report(places: &[(&str, i32)], result: KafkaResult<()>) {
    if let Err(error) = result {
        tracing::error!(partitions = ?places, "partitions cannot be paused or read on: {error}");
    }
}

/// As rdkafka takes places to read from.
fn positions(places: &[(&str, i32, ReadPosition)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(places.len());
    for (topic, partition, at) in places {
        ffi::add_position(&mut list, topic, *partition, offset(*at), at.epoch);
    }
    list
}

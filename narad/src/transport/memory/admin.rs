//! Topics, as whoever administers the cluster sees them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::cluster::Memory;
use crate::error::Result;
use crate::transport::admin::{Admin, NewTopic, Refused, Topic};

impl Admin for Memory {
    fn topics(&self) -> Result<Vec<Topic>> {
        let topic = |(name, logs): (&String, &Vec<_>)| Topic { name: name.clone(), partitions: logs.len() };
        Ok(self.lock().topics.iter().map(topic).collect())
    }

    fn names(&self) -> Result<BTreeSet<String>> {
        Ok(self.lock().topics.keys().cloned().collect())
    }

    fn group_members(&self, groups: &[&str]) -> BTreeMap<String, usize> {
        groups.iter().map(|group| ((*group).to_owned(), 1)).collect()
    }

    fn is_denied(&self, topic: &str) -> bool {
        self.lock().denied.contains_key(topic)
    }

    fn create(&self, topics: &[NewTopic]) -> Result<()> {
        self.request(topics).map(drop)
    }

    fn request(&self, topics: &[NewTopic]) -> Result<Vec<Refused>> {
        for topic in topics {
            self.lock().topics.entry(topic.name.clone()).or_insert_with(|| vec![Vec::new()]);
        }
        Ok(Vec::new())
    }

    fn max_message_bytes(&self, _: &[&str]) -> Result<HashMap<String, u64>> {
        Ok(HashMap::new())
    }
}

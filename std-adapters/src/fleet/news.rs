//! What of an epoch is news to another receiver.

use super::epoch::{Change, EpochData};
use super::identity::{Ingest, MetricKey};
use super::value::Stored;

impl EpochData {
    /// Ends a generation of changes if there are any: what is made from now on is newer.
    pub(super) fn seal(&mut self) {
        if std::mem::take(&mut self.is_open) {
            self.generation = self.generation.saturating_add(1);
        }
    }

    /// Returns the number of generations that are sealed.
    pub(super) const fn generation(&self) -> u32 {
        self.generation
    }

    /// Returns the value of a metric that nobody widened.
    pub(super) fn value(&self, key: MetricKey) -> Option<&Stored> {
        self.records.get(key, Ingest::Absolute).map(|record| &record.value)
    }

    /// Returns what changed since a number of generations was sealed, as changes that others can
    /// merge: values whose entry is not known yet, and what this receiver knows of its own
    /// beginning, stay here.
    pub(super) fn newer(&self, generation: u32) -> impl Iterator<Item = Change> {
        let is_described = self.described > generation;
        let words =
            self.words().filter(move |change| is_described && !matches!(change, Change::Began(_)));
        let newer = self.records.newer(generation);
        let newer = newer.map(|(key, at, record)| Change::Record(key, at, record.clone()));
        words.chain(newer)
    }
}

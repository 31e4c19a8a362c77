//! The records of one epoch, by metric and by who made them of what was received.

use super::identity::{Ingest, MetricKey, NodeId};
use super::record::Record;
use super::sorted::insert;

/// What of a record changed since changes were taken last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dirty {
    Nothing,
    /// Only its sequence number, as in most keyframes.
    Seq,
    Value,
}

/// A record, and what of it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    key: MetricKey,
    /// 0 for an absolute value, else one more than the place of the node that widened it.
    by: u16,
    pub(super) dirty: Dirty,
    /// Generation of the last change.
    pub(super) generation: u32,
    pub(super) record: Record,
}

/// Bytes of a record, but for its value; an estimate.
const _: () = assert!(size_of::<Kept>() <= 40, "records outgrew what the documentation says");

/// Records by ascending metric, and by who made them.
#[derive(Debug, Clone, Default)]
pub(super) struct Records {
    kept: Vec<Kept>,
    /// Nodes that widened values, by first contact.
    nodes: Vec<NodeId>,
}

impl Records {
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Returns the first place at or behind which records of a metric are.
    fn start(&self, key: MetricKey) -> usize {
        let guess = key.id as usize;
        let is_first = |at: usize| {
            self.kept.get(at).is_some_and(|kept| kept.key == key)
                && at.checked_sub(1).and_then(|at| self.kept.get(at)).is_none_or(|k| k.key != key)
        };
        if is_first(guess) { guess } else { self.kept.partition_point(|kept| kept.key < key) }
    }

    /// Returns where a record is, or where it would be.
    pub(super) fn find(&self, key: MetricKey, ingest: Ingest) -> Result<usize, usize> {
        let start = self.start(key);
        for (at, kept) in self.kept.iter().enumerate().skip(start) {
            if kept.key != key {
                return Err(at);
            }
            match self.ingest(kept).cmp(&ingest) {
                core::cmp::Ordering::Less => {}
                core::cmp::Ordering::Equal => return Ok(at),
                core::cmp::Ordering::Greater => return Err(at),
            }
        }
        Err(self.kept.len())
    }

    fn ingest(&self, kept: &Kept) -> Ingest {
        let node = usize::from(kept.by).checked_sub(1).and_then(|place| self.nodes.get(place));
        node.map_or(Ingest::Absolute, |node| Ingest::Widened(*node))
    }

    pub(super) fn at_mut(&mut self, at: usize) -> Option<&mut Kept> {
        self.kept.get_mut(at)
    }

    pub(super) fn get_mut(&mut self, key: MetricKey, ingest: Ingest) -> Option<&mut Kept> {
        let at = self.find(key, ingest).ok()?;
        self.kept.get_mut(at)
    }

    pub(super) fn get(&self, key: MetricKey, ingest: Ingest) -> Option<&Record> {
        let at = self.find(key, ingest).ok()?;
        self.kept.get(at).map(|kept| &kept.record)
    }

    /// Adds a record that is news. Returns false if there are too many nodes.
    pub(super) fn insert(
        &mut self,
        key: MetricKey,
        ingest: Ingest,
        record: Record,
        generation: u32,
    ) -> bool {
        let by = match ingest {
            Ingest::Absolute => Some(0),
            Ingest::Widened(node) => {
                let known = self.nodes.iter().position(|known| *known == node);
                let place = known.unwrap_or_else(|| {
                    self.nodes.push(node);
                    self.nodes.len() - 1
                });
                u16::try_from(place + 1).ok()
            }
        };
        let (Some(by), Err(at)) = (by, self.find(key, ingest)) else { return false };
        insert(&mut self.kept, at, Kept { key, by, dirty: Dirty::Value, generation, record });
        true
    }

    /// Returns whether a metric has a record.
    pub(super) fn has(&self, key: MetricKey) -> bool {
        self.kept.get(self.start(key)).is_some_and(|kept| kept.key == key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (MetricKey, Ingest, &Record)> {
        self.kept.iter().map(|kept| (kept.key, self.ingest(kept), &kept.record))
    }

    /// Returns the records that changed in this generation or after it.
    #[cfg(feature = "zmq")]
    pub(super) fn newer(
        &self,
        generation: u32,
    ) -> impl Iterator<Item = (MetricKey, Ingest, &Record)> {
        let newer = self.kept.iter().filter(move |kept| kept.generation >= generation);
        newer.map(|kept| (kept.key, self.ingest(kept), &kept.record))
    }

    /// Calls `f` with all that changed since this was called last, and what of it did.
    pub(super) fn take_dirty(&mut self, mut f: impl FnMut(MetricKey, Ingest, Dirty, &Record)) {
        for at in 0..self.kept.len() {
            let Some(kept) = self.kept.get_mut(at) else { return };
            let dirty = std::mem::replace(&mut kept.dirty, Dirty::Nothing);
            if let (true, Some(kept)) = (dirty != Dirty::Nothing, self.kept.get(at)) {
                f(kept.key, self.ingest(kept), dirty, &kept.record);
            }
        }
    }

    pub(super) fn into_records(self) -> impl Iterator<Item = (MetricKey, Record)> {
        self.kept.into_iter().map(|kept| (kept.key, kept.record))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Ingest, MetricKey, NodeId, Record, Records};
    use crate::fleet::value::Stored;

    /// A record that is not found again would be counted a second time.
    #[test]
    fn records_of_many_nodes_are_found_again() {
        let node = |n: u32| match n % 4 {
            0 => Ingest::Absolute,
            n => Ingest::Widened(NodeId([u8::try_from(9 - n).unwrap(); 16])),
        };
        let (mut records, mut tree) = (Records::default(), BTreeMap::new());
        for n in (0..97u32).map(|n| n * 31 % 97) {
            let key = MetricKey { id: n / 4 * 3, cell: n % 3 };
            let record = Record { seq: u64::from(n), value: Stored::Null };
            assert!(records.insert(key, node(n), record.clone(), 0));
            tree.insert((key, node(n)), record);
            let listed = tree.iter().map(|((key, ingest), record)| (*key, *ingest, record));
            assert!(records.iter().eq(listed));
            for n in 0..100 {
                let key = MetricKey { id: n / 4 * 3, cell: n % 3 };
                assert_eq!(records.get(key, node(n)), tree.get(&(key, node(n))));
                assert_eq!(records.has(key), tree.keys().any(|(known, _)| *known == key));
            }
        }
    }
}

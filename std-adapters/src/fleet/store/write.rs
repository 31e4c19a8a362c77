//! From changes to bytes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tapes_core::wire::Origin;

use super::codec::{RowWriter, alone, put};
use super::line::{Line, Sum, stored_geometry};
use crate::fleet::device::DeviceCounts;
use crate::fleet::entry::Entry;
use crate::fleet::epoch::Change;
use crate::fleet::fold::Remains;
use crate::fleet::identity::{EpochKey, Ingest, MetricKey, NodeId};
use crate::fleet::link::LinkCounts;
use crate::fleet::record::Record;
use crate::fleet::series::Total;
use crate::fleet::session::Heard;
use crate::fleet::state::Mutation;

/// Which rows are under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    None,
    Bases,
    Values,
}

/// A batch of changes under way.
#[derive(Debug)]
pub(crate) struct BatchWriter {
    out: Vec<u8>,
    wall: SystemTime,
    origin: Option<Origin>,
    epoch: Option<EpochKey>,
    /// Bodies of this batch by the address of their entry; the entries are kept, so that no other
    /// one gets the address.
    bodies: HashMap<*const Entry, u32>,
    entries: Vec<Arc<Entry>>,
    rows: RowWriter,
    kind: Rows,
}

impl BatchWriter {
    /// Returns an empty batch of a state of `node`, made at this time of day.
    pub(crate) fn new(node: NodeId, wall: SystemTime) -> Self {
        Self {
            out: Vec::new(),
            wall,
            origin: None,
            epoch: None,
            bodies: HashMap::new(),
            entries: Vec::new(),
            rows: RowWriter::new(node),
            kind: Rows::None,
        }
    }

    /// Returns the number of bytes so far, without values that are not followed by anything yet.
    #[cfg(feature = "zmq")]
    pub(crate) const fn len(&self) -> usize {
        self.out.len()
    }

    /// Returns the bytes; none if nothing was written.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.end_rows();
        self.out
    }

    /// Appends a mutation.
    pub(crate) fn mutation(&mut self, origin: Origin, key: EpochKey, mutation: &Mutation) {
        self.about(origin, Some(key));
        match mutation {
            Mutation::Open => self.line(&Line::Open),
            Mutation::Change(change) => self.change(change),
            Mutation::Assume => self.line(&Line::Assume),
            Mutation::Fold => self.line(&Line::Fold),
            Mutation::Twins => self.line(&Line::Twins),
            Mutation::Opened(opened) => self.line(&Line::Opened(*opened)),
            Mutation::Started(at) => self.line(&Line::Started(*at)),
            Mutation::Restore(remains) => self.remains(remains),
        }
    }

    /// Appends when an epoch was heard.
    pub(crate) fn heard(&mut self, origin: Origin, key: EpochKey, heard: Heard, silence: Duration) {
        self.about(origin, Some(key));
        self.line(&Line::Heard {
            seq: heard.seq,
            uptime: heard.uptime,
            silence_ms: millis(silence),
            interval_ms: heard.interval.map(millis),
        });
    }

    /// Appends the counts of a device.
    pub(crate) fn device(&mut self, origin: Origin, counts: DeviceCounts) {
        self.about(origin, None);
        self.line(&Line::Device(counts.to_array().into()));
    }

    /// Appends the counts of an input.
    pub(crate) fn link(&mut self, name: &str, counts: &LinkCounts) {
        let rejected = counts.rejected.iter().map(|(reason, count)| (*reason, *count)).collect();
        let LinkCounts { frames, bytes, .. } = *counts;
        self.line(&Line::Link { name, frames, bytes, rejected });
    }

    fn line(&mut self, line: &Line<'_>) {
        self.end_rows();
        if self.out.is_empty() {
            let wall = self.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
            put(&mut self.out, &Line::Wall(millis(wall)));
        }
        put(&mut self.out, line);
    }

    fn about(&mut self, origin: Origin, key: Option<EpochKey>) {
        if self.origin != Some(origin) {
            self.line(&Line::Origin(origin.as_bytes()));
            (self.origin, self.epoch) = (Some(origin), None);
        }
        if let Some(EpochKey { order, nonce, part }) = key
            && self.epoch != key
        {
            self.line(&Line::Epoch { order, nonce, part });
            self.epoch = key;
        }
    }

    /// Returns the rows of a kind, to append to.
    fn rows(&mut self, kind: Rows) -> &mut RowWriter {
        if self.kind != kind {
            self.end_rows();
            self.kind = kind;
        }
        &mut self.rows
    }

    fn end_rows(&mut self) {
        let kind = std::mem::replace(&mut self.kind, Rows::None);
        let rows = self.rows.finish();
        match kind {
            Rows::None => {}
            Rows::Bases => self.line(&Line::Bases(&rows)),
            Rows::Values => self.line(&Line::Values(&rows)),
        }
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::Record(key, ingest, record) => {
                self.rows(Rows::Values).push(*key, *ingest, record);
            }
            Change::Again(key, ingest, seq) => {
                self.rows(Rows::Values).push_again(*key, *ingest, *seq);
            }
            Change::Base(key, value) => {
                let record = Record { seq: 0, value: value.clone() };
                self.rows(Rows::Bases).push(*key, Ingest::Absolute, &record);
            }
            Change::Facts(facts) => self.line(&Line::Facts {
                build_id: facts.build_id,
                reset_reason: facts.reset_reason.code(),
                boot_count: facts.boot_count,
                tick_hz: facts.tick_hz,
            }),
            Change::Losses(seq, event) => self.line(&Line::Losses {
                seq: *seq,
                registry_full: event.registry_full,
                frames_dropped: event.frames_dropped,
                epoch_collisions: event.epoch_collisions,
            }),
            Change::Announce(announced) => {
                self.line(&Line::Announce { len: announced.len, hash: announced.hash });
            }
            Change::Describe(id, entry) => {
                let body = self.body(entry);
                self.line(&Line::Describe { id: *id, body });
            }
            Change::Assumed(id, entry) => {
                let body = self.body(entry);
                self.line(&Line::Assumed { id: *id, body });
            }
            Change::Began(here) => self.line(&Line::Began(*here)),
            Change::Undescribed(key, record) => self.waiting(*key, record, Vec::new()),
            Change::Waiting(key, record, falls) => {
                self.waiting(*key, record, falls.iter().collect());
            }
        }
    }

    fn waiting(&mut self, key: MetricKey, record: &Record, falls: Vec<(u32, u32)>) {
        self.end_rows();
        self.rows.push(key, Ingest::Absolute, record);
        let row = self.rows.finish();
        self.line(&Line::Waiting { row: &row, falls });
    }

    fn remains(&mut self, remains: &Remains) {
        match remains {
            Remains::Tombstone => self.line(&Line::Tombstone),
            Remains::OrderMax(order) => self.line(&Line::OrderMax(*order)),
            Remains::Misfits(misfits) => self.line(&Line::Misfits(*misfits)),
            Remains::Total(total) => {
                let (body, value) = (self.body(total.entry()), alone(total.value()));
                self.line(&Line::Total(sum(total, body, &value)));
            }
            Remains::Observed(total) => {
                let (body, value) = (self.body(total.entry()), alone(total.value()));
                self.line(&Line::Observed(sum(total, body, &value)));
            }
        }
    }

    /// Returns the number of an entry's body, which is written before it is used first.
    fn body(&mut self, entry: &Arc<Entry>) -> u32 {
        if let Some(known) = self.bodies.get(&Arc::as_ptr(entry)) {
            return *known;
        }
        self.line(&Line::Body(entry.body()));
        // Each takes a byte of the batch at least, and that is below 2^32.
        let number = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.bodies.insert(Arc::as_ptr(entry), number);
        self.entries.push(Arc::clone(entry));
        number
    }
}

fn sum<'d>(total: &Total, body: u32, value: &'d [u8]) -> Sum<'d> {
    let measure = total.measure();
    let geometry = measure.geometry.map(stored_geometry);
    Sum { body, cell: total.cell(), per: measure.per, geometry, value }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

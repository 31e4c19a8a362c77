//! From bytes to a state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tapes_core::metric::{BUCKETS_MAX, Buckets, Descriptor, SCALE_MAX};
use tapes_core::wire::{Dictionary, Event, Origin, ResetReason};

use super::codec::{Row, RowReader, take, take_alone};
use super::error::Malformed;
use super::line::{Line, Sum, geometry};
use crate::fleet::device::DeviceCounts;
use crate::fleet::dictionary::Entries;
use crate::fleet::entry::Entry;
use crate::fleet::epoch::{Change, Facts};
use crate::fleet::fold::Remains;
use crate::fleet::identity::{EpochKey, NodeId};
use crate::fleet::limits::Limits;
use crate::fleet::link::LinkCounts;
use crate::fleet::record::Record;
use crate::fleet::refusal;
use crate::fleet::series::{Measure, Total};
use crate::fleet::session::Heard;
use crate::fleet::state::{Mutation, State};
use crate::fleet::value::Stored;

/// Everything that a state file says.
#[derive(Debug, Default)]
pub struct Saved {
    pub(in crate::fleet) state: State,
    pub(in crate::fleet) entries: Entries,
    /// What was heard of each epoch, and when.
    pub(in crate::fleet) heard: BTreeMap<(Origin, EpochKey), (Heard, SystemTime)>,
    pub(in crate::fleet) devices: BTreeMap<Origin, DeviceCounts>,
    pub(in crate::fleet) links: BTreeMap<String, LinkCounts>,
}

impl Saved {
    /// Returns the state.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Makes the changes of a batch.
    pub(super) fn read(&mut self, batch: &[u8], node: NodeId) -> Result<(), Malformed> {
        self.read_within(batch, node, &limits())
    }

    /// Returns what another receiver, `node`, wrote; `None` if it cannot be read. What is beyond
    /// the limits is left out.
    #[cfg(feature = "zmq")]
    pub(in crate::fleet) fn received(batch: &[u8], node: NodeId, limits: &Limits) -> Option<Self> {
        let mut saved = Self::default();
        saved.read_within(batch, node, limits).ok()?;
        Some(saved)
    }

    fn read_within(
        &mut self,
        batch: &[u8],
        node: NodeId,
        limits: &Limits,
    ) -> Result<(), Malformed> {
        let mut reader = Reader {
            saved: self,
            limits,
            node,
            wall: UNIX_EPOCH,
            origin: None,
            epoch: NOBODY,
            bodies: Vec::new(),
        };
        let mut rest = batch;
        while !rest.is_empty() {
            let line = take(&mut rest)?;
            reader.line(line)?;
        }
        Ok(())
    }
}

/// Returns whether these are buckets as a descriptor has them, or a coarsened sum.
fn is_valid(buckets: Buckets) -> bool {
    let octaves = 1_022 << buckets.scale.min(SCALE_MAX);
    let first = i64::from(buckets.first);
    buckets.scale <= SCALE_MAX
        && (1..=BUCKETS_MAX).contains(&buckets.len)
        && first >= -octaves
        && first + i64::from(buckets.len) <= octaves
}

const NOBODY: EpochKey = EpochKey { order: 0, nonce: 0, part: 0 };

/// What was saved was let in before: only what decides what happens is bounded again.
fn limits() -> Limits {
    Limits {
        origins: usize::MAX,
        epochs_per_origin: usize::MAX,
        metrics_per_epoch: usize::MAX,
        bytes: usize::MAX,
        bytes_per_origin: usize::MAX,
        ..Limits::default()
    }
}

/// A batch under way.
struct Reader<'s> {
    saved: &'s mut Saved,
    limits: &'s Limits,
    node: NodeId,
    wall: SystemTime,
    origin: Option<Origin>,
    epoch: EpochKey,
    bodies: Vec<Arc<Entry>>,
}

impl Reader<'_> {
    fn line(&mut self, line: Line<'_>) -> Result<(), Malformed> {
        match line {
            Line::Wall(ms) => self.wall = UNIX_EPOCH + Duration::from_millis(ms),
            Line::Origin(bytes) => {
                self.origin = Some(Origin::new(bytes).map_err(|_| Malformed)?);
                self.epoch = NOBODY;
            }
            Line::Epoch { order, nonce, part } => self.epoch = EpochKey { order, nonce, part },
            Line::Body(body) => {
                let entry = self.saved.entries.intern(body, Descriptor::read_body(body).as_ref());
                self.bodies.push(entry.ok_or(Malformed)?);
            }
            Line::Heard { seq, uptime, silence_ms, interval_ms } => {
                let interval = interval_ms.map(Duration::from_millis);
                let at = self.wall.checked_sub(Duration::from_millis(silence_ms));
                let heard = (Heard { seq, uptime, interval }, at.unwrap_or(UNIX_EPOCH));
                self.saved.heard.insert((self.origin()?, self.epoch), heard);
            }
            Line::Device(counts) => {
                // A later version may count more, an earlier one counted less.
                let mut known = [0; 10];
                known.iter_mut().zip(counts).for_each(|(to, from)| *to = from);
                self.saved.devices.insert(self.origin()?, DeviceCounts::from_array(known));
            }
            Line::Link { name, frames, bytes, rejected } => {
                let rejected = rejected.into_iter();
                let rejected = rejected.filter_map(|(r, n)| Some((refusal::known_reason(r)?, n)));
                let counts = LinkCounts { frames, bytes, rejected: rejected.collect() };
                self.saved.links.insert(name.to_owned(), counts);
            }
            Line::Bases(rows) => {
                for row in RowReader::new(rows, self.node) {
                    let Row { key, value, .. } = row?;
                    self.change(Change::Base(key, value.ok_or(Malformed)?))?;
                }
            }
            Line::Values(rows) => {
                for row in RowReader::new(rows, self.node) {
                    let Row { key, ingest, seq, value } = row?;
                    self.change(match value {
                        Some(value) => Change::Record(key, ingest, Record { seq, value }),
                        None => Change::Again(key, ingest, seq),
                    })?;
                }
            }
            line => {
                let mutation = self.mutation(line)?;
                self.apply(mutation)?;
            }
        }
        Ok(())
    }

    /// Returns what a line that says one thing means.
    fn mutation(&self, line: Line<'_>) -> Result<Mutation, Malformed> {
        let change = match line {
            Line::Open => return Ok(Mutation::Open),
            Line::Assume => return Ok(Mutation::Assume),
            Line::Fold => return Ok(Mutation::Fold),
            Line::Twins => return Ok(Mutation::Twins),
            Line::Opened(opened) => return Ok(Mutation::Opened(opened)),
            Line::Started(at) => return Ok(Mutation::Started(at)),
            Line::Tombstone => return Ok(Mutation::Restore(Remains::Tombstone)),
            Line::OrderMax(order) => return Ok(Mutation::Restore(Remains::OrderMax(order))),
            Line::Misfits(misfits) => return Ok(Mutation::Restore(Remains::Misfits(misfits))),
            Line::Total(sum) => return Ok(Mutation::Restore(Remains::Total(self.total(&sum)?))),
            Line::Observed(sum) => {
                return Ok(Mutation::Restore(Remains::Observed(self.total(&sum)?)));
            }
            Line::Facts { build_id, reset_reason, boot_count, tick_hz } => {
                let reset_reason = ResetReason::from_code(reset_reason);
                let tick_hz = tick_hz.max(1);
                Change::Facts(Facts { build_id, reset_reason, boot_count, tick_hz })
            }
            Line::Losses { seq, registry_full, frames_dropped, epoch_collisions } => {
                Change::Losses(seq, Event { registry_full, frames_dropped, epoch_collisions })
            }
            Line::Announce { len, hash } => Change::Announce(Dictionary { len, hash }),
            Line::Describe { id, body } => Change::Describe(id, self.body(body)?),
            Line::Assumed { id, body } => Change::Assumed(id, self.body(body)?),
            Line::Began(here) => Change::Began(here),
            Line::Waiting { row, falls } => {
                let Row { key, seq, value, .. } =
                    RowReader::new(row, self.node).next().ok_or(Malformed)??;
                let value = value.ok_or(Malformed)?;
                Change::Waiting(key, Record { seq, value }, falls.into_iter().collect())
            }
            // Dealt with where they are read.
            _ => return Err(Malformed),
        };
        Ok(Mutation::Change(change))
    }

    fn origin(&self) -> Result<Origin, Malformed> {
        self.origin.ok_or(Malformed)
    }

    fn body(&self, number: u32) -> Result<Arc<Entry>, Malformed> {
        let entry = usize::try_from(number).ok().and_then(|number| self.bodies.get(number));
        entry.cloned().ok_or(Malformed)
    }

    fn total(&self, sum: &Sum<'_>) -> Result<Box<Total>, Malformed> {
        let (geometry, value) = (sum.geometry.map(geometry), take_alone(sum.value)?);
        let fits = match (&value, geometry) {
            (Stored::Unsigned(_), None) => true,
            (Stored::Histogram(histogram), Some(geometry)) => {
                is_valid(geometry) && histogram.buckets.len() <= geometry.len as usize
            }
            _ => false,
        };
        if !fits {
            return Err(Malformed);
        }
        let measure = Measure { geometry, per: sum.per };
        let total = Total::restored(&self.body(sum.body)?, sum.cell, measure, value);
        total.map(Box::new).ok_or(Malformed)
    }

    fn change(&mut self, change: Change) -> Result<(), Malformed> {
        self.apply(Mutation::Change(change))
    }

    fn apply(&mut self, mutation: Mutation) -> Result<(), Malformed> {
        // Whatever it does: it did the same before it was saved.
        let _ = self.saved.state.apply(self.origin()?, self.epoch, mutation, self.limits);
        Ok(())
    }
}

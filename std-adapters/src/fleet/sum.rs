//! Making a roll-up: sums over all sources, put into the state as those of a source.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tapes_core::metric::{Descriptor, Kind, Labels, Unit};
use tapes_core::wire::{Body, DictWriter, Frame, Header, Origin, ResetReason};

use super::Fleet;
use super::entry::{ENTRY_LEN_MAX, Entry};
use super::epoch::{Applied, Change, Facts};
use super::identity::{EpochKey, Ingest, MetricKey};
use super::merged::observed;
use super::record::Record;
use super::rollup::{CONTAINS, LeftOut, NODE};
use super::series::{Class, SeriesKey, Total};
use super::state::Mutation;
use super::value::{Histogram, Stored};

/// Levels of roll-ups; one of more is not added up.
const DEPTH_MAX: u64 = 8;

/// Ticks of a roll-up's uptime in a second.
const TICK_HZ: u32 = 1_000;

/// One series under way: its id, once it has one, and its sum.
#[derive(Debug)]
struct Sum {
    id: Option<u32>,
    total: Total,
}

/// Everything under way: sums, the roll-ups in them with their levels, and what is not in them.
#[derive(Debug)]
struct Sums {
    sums: BTreeMap<Arc<SeriesKey>, Sum>,
    contents: Vec<(Box<str>, u64)>,
    left_out: LeftOut,
}

impl Fleet {
    /// Adds up counters and histograms over all sources, as [`merged`](Self::merged) does, and puts
    /// the sums into the state as those of this receiver. `interval` is the time until the next.
    ///
    /// A sum never falls: where it would, it stays as it was.
    pub(crate) fn roll_up(&mut self, interval: Duration, now: Duration) {
        let (origin, key) = (self.own_origin(), self.own_epoch());
        self.open_own(origin, key, now);
        let Sums { sums, contents, mut left_out } = self.sums(origin, key);
        let newest = self.state.epoch(origin, key).and_then(|epoch| epoch.newest_seq());
        let device = self.devices.entry(origin).or_default();
        let session = device.sessions.entry(key).or_default();
        let seq = session.speaks(newest.unwrap_or(0), interval, now);
        let mut next = self.state.epoch(origin, key).map_or(0, |epoch| {
            epoch.dictionary().iter().map(|(id, _)| id.saturating_add(1)).max().unwrap_or(0)
        });
        for (node, level) in contents {
            let id = sums.get(&SeriesKey::contains(&node)).and_then(|sum| sum.id);
            let value = Stored::Unsigned(level);
            let labels = [(NODE, &*node)];
            let descriptor = Descriptor {
                labels: Labels::new(&labels),
                help: "Roll-ups that this one contains, with their level; 1 is its own.",
                ..Descriptor::new(CONTAINS, Kind::GaugeUint, Unit::NONE)
            };
            self.put(id, &descriptor, value, (seq, &mut next), &mut left_out);
        }
        let sums = sums.into_iter().filter(|(series, _)| series.class.adds_up());
        for (series, Sum { id, total }) in sums {
            let value = total.value().clone();
            total.read(&series, &series.name, |descriptor, _| {
                self.put(id, descriptor, value, (seq, &mut next), &mut left_out);
            });
        }
        self.rollup = Some(left_out);
        self.unsaved_since.get_or_insert(now);
    }

    /// Returns the epoch of what this receiver adds up: one for each state.
    fn own_epoch(&self) -> EpochKey {
        let [a, b, c, d, ..] = self.node.0;
        EpochKey { order: 0, nonce: u32::from_be_bytes([a, b, c, d]).max(1), part: 0 }
    }

    fn open_own(&mut self, origin: Origin, key: EpochKey, now: Duration) {
        if self.state.epoch(origin, key).is_some() {
            return;
        }
        let facts = Facts {
            build_id: 0,
            reset_reason: ResetReason::Software,
            boot_count: 0,
            tick_hz: TICK_HZ,
        };
        for mutation in [
            Mutation::Open,
            Mutation::Change(Change::Began(true)),
            Mutation::Change(Change::Facts(facts)),
        ] {
            self.state.apply(origin, key, mutation, &self.limits);
        }
        self.devices.entry(origin).or_default().opened(now);
    }

    /// Returns the sums in the measures that they have had from the start.
    fn sums(&self, origin: Origin, key: EpochKey) -> Sums {
        let mut sums = BTreeMap::new();
        let own = self.state.epoch(origin, key);
        for (id, entry) in own.into_iter().flat_map(|epoch| epoch.dictionary().iter()) {
            let Ok(description) = entry.description() else { continue };
            let zero = match description.kind.buckets() {
                Some(_) => Stored::Histogram(Box::<Histogram>::default()),
                None => Stored::Unsigned(0),
            };
            let Some(total) = Total::new(entry, 0, zero) else { continue };
            if let Some(series) = total.key() {
                sums.insert(series, Sum { id: Some(id), total });
            }
        }
        let catalog = self.catalog();
        let (sources, mut left_out) = self.summable();
        let mut contents = BTreeMap::from([(Box::from(origin.to_string()), 1)]);
        for (origin, data, part) in sources {
            if part.as_ref().is_some_and(|part| part.depth() >= DEPTH_MAX) {
                left_out.depth += 1;
                continue;
            }
            let mut is_empty = true;
            let is_shown = |key, id| catalog.screened(origin, key, id).is_none();
            for (series, observed) in observed(data, is_shown) {
                is_empty = is_empty && observed.value().count() == Some(0);
                match sums.get_mut(&series) {
                    Some(sum) => {
                        left_out.measure += u64::from(sum.total.add_as(&observed).is_err());
                    }
                    None => {
                        sums.insert(series, Sum { id: None, total: observed });
                    }
                }
            }
            // Of two that begin to report to each other, the one that has nothing takes the other.
            if let Some(part) = part.filter(|_| !is_empty) {
                let nodes = part.nodes.into_iter();
                contents.extend(nodes.map(|(node, level)| (node, level.saturating_add(1))));
            }
        }
        // Its own comes first: by the first entry others see that it is a roll-up.
        let own = self.own_origin().to_string();
        let mut contents: Vec<_> = contents.into_iter().collect();
        contents.sort_by_key(|(node, _)| **node != *own);
        Sums { sums, contents, left_out }
    }

    /// Puts one value into the own epoch, under the id that it has or the next one.
    fn put(
        &mut self,
        id: Option<u32>,
        descriptor: &Descriptor<'_>,
        value: Stored,
        (seq, next): (u64, &mut u32),
        left_out: &mut LeftOut,
    ) {
        let (origin, key) = (self.own_origin(), self.own_epoch());
        let id = match id {
            Some(id) => id,
            None => {
                let Some(entry) = entry(descriptor) else {
                    left_out.measure += 1;
                    return;
                };
                let describe = Mutation::Change(Change::Describe(*next, Arc::new(entry)));
                if self.state.apply(origin, key, describe, &self.limits) == Applied::Full {
                    left_out.full += 1;
                    return;
                }
                *next = next.saturating_add(1);
                next.saturating_sub(1)
            }
        };
        let metric = MetricKey::new(id);
        let known = self.state.epoch(origin, key).and_then(|epoch| epoch.value(metric));
        match known {
            Some(known) if *known == value => return,
            Some(known) if descriptor.kind.is_gauge() || value.covers(known) => {}
            Some(_) => {
                left_out.fallen += 1;
                return;
            }
            None => {}
        }
        let record = Change::Record(metric, Ingest::Absolute, Record { seq, value });
        let applied = self.state.apply(origin, key, Mutation::Change(record), &self.limits);
        left_out.full += u64::from(applied == Applied::Full);
    }
}

impl SeriesKey {
    /// Returns the key of the gauge that says that a roll-up contains another one.
    fn contains(node: &str) -> Self {
        let labels = vec![(NODE.into(), node.into())];
        Self { name: CONTAINS.into(), labels, class: Class::Gauge, unit: "".into() }
    }
}

/// Returns the entry of a metric as a device would send it, `None` if it has too many labels.
fn entry(descriptor: &Descriptor<'_>) -> Option<Entry> {
    let mut buffer = vec![0; ENTRY_LEN_MAX];
    let mut dict = DictWriter::new(&mut buffer, &Header::short(1), 0);
    if !dict.push(descriptor) {
        return None;
    }
    let frame = dict.finish()?;
    let Body::Dict(mut entries) = Frame::parse(frame).ok()?.body().ok()? else { return None };
    let (_, body, read) = entries.next()?;
    Entry::new(body, Some(&read?)).filter(|entry| entry.description().is_ok())
}

//! From readings to datagrams: everything but sockets.

use std::fmt::Write as _;

use tapes_core::metric::{Distribution, Kind, Value};
use tapes_core::statistics::ratio;
use tapes_core::text::statsd::{Dialect, Encoder};

use super::baselines::Baselines;
use super::batch::Batch;
use super::packet::PacketSize;
use crate::readings::{Reading, Readings};

/// What to say and how.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) dialect: Dialect,
    pub(super) prefix: String,
    pub(super) tags: Vec<(String, String)>,
    pub(super) totals: bool,
    pub(super) distributions: bool,
    pub(super) label_values: bool,
    pub(super) packet: PacketSize,
}

/// Makes the datagrams of reports, and keeps what was sent.
#[derive(Debug)]
pub(super) struct Engine {
    settings: Settings,
    baselines: Baselines,
    batch: Batch,
    lines: LineMaker,
}

/// Makes the lines of one reading.
#[derive(Debug)]
struct LineMaker {
    /// A line is made here; as long as a datagram.
    buffer: Box<[u8]>,
    /// The name with what comes before and after it; kept for its capacity.
    path: String,
    /// Lines that were longer than a datagram, in this report.
    too_long: u64,
}

impl Engine {
    pub(super) fn new(settings: Settings) -> Self {
        let len = settings.packet.len();
        Self {
            settings,
            baselines: Baselines::default(),
            batch: Batch::new(len),
            lines: LineMaker { buffer: vec![0; len].into(), path: String::new(), too_long: 0 },
        }
    }

    /// Makes the datagrams of a report, and returns how many lines did not fit any.
    pub(super) fn render(&mut self, readings: &dyn Readings) -> u64 {
        let Self { settings, baselines, batch, lines } = self;
        baselines.begin();
        batch.clear();
        lines.too_long = 0;
        let begins_at_zero = readings.begins_at_zero();
        readings.read(&mut |reading| {
            lines.reading(settings, reading, begins_at_zero, baselines, batch);
        });
        lines.too_long
    }

    pub(super) fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Takes what is in a datagram as sent.
    pub(super) fn commit(&mut self, datagram: usize) {
        for commit in self.batch.commits(datagram) {
            self.baselines.commit(*commit);
        }
    }
}

impl LineMaker {
    fn reading(
        &mut self,
        settings: &Settings,
        reading: &Reading<'_>,
        begins_at_zero: bool,
        baselines: &mut Baselines,
        batch: &mut Batch,
    ) {
        let has_tags = settings.dialect == Dialect::DogStatsd;
        let mut tags: Vec<(&str, &str)> = Vec::new();
        let mut descriptor = *reading.descriptor;
        if has_tags {
            if !reading.device.is_empty() {
                tags.push(("device", reading.device));
            }
            tags.extend(settings.tags.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        } else {
            self.path.clear();
            write_path(&mut self.path, reading, settings.label_values);
            descriptor.name = &self.path;
        }
        let mut encoder = Encoder::new(settings.dialect, &mut self.buffer)
            .with_prefix(&settings.prefix)
            .with_tags(&tags)
            .with_totals(settings.totals);
        match reading.value {
            Value::Distribution(distribution) if settings.distributions => {
                let cells = Cells::read(distribution, descriptor.unit.per());
                let first = |slot| if begins_at_zero { 0 } else { cells.count(slot) };
                let series = baselines.series(reading, cells.0.len(), first);
                for (slot, (count, value)) in cells.0.iter().enumerate() {
                    let growth = baselines.growth(series, slot, *count);
                    let commit = Baselines::pending(series, slot, *count);
                    encoder.distribution(&descriptor, reading.cell, *value, growth, &mut |line| {
                        batch.push(line, Some(commit));
                    });
                }
            }
            value => {
                let counted = count_of(descriptor.kind, value).map(|count| {
                    let first = |_| if begins_at_zero { 0 } else { count };
                    let series = baselines.series(reading, 1, first);
                    (baselines.growth(series, 0, count), Baselines::pending(series, 0, count))
                });
                let growth = counted.map(|(growth, _)| growth);
                let sink = &mut |line: &str| {
                    let commit = counted.filter(|_| is_count(line)).map(|(_, commit)| commit);
                    batch.push(line, commit);
                };
                encoder.metric(&descriptor, reading.cell, value, growth, reading.rates, sink);
            }
        }
        self.too_long += u64::from(encoder.dropped());
    }
}

/// Writes device, name, and the values of constant labels; those of a family's follow by themselves.
fn write_path(path: &mut String, reading: &Reading<'_>, label_values: bool) {
    if !reading.device.is_empty() {
        let _ = write!(path, "{}.", reading.device);
    }
    path.push_str(reading.descriptor.name);
    if label_values {
        for (_, value) in reading.descriptor.labels.iter() {
            path.push('.');
            // A dot would be a level of its own, and an empty level none.
            let value = if value.is_empty() { "_" } else { value };
            path.extend(value.chars().map(|c| if c == '.' { '_' } else { c }));
        }
    }
}

/// Returns the count that a server is to add up, if any.
fn count_of(kind: Kind, value: &Value<'_>) -> Option<u64> {
    match (kind, value) {
        (Kind::Counter | Kind::Meter, Value::Unsigned(count)) => Some(*count),
        (_, Value::Distribution(distribution)) => Some(distribution.count()),
        _ => None,
    }
}

/// Returns whether a server adds up the number of a line; names have no `|`.
fn is_count(line: &str) -> bool {
    line.split('|').nth(1) == Some("c")
}

/// How many values lie in each bucket, the zero bucket first and the overflow bucket last, and the
/// value in base units that stands for them.
struct Cells(Vec<(u64, f64)>);

impl Cells {
    fn read(distribution: &Distribution<'_>, per: u32) -> Self {
        let geometry = distribution.geometry();
        let (min, max) = (distribution.min(), distribution.max());
        let last = geometry.upper(geometry.len.saturating_sub(1));
        let min = min.map_or(0.0, |min| ratio(min, per));
        let max = max.map_or(last, |max| ratio(max, per)).max(min);
        let between = |low: f64, high: f64| {
            let (low, high) = (low.max(min), high.min(max));
            // As far below the end of the bucket as above its begin, in relation.
            (2.0 * low * (high / (low + high))).clamp(min, max)
        };
        let first = geometry.lower(0);
        // Nothing is near 0 in relation: halfway.
        let zero = f64::midpoint(min.min(first), first.min(max)).clamp(min, max);
        let mut cells = vec![(distribution.zero(), zero)];
        cells.extend(
            (0..geometry.len)
                .map(|i| (distribution.bucket(i), between(geometry.lower(i), geometry.upper(i)))),
        );
        cells.push((distribution.overflow(), between(last, max.max(last))));
        Self(cells)
    }

    fn count(&self, slot: usize) -> u64 {
        self.0.get(slot).map_or(0, |(count, _)| *count)
    }
}

//! The Prometheus protobuf format: length-delimited `io.prometheus.client.MetricFamily` messages.
//!
//! Histograms are *native*: base-2 exponential buckets of the metric's own scale, exactly as they
//! were counted. Bucket `i` of OpenTelemetry is bucket `i + 1` here. Values up to the first bound
//! are in the zero bucket, values above the last one in the bucket just above it.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;
use tapes_core::metric::{BUCKETS_MAX, Buckets, Descriptor, Distribution, Value};
use tapes_core::text::prometheus::{Escaping, Family, LabelName};

use super::FamilyWriter;
use super::classic::ClassicBuckets;

/// Empty buckets between two others that cost less than a new span.
const GAP_MAX: u32 = 2;

#[derive(Clone, PartialEq, Message)]
struct MetricFamily {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    help: String,
    #[prost(enumeration = "MetricType", tag = "3")]
    kind: i32,
    #[prost(message, repeated, tag = "4")]
    metrics: Vec<Metric>,
    #[prost(string, tag = "5")]
    unit: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
enum MetricType {
    Counter = 0,
    Gauge = 1,
    Histogram = 4,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Gauge>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Counter>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Gauge {
    #[prost(double, tag = "1")]
    value: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Counter {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(message, optional, tag = "3")]
    start: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Histogram {
    #[prost(uint64, tag = "1")]
    pub(crate) count: u64,
    #[prost(double, tag = "2")]
    pub(crate) sum: f64,
    #[prost(message, repeated, tag = "3")]
    pub(crate) classic: Vec<Bucket>,
    #[prost(sint32, tag = "5")]
    pub(crate) schema: i32,
    #[prost(double, tag = "6")]
    pub(crate) zero_threshold: f64,
    #[prost(uint64, tag = "7")]
    pub(crate) zero_count: u64,
    #[prost(message, repeated, tag = "12")]
    pub(crate) spans: Vec<BucketSpan>,
    /// Differences of the counts of neighbours in the spans.
    #[prost(sint64, repeated, tag = "13")]
    pub(crate) deltas: Vec<i64>,
    #[prost(message, optional, tag = "15")]
    pub(crate) start: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Bucket {
    #[prost(uint64, tag = "1")]
    pub(crate) cumulative_count: u64,
    #[prost(double, tag = "2")]
    pub(crate) upper_bound: f64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct BucketSpan {
    #[prost(sint32, tag = "1")]
    pub(crate) offset: i32,
    #[prost(uint32, tag = "2")]
    pub(crate) length: u32,
}

/// Writes an exposition as Prometheus protobuf with native histograms.
///
/// ```
/// use tapes_core::metric::{Descriptor, Kind, Unit, Value};
/// use tapes_std::exposition::{FamilyWriter as _, ProtobufWriter};
///
/// let loops = Descriptor::new("loops", Kind::Counter, Unit::NONE);
/// let mut writer = ProtobufWriter::new();
/// writer.family(&loops)?;
/// writer.sample(&[], &loops, 0, &Value::Unsigned(1))?;
/// let bytes = writer.finish();
/// assert!(bytes[1..].starts_with(b"\x0a\x0bloops_total"));
/// # Ok::<(), std::fmt::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct ProtobufWriter {
    out: Vec<u8>,
    escaping: Escaping,
    classic: Option<ClassicBuckets>,
    family: Option<MetricFamily>,
    start: Option<SystemTime>,
}

impl ProtobufWriter {
    /// Returns a writer with nothing written.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how names are written.
    ///
    /// Defaults to [`Escaping::Underscores`].
    #[must_use]
    pub fn with_escaping(mut self, escaping: Escaping) -> Self {
        self.escaping = escaping;
        self
    }

    /// Adds classic buckets to the native ones.
    ///
    /// Defaults to none.
    #[must_use]
    pub fn with_classic_buckets(mut self, buckets: ClassicBuckets) -> Self {
        self.classic = Some(buckets);
        self
    }

    /// Returns all messages.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.flush();
        self.out
    }

    /// Appends the family under way; one without samples says nothing.
    fn flush(&mut self) {
        if let Some(family) = self.family.take().filter(|family| !family.metrics.is_empty()) {
            self.out.extend(family.encode_length_delimited_to_vec());
        }
    }
}

impl FamilyWriter for ProtobufWriter {
    fn family(&mut self, descriptor: &Descriptor<'_>) -> fmt::Result {
        self.flush();
        let family = Family::of(descriptor);
        let kind = match family.type_name() {
            "counter" => MetricType::Counter,
            "histogram" => MetricType::Histogram,
            _ => MetricType::Gauge,
        };
        self.start = None;
        self.family = Some(MetricFamily {
            name: family.escaped(self.escaping).to_string(),
            help: descriptor.help.to_owned(),
            kind: kind.into(),
            metrics: Vec::new(),
            unit: descriptor.unit.name().to_owned(),
        });
        Ok(())
    }

    fn start(&mut self, start: Option<SystemTime>) {
        self.start = start;
    }

    fn sample(
        &mut self,
        extra: &[(&str, &str)],
        descriptor: &Descriptor<'_>,
        cell: u32,
        value: &Value<'_>,
    ) -> fmt::Result {
        let Some(family) = &mut self.family else { return Err(fmt::Error) };
        let per = descriptor.unit.per();
        let start = self.start.and_then(timestamp);
        let labels = labels(extra, descriptor, cell);
        let labels = labels.into_iter().map(|(name, value)| LabelPair { name, value }).collect();
        let mut metric = Metric { labels, ..Metric::default() };
        if let Value::Distribution(distribution) = value {
            let histogram = histogram(distribution, per, self.classic.as_ref());
            metric.histogram = Some(Histogram { start, ..histogram });
            family.metrics.push(metric);
            return Ok(());
        }
        let Some(number) = number(descriptor, value) else { return Ok(()) };
        if family.kind == i32::from(MetricType::Counter) {
            metric.counter = Some(Counter { value: number, start });
        } else {
            metric.gauge = Some(Gauge { value: number });
        }
        family.metrics.push(metric);
        Ok(())
    }
}

/// Returns all labels of a series, the extra ones first, with names that nobody else has.
pub(crate) fn labels(
    extra: &[(&str, &str)],
    descriptor: &Descriptor<'_>,
    cell: u32,
) -> Vec<(String, String)> {
    let own = descriptor.dimensions.labels(cell).chain(descriptor.labels.iter());
    let own = own.map(|(name, value)| (LabelName::new(extra, name).to_string(), value));
    let extra = extra.iter().map(|(name, value)| ((*name).to_owned(), *value));
    extra.chain(own).map(|(name, value)| (name, value.to_owned())).collect()
}

/// Returns a value that is one number, in base units; `None` for all others.
pub(crate) fn number(descriptor: &Descriptor<'_>, value: &Value<'_>) -> Option<f64> {
    let per = descriptor.unit.per();
    Some(match value {
        Value::Unsigned(value) => scaled(*value as f64, per),
        Value::Signed(value) => scaled(*value as f64, per),
        Value::F32(value) if per == 1 => shortest(*value),
        Value::F32(value) => scaled(shortest(*value), per),
        Value::F64(value) => scaled(*value, per),
        _ => return None,
    })
}

pub(crate) fn scaled(value: f64, per: u32) -> f64 {
    value / f64::from(per)
}

/// Returns what the text formats show: the number that its shortest decimal form reads as.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

fn timestamp(time: SystemTime) -> Option<Timestamp> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    let nanos = i32::try_from(since.subsec_nanos()).ok()?;
    Some(Timestamp { seconds: i64::try_from(since.as_secs()).ok()?, nanos })
}

/// Returns a histogram as Prometheus has it, with classic buckets if some are wanted.
pub(crate) fn histogram(
    distribution: &Distribution<'_>,
    per: u32,
    classic: Option<&ClassicBuckets>,
) -> Histogram {
    // The sum is read before the buckets, so that what is in it is in a bucket.
    let sum = scaled(distribution.sum() as f64, per);
    let geometry = distribution.geometry();
    let len = geometry.len.min(BUCKETS_MAX);
    let zero_count = distribution.zero();
    let mut counts: Vec<u64> = (0..len).map(|i| distribution.bucket(i)).collect();
    counts.push(distribution.overflow());
    let count = counts.iter().fold(zero_count, |sum, count| sum.wrapping_add(*count));
    let zero_threshold = geometry.lower(0);
    let (mut spans, deltas) = spans(geometry, &counts);
    if spans.is_empty() && zero_count == 0 && zero_threshold <= 0.0 {
        // What else tells an empty native histogram from a classic one.
        spans.push(BucketSpan { offset: 0, length: 0 });
    }
    let classic = classic.map(|classic| classic_buckets(classic, geometry, zero_count, &counts));
    Histogram {
        count,
        sum,
        classic: classic.unwrap_or_default(),
        schema: geometry.scale.into(),
        zero_threshold,
        zero_count,
        spans,
        deltas,
        start: None,
    }
}

/// Returns the buckets that are not empty, and the differences of their counts.
fn spans(geometry: Buckets, counts: &[u64]) -> (Vec<BucketSpan>, Vec<i64>) {
    let mut spans: Vec<BucketSpan> = Vec::new();
    let mut deltas = Vec::new();
    let (mut before, mut gap) = (0u64, 0u32);
    for (i, count) in (0u32..).zip(counts) {
        if *count == 0 {
            gap += 1;
            continue;
        }
        let mut delta = |count: u64| {
            deltas.push(count.wrapping_sub(before).cast_signed());
            before = count;
        };
        match spans.last_mut() {
            Some(span) if gap <= GAP_MAX => {
                span.length += gap + 1;
                (0..gap).for_each(|_| delta(0));
            }
            Some(_) => spans.push(BucketSpan { offset: gap.cast_signed(), length: 1 }),
            None => {
                let offset = geometry.first.saturating_add_unsigned(i).saturating_add(1);
                spans.push(BucketSpan { offset, length: 1 });
            }
        }
        delta(*count);
        gap = 0;
    }
    (spans, deltas)
}

fn classic_buckets(
    classic: &ClassicBuckets,
    geometry: Buckets,
    zero_count: u64,
    counts: &[u64],
) -> Vec<Bucket> {
    let mut buckets = Vec::new();
    let mut seen = zero_count;
    if classic.has(geometry, None) {
        buckets.push(Bucket { cumulative_count: seen, upper_bound: geometry.lower(0) });
    }
    for (i, count) in (0..geometry.len).zip(counts) {
        seen = seen.wrapping_add(*count);
        if classic.has(geometry, Some(i)) {
            buckets.push(Bucket { cumulative_count: seen, upper_bound: geometry.upper(i) });
        }
    }
    let count = counts.iter().fold(zero_count, |sum, count| sum.wrapping_add(*count));
    buckets.push(Bucket { cumulative_count: count, upper_bound: f64::INFINITY });
    buckets
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use tapes_core::metric::{Buckets, Counts, Descriptor, Distribution, Kind, Unit, Value};

    use super::super::{ClassicBuckets, FamilyWriter as _};
    use super::{BucketSpan, Histogram, MetricFamily, ProtobufWriter};

    /// Returns what a reader sees of a histogram of six buckets from 2^-1 on, four an octave.
    fn read(
        zero: u64,
        buckets: &[u64],
        overflow: u64,
        classic: Option<ClassicBuckets>,
    ) -> Histogram {
        let geometry = Buckets { scale: 2, first: -4, len: 6 };
        let counts = Counts { sum: 7_000, zero, overflow, buckets, ..Counts::default() };
        let value = Value::Distribution(Distribution::new(geometry, counts));
        let time = Descriptor::new("time", Kind::Timer(geometry), Unit::MILLIS);
        let mut writer = ProtobufWriter::new();
        if let Some(classic) = classic {
            writer = writer.with_classic_buckets(classic);
        }
        writer.family(&time).unwrap();
        writer.sample(&[("device", "x")], &time, 0, &value).unwrap();
        let family = MetricFamily::decode_length_delimited(&*writer.finish()).unwrap();
        assert_eq!((family.name.as_str(), family.metrics.len()), ("time_seconds", 1));
        assert_eq!(family.metrics[0].labels[0].value, "x");
        family.metrics[0].histogram.clone().unwrap()
    }

    /// A bucket off by one place is a quantile off by a fifth; a count that disagrees with its
    /// buckets makes Prometheus refuse the histogram.
    #[test]
    fn histograms_are_native_and_whole() {
        let span = |offset, length| BucketSpan { offset, length };
        // OpenTelemetry's index -4 is Prometheus' -3; the overflow is the one after the sixth.
        for (label, zero, buckets, overflow, spans, deltas) in [
            ("nothing", 0, &[][..], 0, vec![], vec![]),
            ("zero only", 4, &[][..], 0, vec![], vec![]),
            ("the first", 0, &[5][..], 0, vec![span(-3, 1)], vec![5]),
            ("a short gap", 1, &[5, 0, 0, 2][..], 0, vec![span(-3, 4)], vec![5, -5, 0, 2]),
            ("a long gap", 0, &[5, 0, 0, 0, 2][..], 0, vec![span(-3, 1), span(3, 1)], vec![5, -3]),
            ("overflow only", 0, &[][..], 9, vec![span(3, 1)], vec![9]),
            ("all", 1, &[1, 2, 3, 4, 5, 6][..], 7, vec![span(-3, 7)], vec![1; 7]),
        ] {
            let histogram = read(zero, buckets, overflow, None);
            let count = zero + buckets.iter().sum::<u64>() + overflow;
            assert_eq!((histogram.count, histogram.sum), (count, 7.0), "{label}");
            assert_eq!((histogram.schema, histogram.zero_threshold), (2, 0.5), "{label}");
            assert_eq!(histogram.zero_count, zero, "{label}");
            assert_eq!((histogram.spans, histogram.deltas), (spans, deltas), "{label}");
            assert!(histogram.classic.is_empty(), "{label}");
        }
    }

    /// A server that keeps both kinds must not find two truths.
    #[test]
    fn classic_buckets_agree_with_the_native_ones() {
        let classic = |text: &str| {
            let buckets = read(1, &[1, 2, 3, 4, 5, 6], 7, Some(text.parse().unwrap())).classic;
            buckets.iter().map(|b| (b.upper_bound, b.cumulative_count)).collect::<Vec<_>>()
        };
        assert_eq!(classic("1"), [(1.0, 11), (f64::INFINITY, 29)]);
        assert_eq!(classic("0.1,0.9,50"), [(0.5, 1), (1.0, 11), (f64::INFINITY, 29)]);
        let all = read(1, &[1], 0, Some(ClassicBuckets::all())).classic;
        assert_eq!(all.len(), 8);
    }
}

//! Prometheus remote write 1.0: requests of series with their labels, and stale markers.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;
use tapes_core::metric::{Descriptor, Value};
use tapes_core::text::prometheus::Family;

use crate::exposition::protobuf::{self, BucketSpan, labels, number};
use crate::exposition::{ClassicBuckets, Exposition, FamilyWriter, View};

/// Most series of one request: receivers bound its size.
const SERIES_MAX: usize = 2_000;

/// What ends a series: a NaN of its own.
const STALE: u64 = 0x7ff0_0000_0000_0002;

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    series: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    histograms: Vec<Histogram>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, optional, tag = "1")]
    count: Option<u64>,
    #[prost(double, tag = "3")]
    sum: f64,
    #[prost(sint32, tag = "4")]
    schema: i32,
    #[prost(double, tag = "5")]
    zero_threshold: f64,
    #[prost(uint64, optional, tag = "6")]
    zero_count: Option<u64>,
    #[prost(message, repeated, tag = "11")]
    spans: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "12")]
    deltas: Vec<i64>,
    #[prost(int64, tag = "15")]
    timestamp: i64,
}

/// Makes requests, and remembers which series there were.
#[derive(Debug, Default)]
pub(super) struct RemoteWrite {
    /// Labels that every series has besides its own.
    pub(super) labels: Vec<(String, String)>,
    /// Classic buckets instead of native histograms.
    pub(super) classic: Option<ClassicBuckets>,
    last: BTreeSet<Vec<Label>>,
}

impl RemoteWrite {
    /// Returns compressed requests with everything as of `wall`.
    pub(super) fn encode(
        &mut self,
        exposition: &dyn Exposition,
        wall: SystemTime,
    ) -> Result<Vec<Vec<u8>>, fmt::Error> {
        let since = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        let timestamp = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        let (classic, external) = (self.classic.as_ref(), &self.labels);
        let mut writer = Writer { timestamp, classic, external, series: Vec::new() };
        exposition.families(View::All, &mut writer)?;
        let mut series = writer.series;
        let shown: BTreeSet<_> = series.iter().map(|series| series.labels.clone()).collect();
        for gone in std::mem::take(&mut self.last).into_iter().filter(|l| !shown.contains(l)) {
            let samples = vec![Sample { value: f64::from_bits(STALE), timestamp }];
            series.push(TimeSeries { labels: gone, samples, histograms: Vec::new() });
        }
        self.last = shown;
        let requests = series.chunks(SERIES_MAX).map(|chunk| {
            let request = WriteRequest { series: chunk.to_vec() }.encode_to_vec();
            snap::raw::Encoder::new().compress_vec(&request).map_err(|_| fmt::Error)
        });
        requests.collect()
    }
}

/// Collects the series of one moment.
#[derive(Debug)]
struct Writer<'e> {
    timestamp: i64,
    classic: Option<&'e ClassicBuckets>,
    external: &'e [(String, String)],
    series: Vec<TimeSeries>,
}

impl Writer<'_> {
    fn add(&mut self, name: String, own: &[(String, String)], le: Option<f64>, value: f64) {
        let samples = vec![Sample { value, timestamp: self.timestamp }];
        let labels = self.labels(name, own, le);
        self.series.push(TimeSeries { labels, samples, histograms: Vec::new() });
    }

    /// Returns all labels in the order of their names; a series' own come before those of all.
    fn labels(&self, name: String, own: &[(String, String)], le: Option<f64>) -> Vec<Label> {
        let external = self.external.iter().filter(|(e, _)| own.iter().all(|(name, _)| name != e));
        let mut labels: Vec<_> = own
            .iter()
            .chain(external)
            .map(|(name, value)| Label { name: name.clone(), value: value.clone() })
            .collect();
        // A label without a value is none.
        labels.retain(|label| !label.value.is_empty());
        labels.push(Label { name: "__name__".to_owned(), value: name });
        if let Some(bound) = le {
            labels.push(Label { name: "le".to_owned(), value: shown_bound(bound) });
        }
        labels.sort();
        labels
    }
}

/// Returns a bound as Prometheus writes it when it scrapes.
fn shown_bound(bound: f64) -> String {
    if bound.is_infinite() {
        return "+Inf".to_owned();
    }
    let scientific = format!("{bound:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..21).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
        _ if bound.fract() == 0.0 => format!("{bound:.1}"),
        _ => bound.to_string(),
    }
}

impl FamilyWriter for Writer<'_> {
    fn family(&mut self, _: &Descriptor<'_>) -> fmt::Result {
        Ok(())
    }

    fn sample(
        &mut self,
        extra: &[(&str, &str)],
        descriptor: &Descriptor<'_>,
        cell: u32,
        value: &Value<'_>,
    ) -> fmt::Result {
        let own = labels(extra, descriptor, cell);
        let name = Family::of(descriptor).to_string();
        let Value::Distribution(distribution) = value else {
            if let Some(value) = number(descriptor, value) {
                self.add(name, &own, None, value);
            }
            return Ok(());
        };
        let read = protobuf::histogram(distribution, descriptor.unit.per(), self.classic);
        if self.classic.is_some() {
            for bucket in &read.classic {
                let count = bucket.cumulative_count as f64;
                self.add(format!("{name}_bucket"), &own, Some(bucket.upper_bound), count);
            }
            self.add(format!("{name}_sum"), &own, None, read.sum);
            self.add(format!("{name}_count"), &own, None, read.count as f64);
            return Ok(());
        }
        let histogram = Histogram {
            count: Some(read.count),
            sum: read.sum,
            schema: read.schema,
            zero_threshold: read.zero_threshold,
            zero_count: Some(read.zero_count),
            spans: read.spans,
            deltas: read.deltas,
            timestamp: self.timestamp,
        };
        let labels = self.labels(name, &own, None);
        self.series.push(TimeSeries { labels, samples: Vec::new(), histograms: vec![histogram] });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use prost::Message as _;
    use tapes_core::{Details, Registry};

    use super::{RemoteWrite, STALE, WriteRequest, shown_bound};
    use crate::local::Local;

    fn decoded(requests: &[Vec<u8>]) -> Vec<(String, u64)> {
        let mut all = Vec::new();
        for request in requests {
            let bytes = snap::raw::Decoder::new().decompress_vec(request).unwrap();
            for series in WriteRequest::decode(&*bytes).unwrap().series {
                assert!(series.labels.is_sorted_by(|a, b| a.name < b.name), "{series:?}");
                let labels: Vec<_> =
                    series.labels.iter().map(|l| format!("{}={}", l.name, l.value)).collect();
                assert!(series.samples.iter().all(|sample| sample.timestamp == 5_000));
                all.extend(series.samples.iter().map(|s| (labels.join(" "), s.value.to_bits())));
            }
        }
        all
    }

    /// A receiver refuses a whole request for labels out of order, and shows a value for five more
    /// minutes if nobody says that it ended.
    #[test]
    fn labels_are_in_order_and_what_ends_is_marked() {
        static REGISTRY: Registry<8, 64> = Registry::new();
        static EMPTY: Registry<1, 1> = Registry::new();
        static Z: Details =
            Details::new().labels(&[("zone", "a"), ("Axis", "x"), ("site", "mine")]);
        REGISTRY.describe(&Z).counter("loops").unwrap().add(7);
        let labels = vec![("job".into(), "tapes".into()), ("site".into(), "b".into())];
        let mut write = RemoteWrite { labels, ..RemoteWrite::default() };
        let wall = UNIX_EPOCH + Duration::from_secs(5);
        let requests = write.encode(&Local::new(&REGISTRY), wall).unwrap();
        let name = "Axis=x __name__=loops_total job=tapes site=mine zone=a".to_owned();
        assert_eq!(decoded(&requests), [(name.clone(), 7f64.to_bits())]);
        for expected in [vec![(name, STALE)], vec![]] {
            let requests = write.encode(&Local::new(&EMPTY), wall).unwrap();
            assert_eq!(decoded(&requests), expected);
        }
    }

    /// A bound that is written in two ways is two series.
    #[test]
    fn bounds_are_written_as_prometheus_does() {
        for (bound, expected) in [
            (f64::INFINITY, "+Inf"),
            (64.0, "64.0"),
            (0.0078125, "0.0078125"),
            (1.52587890625e-05, "1.52587890625e-05"),
            (0.0001, "0.0001"),
            (1e20, "100000000000000000000.0"),
            (1e21, "1e+21"),
        ] {
            assert_eq!(shown_bound(bound), expected);
        }
    }
}

//! OTLP metrics: one request with a resource for each device.

mod delta;
mod messages;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message as _;
use tapes_core::metric::{BUCKETS_MAX, Descriptor, Distribution, Kind, Unit, Value};

use self::delta::{Bases, Now, with_histogram, words};
use self::messages::{
    AnyValue, Buckets, CUMULATIVE, DELTA, Data, ExportRequest, ExportResponse, Gauge, Histogram,
    HistogramPoint, KeyValue, Metric, Number, NumberPoint, Resource, ResourceMetrics, Scope,
    ScopeMetrics, Sum,
};
use crate::exposition::protobuf::{labels, number, scaled};
use crate::exposition::{Exposition, FamilyWriter, View};

/// The label that names the resource.
const DEVICE: &str = "device";

/// Makes requests, and remembers when counts began of which nobody knows it.
#[derive(Debug)]
pub(super) struct Otlp {
    /// Attributes of every resource.
    pub(super) attributes: Vec<(String, String)>,
    /// First points, by series, in nanoseconds since 1970.
    starts: HashMap<String, u64>,
    /// What was told of counts, if growth is told.
    bases: Option<Bases>,
}

impl Otlp {
    pub(super) fn new() -> Self {
        Self { attributes: Vec::new(), starts: HashMap::new(), bases: None }
    }

    /// Tells growth from now on; `before` are the bases that were [noted](Self::note) last.
    pub(super) fn tell_growth(&mut self, before: Option<&[u8]>, wall: SystemTime) {
        let mut bases = Bases::since(nanos(wall));
        bases.restore(before.unwrap_or_default());
        self.bases = Some(bases);
    }

    /// Returns what is to be kept with the last batch, or with `is_queued` false without it; `None`
    /// if batches do not depend on each other.
    pub(super) fn note(&self, is_queued: bool) -> Option<Vec<u8>> {
        self.bases.as_ref().map(|bases| bases.to_bytes(is_queued))
    }

    /// Takes the last batch as one that will arrive.
    pub(super) fn commit(&mut self) {
        if let Some(bases) = &mut self.bases {
            bases.commit();
        }
    }

    /// Returns a request with everything as of `wall`.
    pub(super) fn encode(
        &mut self,
        exposition: &dyn Exposition,
        wall: SystemTime,
    ) -> Result<Vec<u8>, fmt::Error> {
        if let Some(bases) = &mut self.bases {
            bases.begin();
        }
        let mut writer = Writer {
            nanos: nanos(wall),
            start: None,
            bases: self.bases.as_mut(),
            known: &self.starts,
            starts: HashMap::new(),
            resources: BTreeMap::new(),
        };
        exposition.families(View::All, &mut writer)?;
        let Writer { starts, resources, .. } = writer;
        let resources = resources.into_iter().map(|(device, metrics)| {
            let instance = (!device.is_empty()).then_some(("service.instance.id", &*device));
            let own = self.attributes.iter().map(|(key, value)| (&**key, &**value));
            let attributes = own.chain(instance).map(|(key, value)| attribute(key, value));
            let resource = Some(Resource { attributes: attributes.collect() });
            let version = env!("CARGO_PKG_VERSION").to_owned();
            let scope = Some(Scope { name: "tapes".to_owned(), version });
            let metrics = metrics.into_values().collect();
            ResourceMetrics { resource, scopes: vec![ScopeMetrics { scope, metrics }] }
        });
        let request = ExportRequest { resources: resources.collect() };
        self.starts = starts;
        Ok(request.encode_to_vec())
    }

    /// Returns why a receiver that took a request did not take all of it.
    pub(super) fn complaint(answer: &[u8]) -> Option<(u64, String)> {
        let partial = ExportResponse::decode(answer).ok()?.partial?;
        let rejected = u64::try_from(partial.rejected).unwrap_or(0);
        (rejected > 0).then_some((rejected, partial.message))
    }
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { string: Some(value.to_owned()) };
    KeyValue { key: key.to_owned(), value: Some(value) }
}

/// Returns the unit by the code of UCUM, or in braces.
fn ucum(unit: Unit<'_>) -> String {
    match unit.name() {
        "" => String::new(),
        "seconds" => "s".to_owned(),
        "bytes" => "By".to_owned(),
        "celsius" => "Cel".to_owned(),
        "ratio" => "1".to_owned(),
        "volts" => "V".to_owned(),
        "amperes" => "A".to_owned(),
        "watts" => "W".to_owned(),
        "joules" => "J".to_owned(),
        "hertz" => "Hz".to_owned(),
        "meters" => "m".to_owned(),
        "grams" => "g".to_owned(),
        other => format!("{{{other}}}"),
    }
}

/// Collects the metrics of one moment, by device and then by name.
#[derive(Debug)]
struct Writer<'k> {
    nanos: u64,
    start: Option<SystemTime>,
    /// What was told of counts, if growth is told.
    bases: Option<&'k mut Bases>,
    known: &'k HashMap<String, u64>,
    starts: HashMap<String, u64>,
    resources: BTreeMap<String, BTreeMap<String, Metric>>,
}

impl Writer<'_> {
    /// Returns when a series began: as is known, else with its first point.
    fn start_of(&mut self, device: &str, name: &str, labels: &[(String, String)]) -> u64 {
        if let Some(start) = self.start {
            return nanos(start).min(self.nanos);
        }
        let key = key_of(device, name, labels);
        let first = self.known.get(&key).copied().unwrap_or(self.nanos);
        self.starts.insert(key, first);
        first
    }

    fn histogram(
        &self,
        distribution: &Distribution<'_>,
        per: u32,
        start_nanos: u64,
        attributes: Vec<KeyValue>,
    ) -> HistogramPoint {
        // The sum is read before the buckets, so that what is in it is in a bucket.
        let base = |raw: u64| scaled(raw as f64, per);
        let sum = base(distribution.sum());
        let (min, max) = (distribution.min().map(base), distribution.max().map(base));
        let geometry = distribution.geometry();
        let zero_count = distribution.zero();
        let len = geometry.len.min(BUCKETS_MAX);
        let mut counts: Vec<u64> = (0..len).map(|i| distribution.bucket(i)).collect();
        counts.push(distribution.overflow());
        let count = counts.iter().fold(zero_count, |sum, count| sum.wrapping_add(*count));
        let empty = counts.iter().take_while(|count| **count == 0).count();
        let filled = counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
        let used = counts.get(empty..filled).unwrap_or_default().to_vec();
        let first = geometry.first.saturating_add(i32::try_from(empty).unwrap_or(0));
        let buckets = Buckets { offset: first, counts: used };
        HistogramPoint {
            attributes,
            start_nanos,
            nanos: self.nanos,
            count,
            sum: Some(sum),
            scale: geometry.scale.into(),
            zero_count,
            positive: (!buckets.counts.is_empty()).then_some(buckets),
            min,
            max,
            zero_threshold: geometry.lower(0),
        }
    }
}

/// Returns what tells a series apart.
fn key_of(device: &str, name: &str, labels: &[(String, String)]) -> String {
    let mut key = format!("{device}\0{name}");
    for (name, value) in labels {
        key.extend(["\0", name, "\0", value]);
    }
    key
}

/// Returns a number, exact where it is whole.
fn exact(descriptor: &Descriptor<'_>, value: &Value<'_>) -> Option<Number> {
    let whole = match value {
        Value::Unsigned(value) if descriptor.unit.per() == 1 => i64::try_from(*value).ok(),
        Value::Signed(value) if descriptor.unit.per() == 1 => Some(*value),
        _ => None,
    };
    whole.map(Number::Int).or_else(|| number(descriptor, value).map(Number::Double))
}

/// Returns a metric without points.
fn empty(descriptor: &Descriptor<'_>, temporality: i32) -> Metric {
    let sum = |is_monotonic, temporality| Sum { points: Vec::new(), temporality, is_monotonic };
    let data = match descriptor.kind {
        Kind::Counter | Kind::Meter => Data::Sum(sum(true, temporality)),
        // What goes up and down is a level: nobody adds up its growth.
        Kind::UpDown => Data::Sum(sum(false, CUMULATIVE)),
        Kind::Histogram(_) | Kind::Timer(_) => {
            Data::Histogram(Histogram { points: Vec::new(), temporality })
        }
        _ => Data::Gauge(Gauge { points: Vec::new() }),
    };
    Metric {
        name: descriptor.name.to_owned(),
        description: descriptor.help.to_owned(),
        unit: ucum(descriptor.unit),
        data: Some(data),
    }
}

impl FamilyWriter for Writer<'_> {
    fn family(&mut self, _: &Descriptor<'_>) -> fmt::Result {
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
        let mut labels = labels(extra, descriptor, cell);
        let at = labels.iter().position(|(name, _)| name == DEVICE);
        let device = at.map(|at| labels.remove(at).1).unwrap_or_default();
        if !descriptor.kind.is_gauge() && self.bases.is_some() {
            self.grown(device, descriptor, &labels, value);
            return Ok(());
        }
        let attributes = labels.iter().map(|(name, value)| attribute(name, value)).collect();
        let is_counting = !matches!(value, Value::Null)
            && (!descriptor.kind.is_gauge() || descriptor.kind == Kind::UpDown);
        let start_nanos =
            if is_counting { self.start_of(&device, descriptor.name, &labels) } else { 0 };
        let histogram = match value {
            Value::Distribution(distribution) => {
                let per = descriptor.unit.per();
                Some(self.histogram(distribution, per, start_nanos, attributes))
            }
            _ => {
                let Some(number) = exact(descriptor, value) else { return Ok(()) };
                let value = Some(number);
                let point = NumberPoint { attributes, start_nanos, nanos: self.nanos, value };
                match &mut self.metric(device, descriptor).data {
                    Some(Data::Sum(sum)) => sum.points.push(point),
                    Some(Data::Gauge(gauge)) => gauge.points.push(point),
                    _ => {}
                }
                return Ok(());
            }
        };
        if let Some(Data::Histogram(all)) = &mut self.metric(device, descriptor).data {
            all.points.extend(histogram);
        }
        Ok(())
    }
}

impl Writer<'_> {
    fn metric(&mut self, device: String, descriptor: &Descriptor<'_>) -> &mut Metric {
        let metrics = self.resources.entry(device).or_default();
        let temporality = if self.bases.is_some() { DELTA } else { CUMULATIVE };
        let new = || empty(descriptor, temporality);
        metrics.entry(descriptor.name.to_owned()).or_insert_with(new)
    }

    /// Adds a point of what a count has grown by.
    fn grown(
        &mut self,
        device: String,
        descriptor: &Descriptor<'_>,
        labels: &[(String, String)],
        value: &Value<'_>,
    ) {
        let (geometry, words) = match value {
            Value::Unsigned(count) => (None, vec![*count]),
            Value::Distribution(counts) => (Some(counts.geometry()), words(counts)),
            _ => return,
        };
        let start = self.start.map_or(0, nanos);
        let now = Now { start, is_own: device.is_empty(), geometry, words };
        let key = key_of(&device, descriptor.name, labels);
        let Some(bases) = &mut self.bases else { return };
        let Some((start_nanos, growth)) = bases.growth(key, now, self.nanos) else { return };
        let attributes: Vec<_> = labels.iter().map(|(name, v)| attribute(name, v)).collect();
        let (nanos, per) = (self.nanos, descriptor.unit.per());
        let histogram = geometry.and_then(|geometry| {
            with_histogram(geometry, &growth, |counts| {
                self.histogram(counts, per, start_nanos, attributes.clone())
            })
        });
        let count = growth.first().map(|count| Value::Unsigned(*count));
        match &mut self.metric(device, descriptor).data {
            Some(Data::Histogram(all)) => all.points.extend(histogram),
            Some(Data::Sum(sum)) => {
                let value = count.and_then(|count| exact(descriptor, &count));
                sum.points.push(NumberPoint { attributes, start_nanos, nanos, value });
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use prost::Message as _;
    use tapes_core::{Registry, layout};

    use super::Otlp;
    use super::messages::{Data, ExportRequest, HistogramPoint, Number};
    use crate::clock::ManualTime;
    use crate::local::Local;
    use crate::push::Queue;
    use crate::push::builder::queue_growth;

    /// If this fails, what a receiver adds up lacks what was counted while the queue was full, or
    /// has it twice.
    #[test]
    fn growth_waits_while_the_queue_is_full() {
        static REGISTRY: Registry<8, 512> = Registry::new();
        let time = std::sync::Arc::new(ManualTime::new());
        time.advance(Duration::from_secs(1));
        let local = Local::with_time(&REGISTRY, time);
        let loops = REGISTRY.counter("loops").unwrap();
        let mut otlp = Otlp::new();
        otlp.tell_growth(None, UNIX_EPOCH);
        let encode = |otlp: &mut Otlp, seconds| {
            loops.add(3);
            otlp.encode(&local, UNIX_EPOCH + Duration::from_secs(seconds)).unwrap()
        };
        let first = encode(&mut otlp, 10);
        // Room for one batch.
        let mut queue = Queue::in_memory(first.len() as u64 + 10);
        assert!(queue_growth(&mut otlp, &mut queue, vec![first]).unwrap().is_empty());
        for seconds in [20, 30] {
            let batch = encode(&mut otlp, seconds);
            assert!(queue_growth(&mut otlp, &mut queue, vec![batch]).is_err(), "full");
        }
        let mut told = Vec::new();
        for seconds in [40, 50] {
            let (number, batch) = queue.front().1.unwrap();
            queue.remove(number);
            told.push(batch);
            let batch = encode(&mut otlp, seconds);
            assert!(queue_growth(&mut otlp, &mut queue, vec![batch]).unwrap().is_empty());
        }
        told.push(queue.front().1.unwrap().1);
        let points: Vec<_> = told
            .iter()
            .map(|bytes| {
                let request = ExportRequest::decode(&**bytes).unwrap();
                let Some(Data::Sum(sum)) = &request.resources[0].scopes[0].metrics[0].data else {
                    panic!("{request:?}");
                };
                assert_eq!(sum.temporality, 1);
                let point = &sum.points[0];
                (point.start_nanos / 1_000_000_000, point.nanos / 1_000_000_000, point.value)
            })
            .collect();
        let counts = [(1, 10, 3), (10, 40, 9), (40, 50, 3)];
        let expected = counts.map(|(since, until, n)| (since, until, Some(Number::Int(n))));
        assert_eq!(points, expected);
    }

    /// A bucket off by one place is a quantile off by a fifth; a start that moves reads as a reset.
    #[test]
    fn values_are_those_of_the_registry_since_it_began() {
        static REGISTRY: Registry<8, 512> = Registry::new();
        let time = std::sync::Arc::new(ManualTime::new());
        time.advance(Duration::from_secs(3));
        let local = Local::with_time(&REGISTRY, time);
        REGISTRY.counter("loops").unwrap().add(7);
        REGISTRY.updown("open").unwrap().add(-2);
        let layout = layout!(unit = micros, min = 16 us, max = 1 s, scale = 1);
        let timer = REGISTRY.timer::<1_000_000>("time", layout).unwrap();
        [3, 16, 17, 40, 40, 5_000_000].iter().for_each(|us| timer.record(*us));
        let mut otlp = Otlp::new();
        for seconds in [10, 20] {
            let wall = UNIX_EPOCH + Duration::from_secs(seconds);
            let bytes = otlp.encode(&local, wall).unwrap();
            let request = ExportRequest::decode(&*bytes).unwrap();
            let metrics = &request.resources[0].scopes[0].metrics;
            let [loops, open, time] = &metrics[..] else { panic!("{metrics:?}") };
            let Some(Data::Sum(sum)) = &loops.data else { panic!("{loops:?}") };
            assert!(sum.is_monotonic && sum.temporality == 2);
            assert_eq!(sum.points[0].value, Some(Number::Int(7)));
            assert_eq!(sum.points[0].start_nanos, 3_000_000_000);
            assert_eq!(sum.points[0].nanos, seconds * 1_000_000_000);
            let Some(Data::Sum(sum)) = &open.data else { panic!("{open:?}") };
            assert!(!sum.is_monotonic);
            assert_eq!(sum.points[0].value, Some(Number::Int(-2)));
            let Some(Data::Histogram(histogram)) = &time.data else { panic!("{time:?}") };
            assert_eq!(time.unit, "s");
            check(&histogram.points[0], &[0.000_017, 0.000_04, 0.000_04]);
        }
    }

    fn check(point: &HistogramPoint, within: &[f64]) {
        let buckets = point.positive.as_ref().unwrap();
        assert_eq!(point.count, point.zero_count + buckets.counts.iter().sum::<u64>());
        assert_eq!(point.count, 6);
        for value in within {
            // (base^i, base^(i+1)], base = 2^(2^-scale).
            let bound = |i: i32| (f64::from(i) / f64::from(1 << point.scale)).exp2();
            let at = (0..).position(|i| *value <= bound(buckets.offset + i + 1)).unwrap();
            assert!(buckets.counts[at] > 0, "{value} in {buckets:?}");
        }
        assert_eq!(
            buckets.counts.iter().filter(|count| **count > 0).sum::<u64>(),
            6 - point.zero_count
        );
        assert_eq!((point.min, point.max), (Some(3e-6), Some(5.0)));
    }
}

//! A source whose words a test sets, and a receiver that keeps what it heard.

#![allow(dead_code, reason = "each test uses a part")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use tapes_core::Source;
use tapes_core::metric::{
    Buckets, Counts, Describe, Descriptor, Dimension, Dimensions, Distribution, Kind, Sample, Unit,
    Value,
};
use tapes_core::wire::{
    Body, Deframer, DictionaryHash, Epoch, Feed, Flags, Frame, FrameError, Header, Hello, Identity,
    Origin, Reading,
};

/// A value of a test's source.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fake {
    Unsigned(u64),
    Signed(i64),
    F32(f32),
    F64(f64),
    Null,
    Histogram(FakeHistogram),
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct FakeHistogram {
    pub(crate) sum: u64,
    pub(crate) min: Option<u64>,
    pub(crate) max: Option<u64>,
    pub(crate) zero: u64,
    pub(crate) overflow: u64,
    pub(crate) buckets: Vec<u64>,
}

impl FakeHistogram {
    pub(crate) fn count(&self) -> u64 {
        self.zero + self.overflow + self.buckets.iter().sum::<u64>()
    }
}

/// A metric of a test's source, or a family of them.
#[derive(Debug, Clone)]
pub(crate) struct FakeMetric {
    pub(crate) name: String,
    pub(crate) help: String,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit<'static>,
    pub(crate) dimensions: &'static [Dimension<'static>],
    /// One for each cell.
    pub(crate) values: Vec<Fake>,
}

impl FakeMetric {
    pub(crate) fn new(name: &str, kind: Kind, value: Fake) -> Self {
        let (name, help) = (name.to_owned(), String::new());
        Self { name, help, kind, unit: Unit::NONE, dimensions: &[], values: vec![value] }
    }

    pub(crate) fn counter(name: &str, value: u64) -> Self {
        Self::new(name, Kind::Counter, Fake::Unsigned(value))
    }

    pub(crate) fn timer(name: &str, buckets: u32, value: FakeHistogram) -> Self {
        let kind = Kind::Timer(Buckets { scale: 2, first: -80, len: buckets });
        Self { unit: Unit::MICROS, ..Self::new(name, kind, Fake::Histogram(value)) }
    }

    pub(crate) fn descriptor(&self) -> Descriptor<'_> {
        Descriptor {
            help: &self.help,
            dimensions: Dimensions::new(self.dimensions),
            ..Descriptor::new(&self.name, self.kind, self.unit)
        }
    }

    fn words(&self) -> u32 {
        // Enough for the words of this machine and of a 32-bit one.
        self.kind.buckets().map_or(1, |buckets| buckets.len + 7)
    }
}

impl Describe for FakeMetric {
    fn describe<'s>(&'s self, name: &'s str) -> Descriptor<'s> {
        Descriptor { name, ..self.descriptor() }
    }
}

/// A source of numbers that are not live, given as 64-bit truth; `narrow` shows only the low 32
/// bits of counts, as a device's words do.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeSource {
    pub(crate) metrics: Vec<FakeMetric>,
    pub(crate) narrow: bool,
}

impl FakeSource {
    pub(crate) fn new(metrics: Vec<FakeMetric>) -> Self {
        Self { metrics, narrow: false }
    }

    fn word(&self, count: u64) -> u64 {
        if self.narrow { count & 0xffff_ffff } else { count }
    }
}

impl Source for FakeSource {
    fn metrics(&self) -> u32 {
        u32::try_from(self.metrics.len()).unwrap()
    }

    fn visit<'s>(
        &'s self,
        from: u32,
        visitor: &mut dyn FnMut(Sample<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut word = 0;
        for (id, metric) in (0..).zip(&self.metrics) {
            for (cell, value) in (0..).zip(&metric.values) {
                if id >= from {
                    let narrow: Vec<u64>;
                    let value = match value {
                        Fake::Unsigned(n) if matches!(metric.kind, Kind::Counter | Kind::Meter) => {
                            Value::Unsigned(self.word(*n))
                        }
                        Fake::Unsigned(n) => Value::Unsigned(*n),
                        Fake::Signed(n) => Value::Signed(*n),
                        Fake::F32(n) => Value::F32(*n),
                        Fake::F64(n) => Value::F64(*n),
                        Fake::Null => Value::Null,
                        Fake::Histogram(h) => {
                            narrow = h.buckets.iter().map(|n| self.word(*n)).collect();
                            // A test's source lives as long as the test.
                            let buckets: &'static [u64] = narrow.leak();
                            let counts = Counts {
                                sum: h.sum,
                                min: h.min,
                                max: h.max,
                                zero: self.word(h.zero),
                                overflow: self.word(h.overflow),
                                buckets,
                            };
                            Value::Distribution(Distribution::new(
                                metric.kind.buckets().unwrap(),
                                counts,
                            ))
                        }
                    };
                    visitor(Sample { cell, word, ..Sample::new(id, &metric.name, metric, value) })?;
                }
                word += metric.words();
            }
        }
        ControlFlow::Continue(())
    }
}

pub(crate) const EPOCH: Epoch = Epoch::new(0, 0x1234_5678);

pub(crate) fn identity() -> Identity {
    Identity::new(Origin::from_array(*b"board-01"), EPOCH, 1_000_000)
}

/// What was read of one value, owned.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    One(Fake),
    Unknown(Vec<u8>),
}

pub(crate) fn own(reading: Reading<'_>) -> Heard {
    Heard::One(match reading {
        Reading::Unsigned(n) => Fake::Unsigned(n),
        Reading::Signed(n) => Fake::Signed(n),
        Reading::F32(n) => Fake::F32(n),
        Reading::F64(n) => Fake::F64(n),
        Reading::Null => Fake::Null,
        Reading::Histogram(h) => {
            let mut buckets = Vec::new();
            for (i, count) in h.buckets() {
                buckets.resize(i as usize, 0);
                buckets.push(count);
            }
            Fake::Histogram(FakeHistogram {
                sum: h.sum,
                min: h.min,
                max: h.max,
                zero: h.zero,
                overflow: h.overflow,
                buckets,
            })
        }
        Reading::Unknown(bytes) => return Heard::Unknown(bytes.to_vec()),
        other => panic!("not a single value: {other:?}"),
    })
}

/// What is comparable of a value: trailing zeros of buckets are not sent.
pub(crate) fn trimmed(value: &Fake) -> Fake {
    let mut value = value.clone();
    if let Fake::Histogram(h) = &mut value {
        while h.buckets.last() == Some(&0) {
            h.buckets.pop();
        }
    }
    value
}

/// A receiver of one sender that keeps the newest of everything.
#[derive(Debug, Default)]
pub(crate) struct Receiver {
    pub(crate) hello: Option<(Vec<u8>, u64)>,
    pub(crate) entries: BTreeMap<u32, Vec<u8>>,
    pub(crate) values: BTreeMap<(u32, u32), (u64, Heard)>,
    pub(crate) frames: Vec<(u64, Flags, &'static str)>,
    pub(crate) data_bytes: usize,
    pub(crate) dictionary: Option<(u32, u32)>,
    pub(crate) event: Option<tapes_core::wire::Event>,
}

impl Receiver {
    pub(crate) fn take(&mut self, frame: &[u8]) -> Result<(), FrameError> {
        let frame = Frame::parse(frame)?;
        let Header { seq, flags, dictionary, .. } = frame.header;
        self.dictionary = Some((dictionary.len, dictionary.hash));
        let name = match frame.body()? {
            Body::Hello(Hello { origin, epoch, .. }) => {
                self.hello = Some((origin.to_vec(), epoch.to_u64()));
                "hello"
            }
            Body::Dict(entries) => {
                for (id, body, _) in entries {
                    let old = self.entries.insert(id, body.to_vec());
                    assert!(old.is_none_or(|old| old == body), "entry {id} changed");
                }
                "dict"
            }
            Body::Data(values) => {
                for value in values {
                    let (id, reading) = value.map_err(|_| FrameError::Malformed)?;
                    if let Reading::Family(cells) = reading {
                        cells.for_each(|(cell, reading)| self.keep(seq, id, cell, reading));
                    } else {
                        self.keep(seq, id, 0, reading);
                    }
                }
                "data"
            }
            Body::Event(event) => {
                self.event = Some(event);
                "event"
            }
            _ => "unknown",
        };
        self.frames.push((seq, flags, name));
        Ok(())
    }

    fn keep(&mut self, seq: u64, id: u32, cell: u32, reading: Reading<'_>) {
        let place = self.values.entry((id, cell)).or_insert_with(|| (seq, own(reading)));
        if seq >= place.0 {
            *place = (seq, own(reading));
        }
    }

    /// Takes all frames of a stream and returns how many were wrong.
    pub(crate) fn take_stream(&mut self, stream: &[u8]) -> usize {
        let mut deframer = Deframer::<16_384>::new();
        let (mut rest, mut wrong) = (stream, 0);
        loop {
            rest = match deframer.feed(rest) {
                Feed::Frame { frame, rest } => {
                    wrong += usize::from(self.take(frame).is_err());
                    rest
                }
                Feed::Oversize { rest } | Feed::Cobs { rest } => {
                    wrong += 1;
                    rest
                }
                _ => return wrong,
            };
        }
    }

    /// Returns whether the dictionary is complete, and panics if its hash is wrong.
    pub(crate) fn knows_all(&self) -> bool {
        let Some((len, hash)) = self.dictionary else { return false };
        let mut ours = DictionaryHash::new();
        for id in 0..len {
            let Some(body) = self.entries.get(&id) else { return false };
            ours.push(body);
        }
        assert_eq!(ours.value(), hash, "hash of {len} entries");
        true
    }

    pub(crate) fn value(&self, id: u32, cell: u32) -> Option<&Fake> {
        match &self.values.get(&(id, cell))?.1 {
            Heard::One(value) => Some(value),
            Heard::Unknown(_) => None,
        }
    }

    /// Panics unless everything in `source` was heard as it is.
    pub(crate) fn assert_has(&self, source: &FakeSource) {
        for (id, metric) in (0..).zip(&source.metrics) {
            for (cell, value) in (0..).zip(&metric.values) {
                assert_eq!(
                    self.value(id, cell).map(trimmed).as_ref(),
                    Some(&trimmed(value)),
                    "{} cell {cell}",
                    metric.name
                );
            }
        }
    }
}

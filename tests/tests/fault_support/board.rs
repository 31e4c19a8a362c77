//! A device: a real registry and a real encoder, over words that are as wide as the device's.

use std::ops::ControlFlow;

use tapes_core::metric::{Counts, Distribution, Kind, Layout, Sample, Value};
use tapes_core::wire::{Body, Deframer, Encoder, Epoch, Feed, Frame, Identity, Origin, Reading};
use tapes_core::{Registry, Source, layout};
use tapes_std::fleet::value::{Histogram, Stored};
use tapes_tests::noise::Noise;

static LAYOUT: &Layout = layout!(max = 1_000, scale = 1);

const METRICS: usize = 6;
const WORDS: usize = 64;

/// How wide the device's counts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// As those of a host.
    Absolute,
    /// 32 bits, widened to 39 by the reporter.
    Widened,
    /// 32 bits, sent as they are: the first receiver widens.
    Raw,
}

/// A life of values: from zero to the next zero.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) origin: Origin,
    pub(crate) epoch: Epoch,
    /// Whether another life of the origin has the same epoch.
    pub(crate) is_repeated: bool,
    /// What was counted in it, by id.
    pub(crate) truth: Vec<Stored>,
    pub(crate) is_over: bool,
    /// Every value that a gauge had, by id.
    pub(crate) gauges: Vec<(u32, Stored)>,
}

/// A frame as the device made it.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// For a byte stream, delimiters included.
    pub(crate) stream: Vec<u8>,
    pub(crate) bare: Vec<u8>,
    pub(crate) life: usize,
    pub(crate) seq: u64,
    pub(crate) is_hello: bool,
    /// What it says, as 64-bit truth.
    pub(crate) values: Vec<(u32, Stored)>,
}

pub(crate) struct Board {
    registry: Box<Registry<METRICS, WORDS>>,
    encoder: Encoder<METRICS, WORDS>,
    /// The encoder of a device that sends raw words.
    raw: Encoder<METRICS, 0>,
    pub(crate) origin: Origin,
    pub(crate) width: Width,
    addressed: bool,
    uptime: u64,
    pub(crate) life: usize,
    keyframes: u16,
    /// Number of starts; 0 if the device cannot know.
    boots: u32,
}

pub(crate) const HZ: u32 = 1_000;
/// Between reports, in seconds.
pub(crate) const INTERVAL_S: u64 = 1;

impl Board {
    pub(crate) fn new(
        origin: Origin,
        width: Width,
        noise: &mut Noise,
        lives: &mut Vec<Life>,
    ) -> Self {
        let epoch = Epoch::new(0, 1);
        let keyframes = [1, 3, 7, 10][noise.index(4)];
        let mut board = Self {
            registry: Box::new(Registry::new()),
            encoder: encoder(origin, epoch),
            raw: encoder(origin, epoch),
            origin,
            width,
            addressed: noise.percent(50),
            uptime: 0,
            life: 0,
            keyframes,
            boots: u32::from(noise.percent(50)),
        };
        board.begin(fresh(board.boots, noise), lives);
        board.note(lives);
        board
    }

    /// Lets raw words be about to wrap.
    pub(crate) fn age(&self, noise: &mut Noise, lives: &mut [Life]) {
        if self.width == Width::Raw {
            self.counter("loops").add(u32::MAX - low(noise.below(1_500)));
            self.registry.meter("marks").unwrap().mark_by(u32::MAX - low(noise.below(1_500)));
            self.note(lives);
        }
    }

    fn counter(&self, name: &'static str) -> tapes_core::Counter<'_> {
        self.registry.counter(name).unwrap()
    }

    /// Begins a life with all values 0.
    fn begin(&mut self, epoch: Epoch, lives: &mut Vec<Life>) {
        *self.registry = Registry::new();
        let registry = &self.registry;
        let _ = registry.counter("loops").unwrap();
        let _ = registry.counter("bytes").unwrap();
        let _ = registry.meter("marks").unwrap();
        let _ = registry.updown("level").unwrap();
        let _ = registry.gauge::<u32>("heat").unwrap();
        let _ = registry.histogram("sizes", LAYOUT).unwrap();
        self.uptime = 0;
        self.report_from(epoch, 0);
        let same = |life: &Life| life.origin == self.origin && life.epoch == epoch;
        let is_repeated = lives.iter().any(same);
        lives.iter_mut().filter(|life| same(life)).for_each(|life| life.is_repeated = true);
        self.life = lives.len();
        let origin = self.origin;
        lives.push(Life {
            origin,
            epoch,
            is_repeated,
            truth: Vec::new(),
            is_over: false,
            gauges: Vec::new(),
        });
    }

    /// Makes encoders that know nothing of what was sent.
    fn report_from(&mut self, epoch: Epoch, seq: u64) {
        fn set<const W: usize>(board: &Board, epoch: Epoch, seq: u64) -> Encoder<METRICS, W> {
            let encoder = encoder(board.origin, epoch)
                .with_keyframe_interval(board.keyframes)
                .with_first_seq(seq);
            let encoder = if board.width == Width::Absolute {
                encoder
            } else {
                encoder.with_wrapping_words()
            };
            if board.addressed { encoder.with_full_address() } else { encoder }
        }
        self.encoder = set(self, epoch, seq);
        self.raw = set(self, epoch, seq);
    }

    /// Power fails: all values are gone.
    ///
    /// With `repeats`, the device has no randomness and comes back with the epoch that it had.
    pub(crate) fn cold_reboot(&mut self, repeats: bool, noise: &mut Noise, lives: &mut Vec<Life>) {
        lives[self.life].is_over = true;
        let next = if self.boots == 0 { 0 } else { self.boots + 1 };
        let epoch = if repeats { self.epoch() } else { fresh(next, noise) };
        self.boots = epoch.order;
        self.begin(epoch, lives);
        self.note(lives);
    }

    /// A watchdog bites: the words are kept, and so is the epoch; what the reporter knew is gone.
    pub(crate) fn warm_reboot(&mut self) {
        let seq = self.raw.next_seq().max(self.encoder.next_seq());
        let epoch = self.encoder.identity().epoch;
        self.uptime = 0;
        self.report_from(epoch, seq + 1_024);
    }

    /// Whether values can be kept: widening memory would be lost.
    pub(crate) fn keeps_words(&self) -> bool {
        self.width != Width::Widened
    }

    fn epoch(&self) -> Epoch {
        self.encoder.identity().epoch
    }

    /// Counts for a while.
    pub(crate) fn work(&self, noise: &mut Noise, lives: &mut [Life]) {
        if noise.percent(80) {
            self.counter("loops").add(low(noise.below(50)));
        }
        if noise.percent(30) {
            // Words of 32 bits wrap every few reports.
            let max = if self.width == Width::Raw { 1 << 20 } else { 1 << 30 };
            self.counter("bytes").add(low(noise.below(max)));
        }
        if noise.percent(50) {
            self.registry.meter("marks").unwrap().mark_by(low(noise.below(9)));
        }
        if noise.percent(40) {
            let level = self.registry.updown("level").unwrap();
            (0..noise.below(5)).for_each(|_| level.decrement());
            (0..noise.below(5)).for_each(|_| level.increment());
        }
        if noise.percent(20) {
            self.registry.gauge::<u32>("heat").unwrap().set(low(noise.below(100)));
        }
        if noise.percent(60) {
            let sizes = self.registry.histogram("sizes", LAYOUT).unwrap();
            (0..noise.below(20)).for_each(|_| sizes.record(low(noise.below(2_000))));
        }
        self.note(lives);
    }

    /// Writes down what the words hold.
    fn note(&self, lives: &mut [Life]) {
        let life = &mut lives[self.life];
        life.truth = self.values();
        let gauges = (0..).zip(&life.truth).filter(|(id, _)| [3, 4].contains(id));
        for (id, value) in gauges {
            let gauge = (id, value.clone());
            if !life.gauges.contains(&gauge) {
                life.gauges.push(gauge);
            }
        }
    }

    fn values(&self) -> Vec<Stored> {
        let mut values = Vec::new();
        let _ = self.registry.visit(0, &mut |sample| {
            values.push(stored(&sample.value));
            ControlFlow::Continue(())
        });
        values
    }

    /// Passes time without a report.
    pub(crate) fn wait(&mut self, seconds: u64) {
        self.uptime += seconds * u64::from(HZ);
    }

    pub(crate) fn force_keyframe(&mut self) {
        self.encoder.force_keyframe();
        self.raw.force_keyframe();
    }

    /// Makes the frames of one report.
    pub(crate) fn report(&mut self) -> Vec<Sent> {
        self.wait(INTERVAL_S);
        let truth = self.values();
        let narrow = Narrow::of(&self.registry, self.width == Width::Raw);
        match self.width {
            Width::Raw => frames(&mut self.raw, &narrow, self.uptime, self.life, &truth),
            _ => frames(&mut self.encoder, &narrow, self.uptime, self.life, &truth),
        }
    }
}

/// Returns the low half of a number.
fn low(number: u64) -> u32 {
    u32::try_from(number & 0xffff_ffff).unwrap()
}

/// Returns an epoch that nobody had before, with the order that the device knows.
fn fresh(order: u32, noise: &mut Noise) -> Epoch {
    Epoch::new(order, low(noise.next()) | 1)
}

fn encoder<const W: usize>(origin: Origin, epoch: Epoch) -> Encoder<METRICS, W> {
    Encoder::new(Identity::new(origin, epoch, HZ), 160)
}

fn frames<const W: usize>(
    encoder: &mut Encoder<METRICS, W>,
    source: &dyn Source,
    uptime: u64,
    life: usize,
    truth: &[Stored],
) -> Vec<Sent> {
    let mut frames = Vec::new();
    let mut buffer = [0; 256];
    encoder.begin(uptime);
    while let Some(stream) = encoder.next_stream_frame(source, &mut buffer) {
        frames.push(sent(stream, life, truth));
        encoder.sent();
    }
    frames
}

fn sent(stream: &[u8], life: usize, truth: &[Stored]) -> Sent {
    let mut deframer = Deframer::<512>::new();
    let Feed::Frame { frame: bare, .. } = deframer.feed(stream) else { panic!("a whole frame") };
    let frame = Frame::parse(bare).unwrap();
    let body = frame.body().unwrap();
    let mut values = Vec::new();
    if let Body::Data(entries) = body {
        for entry in entries {
            let (id, reading) = entry.unwrap();
            assert!(!matches!(reading, Reading::Family(_)), "there are none");
            values.push((id, truth[id as usize].clone()));
        }
    }
    Sent {
        stream: stream.to_vec(),
        bare: bare.to_vec(),
        life,
        seq: frame.header.seq,
        is_hello: matches!(body, Body::Hello(_)),
        values,
    }
}

fn stored(value: &Value<'_>) -> Stored {
    match value {
        Value::Unsigned(n) => Stored::Unsigned(*n),
        Value::Signed(n) => Stored::Signed(*n),
        Value::Distribution(d) => Stored::Histogram(Box::new(numbers(d))),
        Value::Null => Stored::Null,
        other => panic!("{other:?} is not used here"),
    }
}

fn numbers(distribution: &Distribution<'_>) -> Histogram {
    let d = distribution;
    let mut buckets: Vec<u64> = (0..d.geometry().len).map(|i| d.bucket(i)).collect();
    while buckets.last() == Some(&0) {
        buckets.pop();
    }
    let (sum, min, max) = (d.sum(), d.min(), d.max());
    Histogram { sum, zero: d.zero(), overflow: d.overflow(), buckets, min, max }
}

/// A registry as a 32-bit device shows it.
struct Narrow<'r> {
    registry: &'r Registry<METRICS, WORDS>,
    is_narrow: bool,
    sizes: Histogram,
}

impl<'r> Narrow<'r> {
    fn of(registry: &'r Registry<METRICS, WORDS>, is_narrow: bool) -> Self {
        let sizes = numbers(&registry.histogram("sizes", LAYOUT).unwrap().distribution());
        Self { registry, is_narrow, sizes }
    }
}

impl Source for Narrow<'_> {
    fn metrics(&self) -> u32 {
        self.registry.metrics()
    }

    fn visit<'s>(
        &'s self,
        from: u32,
        visitor: &mut dyn FnMut(Sample<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.registry.visit(from, &mut |mut sample| {
            if self.is_narrow {
                match (&sample.value, sample.kind) {
                    (Value::Unsigned(n), Kind::Counter | Kind::Meter) => {
                        sample.value = Value::Unsigned(n & 0xffff_ffff);
                    }
                    (Value::Distribution(d), _) => {
                        // Far from wrapping; the same numbers, but not of this machine's words.
                        let geometry = d.geometry();
                        let Histogram { sum, min, max, zero, overflow, .. } = self.sizes;
                        let buckets = &self.sizes.buckets;
                        let counts = Counts { sum, min, max, zero, overflow, buckets };
                        sample.value = Value::Distribution(Distribution::new(geometry, counts));
                    }
                    _ => {}
                }
            }
            visitor(sample)
        })
    }
}

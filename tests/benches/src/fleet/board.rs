//! A typical board: 12 counters, 4 gauges, 3 timers at scale 2.

use tapes_core::metric::Layout;
use tapes_core::wire::{Encoder, Epoch, Identity, Origin, ZmtpPush};
use tapes_core::{Registry, layout};

/// From 1 µs to 60 s.
static TIMES: &Layout = layout!(unit = micros, max = 60 s, scale = 2);

pub(crate) const COUNTERS: u32 = 12;
pub(crate) const GAUGES: u32 = 4;
pub(crate) const TIMERS: u32 = 3;
/// Values that a timer records in a second.
pub(crate) const RECORDED: u32 = 20;
/// Metrics of a board, each a sample.
pub(crate) const SAMPLES: u32 = COUNTERS + GAUGES + TIMERS;

/// A board, with its reporter; as a 32-bit device counts.
pub(crate) struct Board {
    registry: Box<Registry<19, 512>>,
    encoder: Encoder<19, 512>,
    reports: u64,
}

impl Board {
    pub(crate) fn new(number: u32) -> Self {
        let origin = Origin::from_array(u64::from(number).to_be_bytes());
        let identity = Identity::new(origin, Epoch::new(0, number | 1), 1_000_000);
        let registry = Box::new(Registry::new());
        for i in 0..COUNTERS {
            let _ = registry.counter(format!("motor.axis{i}.steps").as_str()).expect("it fits");
        }
        for i in 0..GAUGES {
            let _ = registry.gauge::<f32>(format!("motor.sensor{i}").as_str()).expect("it fits");
        }
        for i in 0..TIMERS {
            let name = format!("motor.task{i}.time");
            let _ = registry.timer::<1_000_000>(name.as_str(), TIMES).expect("it fits");
        }
        let encoder = Encoder::new(identity, 1_500).with_full_address().with_wrapping_words();
        Self { registry, encoder, reports: 0 }
    }

    /// Counts for a second: in so many of the metrics.
    pub(crate) fn work(&mut self, changed: u32) {
        self.reports += 1;
        let turn = u32::try_from(self.reports % u64::from(SAMPLES)).expect("small");
        for i in (0..changed).map(|i| (turn + i * 7) % SAMPLES) {
            match i {
                0..COUNTERS => {
                    let name = format!("motor.axis{i}.steps");
                    self.registry.counter(name.as_str()).expect("it is there").add(1_000 + i);
                }
                _ if i < COUNTERS + GAUGES => {
                    let name = format!("motor.sensor{}", i - COUNTERS);
                    #[expect(clippy::cast_precision_loss, reason = "any number will do")]
                    let value = self.reports as f32 * 0.37 + i as f32;
                    self.registry.gauge::<f32>(name.as_str()).expect("it is there").set(value);
                }
                _ => {
                    let name = format!("motor.task{}.time", i - COUNTERS - GAUGES);
                    let timer = self.registry.timer::<1_000_000>(name.as_str(), TIMES);
                    let timer = timer.expect("it is there");
                    for n in 0..RECORDED {
                        timer.record(90 + n * n * 11 + turn);
                    }
                }
            }
        }
    }

    /// Makes the frames of a report, COBS-encoded.
    pub(crate) fn report(&mut self, out: &mut Vec<u8>) -> u64 {
        let mut buffer = [0; 1_600];
        let mut frames = 0;
        self.encoder.begin(self.reports * 1_000_000);
        while let Some(frame) = self.encoder.next_stream_frame(&*self.registry, &mut buffer) {
            out.extend(frame);
            self.encoder.sent();
            frames += 1;
        }
        frames
    }

    /// Makes the messages of a report, as a PUSH socket sends them.
    pub(crate) fn report_messages(&mut self, out: &mut Vec<u8>) {
        let mut buffer = [0; 1_600];
        self.encoder.begin(self.reports * 1_000_000);
        while let Some(frame) = self.encoder.next_frame(&*self.registry, &mut buffer) {
            let (header, len) = ZmtpPush::message_header(frame.len());
            out.extend(&header[..len]);
            out.extend(frame);
            self.encoder.sent();
        }
    }
}

//! A device: a real registry and a real encoder, over words of 32 bits.

use tapes_core::metric::Layout;
use tapes_core::wire::{Encoder, Epoch, Identity, Origin};
use tapes_core::{Registry, layout};
use tapes_tests::noise::Noise;

static LAYOUT: &Layout = layout!(unit = micros, max = 1 s, scale = 1);

const METRICS: usize = 3;
const WORDS: usize = 80;

/// Ticks of a device's clock in a second.
const HZ: u32 = 1_000;

/// Largest frame; the longest timer fits.
const FRAME_LEN: usize = 512;

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) loops: u64,
    /// Times that were recorded, and their sum in microseconds.
    pub(crate) times: u64,
    pub(crate) time_us: u64,
}

#[derive(Debug)]
pub(crate) struct Board {
    registry: Box<Registry<METRICS, WORDS>>,
    encoder: Encoder<METRICS, WORDS>,
    origin: Origin,
    noise: Noise,
    uptime: u64,
    /// In all lives.
    pub(crate) truth: Counts,
}

/// Returns the name by which the gateway knows a device.
pub(crate) fn uid(number: u32) -> String {
    format!("e6{number:08x}")
}

impl Board {
    pub(crate) fn new(number: u32) -> Self {
        let mut noise = Noise(u64::from(number));
        let mut bytes = [0xe6; 5];
        bytes[1..].copy_from_slice(&number.to_be_bytes());
        let origin = Origin::from_array(bytes);
        Self {
            registry: registry(),
            encoder: encoder(origin, &mut noise),
            origin,
            noise,
            uptime: 0,
            truth: Counts::default(),
        }
    }

    /// Power fails: all values are gone.
    pub(crate) fn reboot(&mut self) {
        self.registry = registry();
        self.encoder = encoder(self.origin, &mut self.noise);
        self.uptime = 0;
    }

    /// Counts for a while.
    pub(crate) fn work(&mut self) {
        let loops = self.noise.below(1_000);
        self.registry.counter("soak.loops").unwrap().add(u32::try_from(loops).unwrap());
        self.truth.loops += loops;
        let timer = self.registry.timer::<1_000_000>("soak.time", LAYOUT).unwrap();
        for _ in 0..self.noise.below(4) {
            let micros = self.noise.below(2_000_000);
            timer.record(u32::try_from(micros).unwrap());
            self.truth.times += 1;
            self.truth.time_us += micros;
        }
        let celsius = u32::try_from(self.noise.below(100)).unwrap();
        self.registry.gauge::<u32>("soak.temperature").unwrap().set(celsius);
    }

    /// Lets who has just begun to listen hear at once what everything means.
    pub(crate) fn introduce(&mut self) {
        self.encoder.force_dictionary();
    }

    /// Returns the bytes of a report, a second after the one before.
    pub(crate) fn report(&mut self) -> Vec<u8> {
        self.uptime += u64::from(HZ);
        let mut buffer = [0; 2 * FRAME_LEN];
        let mut bytes = Vec::new();
        self.encoder.begin(self.uptime);
        while let Some(frame) = self.encoder.next_stream_frame(&*self.registry, &mut buffer) {
            bytes.extend_from_slice(frame);
            self.encoder.sent();
        }
        bytes
    }
}

fn registry() -> Box<Registry<METRICS, WORDS>> {
    let registry = Box::new(Registry::new());
    let _ = registry.counter("soak.loops").unwrap();
    let _ = registry.timer::<1_000_000>("soak.time", LAYOUT).unwrap();
    let _ = registry.gauge::<u32>("soak.temperature").unwrap();
    registry
}

fn encoder(origin: Origin, noise: &mut Noise) -> Encoder<METRICS, WORDS> {
    let nonce = u32::try_from(noise.next() >> 32).unwrap() | 1;
    Encoder::new(Identity::new(origin, Epoch::new(0, nonce), HZ), FRAME_LEN).with_wrapping_words()
}

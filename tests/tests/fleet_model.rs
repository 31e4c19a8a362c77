//! The fleet against a model of devices and links: never above the truth, never backwards, exact at
//! the end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::collections::BTreeMap;
use std::time::Duration;

use gateway_support::Noise;
use tapes_core::metric::{Descriptor, Kind, Unit, Value};
use tapes_core::wire::{
    Address, DataWriter, DictWriter, Dictionary, DictionaryHash, Epoch, Flags, Header, Hello,
    Origin, ResetReason, hello_frame,
};
use tapes_std::fleet::{Fleet, Limits, LinkKind, NodeId};

const TRIALS: u64 = 300;
const REPORTS: u64 = 120;
const METRICS: u32 = 3;

/// A device that counts, reports what changed, and restarts.
struct Device {
    origin: Origin,
    epoch: Epoch,
    seq: u64,
    uptime: u64,
    /// What it counts now, and what it has counted since the world began.
    counts: [u64; METRICS as usize],
    truth: [u64; METRICS as usize],
    sent: [Option<u64>; METRICS as usize],
    reports: u64,
    /// Bits of its words.
    bits: u8,
}

const NAMES: [&str; METRICS as usize] = ["a", "b", "c"];

impl Device {
    fn new(id: u8, bits: u8, noise: &mut Noise) -> Self {
        // Boards count from anywhere: a narrow word is about to wrap.
        let start = if bits == 32 { u64::from(u32::MAX) - noise.below(2_000) } else { 0 };
        let mut device = Self {
            origin: Origin::from_array([id]),
            epoch: Epoch::default(),
            seq: 0,
            uptime: 0,
            counts: [0; METRICS as usize],
            truth: [start; METRICS as usize],
            sent: [None; METRICS as usize],
            reports: 0,
            bits,
        };
        device.reboot(noise);
        device.counts = [start; METRICS as usize];
        device
    }

    fn reboot(&mut self, noise: &mut Noise) {
        let nonce = u32::try_from(noise.next() >> 32).unwrap();
        self.epoch = Epoch::new(0, nonce);
        (self.seq, self.uptime, self.reports) = (0, 0, 0);
        (self.counts, self.sent) = Default::default();
    }

    fn work(&mut self, noise: &mut Noise) {
        for (count, truth) in self.counts.iter_mut().zip(&mut self.truth) {
            let n = noise.below(50);
            *count += n;
            *truth += n;
        }
    }

    fn header(&mut self, hash: Dictionary) -> (Origin, Header<'static>) {
        let seq = self.seq;
        self.seq += 1;
        let header = Header { dictionary: hash, seq, uptime: self.uptime, ..Header::short(0) };
        (self.origin, header)
    }

    /// Returns the frames of one report: some of the dictionary, then what changed, in two frames.
    fn report(&mut self) -> Vec<Vec<u8>> {
        self.uptime += 1_000;
        let descriptors = NAMES.map(|name| Descriptor {
            bits: self.bits,
            ..Descriptor::new(name, Kind::Counter, Unit::NONE)
        });
        let mut hash = DictionaryHash::new();
        descriptors.iter().for_each(|d| hash.push(&gateway_support::body_of(d)));
        let hash = Dictionary { len: hash.len(), hash: hash.value() };
        let mut frames = Vec::new();
        let epoch = self.epoch;
        let mut buffer = [0; 512];
        if self.reports.is_multiple_of(5) {
            let (origin, header) = self.header(hash);
            let address = Address::Full { origin: origin.as_bytes(), epoch };
            let hello = Hello {
                origin: origin.as_bytes(),
                epoch,
                build_id: 0,
                reset_reason: ResetReason::Unknown,
                boot_count: 0,
                tick_hz: 1_000,
                metrics: METRICS,
                max_frame: 512,
            };
            let header = Header { address, ..header };
            frames.push(hello_frame(&mut buffer, &header, &hello).unwrap().to_vec());
            let (_, header) = self.header(hash);
            let header = Header { address, ..header };
            let mut dict = DictWriter::new(&mut buffer, &header, 0);
            assert!(descriptors.iter().all(|descriptor| dict.push(descriptor)));
            frames.push(dict.finish().unwrap().to_vec());
        }
        let is_keyframe = self.reports.is_multiple_of(7);
        for ids in [0..1u32, 1..METRICS] {
            let is_last = ids.end == METRICS;
            let (origin, header) = self.header(hash);
            let address = Address::Full { origin: origin.as_bytes(), epoch };
            let mut flags = if is_keyframe { Flags::KEYFRAME } else { Flags::NONE };
            if is_last {
                flags = flags.with(Flags::LAST);
            }
            let header = Header { address, flags, ..header };
            let mut data = DataWriter::new(&mut buffer, &header);
            for id in ids {
                let i = id as usize;
                if is_keyframe || self.sent[i] != Some(self.counts[i]) {
                    let word =
                        if self.bits == 32 { self.counts[i] & 0xffff_ffff } else { self.counts[i] };
                    assert!(data.push(id, &Value::Unsigned(word)));
                    self.sent[i] = Some(self.counts[i]);
                }
            }
            frames.push(data.finish().unwrap().to_vec());
        }
        self.reports += 1;
        frames
    }
}

/// A link that loses, repeats and reorders.
struct Link {
    loss_percent: u64,
    waiting: Vec<Vec<u8>>,
}

impl Link {
    fn carry(&mut self, frames: Vec<Vec<u8>>, noise: &mut Noise) -> Vec<Vec<u8>> {
        for frame in frames {
            if noise.below(100) < self.loss_percent {
                continue;
            }
            if noise.below(20) == 0 {
                self.waiting.push(frame.clone());
            }
            self.waiting.push(frame);
        }
        if self.waiting.len() > 1 && noise.below(4) == 0 {
            let at = usize::try_from(noise.below(self.waiting.len() as u64 - 1)).unwrap();
            self.waiting.swap(at, at + 1);
        }
        let kept = usize::try_from(noise.below(3)).unwrap().min(self.waiting.len());
        let rest = self.waiting.split_off(self.waiting.len() - kept);
        std::mem::replace(&mut self.waiting, rest)
    }
}

fn totals(fleet: &Fleet, now: Duration) -> BTreeMap<(String, String), u64> {
    let snapshot = fleet.snapshot(now);
    let mut totals = BTreeMap::new();
    for device in &snapshot.devices {
        for series in &device.series {
            let count = series.total.value().count().unwrap();
            totals.insert((device.name.clone(), series.key.name.to_string()), count);
        }
    }
    totals
}

fn trial(seed: u64) {
    let mut noise = Noise(seed);
    let loss_percent = [0, 30, 90][usize::try_from(seed % 3).unwrap()];
    let bits = if seed.is_multiple_of(2) { 64 } else { 32 };
    let mut fleet = Fleet::new(NodeId([1; 16]), Limits::default());
    let link = fleet.open_link("radio", LinkKind::Socket).unwrap();
    let mut devices: Vec<_> = (1..=2).map(|id| Device::new(id, bits, &mut noise)).collect();
    let mut lines: Vec<_> = (1..=2).map(|_| Link { loss_percent, waiting: Vec::new() }).collect();
    let mut now = Duration::from_secs(10);
    // First contact comes before the wrap of narrow words: what was before is lost for ever.
    for frame in devices.iter_mut().flat_map(Device::report) {
        assert_eq!(fleet.ingest(link, &frame, now), Ok(()));
    }
    let mut before = BTreeMap::new();
    for report in 0..REPORTS {
        now += Duration::from_secs(1);
        let is_end = report + 10 >= REPORTS;
        for (device, line) in devices.iter_mut().zip(&mut lines) {
            if !is_end && noise.below(40) == 0 {
                // A device that restarts says its last words first, or they are lost.
                let last_words = device.report();
                for frame in &last_words {
                    let _ = fleet.ingest(link, frame, now);
                }
                device.reports = 0;
                let keyframe = device.report();
                for frame in &keyframe {
                    let _ = fleet.ingest(link, frame, now);
                }
                device.reboot(&mut noise);
            }
            if !is_end {
                device.work(&mut noise);
            }
            line.loss_percent = if is_end { 0 } else { loss_percent };
            for frame in line.carry(device.report(), &mut noise) {
                let _ = fleet.ingest(link, &frame, now);
            }
        }
        let after = totals(&fleet, now);
        for ((device, name), count) in &after {
            let i = usize::from(device.as_str() == "02");
            let metric = NAMES.iter().position(|known| known == name).unwrap();
            let truth = devices[i].truth[metric];
            assert!(
                *count <= truth,
                "seed {seed}, report {report}: {device} {name} {count} > {truth}"
            );
            let earlier: Option<&u64> = before.get(&(device.clone(), name.clone()));
            assert!(
                earlier.is_none_or(|earlier| earlier <= count),
                "seed {seed}, report {report}: backwards"
            );
        }
        before = after;
    }
    for (device, id) in devices.iter().zip(["01", "02"]) {
        for (name, truth) in NAMES.iter().zip(&device.truth) {
            let count = before.get(&(id.to_owned(), (*name).to_owned()));
            assert_eq!(count, Some(truth), "seed {seed}: {id} {name} at the end");
        }
        let counts = fleet.device_counts(device.origin);
        assert_eq!((counts.epoch_collisions, counts.misfits), (0, 0), "seed {seed}");
    }
}

/// A rule that gives a wrong total under any mixture of loss, repeats, reordering and restarts.
#[test]
fn totals_are_never_above_the_truth_never_go_back_and_are_exact_at_the_end() {
    (0..TRIALS).for_each(trial);
}

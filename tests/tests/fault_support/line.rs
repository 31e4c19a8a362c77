//! A line between a device and a gateway, and what happens to bytes on it.

use std::collections::VecDeque;

use tapes_tests::noise::Noise;

use super::board::Sent;

/// How often what happens to a frame, in percent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) dropped: u64,
    pub(crate) flipped: u64,
    pub(crate) truncated: u64,
    /// The delimiter is lost.
    pub(crate) merged: u64,
    pub(crate) repeated: u64,
    pub(crate) swapped: u64,
    pub(crate) garbage: u64,
    /// Frames that stay on the line until later ones come.
    pub(crate) delayed: u64,
}

impl Faults {
    /// Faults of every kind, often or seldom.
    pub(crate) fn some(noise: &mut Noise) -> Self {
        let dropped = [0, 0, 10, 30, 60, 90][noise.index(6)];
        let mut some = |max| if noise.percent(50) { noise.below(max) } else { 0 };
        Self {
            dropped,
            flipped: some(15),
            truncated: some(10),
            merged: some(10),
            repeated: some(20),
            swapped: some(30),
            garbage: some(10),
            delayed: some(30),
        }
    }
}

/// Frames on their way, as bytes.
#[derive(Debug, Default)]
pub(crate) struct Line {
    waiting: VecDeque<Vec<u8>>,
}

impl Line {
    /// Puts frames on the line and returns what comes out at its end.
    pub(crate) fn carry(&mut self, frames: &[Sent], faults: &Faults, noise: &mut Noise) -> Vec<u8> {
        for frame in frames.iter().map(|sent| &sent.stream) {
            if noise.percent(faults.dropped) {
                continue;
            }
            let bytes = damaged(frame, faults, noise);
            if noise.percent(faults.repeated) {
                self.waiting.push_back(bytes.clone());
            }
            self.waiting.push_back(bytes);
            if self.waiting.len() > 1 && noise.percent(faults.swapped) {
                let (a, b) = (noise.index(self.waiting.len()), noise.index(self.waiting.len()));
                self.waiting.swap(a, b);
            }
        }
        let stays = if noise.percent(faults.delayed) { noise.index(4) } else { 0 };
        let comes = self.waiting.len().saturating_sub(stays);
        self.waiting.drain(..comes).flatten().collect()
    }

    /// The device stops in the middle of a frame: what was still to come is lost.
    pub(crate) fn cut(&mut self, frame: &[u8], noise: &mut Noise) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.waiting.drain(..).flatten().collect();
        bytes.extend(&frame[..noise.index(frame.len())]);
        bytes
    }
}

/// Returns what becomes of the bytes of a frame.
fn damaged(frame: &[u8], faults: &Faults, noise: &mut Noise) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    if noise.percent(faults.flipped) {
        for _ in 0..=noise.below(4) {
            let at = noise.index(bytes.len());
            bytes[at] ^= 1 << noise.below(8);
        }
    }
    if noise.percent(faults.truncated) {
        bytes.truncate(noise.index(bytes.len()));
    }
    if noise.percent(faults.merged) {
        bytes.pop();
    }
    if noise.percent(faults.garbage) {
        let len = noise.index(40);
        bytes.extend(noise.bytes(len));
    }
    bytes
}

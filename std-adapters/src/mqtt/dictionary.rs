//! The dictionary of a device, gathered from its frames: what a late subscriber begins with.

use std::collections::BTreeSet;

use tapes_core::wire::{Address, Body, Frame, stream_frame, stream_len};

/// Longest dictionary that is retained; entries beyond come round with the frames.
const LEN_MAX: usize = 64 << 10;

/// HELLO and DICT frames of a device's present epoch.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    epoch: u64,
    hello: Option<(Vec<u8>, Vec<u8>)>,
    entries: BTreeSet<u32>,
    /// Frames with entries, each with one at least that is in none before it.
    dicts: Vec<u8>,
    has_news: bool,
}

impl Gathered {
    /// Takes in a whole frame with a full address, and returns whether this is the time to publish
    /// what was gathered: there are news, and values come, which are sent after the entries.
    pub(super) fn take_in(&mut self, bytes: &[u8]) -> bool {
        let Ok(frame) = Frame::parse(bytes) else { return false };
        let (Address::Full { epoch, .. }, Ok(body)) = (frame.header.address, frame.body()) else {
            return false;
        };
        if epoch.to_u64() != self.epoch {
            *self = Self { epoch: epoch.to_u64(), ..Self::default() };
        }
        match body {
            Body::Hello(_) => {
                let body = frame.body_bytes();
                if self.hello.as_ref().is_none_or(|(known, _)| known != body) {
                    self.hello = Some((body.to_vec(), streamed(bytes)));
                    self.has_news = true;
                }
                false
            }
            Body::Dict(entries) => {
                let ids: Vec<u32> = entries.map(|(id, ..)| id).collect();
                let is_new = ids.iter().any(|id| !self.entries.contains(id));
                let streamed = streamed(bytes);
                if is_new && self.dicts.len() + streamed.len() <= LEN_MAX {
                    self.entries.extend(ids);
                    self.dicts.extend(streamed);
                    self.has_news = true;
                }
                false
            }
            Body::Data(_) => {
                let is_time = self.has_news && self.hello.is_some();
                self.has_news &= !is_time;
                is_time
            }
            _ => false,
        }
    }

    /// Asks for everything to be published once more.
    pub(super) const fn renew(&mut self) {
        self.has_news = true;
    }

    /// Returns what was gathered, as a byte stream.
    pub(super) fn stream(&self) -> Vec<u8> {
        let hello = self.hello.as_ref().map_or(&[][..], |(_, streamed)| streamed);
        [hello, &self.dicts].concat()
    }
}

/// Encodes a frame for a byte stream.
fn streamed(frame: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0; stream_len(frame.len())];
    stream_frame(frame, &mut buffer).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use tapes_core::Registry;
    use tapes_core::wire::{Body, Deframer, Encoder, Epoch, Feed, Frame, Identity, Origin};

    use super::Gathered;

    fn kinds(mut stream: &[u8]) -> String {
        let (mut deframer, mut kinds) = (Deframer::<1_024>::new(), String::new());
        while let Feed::Frame { frame, rest } = deframer.feed(stream) {
            kinds.push(match Frame::parse(frame).unwrap().body().unwrap() {
                Body::Hello(_) => 'h',
                Body::Dict(_) => 'd',
                _ => '?',
            });
            stream = rest;
        }
        kinds
    }

    /// A dictionary that is published with each report is most of the traffic; one that misses an
    /// entry leaves a metric without a name.
    #[test]
    fn it_is_published_when_it_has_changed() {
        let registry: Registry<4, 64> = Registry::new();
        let loops = registry.counter("motor.loops").unwrap();
        let origin = Origin::from_array([1]);
        let mut gathered = Gathered::default();
        let mut report = |nonce: u32, registry: &Registry<4, 64>| {
            let identity = Identity::new(origin, Epoch::new(0, nonce), 1_000);
            let mut encoder = Encoder::<4, 0>::new(identity, 512).with_full_address();
            let (mut buffer, mut published) = ([0; 512], Vec::new());
            for at in 0..40 {
                loops.increment();
                encoder.begin(at * 1_000);
                while let Some(frame) = encoder.next_frame(registry, &mut buffer) {
                    if gathered.take_in(frame) {
                        published.push(kinds(&gathered.stream()));
                    }
                    encoder.sent();
                }
                if at == 20 {
                    let _ = registry.counter("motor.faults").unwrap();
                }
            }
            published
        };
        // A metric came later, and then HELLO, which counts them.
        assert_eq!(report(1, &registry), ["hd", "hdd", "hdd"]);
        assert_eq!(report(2, &registry), ["hd"], "another life");
    }
}

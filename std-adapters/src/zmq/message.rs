//! Messages that are no frames: acknowledgements, and records of other receivers.
//!
//! ```text
//! message = f0 ‖ content ‖ crc       crc: CRC-32C of what is before it, little-endian
//! ```
//!
//! The content is postcard's encoding of [`Message`]. No frame begins with f0, which would be one
//! of version 15.

use crc::{CRC_32_ISCSI, Crc, Table};
use serde::{Deserialize, Serialize};

/// First byte of every message that is no frame.
pub(super) const MARK: u8 = 0xf0;

const CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// What a message says. The order of the variants is that of the bytes: new ones come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Message<'m> {
    /// Up: records that a receiver has; `number` counts those of a session from 0.
    Records { node: [u8; 16], session: u64, number: u64, content: &'m [u8] },
    /// Down: the records of a session below `number` are kept.
    RecordsKept { node: [u8; 16], session: u64, number: u64 },
    /// Down: records of this session are missing; begin another one with everything.
    Again { session: u64 },
    /// Down: of these, all frames from `first` to `last` are kept.
    FramesKept { node: [u8; 16], origin: &'m [u8], epoch: u64, first: u64, last: u64 },
}

impl<'m> Message<'m> {
    /// Returns the bytes.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        // Nothing in it can fail to be written to a vector.
        let mut bytes = postcard::to_extend(&self, Tail(vec![MARK])).map_or(vec![MARK], |t| t.0);
        bytes.extend(CRC.checksum(&bytes).to_le_bytes());
        bytes
    }

    /// Reads the bytes of a message; `None` if they are none.
    pub(super) fn parse(bytes: &'m [u8]) -> Option<Self> {
        let (content, crc) = bytes.split_last_chunk()?;
        let (mark, body) = content.split_first()?;
        if *mark != MARK || CRC.checksum(content) != u32::from_le_bytes(*crc) {
            return None;
        }
        postcard::from_bytes(body).ok()
    }
}

struct Tail(Vec<u8>);

impl Extend<u8> for Tail {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, bytes: I) {
        self.0.extend(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::Message;

    /// If this fails, damage is taken for an acknowledgement.
    #[test]
    fn messages_come_back_and_damaged_ones_do_not() {
        let node = [7; 16];
        for message in [
            Message::Records { node, session: u64::MAX, number: 0, content: b"lines" },
            Message::RecordsKept { node, session: 1, number: 300 },
            Message::Again { session: 2 },
            Message::FramesKept { node, origin: b"o", epoch: 5, first: 0, last: 9 },
        ] {
            let bytes = message.to_bytes();
            assert_eq!(Message::parse(&bytes), Some(message));
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1;
                assert_eq!(Message::parse(&damaged), None, "byte {at}");
                assert_eq!(Message::parse(&bytes[..at]), None, "cut at {at}");
            }
        }
    }

    /// If this fails, `docs/zeromq.md` describes other bytes than are sent.
    #[test]
    fn bytes_are_those_of_the_document() {
        let message = Message::FramesKept {
            node: [0x11; 16],
            origin: &[0xaa, 0xbb],
            epoch: (7 << 32) | 0x1234_5678,
            first: 3,
            last: 300,
        };
        let text: Vec<String> =
            message.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let document = include_str!("../../docs/zeromq.md");
        let dump = document.split("<!-- golden: kept -->").nth(1).expect("the dump is there");
        let dump = dump.split("```").nth(1).expect("in a block");
        let lines = dump.lines().skip(1);
        let bytes = lines.flat_map(|line| {
            line.split("  ").next().unwrap_or("").split_whitespace().map(str::to_owned)
        });
        assert_eq!(bytes.collect::<Vec<_>>(), text);
    }
}

//! The bytes of the state file: a header, the whole state as the first batch, changes after it.

use crc::{CRC_32_ISCSI, Crc, Table};

use crate::fleet::identity::NodeId;

/// First bytes of every state file.
const MAGIC: [u8; 8] = *b"tapes\0st";

/// Version of the format.
pub(super) const VERSION: u32 = 1;

/// Bytes of the header.
pub(super) const HEADER_LEN: usize = 48;

/// Bytes of a batch before its content.
pub(super) const BATCH_HEAD_LEN: usize = 20;

static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The receiver whose state it is.
    pub(super) node: NodeId,
    /// The machine on which it was written; 0 if that has no identity.
    pub(super) machine: u64,
    /// Random bits of this file, which its batches carry: those of an older file do not pass.
    pub(super) nonce: u64,
}

/// Why a file has no usable header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadHeader {
    Damaged,
    Newer(u32),
}

impl Header {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LEN);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(self.node.0);
        bytes.extend(self.machine.to_le_bytes());
        bytes.extend(self.nonce.to_le_bytes());
        bytes.extend(CRC.checksum(&bytes).to_le_bytes());
        bytes
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, BadHeader> {
        let (magic, rest) = take::<8>(bytes).ok_or(BadHeader::Damaged)?;
        let (version, rest) = take(rest).ok_or(BadHeader::Damaged)?;
        let version = u32::from_le_bytes(version);
        if magic != MAGIC {
            return Err(BadHeader::Damaged);
        }
        if version > VERSION {
            return Err(BadHeader::Newer(version));
        }
        let (node, rest) = take(rest).ok_or(BadHeader::Damaged)?;
        let (machine, rest) = take(rest).ok_or(BadHeader::Damaged)?;
        let (nonce, rest) = take(rest).ok_or(BadHeader::Damaged)?;
        let (crc, rest) = take(rest).ok_or(BadHeader::Damaged)?;
        let covered = bytes.len() - rest.len() - size_of::<u32>();
        let checksum = bytes.get(..covered).map(|covered| CRC.checksum(covered));
        if checksum != Some(u32::from_le_bytes(crc)) {
            return Err(BadHeader::Damaged);
        }
        let (machine, nonce) = (u64::from_le_bytes(machine), u64::from_le_bytes(nonce));
        Ok(Self { node: NodeId(node), machine, nonce })
    }

    /// Returns the first bytes of each batch.
    fn mark(self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.nonce.to_le_bytes();
        [a, b, c, d]
    }

    fn checksum(self, number: u64, len: u32, content: &[u8]) -> u32 {
        let mut digest = CRC.digest();
        digest.update(&self.nonce.to_le_bytes());
        digest.update(&number.to_le_bytes());
        digest.update(&len.to_le_bytes());
        digest.update(content);
        digest.finalize()
    }

    /// Appends a batch, `None` if its content is longer than any may be.
    pub(super) fn put_batch(self, out: &mut Vec<u8>, number: u64, content: &[u8]) -> Option<()> {
        let len = u32::try_from(content.len()).ok()?;
        out.reserve(BATCH_HEAD_LEN + content.len());
        out.extend(self.mark());
        out.extend(number.to_le_bytes());
        out.extend(len.to_le_bytes());
        out.extend(self.checksum(number, len, content).to_le_bytes());
        out.extend(content);
        Some(())
    }

    /// Returns number and content of the batch at the front, and what is behind it.
    fn take_batch(self, bytes: &[u8]) -> Option<(u64, &[u8], &[u8])> {
        let (mark, rest) = take::<4>(bytes)?;
        let (number, rest) = take(rest)?;
        let (len, rest) = take(rest)?;
        let (crc, rest) = take(rest)?;
        let (number, len) = (u64::from_le_bytes(number), u32::from_le_bytes(len));
        let (content, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
        let is_whole =
            mark == self.mark() && self.checksum(number, len, content) == u32::from_le_bytes(crc);
        is_whole.then_some((number, content, rest))
    }
}

fn take<const N: usize>(bytes: &[u8]) -> Option<([u8; N], &[u8])> {
    bytes.split_first_chunk::<N>().map(|(first, rest)| (*first, rest))
}

/// What ends the batches of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing is behind the last one, or what was under way when writing stopped.
    Torn,
    /// A whole batch of the same file is behind the damage.
    Damaged,
}

/// The batches of a file, up to the first damage.
#[derive(Debug)]
pub(super) struct Batches<'f> {
    header: Header,
    rest: &'f [u8],
    /// Number of the next batch.
    next: u64,
}

impl<'f> Batches<'f> {
    /// Returns the batches of a file behind its header.
    pub(super) fn new(header: Header, file: &'f [u8]) -> Self {
        Self { header, rest: file.get(HEADER_LEN..).unwrap_or_default(), next: 0 }
    }

    /// Returns the number of the next batch.
    pub(super) const fn next_number(&self) -> u64 {
        self.next
    }

    /// Returns the number of bytes behind the batches so far.
    pub(super) const fn left(&self) -> usize {
        self.rest.len()
    }

    /// Returns what it means that no batch came any more: looks for a whole one behind.
    pub(super) fn end(&self) -> End {
        let mark = self.header.mark();
        let mut rest = self.rest;
        while let Some((_, tail)) = rest.split_first() {
            let at = tail.windows(mark.len()).position(|window| window == mark);
            let Some(behind) = at.and_then(|at| tail.get(at..)) else { break };
            if self.header.take_batch(behind).is_some_and(|(number, ..)| number >= self.next) {
                return End::Damaged;
            }
            rest = behind;
        }
        End::Torn
    }
}

impl<'f> Iterator for Batches<'f> {
    type Item = &'f [u8];

    fn next(&mut self) -> Option<&'f [u8]> {
        let (number, content, rest) = self.header.take_batch(self.rest)?;
        if number != self.next {
            return None;
        }
        self.rest = rest;
        self.next += 1;
        Some(content)
    }
}

#[cfg(test)]
mod tests {
    use super::{BadHeader, Batches, End, HEADER_LEN, Header, NodeId};

    const HEADER: Header = Header { node: NodeId([3; 16]), machine: 5, nonce: 0x1122_3344_5566 };

    fn file(contents: &[&[u8]]) -> Vec<u8> {
        let mut file = HEADER.to_bytes();
        for (number, content) in (0..).zip(contents) {
            HEADER.put_batch(&mut file, number, content).unwrap();
        }
        file
    }

    fn read(file: &[u8]) -> (Vec<&[u8]>, End) {
        let mut batches = Batches::new(HEADER, file);
        let read = batches.by_ref().collect();
        (read, batches.end())
    }

    /// A kill can stop a write at any byte; what was written before it must be there.
    #[test]
    fn a_file_cut_at_any_byte_keeps_its_whole_batches() {
        let contents: [&[u8]; 4] = [b"whole state", b"", b"one", b"two and more"];
        let whole = file(&contents);
        assert_eq!(read(&whole), (contents.to_vec(), End::Torn));
        let mut ends: Vec<_> = (0..=4).map(|n| file(&contents[..n]).len()).collect();
        ends.reverse();
        for cut in HEADER_LEN..whole.len() {
            let expected = 4 - ends.iter().position(|end| *end <= cut).unwrap();
            let (read, end) = read(&whole[..cut]);
            assert_eq!((read.len(), end), (expected, End::Torn), "cut at {cut}");
        }
    }

    /// Damage in the middle means that later batches are lost, which only a person can accept.
    #[test]
    fn damage_is_told_from_a_torn_tail() {
        let whole = file(&[b"whole state", b"one", b"two"]);
        let last = file(&[b"whole state", b"one"]).len();
        for at in HEADER_LEN..whole.len() {
            for bit in 0..8 {
                let mut bad = whole.clone();
                bad[at] ^= 1 << bit;
                let expected = if at < last { End::Damaged } else { End::Torn };
                assert_eq!(read(&bad).1, expected, "byte {at}, bit {bit}");
            }
        }
        let mut zeros = whole.clone();
        zeros.extend([0; 4_096]);
        assert_eq!(read(&zeros), (read(&whole).0, End::Torn));
    }

    /// Blocks of a file that was replaced may turn up behind this one after a power cut.
    #[test]
    fn batches_of_another_file_do_not_pass() {
        let other = Header { nonce: HEADER.nonce ^ (1 << 40), ..HEADER };
        let mut mixed = file(&[b"whole state"]);
        other.put_batch(&mut mixed, 1, b"old").unwrap();
        assert_eq!(read(&mixed), (vec![&b"whole state"[..]], End::Torn));
    }

    /// A header that is believed although it is damaged names another node.
    #[test]
    fn every_bit_of_the_header_counts() {
        let bytes = HEADER.to_bytes();
        assert_eq!(bytes.len(), HEADER_LEN);
        assert_eq!(Header::read(&bytes), Ok(HEADER));
        for at in 0..HEADER_LEN {
            assert_eq!(Header::read(&bytes[..at]), Err(BadHeader::Damaged), "{at} bytes");
            for bit in 0..8 {
                let mut bad = bytes.clone();
                bad[at] ^= 1 << bit;
                assert!(Header::read(&bad).is_err(), "byte {at}, bit {bit}");
            }
        }
        let mut newer = bytes;
        newer[8] = 2;
        assert_eq!(Header::read(&newer), Err(BadHeader::Newer(2)));
    }
}

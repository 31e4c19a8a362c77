//! Primitives of the state file: postcard's encoding, and the rows that are too many for its enums.

use serde::{Deserialize, Serialize};
use tapes_core::metric::BUCKETS_MAX;

use super::error::Malformed;
use crate::fleet::identity::{Ingest, MetricKey, NodeId};
use crate::fleet::record::Record;
use crate::fleet::value::{Histogram, OPAQUE_LEN_MAX, OpaqueBytes, Stored};

/// A place to append bytes to.
struct Tail<'v>(&'v mut Vec<u8>);

impl Extend<u8> for Tail<'_> {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, bytes: I) {
        self.0.extend(bytes);
    }
}

/// Appends a value as postcard encodes it.
pub(super) fn put(out: &mut Vec<u8>, value: &impl Serialize) {
    // Of what is written here nothing is of unknown length, and a vector takes everything.
    let _ = postcard::to_extend(value, Tail(out));
}

/// Takes a value off the front.
pub(super) fn take<'d, T: Deserialize<'d>>(input: &mut &'d [u8]) -> Result<T, Malformed> {
    let (value, rest) = postcard::take_from_bytes(input).map_err(|_| Malformed)?;
    *input = rest;
    Ok(value)
}

const UNSIGNED: u8 = 0;
const SIGNED: u8 = 1;
const F32: u8 = 2;
const F64: u8 = 3;
const NULL: u8 = 4;
const HISTOGRAM: u8 = 5;
const OPAQUE: u8 = 6;
/// The value that the key has already.
const AGAIN: u8 = 7;

/// Bits of a row's head that hold the shape.
const SHAPE_BITS: u32 = 3;
/// Bit of a row's head: cell and ingest follow.
const KEYED: u64 = 1 << SHAPE_BITS;
/// Bits of a row's head below the id.
const ID_SHIFT: u32 = SHAPE_BITS + 1;

fn shape(value: &Stored) -> u8 {
    match value {
        Stored::Unsigned(_) => UNSIGNED,
        Stored::Signed(_) => SIGNED,
        Stored::F32(_) => F32,
        Stored::F64(_) => F64,
        Stored::Null => NULL,
        Stored::Histogram(_) => HISTOGRAM,
        Stored::Opaque(_) => OPAQUE,
    }
}

fn put_value(out: &mut Vec<u8>, value: &Stored) {
    match value {
        Stored::Unsigned(value) => put(out, value),
        Stored::Signed(value) => put(out, value),
        Stored::F32(bits) => out.extend(bits.to_le_bytes()),
        Stored::F64(bits) => out.extend(bits.to_le_bytes()),
        Stored::Null => {}
        Stored::Histogram(h) => {
            put(out, &(h.sum, h.zero, h.overflow, h.min, h.max));
            put(out, &spans(&h.buckets));
        }
        Stored::Opaque(bytes) => put(out, &bytes.0),
    }
}

fn take_value(input: &mut &[u8], shape: u8) -> Result<Stored, Malformed> {
    Ok(match shape {
        UNSIGNED => Stored::Unsigned(take(input)?),
        SIGNED => Stored::Signed(take(input)?),
        F32 => Stored::F32(u32::from_le_bytes(take(input)?)),
        F64 => Stored::F64(u64::from_le_bytes(take(input)?)),
        NULL => Stored::Null,
        HISTOGRAM => {
            let (sum, zero, overflow, min, max) = take(input)?;
            let buckets = buckets(&take::<Vec<u64>>(input)?)?;
            Stored::Histogram(Box::new(Histogram { sum, zero, overflow, buckets, min, max }))
        }
        OPAQUE => {
            let bytes: &[u8] = take(input)?;
            if bytes.len() > OPAQUE_LEN_MAX {
                return Err(Malformed);
            }
            Stored::Opaque(Box::new(OpaqueBytes(bytes.into())))
        }
        _ => return Err(Malformed),
    })
}

/// Returns buckets as `(empty, full, count…)…, empty?`: the last number is that of empty buckets
/// at the end.
fn spans(buckets: &[u64]) -> Vec<u64> {
    let mut spans = Vec::new();
    let mut rest = buckets;
    while !rest.is_empty() {
        let empty = rest.iter().take_while(|count| **count == 0).count();
        let (_, tail) = rest.split_at(empty);
        spans.push(empty as u64);
        let full = tail.iter().take_while(|count| **count != 0).count();
        let (counts, tail) = tail.split_at(full);
        if full > 0 {
            spans.push(full as u64);
            spans.extend(counts);
        }
        rest = tail;
    }
    spans
}

/// Undoes [`spans`].
fn buckets(spans: &[u64]) -> Result<Vec<u64>, Malformed> {
    let mut buckets = Vec::new();
    let mut rest = spans.iter();
    let len = |n: u64| usize::try_from(n).ok().filter(|n| *n <= BUCKETS_MAX as usize);
    while let Some(empty) = rest.next() {
        let empty = len(*empty).ok_or(Malformed)?;
        buckets.resize(buckets.len() + empty, 0);
        if let Some(full) = rest.next() {
            let full = len(*full).ok_or(Malformed)?;
            let before = rest.len();
            buckets.extend(rest.by_ref().take(full));
            if before < full {
                return Err(Malformed);
            }
        }
        if buckets.len() > BUCKETS_MAX as usize {
            return Err(Malformed);
        }
    }
    Ok(buckets)
}

/// One value with its key, as rows hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) key: MetricKey,
    pub(super) ingest: Ingest,
    pub(super) seq: u64,
    /// `None` for the value that the key has already.
    pub(super) value: Option<Stored>,
}

/// Rows under way: each is stored as its difference from the one before.
#[derive(Debug)]
pub(super) struct RowWriter {
    bytes: Vec<u8>,
    node: NodeId,
    last: (MetricKey, Ingest, u64),
}

/// Before the first row.
const START: (MetricKey, Ingest, u64) = (MetricKey::new(0), Ingest::Absolute, 0);

impl RowWriter {
    pub(super) const fn new(node: NodeId) -> Self {
        Self { bytes: Vec::new(), node, last: START }
    }

    /// Appends a row.
    pub(super) fn push(&mut self, key: MetricKey, ingest: Ingest, record: &Record) {
        self.push_row(key, ingest, record.seq, Some(&record.value));
    }

    /// Appends a row of a value that the key has already.
    pub(super) fn push_again(&mut self, key: MetricKey, ingest: Ingest, seq: u64) {
        self.push_row(key, ingest, seq, None);
    }

    fn push_row(&mut self, key: MetricKey, ingest: Ingest, seq: u64, value: Option<&Stored>) {
        let (last_key, last_ingest, last_seq) = self.last;
        let gap = key.id.wrapping_sub(last_key.id);
        let keyed = key.cell != 0 || ingest != last_ingest;
        let head = (u64::from(gap) << ID_SHIFT)
            | if keyed { KEYED } else { 0 }
            | u64::from(value.map_or(AGAIN, shape));
        put(&mut self.bytes, &head);
        if keyed {
            let (code, other) = match ingest {
                Ingest::Absolute => (0u8, None),
                Ingest::Widened(node) if node == self.node => (1, None),
                Ingest::Widened(node) => (2, Some(node.0)),
            };
            put(&mut self.bytes, &(key.cell, code));
            self.bytes.extend(other.into_iter().flatten());
        }
        put(&mut self.bytes, &seq.wrapping_sub(last_seq).cast_signed());
        if let Some(value) = value {
            put_value(&mut self.bytes, value);
        }
        self.last = (key, ingest, seq);
    }

    /// Returns the bytes so far and begins anew.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        self.last = START;
        std::mem::take(&mut self.bytes)
    }
}

/// Reads rows.
#[derive(Debug)]
pub(super) struct RowReader<'d> {
    rest: &'d [u8],
    node: NodeId,
    last: (MetricKey, Ingest, u64),
}

impl<'d> RowReader<'d> {
    pub(super) const fn new(bytes: &'d [u8], node: NodeId) -> Self {
        Self { rest: bytes, node, last: START }
    }

    fn row(&mut self) -> Result<Row, Malformed> {
        let head: u64 = take(&mut self.rest)?;
        let (last_key, mut ingest, last_seq) = self.last;
        let gap = u32::try_from(head >> ID_SHIFT).map_err(|_| Malformed)?;
        let mut key = MetricKey::new(last_key.id.wrapping_add(gap));
        if head & KEYED != 0 {
            let code: u8;
            (key.cell, code) = take(&mut self.rest)?;
            ingest = match code {
                0 => Ingest::Absolute,
                1 => Ingest::Widened(self.node),
                2 => Ingest::Widened(NodeId(take(&mut self.rest)?)),
                _ => return Err(Malformed),
            };
        }
        let seq = last_seq.wrapping_add_signed(take(&mut self.rest)?);
        let [shape, ..] = (head & (KEYED - 1)).to_le_bytes();
        let value = match shape {
            AGAIN => None,
            _ => Some(take_value(&mut self.rest, shape)?),
        };
        self.last = (key, ingest, seq);
        Ok(Row { key, ingest, seq, value })
    }
}

impl Iterator for RowReader<'_> {
    type Item = Result<Row, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let row = self.row();
        if row.is_err() {
            self.rest = &[];
        }
        Some(row)
    }
}

/// Returns a value alone, with its shape before it.
pub(super) fn alone(value: &Stored) -> Vec<u8> {
    let mut out = vec![shape(value)];
    put_value(&mut out, value);
    out
}

/// Undoes [`alone`].
pub(super) fn take_alone(bytes: &[u8]) -> Result<Stored, Malformed> {
    let (shape, mut rest) = bytes.split_first().ok_or(Malformed)?;
    let value = take_value(&mut rest, *shape)?;
    if rest.is_empty() { Ok(value) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use super::{
        Histogram, Ingest, MetricKey, NodeId, OpaqueBytes, Record, Row, RowReader, RowWriter,
        Stored, buckets, spans,
    };

    fn rows() -> Vec<Row> {
        let (own, other) = (Ingest::Widened(NodeId([7; 16])), Ingest::Widened(NodeId([8; 16])));
        let histogram = Histogram {
            sum: u64::MAX,
            zero: 1,
            overflow: 2,
            buckets: vec![0, 0, 3, 4, 0, 5, 0, 0],
            min: Some(0),
            max: None,
        };
        let at = |id, cell| MetricKey { id, cell };
        [
            (at(0, 0), Ingest::Absolute, 9, Stored::Unsigned(u64::MAX)),
            (at(5, 0), own, 8, Stored::Unsigned(0)),
            (at(5, 0), other, u64::MAX, Stored::Signed(i64::MIN)),
            (at(5, 3), other, 0, Stored::F32(0x7fc0_0000)),
            (at(5, 4), other, 0, Stored::F64(u64::MAX)),
            (at(2, 0), own, 1, Stored::Null),
            (at(u32::MAX, u32::MAX), own, 1, Stored::Histogram(Box::new(histogram))),
            (
                at(1, 0),
                Ingest::Absolute,
                1,
                Stored::Opaque(Box::new(OpaqueBytes([1, 2, 3].into()))),
            ),
        ]
        .map(|(key, ingest, seq, value)| Row { key, ingest, seq, value: Some(value) })
        .into_iter()
        .chain([Row { key: at(1, 1), ingest: own, seq: 77, value: None }])
        .collect()
    }

    fn written(node: NodeId) -> Vec<u8> {
        let mut writer = RowWriter::new(node);
        for Row { key, ingest, seq, value } in rows() {
            match value {
                Some(value) => writer.push(key, ingest, &Record { seq, value }),
                None => writer.push_again(key, ingest, seq),
            }
        }
        writer.finish()
    }

    /// A value that comes back changed is a wrong total for ever.
    #[test]
    fn rows_come_back_as_they_were() {
        let node = NodeId([7; 16]);
        let bytes = written(node);
        let read: Result<Vec<_>, _> = RowReader::new(&bytes, node).collect();
        assert_eq!(read.unwrap(), rows());
    }

    /// A file that is read with damage must not be read as something else, or end the program.
    #[test]
    fn rows_cut_anywhere_are_malformed_or_fewer() {
        let node = NodeId([7; 16]);
        let bytes = written(node);
        for cut in 0..bytes.len() {
            let read: Vec<_> = RowReader::new(&bytes[..cut], node).map_while(Result::ok).collect();
            assert_eq!(read, rows()[..read.len()], "cut at {cut}");
            assert!(read.len() < rows().len());
        }
    }

    /// A histogram that gains a trailing bucket differs from the one that is sent again.
    #[test]
    fn spans_keep_every_bucket() {
        for (whole, expected) in [
            (vec![], vec![]),
            (vec![0], vec![1]),
            (vec![7], vec![0, 1, 7]),
            (vec![0, 1, 2, 0, 0, 3, 0], vec![1, 2, 1, 2, 2, 1, 3, 1]),
        ] {
            assert_eq!(spans(&whole), expected, "{whole:?}");
            assert_eq!(buckets(&expected).unwrap(), whole);
        }
        for bad in [vec![2_000], vec![0, 2, 1], vec![1_000, 30]] {
            assert!(buckets(&bad).is_err(), "{bad:?}");
        }
    }
}

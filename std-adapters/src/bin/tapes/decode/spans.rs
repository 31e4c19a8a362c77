//! Cutting a recording at its 0x00 bytes.

use std::io::{self, BufRead};

use tapes_core::wire::FRAME_LEN_MAX;

/// Longest encoded frame: one more byte for every 254, and one.
const SPAN_LEN_MAX: usize = FRAME_LEN_MAX + FRAME_LEN_MAX / 254 + 2;

/// Bytes of a recording from behind one 0x00 up to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    /// Position of the first byte.
    pub(super) offset: u64,
    /// Length, with the 0x00 if there is one.
    pub(super) len: u64,
    /// The bytes before the 0x00; cut if there are more than any frame has.
    pub(super) bytes: Vec<u8>,
    /// Whether bytes were cut off.
    pub(super) is_cut: bool,
    /// Whether there is a 0x00: false only at the end of a recording.
    pub(super) is_ended: bool,
}

/// Iterates over the spans of a recording that are not empty.
///
/// Holds one span at a time, and never more of it than the longest frame.
#[derive(Debug)]
pub(super) struct Spans<R> {
    input: R,
    offset: u64,
}

impl<R: BufRead> Spans<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, offset: 0 }
    }

    fn next_span(&mut self) -> io::Result<Option<Span>> {
        let mut span =
            Span { offset: self.offset, len: 0, bytes: Vec::new(), is_cut: false, is_ended: false };
        loop {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                self.offset += span.len;
                return Ok((span.len > 0).then_some(span));
            }
            let zero = available.iter().position(|byte| *byte == 0);
            let end = zero.unwrap_or(available.len());
            let room = SPAN_LEN_MAX.saturating_sub(span.bytes.len());
            let kept = available.get(..end.min(room)).unwrap_or(&[]);
            span.bytes.extend_from_slice(kept);
            span.is_cut |= end > room;
            let taken = end + usize::from(zero.is_some());
            span.len += taken as u64;
            self.input.consume(taken);
            if zero.is_some() {
                span.is_ended = true;
                self.offset += span.len;
                if span.len > 1 {
                    return Ok(Some(span));
                }
                // Two 0x00 in a row: nothing between them.
                span = Span { offset: self.offset, len: 0, is_ended: false, ..span };
            }
        }
    }
}

impl<R: BufRead> Iterator for Spans<R> {
    type Item = io::Result<Span>;

    fn next(&mut self) -> Option<io::Result<Span>> {
        self.next_span().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::{SPAN_LEN_MAX, Spans};

    /// A wrong offset sends whoever looks for damage to the wrong place.
    #[test]
    fn spans_tell_where_they_are() {
        let recording: &[u8] = &[0, 1, 2, 0, 0, 0, 3, 0, 4, 5];
        let spans: Vec<_> = Spans::new(recording)
            .map(|span| span.unwrap())
            .map(|span| (span.offset, span.len, span.bytes, span.is_ended))
            .collect();
        let expected = [(1, 3, vec![1, 2], true), (6, 2, vec![3], true), (8, 2, vec![4, 5], false)];
        assert_eq!(spans, expected);
    }

    /// A recording without a 0x00 must not be held in memory.
    #[test]
    fn long_spans_are_cut() {
        let recording = vec![1; 100_000];
        let span = Spans::new(recording.as_slice()).next().unwrap().unwrap();
        assert_eq!((span.len, span.bytes.len(), span.is_cut), (100_000, SPAN_LEN_MAX, true));
    }
}

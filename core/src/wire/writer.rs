//! Making frames: the pieces of which every encoder is built.

use super::data::shape;
use super::event::Event;
use super::frame::CRC_LEN;
use super::header::{Flags, FrameType, Header};
use super::hello::Hello;
use super::widen::Widener;
use super::{cobs, crc::crc32c};
use crate::metric::bytes::{Writer, zigzag};
use crate::metric::{Descriptor, Distribution, Sample, Value};

/// Position of the flags in a frame.
const FLAGS_AT: usize = 1;

/// Zeros that are cheaper to send than a new span: a span costs two bytes.
const BRIDGE_MAX: u32 = 2;

/// Makes a HELLO frame in `buffer`; `None` if it does not fit.
///
/// The type of `header` is of no account, as in all functions that make frames.
pub fn hello_frame<'b>(
    buffer: &'b mut [u8],
    header: &Header<'_>,
    hello: &Hello<'_>,
) -> Option<&'b [u8]> {
    let mut out = FrameWriter::new(buffer, header, FrameType::Hello);
    hello.write(&mut out.out);
    out.finish()
}

/// Makes an EVENT frame in `buffer`; `None` if it does not fit.
pub fn event_frame<'b>(
    buffer: &'b mut [u8],
    header: &Header<'_>,
    event: &Event,
) -> Option<&'b [u8]> {
    let mut out = FrameWriter::new(buffer, header, FrameType::Event);
    event.write(&mut out.out);
    out.finish()
}

/// Encodes a bare frame for a byte stream: COBS, then a 0x00; `None` if it does not fit.
///
/// `buffer` needs four bytes more than the frame and another for every 254 of it.
///
/// ```
/// use tapes_core::wire::{Deframer, Feed, stream_frame};
///
/// let mut buffer = [0; 16];
/// let stream = stream_frame(&[1, 0, 2], &mut buffer).unwrap();
/// assert_eq!(stream, [2, 1, 2, 2, 0]);
/// let mut deframer = Deframer::<16>::new();
/// assert_eq!(deframer.feed(stream), Feed::Frame { frame: &[1, 0, 2], rest: &[] });
/// ```
pub fn stream_frame<'b>(frame: &[u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let start = cobs::start(frame.len());
    for (to, from) in buffer.get_mut(start..)?.iter_mut().zip(frame) {
        *to = *from;
    }
    let len = cobs::encode_in_place(buffer, start, frame.len())?;
    buffer.get(1..len)
}

/// A frame under way.
#[derive(Debug)]
pub(super) struct FrameWriter<'b> {
    pub(super) out: Writer<'b>,
    /// Length that leaves room for the checksum.
    limit: usize,
}

impl<'b> FrameWriter<'b> {
    fn new(buffer: &'b mut [u8], header: &Header<'_>, frame_type: FrameType) -> Self {
        let mut frame = Self::empty(buffer);
        Header { frame_type, ..*header }.write(&mut frame.out);
        frame
    }

    /// A frame without a header, which is never sent.
    pub(super) const fn bare(buffer: &'b mut [u8]) -> Self {
        Self { limit: buffer.len(), out: Writer::new(buffer) }
    }

    /// A frame whose header is to be written.
    pub(super) const fn empty(buffer: &'b mut [u8]) -> Self {
        Self { limit: buffer.len().saturating_sub(CRC_LEN), out: Writer::new(buffer) }
    }

    /// Keeps what was written since `mark` if it fits and leaves room for `spare` bytes.
    pub(super) fn keep(&mut self, mark: usize, spare: usize) -> bool {
        let fits = self.out.len().saturating_add(spare) <= self.limit;
        if !fits {
            self.out.truncate(mark);
        }
        fits
    }

    /// Appends the checksum.
    #[inline(never)]
    pub(super) fn finish(mut self) -> Option<&'b [u8]> {
        let crc = crc32c(self.out.written()?);
        self.out.u32le(crc);
        self.out.into_written()
    }
}

/// A DICT frame under way.
///
/// ```
/// use tapes_core::metric::{Descriptor, Kind, Unit};
/// use tapes_core::wire::{Body, DictWriter, Frame, Header};
///
/// let mut buffer = [0; 64];
/// let mut dict = DictWriter::new(&mut buffer, &Header::short(7), 0);
/// assert!(dict.push(&Descriptor::new("motor.loops", Kind::Counter, Unit::NONE)));
/// let frame = Frame::parse(dict.finish().unwrap())?;
/// let Body::Dict(mut entries) = frame.body()? else { unreachable!() };
/// let (id, _, descriptor) = entries.next().unwrap();
/// assert_eq!((id, descriptor.unwrap().name), (0, "motor.loops"));
/// # Ok::<(), tapes_core::wire::FrameError>(())
/// ```
#[derive(Debug)]
pub struct DictWriter<'b>(FrameWriter<'b>);

impl<'b> DictWriter<'b> {
    /// Begins a frame whose first entry is that of metric `first`.
    #[must_use]
    pub fn new(buffer: &'b mut [u8], header: &Header<'_>, first: u32) -> Self {
        let mut frame = FrameWriter::new(buffer, header, FrameType::Dict);
        frame.out.uvarint(u64::from(first));
        Self(frame)
    }

    /// Appends the entry of the next metric; `false` if it does not fit, and then nothing changed.
    pub fn push(&mut self, descriptor: &Descriptor<'_>) -> bool {
        let mark = self.0.out.len();
        descriptor.write_entry(&mut self.0.out);
        self.0.keep(mark, 0)
    }

    /// Appends an entry from its body as it was received; as [`push`](Self::push).
    pub fn push_body(&mut self, body: &[u8]) -> bool {
        let mark = self.0.out.len();
        self.0.out.bytes(body);
        self.0.keep(mark, 0)
    }

    /// Returns the frame; `None` if not even its header fitted.
    #[must_use]
    pub fn finish(self) -> Option<&'b [u8]> {
        self.0.finish()
    }
}

/// A DATA frame under way.
///
/// ```
/// use tapes_core::metric::Value;
/// use tapes_core::wire::{Body, DataWriter, Frame, Header, Reading};
///
/// let mut buffer = [0; 64];
/// let mut data = DataWriter::new(&mut buffer, &Header::short(7));
/// assert!(data.push(3, &Value::Unsigned(1_000)));
/// let frame = Frame::parse(data.finish().unwrap())?;
/// let Body::Data(mut values) = frame.body()? else { unreachable!() };
/// assert_eq!(values.next(), Some(Ok((3, Reading::Unsigned(1_000)))));
/// # Ok::<(), tapes_core::wire::FrameError>(())
/// ```
#[derive(Debug)]
pub struct DataWriter<'b> {
    pub(super) frame: FrameWriter<'b>,
    /// Smallest id that the next value can have.
    next: u32,
    /// Smallest next cell of the last metric's family, which is not closed; one byte is kept for
    /// its end. 0 if there is none.
    cells: u32,
}

impl<'b> DataWriter<'b> {
    /// Begins a frame.
    #[must_use]
    pub fn new(buffer: &'b mut [u8], header: &Header<'_>) -> Self {
        Self::with_frame(FrameWriter::new(buffer, header, FrameType::Data))
    }

    pub(super) const fn with_frame(frame: FrameWriter<'b>) -> Self {
        Self { frame, next: 0, cells: 0 }
    }

    /// Appends the value of metric `id`.
    ///
    /// `false` if it does not fit, or if `id` is not above the one before; nothing changed then.
    pub fn push(&mut self, id: u32, value: &Value<'_>) -> bool {
        self.push_widened(id, None, value, &mut Widener(&mut [])).is_some()
    }

    /// Appends the value of one metric of family `id`.
    ///
    /// As [`push`](Self::push), and the cells of one family are to be ascending too.
    pub fn push_cell(&mut self, id: u32, cell: u32, value: &Value<'_>) -> bool {
        self.push_widened(id, Some(cell), value, &mut Widener(&mut [])).is_some()
    }

    /// Sets [`Flags::LAST`].
    pub fn set_last(&mut self) {
        self.frame.out.patch(FLAGS_AT, |flags| flags | Flags::LAST.bits());
    }

    /// Returns the frame; `None` if not even its header fitted.
    #[must_use]
    pub fn finish(mut self) -> Option<&'b [u8]> {
        self.close();
        self.frame.finish()
    }

    /// Returns whether no value was appended yet.
    pub(super) const fn is_empty(&self) -> bool {
        self.next == 0
    }

    /// Appends a value, its counts widened; returns the [`fingerprint`] of what was sent, or as
    /// [`push`](Self::push) `None`.
    #[inline(never)]
    pub(super) fn push_sample(
        &mut self,
        sample: &Sample<'_>,
        widener: &mut Widener<'_>,
    ) -> Option<u32> {
        let cell = if sample.family == 0 { None } else { Some(sample.cell) };
        self.push_widened(sample.id, cell, &sample.value, widener)
    }

    /// Appends the value of a single metric, or of a cell of a family.
    fn push_widened(
        &mut self,
        id: u32,
        cell: Option<u32>,
        value: &Value<'_>,
        widener: &mut Widener<'_>,
    ) -> Option<u32> {
        let mut gap = id.wrapping_sub(self.next);
        // Whether this cell goes on with the family of the one before.
        let open = cell.is_some() && self.cells > 0 && gap == u32::MAX;
        if !open {
            if id < self.next {
                return None;
            }
            self.close();
        }
        let mark = self.frame.out.len();
        if let Some(cell) = cell {
            // One more than the gap, so that no key is the end of the family.
            let inner = cell.checked_sub(self.cells)?.checked_add(1)?;
            if !open {
                self.frame.out.uvarint(key(gap, shape::FAMILY));
            }
            gap = inner;
        }
        let sent = self.write(gap, value, widener);
        if !self.frame.keep(mark, usize::from(cell.is_some())) {
            return None;
        }
        self.cells = cell.map_or(0, |cell| cell.saturating_add(1));
        self.next = id.saturating_add(1);
        Some(sent)
    }

    /// Ends the family that is open; there is room for that.
    fn close(&mut self) {
        if core::mem::take(&mut self.cells) > 0 {
            self.frame.out.u8(shape::FAMILY_END);
        }
    }

    fn write(&mut self, gap: u32, value: &Value<'_>, widener: &mut Widener<'_>) -> u32 {
        let out = &mut self.frame.out;
        let (shape, bits) = bits_of(value);
        out.uvarint(key(gap, shape));
        match (value, shape) {
            (Value::Distribution(value), _) => return write_histogram(out, value, widener),
            (_, shape::F32) => out.u32le(low(bits)),
            (_, shape::F64) => out.u64le(bits),
            (_, shape::UNSIGNED) => out.uvarint(widener.word(0, bits)),
            _ => out.uvarint(bits),
        }
        fingerprint_of(shape, bits)
    }
}

/// Returns the first varint of an entry.
const fn key(gap: u32, shape: u8) -> u64 {
    ((gap as u64) << shape::BITS) | shape as u64
}

/// Returns the shape of a value and, unless it is a distribution, the bits that are sent.
fn bits_of(value: &Value<'_>) -> (u8, u64) {
    match value {
        Value::Unsigned(value) => (shape::UNSIGNED, *value),
        Value::Signed(value) => (shape::SIGNED, zigzag(*value)),
        Value::F32(value) => (shape::F32, value.to_bits().into()),
        Value::F64(value) => (shape::F64, value.to_bits()),
        Value::Null => (shape::SIZED, 0),
        Value::Distribution(_) => (shape::HISTOGRAM, 0),
    }
}

/// In the fingerprint of a distribution: nothing was under way when it was sent.
pub(super) const SETTLED: u32 = 1;

/// Returns 32 bits that change when a value changes, but for freak accidents: twice the low bits
/// of the count of a distribution and [`SETTLED`], all bits of a 32-bit value, the two halves of a
/// longer one mixed.
pub(crate) fn fingerprint(value: &Value<'_>) -> u32 {
    if let Value::Distribution(value) = value {
        return settled(value.count_low());
    }
    let (shape, bits) = bits_of(value);
    fingerprint_of(shape, bits)
}

const fn fingerprint_of(shape: u8, bits: u64) -> u32 {
    /// Not the bits of any `f32` that is sent.
    const NULL: u32 = 0x7fc0_0001;
    if shape == shape::SIZED { NULL } else { low(bits) ^ low(bits >> 32) }
}

const fn settled(count: u32) -> u32 {
    (count << 1) | SETTLED
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is wanted")]
const fn low(bits: u64) -> u32 {
    bits as u32
}

/// Appends a histogram and returns the fingerprint of what was sent.
///
/// The words live on while they are read. Sum, minimum and maximum come first, so what is in them
/// is in a bucket too. Where spans are found a second time, what was filled still is, and the last
/// span goes on to the last filled bucket, so nothing that was sent before is missing; a bucket
/// that filled behind our back waits for the next report.
#[inline(never)]
fn write_histogram(
    out: &mut Writer<'_>,
    value: &Distribution<'_>,
    widener: &mut Widener<'_>,
) -> u32 {
    out.uvarint(value.sum());
    let (min, max) = value.extremes();
    out.uvarint(min);
    out.uvarint(max);
    let len = value.geometry().len;
    let mut buckets = BucketWords { value, widener, len };
    let zero = buckets.get(u32::MAX);
    out.uvarint(zero);
    let overflow = buckets.get(len);
    out.uvarint(overflow);
    // Their number goes before the spans. It is a byte but for histograms of 500 buckets and more,
    // whose spans are found a second time.
    let mark = out.len();
    out.u8(0);
    let (spans, mut counts) = buckets.write_spans(u32::MAX, out);
    if spans < 0x80 {
        out.patch(mark, |_| spans.to_le_bytes()[0]);
    } else {
        out.truncate(mark);
        out.uvarint(u64::from(spans));
        (_, counts) = buckets.write_spans(spans, out);
    }
    settled(low(zero).wrapping_add(low(overflow)).wrapping_add(counts))
}

/// The buckets of a distribution, widened.
struct BucketWords<'d, 'w, 's> {
    value: &'d Distribution<'s>,
    widener: &'d mut Widener<'w>,
    /// Number of buckets.
    len: u32,
}

impl BucketWords<'_, '_, '_> {
    /// Returns bucket `i`: -1 is the zero bucket, the one behind the last the overflow bucket.
    #[inline(never)]
    fn get(&mut self, i: u32) -> u64 {
        let i = i.wrapping_add(1) as usize;
        self.widener.word(i, self.value.count_of(i))
    }

    /// Returns the buckets of the first span at or behind `from`, empty at `from` if there is none;
    /// it contains up to `bridge` zeros between two that are not.
    fn span(&mut self, from: u32, bridge: u32) -> core::ops::Range<u32> {
        let mut start = from;
        while start < self.len && self.get(start) == 0 {
            start += 1;
        }
        if start >= self.len {
            return from..from;
        }
        let mut end = start;
        let mut i = start;
        while i < self.len && i.saturating_sub(end) <= bridge {
            if self.get(i) > 0 {
                end = i.saturating_add(1);
            }
            i += 1;
        }
        start..end
    }

    /// Appends at most `most` spans, of which the last one goes on to the last filled bucket;
    /// returns their number and the low bits of their counts together.
    #[inline(never)]
    fn write_spans(&mut self, most: u32, out: &mut Writer<'_>) -> (u32, u32) {
        let (mut spans, mut counts) = (0, 0u32);
        let mut at = 0;
        while spans < most {
            let last = spans.wrapping_add(1) == most;
            let span = self.span(at, if last { u32::MAX } else { BRIDGE_MAX });
            if span.is_empty() {
                break;
            }
            out.uvarint(u64::from(span.start.wrapping_sub(at)));
            out.uvarint(u64::from(span.end.wrapping_sub(span.start)));
            at = span.end;
            for i in span {
                let count = self.get(i);
                out.uvarint(count);
                counts = counts.wrapping_add(low(count));
            }
            spans = spans.wrapping_add(1);
        }
        (spans, counts)
    }
}

//! Making frames: the pieces of which every encoder is built.

use super::data::shape;
use super::event::Event;
use super::frame::CRC_LEN;
use super::header::{Flags, FrameType, Header, METRICS_MAX};
use super::hello::Hello;
use super::widen::Widener;
use super::{cobs, crc::crc32c};
use crate::metric::bytes::{Writer, zigzag};
use crate::metric::{CELLS_MAX, Descriptor, Distribution, Head, Sample, Value};

/// Position of the flags in a frame.
const FLAGS_AT: usize = 1;

/// Zeros that are cheaper to send than a new span: a span costs two bytes.
const BRIDGE_MAX: usize = 2;

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
}

impl<'b> FrameWriter<'b> {
    fn new(buffer: &'b mut [u8], header: &Header<'_>, frame_type: FrameType) -> Self {
        let mut frame = Self::empty(buffer);
        Header { frame_type, ..*header }.write(&mut frame.out);
        frame
    }

    /// A frame whose header is to be written.
    pub(super) const fn empty(buffer: &'b mut [u8]) -> Self {
        Self { out: Writer::new(buffer) }
    }

    /// Keeps what was written since `mark` if it fits and leaves room for `spare` bytes and the
    /// checksum.
    #[inline(never)]
    pub(super) fn keep(&mut self, mark: usize, spare: usize) -> bool {
        let fits = self.out.fits(CRC_LEN.wrapping_add(spare));
        if !fits {
            self.out.truncate(mark);
        }
        fits
    }

    /// Appends the checksum and returns the length of the frame; `None` if it did not fit.
    #[inline(never)]
    pub(super) fn seal(&mut self) -> Option<usize> {
        let crc = crc32c(self.out.written()?);
        self.out.u32le(crc);
        self.out.fits(0).then_some(self.out.len())
    }

    fn finish(mut self) -> Option<&'b [u8]> {
        self.seal()?;
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
        frame.out.uvarint32(first);
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
    /// `false` if it does not fit, or if `id` is not above the one before or is not below
    /// [`METRICS_MAX`]; nothing changed then.
    pub fn push(&mut self, id: u32, value: &Value<'_>) -> bool {
        self.push_absolute(id, None, value)
    }

    /// Appends the value of one metric of family `id`.
    ///
    /// As [`push`](Self::push), and the cells of one family are to be ascending too, and below
    /// [`CELLS_MAX`].
    pub fn push_cell(&mut self, id: u32, cell: u32, value: &Value<'_>) -> bool {
        self.push_absolute(id, Some(cell), value)
    }

    fn push_absolute(&mut self, id: u32, cell: Option<u32>, value: &Value<'_>) -> bool {
        if id >= METRICS_MAX || cell.is_some_and(|cell| cell >= CELLS_MAX) {
            return false;
        }
        let entry = Entry { id, cell, value, bits: Bits::of(value) };
        self.push_entry(&entry, &mut Widener::none()).is_some()
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

    /// Appends the value of a single metric, or of a cell of a family, its counts widened; returns
    /// the [fingerprint](Bits::fingerprint) of what was sent, or as [`push`](Self::push) `None`.
    ///
    /// `id` and `cell` are far below 2^29.
    #[inline(never)]
    pub(super) fn push_entry(
        &mut self,
        &Entry { id, cell, value, bits }: &Entry<'_>,
        widener: &mut Widener<'_>,
    ) -> Option<u32> {
        let mut gap = id.wrapping_sub(self.next);
        let mut mark = self.frame.out.len();
        match cell {
            // This cell goes on with the family of the one before. Keys are one more than the gap,
            // so that none is the end of the family.
            Some(cell) if self.cells > 0 && gap == u32::MAX => {
                gap = cell.checked_sub(self.cells)?.wrapping_add(1);
            }
            _ => {
                if id < self.next {
                    return None;
                }
                self.close();
                mark = self.frame.out.len();
                if let Some(cell) = cell {
                    self.frame.out.uvarint32(key(gap, shape::FAMILY));
                    gap = cell.wrapping_add(1);
                }
            }
        }
        let sent = self.write(gap, value, bits, widener);
        if !self.frame.keep(mark, usize::from(cell.is_some())) {
            return None;
        }
        self.cells = cell.map_or(0, |cell| cell.wrapping_add(1));
        self.next = id.wrapping_add(1);
        Some(sent)
    }

    /// Ends the family that is open; there is room for that.
    pub(super) fn close(&mut self) {
        if core::mem::take(&mut self.cells) > 0 {
            self.frame.out.u8(shape::FAMILY_END);
        }
    }

    fn write(
        &mut self,
        gap: u32,
        value: &Value<'_>,
        Bits { shape, bits }: Bits,
        widener: &mut Widener<'_>,
    ) -> u32 {
        let out = &mut self.frame.out;
        out.uvarint32(key(gap, shape));
        match (shape, value) {
            (_, Value::Distribution(value)) => return write_histogram(out, value, widener),
            (shape::F32, _) => out.u32le(low(bits)),
            (shape::F64, _) => out.u64le(bits),
            (shape::UNSIGNED, _) => out.uvarint(widener.word(0, bits)),
            _ => out.uvarint(bits),
        }
        Bits { shape, bits }.fingerprint()
    }
}

/// A value to be appended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'v> {
    id: u32,
    /// Position in its family.
    cell: Option<u32>,
    value: &'v Value<'v>,
    bits: Bits,
}

impl<'v> Entry<'v> {
    pub(super) fn of(sample: &'v Sample<'_>, bits: Bits) -> Self {
        let cell = if sample.family > 0 { Some(sample.cell) } else { None };
        Self { id: sample.id, cell, value: &sample.value, bits }
    }
}

/// Returns the first varint of an entry.
const fn key(gap: u32, shape: u8) -> u32 {
    (gap << shape::BITS) | shape as u32
}

/// What is sent of a value; of a distribution, [`settled`] of its count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits {
    shape: u8,
    bits: u64,
}

impl Bits {
    #[inline(never)]
    pub(super) fn of(value: &Value<'_>) -> Self {
        let (shape, bits) = match value {
            Value::Unsigned(value) => (shape::UNSIGNED, *value),
            Value::Signed(value) => (shape::SIGNED, zigzag(*value)),
            Value::F32(value) => (shape::F32, value.to_bits().into()),
            Value::F64(value) => (shape::F64, value.to_bits()),
            Value::Null => (shape::SIZED, 0),
            Value::Distribution(value) => (shape::HISTOGRAM, settled(value.count_low()).into()),
        };
        Self { shape, bits }
    }

    /// Returns 32 bits that change when a value changes, but for freak accidents: twice the low
    /// bits of the count of a distribution and [`SETTLED`], all bits of a 32-bit value, the two
    /// halves of a longer one mixed.
    pub(super) const fn fingerprint(self) -> u32 {
        /// Not the bits of any `f32` that is sent.
        const NULL: u32 = 0x7fc0_0001;
        if self.shape == shape::SIZED { NULL } else { low(self.bits) ^ low(self.bits >> 32) }
    }
}

/// Returns the [fingerprint](Bits::fingerprint) of a value.
pub(crate) fn fingerprint(value: &Value<'_>) -> u32 {
    Bits::of(value).fingerprint()
}

/// In the fingerprint of a distribution: nothing was under way when it was sent.
pub(super) const SETTLED: u32 = 1;

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
/// is in a bucket too. A bucket that is filled behind our back waits for the next report.
#[inline(never)]
fn write_histogram(
    out: &mut Writer<'_>,
    value: &Distribution<'_>,
    widener: &mut Widener<'_>,
) -> u32 {
    let Head { sum, min, max } = value.head();
    out.uvarint(sum);
    out.uvarint(min);
    out.uvarint(max);
    let len = value.geometry().len;
    let mut buckets = BucketWords { value, widener, count: 0 };
    buckets.write(0, out);
    buckets.write(len.wrapping_add(1) as usize, out);
    // Their number goes before the spans, and is known behind them.
    let mark = out.len();
    let spans = buckets.write_spans(len as usize, out);
    out.insert(mark, spans);
    settled(buckets.count)
}

/// The buckets of a distribution, widened.
struct BucketWords<'d, 'w, 's> {
    value: &'d Distribution<'s>,
    widener: &'d mut Widener<'w>,
    /// Low bits of what was written, together.
    count: u32,
}

impl BucketWords<'_, '_, '_> {
    /// Returns word `i` of those that count: the zero bucket, the buckets, the overflow bucket.
    #[inline(never)]
    fn get(&mut self, i: usize) -> u64 {
        self.widener.word(i, self.value.sent_count(i))
    }

    /// Appends a count.
    fn write(&mut self, i: usize, out: &mut Writer<'_>) {
        let count = self.get(i);
        self.count = self.count.wrapping_add(low(count));
        out.uvarint(count);
    }

    /// Appends the spans of `len` buckets and returns their number.
    #[expect(clippy::cast_possible_truncation, reason = "at most BUCKETS_MAX")]
    fn write_spans(&mut self, len: usize, out: &mut Writer<'_>) -> u32 {
        let mut spans = 0u32;
        // Buckets count from 1, after the zero bucket. The span under way is empty at first.
        let (mut end, mut i) = (1, 1);
        loop {
            let behind = end;
            let mut start = end;
            while i <= len && (start == end || i.wrapping_sub(end) <= BRIDGE_MAX) {
                let filled = self.get(i) > 0;
                if start == end {
                    (start, end) = (i, i);
                }
                i = i.wrapping_add(1);
                if filled {
                    end = i;
                }
            }
            if start == end {
                return spans;
            }
            out.uvarint32(start.wrapping_sub(behind) as u32);
            out.uvarint32(end.wrapping_sub(start) as u32);
            for i in start..end {
                self.write(i, out);
            }
            spans = spans.wrapping_add(1);
        }
    }
}

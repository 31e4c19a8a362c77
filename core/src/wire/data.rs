//! DATA: values of metrics.

use core::fmt;
use core::iter::FusedIterator;

use super::header::METRICS_MAX;
use crate::metric::bytes::Reader;
use crate::metric::{BUCKETS_MAX, CELLS_MAX};

/// Shapes of values: the low bits of an entry's first varint.
pub(super) mod shape {
    /// Bits of the shape; the gap is above them.
    pub(crate) const BITS: u32 = 3;
    pub(crate) const UNSIGNED: u8 = 0;
    pub(crate) const SIGNED: u8 = 1;
    pub(crate) const F32: u8 = 2;
    pub(crate) const F64: u8 = 3;
    pub(crate) const HISTOGRAM: u8 = 4;
    pub(crate) const SIZED: u8 = 5;
    pub(crate) const FAMILY: u8 = 6;
    /// Behind the last cell of a family.
    pub(crate) const FAMILY_END: u8 = 0;

    /// Returns the shape in an entry's first varint.
    pub(crate) const fn of(key: u64) -> u8 {
        (key & 7).to_le_bytes()[0]
    }
}

/// An entry of DATA that breaks the format; the entries before it are good, the rest is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed entry")
    }
}

impl core::error::Error for Malformed {}

/// One value as it was sent.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Reading<'a> {
    /// A counter, meter or unsigned gauge.
    Unsigned(u64),
    /// An up/down counter or signed gauge.
    Signed(i64),
    /// A 32-bit floating-point gauge; never NaN.
    F32(f32),
    /// A 64-bit floating-point gauge; never NaN.
    F64(f64),
    /// A gauge without a value.
    Null,
    /// A histogram or timer.
    Histogram(HistogramReading<'a>),
    /// Metrics of a family, each with a value of one of the other variants.
    Family(FamilyReading<'a>),
    /// Something of a later version; skip it.
    Unknown(&'a [u8]),
}

/// A histogram as it was sent: numbers, and an iterator over the buckets that were sent.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct HistogramReading<'a> {
    /// Sum of all raw values.
    pub sum: u64,
    /// Smallest raw value, `None` while there is none; `None` together with `max`.
    pub min: Option<u64>,
    /// Largest raw value, `None` while there is none; not below `min`.
    pub max: Option<u64>,
    /// Values at or below the first bound.
    pub zero: u64,
    /// Values above the last bound.
    pub overflow: u64,
    /// The spans, walked once already.
    buckets: BucketReadings<'a>,
}

impl PartialEq for HistogramReading<'_> {
    fn eq(&self, other: &Self) -> bool {
        let numbers = |h: &Self| (h.sum, h.min, h.max, h.zero, h.overflow);
        let filled = |h: &Self| h.buckets().filter(|(_, count)| *count > 0);
        numbers(self) == numbers(other) && filled(self).eq(filled(other))
    }
}

impl<'a> HistogramReading<'a> {
    /// Reads a histogram and checks its spans.
    fn read(input: &mut Reader<'a>) -> Option<Self> {
        let sum = input.uvarint()?;
        let (min, max) = (input.uvarint()?, input.uvarint()?);
        // A minimum above the maximum says that there is neither.
        let (min, max) = if min > max { (None, None) } else { (Some(min), Some(max)) };
        let zero = input.uvarint()?;
        let overflow = input.uvarint()?;
        let spans = input.uvarint32().filter(|spans| *spans <= BUCKETS_MAX)?;
        let mut walk = BucketReadings { spans, left: 0, next: 0, input: *input };
        let buckets = walk;
        while walk.step()?.is_some() {}
        *input = walk.input;
        Some(Self { sum, min, max, zero, overflow, buckets })
    }

    /// Returns the buckets that were sent, by ascending index; the others are 0.
    ///
    /// At most [`BUCKETS_MAX`] of them, with indices below it. Costs one pass over their bytes.
    #[must_use]
    pub const fn buckets(&self) -> BucketReadings<'a> {
        self.buckets
    }

    /// Returns the number of values, saturating: all buckets, zero and overflow added up.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets()
            .fold(self.zero.saturating_add(self.overflow), |sum, (_, n)| sum.saturating_add(n))
    }
}

/// Iterates over `(index, count)` of the buckets of a [`HistogramReading`].
#[derive(Debug, Clone, Copy)]
pub struct BucketReadings<'a> {
    /// Spans that have not begun.
    spans: u32,
    /// Counts left in the span.
    left: u32,
    /// Index of the next bucket; at most [`BUCKETS_MAX`].
    next: u32,
    input: Reader<'a>,
}

impl BucketReadings<'_> {
    /// Returns the next bucket, `Some(None)` at the end, `None` where the bytes are malformed.
    fn step(&mut self) -> Option<Option<(u32, u64)>> {
        while self.left == 0 {
            let Some(spans) = self.spans.checked_sub(1) else { return Some(None) };
            self.spans = spans;
            let gap = self.input.uvarint32()?;
            let len = self.input.uvarint32()?;
            let first = self.next.checked_add(gap)?;
            first.checked_add(len).filter(|end| *end <= BUCKETS_MAX)?;
            self.next = first;
            self.left = len;
        }
        let count = self.input.uvarint()?;
        let index = self.next;
        self.next = index.wrapping_add(1);
        self.left = self.left.wrapping_sub(1);
        Some(Some((index, count)))
    }
}

impl Iterator for BucketReadings<'_> {
    type Item = (u32, u64);

    fn next(&mut self) -> Option<Self::Item> {
        // The spans were walked when the entry was read.
        self.step().flatten()
    }
}

/// Some metrics of a family: an iterator over `(cell, value)` by ascending cell.
///
/// The cell counts combinations of the labels in
/// [`Descriptor::dimensions`](crate::metric::Descriptor::dimensions), the last label fastest. It
/// is below [`CELLS_MAX`], but not checked against the dictionary.
#[derive(Debug, Clone, Copy)]
pub struct FamilyReading<'a> {
    /// Smallest cell that the next one can be.
    next: u32,
    /// The cells, walked once already.
    input: Reader<'a>,
}

impl PartialEq for FamilyReading<'_> {
    fn eq(&self, other: &Self) -> bool {
        Iterator::eq(*self, *other)
    }
}

impl<'a> FamilyReading<'a> {
    /// Reads a family and checks its cells.
    fn read(input: &mut Reader<'a>) -> Option<Self> {
        let family = Self { next: 0, input: *input };
        let mut walk = family;
        while walk.step()?.is_some() {}
        *input = walk.input;
        Some(family)
    }

    /// Returns the next cell, `Some(None)` at the end, `None` where the bytes are malformed.
    fn step(&mut self) -> Option<Option<(u32, Reading<'a>)>> {
        let key = self.input.uvarint()?;
        if key == u64::from(shape::FAMILY_END) {
            return Some(None);
        }
        // One more than the gap, so that no key is the end.
        let gap = u32::try_from(key >> shape::BITS).ok()?.checked_sub(1)?;
        let cell = self.next.checked_add(gap).filter(|cell| *cell < CELLS_MAX)?;
        self.next = cell.wrapping_add(1);
        let reading = Reading::read_single(shape::of(key), &mut self.input)?;
        Some(Some((cell, reading)))
    }
}

impl<'a> Iterator for FamilyReading<'a> {
    type Item = (u32, Reading<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        // The cells were walked when the entry was read.
        let before = self.input;
        let next = self.step().flatten();
        if next.is_none() {
            // Stays at the end.
            self.input = before;
        }
        next
    }
}

impl FusedIterator for FamilyReading<'_> {}

impl<'a> Reading<'a> {
    /// Reads the value of a metric or of a cell.
    fn read_single(shape: u8, input: &mut Reader<'a>) -> Option<Self> {
        Some(match shape {
            shape::UNSIGNED => Self::Unsigned(input.uvarint()?),
            shape::SIGNED => Self::Signed(input.zigzag()?),
            shape::F32 => {
                let value = f32::from_le_bytes(input.array()?);
                if value.is_nan() { Self::Null } else { Self::F32(value) }
            }
            shape::F64 => {
                let value = f64::from_le_bytes(input.array()?);
                if value.is_nan() { Self::Null } else { Self::F64(value) }
            }
            shape::HISTOGRAM => Self::Histogram(HistogramReading::read(input)?),
            shape::SIZED => match input.bytes()? {
                [] => Self::Null,
                bytes => Self::Unknown(bytes),
            },
            _ => return None,
        })
    }
}

/// The body of a DATA frame: an iterator over `(id, value)` by ascending id.
///
/// Ends after the first malformed entry. Costs one pass over the bytes.
///
/// ```
/// use tapes_core::metric::{Buckets, Counts, Distribution, Value};
/// use tapes_core::wire::{
///     Body, BucketReadings, DataBody, DataWriter, FamilyReading, Flags, Frame, Header,
///     HistogramReading, Malformed, Reading,
/// };
///
/// /// Everything that was counted, for a summary.
/// fn total(values: DataBody<'_>) -> Result<u64, Malformed> {
///     fn of_histogram(histogram: &HistogramReading<'_>) -> u64 {
///         let buckets: BucketReadings<'_> = histogram.buckets();
///         assert!(buckets.map(|(_, count)| count).sum::<u64>() <= histogram.count());
///         histogram.count()
///     }
///     fn of_family(cells: FamilyReading<'_>) -> u64 {
///         cells.map(|(_, value)| of_value(&value)).sum()
///     }
///     fn of_value(value: &Reading<'_>) -> u64 {
///         match value {
///             Reading::Unsigned(count) => *count,
///             Reading::Histogram(histogram) => of_histogram(histogram),
///             Reading::Family(cells) => of_family(*cells),
///             _ => 0,
///         }
///     }
///     values.map(|entry| entry.map(|(_, value)| of_value(&value))).sum()
/// }
///
/// let geometry = Buckets { scale: 0, first: 0, len: 2 };
/// let counts = Counts { sum: 9, buckets: &[0, 3], ..Counts::default() };
/// let mut buffer = [0; 64];
/// let mut data = DataWriter::new(&mut buffer, &Header::short(7));
/// data.push(0, &Value::Unsigned(10));
/// data.push(1, &Value::Distribution(Distribution::new(geometry, counts)));
/// data.push_cell(2, 5, &Value::Unsigned(100));
/// data.set_last();
/// let frame = Frame::parse(data.finish().unwrap())?;
/// assert!(frame.header.flags.contains(Flags::LAST));
/// let Body::Data(values) = frame.body()? else { unreachable!() };
/// assert_eq!(total(values), Ok(113));
/// # Ok::<(), tapes_core::wire::FrameError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct DataBody<'a> {
    /// Smallest id that the next entry can have.
    next: u32,
    input: Reader<'a>,
}

impl<'a> DataBody<'a> {
    pub(super) const fn new(body: &'a [u8]) -> Self {
        Self { next: 0, input: Reader::new(body) }
    }

    fn read(&mut self) -> Option<(u32, Reading<'a>)> {
        let first = self.input.uvarint()?;
        let gap = u32::try_from(first >> shape::BITS).ok()?;
        let id = self.next.checked_add(gap).filter(|id| *id < METRICS_MAX)?;
        self.next = id.wrapping_add(1);
        let reading = match shape::of(first) {
            shape::FAMILY => Reading::Family(FamilyReading::read(&mut self.input)?),
            single => Reading::read_single(single, &mut self.input)?,
        };
        Some((id, reading))
    }
}

impl<'a> Iterator for DataBody<'a> {
    type Item = Result<(u32, Reading<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.input.is_empty() {
            return None;
        }
        let read = self.read();
        if read.is_none() {
            self.input = Reader::new(&[]);
        }
        Some(read.ok_or(Malformed))
    }
}

impl FusedIterator for DataBody<'_> {}

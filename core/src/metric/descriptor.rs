//! The description of a metric, and its binary form: the very bytes that DICT frames send.
//!
//! An *entry* is `uvarint length ‖ body`; the body is `bits, kind, unit, name, help, labels,
//! dimensions` in postcard's encoding. Declared groups hold their entries in flash, encoded at
//! compile time; a reporter copies them into frames as they are. Bytes after the known fields of a
//! body are ignored, so later versions can append.

use super::bytes::{Reader, Writer, uvarint_len};
use super::dimension::Dimensions;
use super::kind::Kind;
use super::unit::Unit;

/// Most labels of one metric.
pub const LABELS_MAX: usize = 16;

/// Values of an absolute word that never wraps in practice.
pub const BITS_ABSOLUTE: u8 = 64;

/// Constant labels: borrowed pairs, or the encoded pairs of an entry.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a>(LabelsInner<'a>);

#[derive(Debug, Clone, Copy)]
enum LabelsInner<'a> {
    Pairs(&'a [(&'a str, &'a str)]),
    /// Checked when it was read: `count` pairs of strings and nothing else.
    Encoded {
        count: usize,
        bytes: &'a [u8],
    },
}

impl Default for Labels<'_> {
    fn default() -> Self {
        Self::NONE
    }
}

impl<'a> Labels<'a> {
    /// No labels.
    pub const NONE: Self = Self::new(&[]);

    /// Returns labels from pairs of name and value.
    #[must_use]
    pub const fn new(pairs: &'a [(&'a str, &'a str)]) -> Self {
        Self(LabelsInner::Pairs(pairs))
    }

    /// Returns the number of labels.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.0 {
            LabelsInner::Pairs(pairs) => pairs.len(),
            LabelsInner::Encoded { count, .. } => count,
        }
    }

    /// Returns whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the pairs of name and value in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let (pairs, bytes) = match self.0 {
            LabelsInner::Pairs(pairs) => (pairs, [].as_slice()),
            LabelsInner::Encoded { bytes, .. } => ([].as_slice(), bytes),
        };
        let mut reader = Reader::new(bytes);
        let encoded = core::iter::from_fn(move || Some((reader.str()?, reader.str()?)));
        pairs.iter().copied().chain(encoded)
    }

    const fn write(&self, out: &mut Writer<'_>) {
        out.uvarint(self.len() as u64);
        match self.0 {
            LabelsInner::Pairs(pairs) => {
                let mut rest = pairs;
                while let Some(((name, value), tail)) = rest.split_first() {
                    out.bytes(name.as_bytes());
                    out.bytes(value.as_bytes());
                    rest = tail;
                }
            }
            LabelsInner::Encoded { bytes, .. } => out.raw(bytes),
        }
    }

    const fn read(input: &mut Reader<'a>) -> Option<Self> {
        let Some(count) = input.uvarint() else { return None };
        if count > LABELS_MAX as u64 {
            return None;
        }
        let before = input.rest();
        let mut i = 0;
        while i < count {
            let (Some(_), Some(_)) = (input.str(), input.str()) else { return None };
            i += 1;
        }
        let taken = before.len().saturating_sub(input.rest().len());
        match before.split_at_checked(taken) {
            Some((bytes, _)) => {
                #[expect(clippy::cast_possible_truncation, reason = "at most LABELS_MAX")]
                let count = count as usize;
                Some(Self(LabelsInner::Encoded { count, bytes }))
            }
            None => None,
        }
    }
}

impl PartialEq for Labels<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Labels<'_> {}

/// Everything about a metric but its values.
///
/// ```
/// use tapes_core::metric::{Descriptor, Kind, Labels, Unit};
///
/// let pairs = [("axis", "x")];
/// let descriptor = Descriptor {
///     labels: Labels::new(&pairs),
///     ..Descriptor::new("motor.loops", Kind::Counter, Unit::NONE)
/// };
/// assert!(descriptor.labels.iter().eq(pairs));
/// assert_eq!(descriptor.entry_len(), 26); // of the dictionary, in bytes
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Descriptor<'a> {
    /// Bits after which the values on the wire wrap; [`BITS_ABSOLUTE`] if they do not.
    pub bits: u8,
    /// Kind, with the bucket geometry.
    pub kind: Kind,
    /// Unit of the raw values.
    pub unit: Unit<'a>,
    /// Name, segments joined by dots.
    pub name: &'a str,
    /// One sentence for people; may be empty.
    pub help: &'a str,
    /// Constant labels.
    pub labels: Labels<'a>,
    /// Labels of a family, whose values are enumerated; none for a single metric.
    pub dimensions: Dimensions<'a>,
}

impl<'a> Descriptor<'a> {
    /// Returns a descriptor with no help and no labels.
    #[must_use]
    pub const fn new(name: &'a str, kind: Kind, unit: Unit<'a>) -> Self {
        Self {
            bits: BITS_ABSOLUTE,
            kind,
            unit,
            name,
            help: "",
            labels: Labels::NONE,
            dimensions: Dimensions::NONE,
        }
    }

    /// Appends the body of the entry.
    pub(crate) const fn write_body(&self, out: &mut Writer<'_>) {
        out.u8(self.bits);
        self.kind.write(out);
        self.unit.write(out);
        out.bytes(self.name.as_bytes());
        out.bytes(self.help.as_bytes());
        self.labels.write(out);
        self.dimensions.write(out);
    }

    /// Returns the length of the body, in bytes.
    const fn body_len(&self) -> usize {
        let mut counter = Writer::new(&mut []);
        self.write_body(&mut counter);
        counter.len()
    }

    /// Returns the length of the whole entry, in bytes.
    #[must_use]
    pub const fn entry_len(&self) -> usize {
        let body = self.body_len();
        body + uvarint_len(body as u64)
    }

    /// Appends the entry.
    pub(crate) const fn write_entry(&self, out: &mut Writer<'_>) {
        out.uvarint(self.body_len() as u64);
        self.write_body(out);
    }

    /// Reads the body of a dictionary entry; `None` if it is malformed or of an unknown kind or unit.
    ///
    /// ```
    /// use tapes_core::metric::{Descriptor, Kind, Unit};
    ///
    /// let read = Descriptor::read_body(b"\x40\x00\x00\x05loops\x00\x00\x00");
    /// assert_eq!(read, Some(Descriptor::new("loops", Kind::Counter, Unit::NONE)));
    /// assert_eq!(Descriptor::read_body(b"\x40"), None);
    /// ```
    #[must_use]
    pub const fn read_body(body: &'a [u8]) -> Option<Self> {
        let mut input = Reader::new(body);
        let Some(bits) = input.u8() else { return None };
        let Some(kind) = Kind::read(&mut input) else { return None };
        let Some(unit) = Unit::read(&mut input) else { return None };
        let (Some(name), Some(help)) = (input.str(), input.str()) else { return None };
        let Some(labels) = Labels::read(&mut input) else { return None };
        let Some(dimensions) = Dimensions::read(&mut input) else { return None };
        if bits == 0 || bits > BITS_ABSOLUTE {
            return None;
        }
        Some(Self { bits, kind, unit, name, help, labels, dimensions })
    }
}

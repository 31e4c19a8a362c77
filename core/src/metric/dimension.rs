//! Dimensions: the enumerated labels of a family of metrics.

use super::bytes::{Reader, Writer};

/// Most dimensions of one family.
pub const DIMENSIONS_MAX: usize = 3;

/// Most metrics of one family: what a receiver must be ready to hold for one entry.
pub const CELLS_MAX: u32 = 1024;

/// A label and the values it can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Dimension<'a> {
    /// Name of the label.
    pub name: &'a str,
    /// Values, in the order of their indices.
    pub values: &'a [&'a str],
}

/// The dimensions of a family, outermost first: borrowed, or encoded as in an entry.
///
/// The encoding is `uvarint count`, then for each dimension its name, the number of its values and
/// the values.
///
/// ```
/// use tapes_core::metric::{Dimension, Dimensions};
///
/// let list = [
///     Dimension { name: "axis", values: &["x", "y"] },
///     Dimension { name: "fault", values: &["stall", "overheat"] },
/// ];
/// let dimensions = Dimensions::new(&list);
/// assert_eq!(dimensions.cells(), 4);
/// assert!(dimensions.labels(1).eq([("axis", "x"), ("fault", "overheat")]));
/// assert_eq!((dimensions.dimension(0), dimensions.value(0, 1)), (Some(("axis", 2)), Some("y")));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Dimensions<'a>(Inner<'a>);

#[derive(Debug, Clone, Copy)]
enum Inner<'a> {
    Borrowed(&'a [Dimension<'a>]),
    /// Checked when it was read.
    Encoded {
        count: u32,
        cells: u32,
        bytes: &'a [u8],
    },
}

impl<'a> Dimensions<'a> {
    /// No dimensions: a single metric.
    pub const NONE: Self = Self::new(&[]);

    /// Returns the dimensions of a slice.
    #[must_use]
    pub const fn new(dimensions: &'a [Dimension<'a>]) -> Self {
        Self(Inner::Borrowed(dimensions))
    }

    /// Returns the number of dimensions.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.0 {
            Inner::Borrowed(dimensions) => dimensions.len(),
            Inner::Encoded { count, .. } => count as usize,
        }
    }

    /// Returns whether there are none: the metric is a single one.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of metrics of the family: the product of the numbers of values, 1 for
    /// none.
    #[must_use]
    pub const fn cells(&self) -> u32 {
        match self.0 {
            Inner::Borrowed(dimensions) => {
                let mut cells = 1u32;
                let mut rest = dimensions;
                while let Some((first, tail)) = rest.split_first() {
                    #[expect(clippy::cast_possible_truncation, reason = "checked when declared")]
                    let values = first.values.len() as u32;
                    cells = cells.saturating_mul(values);
                    rest = tail;
                }
                cells
            }
            Inner::Encoded { cells, .. } => cells,
        }
    }

    /// Returns names of the labels and their values for one metric of the family.
    ///
    /// The last dimension varies fastest.
    pub fn labels(&self, cell: u32) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut block = self.cells();
        let mut rest = cell;
        let dimensions = *self;
        (0..self.len()).map_while(move |i| {
            let (name, values) = dimensions.dimension(i)?;
            block = block.checked_div(values)?;
            let index = rest.checked_div(block)?;
            rest = rest.checked_rem(block)?;
            Some((name, dimensions.value(i, index)?))
        })
    }

    /// Returns the name of dimension `i` and the number of its values.
    #[must_use]
    pub fn dimension(&self, i: usize) -> Option<(&'a str, u32)> {
        match self.0 {
            Inner::Borrowed(dimensions) => {
                let dimension = dimensions.get(i)?;
                Some((dimension.name, u32::try_from(dimension.values.len()).ok()?))
            }
            Inner::Encoded { bytes, .. } => {
                let mut input = skip(bytes, i)?;
                Some((input.str()?, input.uvarint32()?))
            }
        }
    }

    /// Returns value `index` of dimension `i`.
    #[must_use]
    pub fn value(&self, i: usize, index: u32) -> Option<&'a str> {
        match self.0 {
            Inner::Borrowed(dimensions) => {
                dimensions.get(i)?.values.get(usize::try_from(index).ok()?).copied()
            }
            Inner::Encoded { bytes, .. } => {
                let mut input = skip(bytes, i)?;
                input.str()?;
                if index >= input.uvarint32()? {
                    return None;
                }
                for _ in 0..index {
                    input.bytes()?;
                }
                input.str()
            }
        }
    }

    pub(crate) const fn write(&self, out: &mut Writer<'_>) {
        out.uvarint(self.len() as u64);
        match self.0 {
            Inner::Borrowed(dimensions) => {
                let mut rest = dimensions;
                while let Some((first, tail)) = rest.split_first() {
                    out.bytes(first.name.as_bytes());
                    out.uvarint(first.values.len() as u64);
                    let mut values = first.values;
                    while let Some((value, more)) = values.split_first() {
                        out.bytes(value.as_bytes());
                        values = more;
                    }
                    rest = tail;
                }
            }
            Inner::Encoded { bytes, .. } => out.raw(bytes),
        }
    }

    pub(crate) const fn read(input: &mut Reader<'a>) -> Option<Self> {
        let Some(count) = input.uvarint32() else { return None };
        if count as usize > DIMENSIONS_MAX {
            return None;
        }
        let before = input.rest();
        let mut cells = 1u32;
        let mut i = 0;
        while i < count {
            let (Some(_), Some(values)) = (input.str(), input.uvarint32()) else { return None };
            // At most CELLS_MAX values are read, whatever the sender claims.
            cells = cells.saturating_mul(values);
            if values == 0 || cells > CELLS_MAX {
                return None;
            }
            let mut value = 0;
            while value < values {
                let Some(_) = input.str() else { return None };
                value += 1;
            }
            i += 1;
        }
        let taken = before.len().saturating_sub(input.rest().len());
        match before.split_at_checked(taken) {
            Some((bytes, _)) => Some(Self(Inner::Encoded { count, cells, bytes })),
            None => None,
        }
    }
}

/// Returns a reader that stands before dimension `i`.
fn skip(bytes: &[u8], i: usize) -> Option<Reader<'_>> {
    let mut input = Reader::new(bytes);
    for _ in 0..i {
        input.bytes()?;
        for _ in 0..input.uvarint32()? {
            input.bytes()?;
        }
    }
    Some(input)
}

impl Default for Dimensions<'_> {
    fn default() -> Self {
        Self::NONE
    }
}

impl PartialEq for Dimensions<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && (0..self.len()).all(|i| {
                let dimension = self.dimension(i);
                dimension == other.dimension(i)
                    && (0..dimension.map_or(0, |(_, values)| values))
                        .all(|index| self.value(i, index) == other.value(i, index))
            })
    }
}

impl Eq for Dimensions<'_> {}

#[cfg(test)]
mod tests {
    use super::{Dimension, Dimensions, Reader, Writer};

    const TWO: &[Dimension<'static>] = &[
        Dimension { name: "method", values: &["get", "put", "post"] },
        Dimension { name: "ok", values: &["no", "yes"] },
    ];

    /// A cell with the labels of another would count for the wrong cause.
    #[test]
    fn labels_of_a_cell_vary_last_fastest() {
        let mut bytes = [0; 64];
        let mut out = Writer::new(&mut bytes);
        Dimensions::new(TWO).write(&mut out);
        let len = out.finish().unwrap();
        let decoded = Dimensions::read(&mut Reader::new(&bytes[..len])).unwrap();
        assert_eq!(decoded, Dimensions::new(TWO));
        for dimensions in [decoded, Dimensions::new(TWO)] {
            assert_eq!(dimensions.cells(), 6);
            let mut seen = std::vec::Vec::new();
            for cell in 0..6 {
                seen.push(
                    dimensions.labels(cell).map(|(_, value)| value).collect::<std::vec::Vec<_>>(),
                );
            }
            assert_eq!(
                seen,
                [
                    ["get", "no"],
                    ["get", "yes"],
                    ["put", "no"],
                    ["put", "yes"],
                    ["post", "no"],
                    ["post", "yes"]
                ]
            );
            assert_eq!(dimensions.labels(6).next(), None);
        }
    }

    /// A sender that claims a billion values must not make a receiver loop.
    #[test]
    fn a_claimed_product_beyond_the_limit_is_refused() {
        let mut bytes = [0; 64];
        let mut out = Writer::new(&mut bytes);
        out.uvarint(1);
        out.bytes(b"x");
        out.uvarint(1_000_000_000);
        let len = out.finish().unwrap();
        assert!(Dimensions::read(&mut Reader::new(&bytes[..len])).is_none());
    }
}

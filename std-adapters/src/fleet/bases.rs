//! First values of metrics that had counted before, small: they never change and are read seldom.

use tapes_core::metric::BUCKETS_MAX;

use super::identity::MetricKey;
use super::sorted::{Index, Sorted};
use super::value::{Histogram, Stored};

impl Index for MetricKey {
    fn place(self) -> usize {
        self.id as usize
    }
}

/// A value that is kept small.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Base {
    /// Has one number.
    Plain(Stored),
    /// A histogram: its numbers as varints.
    Packed(Box<[u8]>),
}

/// The first values of metrics that had counted before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Bases(Sorted<MetricKey, Base>);

impl Bases {
    pub(super) fn contains(&self, key: MetricKey) -> bool {
        self.0.contains(key)
    }

    /// Returns what was counted since the base of a metric, as [`Stored::since`] does.
    pub(super) fn since(&self, key: MetricKey, value: &Stored) -> Option<Stored> {
        self.0.get(key).map(|base| base.since(value))
    }

    /// Adds a base; a known one stays.
    pub(super) fn insert(&mut self, key: MetricKey, value: &Stored) {
        self.0.insert_new(key, Base::of(value));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (MetricKey, Stored)> {
        self.0.iter().map(|(key, base)| (key, base.unpacked()))
    }

    /// Returns the memory taken by all, but for their places, and their number.
    pub(super) fn sizes_bytes(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|(_, base)| base.size_bytes())
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the memory that a value takes as a base, but for its place.
    pub(super) fn size_bytes_of(value: &Stored) -> usize {
        Base::of(value).size_bytes()
    }
}

impl Base {
    fn of(value: &Stored) -> Self {
        match value {
            Stored::Histogram(histogram) => Self::Packed(packed(histogram)),
            plain => Self::Plain(plain.clone()),
        }
    }

    fn unpacked(&self) -> Stored {
        match self {
            Self::Plain(value) => value.clone(),
            Self::Packed(bytes) => Stored::Histogram(Box::new(unpacked(bytes))),
        }
    }

    fn since(&self, value: &Stored) -> Stored {
        match (self, value) {
            (Self::Packed(bytes), Stored::Histogram(counts)) => {
                let mut since = Box::new(Histogram::clone(counts));
                subtract(&mut since, bytes);
                Stored::Histogram(since)
            }
            _ => value.since(&self.unpacked()),
        }
    }

    fn size_bytes(&self) -> usize {
        match self {
            Self::Plain(value) => value.size_bytes(),
            Self::Packed(bytes) => size_of::<Self>() + bytes.len(),
        }
    }
}

fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// Reads what `push` wrote; 0 behind the end.
fn next(bytes: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0u64, 0);
    while let Some((byte, rest)) = bytes.split_first() {
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        shift += 7;
        if *byte < 0x80 {
            break;
        }
    }
    number
}

/// Returns the numbers of a histogram as varints; minimum and maximum are one more, 0 for none.
fn packed(histogram: &Histogram) -> Box<[u8]> {
    let Histogram { sum, zero, overflow, buckets, min, max } = histogram;
    let mut bytes = Vec::new();
    for number in [*sum, *zero, *overflow] {
        push(&mut bytes, number);
    }
    for number in [min, max] {
        push(&mut bytes, u64::from(number.is_some()));
        push(&mut bytes, number.unwrap_or(0));
    }
    buckets.iter().for_each(|count| push(&mut bytes, *count));
    bytes.into_boxed_slice()
}

fn unpacked(bytes: &[u8]) -> Histogram {
    let mut rest = bytes;
    let rest = &mut rest;
    let (sum, zero, overflow) = (next(rest), next(rest), next(rest));
    let mut optional = || {
        let (is_some, number) = (next(rest), next(rest));
        (is_some != 0).then_some(number)
    };
    let (min, max) = (optional(), optional());
    let mut buckets = Vec::new();
    while !rest.is_empty() && buckets.len() < BUCKETS_MAX as usize {
        buckets.push(next(rest));
    }
    Histogram { sum, zero, overflow, buckets, min, max }
}

/// Takes a packed histogram off one that was counted later.
fn subtract(from: &mut Histogram, bytes: &[u8]) {
    let mut rest = bytes;
    let rest = &mut rest;
    for count in [&mut from.sum, &mut from.zero, &mut from.overflow] {
        *count = count.saturating_sub(next(rest));
    }
    // Minimum and maximum of the base, whether they are there and what they are.
    for _ in 0..4 {
        let _ = next(rest);
    }
    for count in &mut from.buckets {
        *count = count.saturating_sub(next(rest));
    }
    (from.min, from.max) = (None, None);
}

#[cfg(test)]
mod tests {
    use super::{Bases, Histogram, MetricKey, Stored};

    /// A base that changes is added to, or taken from, everything that was counted since.
    #[test]
    fn bases_come_back_as_they_were() {
        let histogram = |min, buckets: &[u64]| {
            let (sum, zero, overflow, max) = (u64::MAX, 0x80, 1 << 62, min);
            let buckets = buckets.to_vec();
            Stored::Histogram(Box::new(Histogram { sum, zero, overflow, buckets, min, max }))
        };
        let values = [
            Stored::Unsigned(u64::MAX),
            Stored::Signed(-1),
            Stored::Null,
            histogram(None, &[]),
            histogram(Some(0), &[0, 127, 128, u64::MAX, 0]),
            histogram(Some(u64::MAX), &[3; 1_024]),
        ];
        let mut bases = Bases::default();
        for (id, value) in (0..).zip(&values) {
            bases.insert(MetricKey::new(id), value);
            bases.insert(MetricKey::new(id), &Stored::Null);
        }
        for (id, base) in (0..).zip(&values) {
            for value in &values {
                let since = bases.since(MetricKey::new(id), value);
                assert_eq!(since, Some(value.since(base)), "{value:?} since {base:?}");
            }
        }
        assert!(bases.iter().map(|(_, value)| value).eq(values));
    }
}

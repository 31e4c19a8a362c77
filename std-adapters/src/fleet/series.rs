//! Adding up: one series of one device out of the values of its epochs.

use std::sync::Arc;

use tapes_core::metric::{BaseUnit, Buckets, Descriptor, Kind, Labels, Unit, Value};

use super::entry::{Description, Entry, OwnedLabels};
use super::value::{Histogram, Stored};

/// What a metric is exported as; the order decides which of two claims to a name wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Only grows: counters and meters.
    Counter,
    /// Is set: gauges and up/down counters.
    Gauge,
    /// Has buckets: histograms and timers.
    Histogram,
}

impl Class {
    /// Returns the class of a kind.
    #[must_use]
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Counter | Kind::Meter => Self::Counter,
            Kind::Histogram(_) | Kind::Timer(_) => Self::Histogram,
            _ => Self::Gauge,
        }
    }

    /// Returns a kind of this class.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Counter => Kind::Counter,
            Self::Gauge => Kind::GaugeFloat,
            Self::Histogram => Kind::Histogram(Buckets { scale: 0, first: 0, len: 1 }),
        }
    }

    /// Returns whether epochs add up; else only the newest counts.
    #[must_use]
    pub const fn adds_up(self) -> bool {
        !matches!(self, Self::Gauge)
    }
}

/// What tells the series of a device apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// Name, segments joined by dots.
    pub name: Box<str>,
    /// Labels, sorted.
    pub labels: OwnedLabels,
    /// What it is exported as.
    pub class: Class,
    /// Name of the base unit.
    pub unit: Box<str>,
}

impl SeriesKey {
    /// Returns a descriptor of its name, class and unit.
    pub(super) fn descriptor(&self) -> Descriptor<'_> {
        let unit = if self.unit.is_empty() {
            Unit::NONE
        } else {
            Unit::new(BaseUnit::Other(&self.unit), 1)
        };
        Descriptor::new(&self.name, self.class.kind(), unit)
    }
}

/// The value of one series, added up over epochs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// What the newest epoch says about it.
    entry: Arc<Entry>,
    /// The same, checked.
    description: Arc<Description>,
    /// Position in the family of the newest epoch's entry.
    cell: u32,
    /// Geometry that all epochs share; coarser than that of any of them if they differ.
    geometry: Option<Buckets>,
    /// Raw steps in one base unit that all epochs share.
    per: u32,
    value: Stored,
}

/// How the value of a sum is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measure {
    pub(super) geometry: Option<Buckets>,
    pub(super) per: u32,
}

/// Two epochs measure the series in ways that cannot be added exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit;

impl Total {
    /// Returns the value of the first epoch; `None` for an entry in quarantine or a value of
    /// another shape than its kind.
    #[must_use]
    pub fn new(entry: &Arc<Entry>, cell: u32, value: Stored) -> Option<Self> {
        let description = entry.description().ok()?;
        let (geometry, per) = (description.kind.buckets(), description.unit().per());
        if !value.fits(description.kind) {
            return None;
        }
        Self::restored(entry, cell, Measure { geometry, per }, value)
    }

    /// Returns a sum as it was when it was saved; `None` for an entry in quarantine.
    #[must_use]
    pub(super) fn restored(
        entry: &Arc<Entry>,
        cell: u32,
        measure: Measure,
        value: Stored,
    ) -> Option<Self> {
        let description = Arc::clone(entry.description().ok()?);
        let Measure { geometry, per } = measure;
        Some(Self { entry: Arc::clone(entry), description, cell, geometry, per, value })
    }

    /// Returns the entry of the newest epoch.
    pub(super) const fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    /// Returns the position in the family of the newest epoch's entry.
    pub(super) const fn cell(&self) -> u32 {
        self.cell
    }

    /// Returns how the value is measured.
    pub(super) const fn measure(&self) -> Measure {
        Measure { geometry: self.geometry, per: self.per }
    }

    /// Returns what tells the series apart, `None` if the family has no such cell.
    #[must_use]
    pub fn key(&self) -> Option<Arc<SeriesKey>> {
        self.description.key_of(self.cell)
    }

    /// Returns what the newest epoch says about the series.
    #[must_use]
    pub const fn description(&self) -> &Arc<Description> {
        &self.description
    }

    /// Returns what orders the texts of one family, of which the first is shown: so two gateways
    /// show the same.
    pub(super) fn help_order(&self) -> (bool, Option<&str>) {
        let help = &self.description.help;
        // Empty texts are not compared: processors take long for it where they point to nothing.
        (help.is_empty(), (!help.is_empty()).then_some(help))
    }

    /// Calls `f` with what core's encoders take; `key` is this series'.
    pub(super) fn read<R>(
        &self,
        key: &SeriesKey,
        name: &str,
        f: impl FnOnce(&Descriptor<'_>, &Value<'_>) -> R,
    ) -> R {
        let labels: Vec<_> = key.labels.iter().map(|(name, v)| (&**name, &**v)).collect();
        let descriptor = Descriptor {
            help: &self.description.help,
            labels: Labels::new(&labels),
            ..Descriptor::new(name, self.kind(), self.unit())
        };
        f(&descriptor, &self.value.as_value(self.kind().buckets()))
    }

    /// Returns the kind, with the geometry that all epochs share.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match (self.description.kind, self.geometry) {
            (Kind::Timer(_), Some(geometry)) => Kind::Timer(geometry),
            (Kind::Histogram(_), Some(geometry)) => Kind::Histogram(geometry),
            (kind, _) => kind,
        }
    }

    /// Returns the unit, with the raw steps that all epochs share.
    #[must_use]
    pub fn unit(&self) -> Unit<'_> {
        Unit::new(self.description.unit().base(), self.per)
    }

    /// Returns the value.
    #[must_use]
    pub const fn value(&self) -> &Stored {
        &self.value
    }

    /// Adds a value of the same series, and stays measured and described as it is.
    ///
    /// # Errors
    ///
    /// [`Misfit`] if the value cannot be told in the raw steps and buckets of this one; nothing is
    /// added then.
    #[cfg(feature = "zmq")]
    pub(super) fn add_as(&mut self, other: &Self) -> Result<(), Misfit> {
        let (_, _, per) = common_steps(self.per, other.per).ok_or(Misfit)?;
        let geometry = match (self.geometry, other.geometry) {
            (Some(own), Some(theirs)) => Some(common_geometry(own, theirs).ok_or(Misfit)?),
            _ => None,
        };
        if (per, geometry) != (self.per, self.geometry) {
            return Err(Misfit);
        }
        let (entry, description) = (Arc::clone(&self.entry), Arc::clone(&self.description));
        let cell = self.cell;
        let added = self.add(other);
        (self.entry, self.description, self.cell) = (entry, description, cell);
        added
    }

    /// Adds the value of a newer epoch of the same series.
    ///
    /// # Errors
    ///
    /// [`Misfit`] if raw steps or buckets have no common measure; nothing is added then.
    pub fn add(&mut self, newer: &Self) -> Result<(), Misfit> {
        let (mine, theirs, per) = common_steps(self.per, newer.per).ok_or(Misfit)?;
        match (&mut self.value, &newer.value) {
            (Stored::Unsigned(a), Stored::Unsigned(b)) => {
                *a = a.saturating_mul(mine).saturating_add(b.saturating_mul(theirs));
            }
            (Stored::Histogram(a), Stored::Histogram(b)) => {
                let (Some(a_geometry), Some(b_geometry)) = (self.geometry, newer.geometry) else {
                    return Err(Misfit);
                };
                let geometry = common_geometry(a_geometry, b_geometry).ok_or(Misfit)?;
                let as_it_is = |other, times| other == geometry && times == 1;
                let mut sum = if as_it_is(a_geometry, mine) {
                    std::mem::take(&mut **a)
                } else {
                    rebinned(a, a_geometry, geometry, mine)
                };
                if as_it_is(b_geometry, theirs) {
                    add_histogram(&mut sum, b);
                } else {
                    add_histogram(&mut sum, &rebinned(b, b_geometry, geometry, theirs));
                }
                **a = sum;
                self.geometry = Some(geometry);
            }
            _ => return Err(Misfit),
        }
        self.per = per;
        self.entry = Arc::clone(&newer.entry);
        self.description = Arc::clone(&newer.description);
        self.cell = newer.cell;
        Ok(())
    }
}

/// Returns by what to multiply raw values of either, and the raw steps that both then have.
fn common_steps(a: u32, b: u32) -> Option<(u64, u64, u32)> {
    let (a, b) = (a.max(1), b.max(1));
    if a >= b && a.is_multiple_of(b) {
        Some((1, u64::from(a / b), a))
    } else if b.is_multiple_of(a) {
        Some((u64::from(b / a), 1, b))
    } else {
        None
    }
}

/// Returns the finest geometry whose bounds are bounds of both, `None` if there is none.
fn common_geometry(a: Buckets, b: Buckets) -> Option<Buckets> {
    let scale = a.scale.min(b.scale);
    let range = |buckets: Buckets| {
        let coarser = buckets.scale - scale;
        let step = 1i64 << coarser;
        let first = i64::from(buckets.first);
        let end = first + i64::from(buckets.len);
        // A bucket that is covered in part is none: its values go to zero or overflow.
        (first.div_euclid(step) + i64::from(first.rem_euclid(step) != 0), end.div_euclid(step))
    };
    let ((a_first, a_end), (b_first, b_end)) = (range(a), range(b));
    let (first, end) = (a_first.max(b_first), a_end.min(b_end));
    let len = u32::try_from(end - first).ok().filter(|len| *len > 0)?;
    Some(Buckets { scale, first: i32::try_from(first).ok()?, len })
}

/// Sorts the counts of a histogram into coarser or fewer buckets, exactly.
fn rebinned(from: &Histogram, source: Buckets, target: Buckets, times: u64) -> Histogram {
    let mut to = Histogram {
        sum: from.sum.saturating_mul(times),
        min: from.min.map(|min| min.saturating_mul(times)),
        max: from.max.map(|max| max.saturating_mul(times)),
        ..from.clone()
    };
    if source == target {
        return to;
    }
    to.buckets = vec![0; target.len as usize];
    let coarser = source.scale - target.scale;
    for (i, count) in (0i64..).zip(&from.buckets) {
        let index = (i64::from(source.first) + i) >> coarser;
        let place = index - i64::from(target.first);
        let bucket = usize::try_from(place).ok().and_then(|place| to.buckets.get_mut(place));
        let bucket = match bucket {
            Some(bucket) => bucket,
            None if place < 0 => &mut to.zero,
            None => &mut to.overflow,
        };
        *bucket = bucket.saturating_add(*count);
    }
    to
}

fn add_histogram(sum: &mut Histogram, other: &Histogram) {
    sum.sum = sum.sum.saturating_add(other.sum);
    sum.zero = sum.zero.saturating_add(other.zero);
    sum.overflow = sum.overflow.saturating_add(other.overflow);
    if sum.buckets.len() < other.buckets.len() {
        sum.buckets.resize(other.buckets.len(), 0);
    }
    for (bucket, count) in sum.buckets.iter_mut().zip(&other.buckets) {
        *bucket = bucket.saturating_add(*count);
    }
    sum.min = [sum.min, other.min].into_iter().flatten().min();
    sum.max = sum.max.max(other.max);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tapes_core::metric::{Buckets, Descriptor, Kind, Unit};

    use super::{Entry, Histogram, Misfit, Stored, Total, common_geometry};

    fn total(kind: Kind, unit: Unit<'_>, value: &Stored) -> Total {
        let descriptor = Descriptor::new("a", kind, unit);
        let entry = Arc::new(Entry::new(b"a", Some(&descriptor)).unwrap());
        Total::new(&entry, 0, value.clone()).expect("value of its kind")
    }

    fn histogram(zero: u64, buckets: &[u64], overflow: u64) -> Stored {
        let buckets = buckets.to_vec();
        let (min, max) = (Some(2), Some(9));
        Stored::Histogram(Box::new(Histogram { sum: 10, zero, overflow, buckets, min, max }))
    }

    /// A firmware that changes from milliseconds to microseconds must not multiply its past.
    #[test]
    fn counts_in_other_steps_add_up_in_the_finer_ones() {
        let count = |per, n| {
            let unit = Unit::new(Unit::MILLIS.base(), per);
            total(Kind::Counter, unit, &Stored::Unsigned(n))
        };
        for (a, b, expected) in [
            ((1_000, 3), (1_000_000, 5), Ok((1_000_000, 3_005))),
            ((1_000_000, 5), (1_000, 3), Ok((1_000_000, 3_005))),
            ((1_000, 5), (32_768, 3), Err(Misfit)),
        ] {
            let mut sum = count(a.0, a.1);
            let result = sum.add(&count(b.0, b.1));
            let got = result.map(|()| (sum.unit().per(), sum.value().count().unwrap()));
            assert_eq!(got, expected, "{a:?} + {b:?}");
        }
    }

    /// A count in the wrong bucket is a wrong quantile for ever.
    #[test]
    fn geometries_meet_at_bounds_that_both_have() {
        let geometry = |scale, first, len| Buckets { scale, first, len };
        for (a, b, expected) in [
            (geometry(2, 0, 8), geometry(2, 0, 8), Some(geometry(2, 0, 8))),
            (geometry(2, 0, 8), geometry(1, 0, 4), Some(geometry(1, 0, 4))),
            (geometry(2, 1, 8), geometry(0, 0, 4), Some(geometry(0, 1, 1))),
            (geometry(2, -5, 8), geometry(1, -9, 20), Some(geometry(1, -2, 3))),
            (geometry(0, 0, 2), geometry(0, 2, 2), None),
        ] {
            assert_eq!(common_geometry(a, b), expected, "{a:?} {b:?}");
            assert_eq!(common_geometry(b, a), expected, "{b:?} {a:?}");
        }
    }

    /// Merging epochs of two scales must keep the count and every bound that both have.
    #[test]
    fn a_finer_histogram_is_coarsened_exactly() {
        let fine = Kind::Histogram(Buckets { scale: 1, first: 1, len: 5 });
        let coarse = Kind::Histogram(Buckets { scale: 0, first: 0, len: 3 });
        let mut sum = total(coarse, Unit::NONE, &histogram(1, &[1, 2, 3], 4));
        // Index 1 is half of octave 0 and goes to zero; 2, 3 are octave 1; 4, 5 are octave 2.
        sum.add(&total(fine, Unit::NONE, &histogram(10, &[20, 30, 40, 50, 60], 70))).unwrap();
        let Stored::Histogram(histogram) = sum.value() else { panic!("still a histogram") };
        assert_eq!(sum.kind().buckets(), Some(Buckets { scale: 0, first: 1, len: 2 }));
        assert_eq!(histogram.zero, 1 + 1 + 10 + 20);
        assert_eq!(histogram.buckets, [2 + 30 + 40, 3 + 50 + 60]);
        assert_eq!(histogram.overflow, 4 + 70);
        assert_eq!((histogram.sum, histogram.min, histogram.max), (20, Some(2), Some(9)));
    }
}

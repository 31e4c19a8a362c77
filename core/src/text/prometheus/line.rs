//! Lines of histograms on hosts: what many of them have in common is made once.
//!
//! A histogram has thirty lines with one name and the same labels, and a page has hundreds of
//! histograms with the same bounds. What was made lies in the encoder itself, of fixed size;
//! what is too long for it is made anew for each line.

use core::fmt::{Error, Result, Write};

use heapless::Vec;

use super::classic::{Classic, IsClassic};
use super::output::{Output, Sink};
use super::padded::Padded;
use super::{Bound, Names, Series, write_f64};
use crate::metric::{BUCKETS_MAX, Buckets, Distribution};
use crate::text::number::Form;

/// Bounds that are kept: those of a scale up to 3 over thirty octaves, or of many more octaves
/// that are coarser.
const BOUNDS: usize = 256;

/// What ends the labels of a line that has a bound.
const END: &str = "\"} ";

/// The text of a bound, and [`END`].
type BoundText = Padded<32>;

/// What histograms have in common.
#[derive(Debug)]
pub(super) struct Lines {
    /// What all buckets of the last histogram begin with, up to the bound, or as much as fits.
    head: Padded<640>,
    /// The last geometry, which most histograms of a program share.
    geometry: Option<Buckets>,
    /// Places of its classic bounds: 0 for that of the zero bucket, else of the bucket before.
    places: Vec<u16, { BUCKETS_MAX as usize + 1 }>,
    /// Texts of its first classic bounds.
    bounds: Vec<BoundText, BOUNDS>,
    pub(super) counts: Counts,
}

/// Room for what a distribution counted: zero, buckets.
#[derive(Debug)]
pub(super) struct Counts([u64; BUCKETS_MAX as usize + 1]);

impl Counts {
    /// Writes the lines of all buckets with a finite bound, and returns how many values there are.
    /// `begin` writes what stands before the count, by the place of the bound.
    #[inline]
    pub(super) fn write_finite(
        &mut self,
        out: &mut Output<'_>,
        distribution: &Distribution<'_>,
        places: &[u16],
        mut begin: impl FnMut(&mut Output<'_>, u16) -> Result,
    ) -> core::result::Result<u64, Error> {
        let mut sums = self.read(distribution);
        for place in places {
            begin(out, *place)?;
            out.write_u64_line(sums.up_to(*place))?;
        }
        Ok(sums.all())
    }

    /// Reads the counts of a distribution.
    fn read(&mut self, distribution: &Distribution<'_>) -> Sums<'_> {
        let counts = distribution.read_counts(&mut self.0).iter();
        Sums { counts, overflow: distribution.overflow(), seen: 0, next: 0 }
    }
}

/// Counts, added up from below.
struct Sums<'c> {
    counts: core::slice::Iter<'c, u64>,
    overflow: u64,
    seen: u64,
    /// The place of the next count.
    next: u16,
}

impl Sums<'_> {
    /// Returns the sum up to a place; places only ever get larger.
    #[inline]
    fn up_to(&mut self, place: u16) -> u64 {
        while self.next <= place {
            self.next = self.next.wrapping_add(1);
            let Some(count) = self.counts.next() else { break };
            self.seen = self.seen.wrapping_add(*count);
        }
        self.seen
    }

    /// Returns the sum of all.
    fn all(self) -> u64 {
        self.counts
            .fold(self.seen.wrapping_add(self.overflow), |sum, count| sum.wrapping_add(*count))
    }
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            head: Padded::new(),
            geometry: None,
            places: Vec::new(),
            bounds: Vec::new(),
            counts: Counts([0; BUCKETS_MAX as usize + 1]),
        }
    }
}

impl Lines {
    /// Writes the lines of all buckets, and returns how many values there are.
    pub(super) fn write(
        &mut self,
        out: &mut Output<'_>,
        series: &Series<'_, '_>,
        names: &Names,
        distribution: &Distribution<'_>,
        classic: (&Classic<'_>, IsClassic),
    ) -> core::result::Result<u64, Error> {
        let geometry = distribution.geometry();
        self.prepare(geometry, classic);
        let Self { head, places, bounds, counts, .. } = self;
        head.clear();
        let is_kept = series.write_up_to_bound(head, names, "_bucket").is_ok();
        let mut bounds = bounds.iter();
        let seen = counts.write_finite(out, distribution, places, |out, place| {
            if is_kept {
                out.write_padded(head)?;
            } else {
                series.write_up_to_bound(out, names, "_bucket")?;
            }
            match bounds.next() {
                Some(text) => out.write_padded(text),
                None => write_bound(out, Bound::At { geometry, place: place.into() }),
            }
        })?;
        series.write(out, names, "_bucket", Some(Bound::Infinite))?;
        out.write_u64_line(seen)?;
        Ok(seen)
    }

    /// Returns the places of the classic bounds of a geometry: 0 for that of the zero bucket, else
    /// of the bucket before.
    pub(super) fn places(
        &mut self,
        geometry: Buckets,
        classic: (&Classic<'_>, IsClassic),
    ) -> &[u16] {
        self.prepare(geometry, classic);
        &self.places
    }

    /// Forgets which bounds are classic.
    pub(super) const fn forget(&mut self) {
        self.geometry = None;
    }

    fn prepare(&mut self, geometry: Buckets, (classic, is_classic): (&Classic<'_>, IsClassic)) {
        if self.geometry == Some(geometry) {
            return;
        }
        self.geometry = Some(geometry);
        self.places.clear();
        self.bounds.clear();
        let buckets = (0..geometry.len.min(BUCKETS_MAX)).map(Some);
        let candidates = core::iter::once(None).chain(buckets).zip(0..);
        self.places.extend(
            candidates.filter(|(bucket, _)| is_classic(classic, geometry, *bucket)).map(|(_, i)| i),
        );
        for place in self.places.iter().take(BOUNDS) {
            let mut text = BoundText::new();
            let bound = Bound::At { geometry, place: u32::from(*place) };
            if write_bound(&mut text, bound).is_err() || self.bounds.push(text).is_err() {
                break;
            }
        }
    }
}

/// Writes a bound and what ends the labels.
fn write_bound<W: Write>(out: &mut W, bound: Bound) -> Result {
    write_f64(out, bound.value(), Form::Canonical)?;
    out.write_str(END)
}

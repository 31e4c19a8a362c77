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
    /// What all buckets begin with, up to the bound; empty if it is too long.
    head: Padded<640>,
    /// The last geometry, which most histograms of a program share.
    geometry: Option<Buckets>,
    /// Places of its classic bounds: 0 for that of the zero bucket, else of the bucket before.
    places: Vec<u16, { BUCKETS_MAX as usize + 1 }>,
    /// Texts of its first classic bounds.
    bounds: Vec<BoundText, BOUNDS>,
    /// What was counted: zero, buckets.
    counts: [u64; BUCKETS_MAX as usize + 1],
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            head: Padded::new(),
            geometry: None,
            places: Vec::new(),
            bounds: Vec::new(),
            counts: [0; BUCKETS_MAX as usize + 1],
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
        (classic, is_classic): (&Classic<'_>, IsClassic),
    ) -> core::result::Result<u64, Error> {
        let geometry = distribution.geometry();
        self.prepare(geometry, |bucket| is_classic(classic, geometry, bucket));
        self.head.clear();
        if series.write_up_to_bound(&mut self.head, names, "_bucket").is_err() {
            self.head.clear();
        }
        let Self { head, places, bounds, counts, .. } = self;
        let mut counts = distribution.read_counts(counts).iter();
        let (mut seen, mut next) = (0u64, 0u16);
        let mut bounds = bounds.iter();
        for place in &*places {
            let below = counts.by_ref().take(usize::from(place.wrapping_sub(next)).wrapping_add(1));
            seen = below.fold(seen, |seen, count| seen.wrapping_add(*count));
            next = place.wrapping_add(1);
            let bound = Bound::At { geometry, place: u32::from(*place) };
            let text = bounds.next();
            if head.is_empty() {
                series.write(out, names, "_bucket", Some(bound))?;
            } else {
                out.write_padded(head)?;
                match text {
                    Some(text) => out.write_padded(text)?,
                    None => write_bound(out, bound)?,
                }
            }
            out.write_u64_line(seen)?;
        }
        seen = counts.fold(seen, |seen, count| seen.wrapping_add(*count));
        seen = seen.wrapping_add(distribution.overflow());
        series.write(out, names, "_bucket", Some(Bound::Infinite))?;
        out.write_u64_line(seen)?;
        Ok(seen)
    }

    /// Forgets which bounds are classic.
    pub(super) const fn forget(&mut self) {
        self.geometry = None;
    }

    fn prepare(&mut self, geometry: Buckets, is_classic: impl Fn(Option<u32>) -> bool) {
        if self.geometry == Some(geometry) {
            return;
        }
        self.geometry = Some(geometry);
        self.places.clear();
        self.bounds.clear();
        let buckets = (0..geometry.len.min(BUCKETS_MAX)).map(Some);
        let classic = core::iter::once(None).chain(buckets).zip(0..);
        self.places.extend(classic.filter(|(bucket, _)| is_classic(*bucket)).map(|(_, i)| i));
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

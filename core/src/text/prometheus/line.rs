//! Lines of histograms on hosts: what many of them have in common is made once.
//!
//! A histogram has thirty lines with one name and the same labels, and a page has hundreds of
//! histograms with the same bounds. What was made lies in the encoder itself, of fixed size;
//! what is too long for it is made anew for each line.

use core::fmt::{Result, Write};

use heapless::String;

use super::{Bound, Series, write_f64};
use crate::metric::Buckets;
use crate::text::escaping::NameWriter;
use crate::text::number::Form;

/// Bounds that are kept: those of a scale up to 3 over thirty octaves, or of many more octaves
/// that are coarser.
const BOUNDS: usize = 256;

/// What ends the labels of a line that has a bound.
const END: &str = "\"} ";

/// The text of a bound, and [`END`].
type BoundText = String<27, u8>;

/// What the lines of one histogram begin with.
#[derive(Debug)]
pub(super) struct Lines {
    /// Of its buckets, up to the bound; empty if it is too long.
    head: String<640, u16>,
    /// The last geometry, which most histograms of a program share.
    geometry: Option<Buckets>,
    /// Texts of its bounds, by place; empty where none was asked for.
    bounds: [BoundText; BOUNDS],
}

impl Default for Lines {
    fn default() -> Self {
        Self { head: String::new(), geometry: None, bounds: [const { BoundText::new() }; BOUNDS] }
    }
}

impl Lines {
    /// Begins the lines of a histogram.
    pub(super) fn begin(&mut self, series: &Series<'_, '_>, names: &NameWriter) {
        self.head.clear();
        if series.write_up_to_bound(&mut self.head, names, "_bucket").is_err() {
            self.head.clear();
        }
    }

    /// Writes a line of a bucket up to the value.
    pub(super) fn write(
        &mut self,
        out: &mut dyn Write,
        series: &Series<'_, '_>,
        names: &NameWriter,
        bound: Bound,
    ) -> Result {
        if self.head.is_empty() {
            return series.write(out, names, "_bucket", Some(bound));
        }
        out.write_str(&self.head)?;
        let Bound::At { geometry, place } = bound else { return out.write_str("+Inf\"} ") };
        if self.geometry != Some(geometry) {
            self.geometry = Some(geometry);
            self.bounds.iter_mut().for_each(BoundText::clear);
        }
        let Some(text) = self.bounds.get_mut(place as usize) else {
            write_f64(out, bound.value(), Form::Canonical)?;
            return out.write_str(END);
        };
        if text.is_empty() {
            write_f64(text, bound.value(), Form::Canonical)?;
            text.write_str(END)?;
        }
        out.write_str(text)
    }
}

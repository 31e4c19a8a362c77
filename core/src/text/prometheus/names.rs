//! Names of families, which hosts make once for all lines of a family.

use core::fmt::Result;

#[cfg(feature = "std")]
use heapless::String;

use super::output::Sink;
#[cfg(feature = "std")]
use super::padded::Padded;
use crate::metric::exposed::Family;
#[cfg(feature = "std")]
use crate::metric::exposed::mangle;
#[cfg(feature = "std")]
use crate::name::NAME_LEN_MAX;
#[cfg(feature = "std")]
use crate::text::escaping::Escaping;
use crate::text::escaping::NameWriter;

/// How names are written; on hosts with the last one that was.
pub(super) struct Names {
    pub(super) writer: NameWriter,
    #[cfg(feature = "std")]
    last: Last,
}

/// What is added to the name of a family of counters.
#[cfg(feature = "std")]
const TOTAL: &str = "_total";

/// The name of a family, and what it was made of.
#[cfg(feature = "std")]
struct Last {
    stem: String<NAME_LEN_MAX, u8>,
    unit: String<NAME_LEN_MAX, u8>,
    is_counter: bool,
    /// Without [`TOTAL`]. Empty if it is too long or written in an unusual way.
    base: Padded<320>,
}

impl Names {
    pub(super) fn new(writer: NameWriter) -> Self {
        Self {
            writer,
            #[cfg(feature = "std")]
            last: Last {
                stem: String::new(),
                unit: String::new(),
                is_counter: false,
                base: Padded::new(),
            },
        }
    }

    /// Makes the name that is written next, unless it is the last one.
    #[cfg(feature = "std")]
    pub(super) fn prepare(&mut self, family: &Family<'_>) {
        let last = &mut self.last;
        let (stem, unit) = family.stem_and_unit();
        let is_same = last.is_counter == family.is_counter()
            && is_equal(&last.unit, unit)
            && is_equal(&last.stem, stem);
        if self.writer.escaping != Escaping::Underscores || (is_same && !last.base.is_empty()) {
            return;
        }
        last.base.clear();
        last.stem.clear();
        last.unit.clear();
        last.is_counter = family.is_counter();
        let fits = last.stem.push_str(stem).is_ok() && last.unit.push_str(unit).is_ok();
        if !fits || !family.push_base(&mut last.base) {
            last.base.clear();
        }
        mangle(last.base.as_mut());
    }

    /// Returns whether the name stands in quotes.
    pub(super) fn is_quoted(&self, family: &Family<'_>) -> bool {
        (self.writer.quotes)(family)
    }

    /// Writes the name, for headers of OpenMetrics without what counters have at the end.
    pub(super) fn write<W: Sink + ?Sized>(
        &self,
        family: &Family<'_>,
        is_header: bool,
        out: &mut W,
    ) -> Result {
        #[cfg(feature = "std")]
        if !self.last.base.is_empty() {
            out.write_padded(&self.last.base)?;
            let has_total = self.last.is_counter && !is_header;
            return if has_total { out.write_str(TOTAL) } else { Ok(()) };
        }
        (self.writer.write)(family, is_header, out.as_write())
    }
}

/// Compares two texts. Empty ones are not looked at: where they point to nothing, processors take
/// hundreds of cycles for it.
#[cfg(feature = "std")]
fn is_equal(a: &str, b: &str) -> bool {
    a.len() == b.len() && (a.is_empty() || a == b)
}

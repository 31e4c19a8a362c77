//! What texts are made of: the pieces of one after the other.

use core::fmt;

use super::text::RatesOf;
use super::text_window::Window;
use crate::metric::{Sample, Value};
use crate::snapshot::Source;

/// A part of a text that is made in one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// Before the first piece; has no text.
    Begin,
    /// Ends a report that was given up.
    LineFeed,
    /// The header of a family.
    Header {
        /// The first metric of the family.
        leader: u32,
    },
    /// A metric, or one cell of a family.
    Sample {
        /// The first metric of its family, where families have headers.
        leader: u32,
        id: u32,
        cell: u32,
    },
    /// What comes after all metrics.
    End,
    /// After the last piece; has no text.
    Done,
    /// Between reports; has no text.
    Idle,
}

/// A piece with all that its text depends on.
pub struct Part<'p> {
    pub(super) piece: Piece,
    /// Id and cell of the sample that was written last in this report, if any.
    pub(super) before: Option<(u32, u32)>,
    pub(super) source: &'p dyn Source,
    /// The value of a sample.
    pub(super) value: Value<'p>,
    pub(super) rates: RatesOf<'p>,
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("piece", &self.piece).finish_non_exhaustive()
    }
}

impl<'p> Part<'p> {
    /// Returns the sample to write, whose own value may have changed.
    pub(super) fn sample(&self) -> Option<Sample<'p>> {
        let Piece::Sample { id, cell, .. } = self.piece else { return None };
        find(self.source, id, cell)
    }
}

/// How a syntax divides a report, and writes its parts.
pub trait Pieces {
    /// Returns the piece after `piece`.
    fn next(&self, piece: Piece, source: &dyn Source) -> Piece;

    /// Writes a part, always the same for the same value, and returns how many lines were left out.
    ///
    /// # Errors
    ///
    /// Only those of `out`.
    fn write(&self, part: &Part<'_>, out: &mut Window<'_>) -> Result<u32, fmt::Error>;
}

/// Returns the sample of a metric, or of one cell of a family.
pub(super) fn find<'s>(source: &'s dyn Source, id: u32, cell: u32) -> Option<Sample<'s>> {
    first(source, id, &mut |sample| sample.id != id || sample.cell == cell)
        .filter(|sample| sample.id == id)
}

/// Returns the first sample from `id` on that is `wanted`.
pub(super) fn first<'s>(
    source: &'s dyn Source,
    id: u32,
    wanted: &mut dyn FnMut(&Sample<'s>) -> bool,
) -> Option<Sample<'s>> {
    use core::ops::ControlFlow::{Break, Continue};
    let mut found = None;
    let _ = source.visit(id, &mut |sample| {
        if wanted(&sample) {
            found = Some(sample);
            return Break(());
        }
        Continue(())
    });
    found
}

/// Returns the first sample after a metric, or after one cell of a family.
pub(super) fn after<'s>(source: &'s dyn Source, at: Option<(u32, u32)>) -> Option<Sample<'s>> {
    let from = at.map_or(0, |(id, _)| id);
    first(source, from, &mut |sample| at.is_none_or(|at| (sample.id, sample.cell) > at))
}

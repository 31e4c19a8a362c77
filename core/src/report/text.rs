//! The text reporter: JSON, Prometheus text or StatsD lines, in chunks of any size.

use core::fmt::Write as _;

use super::text_frozen::Frozen;
use super::text_piece::{Part, Piece, Pieces, find};
use super::text_window::Window;
use crate::rates::RateReading;
use crate::snapshot::Source;

/// What says the rates of the meter or timer with an id and cell, if it knows them.
pub(super) type RatesOf<'r> = &'r dyn Fn(u32, u32) -> Option<RateReading>;

/// How a [`TextReporter`] writes: [`Json`](super::Json), [`Prometheus`](super::Prometheus) or
/// [`Statsd`](super::Statsd). Sealed.
pub trait Syntax: Pieces {}

/// Reports a source as text, for people at a serial console and for readers that know no frames.
///
/// Text is made in chunks of `CHUNK` bytes, so that it goes out over a writer that takes its time,
/// without a buffer for all of it. `BUCKETS` is the number of buckets of the longest histogram, 0
/// if there is none: while a histogram is being written, its counts must not change, so they are
/// copied. A longer one is coarsened until it fits, which costs accuracy of quantiles; one that
/// cannot be is left out and counted.
///
/// ```
/// use tapes_core::report::{Json, TextReporter};
///
/// tapes_core::metrics! {
///     static RADIO: RadioMetrics = "radio" { sent: Counter, lost: Counter }
/// }
///
/// let mut reporter = TextReporter::<Json, 0, 16>::new(Json::new());
/// RADIO.sent.add(12);
/// let mut line = Vec::new(); // or a DMA transfer, a USB packet, a socket
/// reporter.begin();
/// while let Some(chunk) = reporter.next_chunk(&RADIO, &|_, _| None) {
///     assert!(chunk.len() <= 16);
///     line.extend_from_slice(chunk);
/// }
/// assert_eq!(line, b"{\"radio\":{\"lost\":{\"value\":0},\"sent\":{\"value\":12}}}\n");
/// ```
///
/// `report` and `report_async`, with the features `embedded-io` and `embedded-io-async`, do this
/// over a writer.
///
/// # Interrupts and cores
///
/// A reporter belongs to one context; the metrics it reports may be recorded anywhere meanwhile.
/// Nothing is masked.
///
/// # Footprint
///
/// `8 * BUCKETS + CHUNK` bytes and about 130. Only the chosen syntax is linked. A metric that a
/// chunk cuts is made again for the next chunk, so short chunks cost time.
///
/// # Limits
///
/// Each metric is from one moment, not all from the same one.
#[derive(Debug, Clone)]
#[must_use = "a reporter does nothing unless it is asked to report"]
pub struct TextReporter<S, const BUCKETS: usize, const CHUNK: usize> {
    syntax: S,
    pub(super) state: State,
    /// Bucket counts of the metric that is being written.
    counts: [u64; BUCKETS],
    pub(super) chunk: [u8; CHUNK],
}

/// Where a report is; independent of capacities.
#[derive(Debug, Clone)]
pub(super) struct State {
    /// What is being written; [`Piece::Idle`] between reports.
    piece: Piece,
    /// Bytes of it that were in earlier chunks.
    skip: usize,
    /// The value it shows.
    frozen: Frozen,
    /// Id and cell of the sample that was written last in this report.
    before: Option<(u32, u32)>,
    /// As [`TextReporter::dropped`].
    dropped: u32,
}

impl<S: Syntax, const BUCKETS: usize, const CHUNK: usize> TextReporter<S, BUCKETS, CHUNK> {
    /// Returns a reporter.
    pub const fn new(syntax: S) -> Self {
        const { assert!(CHUNK > 0, "a chunk needs room for at least one byte") };
        let frozen = Frozen::Null;
        let piece = Piece::Idle;
        let state = State { piece, skip: 0, frozen, before: None, dropped: 0 };
        Self { syntax, state, counts: [0; BUCKETS], chunk: [0; CHUNK] }
    }

    /// Begins a report.
    ///
    /// If the one before was not followed to its end, because a chunk could not be written, a line
    /// feed ends what there is of it.
    pub const fn begin(&mut self) {
        let clean = matches!(self.state.piece, Piece::Idle | Piece::Begin);
        self.state.piece = if clean { Piece::Begin } else { Piece::LineFeed };
        self.state.skip = 0;
        self.state.before = None;
    }

    /// Returns the next bytes of the report, or `None` at its end. Use the same source all the
    /// time.
    ///
    /// `rates` says the rates of the meter or timer with an id and cell, as
    /// [`Rates::get`](crate::rates::Rates::get) does, always the same within a report.
    pub fn next_chunk(
        &mut self,
        source: &dyn Source,
        rates: &dyn Fn(u32, u32) -> Option<RateReading>,
    ) -> Option<&[u8]> {
        let (len, _) = self.fill(source, rates);
        if len == 0 { None } else { self.chunk.get(..len) }
    }

    /// Fills the chunk; returns how much of it is used, and how much of that, at its end, is of a piece that did not
    /// fit.
    pub(super) fn fill(
        &mut self,
        source: &dyn Source,
        rates: &dyn Fn(u32, u32) -> Option<RateReading>,
    ) -> (usize, usize) {
        self.state.fill(&self.syntax, source, rates, &mut self.counts, &mut self.chunk)
    }

    /// Returns how many metrics and lines were left out so far because they did not fit; saturates.
    #[must_use]
    pub const fn dropped(&self) -> u32 {
        self.state.dropped
    }
}

impl State {
    /// Takes back the last bytes of the piece that did not fit; they come again.
    pub(super) fn give_back(&mut self, len: usize) {
        self.skip = self.skip.saturating_sub(len);
    }

    /// Fills a chunk with one piece after the other.
    fn fill<S: Syntax>(
        &mut self,
        syntax: &S,
        source: &dyn Source,
        rates: RatesOf<'_>,
        counts: &mut [u64],
        chunk: &mut [u8],
    ) -> (usize, usize) {
        let mut window = Window::new(chunk);
        let mut cut = 0;
        if matches!(self.piece, Piece::Begin) {
            self.advance(syntax, source, counts);
        }
        while !matches!(self.piece, Piece::Done | Piece::Idle) && !window.is_full() {
            window.skip(self.skip);
            let value = self.frozen.value(counts);
            let part = Part { piece: self.piece, before: self.before, source, value, rates };
            let result = match self.piece {
                Piece::LineFeed => window.write_str("\n").map(|()| 0),
                _ => syntax.write(&part, &mut window),
            };
            self.skip = self.skip.saturating_add(window.taken());
            match result {
                Ok(dropped) => {
                    self.dropped = self.dropped.saturating_add(dropped);
                    if let Piece::Sample { id, cell, .. } = self.piece {
                        self.before = Some((id, cell));
                    }
                    self.advance(syntax, source, counts);
                }
                // There is more of it than the chunk holds.
                Err(_) => {
                    cut = window.taken();
                    break;
                }
            }
        }
        if window.len() == 0 {
            // The caller has seen the end.
            self.piece = Piece::Idle;
        }
        (window.len(), cut)
    }

    /// Goes on to the next piece that can be written, and freezes its value.
    fn advance<S: Syntax>(&mut self, syntax: &S, source: &dyn Source, counts: &mut [u64]) {
        self.skip = 0;
        if matches!(self.piece, Piece::LineFeed) {
            self.piece = Piece::Begin;
        }
        loop {
            self.piece = syntax.next(self.piece, source);
            let Piece::Sample { id, cell, .. } = self.piece else { return };
            let value = find(source, id, cell).map(|sample| sample.value);
            if value.is_some_and(|value| self.frozen.freeze(&value, counts)) {
                return;
            }
            self.dropped = self.dropped.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TextReporter;
    use crate::report::Json;

    /// The documentation says what a board pays.
    #[test]
    fn sizes() {
        let bare = size_of::<TextReporter<Json, 0, 8>>() - 8;
        assert!((110..=140).contains(&bare), "{bare}");
        assert_eq!(size_of::<TextReporter<Json, 100, 64>>(), bare + 800 + 64);
    }
}

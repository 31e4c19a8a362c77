//! The syntaxes of the text reporter.

use core::fmt::{Error, Write as _};

use super::text::Syntax;
use super::text_piece::{Part, Piece, Pieces, after, find, first};
use super::text_window::Window;
use crate::metric::{Sample, Value};
use crate::snapshot::Source;
use crate::statistics::Statistics;
use crate::text::json::{TreeWriter, next_by_name};
use crate::text::prometheus::{self, Family, Format, has_earlier};
use crate::text::statsd::{self, Dialect, LINE_LEN_MAX};

/// One JSON object for each report, on a line of its own: see [`text::json`](crate::text::json).
///
/// # Limits
///
/// Looks at every metric once for each metric, as
/// [`write_json`](crate::text::json::write_json) does; producers of gauges are called as often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Json {
    statistics: Statistics,
}

impl Json {
    /// Returns the syntax.
    #[must_use]
    pub const fn new() -> Self {
        Self { statistics: Statistics::ALL }
    }

    /// As [`TreeWriter::with_statistics`].
    #[must_use]
    pub const fn with_statistics(mut self, statistics: Statistics) -> Self {
        self.statistics = statistics;
        self
    }
}

impl Syntax for Json {}

impl Pieces for Json {
    fn next(&self, piece: Piece, source: &dyn Source) -> Piece {
        let before = match piece {
            Piece::Begin => None,
            Piece::Sample { id, cell, .. } => Some((id, cell)),
            _ => return Piece::Done,
        };
        let next_cell = before.and_then(|(id, cell)| find(source, id, cell.wrapping_add(1)));
        let next = next_cell.map(|sample| (sample.id, sample.cell)).or_else(|| {
            let last = before.and_then(|(id, cell)| find(source, id, cell));
            let (_, id) = next_by_name(source, last.map(|sample| sample.descriptor().name))?;
            Some((id, 0))
        });
        match next {
            Some((id, cell)) => Piece::Sample { leader: id, id, cell },
            None => Piece::End,
        }
    }

    fn write(&self, part: &Part<'_>, out: &mut Window<'_>) -> Result<u32, Error> {
        let window = &*out;
        let mut shared = window;
        // Only the first piece shows the brace that opens the object.
        window.mute(part.before.is_some());
        let mut tree = TreeWriter::new(&mut shared)?.with_statistics(self.statistics);
        if let Some(last) = part.before.and_then(|(id, cell)| find(part.source, id, cell)) {
            // Brings the writer to where it was after the piece before.
            tree.metric(&last.descriptor(), last.cell, &Value::Null, None)?;
        }
        window.mute(false);
        if let Some(sample) = part.sample() {
            let rates = (part.rates)(sample.id, sample.cell);
            tree.metric(&sample.descriptor(), sample.cell, &part.value, rates)?;
        } else if part.piece == Piece::End {
            tree.finish()?;
            out.write_str("\n")?;
        }
        Ok(0)
    }
}

/// An exposition for each report: see [`text::prometheus`](crate::text::prometheus).
///
/// The rule for metrics of one family, and for those that clash, is that of
/// [`write_prometheus`](prometheus::write_prometheus).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Prometheus {
    format: Format,
    classic_scale: u8,
}

impl Prometheus {
    /// Returns the syntax of a format.
    #[must_use]
    pub const fn new(format: Format) -> Self {
        Self { format, classic_scale: prometheus::CLASSIC_SCALE_DEFAULT }
    }

    /// As [`Encoder::with_classic_scale`](prometheus::Encoder::with_classic_scale).
    #[must_use]
    pub const fn with_classic_scale(mut self, scale: u8) -> Self {
        self.classic_scale = scale;
        self
    }
}

impl Syntax for Prometheus {}

impl Pieces for Prometheus {
    fn next(&self, piece: Piece, source: &dyn Source) -> Piece {
        let leader = match piece {
            Piece::Begin => None,
            Piece::Header { leader } => {
                return Piece::Sample { leader, id: leader, cell: 0 };
            }
            Piece::Sample { leader, id, cell, .. } => {
                if let Some(member) = next_member(source, leader, (id, cell)) {
                    return Piece::Sample { leader, id: member.id, cell: member.cell };
                }
                Some(leader)
            }
            _ => return Piece::Done,
        };
        let from = leader.map_or(0, |leader| leader.saturating_add(1));
        let next = first(source, from, &mut |sample| {
            sample.cell == 0 && !has_earlier(source, sample.id, &Family::of(&sample.descriptor()))
        });
        match next {
            Some(sample) => Piece::Header { leader: sample.id },
            None => Piece::End,
        }
    }

    fn write(&self, part: &Part<'_>, out: &mut Window<'_>) -> Result<u32, Error> {
        let mut encoder = prometheus::Encoder::new(out, self.format);
        encoder = encoder.with_classic_scale(self.classic_scale);
        if let Piece::Header { leader } = part.piece
            && let Some(sample) = find(part.source, leader, 0)
        {
            encoder.family(&sample.descriptor())?;
        } else if let Some(sample) = part.sample() {
            encoder.sample(&[], &sample.descriptor(), sample.cell, &part.value)?;
        } else if part.piece == Piece::End {
            return encoder.finish().map(|()| 0);
        }
        encoder.flush().map(|()| 0)
    }
}

/// Returns the next sample after `at` that is of the family of `leader`.
fn next_member<'s>(source: &'s dyn Source, leader: u32, at: (u32, u32)) -> Option<Sample<'s>> {
    let family = Family::of(&find(source, leader, 0)?.descriptor());
    first(source, at.0, &mut |sample| {
        let other = Family::of(&sample.descriptor());
        (sample.id, sample.cell) > at && other == family && other.type_name() == family.type_name()
    })
}

/// StatsD lines, a line feed after each: see [`text::statsd`](crate::text::statsd).
///
/// What is counted is sent as [lifetime totals](statsd::Encoder::with_totals), which need no memory
/// of the last report; in the tapes dialect, which has no such lines, counters are sent as lifetime
/// totals of type `c`, as tapes does.
///
/// Takes the stack for a line: [`LINE_LEN_MAX`] bytes, 512 with tags. Longer lines are left out
/// and counted.
///
/// ```
/// use tapes_core::report::{Prometheus, Statsd, Syntax, TextReporter};
/// use tapes_core::text::prometheus::Format;
/// use tapes_core::text::statsd::Dialect;
///
/// tapes_core::metrics! {
///     static RADIO: RadioMetrics = "radio" { sent: Counter }
/// }
///
/// /// Everything in one piece.
/// fn text<S: Syntax>(syntax: S) -> String {
///     let mut reporter = TextReporter::<S, 0, 256>::new(syntax);
///     reporter.begin();
///     let text = reporter.next_chunk(&RADIO, &|_, _| None).unwrap();
///     String::from_utf8_lossy(text).into_owned()
/// }
/// let statsd = Statsd::new(Dialect::DogStatsd).with_prefix("left").with_tags(&[("room", "7")]);
/// assert_eq!(text(statsd), "left.radio.sent.total:0|g|#room:7\n");
/// let classic = Prometheus::new(Format::Prometheus).with_classic_scale(1);
/// assert!(text(classic).ends_with("radio_sent_total 0\n"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Statsd {
    dialect: Dialect,
    prefix: &'static str,
    tags: &'static [(&'static str, &'static str)],
    statistics: Statistics,
}

/// Room for a line: without tags or labels none is longer than `LINE_LEN_MAX`.
pub(super) const LINE_LEN: usize = 512;

const _: () = assert!(LINE_LEN_MAX <= LINE_LEN, "raise LINE_LEN: the longest plain line must fit");

impl Statsd {
    /// Returns the syntax of a dialect.
    #[must_use]
    pub const fn new(dialect: Dialect) -> Self {
        Self { dialect, prefix: "", tags: &[], statistics: Statistics::ALL }
    }

    /// As [`Encoder::with_statistics`](statsd::Encoder::with_statistics).
    #[must_use]
    pub const fn with_statistics(mut self, statistics: Statistics) -> Self {
        self.statistics = statistics;
        self
    }

    /// As [`Encoder::with_prefix`](statsd::Encoder::with_prefix).
    #[must_use]
    pub const fn with_prefix(mut self, prefix: &'static str) -> Self {
        self.prefix = prefix;
        self
    }

    /// As [`Encoder::with_tags`](statsd::Encoder::with_tags).
    #[must_use]
    pub const fn with_tags(mut self, tags: &'static [(&'static str, &'static str)]) -> Self {
        self.tags = tags;
        self
    }
}

impl Syntax for Statsd {}

impl Pieces for Statsd {
    fn next(&self, piece: Piece, source: &dyn Source) -> Piece {
        let before = match piece {
            Piece::Begin => None,
            Piece::Sample { id, cell, .. } => Some((id, cell)),
            _ => return Piece::Done,
        };
        match after(source, before) {
            Some(Sample { id, cell, .. }) => Piece::Sample { leader: id, id, cell },
            None => Piece::Done,
        }
    }

    fn write(&self, part: &Part<'_>, out: &mut Window<'_>) -> Result<u32, Error> {
        let Some(sample) = part.sample() else { return Ok(0) };
        let mut line = [0; LINE_LEN];
        let mut encoder = statsd::Encoder::new(self.dialect, &mut line)
            .with_prefix(self.prefix)
            .with_tags(self.tags)
            .with_statistics(self.statistics)
            .with_totals(true);
        let rates = (part.rates)(sample.id, sample.cell);
        let mut result = Ok(());
        encoder.metric(&sample.descriptor(), sample.cell, &part.value, None, rates, &mut |line| {
            if result.is_ok() {
                result = out.write_str(line).and_then(|()| out.write_str("\n"));
            }
        });
        result.map(|()| encoder.dropped())
    }
}

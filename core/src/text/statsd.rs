//! StatsD lines, in three dialects.
//!
//! An [`Encoder`] makes the lines of a metric in a buffer of the caller's and hands them over one
//! by one, so the caller packs them into datagrams as he likes:
//!
//! ```
//! use tapes_core::metric::{Descriptor, Kind, Unit, Value};
//! use tapes_core::text::statsd::{Dialect, Encoder, LINE_LEN_MAX};
//!
//! let mut buffer = [0; LINE_LEN_MAX];
//! let mut encoder = Encoder::new(Dialect::Etsy, &mut buffer).with_prefix("left");
//! let mut lines = Vec::new();
//! let mut sink = |line: &str| lines.push(line.to_string());
//! let loops = Descriptor::new("motor.loops", Kind::Counter, Unit::NONE);
//! encoder.metric(&loops, 0, &Value::Unsigned(1_007), Some(7), None, &mut sink);
//! let level = Descriptor::new("tank.level", Kind::GaugeInt, Unit::MILLIS);
//! encoder.metric(&level, 0, &Value::Signed(-1_500), None, None, &mut sink);
//! assert_eq!(lines, ["left.motor.loops:7|c", "left.tank.level:0|g\nleft.tank.level:-1.5|g"]);
//! ```
//!
//! | kind | Etsy, DogStatsD | tapes |
//! |---|---|---|
//! | counter | `N` c | `N.value` c |
//! | up/down counter, gauge | `N` g | `N.value` g |
//! | meter | `N` c, `N.m1_rate` and so on g | `N.total` g, `N.m1_rate` and so on ms |
//! | histogram | `N.count` c, `N.min` to `N.q999` g | `N.total` g, `N.min` to `N.q999` ms |
//! | timer | both of the above | both of the above, in milliseconds |
//!
//! - StatsD servers add `c` up, so it carries the growth since the last report, which the caller
//!   knows; or ask for lifetime [totals](Encoder::with_totals), `N.total` g, which lose nothing
//!   when a datagram is lost.
//! - Other values are in base units (the tapes dialect sends timers in milliseconds), in plain
//!   decimals without exponents.
//! - To plain StatsD a negative gauge is a change, so it is set to 0 first, in the same line
//!   hand-over: both lines must travel in one datagram. DogStatsD sets it as it is.
//! - Names keep letters, digits, `_`, `.` and, but for DogStatsD, `-`; in DogStatsD labels
//!   become tags; elsewhere the values of enumerated labels follow the name, `N.overheat`, and
//!   constant labels are left out.
//! - What has no number, or none of a sensible size (1e40 and more), has no line; what is smaller
//!   than 1e-40 is 0. An empty histogram has no statistics, except in the tapes dialect, where
//!   they are 0.

mod line;
mod lines;
mod names;

use core::fmt::{self, Debug, Formatter, Write};

use line::Line;
use lines::{Lines, sensible};

use super::number::{Form, SCALED_LEN_MAX, write_f64};
use crate::metric::{Descriptor, Kind, Value};
use crate::name::NAME_LEN_MAX;
use crate::rates::RateReading;
use crate::statistics::{Statistics, Summary};

/// Which StatsD to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Dialect {
    /// The original, and most other servers.
    Etsy,
    /// Datadog's, with tags.
    DogStatsd,
    /// Names and types of the Python library tapes 0.3, for dashboards that exist already.
    Tapes,
}

/// Longest prefix, in bytes: with it, a name and a suffix stay below the 200 that DogStatsD takes.
pub const PREFIX_LEN_MAX: usize = 60;

/// Longest suffix of a name: `.m15_rate` and `.mean_rate`.
const SUFFIX_LEN_MAX: usize = 10;

/// Longest number: a sign, and 40 digits before or 57 after the point.
const NUMBER_LEN_MAX: usize = 60;

/// Longest line without tags and enumerated labels, in bytes; a buffer of this size loses nothing to plain StatsD.
///
/// The longest is the pair of lines of a negative gauge, in the tapes dialect.
pub const LINE_LEN_MAX: usize = {
    let name = PREFIX_LEN_MAX + 1 + NAME_LEN_MAX;
    let gauge = name + ".value".len();
    let pair = gauge + ":0|g\n".len() + gauge + 1 + NUMBER_LEN_MAX + 2;
    let single = name + SUFFIX_LEN_MAX + 1 + NUMBER_LEN_MAX + "|ms".len();
    if pair > single { pair } else { single }
};

const _: () = {
    assert!(LINE_LEN_MAX <= 512, "a line must fit the smallest usual datagram: lower NAME_LEN_MAX");
    assert!(
        PREFIX_LEN_MAX + 1 + NAME_LEN_MAX + SUFFIX_LEN_MAX <= 200,
        "DogStatsD takes names of 200 bytes: lower PREFIX_LEN_MAX"
    );
    assert!(SCALED_LEN_MAX < NUMBER_LEN_MAX, "the longest exact number must fit a line");
};

/// Makes the lines of metrics.
pub struct Encoder<'a> {
    dialect: Dialect,
    prefix: &'a str,
    tags: &'a [(&'a str, &'a str)],
    totals: bool,
    statistics: Statistics,
    line: Line<'a>,
    dropped: u32,
}

impl Debug for Encoder<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}

impl<'a> Encoder<'a> {
    /// Returns an encoder that makes lines in `buffer`, whose length is that of the longest line:
    /// [`LINE_LEN_MAX`] and, with tags, the length of those, or what a datagram holds.
    #[must_use]
    pub fn new(dialect: Dialect, buffer: &'a mut [u8]) -> Self {
        let line = Line::new(buffer);
        let statistics = Statistics::ALL;
        Self { dialect, prefix: "", tags: &[], totals: false, statistics, line, dropped: 0 }
    }

    /// Sets what comes before every name, joined by a dot; cut to [`PREFIX_LEN_MAX`] bytes.
    ///
    /// Defaults to nothing.
    #[must_use]
    pub fn with_prefix(mut self, prefix: &'a str) -> Self {
        let mut len = PREFIX_LEN_MAX.min(prefix.len());
        while !prefix.is_char_boundary(len) {
            len = len.saturating_sub(1);
        }
        self.prefix = prefix.get(..len).unwrap_or("");
        self
    }

    /// Sets tags that come before the labels of every metric, in DogStatsD.
    ///
    /// Defaults to none.
    #[must_use]
    pub fn with_tags(mut self, tags: &'a [(&'a str, &'a str)]) -> Self {
        self.tags = tags;
        self
    }

    /// Sets whether lifetime totals are sent as gauges `N.total` instead of growth as counters.
    ///
    /// Defaults to no. The tapes dialect has its own rule.
    ///
    /// ```
    /// use tapes_core::metric::{Descriptor, Kind, Unit, Value};
    /// use tapes_core::text::statsd::{Dialect, Encoder};
    ///
    /// let mut buffer = [0; 512];
    /// let mut encoder = Encoder::new(Dialect::DogStatsd, &mut buffer)
    ///     .with_totals(true)
    ///     .with_tags(&[("side", "left")]);
    /// let loops = Descriptor::new("motor.loops", Kind::Counter, Unit::NONE);
    /// encoder.metric(&loops, 0, &Value::Unsigned(7), None, None, &mut |line| {
    ///     assert_eq!(line, "motor.loops.total:7|g|#side:left");
    /// });
    /// assert_eq!(encoder.dropped(), 0);
    /// ```
    #[must_use]
    pub fn with_totals(mut self, totals: bool) -> Self {
        self.totals = totals;
        self
    }

    /// Sets for which statistics of meters, histograms and timers there are lines.
    ///
    /// Defaults to all.
    #[must_use]
    pub const fn with_statistics(mut self, statistics: Statistics) -> Self {
        self.statistics = statistics;
        self
    }

    /// Returns how many lines did not fit the buffer and were left out.
    #[must_use]
    pub const fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Makes the lines of one metric and hands each to `sink`, without the line feed at its end.
    /// `cell` is its position in a family, 0 for a single metric.
    ///
    /// `growth` is what a counter or meter has grown by since its last line was sent, in raw
    /// steps, or how many values a histogram or timer has taken in; without it there is no `c`
    /// line (the tapes dialect then sends the value itself, as tapes does). `rates` are those of a
    /// meter or timer.
    pub fn metric(
        &mut self,
        descriptor: &Descriptor<'_>,
        cell: u32,
        value: &Value<'_>,
        growth: Option<u64>,
        rates: Option<RateReading>,
        sink: &mut dyn FnMut(&str),
    ) {
        let per = descriptor.unit.per();
        let mut lines = Lines { encoder: self, descriptor, cell, sink };
        match (descriptor.kind, value) {
            (Kind::Counter, Value::Unsigned(count)) => {
                lines.count("", "value", *count, growth, per);
            }
            (Kind::Meter, Value::Unsigned(count)) => {
                if lines.wants(Statistics::COUNT) {
                    lines.count("", "total", *count, growth, per);
                }
                lines.rates(rates, per);
            }
            (Kind::Timer(_), Value::Distribution(distribution)) => {
                let summary = Summary::of(distribution, descriptor.unit);
                if lines.wants(Statistics::COUNT) {
                    lines.count("count", "total", summary.count, growth, 1);
                }
                lines.rates(rates, 1);
                lines.summary(&summary);
            }
            (_, Value::Distribution(distribution)) => {
                let summary = Summary::of(distribution, descriptor.unit);
                if lines.wants(Statistics::COUNT) {
                    lines.count("count", "total", summary.count, growth, 1);
                }
                lines.summary(&summary);
            }
            (_, value) => lines.gauge(value, per),
        }
    }

    /// Makes the line that adds `count` values at `value`, in base units, to a distribution of
    /// DogStatsD: `N:value|d|@rate`, where `1 / rate` is `count`. No other server knows the type.
    ///
    /// The agent adds the whole part of `1 / rate` values; that is `count`, exactly below 2^52.
    pub fn distribution(
        &mut self,
        descriptor: &Descriptor<'_>,
        cell: u32,
        value: f64,
        count: u64,
        sink: &mut dyn FnMut(&str),
    ) {
        let Some(value) = sensible(value) else { return };
        let mut buffer = [0; RATE_LEN_MAX];
        let mut type_ = Line::new(&mut buffer);
        let written = match count {
            0 => return,
            1 => type_.write_str("d"),
            _ => type_
                .write_str("d|@")
                .and_then(|()| write_f64(&mut type_, rate_of(count), Form::Plain)),
        };
        let (Ok(()), Some(type_)) = (written, type_.as_str()) else { return };
        let mut lines = Lines { encoder: self, descriptor, cell, sink };
        lines.line("", type_, &|out| write_f64(out, value, Form::Plain));
    }
}

/// Longest `d|@` and rate: 0, a point, 19 zeros and 17 digits.
const RATE_LEN_MAX: usize = 48;

/// Returns the sample rate whose inverse has `count` as its whole part.
fn rate_of(count: u64) -> f64 {
    let rate = 1.0 / count as f64;
    // Rounded up, the inverse may lie just below.
    if 1.0 / rate < count as f64 { f64::from_bits(rate.to_bits().wrapping_sub(1)) } else { rate }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Buckets, Counts, Distribution, Labels, Unit};
    use std::string::{String, ToString};
    use std::vec::Vec;

    const BUCKETS: Buckets = Buckets { scale: 2, first: -40, len: 80 };
    const RATES: RateReading = RateReading { m1: 0.5, m5: 1e-7, m15: 0.0, mean: 2.0 };

    struct Report<'a> {
        dialect: Dialect,
        kind: Kind,
        unit: Unit<'a>,
        value: Value<'a>,
        growth: Option<u64>,
    }

    impl Report<'_> {
        fn lines(&self) -> Vec<String> {
            let mut buffer = [0; LINE_LEN_MAX];
            let mut encoder = Encoder::new(self.dialect, &mut buffer);
            let mut lines = Vec::new();
            encoder.metric(
                &Descriptor::new("a.b-c", self.kind, self.unit),
                0,
                &self.value,
                self.growth,
                Some(RATES),
                &mut |line| lines.push(line.to_string()),
            );
            assert_eq!(encoder.dropped(), 0);
            lines
        }
    }

    /// A value that a server misreads corrupts what is on the dashboards.
    #[test]
    fn single_values() {
        use Dialect::{DogStatsd, Etsy, Tapes};
        use Kind::{Counter, GaugeDouble, GaugeFloat, GaugeInt, UpDown};
        use Value::{F32, F64, Null, Signed, Unsigned};
        let none = Unit::NONE;
        for (dialect, kind, unit, value, growth, expected) in [
            (Etsy, Counter, none, Unsigned(9), Some(4), ["a.b-c:4|c"].as_slice()),
            (Etsy, Counter, Unit::MICROS, Unsigned(9), Some(1_500_000), &["a.b-c:1.5|c"]),
            (Etsy, Counter, none, Unsigned(9), Some(0), &["a.b-c:0|c"]),
            (Etsy, Counter, none, Unsigned(9), None, &[]),
            (DogStatsd, Counter, none, Unsigned(9), Some(4), &["a.b_c:4|c"]),
            (Tapes, Counter, none, Unsigned(9), Some(4), &["a.b-c.value:4|c"]),
            (Tapes, Counter, none, Unsigned(9), None, &["a.b-c.value:9|c"]),
            (Etsy, UpDown, none, Signed(-7), None, &["a.b-c:0|g\na.b-c:-7|g"]),
            (Tapes, GaugeInt, none, Signed(-7), None, &["a.b-c.value:0|g\na.b-c.value:-7|g"]),
            (DogStatsd, GaugeInt, none, Signed(-7), None, &["a.b_c:-7|g"]),
            (Etsy, GaugeFloat, none, F32(20.1), None, &["a.b-c:20.1|g"]),
            (Etsy, GaugeFloat, none, F32(-0.0), None, &["a.b-c:0|g"]),
            (Etsy, GaugeDouble, none, F64(1e-7), None, &["a.b-c:0.0000001|g"]),
            (Etsy, GaugeDouble, none, F64(-1e-41), None, &["a.b-c:0|g"]),
            (Etsy, GaugeDouble, none, F64(1e40), None, &[]),
            (Etsy, GaugeDouble, none, F64(f64::NAN), None, &[]),
            (Etsy, GaugeFloat, none, F32(f32::NEG_INFINITY), None, &[]),
            (Etsy, GaugeFloat, none, Null, None, &[]),
        ] {
            assert_eq!(Report { dialect, kind, unit, value, growth }.lines(), expected);
        }
    }

    fn timer(dialect: Dialect, kind: Kind, values: u64) -> Vec<String> {
        let counts = match values {
            0 => Counts::default(),
            _ => Counts {
                sum: 1_500 * values,
                min: Some(1_500),
                max: Some(1_500),
                zero: values,
                overflow: 0,
                buckets: &[],
            },
        };
        let value = Value::Distribution(Distribution::new(BUCKETS, counts));
        Report { dialect, kind, unit: Unit::MICROS, value, growth: Some(2) }.lines()
    }

    /// A statistic that is missing or has the wrong type breaks a dashboard.
    #[test]
    fn timers() {
        assert_eq!(
            timer(Dialect::Etsy, Kind::Timer(BUCKETS), 4),
            [
                "a.b-c.count:2|c",
                "a.b-c.m1_rate:0.5|g",
                "a.b-c.m5_rate:0.0000001|g",
                "a.b-c.m15_rate:0|g",
                "a.b-c.mean_rate:2|g",
                "a.b-c.min:0.0015|g",
                "a.b-c.max:0.0015|g",
                "a.b-c.mean:0.0015|g",
                "a.b-c.stddev:0|g",
                "a.b-c.q50:0.0015|g",
                "a.b-c.q75:0.0015|g",
                "a.b-c.q95:0.0015|g",
                "a.b-c.q98:0.0015|g",
                "a.b-c.q99:0.0015|g",
                "a.b-c.q999:0.0015|g",
            ]
        );
        assert_eq!(
            timer(Dialect::Tapes, Kind::Timer(BUCKETS), 4),
            [
                "a.b-c.total:4|g",
                "a.b-c.m1_rate:0.5|ms",
                "a.b-c.m5_rate:0.0000001|ms",
                "a.b-c.m15_rate:0|ms",
                "a.b-c.min:1.5|ms",
                "a.b-c.max:1.5|ms",
                "a.b-c.mean:1.5|ms",
                "a.b-c.stddev:0|ms",
                "a.b-c.q50:1.5|ms",
                "a.b-c.q75:1.5|ms",
                "a.b-c.q95:1.5|ms",
                "a.b-c.q98:1.5|ms",
                "a.b-c.q99:1.5|ms",
                "a.b-c.q999:1.5|ms",
            ]
        );
        assert_eq!(timer(Dialect::Etsy, Kind::Histogram(BUCKETS), 0), ["a.b-c.count:2|c"]);
        let empty = timer(Dialect::Tapes, Kind::Histogram(BUCKETS), 0);
        assert_eq!((empty.len(), empty[1].as_str()), (11, "a.b-c.min:0|ms"));
    }

    /// Text that reaches the line unchanged could forge other metrics.
    #[test]
    fn names_and_tags_are_cleaned() {
        let mut descriptor = Descriptor::new("_a:b|c\nd é", Kind::Counter, Unit::NONE);
        descriptor.labels = Labels::new(&[("k:1", "v:1|c\n#,é")]);
        for (dialect, expected) in [
            (Dialect::Etsy, "p_q._a_b_c_d__:1|c"),
            (Dialect::DogStatsd, "p_q._a_b_c_d__:1|c|#device:x,k_1:v:1_c___é"),
        ] {
            let mut buffer = [0; 512];
            let mut line = String::new();
            Encoder::new(dialect, &mut buffer)
                .with_prefix("p q")
                .with_tags(&[("device", "x")])
                .metric(&descriptor, 0, &Value::Unsigned(1), Some(1), None, &mut |l| line += l);
            assert_eq!(line, expected);
        }
        let mut buffer = [0; 512];
        let mut line = String::new();
        Encoder::new(Dialect::DogStatsd, &mut buffer).with_totals(true).metric(
            &descriptor,
            0,
            &Value::Unsigned(5),
            None,
            None,
            &mut |l| line += l,
        );
        assert_eq!(line, "m_a_b_c_d__.total:5|g|#k_1:v:1_c___é");
    }

    /// A line that does not fit is left out as a whole and counted; a longest one does fit.
    #[test]
    fn lines_that_do_not_fit() {
        let name = "n".repeat(NAME_LEN_MAX);
        let prefix = "p".repeat(PREFIX_LEN_MAX + 1);
        let unit = Unit::new(crate::metric::BaseUnit::None, 1 << 31);
        let descriptor = Descriptor::new(&name, Kind::GaugeInt, unit);
        let value = Value::Signed(i64::MIN + 1);
        for (spare, dropped) in [(0, 0), (17, 0), (18, 1)] {
            let mut buffer = [0; LINE_LEN_MAX];
            let buffer = &mut buffer[..LINE_LEN_MAX - spare];
            let mut encoder = Encoder::new(Dialect::Tapes, buffer).with_prefix(&prefix);
            let mut lines = 0;
            encoder.metric(&descriptor, 0, &value, None, None, &mut |_| lines += 1);
            assert_eq!((lines, encoder.dropped()), (1 - dropped, dropped), "{spare}");
        }
        let mut encoder = Encoder::new(Dialect::Tapes, &mut []);
        encoder.metric(&descriptor, 0, &value, None, None, &mut |_| unreachable!());
        assert_eq!(encoder.dropped(), 1);
    }

    /// The longest numbers must fit where the buffer is sized by the constants.
    #[test]
    fn numbers_are_bounded() {
        for value in [9.999_999_999_999_999e39, 1.234_567_890_123_456_7e-40, 1e39 / 3.0] {
            let mut text = String::new();
            write_f64(&mut text, -value, Form::Plain).unwrap();
            assert!(text.len() <= NUMBER_LEN_MAX, "{text}");
        }
    }

    /// An agent that adds one value less, or a rate that it misreads, bends every percentile.
    #[test]
    fn distributions_add_exactly_as_many_values() {
        let line = |value: f64, count: u64| {
            let mut buffer = [0; LINE_LEN_MAX];
            let mut encoder =
                Encoder::new(Dialect::DogStatsd, &mut buffer).with_tags(&[("env", "lab")]);
            let mut text = String::new();
            let descriptor = Descriptor::new("wait", Kind::Histogram(BUCKETS), Unit::MICROS);
            encoder.distribution(&descriptor, 0, value, count, &mut |line| text.push_str(line));
            text
        };
        assert_eq!(line(0.25, 1), "wait:0.25|d|#env:lab");
        assert_eq!(line(0.25, 4), "wait:0.25|d|@0.25|#env:lab");
        assert_eq!((line(1.0, 0), line(f64::NAN, 3)), (String::new(), String::new()));
        for count in (2..5_000).chain([1 << 40, (1 << 52) - 1, 49, 98, 103, 107, 161]) {
            let text = line(1.0, count);
            let rate = text.split('|').nth(2).and_then(|rate| rate.strip_prefix('@')).unwrap();
            assert!(rate.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit()), "{text}");
            let inverse = 1.0 / rate.parse::<f64>().unwrap();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "so does it"
            )]
            let added = inverse as u64;
            assert_eq!(added, count, "{text}");
        }
    }
}

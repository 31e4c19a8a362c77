//! Names beyond what old servers read: the escaping schemes of Prometheus 3.

use core::fmt::{Display, Formatter, Result, Write};

use crate::metric::exposed::Family;

/// How names that Prometheus 2 would refuse are written.
///
/// | scheme | `motor.loop-time` of microseconds |
/// |---|---|
/// | `Underscores` | `motor_loop_time_seconds` |
/// | `Dots` | `motor_dot_loop_time__seconds` |
/// | `Values` | `U__motor_2e_loop_2d_time__seconds` |
/// | `Utf8` | `"motor.loop-time_seconds"`, in quotes |
///
/// ```
/// use tapes_core::metric::{Descriptor, Kind, Unit, Value};
/// use tapes_core::text::prometheus::{Encoder, Escaping, Format};
///
/// let loops = Descriptor::new("motor.loops", Kind::Counter, Unit::NONE);
/// let mut text = String::new();
/// let mut encoder = Encoder::new(&mut text, Format::Prometheus).with_escaping(Escaping::Utf8);
/// encoder.sample(&[("device", "left")], &loops, 0, &Value::Unsigned(7))?;
/// encoder.finish()?;
/// assert_eq!(text, "{\"motor.loops_total\",device=\"left\"} 7\n");
/// # Ok::<(), std::fmt::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Escaping {
    /// `underscores`: `_` for every character that is not a letter, digit or `_`.
    #[default]
    Underscores,
    /// `dots`: `_dot_` for dots, `__` for `_`, `_` for the rest.
    Dots,
    /// `values`: the code point in hexadecimal between two `_`, `__` for `_`; begins with `U__`.
    /// Names that need none of this stay as they are.
    Values,
    /// `allow-utf-8`: names as they are, in quotes where they need them.
    Utf8,
}

impl Escaping {
    /// Returns the value of the `escaping` parameter of media types.
    #[must_use]
    pub const fn parameter(self) -> &'static str {
        match self {
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
            Self::Utf8 => "allow-utf-8",
        }
    }

    /// Returns the functions that write so.
    pub(super) const fn writer(self) -> NameWriter {
        let (write, quotes): (WriteName, fn(&Family<'_>) -> bool) = match self {
            Self::Underscores => (underscores, |_| false),
            Self::Dots => (dots, |_| false),
            Self::Values => (values, |_| false),
            Self::Utf8 => (plain, needs_escapes),
        };
        NameWriter {
            write,
            quotes,
            keeps_unit: matches!(self, Self::Underscores | Self::Utf8),
            #[cfg(feature = "std")]
            escaping: self,
        }
    }
}

/// The name of a family in a scheme, without quotes: see [`Family::escaped`].
///
/// ```
/// use tapes_core::metric::{Descriptor, Kind, Unit};
/// use tapes_core::text::prometheus::{EscapedName, Escaping, Family};
///
/// let family = Family::of(&Descriptor::new("motor.load", Kind::GaugeFloat, Unit::NONE));
/// let name: EscapedName<'_> = family.escaped(Escaping::Dots);
/// assert_eq!(name.to_string(), "motor_dot_load");
/// assert_eq!(Escaping::Dots.parameter(), "dots");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct EscapedName<'a> {
    family: Family<'a>,
    escaping: Escaping,
}

impl<'a> Family<'a> {
    /// Returns the name in a scheme, `_total` included, without quotes.
    ///
    /// ```
    /// use tapes_core::metric::{Descriptor, Kind, Unit};
    /// use tapes_core::text::prometheus::{Escaping, Family};
    /// let family = Family::of(&Descriptor::new("motor.loops", Kind::Counter, Unit::NONE));
    /// assert_eq!(family.escaped(Escaping::Utf8).to_string(), "motor.loops_total");
    /// ```
    #[must_use]
    pub const fn escaped(self, escaping: Escaping) -> EscapedName<'a> {
        EscapedName { family: self, escaping }
    }
}

impl Display for EscapedName<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        (self.escaping.writer().write)(&self.family, false, f)
    }
}

/// Writes a name, for OpenMetrics' headers without `_total`.
type WriteName = fn(&Family<'_>, is_header: bool, &mut dyn Write) -> Result;

/// How an encoder writes names. Functions instead of a choice, so that what is never asked for is
/// not linked.
#[derive(Clone, Copy)]
pub(super) struct NameWriter {
    pub(super) write: WriteName,
    /// Whether a name stands in quotes.
    pub(super) quotes: fn(&Family<'_>) -> bool,
    /// Whether the name of a counter still ends with its unit once `_total` is taken off.
    pub(super) keeps_unit: bool,
    /// What it was made of: underscores have a way of their own on hosts.
    #[cfg(feature = "std")]
    pub(super) escaping: Escaping,
}

impl NameWriter {
    pub(super) const UNDERSCORES: Self = Self {
        write: underscores,
        quotes: |_| false,
        keeps_unit: true,
        #[cfg(feature = "std")]
        escaping: Escaping::Underscores,
    };
}

fn underscores(family: &Family<'_>, is_header: bool, out: &mut dyn Write) -> Result {
    if is_header { family.write_base(out) } else { family.write(out) }
}

fn plain(family: &Family<'_>, is_header: bool, out: &mut dyn Write) -> Result {
    let parts = family.canonical(is_header);
    parts.into_iter().try_for_each(|part| out.write_str(part))
}

fn dots(family: &Family<'_>, is_header: bool, out: &mut dyn Write) -> Result {
    escaped(family, is_header, out, &|out, c| match c {
        '.' => out.write_str("_dot_"),
        '_' => out.write_str("__"),
        c => out.write_char(if c.is_ascii_alphanumeric() { c } else { '_' }),
    })
}

fn values(family: &Family<'_>, is_header: bool, out: &mut dyn Write) -> Result {
    if !needs_escapes(family) {
        return plain(family, is_header, out);
    }
    out.write_str("U__")?;
    escaped(family, is_header, out, &|out, c| match c {
        '_' => out.write_str("__"),
        c if c.is_ascii_alphanumeric() => out.write_char(c),
        c => write!(out, "_{:x}_", u32::from(c)),
    })
}

/// Writes every character of a name by `write`.
///
/// What a reader takes for the family of a counter is the escaped name without `_total`, which ends
/// with the other half of an escaped `_`.
fn escaped(
    family: &Family<'_>,
    is_header: bool,
    out: &mut dyn Write,
    write: &dyn Fn(&mut dyn Write, char) -> Result,
) -> Result {
    let parts = family.canonical(is_header);
    parts.into_iter().flat_map(str::chars).try_for_each(|c| write(out, c))?;
    if is_header && family.is_counter() { out.write_str("_") } else { Ok(()) }
}

/// Returns whether Prometheus 2 would refuse the name as it is.
fn needs_escapes(family: &Family<'_>) -> bool {
    let mut chars = family.canonical(false).into_iter().flat_map(str::chars);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !chars.next().is_some_and(|c| is_plain(c) && !c.is_ascii_digit()) || !chars.all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Descriptor, Kind, Unit};
    use std::string::String;

    /// A server that unescapes a wrong name shows a metric that nobody knows.
    #[test]
    fn names_by_scheme() {
        use Escaping::{Dots, Underscores, Utf8, Values};
        let (counter, gauge) = (Kind::Counter, Kind::GaugeInt);
        for (name, kind, unit, escaping, expected, header) in [
            ("a.b-c", gauge, Unit::NONE, Underscores, "a_b_c", "a_b_c"),
            ("a.b_c-d", gauge, Unit::NONE, Dots, "a_dot_b__c_d", "a_dot_b__c_d"),
            ("a.b_c", counter, Unit::BYTES, Dots, "a_dot_b__c__bytes__total", "a_dot_b__c__bytes_"),
            ("a.b_c", gauge, Unit::NONE, Values, "U__a_2e_b__c", "U__a_2e_b__c"),
            ("a.b", counter, Unit::NONE, Values, "U__a_2e_b__total", "U__a_2e_b_"),
            ("a_b", counter, Unit::NONE, Values, "a_b_total", "a_b"),
            ("a.b", counter, Unit::BYTES, Utf8, "a.b_bytes_total", "a.b_bytes"),
            ("a_b", gauge, Unit::NONE, Utf8, "a_b", "a_b"),
        ] {
            let family = Family::of(&Descriptor::new(name, kind, unit));
            for (is_header, expected) in [(false, expected), (true, header)] {
                let mut text = String::new();
                (escaping.writer().write)(&family, is_header, &mut text).unwrap();
                assert_eq!(text, expected, "{escaping:?} {name}");
                let is_quoted = (escaping.writer().quotes)(&family);
                assert_eq!(is_quoted, escaping == Utf8 && name.contains('.'), "{name}");
            }
        }
    }
}

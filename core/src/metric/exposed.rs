//! Names as Prometheus takes them: a family of series for each metric.

use core::fmt::{self, Display, Formatter, Write};

use super::descriptor::Descriptor;
use super::kind::Kind;

/// The name under which Prometheus and OpenMetrics see a metric.
///
/// Characters other than ASCII letters, digits and `_` become `_`; the unit and, for counters and
/// meters, `_total` are appended unless the name has them already. Two metrics whose names are
/// equal in this form cannot both be exposed: [`clashes_with`](Self::clashes_with) says so before
/// a scrape fails. Nothing is allocated.
///
/// ```
/// use tapes_core::metric::{Descriptor, Kind, Unit};
/// use tapes_core::text::prometheus::Family;
///
/// let sent = Descriptor::new("uart.sent-bytes", Kind::Counter, Unit::BYTES);
/// assert_eq!(Family::of(&sent).to_string(), "uart_sent_bytes_total");
/// let wait = Descriptor::new("motor.wait", Kind::GaugeFloat, Unit::MICROS);
/// assert_eq!(Family::of(&wait).to_string(), "motor_wait_seconds");
/// ```
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Family<'a> {
    /// The name without unit and `_total`, not yet mangled.
    stem: &'a str,
    /// The unit to append; may be empty.
    unit: &'a str,
    kind: Kind,
}

impl<'a> Family<'a> {
    /// Returns the family of a metric.
    #[must_use]
    pub fn of(descriptor: &Descriptor<'a>) -> Self {
        let unit = descriptor.unit.name();
        let mut stem = descriptor.name;
        if is_total(descriptor.kind) {
            stem = without_word(stem, "total");
        }
        if !unit.is_empty() {
            stem = without_word(stem, unit);
        }
        Self { stem, unit, kind: descriptor.kind }
    }

    /// Returns the type, as `# TYPE` lines say it: `counter`, `gauge` or `histogram`.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Counter | Kind::Meter => "counter",
            Kind::Histogram(_) | Kind::Timer(_) => "histogram",
            _ => "gauge",
        }
    }

    /// Returns the characters of the name, of which `_total` is part.
    pub fn chars(&self) -> impl Iterator<Item = char> + use<'a> {
        self.chars_with(if is_total(self.kind) { "_total" } else { "" })
    }

    /// Returns whether a series of this family would have the name of a series, or the family
    /// name, of the other one.
    ///
    /// That is the case for equal names, but also for a gauge `a_count` beside a histogram `a`.
    ///
    /// ```
    /// use tapes_core::metric::{Descriptor, Kind, Unit};
    /// use tapes_core::text::prometheus::Family;
    ///
    /// let family = |name, kind| Family::of(&Descriptor::new(name, kind, Unit::NONE));
    /// let (gauge, counter) = (family("a_total", Kind::GaugeInt), family("a", Kind::Counter));
    /// assert!(counter.chars().eq("a_total".chars()) && counter.type_name() == "counter");
    /// assert!(gauge.clashes_with(&counter));
    /// ```
    #[must_use]
    pub fn clashes_with(&self, other: &Self) -> bool {
        self.suffixes().iter().any(|mine| {
            other.suffixes().iter().any(|theirs| {
                let (mut mine, mut theirs) = (self.chars_with(mine), other.chars_with(theirs));
                loop {
                    match (mine.next(), theirs.next()) {
                        (None, None) => return true,
                        (mine, theirs) if mine != theirs => return false,
                        _ => {}
                    }
                }
            })
        })
    }

    /// Returns false if [`clashes_with`](Self::clashes_with) is false for sure, in less time: all
    /// names of a family begin with its stem.
    #[cfg(feature = "std")]
    pub(crate) fn may_clash_with(&self, other: &Self) -> bool {
        let both = self.stem.len().min(other.stem.len());
        let (Some(mine), Some(theirs)) = (self.stem.get(..both), other.stem.get(..both)) else {
            return true;
        };
        let is_ascii = mine.is_ascii() && theirs.is_ascii();
        let last = |stem: &str| stem.chars().next_back().map(mangled);
        !is_ascii || last(mine) == last(theirs)
    }

    /// Writes the name without `_total`.
    pub(crate) fn write_base(&self, out: &mut dyn Write) -> fmt::Result {
        self.parts("").into_iter().try_for_each(|part| write_mangled(out, part))
    }

    /// Writes the name.
    pub(crate) fn write(&self, out: &mut dyn Write) -> fmt::Result {
        self.write_base(out)?;
        if is_total(self.kind) { out.write_str("_total") } else { Ok(()) }
    }

    /// Returns the parts of the name as it would be if every character were allowed.
    pub(crate) fn canonical(&self, without_total: bool) -> [&'a str; 4] {
        let [_, stem, joint, unit, total] =
            self.parts(if self.is_counter() && !without_total { "_total" } else { "" });
        [stem, joint, unit, total]
    }

    /// Returns the name without unit and `_total`, and the unit; neither is mangled.
    #[cfg(feature = "std")]
    pub(crate) const fn stem_and_unit(&self) -> (&'a str, &'a str) {
        (self.stem, self.unit)
    }

    /// Appends the name without `_total`, not yet [mangled](mangle). Returns false if it cannot be
    /// mangled byte by byte, or there is no room.
    #[cfg(feature = "std")]
    pub(crate) fn push_base(&self, out: &mut dyn Write) -> bool {
        let parts = self.parts("");
        let mut parts = parts.into_iter().filter(|part| !part.is_empty());
        parts.all(|part| part.is_ascii() && out.write_str(part).is_ok())
    }

    pub(crate) const fn is_counter(&self) -> bool {
        is_total(self.kind)
    }

    /// Writes the unit, `""` if there is none.
    pub(crate) fn write_unit(&self, out: &mut dyn Write) -> fmt::Result {
        write_mangled(out, self.unit)
    }

    pub(crate) const fn has_unit(&self) -> bool {
        !self.unit.is_empty()
    }

    /// Returns the parts of the name, not yet mangled, with `suffix` as the last one.
    fn parts(&self, suffix: &'static str) -> [&'a str; 5] {
        let digit = self.stem.starts_with(|first: char| first.is_ascii_digit());
        let joint = if self.unit.is_empty() { "" } else { "_" };
        [if digit { "_" } else { "" }, self.stem, joint, self.unit, suffix]
    }

    fn chars_with(&self, suffix: &'static str) -> Chars<'a> {
        Chars { parts: self.parts(suffix), part: 0 }
    }

    /// Returns what this family appends to its base, and "" for the name of the family itself.
    fn suffixes(&self) -> &'static [&'static str] {
        match self.type_name() {
            "counter" => &["", "_total"],
            "histogram" => &["", "_bucket", "_count", "_sum"],
            _ => &[""],
        }
    }
}

/// The characters of a name, mangled. One type for all, so that it is compiled once.
#[derive(Debug, Clone)]
struct Chars<'a> {
    /// What has not been read of each part.
    parts: [&'a str; 5],
    /// The part that is being read.
    part: usize,
}

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        loop {
            let rest = self.parts.get_mut(self.part)?;
            let mut chars = rest.chars();
            if let Some(c) = chars.next() {
                *rest = chars.as_str();
                return Some(mangled(c));
            }
            self.part += 1;
        }
    }
}

/// The whole name, `_total` included.
impl Display for Family<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl PartialEq for Family<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.chars().eq(other.chars())
    }
}

impl Eq for Family<'_> {}

const fn is_total(kind: Kind) -> bool {
    matches!(kind, Kind::Counter | Kind::Meter)
}

/// Returns `name` without `_word` at its end, however the `_` is written.
fn without_word<'a>(name: &'a str, word: &str) -> &'a str {
    let Some(rest) = name.strip_suffix(word) else { return name };
    match rest.strip_suffix(['_', '.', '-']) {
        Some("") | None => name,
        Some(stem) => stem,
    }
}

/// Returns whether a byte is a character that a name may have.
const fn is_valid(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The bytes of names by the bytes that they stand for.
#[cfg(feature = "std")]
static MANGLED: [u8; 256] = {
    let mut mangled = [b'_'; 256];
    let mut byte = 0u8;
    while byte < 128 {
        if is_valid(byte) {
            mangled[byte as usize] = byte;
        }
        byte += 1;
    }
    mangled
};

/// Replaces every byte of ASCII text that a name may not have by `_`.
#[cfg(feature = "std")]
pub(crate) fn mangle(text: &mut [u8]) {
    for byte in text {
        // Without a branch, so that many are looked at in one step.
        let is_letter = (*byte | 0x20).wrapping_sub(b'a') < 26;
        let is_digit = byte.wrapping_sub(b'0') < 10;
        *byte = if is_letter | is_digit { *byte } else { b'_' };
    }
}

/// Returns the character that stands for `c` in a name.
fn mangled(c: char) -> char {
    if c.is_ascii_alphanumeric() { c } else { '_' }
}

/// Returns whether two names are the same once they are mangled.
pub(crate) fn is_same_name(a: &str, b: &str) -> bool {
    a.chars().map(mangled).eq(b.chars().map(mangled))
}

/// Returns whether a name begins with two underscores once it is mangled.
pub(crate) fn begins_reserved(name: &str) -> bool {
    let mut chars = name.chars().map(mangled);
    chars.next() == Some('_') && chars.next() == Some('_')
}

/// Writes `text`, `_` for every character that a name may not have.
pub(crate) fn write_mangled(out: &mut dyn Write, text: &str) -> fmt::Result {
    // All at once, where the code for it does not count.
    #[cfg(feature = "std")]
    {
        let is_valid = |byte: u8| MANGLED.get(usize::from(byte)) == Some(&byte);
        if text.bytes().fold(true, |all, byte| all & is_valid(byte)) {
            return out.write_str(text);
        }
        let mut buffer = [0u8; crate::name::NAME_LEN_MAX];
        if let Some(mangled) = buffer.get_mut(..text.len())
            && text.is_ascii()
        {
            for (to, from) in mangled.iter_mut().zip(text.as_bytes()) {
                *to = MANGLED.get(usize::from(*from)).copied().unwrap_or(b'_');
            }
            return out.write_str(core::str::from_utf8(mangled).unwrap_or_default());
        }
    }
    let mut rest = text;
    loop {
        // The first byte of a longer character is none of these either, so this is a boundary.
        let end = rest.bytes().position(|byte| !is_valid(byte)).unwrap_or(rest.len());
        let Some((valid, tail)) = rest.split_at_checked(end) else { return Ok(()) };
        out.write_str(valid)?;
        let mut tail = tail.chars();
        if tail.next().is_none() {
            return Ok(());
        }
        out.write_str("_")?;
        rest = tail.as_str();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{BaseUnit, Buckets, Unit};
    use std::string::{String, ToString};

    const BUCKETS: Buckets = Buckets { scale: 0, first: 0, len: 1 };

    fn family<'a>(name: &'a str, kind: Kind, unit: Unit<'a>) -> Family<'a> {
        Family::of(&Descriptor::new(name, kind, unit))
    }

    /// A wrong suffix makes OpenMetrics parsers drop the whole scrape.
    #[test]
    fn names_get_unit_and_total_once() {
        let timer = Kind::Timer(BUCKETS);
        let speed = Unit::new(BaseUnit::Other("m/s"), 1);
        for (name, kind, unit, expected) in [
            ("loops", Kind::Counter, Unit::NONE, "loops_total"),
            ("loops.total", Kind::Counter, Unit::NONE, "loops_total"),
            ("loops_total", Kind::Meter, Unit::NONE, "loops_total"),
            ("total", Kind::Counter, Unit::NONE, "total_total"),
            ("loops_total", Kind::UpDown, Unit::NONE, "loops_total"),
            ("uart.sent", Kind::Counter, Unit::BYTES, "uart_sent_bytes_total"),
            ("uart.sent_bytes", Kind::Counter, Unit::BYTES, "uart_sent_bytes_total"),
            ("uart.sent-bytes-total", Kind::Counter, Unit::BYTES, "uart_sent_bytes_total"),
            ("uart.bytes", Kind::Counter, Unit::BYTES, "uart_bytes_total"),
            ("bytes", Kind::Counter, Unit::BYTES, "bytes_bytes_total"),
            ("motor.loop_time", timer, Unit::MICROS, "motor_loop_time_seconds"),
            ("motor.loop.seconds", timer, Unit::MICROS, "motor_loop_seconds"),
            ("v", Kind::GaugeInt, speed, "v_m_s"),
            ("9a", Kind::GaugeInt, Unit::NONE, "_9a"),
            ("µ-b c", Kind::GaugeInt, Unit::NONE, "__b_c"),
        ] {
            let family = family(name, kind, unit);
            assert_eq!(family.to_string(), expected, "{name}");
            assert_eq!(family.chars().collect::<String>(), expected, "{name}");
        }
    }

    /// A clash that goes unseen makes a scraper refuse everything.
    #[test]
    fn clashes() {
        let histogram = Kind::Histogram(BUCKETS);
        for (a, a_kind, b, b_kind, expected) in [
            ("a.b", Kind::GaugeInt, "a_b", Kind::GaugeInt, true),
            ("a.b", Kind::GaugeInt, "a_c", Kind::GaugeInt, false),
            ("a", Kind::Counter, "a.total", Kind::GaugeInt, true),
            ("a", Kind::Counter, "a", Kind::GaugeInt, true),
            ("a", histogram, "a.count", Kind::GaugeInt, true),
            ("a", histogram, "a.sum", histogram, true),
            ("a", histogram, "a.b", histogram, false),
            ("a.bucket", Kind::Counter, "a", histogram, true),
        ] {
            let a = family(a, a_kind, Unit::NONE);
            let b = family(b, b_kind, Unit::NONE);
            assert_eq!((a.clashes_with(&b), b.clashes_with(&a)), (expected, expected), "{a} {b}");
            #[cfg(feature = "std")]
            assert!(!expected || (a.may_clash_with(&b) && b.may_clash_with(&a)), "{a} {b}");
        }
    }
}

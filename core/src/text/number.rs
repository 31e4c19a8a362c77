//! Writers of numbers: no allocation, no panic, and nothing of `core::fmt`'s float code.
//!
//! ```
//! use tapes_core::text::number::{Form, write_f32, write_scaled, write_u64};
//!
//! let mut out = String::new();
//! write_u64(&mut out, 42)?;
//! out.push(' ');
//! write_scaled(&mut out, 1_500_000, 1_000_000)?; // microseconds, as seconds
//! out.push(' ');
//! write_f32(&mut out, 20.1, Form::Short)?;
//! assert_eq!(out, "42 1.5 20.1");
//! # Ok::<(), std::fmt::Error>(())
//! ```
//!
//! **Limits.** Zero has no sign: `-0.0` is written as `0`.

use core::fmt::{Result, Write};
use core::num::{NonZeroU32, NonZeroU64};

use super::decimal::Decimal;
use crate::statistics::ratio;

/// Longest output of [`write_scaled`], in bytes: 20 digits, a point and 31 more.
pub const SCALED_LEN_MAX: usize = 52;

/// How a floating-point number is written; all forms are the shortest that read back the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Form {
    /// Never an exponent: `0.0000001`. As long as it must be, up to 343 bytes for `f64`.
    Plain,
    /// An exponent below `1e-05` and from `1e+16` on: `1e-07`, `0.5`, `3`. At most 24 bytes.
    Short,
    /// As OpenMetrics wants `le`: an exponent below `0.0001` and from `1e+06` on, else always a
    /// point: `1e-05`, `0.5`, `3.0`. At most 24 bytes.
    Canonical,
}

/// Decimal digits of a number, right-aligned.
struct Digits {
    bytes: [u8; 20],
    start: usize,
}

impl Digits {
    /// Two digits at a time, from a table: twice as fast, where 200 bytes do not count.
    #[cfg(feature = "std")]
    fn new(value: u64) -> Self {
        let mut digits = Self { bytes: [b'0'; 20], start: 20 };
        let mut high = value;
        let (pairs, _) = digits.bytes.as_chunks_mut::<2>();
        for slot in pairs.iter_mut().rev() {
            *slot = PAIRS.get((high % 100) as usize).copied().unwrap_or_default();
            digits.start = digits.start.wrapping_sub(2);
            high /= 100;
            if high == 0 {
                break;
            }
        }
        if digits.bytes.get(digits.start) == Some(&b'0') && value != 0 {
            digits.start = digits.start.wrapping_add(1);
        } else if value == 0 {
            digits.start = 19;
        }
        digits
    }

    #[cfg(not(feature = "std"))]
    fn new(value: u64) -> Self {
        let mut digits = Self { bytes: [b'0'; 20], start: 20 };
        let mut high = value;
        let mut slots = digits.bytes.iter_mut().rev();
        // Nine digits at a time: a 32-bit machine divides 64 bits at most three times.
        loop {
            let mut low = (high % 1_000_000_000) as u32;
            high /= 1_000_000_000;
            let mut wanted = if high == 0 { 1 } else { 9 };
            while low != 0 || wanted > 0 {
                let Some(slot) = slots.next() else { break };
                *slot = b'0' + (low % 10) as u8;
                low /= 10;
                wanted -= 1;
                digits.start = digits.start.saturating_sub(1);
            }
            if high == 0 {
                return digits;
            }
        }
    }

    fn as_str(&self) -> &str {
        ascii(self.bytes.get(self.start..).unwrap_or(&[]))
    }
}

/// The numbers below 100, of two digits.
#[cfg(feature = "std")]
static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut i = 0;
    while i < 100 {
        #[expect(clippy::cast_possible_truncation, reason = "decimal digits")]
        let pair = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
        pairs[i] = pair;
        i += 1;
    }
    pairs
};

/// The text of a number of up to seven digits and a line feed, as one word, lowest byte first.
#[cfg(feature = "std")]
#[derive(Clone, Copy)]
pub(super) struct ShortLine {
    value: u64,
    text: u64,
    len: usize,
}

#[cfg(feature = "std")]
impl ShortLine {
    pub(super) const ZERO: Self = Self { value: 0, text: 0x0a30, len: 2 };

    /// Numbers below this fit.
    const LIMIT: u64 = 10_000_000;

    /// Changes this to another number, if that fits. Many in a row are the same: buckets that are
    /// empty do not change a sum.
    #[inline(always)]
    pub(super) fn set(&mut self, value: u64) -> bool {
        if value == self.value {
            return true;
        }
        if value >= Self::LIMIT {
            return false;
        }
        let (digits, len) = first_digits(value);
        *self = Self { value, text: digits | u64::from(b'\n') << (len * 8), len: len + 1 };
        true
    }

    /// Returns the bytes, and how many of them it is.
    #[inline(always)]
    pub(super) const fn text(&self) -> ([u8; 8], usize) {
        (self.text.to_le_bytes(), self.len)
    }
}

/// Returns the digits of a number below 10^8, the first one in the lowest byte, and their number.
#[cfg(feature = "std")]
#[inline(always)]
const fn first_digits(value: u64) -> (u64, usize) {
    let digits = eight_digits(value);
    // Of 0 the last digit is one.
    let zeros = digits.trailing_zeros() / 8;
    let zeros = if zeros < 8 { zeros } else { 7 };
    ((digits | ASCII_ZEROS) >> (zeros * 8), 8u32.wrapping_sub(zeros) as usize)
}

#[cfg(feature = "std")]
const ASCII_ZEROS: u64 = 0x3030_3030_3030_3030;

/// Returns the eight decimal digits of a number below 10^8, the first one in the lowest byte.
///
/// Splits in halves, all of them at once; the quotients are exact below 10^4 and 10^2
/// (P. Khuong, "How to print integers really fast").
#[cfg(feature = "std")]
#[inline(always)]
const fn eight_digits(value: u64) -> u64 {
    let (high, low) = (value / 10_000, value % 10_000);
    let fours = high | (low << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((twos - tens * 10) << 8)
}

/// Writes `value` in decimal, at most eight digits at a time: takes text and its length.
#[cfg(feature = "std")]
pub(super) fn put_digits(put: &mut dyn FnMut(&[u8; 8], usize) -> Result, value: u64) -> Result {
    const EIGHT: u64 = 100_000_000;
    if value < EIGHT {
        let (digits, len) = first_digits(value);
        return put(&digits.to_le_bytes(), len);
    }
    put_digits(put, value / EIGHT)?;
    put(&(eight_digits(value % EIGHT) | ASCII_ZEROS).to_le_bytes(), 8)
}

#[expect(clippy::cast_possible_truncation, reason = "a decimal digit")]
const fn low_byte(digit: u64) -> u8 {
    digit as u8
}

/// Returns bytes that are ASCII as text.
fn ascii(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or("")
}

/// Writes `value` in decimal.
///
/// # Errors
///
/// Only those of `out`.
pub fn write_u64(out: &mut dyn Write, value: u64) -> Result {
    out.write_str(Digits::new(value).as_str())
}

/// Writes `value` in decimal, with a sign if it is negative.
///
/// ```
/// use tapes_core::text::number::{write_i64, write_u64};
///
/// let mut text = String::new();
/// write_i64(&mut text, i64::MIN)?;
/// write_u64(&mut text, 7)?;
/// assert_eq!(text, "-92233720368547758087");
/// # Ok::<(), std::fmt::Error>(())
/// ```
///
/// # Errors
///
/// Only those of `out`.
pub fn write_i64(out: &mut dyn Write, value: i64) -> Result {
    write_sign(out, value < 0)?;
    write_u64(out, value.unsigned_abs())
}

/// Writes `raw / per`, exactly where that has an end: where `per` has no factors but 2 and 5.
///
/// Then no digit is lost, so the sum of 64 bits of microseconds is exact to the microsecond, and
/// ticks of a 32,768 Hz clock too. Else writes the nearest `f64`. A `per` of 0 counts as 1.
///
/// # Errors
///
/// Only those of `out`.
pub fn write_scaled(out: &mut dyn Write, raw: u64, per: u32) -> Result {
    let Some(divisor) = NonZeroU32::new(per) else { return write_u64(out, raw) };
    if divisor == NonZeroU32::MIN {
        return write_u64(out, raw);
    }
    if !has_end(divisor) {
        return write_f64(out, ratio(raw, per), Form::Short);
    }
    let wide = NonZeroU64::from(divisor);
    write_u64(out, raw / wide)?;
    let mut rest = raw % wide;
    if rest == 0 {
        return Ok(());
    }
    #[cfg(feature = "std")]
    if let Some(places) = power_of_ten(per) {
        return write_fraction(out, rest, places.unsigned_abs() as usize);
    }
    // At most one digit for each factor 2 of a `u32`, or for each factor 5.
    let mut digits = [b'0'; 32];
    let mut len = 0;
    for slot in &mut digits {
        rest *= 10;
        *slot = b'0' + low_byte(rest / wide);
        rest %= wide;
        len += 1;
        if rest == 0 {
            break;
        }
    }
    out.write_str(".")?;
    out.write_str(ascii(digits.get(..len).unwrap_or(&digits)))
}

/// Writes a point and so many decimal places, which are not all 0, without zeros at the end.
#[cfg(feature = "std")]
fn write_fraction(out: &mut dyn Write, fraction: u64, places: usize) -> Result {
    // Leading zeros are there: fewer than 20 digits are filled.
    let digits = Digits::new(fraction);
    let places = digits.bytes.get(digits.bytes.len().saturating_sub(places)..).unwrap_or_default();
    out.write_str(".")?;
    out.write_str(ascii(places).trim_end_matches('0'))
}

/// Writes `raw / per` with a sign if it is negative; else as [`write_scaled`].
///
/// ```
/// use tapes_core::text::number::{write_scaled, write_scaled_i64};
///
/// let mut text = String::new();
/// write_scaled_i64(&mut text, -1_500, 1_000)?;
/// write_scaled(&mut text, 250_000, 1_000_000)?;
/// assert_eq!(text, "-1.50.25");
/// # Ok::<(), std::fmt::Error>(())
/// ```
///
/// # Errors
///
/// Only those of `out`.
pub fn write_scaled_i64(out: &mut dyn Write, raw: i64, per: u32) -> Result {
    write_sign(out, raw < 0)?;
    write_scaled(out, raw.unsigned_abs(), per)
}

/// Writes `value`; infinities and NaN as `+Inf`, `-Inf` and `NaN`.
///
/// ```
/// use tapes_core::text::number::{Form, write_f64};
///
/// let mut text = String::new();
/// write_f64(&mut text, 0.1, Form::Short)?;
/// assert_eq!(text, "0.1"); // the shortest text that reads back
/// # Ok::<(), std::fmt::Error>(())
/// ```
///
/// # Errors
///
/// Only those of `out`.
pub fn write_f64(out: &mut dyn Write, value: f64, form: Form) -> Result {
    write_f64_scaled(out, value, 1, form)
}

/// Writes `value / per`; else as [`write_f64`].
///
/// A `per` that is a power of ten shifts the decimal point, so that no digit changes; other
/// quotients are rounded to `f64`. A `per` of 0 counts as 1.
///
/// ```
/// use tapes_core::text::number::{Form, write_f32_scaled, write_f64_scaled};
///
/// let mut text = String::new();
/// write_f64_scaled(&mut text, 1_500.0, 1_000, Form::Short)?;
/// text.push(' ');
/// write_f32_scaled(&mut text, 250.0, 1_000, Form::Short)?;
/// assert_eq!(text, "1.5 0.25");
/// # Ok::<(), std::fmt::Error>(())
/// ```
///
/// # Errors
///
/// Only those of `out`.
pub fn write_f64_scaled(out: &mut dyn Write, value: f64, per: u32, form: Form) -> Result {
    match power_of_ten(per) {
        Some(places) => write_f64_shifted(out, value, -places, form),
        None => write_f64_shifted(out, value / f64::from(per), 0, form),
    }
}

/// Writes `value` times 10 to the power of `places`, without changing a digit.
pub(super) fn write_f64_shifted(
    out: &mut dyn Write,
    value: f64,
    places: i32,
    form: Form,
) -> Result {
    if let Some(word) = non_finite(value.is_nan(), value.is_infinite(), value > 0.0) {
        return out.write_str(word);
    }
    write_sign(out, value < 0.0)?;
    let mut decimal = Decimal::of_f64(value);
    decimal.exponent += places;
    write_decimal(out, decimal, form)
}

/// Writes `value` as the shortest decimal that reads back as the same `f32`; infinities and NaN
/// as `+Inf`, `-Inf` and `NaN`.
///
/// # Errors
///
/// Only those of `out`.
pub fn write_f32(out: &mut dyn Write, value: f32, form: Form) -> Result {
    write_f32_scaled(out, value, 1, form)
}

/// Writes `value / per`; else as [`write_f32`].
///
/// A `per` that is a power of ten shifts the decimal point, so that no digit changes; other
/// quotients are rounded to `f32`. A `per` of 0 counts as 1.
///
/// # Errors
///
/// Only those of `out`.
pub fn write_f32_scaled(out: &mut dyn Write, value: f32, per: u32, form: Form) -> Result {
    let (value, places) = match power_of_ten(per) {
        Some(places) => (value, places),
        None => (value / per as f32, 0),
    };
    if let Some(word) = non_finite(value.is_nan(), value.is_infinite(), value > 0.0) {
        return out.write_str(word);
    }
    write_sign(out, value < 0.0)?;
    let mut decimal = Decimal::of_f32(value);
    decimal.exponent -= places;
    write_decimal(out, decimal, form)
}

fn non_finite(nan: bool, infinite: bool, positive: bool) -> Option<&'static str> {
    match (nan, infinite, positive) {
        (true, ..) => Some("NaN"),
        (_, true, true) => Some("+Inf"),
        (_, true, false) => Some("-Inf"),
        _ => None,
    }
}

fn write_sign(out: &mut dyn Write, negative: bool) -> Result {
    if negative { out.write_str("-") } else { Ok(()) }
}

/// Returns whether `1 / per` has an end in decimal.
fn has_end(per: NonZeroU32) -> bool {
    let mut rest = per.get() >> per.trailing_zeros();
    while rest.is_multiple_of(5) && rest != 0 {
        rest /= 5;
    }
    rest == 1
}

/// Returns `log10(per)` if that is whole.
fn power_of_ten(per: u32) -> Option<i32> {
    let mut rest = per;
    let mut places = 0;
    while rest >= 10 {
        if !rest.is_multiple_of(10) {
            return None;
        }
        rest /= 10;
        places += 1;
    }
    if rest <= 1 { Some(places) } else { None }
}

fn write_decimal(out: &mut dyn Write, decimal: Decimal, form: Form) -> Result {
    let digits = Digits::new(decimal.digits);
    let digits = digits.as_str();
    if decimal.digits == 0 {
        return out.write_str(if form == Form::Canonical { "0.0" } else { "0" });
    }
    // Digits before the point; the value is 0.digits * 10^point.
    let point = decimal.exponent + i32::try_from(digits.len()).unwrap_or(0);
    let plain = match form {
        Form::Plain => true,
        Form::Short => (-4..=16).contains(&point),
        Form::Canonical => (-3..=6).contains(&point),
    };
    if !plain {
        let (first, rest) = digits.split_at_checked(1).unwrap_or((digits, ""));
        out.write_str(first)?;
        if !rest.is_empty() {
            out.write_str(".")?;
            out.write_str(rest)?;
        }
        return write_exponent(out, point - 1);
    }
    if point <= 0 {
        out.write_str("0.")?;
        write_zeros(out, point.unsigned_abs())?;
        return out.write_str(digits);
    }
    let point = point.unsigned_abs();
    match digits.split_at_checked(point as usize) {
        Some((whole, "")) => out.write_str(whole)?,
        Some((whole, part)) => {
            out.write_str(whole)?;
            out.write_str(".")?;
            return out.write_str(part);
        }
        None => {
            out.write_str(digits)?;
            let len = u32::try_from(digits.len()).unwrap_or(0);
            write_zeros(out, point.saturating_sub(len))?;
        }
    }
    if form == Form::Canonical { out.write_str(".0") } else { Ok(()) }
}

fn write_zeros(out: &mut dyn Write, count: u32) -> Result {
    (0..count).try_for_each(|_| out.write_str("0"))
}

/// Writes `e`, a sign and two digits or more.
fn write_exponent(out: &mut dyn Write, exponent: i32) -> Result {
    out.write_str(if exponent < 0 { "e-" } else { "e+" })?;
    let magnitude = exponent.unsigned_abs();
    if magnitude < 10 {
        out.write_str("0")?;
    }
    write_u64(out, u64::from(magnitude))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::{String, ToString};

    fn text(write: impl FnOnce(&mut String) -> Result) -> String {
        let mut out = String::new();
        write(&mut out).unwrap();
        out
    }

    /// Were a digit lost between the nine-digit groups, zeros inside a number would vanish.
    #[test]
    fn integers_read_as_the_standard_library_writes_them() {
        let mut values = std::vec![0u64, 1, 9, 10, 99, 100, u64::MAX, u64::from(u32::MAX)];
        for shift in 0..64 {
            values.extend([1 << shift, (1 << shift) - 1, (1 << shift) + 1]);
        }
        for power in 0..20 {
            let ten = 10u64.pow(power);
            values.extend([ten, ten - 1, ten + 1]);
        }
        for value in values {
            assert_eq!(text(|out| write_u64(out, value)), value.to_string());
            #[cfg(feature = "std")]
            {
                let mut line = ShortLine::ZERO;
                assert_eq!(line.set(value), value < 10_000_000);
                let (text, len) = line.text();
                let shown = if value < 10_000_000 { value } else { 0 };
                assert_eq!(core::str::from_utf8(&text[..len]).unwrap(), format!("{shown}\n"));
                let mut text = String::new();
                let mut put = |digits: &[u8; 8], len: usize| {
                    text.write_str(core::str::from_utf8(&digits[..len]).unwrap())
                };
                put_digits(&mut put, value).unwrap();
                assert_eq!(text, value.to_string());
            }
            let signed = value.cast_signed();
            assert_eq!(text(|out| write_i64(out, signed)), signed.to_string());
        }
    }

    /// Were the decimal shift wrong, a sum of microseconds would be off by its last digits.
    #[test]
    fn scaled_numbers_are_exact() {
        for (raw, per, expected) in [
            (0, 1_000_000, "0"),
            (1, 1_000_000, "0.000001"),
            (1_500_000, 1_000_000, "1.5"),
            (u64::MAX, 1_000_000_000, "18446744073.709551615"),
            (u64::MAX, 1, "18446744073709551615"),
            (7, 0, "7"),
            (1, 32_768, "0.000030517578125"),
            (1, 1 << 31, "0.0000000004656612873077392578125"),
            (1, 1_220_703_125, "0.0000000008192"),
            (1, 3, "0.3333333333333333"),
            (10, 3, "3.3333333333333335"),
        ] {
            assert_eq!(text(|out| write_scaled(out, raw, per)), expected, "{raw}/{per}");
        }
        assert_eq!(text(|out| write_scaled_i64(out, -1500, 1000)), "-1.5");
        assert_eq!(text(|out| write_scaled(out, u64::MAX, 1 << 31)).len(), 42);
    }

    /// Were a form wrong at its edges, parsers would refuse or misread bounds and values.
    #[test]
    fn forms() {
        for (value, plain, short, canonical) in [
            (0.0, "0", "0", "0.0"),
            (-0.0, "0", "0", "0.0"),
            (1.0, "1", "1", "1.0"),
            (-2.5, "-2.5", "-2.5", "-2.5"),
            (0.1, "0.1", "0.1", "0.1"),
            (0.0001, "0.0001", "0.0001", "0.0001"),
            (0.00001, "0.00001", "0.00001", "1e-05"),
            (0.000_001_5, "0.0000015", "1.5e-06", "1.5e-06"),
            (100_000.0, "100000", "100000", "100000.0"),
            (1_000_000.0, "1000000", "1000000", "1e+06"),
            (1_234_567.0, "1234567", "1234567", "1.234567e+06"),
            (1e15, "1000000000000000", "1000000000000000", "1e+15"),
            (1e16, "10000000000000000", "1e+16", "1e+16"),
            (1e-100, &format!("0.{}1", "0".repeat(99)), "1e-100", "1e-100"),
            (f64::INFINITY, "+Inf", "+Inf", "+Inf"),
            (f64::NEG_INFINITY, "-Inf", "-Inf", "-Inf"),
            (f64::NAN, "NaN", "NaN", "NaN"),
        ] {
            assert_eq!(text(|out| write_f64(out, value, Form::Plain)), plain);
            assert_eq!(text(|out| write_f64(out, value, Form::Short)), short);
            assert_eq!(text(|out| write_f64(out, value, Form::Canonical)), canonical);
        }
    }

    /// Were an `f32` printed through `f64`, a gauge of 20.1 would read 20.100000381469727.
    #[test]
    fn f32_is_shortest_and_shifts() {
        assert_eq!(text(|out| write_f32(out, 20.1, Form::Short)), "20.1");
        assert_eq!(text(|out| write_f32_scaled(out, 20.1, 1000, Form::Short)), "0.0201");
        assert_eq!(text(|out| write_f32_scaled(out, -3.3, 0, Form::Short)), "-3.3");
        assert_eq!(text(|out| write_f32_scaled(out, 1.0, 3, Form::Short)), "0.33333334");
        assert_eq!(text(|out| write_f32_scaled(out, f32::NAN, 10, Form::Short)), "NaN");
        assert_eq!(text(|out| write_f64_scaled(out, 20.1, 1000, Form::Short)), "0.0201");
        assert_eq!(text(|out| write_f64_scaled(out, 2.0, 3, Form::Short)), "0.6666666666666666");
    }
}

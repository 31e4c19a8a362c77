//! Number writers against the standard library's.

use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use tapes_core::text::number::{
    Form, SCALED_LEN_MAX, write_f32, write_f32_scaled, write_f64, write_i64, write_scaled,
    write_scaled_i64, write_u64,
};

fn text(write: impl FnOnce(&mut String) -> std::fmt::Result) -> String {
    let mut out = String::new();
    write(&mut out).expect("a string takes everything");
    out
}

/// Counts the digits that say something: neither zeros around them nor exponents.
fn digits(text: &str) -> usize {
    let text = text.trim_start_matches('-');
    let mantissa = text.split('e').next().unwrap_or("");
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').len()
}

/// Adds up `raw / per` from its decimal text, as a fraction of `10^places`.
fn exact(text: &str, per: u32) -> Option<u128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let places = u32::try_from(part.len()).ok()?;
    let digits: u128 = format!("{whole}{part}").parse().ok()?;
    let scaled = digits.checked_mul(per.into())?;
    let unit = 10u128.checked_pow(places)?;
    (scaled % unit == 0).then_some(scaled / unit)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// A digit more or less would be a different count.
    #[test]
    fn integers(value: u64) {
        prop_assert_eq!(text(|out| write_u64(out, value)), value.to_string());
        let signed = value.cast_signed();
        prop_assert_eq!(text(|out| write_i64(out, signed)), signed.to_string());
    }

    /// A number that does not read back as itself is not the number that was measured.
    #[test]
    fn f64_reads_back(bits: u64) {
        let value = f64::from_bits(bits);
        for form in [Form::Plain, Form::Short, Form::Canonical] {
            let text = text(|out| write_f64(out, value, form));
            if value.is_finite() {
                prop_assert_eq!(text.parse::<f64>(), Ok(value), "{}", text);
                prop_assert_eq!(digits(&text), digits(&value.to_string()), "{}", text);
                prop_assert!(form == Form::Plain || text.len() <= 24, "{}", text);
                prop_assert!(form != Form::Plain || !text.contains('e'), "{}", text);
            }
        }
    }

    /// As above, for the type of most gauges.
    #[test]
    fn f32_reads_back(bits: u32) {
        let value = f32::from_bits(bits);
        for form in [Form::Plain, Form::Short, Form::Canonical] {
            let text = text(|out| write_f32(out, value, form));
            if value.is_finite() {
                prop_assert_eq!(text.parse::<f32>(), Ok(value), "{}", text);
                prop_assert_eq!(digits(&text), digits(&value.to_string()), "{}", text);
            }
        }
    }

    /// A shifted point must change the magnitude and nothing else.
    #[test]
    fn f32_shifts_its_point(value in -1e6f32..1e6, places in 0u32..9) {
        let plain = text(|out| write_f32(out, value, Form::Plain));
        let shifted = text(|out| write_f32_scaled(out, value, 10u32.pow(places), Form::Plain));
        let zeroless = |text: &str| -> String {
            let digits: String = text.chars().filter(|c| *c != '.').collect();
            digits.trim_start_matches('-').trim_matches('0').to_owned()
        };
        prop_assert_eq!(zeroless(&plain), zeroless(&shifted));
        let quotient = f64::from(value) / f64::from(10u32.pow(places));
        let read = shifted.parse::<f64>().expect("a number");
        prop_assert!((read - quotient).abs() <= quotient.abs() * 1e-7);
    }

    /// Sums are exact: multiplied back, no unit of 64 bits is lost.
    #[test]
    fn scaled_is_exact_where_it_ends(raw: u64, twos in 0u32..13, fives in 0u32..8) {
        let per = 2u32.pow(twos) * 5u32.pow(fives);
        let text = text(|out| write_scaled(out, raw, per));
        prop_assert!(text.len() <= SCALED_LEN_MAX);
        prop_assert_eq!(exact(&text, per), Some(u128::from(raw)), "{}/{} = {}", raw, per, text);
    }

    /// Where no decimal is exact, the nearest `f64` is the next best.
    #[test]
    fn scaled_is_nearest_elsewhere(raw in 0u64..1 << 53, per in any::<u32>()) {
        let expected = raw as f64 / f64::from(per.max(1));
        let text = text(|out| write_scaled(out, raw, per));
        prop_assert_eq!(text.parse::<f64>(), Ok(expected));
        let signed = raw.cast_signed();
        let negative = crate::text(|out| write_scaled_i64(out, -signed, per));
        prop_assert_eq!(negative.parse::<f64>(), Ok(-expected));
    }
}

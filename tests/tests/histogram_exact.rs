//! Every bucket boundary of every unit and scale against exact rationals.

#![expect(clippy::unwrap_used, reason = "conversions of small numbers")]

use num_bigint::BigUint;
use tapes_core::{Layout, layout};

/// The OpenTelemetry index of `value / per` at `scale`, by exact integer arithmetic: the largest
/// `i` with `2^(i / 2^scale) < value / per`.
fn oracle(value: u32, per: u32, scale: u8) -> i32 {
    let steps = 1u32 << scale;
    let above = |i: i32| {
        // value^steps > per^steps * 2^i, with the power of two on the side that keeps it whole.
        let (mut left, mut right) =
            (BigUint::from(value).pow(steps), BigUint::from(per).pow(steps));
        if i >= 0 {
            right <<= i.unsigned_abs();
        } else {
            left <<= i.unsigned_abs();
        }
        left > right
    };
    // Invariant: above(low) and not above(high).
    let (mut low, mut high) = (-33 * 32, 33 * 32);
    assert!(above(low) && !above(high));
    while high - low > 1 {
        let middle = low.midpoint(high);
        if above(middle) { low = middle } else { high = middle }
    }
    low
}

/// The smallest raw value whose index is at least `i`, by bisection on the oracle.
fn first_value(i: i32, per: u32, scale: u8) -> Option<u32> {
    if oracle(u32::MAX, per, scale) < i {
        return None;
    }
    let (mut low, mut high) = (0u32, u32::MAX);
    while high - low > 1 {
        let middle = low.midpoint(high);
        if oracle(middle, per, scale) >= i { high = middle } else { low = middle }
    }
    Some(high)
}

/// Checks all boundaries ±1 that the layout has, and the edges of the raw range.
fn check(layout: &Layout) {
    let buckets = layout.buckets();
    let per = layout.unit().per();
    let expected = |value: u32| {
        if value == 0 {
            return 0;
        }
        let place = oracle(value, per, buckets.scale) - buckets.first + 1;
        place.clamp(0, i32::try_from(buckets.len).unwrap() + 1).unsigned_abs() as usize
    };
    let last = buckets.first + i32::try_from(buckets.len).unwrap();
    let mut values = vec![0, 1, 2, 3, u32::MAX - 1, u32::MAX];
    for i in buckets.first..=last + 1 {
        if let Some(value) = first_value(i, per, buckets.scale) {
            values.extend([value.saturating_sub(1), value, value.saturating_add(1)]);
        }
    }
    for octave in 0..32 {
        let value = 1u32 << octave;
        values.extend([value - 1, value, value + 1]);
    }
    for value in values {
        assert_eq!(
            layout.place(value),
            expected(value),
            "value {value}, {per} steps a unit, scale {}",
            buckets.scale
        );
    }
}

macro_rules! units {
    ($($name:ident($($unit:tt)+);)*) => {$(
        /// A value in the wrong bucket makes every quantile and every merge wrong.
        #[test]
        fn $name() {
            check(layout!(unit = $($unit)+, max = 4294967295, scale = 0));
            check(layout!(unit = $($unit)+, max = 4294967295, scale = 1));
            check(layout!(unit = $($unit)+, max = 4294967295, scale = 2));
            check(layout!(unit = $($unit)+, max = 4294967295, scale = 3));
            check(layout!(unit = $($unit)+, max = 4294967295, scale = 4));
            check(layout!(unit = $($unit)+, min = 100, max = 70000, scale = 2));
        }
    )*};
}

units! {
    raw_values_fall_into_the_exact_bucket(none);
    seconds_fall_into_the_exact_bucket(seconds);
    millis_fall_into_the_exact_bucket(millis);
    micros_fall_into_the_exact_bucket(micros);
    nanos_fall_into_the_exact_bucket(nanos);
    ticks_of_a_watch_crystal_fall_into_the_exact_bucket(ticks(32768));
    ticks_of_125_mhz_fall_into_the_exact_bucket(ticks(125_000_000));
    ticks_of_a_prime_rate_fall_into_the_exact_bucket(ticks(4_294_967_291));
}

/// The numbers that the documentation and the wire format quote.
#[test]
fn the_documented_layouts_have_the_documented_sizes() {
    let micros = layout!(unit = micros, max = 60 s, scale = 2);
    assert_eq!((micros.buckets().first, micros.buckets().len), (-80, 104));
    assert_eq!(layout!(unit = micros, max = 60 s, scale = 0).buckets().len, 26);
    assert_eq!(layout!(unit = micros, max = 60 s, scale = 1).buckets().len, 52);
    assert_eq!(layout!(unit = micros, max = 60 s, scale = 3).buckets().len, 208);
    assert_eq!(layout!(unit = micros, max = 60 s, scale = 4).buckets().len, 415);
    assert_eq!(layout!(unit = none, max = 4294967295, scale = 4).buckets().len, 528);
}

/// A bound that is off by an ulp would put `le` labels of two devices apart.
#[test]
fn bounds_are_the_nearest_floats() {
    use tapes_core::metric::Buckets;
    for scale in 0..=4u8 {
        let steps = 1i32 << scale;
        for index in -40 * steps..=40 * steps {
            let bound = Buckets::bound(scale, index);
            let exact = (f64::from(index) / f64::from(steps)).exp2();
            assert!((bound - exact).abs() <= exact * f64::EPSILON, "{scale} {index}");
            // bound^steps is 2^index: compare the neighbours as exact integers.
            let below = f64::from_bits(bound.to_bits() - 1);
            let above = f64::from_bits(bound.to_bits() + 1);
            let target = power_of_two(index);
            assert!(distance(bound, steps, &target) <= distance(below, steps, &target));
            assert!(distance(bound, steps, &target) <= distance(above, steps, &target));
        }
    }
}

/// Bits below one that the exact arithmetic of bounds keeps.
const FRACTION: u32 = 4096;

fn power_of_two(index: i32) -> BigUint {
    BigUint::from(1u32) << (i64::from(FRACTION) + i64::from(index)).unsigned_abs()
}

/// Returns |x^steps - target|, exactly, in units of 2^-FRACTION.
fn distance(x: f64, steps: i32, target: &BigUint) -> BigUint {
    let bits = x.to_bits();
    let mantissa = BigUint::from(bits & ((1 << 52) - 1) | 1 << 52);
    let exponent = i64::try_from(bits >> 52).unwrap() - 1023 - 52;
    let power = mantissa.pow(steps.unsigned_abs());
    let shift = i64::from(FRACTION) + exponent * i64::from(steps);
    let power = power << u64::try_from(shift).unwrap();
    if power > *target { power - target } else { target - power }
}

//! Shortest decimal forms of floating-point numbers.
//!
//! One routine serves `f32` and `f64`: Giulietti's *Schubfach* with 128-bit powers of ten, which
//! needs no division by anything but constants and no big integers. Powers are made from every
//! 27th power and a power of five, so the table is 384 bytes instead of 9,872; they are between
//! the exact value and 3 units above it in the last of 128 places, and the proof needs 4.

/// A decimal number: `digits * 10^exponent`; the last digit is not 0 unless all are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) digits: u64,
    pub(super) exponent: i32,
}

/// Bits of the significand that `f64` stores.
const F64_BITS: u32 = 52;
/// Exponent of the last bit of a subnormal `f64`.
const F64_EXPONENT_MIN: i32 = -1074;
/// Bits of the significand that `f32` stores.
const F32_BITS: u32 = 23;
/// Exponent of the last bit of a subnormal `f32`.
const F32_EXPONENT_MIN: i32 = -149;

impl Decimal {
    /// Returns the shortest decimal that reads back as the magnitude of `value`, the nearest to it
    /// of those. `value` must be finite.
    pub(super) fn of_f64(value: f64) -> Self {
        let bits = value.to_bits();
        let stored = bits & ((1 << F64_BITS) - 1);
        let biased = (bits >> F64_BITS) as i32 & 0x7ff;
        Self::of_parts(stored, biased, F64_BITS, F64_EXPONENT_MIN)
    }

    /// As [`of_f64`](Self::of_f64), the shortest that reads back as the same `f32`.
    pub(super) fn of_f32(value: f32) -> Self {
        let bits = value.to_bits();
        let stored = u64::from(bits & ((1 << F32_BITS) - 1));
        let biased = (bits >> F32_BITS).cast_signed() & 0xff;
        Self::of_parts(stored, biased, F32_BITS, F32_EXPONENT_MIN)
    }

    fn of_parts(stored: u64, biased: i32, bits: u32, exponent_min: i32) -> Self {
        if stored == 0 && biased == 0 {
            return Self { digits: 0, exponent: 0 };
        }
        let (c, q) = if biased == 0 {
            (stored, exponent_min)
        } else {
            (stored | 1 << bits, exponent_min + biased - 1)
        };
        // Integers that are stored exactly, with neighbours at most 1 away: no shorter form of
        // them is nearer than half of that.
        if q <= 0 && q > -64 && c.trailing_zeros() >= q.unsigned_abs() {
            return Self { digits: c >> q.unsigned_abs(), exponent: 0 }.trimmed();
        }
        shortest(c, q, stored == 0 && biased > 1).trimmed()
    }

    /// Moves zeros at the end of the digits into the exponent.
    fn trimmed(mut self) -> Self {
        while self.digits != 0 && self.digits.is_multiple_of(10) {
            self.digits /= 10;
            self.exponent += 1;
        }
        self
    }
}

/// Returns the shortest decimal in the rounding interval of `c * 2^q`; `closer` says that the
/// next smaller number is only half as far away as the next larger one.
///
/// Written `cb`, `vb` and so on are four times the value, so that half-way points are whole.
fn shortest(c: u64, q: i32, closer: bool) -> Decimal {
    let odd = c & 1;
    let cb = 4 * c;
    let below = cb - 2 + u64::from(closer);
    // k = floor(log10(2^q)), or of 3/4 of it.
    let k = (q * 1_262_611 - if closer { 524_031 } else { 0 }) >> 22;
    // floor(log2(10^-k)) by the same kind of constant.
    let h = q + ((-k * 1_741_647) >> 19) + 1;
    let power = power_of_ten(-k);
    let lower = round_to_odd(power, below << h) + odd;
    let vb = round_to_odd(power, cb << h);
    let upper = round_to_odd(power, (cb + 2) << h) - odd;

    let s = vb / 4;
    // One digit less, if exactly one such number is inside.
    let tens = s / 10;
    if s >= 10 {
        let down_fits = lower <= 40 * tens;
        let up_fits = 40 * tens + 40 <= upper;
        if down_fits != up_fits {
            return Decimal { digits: tens + u64::from(up_fits), exponent: k + 1 };
        }
    }
    let down_fits = lower <= 4 * s;
    let up_fits = 4 * s + 4 <= upper;
    let up = if down_fits == up_fits {
        let middle = 4 * s + 2;
        vb > middle || (vb == middle && s & 1 == 1)
    } else {
        up_fits
    };
    Decimal { digits: s + u64::from(up), exponent: k }
}

/// Returns `power * cp / 2^128`, with the lowest bit set if something was cut off.
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
fn round_to_odd(power: u128, cp: u64) -> u64 {
    let low = low_half(wide_product(low_half(power), cp) >> 64);
    let all = wide_product(low_half(power >> 64), cp) + u128::from(low);
    low_half(all >> 64) | u64::from(low_half(all) > 1)
}

/// Multiplies two halves; out of line where a product of 64 bits is many instructions.
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
fn wide_product(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

#[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
const fn low_half(value: u128) -> u64 {
    value as u64
}

/// Powers of ten in the table are this many apart; 5 to this power fits 64 bits.
const STEP: i32 = 27;

/// The first power in the table is `10^-297`.
const STEPS_BELOW_ONE: i32 = 11;

/// `10^(27*j)` for `j` in -11..13, scaled into 128 bits, rounded up.
const POWERS: [u128; 24] = [
    0xa76c_5823_38ed_2621_af2a_f2b8_0af6_f24f,
    0x873e_4f75_e222_4e68_5a77_44a6_e804_a292,
    0xda7f_5bf5_9096_6848_af39_a475_506a_899f,
    0xb080_392c_c434_9dec_bd8d_794d_96aa_cfb4,
    0x8e93_8662_882a_f53e_547e_b47b_7282_ee9d,
    0xe658_29b3_046b_0afa_0cb4_a5a3_112a_5113,
    0xba12_1a46_50e4_ddeb_92f3_4d62_616c_e414,
    0x964e_858c_91ba_2655_3a6a_07f8_d510_f870,
    0xf2d5_6790_ab41_c2a2_fae2_7299_423f_b9c4,
    0xc428_d05a_a475_1e4c_aa97_e14c_3c26_b887,
    0x9e74_d1b7_91e0_7e48_775e_a264_cf55_347e,
    0x8000_0000_0000_0000_0000_0000_0000_0000,
    0xcecb_8f27_f420_0f3a_0000_0000_0000_0000,
    0xa70c_3c40_a64e_6c51_9990_90b6_5f67_d924,
    0x86f0_ac99_b4e8_dafd_69a0_28bb_3ded_71a4,
    0xda01_ee64_1a70_8de9_e80e_6f48_20cc_9496,
    0xb01a_e745_b101_e9e4_5ec0_5dcf_f72e_7f90,
    0x8e41_ade9_fbeb_c27d_1458_8f13_be84_7308,
    0xe5d3_ef28_2a24_2e81_8f16_68c8_a86d_a5fb,
    0xb9a7_4a06_37ce_2ee1_6d95_3e2b_d717_3693,
    0x95f8_3d0a_1fb6_9cd9_4abd_af10_1564_f98f,
    0xf24a_01a7_3cf2_dccf_bc63_3b39_673c_8ced,
    0xc3b8_3581_09e8_4f07_0a86_2f80_ec47_00c9,
    0x9e19_db92_b4e3_1ba9_6c07_a2c2_6a83_46d2,
];

/// Returns `10^k` scaled into 128 bits, at most 3 units too large; `k` in -297 to 350.
fn power_of_ten(k: i32) -> u128 {
    let steps = k.div_euclid(STEP);
    let rest = k.rem_euclid(STEP).unsigned_abs();
    let i = (steps + STEPS_BELOW_ONE).unsigned_abs() as usize;
    let base = POWERS.get(i).copied().unwrap_or(0);
    if rest == 0 {
        return base;
    }
    let factor = 5u64.wrapping_pow(rest);
    // base * factor has 130 to 190 bits; the upper 128 stay, rounded up.
    let low = wide_product(low_half(base), factor);
    let high = wide_product(low_half(base >> 64), factor) + (low >> 64);
    let low = low_half(low);
    let free = high.leading_zeros();
    let cut = 64u32.wrapping_sub(free);
    let kept = (high << free) | u128::from(low.wrapping_shr(cut));
    let lost = low.wrapping_shl(free) != 0;
    kept.wrapping_add(u128::from(lost))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    /// Returns what the standard library's shortest writer says.
    fn oracle(scientific: &str) -> Decimal {
        let (digits, exponent) = scientific.split_once('e').unwrap();
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let exponent = exponent.parse::<i32>().unwrap() - i32::try_from(part.len()).unwrap();
        let digits = format!("{whole}{part}").parse().unwrap();
        Decimal { digits, exponent }.trimmed()
    }

    /// The standard library rounds ties up, this writer to even; else they must agree.
    fn check(ours: Decimal, scientific: &str, same: impl Fn(&str) -> bool) {
        let theirs = oracle(scientific);
        let tie = ours.exponent == theirs.exponent
            && ours.digits + 1 == theirs.digits
            && ours.digits.is_multiple_of(2)
            && same(&format!("{}e{}", ours.digits, ours.exponent));
        assert!(ours == theirs || tie, "{scientific}: {ours:?}");
    }

    fn check_f64(value: f64) {
        let same = |text: &str| text.parse() == Ok(value);
        check(Decimal::of_f64(value), &format!("{value:e}"), same);
    }

    fn check_f32(value: f32) {
        let same = |text: &str| text.parse() == Ok(value);
        check(Decimal::of_f32(value), &format!("{value:e}"), same);
    }

    /// Were a power of ten wrong, one exponent would print wrong digits.
    #[test]
    fn every_exponent_agrees_with_the_standard_library() {
        for biased in 0..0x7ffu64 {
            for stored in [0, 1, 2, 0x5_5555_5555_5555, 0x8_0000_0000_0000, 0xf_ffff_ffff_ffff] {
                if (biased, stored) != (0, 0) {
                    check_f64(f64::from_bits(biased << 52 | stored));
                }
            }
        }
        for biased in 0..0xffu32 {
            for stored in [0, 1, 2, 0x2a_aaaa, 0x40_0000, 0x7f_ffff] {
                if (biased, stored) != (0, 0) {
                    check_f32(f32::from_bits(biased << 23 | stored));
                }
            }
        }
    }

    /// Were rounding wrong, the cases known to trip shortest printing would show it.
    #[test]
    fn hard_cases() {
        for value in [
            0.1,
            0.3,
            1e22,
            1e23,
            5e-324,
            9_007_199_254_740_993.0,
            2.225_073_858_507_201_4e-308,
            1.797_693_134_862_315_7e308,
            6.8e-323,
            9.536_743_164_062_5e-7,
            2.0f64.powi(-1022),
        ] {
            check_f64(value);
        }
        for value in [0.1f32, 16_777_216.0, 8_589_934_592.0, 1.4e-45, 3.402_823_5e38, 20.1] {
            check_f32(value);
        }
    }

    /// Were an exact power rounded, exact ties would round the wrong way.
    #[test]
    fn powers_that_fit_are_exact() {
        assert_eq!(size_of_val(&POWERS), 384);
        let mut five = 1u128;
        for k in 0..=55 {
            assert_eq!(power_of_ten(k), five << five.leading_zeros(), "10^{k}");
            five = five.wrapping_mul(5);
        }
    }

    /// Were the interval wrong anywhere in `f32`, some number would not print as the standard
    /// library prints it.
    #[test]
    #[ignore = "every f32: many minutes, in release"]
    fn every_f32() {
        for bits in 1..0x7f80_0000 {
            check_f32(f32::from_bits(bits));
        }
    }

    /// Were a rare pattern of bits rounded wrong, random numbers would find it in the long run.
    #[test]
    fn random_bits() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..100_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let (wide, narrow) =
                (f64::from_bits(state), f32::from_bits((state >> 32).try_into().unwrap()));
            if wide.is_finite() {
                check_f64(wide.abs());
            }
            if narrow.is_finite() {
                check_f32(narrow.abs());
            }
        }
    }
}

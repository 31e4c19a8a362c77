//! Bucket layouts: from an integer to its exact exponential bucket, without floats or divisions.
//!
//! A raw value `v` stands for `v / per` base units. Boundaries lie at `2^(i/2^scale)` base units,
//! which is `per × 2^(i/2^scale)` raw. In every octave of the raw integer they fall at the same
//! `2^scale` mantissas, so a table of those, normalised to `[2^31, 2^32)`, finds the bucket:
//!
//! ```text
//! e = ilog2(v);  m = v << (31 - e)               mantissa
//! q = the scale + 1 bits of m below its top one  at most one threshold lies in such a slot
//! c = before[q] + (m > threshold[q])             thresholds below m
//! i = (e << scale) + c + K                       OpenTelemetry index
//! ```
//!
//! `before[q]`, `K` and the index of the first bucket are one number in the table.
//!
//! The comparison is strict, so a value on a boundary falls below it: buckets are `(lower, upper]`.

#![expect(
    clippy::cast_possible_truncation,
    reason = "arithmetic of limbs and mantissas, whose ranges the comments state"
)]

use super::kind::{BUCKETS_MAX, Buckets, SCALE_MAX};
use super::unit::Unit;

/// Thresholds of one octave for a unit, by slot. `SLOTS` is `2^(scale + 1)`.
///
/// ```
/// use tapes_core::Layout;
/// use tapes_core::metric::{Thresholds, Unit};
///
/// // What `layout!(unit = millis, max = 1 s, scale = 2)` stands for.
/// static THRESHOLDS: Thresholds<8> = Thresholds::new(Unit::MILLIS, 1);
/// static LAYOUT: Layout = Layout::new(1_000, &THRESHOLDS);
/// assert_eq!(LAYOUT.buckets().scale, 2);
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Thresholds<const SLOTS: usize> {
    unit: Unit<'static>,
    /// OpenTelemetry index of the first bucket.
    first: i32,
    slots: [Slot; SLOTS],
}

/// Where one slot of mantissas lies among the thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    /// The threshold in the slot; `u32::MAX`, which no mantissa exceeds, where there is none.
    threshold: u32,
    /// Place of a value of the octave `e = 0` that does not exceed the threshold.
    place: i32,
}

impl<const SLOTS: usize> Thresholds<SLOTS> {
    const SCALE: u8 = {
        assert!(SLOTS.is_power_of_two(), "SLOTS must be 2^(scale + 1)");
        let scale = SLOTS.ilog2() as u8 - 1;
        assert!(scale <= SCALE_MAX, "scale must be 0 to 4");
        scale
    };

    /// Computes the thresholds of a unit, for buckets from raw value `min` on: meant for constants.
    ///
    /// # Panics
    ///
    /// Never at run time when used in a constant; at compile time if `min` is 0, or if two
    /// thresholds fell into one slot, which does not happen for any unit.
    #[must_use]
    pub const fn new(unit: Unit<'static>, min: u32) -> Self {
        assert!(min > 0, "min must be at least 1");
        let shift = unit.per().leading_zeros();
        let mantissa = unit.per() << shift;
        let mut slots = [Slot { threshold: u32::MAX, place: 0 }; SLOTS];
        let mut wrapped = 0;
        let mut step = 0;
        while step < 1 << Self::SCALE {
            let (value, halved) = root(mantissa, step, Self::SCALE);
            wrapped += halved as i32;
            let slot = slot(value, Self::SCALE);
            assert!(slots[slot].threshold == u32::MAX, "two thresholds in one slot");
            slots[slot].threshold = value;
            add_to_places(&mut slots, slot + 1, 1);
            step += 1;
        }
        // From places in the octave to OpenTelemetry indices.
        let k = -((31 - shift.cast_signed()) << Self::SCALE) - wrapped - 1;
        add_to_places(&mut slots, 0, k);
        // From these to places among the buckets. The zero threshold lies on an octave.
        let first = steps(min, log2_compact(min), Self::SCALE, &slots);
        let first = (first >> Self::SCALE) << Self::SCALE;
        add_to_places(&mut slots, 0, 1 - first);
        Self { unit, first, slots }
    }
}

/// Adds `n` to all places from slot `from` on.
const fn add_to_places(slots: &mut [Slot], from: usize, n: i32) {
    let mut i = from;
    while i < slots.len() {
        slots[i].place += n;
        i += 1;
    }
}

/// Limbs of a number of 16 × 32 + 32 bits, little end first.
const LIMBS: usize = 17;

/// Returns `floor(mantissa × 2^(step/2^scale))`, halved if it reached `2^32`, and whether it was.
const fn root(mantissa: u32, step: u32, scale: u8) -> (u32, bool) {
    let power = shift_left(raise(mantissa, scale), step);
    // The 2^scale-th power of 2^32 has one bit, the lowest of limb 2^scale.
    let halved = power[1 << scale] != 0;
    let double = if halved { 1 << scale } else { 0 };
    let (mut low, mut high) = (1u64 << 31, 1u64 << 32);
    // Invariant: low^n <= power < high^n.
    while high - low > 1 {
        let middle = u64::midpoint(low, high);
        if at_most(shift_left(raise(middle as u32, scale), double), power) {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low as u32, halved)
}

/// Returns `base^(2^scale)`.
const fn raise(base: u32, scale: u8) -> [u32; LIMBS] {
    let mut number = [0; LIMBS];
    number[0] = base;
    let mut round = 0;
    while round < scale {
        number = square(number, 1 << round);
        round += 1;
    }
    number
}

/// Squares a number of `len` limbs.
const fn square(number: [u32; LIMBS], len: usize) -> [u32; LIMBS] {
    let mut product = [0u32; LIMBS];
    let mut i = 0;
    while i < len {
        let mut carry = 0u64;
        let mut j = 0;
        while j < len {
            let sum = number[i] as u64 * number[j] as u64 + product[i + j] as u64 + carry;
            product[i + j] = sum as u32;
            carry = sum >> 32;
            j += 1;
        }
        product[i + len] = carry as u32;
        i += 1;
    }
    product
}

/// Shifts left by fewer than 32 bits.
const fn shift_left(number: [u32; LIMBS], bits: u32) -> [u32; LIMBS] {
    let mut shifted = [0; LIMBS];
    let mut carry = 0u64;
    let mut i = 0;
    while i < LIMBS {
        let wide = ((number[i] as u64) << bits) | carry;
        shifted[i] = wide as u32;
        carry = wide >> 32;
        i += 1;
    }
    shifted
}

const fn at_most(a: [u32; LIMBS], b: [u32; LIMBS]) -> bool {
    let mut i = LIMBS;
    while i > 0 {
        i -= 1;
        if a[i] != b[i] {
            return a[i] < b[i];
        }
    }
    true
}

/// Returns the slot of a mantissa: the `scale + 1` bits below its top one.
#[inline(always)]
const fn slot(mantissa: u32, scale: u8) -> usize {
    ((mantissa << 1) >> (31 - scale)) as usize
}

/// How a histogram divides its range into buckets: a constant in flash, shared by handles.
///
/// Made by [`layout!`](crate::layout) and [`metrics!`](crate::metrics). Costs 36 bytes on
/// a 32-bit target and, for each scale, unit and minimum, a table of `20 + 8 × 2^(scale + 1)`
/// bytes: 84 at scale 2.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    unit: Unit<'static>,
    buckets: Buckets,
    slots: &'static [Slot],
}

#[cfg(target_pointer_width = "32")]
const _: () = assert!(size_of::<Layout>() == 36 && size_of::<Thresholds<8>>() == 84);

impl PartialEq for Layout {
    /// Tables follow from unit and scale, so they need no comparison.
    fn eq(&self, other: &Self) -> bool {
        self.unit == other.unit && self.buckets == other.buckets
    }
}

impl Eq for Layout {}

impl Layout {
    /// Makes the layout of raw values from the `min` of the thresholds to `max`: meant for
    /// constants.
    ///
    /// `min` and everything above it up to `max` falls into buckets; what is below the octave of
    /// `min` counts as zero, what is above the bucket of `max` as overflow.
    ///
    /// # Panics
    ///
    /// At compile time when used in a constant: if `max` is below `min`, or more than
    /// [`BUCKETS_MAX`] buckets result.
    #[must_use]
    pub const fn new<const SLOTS: usize>(max: u32, thresholds: &'static Thresholds<SLOTS>) -> Self {
        let buckets = geometry(max, thresholds);
        Self { unit: thresholds.unit, buckets, slots: &thresholds.slots }
    }

    /// Returns the unit of the raw values.
    #[must_use]
    pub const fn unit(&self) -> Unit<'static> {
        self.unit
    }

    /// Returns the bucket geometry.
    #[must_use]
    pub const fn buckets(&self) -> Buckets {
        self.buckets
    }

    /// Returns the words of a histogram with this layout, for one lane.
    #[must_use]
    pub const fn words(&self) -> usize {
        super::distribution::histogram_words(self.buckets.len)
    }

    /// Returns the place of a value: 0 is the zero bucket, `len + 1` the overflow bucket.
    ///
    /// ```
    /// let layout = tapes_core::layout!(unit = none, min = 2, max = 4, scale = 0);
    /// let places = [0, 1, 2, 3, 4, 5, 8, 9].map(|value| layout.place(value));
    /// let overflow = layout.buckets().len as usize + 1;
    /// assert_eq!((places[0], places[1]), (0, 0));
    /// assert!(places.is_sorted() && places[3] == places[4] && places[7] == overflow);
    /// assert!(layout.words() > overflow);
    /// ```
    #[inline(always)]
    #[must_use]
    pub const fn place(&self, value: u32) -> usize {
        self.place_of(steps(value, log2(value), self.buckets.scale, self.slots))
    }

    /// As [`place`](Self::place), in less flash and some cycles more.
    #[inline(always)]
    pub(super) const fn place_compact(&self, value: u32) -> usize {
        self.place_of(steps(value, log2_compact(value), self.buckets.scale, self.slots))
    }

    #[inline(always)]
    const fn place_of(&self, steps: i32) -> usize {
        let place = steps.cast_unsigned();
        let overflow = self.buckets.len + 1;
        if place > overflow {
            core::hint::cold_path();
            return if steps < 0 { 0 } else { overflow as usize };
        }
        place as usize
    }
}

/// Returns the buckets that hold raw values up to `max`.
pub(crate) const fn geometry<const SLOTS: usize>(
    max: u32,
    thresholds: &Thresholds<SLOTS>,
) -> Buckets {
    let scale = Thresholds::<SLOTS>::SCALE;
    let len = steps(max, log2_compact(max), scale, &thresholds.slots);
    assert!(len > 0, "min must not be above max");
    let len = len.unsigned_abs();
    assert!(len <= BUCKETS_MAX, "more buckets than BUCKETS_MAX");
    Buckets { scale, first: thresholds.first, len }
}

/// Returns `(e << scale) + c` of a value and its logarithm `e`, counted from where the slots count;
/// for 0 what a value in the octave below that of 1 would give.
#[inline(always)]
const fn steps(value: u32, e: i32, scale: u8, slots: &[Slot]) -> i32 {
    let mantissa = value.wrapping_shl((31 - e).cast_unsigned());
    let slot = slot(mantissa, scale);
    if slot >= slots.len() {
        // Never: there are `2^(scale + 1)` slots.
        core::hint::cold_path();
        return 0;
    }
    let Slot { threshold, place } = slots[slot];
    (e << scale) + place + (mantissa > threshold) as i32
}

/// Returns `floor(log2(value))`, and -1 for 0.
#[cfg(target_has_atomic = "32")]
#[inline(always)]
const fn log2(value: u32) -> i32 {
    31 - value.leading_zeros().cast_signed()
}

/// Returns `floor(log2(value))`, and -1 for 0.
///
/// Cores without compare-and-swap have no count-leading-zeros instruction either; the compiler's
/// routine takes 41 to 59 cycles on a Cortex-M0+, this one about 15 for 256 bytes of flash.
#[cfg(not(target_has_atomic = "32"))]
#[inline(always)]
const fn log2(value: u32) -> i32 {
    // Arithmetic instead of branches, which cost more when taken than they save.
    let high = ((value >> 16 != 0) as u32) << 4;
    let rest = value >> high;
    // `rest` has 16 bits, so the difference is negative if and only if it exceeds a byte.
    let middle = (255_u32.wrapping_sub(rest) >> 31) << 3;
    let byte = rest >> middle;
    LOG2[(byte & 0xff) as usize] as i32 + (high | middle).cast_signed()
}

/// As [`log2`], with 16 bytes of flash and about 6 cycles more.
#[cfg(not(target_has_atomic = "32"))]
#[inline(always)]
const fn log2_compact(value: u32) -> i32 {
    let high = ((value >> 16 != 0) as u32) << 4;
    let rest = value >> high;
    let middle = (255_u32.wrapping_sub(rest) >> 31) << 3;
    let byte = rest >> middle;
    let low = (15_u32.wrapping_sub(byte) >> 31) << 2;
    let nibble = byte >> low;
    LOG2_COMPACT[(nibble & 15) as usize] as i32 + (high | middle | low).cast_signed()
}

#[cfg(target_has_atomic = "32")]
use log2 as log2_compact;

/// Returns a table of `floor(log2(i))`, and -1 for 0.
#[cfg(not(target_has_atomic = "32"))]
const fn logarithms<const N: usize>() -> [i8; N] {
    let mut table = [-1; N];
    let mut i = 1;
    while i < N {
        table[i] = 31 - (i as u32).leading_zeros() as i8;
        i += 1;
    }
    table
}

#[cfg(not(target_has_atomic = "32"))]
static LOG2: [i8; 256] = logarithms();
#[cfg(not(target_has_atomic = "32"))]
static LOG2_COMPACT: [i8; 16] = logarithms();

/// Makes a histogram's [`Layout`]: `layout!(unit = micros, max = 60 s, scale = 2)`.
///
/// The options are those of a histogram in [`metrics!`](crate::metrics).
///
/// ```
/// use tapes_core::{Layout, layout};
/// static LATENCY: &Layout = layout!(unit = micros, max = 60 s, scale = 2);
/// assert_eq!(LATENCY.buckets().len, 104);
/// ```
#[macro_export]
macro_rules! layout {
    ($($options:tt)*) => {{
        const SPEC: $crate::__private::Spec = $crate::__spec!(Histogram [$($options)*]);
        $crate::__layout!(SPEC)
    }};
}

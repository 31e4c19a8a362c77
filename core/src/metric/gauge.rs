//! Gauges: the last value set.

use super::counter::signed;
use super::kind::Kind;
use super::sample::Value;
use super::storage::Run;
use crate::sync::Word;

/// The bit pattern of an `f32` NaN; values are stored XOR this, so that a zero word means "unset".
const NAN_F32: u32 = 0x7fc0_0000;

/// The bit pattern of an `f64` NaN.
#[cfg(target_has_atomic = "64")]
const NAN_F64: u64 = 0x7ff8_0000_0000_0000;

mod private {
    use super::{Kind, Value, Word};

    /// How a type lives in a word.
    pub trait Stored: Copy {
        const KIND: Kind;
        fn to_word(self) -> Word;
        fn from_word(word: Word) -> Self;
        fn sample(self) -> Value<'static>;
    }
}

pub(crate) use private::Stored;

/// A type that a gauge can hold: `i32`, `u32`, `f32`, and `i64`, `u64`, `f64` where words have 64
/// bits. Sealed.
///
/// ```
/// use tapes_core::metric::GaugeValue;
/// use tapes_core::{Gauge, RegisterError, Registry};
///
/// static REGISTRY: Registry<2, 2> = Registry::new();
///
/// fn level<T: GaugeValue>(name: &'static str) -> Result<Gauge<'static, T>, RegisterError> {
///     REGISTRY.gauge(name)
/// }
/// level::<i32>("tank.inflow")?.set(-3);
/// level::<f32>("tank.level")?.set(0.5);
/// # Ok::<(), RegisterError>(())
/// ```
pub trait GaugeValue: Stored {}

impl<T: Stored> GaugeValue for T {}

macro_rules! integers {
    ($($type:ty, $kind:ident, $sample:ident, $wide:ty;)*) => {$(
        #[allow(
            clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap,
            clippy::cast_lossless, trivial_numeric_casts,
            reason = "two's complement in a word of the target's width"
        )]
        impl Stored for $type {
            const KIND: Kind = Kind::$kind;

            #[inline(always)]
            fn to_word(self) -> Word {
                self as $wide as Word
            }

            fn from_word(word: Word) -> Self {
                word as Self
            }

            fn sample(self) -> Value<'static> {
                Value::$sample(self.into())
            }
        }
    )*};
}

#[cfg(target_has_atomic = "64")]
integers! {
    i32, GaugeInt, Signed, i64;
    i64, GaugeInt, Signed, i64;
    u32, GaugeUint, Unsigned, u64;
    u64, GaugeUint, Unsigned, u64;
}
#[cfg(not(target_has_atomic = "64"))]
integers! {
    i32, GaugeInt, Signed, i32;
    u32, GaugeUint, Unsigned, u32;
}

impl Stored for f32 {
    const KIND: Kind = Kind::GaugeFloat;

    #[inline(always)]
    #[allow(clippy::useless_conversion, reason = "a word is u32 on some targets")]
    fn to_word(self) -> Word {
        Word::from(self.to_bits() ^ NAN_F32)
    }

    #[allow(clippy::cast_possible_truncation, trivial_numeric_casts, reason = "stored in 32 bits")]
    fn from_word(word: Word) -> Self {
        Self::from_bits(word as u32 ^ NAN_F32)
    }

    fn sample(self) -> Value<'static> {
        // NaN by its bits: a comparison of floats is a routine on small targets.
        let nan = self.to_bits() << 1 > 0xff00_0000;
        if nan { Value::Null } else { Value::F32(self) }
    }
}

#[cfg(target_has_atomic = "64")]
impl Stored for f64 {
    const KIND: Kind = Kind::GaugeDouble;

    #[inline(always)]
    fn to_word(self) -> Word {
        self.to_bits() ^ NAN_F64
    }

    fn from_word(word: Word) -> Self {
        Self::from_bits(word ^ NAN_F64)
    }

    fn sample(self) -> Value<'static> {
        if self.is_nan() { Value::Null } else { Value::F64(self) }
    }
}

/// Returns the value of a metric of one word.
pub(crate) fn stored_value(kind: Kind, word: Word) -> Value<'static> {
    match kind {
        Kind::UpDown | Kind::GaugeInt => Value::Signed(signed(word)),
        Kind::GaugeFloat => f32::from_word(word).sample(),
        #[cfg(target_has_atomic = "64")]
        Kind::GaugeDouble => f64::from_word(word).sample(),
        #[allow(clippy::useless_conversion, reason = "a word is u32 on some targets")]
        _ => Value::Unsigned(u64::from(word)),
    }
}

/// Holds the last value set.
///
/// One word of storage a lane, of which the first is used; setting it is one store, so the last
/// one wins. A floating-point gauge that was never set, or was set to NaN, reads as `None` and is
/// exported as null; an integer gauge begins at 0.
///
/// ```
/// use tapes_core::Registry;
/// static REGISTRY: Registry<4, 16> = Registry::new();
/// let temperature = REGISTRY.gauge::<f32>("motor.temperature")?;
/// assert_eq!(temperature.value(), None);
/// temperature.set(36.5);
/// assert_eq!(temperature.value(), Some(36.5));
/// # Ok::<(), tapes_core::RegisterError>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "a gauge does nothing until it is set"]
pub struct Gauge<'r, T> {
    run: Run<'r>,
    value: core::marker::PhantomData<fn(T)>,
}

impl<'r, T: GaugeValue> Gauge<'r, T> {
    /// Returns a gauge over one word of storage.
    pub const fn new(run: Run<'r>) -> Self {
        Self { run, value: core::marker::PhantomData }
    }

    /// Returns a gauge that drops what is set.
    pub const fn noop() -> Self {
        Self::new(Run::EMPTY)
    }

    /// Sets the value.
    #[inline]
    pub fn set(&self, value: T) {
        if let Some(cell) = self.run.only() {
            cell.store(value.to_word());
        }
    }

    /// Returns the value, or `None` for a floating-point gauge that is not set.
    #[must_use]
    pub fn value(&self) -> Option<T> {
        let value = T::from_word(self.run.only()?.load());
        if matches!(value.sample(), Value::Null) { None } else { Some(value) }
    }
}

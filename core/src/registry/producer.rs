//! Gauges whose value is asked for at each reading.
//!
//! A producer runs in the context of the reader, outside any critical section. A `None`, a NaN, and
//! under `std` a panic, makes the gauge null for that reading; nothing else is affected.

use crate::clock::Clock;
use crate::metric::{Kind, Stored, Value};
use crate::sync::Cell;

/// Something that gives a gauge's value when it is read.
///
/// Functions are producers already, see [`Registry::gauge_fn`](crate::Registry::gauge_fn); this is
/// for those that need data of their own, which live in a `static`.
pub trait Producer: Sync {
    /// Returns the kind of the gauge, always the same.
    fn kind(&self) -> Kind;

    /// Returns the value now; [`Value::Null`] if there is none.
    fn value(&self) -> Value<'static>;
}

mod private {
    use super::Call;
    use crate::metric::Kind;

    /// A type that a producing function may return.
    pub trait Produced: Sized {
        #[doc(hidden)]
        const KIND: Kind;

        #[doc(hidden)]
        #[expect(private_interfaces, reason = "the trait is sealed")]
        fn call(producer: fn() -> Self) -> Call;
    }
}

pub(super) use private::Produced as Callable;

macro_rules! produced {
    ($($(#[$cfg:meta])* $type:ty, $always:ident, $sometimes:ident;)*) => {
        /// How a registry calls a producer.
        #[derive(Clone, Copy)]
        pub(super) enum Call {
            $(
                $(#[$cfg])*
                $always(fn() -> $type),
                $(#[$cfg])*
                $sometimes(fn() -> Option<$type>),
            )*
            Object(&'static dyn Producer),
        }

        impl Call {
            /// Returns what tells producers apart: the address of the function or object.
            pub(super) fn identity(self) -> usize {
                match self {
                    $(
                        $(#[$cfg])*
                        Self::$always(call) => call as usize,
                        $(#[$cfg])*
                        Self::$sometimes(call) => call as usize,
                    )*
                    Self::Object(object) => core::ptr::from_ref(object).cast::<()>() as usize,
                }
            }

            fn ask(self) -> Value<'static> {
                match self {
                    $(
                        $(#[$cfg])*
                        Self::$always(call) => call().sample(),
                        $(#[$cfg])*
                        Self::$sometimes(call) => call().map_or(Value::Null, Stored::sample),
                    )*
                    Self::Object(object) => object.value(),
                }
            }
        }

        $(
            $(#[$cfg])*
            impl private::Produced for $type {
                const KIND: Kind = <Self as Stored>::KIND;

                #[expect(private_interfaces, reason = "the trait is sealed")]
                fn call(producer: fn() -> Self) -> Call {
                    Call::$always(producer)
                }
            }

            $(#[$cfg])*
            impl private::Produced for Option<$type> {
                const KIND: Kind = <$type as Stored>::KIND;

                #[expect(private_interfaces, reason = "the trait is sealed")]
                fn call(producer: fn() -> Self) -> Call {
                    Call::$sometimes(producer)
                }
            }
        )*
    };
}

produced! {
    f32, F32, OptionF32;
    i32, I32, OptionI32;
    u32, U32, OptionU32;
    #[cfg(target_has_atomic = "64")]
    f64, F64, OptionF64;
    #[cfg(target_has_atomic = "64")]
    i64, I64, OptionI64;
    #[cfg(target_has_atomic = "64")]
    u64, U64, OptionU64;
}

impl core::fmt::Debug for Call {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Call").field(&self.identity()).finish()
    }
}

impl Call {
    pub(super) fn value(self) -> Value<'static> {
        #[cfg(feature = "std")]
        {
            std::panic::catch_unwind(|| self.ask()).unwrap_or(Value::Null)
        }
        #[cfg(not(feature = "std"))]
        self.ask()
    }
}

// A producer that panicked is asked again at the next reading; what it shares is its own concern.
#[cfg(feature = "std")]
impl core::panic::RefUnwindSafe for Call {}
#[cfg(feature = "std")]
impl core::panic::UnwindSafe for Call {}

/// A type that a gauge's producing function may return. Sealed.
///
/// `f32`, `i32` and `u32`, where words have 64 bits `f64`, `i64` and `u64` too, and an `Option` of
/// any: `None` makes the gauge null for that reading, as when a sensor does not answer.
///
/// ```
/// use tapes_core::{Produced, RegisterError, Registry};
///
/// static REGISTRY: Registry<3, 3> = Registry::new();
///
/// fn sensor<T: Produced>(name: &'static str, read: fn() -> T) -> Result<(), RegisterError> {
///     REGISTRY.gauge_fn(name, read)
/// }
/// sensor("room.temperature", || 21.5f32)?;
/// sensor("room.people", || 3u32)?;
/// # fn read_pressure() -> Result<f32, ()> { Err(()) }
/// sensor("room.pressure", || read_pressure().ok())?;
/// # Ok::<(), RegisterError>(())
/// ```
pub trait Produced: private::Produced {}

impl<T: private::Produced> Produced for T {}

/// The ratio of two numbers; null while the denominator is 0 or not finite.
///
/// ```
/// use tapes_core::{Producer, Ratio, metric::Value};
/// static FILL: Ratio = Ratio::new(|| 3.0, || 4.0);
/// assert!(matches!(FILL.value(), Value::F32(0.75)));
/// static NOTHING: Ratio = Ratio::new(|| 3.0, || 0.0);
/// assert!(matches!(NOTHING.value(), Value::Null));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Ratio {
    numerator: fn() -> f32,
    denominator: fn() -> f32,
}

impl Ratio {
    /// Returns the ratio of what two functions give.
    #[must_use]
    pub const fn new(numerator: fn() -> f32, denominator: fn() -> f32) -> Self {
        Self { numerator, denominator }
    }
}

impl Producer for Ratio {
    fn kind(&self) -> Kind {
        Kind::GaugeFloat
    }

    fn value(&self) -> Value<'static> {
        let denominator = (self.denominator)();
        if denominator == 0.0 || !denominator.is_finite() {
            return Value::Null;
        }
        ((self.numerator)() / denominator).sample()
    }
}

/// Remembers what an expensive function gave, and asks it again only after some ticks.
///
/// Two readers that come at the same time may both ask.
///
/// ```
/// use tapes_core::{Cached, Producer, clock::ManualClock};
/// static CLOCK: ManualClock<1_000> = ManualClock::new();
/// static SUPPLY: Cached<&ManualClock<1_000>> = Cached::new(|| 3.3, &CLOCK, 500);
/// assert!(matches!(SUPPLY.value(), tapes_core::metric::Value::F32(_)));
/// ```
#[derive(Debug)]
pub struct Cached<C> {
    producer: fn() -> f32,
    clock: C,
    /// Ticks after which the value is too old.
    ticks: u32,
    /// What the function gave, as a gauge stores it.
    value: Cell,
    /// Ticks of the clock when it did.
    asked: Cell,
    /// 0 until it did for the first time.
    known: Cell,
}

impl<C: Clock> Cached<C> {
    /// Returns a producer that asks `producer` at most once in `ticks` of `clock`.
    #[must_use]
    pub const fn new(producer: fn() -> f32, clock: C, ticks: u32) -> Self {
        Self { producer, clock, ticks, value: Cell::ZERO, asked: Cell::ZERO, known: Cell::ZERO }
    }
}

impl<C: Clock + Sync> Producer for Cached<C> {
    fn kind(&self) -> Kind {
        Kind::GaugeFloat
    }

    #[expect(clippy::cast_possible_truncation, reason = "ticks were stored as 32 bits")]
    #[allow(trivial_numeric_casts, clippy::useless_conversion, reason = "words differ by target")]
    fn value(&self) -> Value<'static> {
        let now = self.clock.ticks();
        let age = now.wrapping_sub(self.asked.load() as u32);
        if self.known.load() == 0 || age >= self.ticks {
            self.value.store((self.producer)().to_word());
            self.asked.store(now.into());
            self.known.store(1);
        }
        f32::from_word(self.value.load()).sample()
    }
}

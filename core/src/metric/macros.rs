//! The `metrics!` macro and what it is made of.

/// Declares a group of metrics: names, offsets and capacity are computed at compile time.
///
/// The group is a `static` whose fields are the handles. It needs no set-up call and works in
/// interrupts from the first instruction on. A counter costs 4 bytes of RAM on a 32-bit target for
/// each lane, a histogram [`Layout::words`](crate::Layout::words) times that; names, help and
/// units are constants in flash, encoded as the bytes that reporters send.
///
/// ```
/// use tapes_core::{clock::ManualClock, metrics};
///
/// metrics! {
///     /// Motor control.
///     pub static MOTOR: MotorMetrics = "motor", labels(axis = "x") {
///         /// Control loop passes.
///         loops: Counter,
///         /// Commands waiting.
///         queue: UpDown,
///         /// Winding temperature.
///         temperature: Gauge<f32> [unit = celsius],
///         /// Commands received.
///         commands: Meter,
///         /// Packets received.
///         packets: Histogram [unit = bytes, max = 1500],
///         /// Time of one pass.
///         loop_time: Timer [unit = micros, max = 60 s, scale = 2],
///     }
/// }
///
/// let clock = ManualClock::<1_000_000>::new();
/// let pass = MOTOR.loop_time.start(&clock);
/// MOTOR.loops.increment();
/// drop(pass);
/// assert_eq!(MOTOR.loops.value(), 1);
/// assert_eq!((MotorMetrics::METRICS, MotorMetrics::BUCKETS), (6, 104));
/// ```
///
/// The type has the sizes that reporters want to know: `MotorMetrics::METRICS`, their `WORDS` and
/// the `BUCKETS` of the longest histogram.
///
/// # Kinds and options
///
/// | kind | options |
/// |---|---|
/// | `Counter`, `UpDown`, `Meter`, `Gauge<T>` | `unit` |
/// | `Histogram` | `unit`, `min`, `max`, `scale` |
/// | `Timer` | `unit` (a unit of time; `micros` if it is not given), `min`, `max`, `scale` |
///
/// - `unit`: `none`, `seconds`, `millis`, `micros`, `nanos`, `ticks(HZ)`, `bytes`, `celsius`,
///   `ratio`, `volts`, `amperes`, `watts`, `joules`, `hertz`, `meters`, `grams`, or a string.
/// - `max` and `min`: raw values, or with a suffix `s`, `ms`, `us`, `ns` in seconds; 60 base units
///   and 1 raw step if they are not given.
/// - `scale`: `2^scale` buckets an octave, 0 to 4, 2 if it is not given: worst relative error
///   33, 17.2, 8.64, 4.33, 2.17 %.
///
/// What one handle only records costs less: `passes: Exclusive<Counter>`, and so for `UpDown`,
/// `Meter`, `Histogram` and `Timer`; see [`Exclusive`](crate::metric::Exclusive).
///
/// Any other kind can be a family over enumerated labels, one metric for each combination:
/// `faults: Counter per Fault`, `requests: Timer per (Method, Status) [max = 1 s]`; see
/// [`Family`](crate::Family).
///
/// # Storage elsewhere
///
/// `= "motor" in WORDS_OF_MOTOR { … }` takes a `static WORDS_OF_MOTOR: Words<{ MotorMetrics::WORDS }>`
/// that the program placed itself, as in RAM that a reset does not clear.
///
/// # By hand
///
/// The macro makes nothing that could not be written out: [`Words`](crate::metric::Words) holds
/// the storage, [`Counter::new`](crate::Counter::new) and its like take a run of it.
///
/// # Errors at compile time
///
/// Names and labels that are not allowed, unknown kinds and options, and limits out of range do
/// not compile.
#[macro_export]
macro_rules! metrics {
    (
        $(#[$meta:meta])*
        $vis:vis static $NAME:ident: $Type:ident = $prefix:literal
        $(in $words:path)?
        $(, labels($($label:ident = $value:literal),* $(,)?))?
        {
            $(
                $(#[doc = $help:literal])*
                $field:ident: $kind:ident $(<$value_type:ident>)? $(per $labels:ty)?
                    $([$($options:tt)*])?
            ),* $(,)?
        }
    ) => {
        #[doc = ::core::concat!("The metrics of the group `", $prefix, "`.")]
        #[derive(::core::fmt::Debug)]
        $vis struct $Type {
            __group: $crate::metric::Group<'static>,
            $(
                $(#[doc = $help])*
                pub $field: $crate::__field!(
                    [$($labels)?] $crate::__handle!($kind $(<$value_type>)? $([$($options)*])?)
                ),
            )*
        }

        impl $Type {
            const __DECLARED: &'static [$crate::__private::Declared] = &[$(
                $crate::__private::Declared {
                    name: ::core::concat!($prefix, ".", ::core::stringify!($field)),
                    help: ::core::concat!($($help),*),
                    spec: $crate::__spec!($kind $(<$value_type>)? $([$($options)*])?),
                    dimensions: $crate::__dimensions!($($labels)?),
                },
            )*];

            /// Number of metrics.
            #[allow(dead_code, reason = "not every program asks")]
            $vis const METRICS: usize = Self::__DECLARED.len();

            /// Storage words, of one lane.
            #[allow(dead_code, reason = "not every program asks")]
            $vis const WORDS: usize = $crate::__private::total_words(Self::__DECLARED);

            /// Buckets of the longest histogram or timer; 0 without any.
            #[allow(dead_code, reason = "not every program asks")]
            $vis const BUCKETS: u32 = $crate::__private::most_buckets(Self::__DECLARED);

            /// Returns the view that readers take.
            #[must_use]
            #[allow(dead_code, reason = "readers may take the static itself")]
            $vis const fn group(&self) -> $crate::metric::Group<'static> {
                self.__group
            }
        }

        impl $crate::metric::Metrics for $Type {
            fn group(&self) -> $crate::metric::Group<'static> {
                self.__group
            }
        }

        $crate::__log_group! {
            $Type = $prefix, [$($($label = $value),*)?] { $($field [$($labels)?])* }
        }

        $(#[$meta])*
        $vis static $NAME: $Type = {
            const DECLARED: &[$crate::__private::Declared] = $Type::__DECLARED;
            const LABELS: $crate::metric::Labels<'static> = $crate::__private::checked_labels(
                &[$($((::core::stringify!($label), $value)),*)?],
            );
            static ENTRIES: [u8; $crate::__private::entries_len(DECLARED, LABELS)] =
                $crate::__private::encode(DECLARED, LABELS);
            static DECLARATION: $crate::__private::Declaration =
                $crate::__private::Declaration::new(&ENTRIES, DECLARED);
            $crate::__words!(WORDS, $Type $(, $words)?);
            $Type {
                __group: $crate::metric::Group::new(&DECLARATION, WORDS.run(0, $Type::WORDS)),
                $(
                    $field: $crate::__declare!(
                        $crate::__private::run_of(
                            DECLARED,
                            WORDS.run(0, $Type::WORDS),
                            ::core::concat!($prefix, ".", ::core::stringify!($field)),
                        );
                        [$($labels)?] $kind $(<$value_type>)? $([$($options)*])?
                    ),
                )*
            }
        };
    };
}

/// The storage of a group: its own, or one that the user placed.
#[doc(hidden)]
#[macro_export]
macro_rules! __words {
    ($WORDS:ident, $Type:ident) => {
        static $WORDS: $crate::metric::Words<{ $crate::__private::lane_words($Type::WORDS) }> =
            $crate::metric::Words::new();
    };
    ($WORDS:ident, $Type:ident, $words:path) => {
        const $WORDS: &$crate::metric::Words<{ $Type::WORDS }> = &$words;
    };
}

/// The type of a handle.
#[doc(hidden)]
#[macro_export]
macro_rules! __handle {
    (Counter $([$($options:tt)*])?) => { $crate::Counter<'static> };
    (UpDown $([$($options:tt)*])?) => { $crate::UpDown<'static> };
    (Meter $([$($options:tt)*])?) => { $crate::Meter<'static> };
    (Gauge<$type:ident> $([$($options:tt)*])?) => { $crate::Gauge<'static, $type> };
    (Histogram $([$($options:tt)*])?) => { $crate::Histogram<'static> };
    (Timer $([$($options:tt)*])?) => {
        $crate::Timer<'static, { $crate::__spec!(Timer $([$($options)*])?).unit().per() }>
    };
    (Exclusive<$kind:ident> $([$($options:tt)*])?) => {
        $crate::metric::Takeable<$crate::__handle!($kind $([$($options)*])?)>
    };
    ($($other:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "unknown kind of metric: `", ::core::stringify!($($other)*),
            "`; use Counter, UpDown, Meter, Gauge<T>, Histogram or Timer"
        ))
    };
}

/// The options of a metric as a `Spec`.
#[doc(hidden)]
#[macro_export]
macro_rules! __spec {
    (Counter $([$($options:tt)*])?) => {
        $crate::__options!(
            $crate::__private::Spec::plain($crate::metric::Kind::Counter); $($($options)*)?
        )
    };
    (UpDown $([$($options:tt)*])?) => {
        $crate::__options!(
            $crate::__private::Spec::plain($crate::metric::Kind::UpDown); $($($options)*)?
        )
    };
    (Meter $([$($options:tt)*])?) => {
        $crate::__options!(
            $crate::__private::Spec::plain($crate::metric::Kind::Meter); $($($options)*)?
        )
    };
    (Gauge<$type:ident> $([$($options:tt)*])?) => {
        $crate::__options!(
            $crate::__private::Spec::plain($crate::__private::gauge_kind::<$type>());
            $($($options)*)?
        )
    };
    (Histogram $([$($options:tt)*])?) => {
        $crate::__options!($crate::__private::Spec::histogram(); $($($options)*)?)
    };
    (Timer $([$($options:tt)*])?) => {
        $crate::__options!($crate::__private::Spec::timer(); $($($options)*)?)
    };
    (Exclusive<$kind:ident> $([$($options:tt)*])?) => {
        $crate::__spec!($kind $([$($options)*])?)
    };
    // `__handle!` says what is wrong.
    ($($other:tt)*) => { $crate::__private::Spec::plain($crate::metric::Kind::Counter) };
}

/// Options one by one.
#[doc(hidden)]
#[macro_export]
macro_rules! __options {
    ($spec:expr; $(,)?) => { $spec };
    ($spec:expr; unit = ticks($hz:expr) $(, $($rest:tt)*)?) => {
        $crate::__options!($spec.with_unit($crate::metric::Unit::ticks($hz)); $($($rest)*)?)
    };
    ($spec:expr; unit = $unit:tt $(, $($rest:tt)*)?) => {
        $crate::__options!($spec.with_unit($crate::__unit!($unit)); $($($rest)*)?)
    };
    ($spec:expr; scale = $scale:literal $(, $($rest:tt)*)?) => {
        $crate::__options!($spec.with_scale($scale); $($($rest)*)?)
    };
    ($spec:expr; min = $number:literal $($suffix:ident)? $(, $($rest:tt)*)?) => {
        $crate::__options!($spec.with_min($crate::__amount!($number $($suffix)?)); $($($rest)*)?)
    };
    ($spec:expr; max = $number:literal $($suffix:ident)? $(, $($rest:tt)*)?) => {
        $crate::__options!($spec.with_max($crate::__amount!($number $($suffix)?)); $($($rest)*)?)
    };
    ($spec:expr; $($other:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "cannot read the options from here on: `", ::core::stringify!($($other)*),
            "`; known are `unit = micros`, `scale = 2`, `min = 1`, `max = 60 s`"
        ))
    };
}

/// A unit by its name.
#[doc(hidden)]
#[macro_export]
macro_rules! __unit {
    (none) => {
        $crate::metric::Unit::NONE
    };
    (seconds) => {
        $crate::metric::Unit::SECONDS
    };
    (millis) => {
        $crate::metric::Unit::MILLIS
    };
    (micros) => {
        $crate::metric::Unit::MICROS
    };
    (nanos) => {
        $crate::metric::Unit::NANOS
    };
    (bytes) => {
        $crate::metric::Unit::BYTES
    };
    (celsius) => {
        $crate::metric::Unit::CELSIUS
    };
    (ratio) => {
        $crate::metric::Unit::RATIO
    };
    (volts) => {
        $crate::metric::Unit::VOLTS
    };
    (amperes) => {
        $crate::metric::Unit::AMPERES
    };
    (watts) => {
        $crate::metric::Unit::new($crate::metric::BaseUnit::Watts, 1)
    };
    (joules) => {
        $crate::metric::Unit::new($crate::metric::BaseUnit::Joules, 1)
    };
    (hertz) => {
        $crate::metric::Unit::new($crate::metric::BaseUnit::Hertz, 1)
    };
    (meters) => {
        $crate::metric::Unit::new($crate::metric::BaseUnit::Meters, 1)
    };
    (grams) => {
        $crate::metric::Unit::new($crate::metric::BaseUnit::Grams, 1)
    };
    ($other:literal) => {
        $crate::metric::Unit::new($crate::metric::BaseUnit::Other($other), 1)
    };
    ($other:tt) => {
        ::core::compile_error!(::core::concat!(
            "unknown unit `",
            ::core::stringify!($other),
            "`; use none, seconds, millis, micros, \
             nanos, ticks(HZ), bytes, celsius, ratio, volts, amperes, watts, joules, hertz, \
             meters, grams, or a string"
        ))
    };
}

/// A number with an optional suffix of time.
#[doc(hidden)]
#[macro_export]
macro_rules! __amount {
    ($number:literal) => {
        $crate::__private::Amount { number: $number, per: 0 }
    };
    ($number:literal s) => {
        $crate::__private::Amount { number: $number, per: 1 }
    };
    ($number:literal ms) => {
        $crate::__private::Amount { number: $number, per: 1_000 }
    };
    ($number:literal us) => {
        $crate::__private::Amount { number: $number, per: 1_000_000 }
    };
    ($number:literal ns) => {
        $crate::__private::Amount { number: $number, per: 1_000_000_000 }
    };
    ($number:literal $suffix:ident) => {
        ::core::compile_error!(::core::concat!(
            "unknown suffix `",
            ::core::stringify!($suffix),
            "`; use s, ms, us or ns, or none \
             for raw values"
        ))
    };
}

/// A layout in flash from a constant `Spec`.
#[doc(hidden)]
#[macro_export]
macro_rules! __layout {
    ($spec:ident) => {{
        const THRESHOLDS: &$crate::metric::Thresholds<{ $spec.slots() }> = &$spec.thresholds();
        const LAYOUT: &$crate::Layout = &$spec.layout(THRESHOLDS);
        LAYOUT
    }};
}

/// The type of a field: a handle, or a family of them.
#[doc(hidden)]
#[macro_export]
macro_rules! __field {
    ([] $handle:ty) => { $handle };
    ([$labels:ty] $handle:ty) => { $crate::Family<'static, $handle, $labels> };
}

/// The dimensions of a family.
#[doc(hidden)]
#[macro_export]
macro_rules! __dimensions {
    () => {
        &[]
    };
    ($labels:ty) => {
        <$labels as $crate::LabelSet>::DIMENSIONS
    };
}

/// A handle or a family over a run of words.
#[doc(hidden)]
#[macro_export]
macro_rules! __declare {
    ($run:expr; [] Histogram $([$($options:tt)*])?) => {{
        const SPEC: $crate::__private::Spec = $crate::__spec!(Histogram $([$($options)*])?);
        $crate::Histogram::new($run, $crate::__layout!(SPEC))
    }};
    ($run:expr; [] Timer $([$($options:tt)*])?) => {{
        const SPEC: $crate::__private::Spec = $crate::__spec!(Timer $([$($options)*])?);
        $crate::Timer::new($run, $crate::__layout!(SPEC))
    }};
    ($run:expr; [] Exclusive<$kind:ident> $([$($options:tt)*])?) => {{
        static CLAIM: $crate::metric::Claim = $crate::metric::Claim::new();
        $crate::metric::Takeable::new(
            $crate::__declare!($run; [] $kind $([$($options)*])?),
            &CLAIM,
        )
    }};
    ($run:expr; [] $kind:ident $(<$type:ident>)? $([$($options:tt)*])?) => {
        $crate::$kind::new($run)
    };
    ($run:expr; [$labels:ty] Histogram $([$($options:tt)*])?) => {{
        const SPEC: $crate::__private::Spec = $crate::__spec!(Histogram $([$($options)*])?);
        $crate::Family::with_layout($run, $crate::__layout!(SPEC))
    }};
    ($run:expr; [$labels:ty] Timer $([$($options:tt)*])?) => {{
        const SPEC: $crate::__private::Spec = $crate::__spec!(Timer $([$($options)*])?);
        $crate::Family::with_layout($run, $crate::__layout!(SPEC))
    }};
    ($run:expr; [$labels:ty] $kind:ident $(<$type:ident>)? $([$($options:tt)*])?) => {
        $crate::Family::new($run)
    };
}

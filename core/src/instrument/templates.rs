//! Metrics for each type: templates whose names are filled with that of the type.

use crate::metric::__private::Declared;
use crate::metric::Metrics;

/// A type with metrics of its own; `#[derive(Metered)]` implements it.
///
/// Generic code reaches the metrics of each type through the associated constant.
///
/// ```
/// use tapes_core::{Registry, filled, instrument::Metered, templates};
///
/// templates! {
///     /// What every endpoint measures.
///     pub struct EndpointMetrics {
///         /// Requests received.
///         requests: Counter = "http.endpoints.{}.requests",
///         /// Time of one request.
///         latency: Timer = "http.endpoints.{}.latency" [max = 60 s],
///     }
/// }
///
/// trait Endpoint: Metered<Metrics = EndpointMetrics> {
///     fn handle(&self) {
///         Self::METRICS.requests.increment();
///     }
/// }
///
/// struct Users;
///
/// // What `#[derive(Metered)] #[metrics(EndpointMetrics)]` expands to.
/// impl Metered for Users {
///     type Metrics = EndpointMetrics;
///     const METRICS: &'static EndpointMetrics = filled!(EndpointMetrics, "users");
/// }
///
/// impl Endpoint for Users {}
///
/// static REGISTRY: Registry<4, 4> = Registry::new();
/// REGISTRY.attach(Users::METRICS)?;
/// Users.handle();
/// assert_eq!(Users::METRICS.requests.value(), 1);
/// # Ok::<(), tapes_core::RegisterError>(())
/// ```
pub trait Metered {
    /// The group of metrics.
    type Metrics: Metrics + 'static;

    /// The metrics of this type.
    const METRICS: &'static Self::Metrics;
}

/// A group whose names have a place to be filled; [`templates!`](crate::templates) implements it.
///
/// ```
/// use tapes_core::instrument::Templates;
/// use tapes_core::{Metered, Metrics, filled, templates};
///
/// templates! {
///     /// What every driver measures.
///     pub struct DriverMetrics {
///         /// Transfers.
///         transfers: Counter = "drivers.{}.transfers",
///     }
/// }
///
/// /// Anything with metrics made of templates.
/// fn metrics<D: Metered<Metrics: Templates>>() -> u32 {
///     D::METRICS.group().metrics()
/// }
/// struct Spi;
///
/// impl Metered for Spi {
///     type Metrics = DriverMetrics;
///     const METRICS: &'static DriverMetrics = filled!(DriverMetrics, "spi");
/// }
/// assert_eq!(metrics::<Spi>(), 1);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no set of templates",
    note = "declare it with `tapes_core::templates!`"
)]
pub trait Templates: Metrics {
    /// The metrics, with `{}` in their names.
    #[doc(hidden)]
    const TEMPLATES: &'static [Declared];
}

/// Declares a group of metrics that there can be several of, told apart by their names.
///
/// It makes a struct like that of [`metrics!`](crate::metrics), with the same kinds and options,
/// and no static. Each metric has its full name, with one `{}` in it;
/// [`filled!`](crate::filled) makes a group of the templates and a name. See [`Metered`] for an
/// example.
///
/// [`Metered`]: crate::instrument::Metered
///
/// # Errors at compile time
///
/// A template without `{}`, or with two, and two metrics with the same template do not compile; nor
/// does a name that is not allowed, once it is filled.
#[macro_export]
macro_rules! templates {
    (
        $(#[$meta:meta])*
        $vis:vis struct $Type:ident {
            $(
                $(#[doc = $help:literal])*
                $field:ident: $kind:ident $(<$value_type:ident>)? $(per $labels:ty)?
                    = $template:literal $([$($options:tt)*])?
            ),* $(,)?
        }
    ) => {
        $(#[$meta])*
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
            /// Number of metrics.
            $vis const METRICS: ::core::primitive::usize =
                <Self as $crate::instrument::Templates>::TEMPLATES.len();

            /// Storage words, of one lane.
            $vis const WORDS: ::core::primitive::usize = $crate::__private::total_words(
                <Self as $crate::instrument::Templates>::TEMPLATES
            );

            /// Returns the view that readers take.
            #[must_use]
            $vis const fn group(&self) -> $crate::metric::Group<'static> {
                self.__group
            }

            #[doc(hidden)]
            #[inline]
            #[must_use]
            $vis const fn __over(
                group: $crate::metric::Group<'static>,
                all: $crate::metric::Run<'static>,
            ) -> Self {
                const TEMPLATES: &[$crate::__private::Declared] =
                    <$Type as $crate::instrument::Templates>::TEMPLATES;
                Self {
                    __group: group,
                    $(
                        $field: $crate::__declare!(
                            $crate::__private::run_of(TEMPLATES, all, $template);
                            [$($labels)?] $kind $(<$value_type>)? $([$($options)*])?
                        ),
                    )*
                }
            }
        }

        impl $crate::metric::Metrics for $Type {
            fn group(&self) -> $crate::metric::Group<'static> {
                self.__group
            }
        }

        impl $crate::instrument::Templates for $Type {
            const TEMPLATES: &'static [$crate::__private::Declared] = &[$(
                $crate::__private::Declared {
                    name: $template,
                    help: ::core::concat!($($help),*),
                    spec: $crate::__spec!($kind $(<$value_type>)? $([$($options)*])?),
                    dimensions: $crate::__dimensions!($($labels)?),
                },
            )*];
        }

        const _: () = $crate::instrument::__private::check(
            <$Type as $crate::instrument::Templates>::TEMPLATES,
        );
    };
}

/// Makes a group of [`templates!`] and a name: an expression of type `&'static` the templates'.
///
/// The name takes the place of `{}`, dots allowed. Each use has a static of its own, computed at
/// compile time like those of [`metrics!`](crate::metrics); in a generic function all
/// instantiations share it.
///
/// ```
/// use tapes_core::{filled, templates};
///
/// templates! {
///     /// One motor.
///     struct Motor {
///         /// Control loop passes.
///         loops: Counter = "motor.{}.loops",
///     }
/// }
///
/// static LEFT: &Motor = filled!(Motor, "left");
/// static RIGHT: &Motor = filled!(Motor, "right", labels(side = "r"));
/// assert_eq!((Motor::METRICS, Motor::WORDS), (1, 1));
/// LEFT.loops.increment();
/// assert_eq!((LEFT.loops.value(), RIGHT.loops.value()), (1, 0));
/// ```
#[macro_export]
macro_rules! filled {
    (
        $Type:ty, $name:expr
        $(, labels($($label:ident = $value:literal),* $(,)?))? $(,)?
    ) => {{
        const NAME: &::core::primitive::str = $name;
        const TEMPLATES: &[$crate::__private::Declared] =
            <$Type as $crate::instrument::Templates>::TEMPLATES;
        const NAMES: &[::core::primitive::u8] =
            &$crate::instrument::__private::names::<
                { $crate::instrument::__private::names_len(TEMPLATES, NAME) }
            >(TEMPLATES, NAME);
        const DECLARED: &[$crate::__private::Declared] =
            &$crate::instrument::__private::fill::<{ TEMPLATES.len() }>(TEMPLATES, NAMES, NAME);
        const LABELS: $crate::metric::Labels<'static> = $crate::__private::checked_labels(
            &[$($((::core::stringify!($label), $value)),*)?],
        );
        static ENTRIES: [
            ::core::primitive::u8; $crate::__private::entries_len(DECLARED, LABELS)
        ] = $crate::__private::encode(DECLARED, LABELS);
        static DECLARATION: $crate::__private::Declaration =
            $crate::__private::Declaration::new(&ENTRIES, DECLARED);
        const LEN: ::core::primitive::usize = $crate::__private::total_words(DECLARED);
        static WORDS: $crate::metric::Words<{ $crate::__private::lane_words(LEN) }> =
            $crate::metric::Words::new();
        static METRICS: $Type = <$Type>::__over(
            $crate::metric::Group::new(&DECLARATION, WORDS.run(0, LEN)),
            WORDS.run(0, LEN),
        );
        &METRICS
    }};
}

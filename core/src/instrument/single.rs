//! Groups of one metric.

use core::ops::Deref;

use crate::metric::{Group, Metrics};

/// A declared metric with a group of its own, as `#[counted("motor.calls")]` makes it.
///
/// It dereferences to the handle, and joins a registry as any other group:
/// `REGISTRY.attach(&PASS_COUNTED)?`.
///
/// ```
/// # #[cfg(feature = "macros")] {
/// use tapes_core::instrument::Single;
/// use tapes_core::{Counter, Registry, counted};
///
/// #[counted("motor.passes")]
/// fn pass() {}
///
/// static REGISTRY: Registry<4, 4> = Registry::new();
/// let passes: &Single<Counter<'static>> = &PASS_COUNTED;
/// REGISTRY.attach(passes).unwrap();
/// pass();
/// assert_eq!((passes.metric().value(), passes.group().metrics()), (1, 1));
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a metric does nothing until it is used"]
pub struct Single<M> {
    group: Group<'static>,
    metric: M,
}

impl<M> Single<M> {
    /// Returns the metric of a group.
    #[doc(hidden)]
    pub const fn new(group: Group<'static>, metric: M) -> Self {
        Self { group, metric }
    }

    /// Returns the view that readers take.
    #[must_use]
    pub const fn group(&self) -> Group<'static> {
        self.group
    }

    /// Returns the handle.
    #[must_use]
    pub const fn metric(&self) -> &M {
        &self.metric
    }
}

impl<M> Deref for Single<M> {
    type Target = M;

    #[inline]
    fn deref(&self) -> &M {
        &self.metric
    }
}

impl<M> Metrics for Single<M> {
    fn group(&self) -> Group<'static> {
        self.group
    }
}

/// A [`Single`] with a static of its own, from a name, a help text, a kind and options.
#[doc(hidden)]
#[macro_export]
macro_rules! __single {
    ($name:expr, $help:expr; $($kind:tt)*) => {{
        const DECLARED: &[$crate::__private::Declared] = &[$crate::__private::Declared {
            name: $name,
            help: $help,
            spec: $crate::__spec!($($kind)*),
            dimensions: &[],
        }];
        static ENTRIES: [
            ::core::primitive::u8;
            $crate::__private::entries_len(DECLARED, $crate::metric::Labels::NONE)
        ] = $crate::__private::encode(DECLARED, $crate::metric::Labels::NONE);
        static DECLARATION: $crate::__private::Declaration =
            $crate::__private::Declaration::new(&ENTRIES, DECLARED);
        const LEN: ::core::primitive::usize = $crate::__private::total_words(DECLARED);
        static WORDS: $crate::metric::Words<{ $crate::__private::lane_words(LEN) }> =
            $crate::metric::Words::new();
        $crate::instrument::Single::new(
            $crate::metric::Group::new(&DECLARATION, WORDS.run(0, LEN)),
            $crate::__declare!(WORDS.run(0, LEN); [] $($kind)*),
        )
    }};
}

//! What `metrics!` adds to a declared group: logging with interned names.

/// Implements [`Interned`](super::Interned) for the struct of a declared group.
#[cfg(feature = "defmt")]
#[doc(hidden)]
#[macro_export]
macro_rules! __log_group {
    (
        $Type:ident = $prefix:literal, $constant_labels:tt
        { $($field:ident $labels:tt)* }
    ) => {
        impl $crate::report::Interned for $Type {
            // Inlined, so that of a `static` group only the words that it points at are linked.
            #[inline(always)]
            fn log_interned(&self) {
                #[allow(unused_imports, reason = "a group may be empty")]
                use $crate::report::__private::{self, defmt};
                $({
                    const DECLARED: $crate::__private::Declared = __private::declared(
                        $Type::__DECLARED,
                        ::core::concat!($prefix, ".", ::core::stringify!($field)),
                    );
                    const OFFSET: usize = __private::offset($Type::__DECLARED, DECLARED.name);
                    const KIND: &$crate::metric::Kind = &DECLARED.spec.kind();
                    const UNIT: &$crate::metric::Unit<'static> = &DECLARED.spec.unit();
                    __private::log_declared(
                        __private::interned!($prefix, $field, $constant_labels, $labels),
                        KIND,
                        UNIT,
                        DECLARED.dimensions,
                        self.__group.run().run(OFFSET, const { __private::words(&DECLARED) }),
                    );
                })*
            }
        }
    };
}

/// Nothing, without defmt.
#[cfg(not(feature = "defmt"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __log_group {
    ($($group:tt)*) => {};
}

/// What the macro expands to; no part of the API.
#[cfg(feature = "defmt")]
#[doc(hidden)]
pub mod __private {
    pub use defmt;
    pub use tapes_macros::__interned as interned;

    use super::super::defmt_reporter::{log_distribution, log_family, log_number};
    use crate::metric::__private::{Declared, total_words};
    use crate::metric::{Dimension, Kind, Run, Unit};
    use crate::name::same;

    /// Returns what was declared under `name`.
    #[must_use]
    pub const fn declared(all: &[Declared], name: &str) -> Declared {
        all[position(all, name)]
    }

    /// Returns the words before `name`, of one lane.
    #[must_use]
    pub const fn offset(all: &[Declared], name: &str) -> usize {
        crate::metric::__private::offset(all, position(all, name))
    }

    const fn position(all: &[Declared], name: &str) -> usize {
        let mut i = 0;
        while !same(all[i].name.as_bytes(), name.as_bytes()) {
            i += 1;
        }
        i
    }

    /// Returns the words of one metric or family.
    #[must_use]
    pub const fn words(declared: &Declared) -> usize {
        total_words(core::slice::from_ref(declared))
    }

    /// Logs one metric, or all of a family.
    #[inline(always)]
    pub fn log_declared(
        name: defmt::Str,
        kind: &'static Kind,
        unit: &'static Unit<'static>,
        dimensions: &'static [Dimension<'static>],
        run: Run<'static>,
    ) {
        // All but the run is constant, so only one of these is linked.
        match (kind.buckets(), dimensions.is_empty()) {
            (None, true) => log_number(name, kind, unit, run),
            (Some(buckets), true) => log_distribution(name, buckets, unit, run),
            (_, false) => log_family(name, kind, unit, dimensions, run),
        }
    }
}

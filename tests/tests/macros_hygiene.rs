//! What macros expand to finds the right crate.

use std::sync::atomic::{AtomicU32, Ordering};

/// Stands in for a core under another name: what a macro reaches under its default path would be
/// the real one, and the counts below would not come about.
mod renamed {
    pub(crate) use tapes_core::{filled, templates};

    use super::{AtomicU32, Ordering};

    pub(crate) static REACHED: AtomicU32 = AtomicU32::new(0);

    fn reached() {
        REACHED.fetch_add(1, Ordering::Relaxed);
    }

    #[derive(Clone, Copy)]
    pub(crate) struct Counter;

    impl Counter {
        pub(crate) fn increment(&self) {
            reached();
        }
    }

    #[derive(Clone, Copy)]
    pub(crate) struct Timer;

    impl Timer {
        pub(crate) fn start(&self, (): ()) -> u8 {
            reached();
            0
        }
    }

    pub(crate) mod metric {
        #[derive(Clone, Copy)]
        pub(crate) struct Dimension<'a> {
            pub(crate) name: &'a str,
            pub(crate) values: &'a [&'a str],
        }
    }

    pub(crate) trait Label {
        const DIMENSION: metric::Dimension<'static>;
        fn index(self) -> usize;
    }

    pub(crate) trait Metered {
        type Metrics: 'static;
        const METRICS: &'static Self::Metrics;
    }

    pub(crate) mod instrument {
        pub(crate) fn count_error<T, E>(counter: &super::Counter, result: &Result<T, E>) {
            if result.is_err() {
                counter.increment();
            }
        }

        pub(crate) mod __private {
            pub(crate) fn call<R>(f: impl FnOnce() -> R) -> R {
                f()
            }
        }
    }
}

#[derive(tapes_core::Label)]
#[tapes(crate = crate::renamed)]
enum Side {
    Left,
    Right,
}

#[derive(tapes_core::Metered)]
#[tapes(crate = self::renamed)]
#[metrics(calls: Counter = "{}.calls")]
struct Pump;

#[tapes_core::counted(renamed::Counter, crate = crate::renamed)]
#[tapes_core::timed(renamed::Timer, clock = (), crate = renamed)]
#[tapes_core::errors(renamed::Counter, crate = self::renamed)]
fn call() -> Result<(), ()> {
    Err(())
}

#[tapes_core::timed("named.{}", clock = tapes_core::clock::StdClock::new(), crate = real)]
fn named() {}

use tapes_core as real;

/// A crate that knows the core under another name could not use the macros.
#[test]
fn everything_comes_from_the_given_path() {
    assert_eq!(call(), Err(()));
    assert_eq!(renamed::REACHED.load(Ordering::Relaxed), 3);
    let side: renamed::metric::Dimension<'_> = <Side as renamed::Label>::DIMENSION;
    assert_eq!((side.name, side.values), ("side", ["left", "right"].as_slice()));
    assert_eq!(renamed::Label::index(Side::Right) + renamed::Label::index(Side::Left), 1);
    <Pump as renamed::Metered>::METRICS.calls.increment();
    assert_eq!(Pump::METRICS.calls.value(), 1);
    named();
    assert_eq!(NAMED_TIMED.distribution().count(), 1);
}

//! The attributes of functions with a name in the place of a handle.

use tapes_core::clock::ManualClock;
use tapes_core::{Registry, Source, counted, errors, metered, timed};

/// Counts passes of the control loop.
///
/// The names of things beside it are the attribute's; what it documents stays.
#[counted("control.{}.calls", help = "Passes.")]
#[inline]
#[must_use]
fn pass() -> u32 {
    #![allow(clippy::let_and_return, reason = "an inner attribute has to survive")]
    let pass = 1;
    pass
}

#[timed(
    "control.run" [unit = millis, max = 10 s, scale = 1],
    clock = ManualClock::<1_000>::new(),
    group = RUNS,
)]
#[metered("control.rate", group = RATE)]
#[errors("control.errors" [unit = ratio], group = ERRORS)]
fn run() -> Result<(), &'static str> {
    Err("stalled")
}

// One of two functions exists, so one of two constants may.
#[counted("once.calls", group = ONCE)]
#[cfg(any())]
fn once() {}

#[counted("once.calls", group = ONCE)]
#[cfg(not(any()))]
fn once() {}

struct Valve<T>(T);

impl<T: Copy> Valve<T> {
    #[counted("valve.opened")]
    fn open(&self) -> T {
        self.0
    }

    #[counted("valve.made", group = Self::MADE)]
    fn count(n: u8) -> u8 {
        n
    }

    #[counted("valve.new")]
    fn new(value: T) -> Self {
        Self(value)
    }
}

/// A metric with a name could not be read, or would have another name or kind.
#[test]
fn names_make_groups() {
    static REGISTRY: Registry<8, 8> = Registry::new();
    REGISTRY.attach(&PASS_COUNTED).unwrap();
    REGISTRY.attach(&RUNS).unwrap();
    REGISTRY.attach(&RATE).unwrap();
    REGISTRY.attach(&ERRORS).unwrap();
    let mut seen = Vec::new();
    let _: std::ops::ControlFlow<()> = REGISTRY.visit(0, &mut |sample| {
        let metric = sample.descriptor();
        seen.push(format!("{} {:?} {}", metric.name, metric.unit.per(), metric.help));
        std::ops::ControlFlow::Continue(())
    });
    assert_eq!(
        seen,
        [
            "control.pass.calls 1 Passes.",
            "control.run 1000 ",
            "control.rate 1 ",
            "control.errors 1 "
        ]
    );

    assert_eq!((pass(), run()), (1, Err("stalled")));
    assert_eq!((PASS_COUNTED.value(), RATE.count(), ERRORS.metric().value()), (1, 1, 1));
    assert_eq!(RUNS.distribution().count(), 1);
}

/// A metric with a name in a generic `impl` would be several that share a name.
#[test]
fn generic_types_share_a_metric_with_a_name() {
    assert_eq!((Valve::new(1u8).open(), Valve::new('a').open()), (1, 'a'));
    assert_eq!(Valve::<()>::count(2), 2);
    assert_eq!((Valve::<u8>::OPEN_COUNTED.value(), Valve::<i64>::OPEN_COUNTED.value()), (2, 2));
    assert_eq!((Valve::<u8>::MADE.value(), Valve::<u8>::NEW_COUNTED.value()), (1, 2));
}

/// A function that is not compiled would leave its metric behind.
#[test]
fn a_metric_exists_where_its_function_does() {
    once();
    assert_eq!(ONCE.value(), 1);
}

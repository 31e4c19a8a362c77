//! Exclusive handles: taken once, and counting what shared handles count.

use tapes_core::clock::ManualClock;
use tapes_core::metric::{Kind, Value};
use tapes_core::{RegisterError, Registry, Source, layout, metrics};

metrics! {
    static ALL: All = "all" {
        counter: Exclusive<Counter>,
        meter: Exclusive<Meter>,
        updown: Exclusive<UpDown>,
        histogram: Exclusive<Histogram> [max = 1000, scale = 1],
        timer: Exclusive<Timer> [unit = ticks(32_768), max = 1 s],
        shared: Histogram [max = 1000, scale = 1],
    }
}

/// A second handle would write the same words at the same time, and counts would be lost.
#[test]
fn declared_handles_are_taken_once() {
    metrics! {
        static GROUP: Group = "once" {
            a: Exclusive<Counter>,
            b: Exclusive<Counter>,
        }
    }
    let first = GROUP.a.take();
    assert!(first.is_ok());
    assert_eq!(GROUP.a.take().unwrap_err(), RegisterError::Taken);
    drop(first);
    assert_eq!(GROUP.a.take().unwrap_err(), RegisterError::Taken, "for ever");
    assert!(GROUP.b.take().is_ok(), "each metric by itself");
}

/// What an exclusive handle records would be missing from reports, or be counted differently.
#[test]
fn every_kind_records_what_its_shared_handle_records() -> Result<(), RegisterError> {
    let mut counter = ALL.counter.take()?;
    counter.increment();
    counter.add(u32::MAX);
    assert_eq!(counter.value(), 1 + u64::from(u32::MAX));
    let mut meter = ALL.meter.take()?;
    meter.mark();
    meter.mark_by(2);
    assert_eq!(meter.count(), 3);
    let mut updown = ALL.updown.take()?;
    updown.increment();
    updown.decrement();
    updown.add(-5);
    assert_eq!(updown.value(), -5);
    let mut histogram = ALL.histogram.take()?;
    for value in [0, 1, 7, 1000, 5000, u32::MAX] {
        histogram.record(value);
        ALL.shared.record(value);
    }
    let (own, shared) = (histogram.distribution(), ALL.shared.distribution());
    let numbers = |d: &tapes_core::metric::Distribution<'_>| {
        let buckets: Vec<u64> = (0..d.geometry().len).map(|i| d.bucket(i)).collect();
        (d.sum(), d.min(), d.max(), d.zero(), d.overflow(), buckets)
    };
    assert_eq!(numbers(&own), numbers(&shared));
    let clock = ManualClock::<32_768>::new();
    let mut timer = ALL.timer.take()?;
    assert_eq!(timer.time(&clock, || clock.advance(100)), ());
    timer.record(200);
    assert_eq!(timer.distribution().sum(), 300);
    let mut kinds = Vec::new();
    let _ = ALL.visit(0, &mut |sample| {
        if sample.descriptor().name == "all.counter" {
            assert!(matches!(sample.value, Value::Unsigned(n) if n == 1 + u64::from(u32::MAX)));
        }
        kinds.push(sample.kind);
        core::ops::ControlFlow::Continue(())
    });
    assert!(matches!(
        kinds[..],
        [
            Kind::Counter,
            Kind::Meter,
            Kind::UpDown,
            Kind::Histogram(_),
            Kind::Timer(_),
            Kind::Histogram(_)
        ]
    ));
    Ok(())
}

/// The registry would hand out a second handle, exclusive or shared, to a metric that has one.
#[test]
fn a_registry_hands_out_one_handle_or_shared_ones() -> Result<(), RegisterError> {
    static LAYOUT: &tapes_core::Layout = layout!(unit = micros, max = 1 s);
    static REGISTRY: Registry<8, 512> = Registry::new();
    let exclusive = REGISTRY.exclusive();
    let mut own = exclusive.counter("a.own")?;
    own.increment();
    assert_eq!(exclusive.counter("a.own").unwrap_err(), RegisterError::Taken);
    assert_eq!(REGISTRY.counter("a.own").unwrap_err(), RegisterError::Taken);
    assert_eq!(REGISTRY.meter("a.own").unwrap_err(), RegisterError::Taken);
    let shared = REGISTRY.counter("a.shared")?;
    shared.increment();
    assert_eq!(exclusive.counter("a.shared").unwrap_err(), RegisterError::Taken);
    assert_eq!(REGISTRY.counter("a.shared")?.value(), 1);
    exclusive.histogram("a.histogram", LAYOUT)?.record(1);
    exclusive.timer::<1_000_000>("a.timer", LAYOUT)?.record(1);
    let rate = exclusive.timer::<1000>("a.slow", LAYOUT);
    assert_eq!(rate.unwrap_err(), RegisterError::KindMismatch);
    exclusive.meter("a.meter")?.mark();
    exclusive.updown("a.updown")?.decrement();
    assert_eq!(own.value(), 1);
    assert_eq!(REGISTRY.metrics(), 6);
    Ok(())
}

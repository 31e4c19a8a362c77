//! The dynamic registry as its users see it, against a naive model.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use proptest::prelude::*;
use tapes_core::metric::{Dimension, Kind, Unit, Value};
use tapes_core::name::NameError;
use tapes_core::{
    Cached, Counter, Details, Label, Ratio, RegisterError, Registry, Source, clock::ManualClock,
    layout, metrics,
};

/// Reads every metric as (name with labels, printed value).
fn read(source: &dyn Source) -> Vec<(u32, String, String)> {
    let mut seen = Vec::new();
    let _ = source.visit(0, &mut |sample| {
        let mut name = sample.descriptor().name.to_owned();
        for (label, value) in sample.descriptor().dimensions.labels(sample.cell) {
            name += &format!(",{label}={value}");
        }
        let value = match sample.value {
            Value::Distribution(distribution) => {
                format!("{}/{}", distribution.count(), distribution.sum())
            }
            value => format!("{value:?}"),
        };
        seen.push((sample.id, name, value));
        ControlFlow::Continue(())
    });
    seen
}

#[derive(Clone, Copy)]
enum Fault {
    Overheat,
    Stall,
}

impl Label for Fault {
    const DIMENSION: Dimension<'static> =
        Dimension { name: "fault", values: &["overheat", "stall"] };

    fn index(self) -> usize {
        self as usize
    }
}

#[derive(Clone, Copy)]
enum Axis {
    X,
    Y,
}

impl Label for Axis {
    const DIMENSION: Dimension<'static> = Dimension { name: "axis", values: &["x", "y"] };

    fn index(self) -> usize {
        self as usize
    }
}

/// Two counters of one name would split what belongs together.
#[test]
fn asking_twice_gives_the_same_metric() {
    static REGISTRY: Registry<8, 256> = Registry::new();
    let layout = layout!(unit = micros, max = 1 s);
    REGISTRY.counter("a.c").unwrap().increment();
    REGISTRY.counter("a.c").unwrap().add(2);
    REGISTRY.updown("a.u").unwrap().add(-3);
    REGISTRY.updown("a.u").unwrap().increment();
    REGISTRY.meter("a.m").unwrap().mark_by(4);
    REGISTRY.meter("a.m").unwrap().mark();
    REGISTRY.gauge::<i32>("a.g").unwrap().set(-7);
    REGISTRY.histogram("a.h", layout!(unit = bytes, max = 100)).unwrap().record(5);
    REGISTRY.timer::<1_000_000>("a.t", layout).unwrap().record(9);
    REGISTRY.timer::<1_000_000>("a.t", layout).unwrap().record(1);
    assert_eq!(REGISTRY.gauge::<i32>("a.g").unwrap().value(), Some(-7));
    let values: Vec<_> =
        read(&REGISTRY).into_iter().map(|(_, name, value)| (name, value)).collect();
    let expected = [
        ("a.c", "Unsigned(3)"),
        ("a.u", "Signed(-2)"),
        ("a.m", "Unsigned(5)"),
        ("a.g", "Signed(-7)"),
        ("a.h", "1/5"),
        ("a.t", "2/10"),
    ];
    assert_eq!(values, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

/// Each refusal names what stands in the way; none of them changes the registry.
#[test]
fn what_cannot_be_registered_is_refused_by_reason() {
    static REGISTRY: Registry<3, 150> = Registry::new();
    static METERS: Details =
        Details::new().unit(Unit::new(tapes_core::metric::BaseUnit::Meters, 1));
    static BAD_LABEL: Details = Details::new().labels(&[("le", "1")]);
    let layout = layout!(unit = micros, max = 1 s);
    let wide = layout!(unit = micros, max = 60 s);
    let _ = REGISTRY.counter("a.b").unwrap();
    let _ = REGISTRY.histogram("h", layout).unwrap();
    let before = read(&REGISTRY);
    let errors: Vec<(&str, Option<RegisterError>)> = vec![
        ("other kind", REGISTRY.meter("a.b").err()),
        ("other unit", REGISTRY.describe(&METERS).counter("a.b").err()),
        ("leaf is branch", REGISTRY.counter("a.b.c").err()),
        ("branch is leaf", REGISTRY.counter("a").err()),
        ("other buckets", REGISTRY.histogram("h", wide).err()),
        ("other labels", REGISTRY.view().family::<Counter<'_>, Fault>("a.b").err()),
        ("tick rate", REGISTRY.timer::<1_000>("t", layout).err()),
        ("empty", REGISTRY.counter("").err()),
        ("empty segment", REGISTRY.counter("x..y").err()),
        ("template", REGISTRY.counter(("wheel.speed", 1)).err()),
        ("two holes", REGISTRY.counter(("{}.{}", 1)).err()),
        ("bad argument", REGISTRY.counter(("wheel.{}", "a b")).err()),
        ("reserved label", REGISTRY.describe(&BAD_LABEL).counter("x").err()),
        ("words", REGISTRY.histogram("big", wide).err()),
    ];
    let expected = [
        RegisterError::KindMismatch,
        RegisterError::KindMismatch,
        RegisterError::LeafIsBranch,
        RegisterError::BranchIsLeaf,
        RegisterError::LayoutMismatch,
        RegisterError::LabelsMismatch,
        RegisterError::KindMismatch,
        RegisterError::Name(NameError::Empty),
        RegisterError::Name(NameError::EmptySegment),
        RegisterError::Name(NameError::Template),
        RegisterError::Name(NameError::Template),
        RegisterError::Name(NameError::Character),
        RegisterError::Name(NameError::Reserved),
        RegisterError::WordsFull,
    ];
    for ((label, error), expected) in errors.into_iter().zip(expected) {
        assert_eq!(error, Some(expected), "{label}");
    }
    assert_eq!(read(&REGISTRY), before);
    let _ = REGISTRY.counter("last").unwrap();
    assert_eq!(REGISTRY.counter("more").err(), Some(RegisterError::MetricsFull));
    assert!(REGISTRY.counter("last").is_ok(), "an existing metric needs no place");
}

/// A template that rendered wrongly would register under a name nobody reads.
#[test]
fn templates_are_rendered() {
    static REGISTRY: Registry<4, 4> = Registry::new();
    REGISTRY.counter(("wheel.{}.turns", 0)).unwrap().increment();
    REGISTRY.counter(("wheel.{}.turns", 4_294_967_295)).unwrap().increment();
    REGISTRY.counter(("wheel.{}.turns", "left")).unwrap().add(2);
    assert_eq!(REGISTRY.counter("wheel.left.turns").unwrap().value(), 2);
    let names: Vec<_> = read(&REGISTRY).into_iter().map(|(_, name, _)| name).collect();
    assert_eq!(names, ["wheel.0.turns", "wheel.4294967295.turns", "wheel.left.turns"]);
}

/// A producer that takes its time, or registers itself, would hold up everybody who registers.
#[test]
fn registering_asks_no_producer() {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    static PARENT: Registry<8, 8> = Registry::new();
    static CHILD: Registry<4, 4> = Registry::new();
    tapes_core::metrics! {
        static GROUP: GroupMetrics = "group" { count: Counter }
    }
    let level: fn() -> u32 = || ASKED.fetch_add(1, Relaxed);
    PARENT.gauge_fn("level", level).unwrap();
    CHILD.gauge_fn("level", level).unwrap();
    let _ = PARENT.counter("count").unwrap();
    PARENT.attach(&GROUP).unwrap();
    PARENT.attach_registry("child", &CHILD).unwrap();
    let _ = CHILD.counter("late").unwrap();
    assert_eq!(PARENT.counter("level.of").unwrap_err(), RegisterError::LeafIsBranch);
    assert_eq!(ASKED.load(Relaxed), 0);
    assert_eq!(read(&PARENT).len(), 5);
    assert_eq!(ASKED.load(Relaxed), 2);
}

/// A producer that fails must not take the others with it.
#[test]
fn producers_fail_alone() {
    static REGISTRY: Registry<8, 8> = Registry::new();
    static RATIO: Ratio = Ratio::new(|| 1.0, || 4.0);
    static NOTHING: Ratio = Ratio::new(|| 1.0, || 0.0);
    fn panics() -> f32 {
        panic!("a broken sensor")
    }
    REGISTRY.gauge_fn("p.panics", panics).unwrap();
    REGISTRY.gauge_fn("p.nan", || f32::NAN).unwrap();
    REGISTRY.gauge_fn("p.int", || -3i32).unwrap();
    REGISTRY.gauge_fn("p.uint", || 3u32).unwrap();
    REGISTRY.gauge_of("p.ratio", &RATIO).unwrap();
    REGISTRY.gauge_of("p.nothing", &NOTHING).unwrap();
    REGISTRY.gauge_of("p.ratio", &RATIO).unwrap();
    assert_eq!(REGISTRY.gauge_of("p.ratio", &NOTHING), Err(RegisterError::ProducerMismatch));
    assert_eq!(REGISTRY.gauge::<f32>("p.ratio").err(), Some(RegisterError::ProducerMismatch));
    let values: Vec<_> = read(&REGISTRY).into_iter().map(|(_, _, value)| value).collect();
    assert_eq!(values, ["Null", "Null", "Signed(-3)", "Unsigned(3)", "F32(0.25)", "Null"]);
}

/// A sensor that does not answer would be exported as a number, or a big number cut to 32 bits.
#[test]
fn producers_of_every_type_may_have_nothing_to_say() {
    static REGISTRY: Registry<8, 1> = Registry::new();
    static ANSWERS: AtomicU32 = AtomicU32::new(0);
    fn reading() -> Result<i32, &'static str> {
        if ANSWERS.load(Relaxed) == 0 { Err("no answer") } else { Ok(-5) }
    }
    REGISTRY.gauge_fn("p.sometimes", || reading().ok()).unwrap();
    REGISTRY.gauge_fn("p.float", || None::<f32>).unwrap();
    REGISTRY.gauge_fn("p.double", || Some(0.1f64)).unwrap();
    REGISTRY.gauge_fn("p.nan", || Some(f64::NAN)).unwrap();
    REGISTRY.gauge_fn("p.wide", || i64::MIN).unwrap();
    REGISTRY.gauge_fn("p.unsigned", || u64::MAX).unwrap();
    assert_eq!(REGISTRY.gauge::<f64>("p.float").err(), Some(RegisterError::KindMismatch));
    let values = || read(&REGISTRY).into_iter().map(|(_, _, value)| value).collect::<Vec<_>>();
    let (wide, unsigned) = (format!("Signed({})", i64::MIN), format!("Unsigned({})", u64::MAX));
    assert_eq!(values(), ["Null", "Null", "F64(0.1)", "Null", &wide, &unsigned]);
    ANSWERS.store(1, Relaxed);
    assert_eq!(values()[0], "Signed(-5)");
}

/// Metrics that there was no room for would be missing without anybody knowing.
#[test]
fn what_finds_no_room_is_counted_and_reported() {
    static REGISTRY: Registry<3, 3> = Registry::new();
    static CHILD: Registry<4, 4> = Registry::new();
    let refused = || REGISTRY.refused();
    let _ = REGISTRY.counter("a").unwrap();
    // Whatever else is wrong is a mistake in the program, not a lack of room.
    let _ = REGISTRY.meter("a").unwrap_err();
    let _ = REGISTRY.counter("b..c").unwrap_err();
    let _ = REGISTRY.counter("a.b").unwrap_err();
    assert_eq!(refused(), 0);
    assert_eq!(REGISTRY.histogram("h", layout!(max = 100)).err(), Some(RegisterError::WordsFull));
    assert_eq!(refused(), 1);
    REGISTRY.gauge_fn("refused", || REGISTRY.refused()).unwrap();
    let _ = CHILD.counter("one").unwrap();
    REGISTRY.attach_registry("child", &CHILD).unwrap();
    assert_eq!(CHILD.counter("two").err(), Some(RegisterError::MetricsFull));
    assert_eq!((refused(), CHILD.refused()), (1, 1), "counted where it was asked for");
    assert_eq!(REGISTRY.attach(&GROUP).err(), Some(RegisterError::MetricsFull));
    assert_eq!(REGISTRY.exclusive().counter("x").err(), Some(RegisterError::MetricsFull));
    assert_eq!((refused(), REGISTRY.view().refused()), (3, 3));
    assert_eq!(read(&REGISTRY)[1].2, "Unsigned(3)");
    assert_eq!(Source::refused(&REGISTRY.filter(|_| false)), 3);
    assert_eq!(Source::refused(&GROUP), 0);
}

/// A cached producer that is asked too often costs what caching should save.
#[test]
fn a_cached_producer_is_asked_when_its_value_is_old() {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    static CLOCK: ManualClock<1_000> = ManualClock::new();
    static CACHED: Cached<&ManualClock<1_000>> = Cached::new(
        || {
            // Exact: small integers.
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let asked = (ASKED.fetch_add(1, Relaxed) + 1) as f32;
            asked
        },
        &CLOCK,
        500,
    );
    static REGISTRY: Registry<1, 1> = Registry::new();
    REGISTRY.gauge_of("c", &CACHED).unwrap();
    let value = || read(&REGISTRY).remove(0).2;
    assert_eq!(value(), "F32(1.0)");
    CLOCK.advance(499);
    assert_eq!(value(), "F32(1.0)");
    CLOCK.advance(1);
    assert_eq!(value(), "F32(2.0)");
}

metrics! {
    /// A group to attach.
    static GROUP: GroupMetrics = "group" {
        /// Counts.
        count: Counter,
        faults: Counter per Fault,
        times: Timer per (Axis, Fault) [max = 1 s, scale = 0],
        after: Counter,
    }
}

/// A cell that lies over another's words would count twice.
#[test]
fn families_have_a_metric_for_each_combination() {
    static REGISTRY: Registry<4, 400> = Registry::new();
    REGISTRY.attach(&GROUP).unwrap();
    REGISTRY.attach(&GROUP).unwrap();
    let faults = REGISTRY.view().family::<Counter<'_>, (Axis, Fault)>("dynamic").unwrap();
    faults.of((Axis::Y, Fault::Overheat)).add(5);
    GROUP.faults.of(Fault::Stall).increment();
    GROUP.times.of((Axis::Y, Fault::Stall)).record(100);
    GROUP.times.of((Axis::X, Fault::Overheat)).record(7);
    GROUP.after.add(9);
    assert_eq!(REGISTRY.counter("group.count").err(), Some(RegisterError::Declared));
    assert_eq!(REGISTRY.counter("group").err(), Some(RegisterError::BranchIsLeaf));
    let expected = [
        (0, "group.count", "Unsigned(0)"),
        (1, "group.faults,fault=overheat", "Unsigned(0)"),
        (1, "group.faults,fault=stall", "Unsigned(1)"),
        (2, "group.times,axis=x,fault=overheat", "1/7"),
        (2, "group.times,axis=x,fault=stall", "0/0"),
        (2, "group.times,axis=y,fault=overheat", "0/0"),
        (2, "group.times,axis=y,fault=stall", "1/100"),
        (3, "group.after", "Unsigned(9)"),
        (4, "dynamic,axis=x,fault=overheat", "Unsigned(0)"),
        (4, "dynamic,axis=x,fault=stall", "Unsigned(0)"),
        (4, "dynamic,axis=y,fault=overheat", "Unsigned(5)"),
        (4, "dynamic,axis=y,fault=stall", "Unsigned(0)"),
    ];
    let expected = expected.map(|(id, name, value)| (id, name.to_owned(), value.to_owned()));
    assert_eq!(read(&REGISTRY), expected);
    assert_eq!(REGISTRY.metrics(), 5);
}

/// A metric of an attached registry that is missing, or whose id moves, breaks every reader.
#[test]
fn attached_registries_are_read_under_their_prefix() {
    static PARENT: Registry<6, 8> = Registry::new();
    static CHILD: Registry<4, 8> = Registry::new();
    static OTHER: Registry<4, 8> = Registry::new();
    CHILD.counter("early").unwrap().increment();
    PARENT.counter("own").unwrap().add(2);
    PARENT.attach_registry("child", &CHILD).unwrap();
    assert_eq!(PARENT.attach_registry("again", &CHILD), Err(RegisterError::Attached));
    let first = read(&PARENT);
    CHILD.counter("late").unwrap().add(3);
    PARENT.counter("own.later").unwrap_err();
    PARENT.counter("later").unwrap().add(4);
    CHILD.counter("last").unwrap().add(5);
    assert_eq!(read(&PARENT)[..2], first[..], "ids are append-only");
    let names: Vec<_> =
        read(&PARENT).into_iter().map(|(_, name, value)| format!("{name} {value}")).collect();
    assert_eq!(
        names,
        [
            "own Unsigned(2)",
            "child.early Unsigned(1)",
            "child.late Unsigned(3)",
            "later Unsigned(4)",
            "child.last Unsigned(5)"
        ]
    );
    let _ = PARENT.counter("sixth").unwrap();
    assert_eq!(CHILD.counter("no.place").err(), Some(RegisterError::MetricsFull));
    assert_eq!(CHILD.metrics(), 3, "refused as a whole");
    OTHER.attach(&GROUP).unwrap();
    assert_eq!(PARENT.attach_registry("o", &OTHER), Err(RegisterError::GroupUnderPrefix));
}

#[derive(Debug, Clone)]
enum Step {
    Counter(String, u32),
    Gauge(String, i32),
    Meter(String),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = || proptest::string::string_regex("[ab](\\.[ab]){0,2}").expect("a regex");
    prop::collection::vec(
        prop_oneof![
            (name(), any::<u32>()).prop_map(|(name, n)| Step::Counter(name, n)),
            (name(), any::<i32>()).prop_map(|(name, n)| Step::Gauge(name, n)),
            name().prop_map(Step::Meter),
        ],
        0..40,
    )
}

proptest! {
    /// Whatever the order of calls, the registry holds what a map with the same rules holds.
    #[test]
    fn behaves_like_a_map(steps in steps()) {
        let registry = Registry::<6, 6>::new();
        let mut model: BTreeMap<String, (Kind, i128)> = BTreeMap::new();
        for step in steps {
            let (name, kind) = match &step {
                Step::Counter(name, _) => (name, Kind::Counter),
                Step::Gauge(name, _) => (name, Kind::GaugeInt),
                Step::Meter(name) => (name, Kind::Meter),
            };
            let allowed = match model.get(name) {
                Some((old, _)) => *old == kind,
                None => {
                    model.len() < 6
                        && !model.keys().any(|old| {
                            old.starts_with(&format!("{name}."))
                                || name.starts_with(&format!("{old}."))
                        })
                }
            };
            let done = match &step {
                Step::Counter(name, n) => registry.counter(name).map(|counter| counter.add(*n)),
                Step::Gauge(name, n) => registry.gauge::<i32>(name).map(|gauge| gauge.set(*n)),
                Step::Meter(name) => registry.meter(name).map(|meter| meter.mark()),
            };
            prop_assert_eq!(done.is_ok(), allowed, "{:?}", step);
            if allowed {
                let entry = model.entry(name.clone()).or_insert((kind, 0));
                match step {
                    Step::Counter(_, n) => entry.1 += i128::from(n),
                    Step::Gauge(_, n) => entry.1 = i128::from(n),
                    Step::Meter(_) => entry.1 += 1,
                }
            }
        }
        let mut seen = BTreeMap::new();
        let _ = registry.visit(0, &mut |sample| {
            let value = match sample.value {
                Value::Unsigned(value) => i128::from(value),
                Value::Signed(value) => i128::from(value),
                _ => i128::MIN,
            };
            seen.insert(sample.descriptor().name.to_owned(), (sample.kind, value));
            ControlFlow::Continue(())
        });
        prop_assert_eq!(seen, model);
    }
}

/// Two names that are one to Prometheus make it refuse the scrape of everything, so the second is
/// refused when it is asked for, wherever it comes from.
#[test]
fn names_that_are_one_to_prometheus_are_refused() {
    static REGISTRY: Registry<16, 512> = Registry::new();
    static CHILD: Registry<4, 64> = Registry::new();
    static LAYOUT: &tapes_core::Layout = layout!(max = 100);
    metrics! {
        /// Clashes with what is there.
        static GROUP: GroupMetrics = "clash" {
            /// Of a histogram there is one already.
            time_sum: Gauge<u32>,
        }
    }
    REGISTRY.counter("clash.loops").unwrap().increment();
    REGISTRY.histogram("clash.time", LAYOUT).unwrap().record(1);
    let clash = Some(RegisterError::NameClash);
    assert_eq!(REGISTRY.counter("clash-loops").err(), clash);
    assert_eq!(REGISTRY.counter("clash.loops_total").err(), clash);
    assert_eq!(REGISTRY.gauge::<u32>("clash_loops").err(), clash);
    assert_eq!(REGISTRY.gauge::<u32>("clash.time_count").err(), clash);
    assert_eq!(REGISTRY.attach(&GROUP).err(), clash);
    CHILD.counter("time_bucket").unwrap().increment();
    assert_eq!(REGISTRY.attach_registry("clash", &CHILD).err(), clash);
    assert!(REGISTRY.gauge::<u32>("clash.times").is_ok());
    assert_eq!(REGISTRY.metrics(), 3);
}

/// A program without a registry of its own would find its metrics in two places, or not at all.
#[test]
fn the_process_wide_registry_is_one() {
    use tapes_core::global;
    global::counter("global.count").unwrap().increment();
    global::updown("global.level").unwrap().decrement();
    global::meter("global.marks").unwrap().mark();
    global::gauge::<i32>("global.gauge").unwrap().set(7);
    global::gauge_fn("global.produced", || 0.5f32).unwrap();
    global::histogram("global.sizes", layout!(max = 100)).unwrap().record(3);
    let times = layout!(unit = micros, max = 1 s);
    global::timer::<1_000_000>("global.times", times).unwrap().record(4);
    static OWN: Registry<2, 2> = Registry::new();
    OWN.counter("count").unwrap().add(2);
    global::registry().attach_registry("own", &OWN).unwrap();
    let read = read(global::registry());
    let read: Vec<_> =
        read.iter().map(|(_, name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [
        ("global.count", "Unsigned(1)"),
        ("global.level", "Signed(-1)"),
        ("global.marks", "Unsigned(1)"),
        ("global.gauge", "Signed(7)"),
        ("global.produced", "F32(0.5)"),
        ("global.sizes", "1/3"),
        ("global.times", "1/4"),
        ("own.count", "Unsigned(2)"),
    ];
    assert_eq!(read, expected);
    let mut text = String::new();
    tapes_core::text::json::write_json(global::registry(), &|_, _| None, &mut text).unwrap();
    let tree: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&tree["global"]["count"]["value"], &tree["own"]["count"]["value"]),
        (&1.into(), &2.into())
    );
}

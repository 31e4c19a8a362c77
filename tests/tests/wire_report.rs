//! Reports: what the encoder makes of a source that changes, over links that fail.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod wire_support;

use std::collections::BTreeSet;

use proptest::prelude::*;
use tapes_core::Registry;
use tapes_core::metric::{Buckets, Descriptor, Dimension, Kind};
use tapes_core::wire::{
    Body, Encoder, Epoch, Flags, Frame, Header, Identity, Origin, Reading, stream_len,
};
use wire_support::{EPOCH, Fake, FakeHistogram, FakeMetric, FakeSource, Receiver, identity};

const METHODS: &[Dimension<'static>] = &[
    Dimension { name: "method", values: &["get", "put", "post"] },
    Dimension { name: "ok", values: &["no", "yes"] },
];

/// Sends one report to the receiver; returns the names of its frames.
fn report<const M: usize, const W: usize>(
    encoder: &mut Encoder<M, W>,
    source: &FakeSource,
    uptime: u64,
    receiver: &mut Receiver,
) -> Vec<&'static str> {
    let before = receiver.frames.len();
    let mut buffer = [0; 600];
    encoder.begin(uptime);
    while let Some(frame) = encoder.next_frame(source, &mut buffer) {
        receiver.take(frame).unwrap();
        encoder.sent();
    }
    receiver.frames[before..].iter().map(|(_, _, name)| *name).collect()
}

/// Whose dictionary does not come round for a while.
fn quiet() -> Encoder<16, 0> {
    Encoder::new(identity(), 600).with_report_interval_ms(1)
}

fn histogram(counts: &[u64]) -> FakeHistogram {
    let count: u64 = counts.iter().sum();
    let (min, max) = if count == 0 { (None, None) } else { (Some(3), Some(900)) };
    FakeHistogram { sum: count * 7, min, max, buckets: counts.to_vec(), ..Default::default() }
}

fn one_of_each() -> FakeSource {
    let buckets = Buckets { scale: 1, first: -8, len: 6 };
    let mut family = FakeMetric::counter("http.requests", 0);
    family.dimensions = METHODS;
    family.values = (0..6).map(|i| Fake::Unsigned(i * 100)).collect();
    FakeSource::new(vec![
        FakeMetric::counter("a", 0),
        FakeMetric::new("b", Kind::Meter, Fake::Unsigned(u64::MAX)),
        FakeMetric::new("c", Kind::UpDown, Fake::Signed(-1)),
        FakeMetric::new("d", Kind::GaugeInt, Fake::Signed(i64::MIN)),
        FakeMetric::new("e", Kind::GaugeUint, Fake::Unsigned(300)),
        FakeMetric::new("f", Kind::GaugeFloat, Fake::F32(-0.0)),
        FakeMetric::new("g", Kind::GaugeDouble, Fake::F64(1e300)),
        FakeMetric::new("h", Kind::GaugeFloat, Fake::Null),
        family,
        FakeMetric::new("i", Kind::Histogram(buckets), Fake::Histogram(histogram(&[0; 6]))),
        FakeMetric::timer("j", 12, histogram(&[0, 5, 0, 0, 7, 0, 0, 0, 1, 2, 0, 0])),
    ])
}

/// If this fails, a receiver does not have everything after the first report.
#[test]
fn the_first_report_has_everything() {
    let source = one_of_each();
    let mut encoder = Encoder::<16, 0>::new(identity(), 600);
    let mut receiver = Receiver::default();
    assert_eq!(report(&mut encoder, &source, 5, &mut receiver), ["hello", "dict", "data"]);
    assert_eq!(receiver.hello, Some((b"board-01".to_vec(), EPOCH.to_u64())));
    assert!(receiver.knows_all());
    receiver.assert_has(&source);
    let (_, flags, _) = receiver.frames[2];
    assert!(flags.contains(Flags::KEYFRAME.with(Flags::LAST)));
}

/// If this fails, bytes are spent on what did not change, or what changed is not sent.
#[test]
fn later_reports_have_what_changed() {
    let mut source = one_of_each();
    let mut encoder = Encoder::<16, 0>::new(identity(), 600).with_keyframe_interval(5);
    let mut receiver = Receiver::default();
    report(&mut encoder, &source, 0, &mut receiver);
    let mut heard = |source: &FakeSource| {
        let mut receiver = Receiver::default();
        report(&mut encoder, source, 0, &mut receiver);
        receiver.values.keys().copied().collect::<Vec<_>>()
    };
    // A histogram with values is sent once more, should its sum have lagged behind.
    assert_eq!(heard(&source), [(10, 0)]);
    assert_eq!(heard(&source), []);
    source.metrics[2].values = vec![Fake::Signed(1)];
    source.metrics[7].values = vec![Fake::F32(0.0)];
    source.metrics[8].values[4] = Fake::Unsigned(401);
    source.metrics[10].values = vec![Fake::Histogram(histogram(&[0, 5, 0, 0, 7, 1]))];
    assert_eq!(heard(&source), [(2, 0), (7, 0), (8, 4), (10, 0)]);
    assert_eq!(heard(&source), [(10, 0)]);
    // The fifth after the first is a keyframe: ten single metrics and six of the family.
    assert_eq!(heard(&source).len(), 16);
    assert_eq!(heard(&source), []);
}

/// If this fails, metrics without memory are lost or sent twice.
#[test]
fn metrics_beyond_the_memory_are_sent_each_time() {
    let source = one_of_each();
    let mut encoder = Encoder::<10, 0>::new(identity(), 600);
    for _ in 0..2 {
        report(&mut encoder, &source, 0, &mut Receiver::default());
    }
    let mut receiver = Receiver::default();
    report(&mut encoder, &source, 0, &mut receiver);
    let expected = [(8, 2), (8, 3), (8, 4), (8, 5), (9, 0), (10, 0)];
    assert_eq!(receiver.values.keys().copied().collect::<Vec<_>>(), expected);
}

/// If this fails, a metric is torn between two frames or lost at their border.
#[test]
fn small_frames_carry_everything() {
    let mut source = one_of_each();
    source.metrics[8].values.reverse();
    for max_frame in 128..220 {
        let mut encoder = Encoder::<16, 0>::new(identity(), max_frame);
        let mut receiver = Receiver::default();
        let mut buffer = vec![0; max_frame];
        encoder.begin(0);
        while let Some(frame) = encoder.next_frame(&source, &mut buffer) {
            receiver.take(frame).unwrap();
            encoder.sent();
        }
        assert!(receiver.knows_all());
        receiver.assert_has(&source);
        let last = receiver.frames.iter().filter(|(_, flags, _)| flags.contains(Flags::LAST));
        assert_eq!(last.count(), 1);
    }
}

/// If this fails, receivers of a shared link cannot tell senders apart.
#[test]
fn addressed_frames_carry_origin_and_epoch() {
    let source = one_of_each();
    let epoch = Epoch::new(7, 9);
    let identity = Identity::new(Origin::from_array([255; 16]), epoch, 1);
    let mut encoder = Encoder::<16, 0>::new(identity, 600).with_full_address();
    let mut buffer = [0; 600];
    encoder.begin(u64::MAX);
    while let Some(frame) = encoder.next_frame(&source, &mut buffer) {
        let header = Frame::parse(frame).unwrap().header;
        let Header { address, .. } = Header::full(&[255; 16], epoch);
        assert_eq!((header.address, header.uptime), (address, u64::MAX));
        Receiver::default().take(frame).unwrap();
        encoder.sent();
    }
}

/// If this fails, a counter loses 2^32 when its word wraps.
#[test]
fn wrapping_words_arrive_widened() {
    let mut source = FakeSource::new(vec![
        FakeMetric::counter("a", 0),
        FakeMetric::timer("t", 10, histogram(&[0; 10])),
        FakeMetric::counter("beyond", 1 << 33),
    ]);
    source.narrow = true;
    let mut encoder = Encoder::<3, 18>::new(identity(), 600).with_wrapping_words();
    let mut receiver = Receiver::default();
    for step in 0..400u64 {
        let at = step * 0x7fff_fff0 % (1 << 39);
        source.metrics[0].values = vec![Fake::Unsigned(at)];
        let mut timer = histogram(&[0, at, 0, 0, 0, 0, 0, 0, 0, at]);
        (timer.zero, timer.overflow, timer.sum) = (at, at, at * 9);
        source.metrics[1].values = vec![Fake::Histogram(timer)];
        report(&mut encoder, &source, step, &mut receiver);
        let mut expected = source.clone();
        // Not widened: the low 32 bits, and the dictionary says so.
        expected.metrics[2].values = vec![Fake::Unsigned(0)];
        receiver.assert_has(&expected);
    }
    let bits: Vec<u8> = receiver.entries.values().map(|body| body[0]).collect();
    assert_eq!(bits, [39, 39, 32]);
}

/// If this fails, wraps are missed while the link is down.
#[test]
fn words_are_widened_while_writes_fail() {
    let mut source = FakeSource::new(vec![FakeMetric::counter("a", 0)]);
    source.narrow = true;
    let mut encoder = Encoder::<1, 1>::new(identity(), 128).with_wrapping_words();
    let mut buffer = [0; 128];
    let mut value = 0;
    for _ in 0..20 {
        value += 0x7000_0000;
        source.metrics[0].values = vec![Fake::Unsigned(value)];
        encoder.begin(0);
        assert!(encoder.next_frame(&source, &mut buffer).is_some());
        encoder.failed();
        assert!(encoder.next_frame(&source, &mut buffer).is_none());
    }
    let mut receiver = Receiver::default();
    report(&mut encoder, &source, 0, &mut receiver);
    receiver.assert_has(&source);
    assert_eq!(receiver.event.unwrap().frames_dropped, 20);
}

/// If this fails, metrics registered while a report is under way are mixed up with others.
#[test]
fn metrics_may_be_added_at_any_moment() {
    let mut source = FakeSource::new(vec![FakeMetric::counter("first", 1)]);
    let mut encoder = Encoder::<64, 0>::new(identity(), 160);
    let mut receiver = Receiver::default();
    let mut buffer = [0; 160];
    for step in 0..20 {
        encoder.begin(step);
        while let Some(frame) = encoder.next_frame(&source, &mut buffer) {
            receiver.take(frame).unwrap();
            encoder.sent();
            let name = format!("m{}", source.metrics.len());
            if source.metrics.len() < 60 {
                source.metrics.push(FakeMetric::counter(&name, step));
            }
        }
        // Whatever was announced can be checked: this panics on a wrong hash.
        receiver.knows_all();
    }
    report(&mut encoder, &source, 99, &mut receiver);
    assert!(receiver.knows_all());
    receiver.assert_has(&source);
}

/// If this fails, a gateway that comes in late does not learn the names within 30 s.
#[test]
fn a_late_receiver_learns_the_dictionary() {
    for (metrics, interval_ms) in [(1, 1_000), (19, 1_000), (200, 250), (40, 7_000), (5, 60_000)] {
        let counters = (0..metrics).map(|i| FakeMetric::counter(&format!("c{i}"), i));
        let source = FakeSource::new(counters.collect());
        let mut encoder =
            Encoder::<200, 0>::new(identity(), 300).with_report_interval_ms(interval_ms);
        for late in 1..5 {
            for _ in 0..late {
                report(&mut encoder, &source, 0, &mut Receiver::default());
            }
            let mut receiver = Receiver::default();
            let mut reports = 0;
            while !(receiver.knows_all() && receiver.hello.is_some()) {
                report(&mut encoder, &source, 0, &mut receiver);
                reports += 1;
            }
            assert!((reports - 1) * interval_ms < 30_000, "{metrics} metrics: {reports} reports");
        }
    }
}

/// If this fails, a forgotten answer or a cancelled write is taken for a success.
#[test]
fn a_frame_without_an_answer_failed() {
    let mut source = one_of_each();
    let mut encoder = quiet();
    let mut receiver = Receiver::default();
    let mut buffer = [0; 600];
    report(&mut encoder, &source, 0, &mut receiver);
    source.metrics[0].values = vec![Fake::Unsigned(9)];
    encoder.begin(1);
    assert!(encoder.next_frame(&source, &mut buffer).is_some());
    // Cancelled.
    let names = report(&mut encoder, &source, 2, &mut receiver);
    assert_eq!(names, ["event", "data"]);
    assert!(encoder.is_keyframe());
    receiver.assert_has(&source);
    assert_eq!(encoder.event().frames_dropped, 1);
}

/// If this fails, a receiver that asks for the dictionary or a keyframe does not get it.
#[test]
fn what_a_receiver_asks_for() {
    let source = one_of_each();
    let mut encoder = quiet();
    report(&mut encoder, &source, 0, &mut Receiver::default());
    encoder.force_dictionary();
    encoder.force_keyframe();
    encoder.set_registry_full(3);
    let mut receiver = Receiver::default();
    let names = report(&mut encoder, &source, 1, &mut receiver);
    assert_eq!(names, ["hello", "dict", "event", "data"]);
    receiver.assert_has(&source);
    assert_eq!(receiver.event.unwrap().registry_full, 3);
    // Nothing new, no event.
    encoder.set_registry_full(3);
    assert_eq!(report(&mut encoder, &source, 2, &mut Receiver::default()), ["data"]);
}

/// If this fails, nobody at the gateway learns that a device had no room for its metrics.
#[test]
fn what_a_registry_refused_is_an_event() {
    static REGISTRY: Registry<1, 1> = Registry::new();
    let mut encoder = quiet();
    let mut buffer = [0; 600];
    let mut report = |uptime: u64| {
        let mut receiver = Receiver::default();
        encoder.begin(uptime);
        while let Some(frame) = encoder.next_frame(&REGISTRY, &mut buffer) {
            receiver.take(frame).unwrap();
            encoder.sent();
        }
        if uptime == 2 {
            // Of those that it does not know, the program may tell; it cannot take any back.
            encoder.set_registry_full(1);
        }
        receiver.event.map(|event| event.registry_full)
    };
    REGISTRY.counter("a").unwrap().increment();
    assert_eq!(report(0), None, "nothing was refused");
    let _ = REGISTRY.counter("b").unwrap_err();
    let _ = REGISTRY.counter("c").unwrap_err();
    assert_eq!(report(1), Some(2));
    assert_eq!(report(2), None, "known already");
    assert_eq!(report(3), Some(2));
}

/// If this fails, an epoch that goes on after a restart is ignored as old.
#[test]
fn seq_goes_on_where_it_is_told() {
    let source = one_of_each();
    let mut encoder = Encoder::<16, 0>::new(identity(), 600).with_first_seq(1 << 40);
    let mut receiver = Receiver::default();
    report(&mut encoder, &source, 0, &mut receiver);
    let seqs: Vec<u64> = receiver.frames.iter().map(|(seq, _, _)| seq - (1 << 40)).collect();
    assert_eq!(seqs, [0, 1, 2]);
    assert_eq!(encoder.next_seq(), (1 << 40) + 3);
}

fn value_of(kind: Kind) -> BoxedStrategy<Fake> {
    let count = prop_oneof![0..300u64, any::<u64>().prop_map(|n| n >> 8)];
    match kind {
        Kind::Counter | Kind::Meter | Kind::GaugeUint => {
            any::<u64>().prop_map(Fake::Unsigned).boxed()
        }
        Kind::UpDown | Kind::GaugeInt => any::<i64>().prop_map(Fake::Signed).boxed(),
        Kind::GaugeFloat => prop_oneof![
            Just(Fake::Null),
            any::<f32>().prop_filter("sent as null", |f| !f.is_nan()).prop_map(Fake::F32)
        ]
        .boxed(),
        Kind::GaugeDouble => {
            any::<f64>().prop_filter("sent as null", |f| !f.is_nan()).prop_map(Fake::F64).boxed()
        }
        Kind::Histogram(b) | Kind::Timer(b) => {
            let cell = prop_oneof![3 => Just(0), 1 => count];
            let buckets = proptest::collection::vec(cell, b.len as usize);
            let range = proptest::option::of((any::<u64>(), any::<u64>()));
            (any::<u64>(), range, any::<u32>(), any::<u32>(), buckets)
                .prop_map(|(sum, range, zero, overflow, buckets)| {
                    Fake::Histogram(FakeHistogram {
                        sum,
                        min: range.map(|(a, b)| a.min(b)),
                        max: range.map(|(a, b)| a.max(b)),
                        zero: zero.into(),
                        overflow: overflow.into(),
                        buckets,
                    })
                })
                .boxed()
        }
        _ => unreachable!("no other kind"),
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    let buckets = Buckets { scale: 2, first: -80, len: 24 };
    proptest::sample::select(vec![
        Kind::Counter,
        Kind::Meter,
        Kind::UpDown,
        Kind::GaugeInt,
        Kind::GaugeUint,
        Kind::GaugeFloat,
        Kind::GaugeDouble,
        Kind::Histogram(buckets),
        Kind::Timer(buckets),
    ])
}

fn metric() -> impl Strategy<Value = FakeMetric> {
    (kind(), any::<bool>(), "[a-z]{1,20}", "[ -~]{0,30}").prop_flat_map(
        |(kind, family, name, help)| {
            let cells = if family { 6 } else { 1 };
            proptest::collection::vec(value_of(kind), cells).prop_map(move |values| FakeMetric {
                help: help.clone(),
                dimensions: if family { METHODS } else { &[] },
                values,
                ..FakeMetric::new(&name, kind, Fake::Null)
            })
        },
    )
}

/// What one report meets: which of its frames fail, and which metric gets which value before it.
type Step = (BTreeSet<usize>, Vec<(prop::sample::Index, prop::sample::Index)>);

fn step() -> impl Strategy<Value = Step> {
    let changes =
        proptest::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 0..6);
    (proptest::collection::btree_set(0..8usize, 0..2), changes)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// If this fails, some sequence of changes and failed writes loses or invents a value.
    #[test]
    fn whatever_fails_the_next_whole_report_repairs(
        mut metrics in proptest::collection::vec(metric(), 1..8),
        steps in proptest::collection::vec(step(), 1..8),
        max_frame in 300..600usize,
    ) {
        for (i, metric) in metrics.iter_mut().enumerate() {
            metric.name = format!("{}.{i}", metric.name);
        }
        let mut source = FakeSource::new(metrics);
        let mut encoder = Encoder::<20, 0>::new(identity(), max_frame).with_keyframe_interval(1000);
        let mut receiver = Receiver::default();
        let mut buffer = vec![0; stream_len(max_frame)];
        for (uptime, (failing, changes)) in (0..).zip(steps) {
            for (to, from) in changes {
                let (to, from) = (to.index(source.metrics.len()), from.index(source.metrics.len()));
                if source.metrics[to].kind == source.metrics[from].kind {
                    let value = source.metrics[from].values[0].clone();
                    source.metrics[to].values[0] = value;
                }
            }
            encoder.begin(uptime);
            let mut whole = true;
            let mut frame = 0;
            while let Some(stream) = encoder.next_stream_frame(&source, &mut buffer) {
                if failing.contains(&frame) {
                    // Half of it went out.
                    let _ = receiver.take_stream(&stream[..stream.len() / 2]);
                    encoder.failed();
                    whole = false;
                } else {
                    prop_assert_eq!(receiver.take_stream(stream), 0);
                    encoder.sent();
                }
                frame += 1;
            }
            if whole {
                prop_assert!(receiver.knows_all());
                receiver.assert_has(&source);
            }
        }
        for (id, metric) in (0..).zip(&source.metrics) {
            if let Some(body) = receiver.entries.get(&id) {
                let mut buffer = [0; 600];
                let mut dict = tapes_core::wire::DictWriter::new(&mut buffer, &Header::short(0), 0);
                prop_assert!(dict.push_body(body));
                let frame = Frame::parse(dict.finish().unwrap()).unwrap();
                let Ok(Body::Dict(mut entries)) = frame.body() else { panic!("not a DICT") };
                let descriptor: Option<Descriptor<'_>> = entries.next().unwrap().2;
                prop_assert_eq!(descriptor, Some(metric.descriptor()));
            }
        }
    }
}

/// If this fails, a histogram that holds nothing has a minimum.
#[test]
fn an_empty_histogram_has_no_range() {
    let source = FakeSource::new(vec![FakeMetric::timer("t", 8, histogram(&[0; 8]))]);
    let mut encoder = Encoder::<1, 0>::new(identity(), 300);
    let mut buffer = [0; 300];
    encoder.begin(0);
    let mut seen = false;
    while let Some(frame) = encoder.next_frame(&source, &mut buffer) {
        if let Ok(Body::Data(mut values)) = Frame::parse(frame).unwrap().body() {
            let Some(Ok((0, Reading::Histogram(h)))) = values.next() else { panic!() };
            assert_eq!((h.min, h.max, h.count(), h.buckets().count()), (None, None, 0, 0));
            seen = true;
        }
        encoder.sent();
    }
    assert!(seen);
}

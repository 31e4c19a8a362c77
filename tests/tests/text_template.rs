//! Pages by template beside what encoders write: they must not differ in a byte.

use std::cell::RefCell;

use proptest::prelude::any;
use proptest::test_runner::{Config, TestRunner};
use tapes_core::metric::{
    BaseUnit, Buckets, Counts, Descriptor, Dimension, Dimensions, Distribution, Kind, Labels,
    Sample, Unit, Value,
};
use tapes_core::text::prometheus::{Encoder, Escaping, Format, PageTemplates};

const FINE: Buckets = Buckets { scale: 2, first: -8, len: 12 };
const COARSE: Buckets = Buckets { scale: 0, first: 3, len: 4 };
const BOUNDS: &[f64] = &[0.3, 0.5, 1.7];
const EXTRA: &[(&str, &str)] = &[("device", "left \"wing\"\n"), ("le", "1")];

fn descriptors() -> Vec<Descriptor<'static>> {
    let mut loops = Descriptor::new("motor.loops", Kind::Counter, Unit::NONE);
    loops.help = "Passes of the \"loop\",\nback\\slash.";
    loops.labels = Labels::new(&[("axis", "x\"\\\n and y"), ("le", "1")]);
    let mut faults = Descriptor::new("faults", Kind::Counter, Unit::NONE);
    faults.dimensions =
        Dimensions::new(&[Dimension { name: "fault", values: &["over heat", "stall"] }]);
    vec![
        loops,
        Descriptor::new("uart.sent-bytes", Kind::Meter, Unit::BYTES),
        Descriptor::new("tank.level", Kind::UpDown, Unit::new(BaseUnit::None, 10)),
        Descriptor::new("supply", Kind::GaugeFloat, Unit::VOLTS),
        Descriptor::new("loop.time", Kind::Timer(FINE), Unit::MICROS),
        faults,
        Descriptor::new("waiting", Kind::Histogram(COARSE), Unit::NONE),
        Descriptor::new("loop.rest", Kind::Timer(FINE), Unit::MICROS),
    ]
}

/// The samples of [`descriptors`], with values that the numbers make.
fn samples<'s>(
    descriptors: &'s [Descriptor<'s>],
    counts: &'s [u64],
    numbers: &[u64],
) -> Vec<Sample<'s>> {
    let mut numbers = numbers.iter().copied().cycle();
    let mut next = move || numbers.next().expect("there are some");
    let mut samples = Vec::new();
    for (id, descriptor) in (0..).zip(descriptors) {
        let cells = if descriptor.dimensions.is_empty() { 1 } else { 2 };
        for cell in 0..cells {
            let number = next();
            let value = match descriptor.kind {
                Kind::UpDown => Value::Signed(number.cast_signed()),
                Kind::GaugeFloat if number % 3 == 0 => Value::Null,
                Kind::GaugeFloat => Value::F64(f64::from_bits(number >> 2)),
                Kind::Timer(geometry) | Kind::Histogram(geometry) => {
                    let (zero, overflow, sum) = (next(), next(), number);
                    let counts = counts.get(..geometry.len as usize).expect("as many");
                    let (min, max) = (Some(1), Some(2));
                    let counts = Counts { zero, buckets: counts, overflow, sum, min, max };
                    Value::Distribution(Distribution::new(geometry, counts))
                }
                _ => Value::Unsigned(number),
            };
            samples.push(Sample { cell, ..Sample::new(id, descriptor.name, descriptor, value) });
        }
    }
    samples
}

/// Ways to write an exposition: more than templates that are kept.
fn encoders(text: &mut String, way: usize) -> Encoder<'_> {
    let format = [Format::OpenMetrics, Format::Prometheus][way % 2];
    let escaping = [Escaping::Underscores, Escaping::Utf8, Escaping::Dots][way / 2 % 3];
    let encoder = Encoder::new(text, format).with_escaping(escaping);
    match way / 6 {
        0 => encoder,
        1 => encoder.with_classic_scale(2),
        2 => encoder.with_classic_bounds(BOUNDS),
        _ => encoder.with_classic_bounds(&[]),
    }
}

const WAYS: usize = 24;

fn straight(encoder: &mut Encoder<'_>, samples: &[Sample<'_>]) {
    for sample in samples {
        let descriptor = sample.descriptor();
        if sample.cell == 0 {
            encoder.family(&descriptor).expect("a text takes everything");
        }
        encoder
            .sample(EXTRA, &descriptor, sample.cell, &sample.value)
            .expect("a text takes everything");
    }
}

fn by_template(encoder: &mut Encoder<'_>, templates: &mut PageTemplates, samples: &[Sample<'_>]) {
    let filled = encoder.fill(templates, samples, |template| {
        for (place, sample) in samples.iter().enumerate() {
            let descriptor = sample.descriptor();
            if sample.cell == 0 {
                template.family(&descriptor);
            }
            template.sample(place, EXTRA, &descriptor, sample.cell, &sample.value);
        }
    });
    assert_eq!(filled, Some(Ok(())));
}

/// A number beside the wrong name would be believed by everybody.
#[test]
fn pages_by_template_are_expositions() {
    let descriptors = descriptors();
    // Made of the first values, and used for all others.
    let templates: Vec<RefCell<PageTemplates>> = (0..WAYS).map(|_| RefCell::default()).collect();
    let values = (any::<[u64; 9]>(), any::<[u32; 12]>(), any::<[u8; 9]>());
    TestRunner::new(Config::with_cases(200))
        .run(&values, |(numbers, counts, shifts)| {
            // Of all lengths, not only long ones.
            let numbers: Vec<u64> =
                numbers.iter().zip(shifts).map(|(number, shift)| number >> (shift % 64)).collect();
            let counts = counts.map(|count| u64::from(count >> (count % 32)));
            let samples = samples(&descriptors, &counts, &numbers);
            for (way, templates) in templates.iter().enumerate() {
                let templates = &mut templates.borrow_mut();
                let (mut expected, mut text) = (String::new(), String::new());
                straight(&mut encoders(&mut expected, way), &samples);
                by_template(&mut encoders(&mut text, way), templates, &samples);
                assert_eq!(text, expected, "way {way}");
            }
            Ok(())
        })
        .unwrap();
}

/// A template is made once for each way to write, and four are kept.
#[test]
fn templates_are_made_once() {
    let descriptors = descriptors();
    let samples = samples(&descriptors, &[7; 12], &[1, 2]);
    let mut templates = PageTemplates::default();
    let mut made = Vec::new();
    for way in [0, 1, 0, 1, 2, 3, 0, 4, 0] {
        let mut text = String::new();
        let mut encoder = encoders(&mut text, way);
        let filled = encoder.fill(&mut templates, &samples, |_| made.push(way));
        assert_eq!(filled, Some(Ok(())));
    }
    // The fifth took the place of the first one.
    assert_eq!(made, [0, 1, 2, 3, 4, 0]);
}

/// A source of a million series would take the memory of its page for good.
#[test]
fn long_templates_are_not_kept() {
    let descriptor = Descriptor::new("motor.loops", Kind::Counter, Unit::NONE);
    let sample = Sample::new(0, descriptor.name, &descriptor, Value::Unsigned(7));
    let (samples, long) = ([sample], "x".repeat(100_000));
    let mut templates = PageTemplates::default();
    let (mut text, mut made) = (String::new(), 0);
    let mut fill = |lines: usize| {
        let mut encoder = Encoder::new(&mut text, Format::Prometheus);
        encoder.fill(&mut templates, &samples, |template| {
            made += 1;
            for _ in 0..lines {
                template.sample(0, &[("label", &long)], &descriptor, 0, &samples[0].value);
            }
        })
    };
    assert_eq!((fill(11), fill(11)), (None, None));
    assert_eq!((made, text.as_str()), (1, ""));
}

/// Who hands over other samples than the template was made for is told, and gets no wrong page.
#[test]
fn other_samples_are_an_error() {
    let descriptors = descriptors();
    let samples = samples(&descriptors, &[7; 12], &[1, 2]);
    let mut templates = PageTemplates::default();
    by_template(
        &mut Encoder::new(&mut String::new(), Format::Prometheus),
        &mut templates,
        &samples,
    );
    let mut text = String::new();
    let mut encoder = Encoder::new(&mut text, Format::Prometheus);
    let mut others = samples.clone();
    others.reverse();
    for others in [&samples[..3], &others] {
        let filled = encoder.fill(&mut templates, others, |_| panic!("there is one"));
        assert!(filled.is_some_and(|filled| filled.is_err()));
    }
}

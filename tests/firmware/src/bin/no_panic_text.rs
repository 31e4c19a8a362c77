//! Every text, rate and statistic of the core: none of them may bring a panic into an image.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::ops::ControlFlow;

use tapes_core::metric::Value;
use tapes_core::rates::Rates;
use tapes_core::report::{Json, Prometheus, Statsd, Syntax, TextReporter, TextWriter};
use tapes_core::statistics::{Statistics, Summary};
use tapes_core::text::json::write_json;
use tapes_core::text::number::{Form, write_f32, write_f64};
use tapes_core::text::prometheus::{Format, write_prometheus};
use tapes_core::text::statsd::Dialect;
use tapes_core::{Group, Registry, Source, metrics};
use tapes_probes::board::{self, MOTOR, RADIO};
use tapes_probes::uart::Uart;

metrics! {
    /// The kinds that the typical board lacks.
    static REST: Rest = "rest", labels(axis = "\"x\"\n") {
        /// With \ and ".
        level: UpDown,
        marks: Meter,
        busy: Counter [unit = ticks(32_768)],
        fine: Histogram [unit = bytes, max = 1_500, scale = 4],
    }
}

static SOURCES: [Group<'static>; 3] = [MOTOR.group(), RADIO.group(), REST.group()];
static REGISTRY: Registry<4, 8> = Registry::new();

/// A report, in short chunks, over a writer.
fn report<S: Syntax>(syntax: S, source: &dyn Source) {
    let mut reporter = TextReporter::<S, 80, 24>::new(syntax);
    let _ = reporter.report(source, &mut Uart);
    black_box(reporter.dropped());
}

#[cortex_m_rt::entry]
fn main() -> ! {
    let _ = REGISTRY.gauge_fn("supply", || black_box(f32::NAN));
    let _ = REGISTRY.attach(&MOTOR);
    let mut rates = Rates::<6>::new(black_box(0), black_box(1_000_000));
    let mut now = 0;
    loop {
        board::record();
        REST.level.add(black_box(-3));
        REST.marks.mark();
        REST.busy.add(black_box(5));
        REST.fine.record(black_box(70_000));
        now += black_box(1_000_000);
        rates.advance(now, &SOURCES);
        let mut uart = Uart;
        let rates_of = |id, cell| rates.get(id, cell);
        let _ = SOURCES.visit(black_box(0), &mut |sample| {
            if let Value::Distribution(distribution) = sample.value {
                black_box(Summary::of(&distribution, sample.descriptor().unit));
            }
            ControlFlow::Continue(())
        });
        let mut text = TextWriter::<_, 32>::new(&mut uart);
        let _ = write_json(&SOURCES, &rates_of, &mut text);
        let _ = write_json(&REGISTRY, &rates_of, &mut text);
        let _ = write_prometheus(&SOURCES, Format::Prometheus, &mut text);
        let _ = write_prometheus(&REGISTRY, Format::OpenMetrics, &mut text);
        for form in [Form::Short, Form::Plain] {
            let _ = write_f32(&mut text, black_box(0.1), form);
            let _ = write_f64(&mut text, black_box(0.1), form);
        }
        let _ = text.finish();
        let wanted = black_box(Statistics::ALL);
        let motor = SOURCES.filter(|it| it.name.starts_with("motor"));
        report(Json::new().with_statistics(wanted), &motor);
        report(Prometheus::new(Format::OpenMetrics).with_classic_scale(black_box(1)), &SOURCES);
        for dialect in [Dialect::Etsy, Dialect::DogStatsd, Dialect::Tapes] {
            let syntax = Statsd::new(black_box(dialect)).with_statistics(wanted);
            report(syntax.with_prefix("left").with_tags(&[("side", "left")]), &SOURCES);
        }
    }
}

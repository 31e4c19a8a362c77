//! Every way to record, register, read and report that the core has, so that its symbols can be
//! searched for panics. What it does is of no account; that it could do all of it is.
#![no_std]
#![no_main]

use core::convert::Infallible;
use core::hint::black_box;

use cortex_m::singleton;
use tapes_core::clock::Clock as _;
use tapes_core::metric::{Group, Value};
use tapes_core::rates::Rates;
use tapes_core::report::{Json, Kept, Prometheus, Scheduler, SerialReporter, Statsd, TextReporter};
use tapes_core::statistics::Summary;
use tapes_core::text::prometheus::Format;
use tapes_core::text::statsd::Dialect;
use tapes_core::wire::{Body, Deframer, Epoch, Feed, Frame, Identity, Origin};
use tapes_core::{
    Details, Family, Label, Metered, RegisterError, Registry, Source, counted, errors, layout,
    metered, metrics, timed,
};
use tapes_probes::board::{self, MOTOR, RADIO, Timer};
use tapes_probes::uart::Uart;

#[derive(Clone, Copy, Label)]
enum Fault {
    Overheat,
    Stall,
}

metrics! {
    /// All kinds.
    static ALL: All = "all", labels(axis = "x") {
        counter: Counter [unit = bytes],
        updown: UpDown,
        meter: Meter,
        float: Gauge<f32> [unit = celsius],
        signed: Gauge<i32>,
        unsigned: Gauge<u32>,
        histogram: Histogram [max = 100],
        own: Exclusive<Counter>,
        faults: Counter per Fault,
        times: Timer per (Fault, Fault) [max = 1 ms],
        calls: Timer [max = 1 s],
        failed: Counter per Fault,
    }
}

static REGISTRY: Registry<16, 512, 4> = Registry::new();
static DETAILS: Details = Details::new().help("Help.").labels(&[("axis", "y")]);
static KEPT: Kept<{ board::METRICS }> = Kept::new();
static SOURCES: [Group<'static>; 2] = [MOTOR.group(), RADIO.group()];

/// A type with metrics of its own.
#[derive(Metered)]
#[metrics(calls: Counter = "{}.calls")]
struct Endpoint;

#[timed(ALL.calls, clock = Timer)]
#[counted(ALL.counter)]
#[metered(ALL.meter)]
#[errors(ALL.failed)]
fn attempt(fault: u32) -> Result<u32, Fault> {
    match fault {
        0 => Ok(1),
        1 => Err(Fault::Overheat),
        _ => Err(Fault::Stall),
    }
}

fn declared() {
    ALL.counter.add(black_box(3));
    ALL.updown.add(black_box(-3));
    ALL.float.set(f32::from_bits(black_box(0)));
    ALL.signed.set(black_box(-1));
    ALL.unsigned.set(black_box(1));
    ALL.histogram.record(black_box(5));
    ALL.histogram.record_compact(black_box(5));
    ALL.histogram.record_wide(black_box(5));
    if let Ok(mut own) = ALL.own.take() {
        own.increment();
    }
    let fault = if black_box(1) == 1 { Fault::Overheat } else { Fault::Stall };
    ALL.faults.of(fault).increment();
    ALL.times.of((fault, fault)).record(black_box(7));
    let _ = black_box(attempt(black_box(2)));
    black_box(ALL.calls.time(Timer, || ALL.calls.distribution().count()));
}

fn registered() -> Result<(), RegisterError> {
    REGISTRY.counter("b.counter")?.increment();
    REGISTRY.updown("b.updown")?.decrement();
    REGISTRY.meter("b.meter")?.mark_by(black_box(2));
    REGISTRY.gauge::<f32>(("b.{}.gauge", black_box(7)))?.set(1.5);
    REGISTRY.gauge_fn("b.produced", || 1.5f32)?;
    REGISTRY.histogram("b.histogram", layout!(unit = bytes, max = 1500))?.record(black_box(9));
    REGISTRY.timer::<1_000_000>("b.timer", layout!(unit = micros, max = 1 s))?.record(9);
    let view = REGISTRY.describe(&DETAILS);
    let family: Family<'_, tapes_core::Counter<'_>, Fault> = view.family("b.family")?;
    family.of(Fault::Stall).increment();
    REGISTRY.exclusive().counter("b.own")?.increment();
    REGISTRY.attach(&MOTOR)?;
    REGISTRY.attach(&ALL)
}

fn summaries(rates: &mut Rates<8>) {
    rates.advance(Timer.ticks().into(), &REGISTRY);
    let _ = REGISTRY.visit(0, &mut |sample| {
        if let Value::Distribution(distribution) = sample.value {
            black_box(Summary::of(&distribution, sample.descriptor().unit));
        }
        black_box(rates.get(sample.id, sample.cell));
        core::ops::ControlFlow::Continue(())
    });
}

fn received(deframer: &mut Deframer<256>, bytes: &[u8]) {
    if let Feed::Frame { frame, .. } = deframer.feed(bytes)
        && let Ok(frame) = Frame::parse(frame)
    {
        match frame.body() {
            Ok(Body::Dict(entries)) => entries.for_each(|entry| _ = black_box(entry)),
            Ok(Body::Data(values)) => values.for_each(|value| _ = black_box(value)),
            other => _ = black_box(other),
        }
    }
}

#[cortex_m_rt::entry]
fn main() -> ! {
    let start = KEPT.start(&MOTOR, 1, || Epoch::new(0, Timer.ticks()));
    let identity = Identity::new(Origin::from_array([7; 8]), start.epoch, 1_000_000);
    type Reporter = SerialReporter<40, 500, 512>;
    let Some(serial) = singleton!(: Reporter = Reporter::new(start.identify(identity))) else {
        loop {
            cortex_m::asm::nop();
        }
    };
    let mut json = TextReporter::<Json, 80, 128>::new(Json::new());
    let mut prometheus = TextReporter::<_, 80, 128>::new(Prometheus::new(Format::OpenMetrics));
    let mut statsd = TextReporter::<_, 80, 128>::new(Statsd::new(Dialect::DogStatsd));
    let mut rates = Rates::<8>::new(0, 1_000_000);
    let mut deframer = Deframer::<256>::new();
    let mut scheduler = Scheduler::every_ms(1_000, Timer, |uptime| {
        let _ = serial.report(&REGISTRY, uptime, &mut Uart);
        let _ = serial.report(&SOURCES, uptime, &mut Uart);
        KEPT.reported(serial.encoder());
        Ok::<_, Infallible>(())
    });
    let _ = scheduler.start();
    loop {
        board::record();
        declared();
        let _ = black_box(registered());
        scheduler.poll();
        summaries(&mut rates);
        let _ = json.report_with_rates(&REGISTRY, &|id, cell| rates.get(id, cell), &mut Uart);
        let _ = prometheus.report(&REGISTRY, &mut Uart);
        let _ = statsd.report(&SOURCES, &mut Uart);
        received(&mut deframer, black_box(&[1, 2, 3]));
        Endpoint::METRICS.calls.increment();
    }
}

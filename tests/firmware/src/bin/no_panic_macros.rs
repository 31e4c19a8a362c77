//! Attributes, derives, label families and the dynamic registry: none may bring a panic into an
//! image.
#![no_std]
#![no_main]

use core::future::{Future, poll_fn};
use core::hint::black_box;
use core::ops::ControlFlow;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use tapes_core::metric::Value;
use tapes_core::{
    Cached, Counter, Details, Label, Metered, Ratio, Registry, Source, counted, errors, layout,
    metered, metrics, templates, timed,
};
use tapes_probes::board::{RADIO, Timer};

#[derive(Clone, Copy, Label)]
enum Fault {
    Stall,
    Overheat,
}

#[derive(Clone, Copy, Label)]
enum Axis {
    X,
    Y,
    Z,
}

metrics! {
    /// What functions record.
    static WORK: Work = "work" {
        time: Timer [unit = micros, max = 1 s],
        calls: Counter,
        rate: Meter,
        errors: Counter per Fault,
        cancelled: Counter,
        loads: Histogram per (Axis, Fault) [max = 100, scale = 1],
        levels: Gauge<f32> per Axis,
        own: Exclusive<Timer> [unit = micros, max = 1 s],
    }
}

templates! {
    /// What every driver measures.
    struct DriverMetrics {
        /// Transfers.
        transfers: Meter = "drivers.{}.transfers",
        /// Time of one.
        time: Timer = "drivers.{}.time" [unit = micros, max = 1 s],
    }
}

#[derive(Metered)]
#[metrics(DriverMetrics)]
struct Spi;

static REGISTRY: Registry<16, 600, 4> = Registry::new();
static DETAILS: Details = Details::new().labels(&[("side", "left")]);
static FILL: Ratio = Ratio::new(|| black_box(1.0), || black_box(0.0));
static SUPPLY: Cached<Timer> = Cached::new(|| black_box(3.3), Timer, 1_000);

#[timed(WORK.time, clock = Timer)]
#[counted(WORK.calls)]
#[metered(WORK.rate)]
#[errors(WORK.errors)]
fn work(fault: Option<Fault>) -> Result<u32, Fault> {
    fault.map_or(Ok(7), Err)
}

#[timed(WORK.time, clock = Timer, cancelled = WORK.cancelled)]
async fn wait(polls: u32) {
    let mut left = polls;
    poll_fn(|_| {
        left = left.wrapping_sub(1);
        if left == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn register() -> Result<(), tapes_core::RegisterError> {
    let layout = layout!(unit = micros, max = 1 s);
    REGISTRY.counter(black_box("a.count"))?.increment();
    REGISTRY.updown("a.level")?.decrement();
    REGISTRY.gauge::<i32>("a.gauge")?.set(black_box(-3));
    REGISTRY.meter(("wheel.{}", black_box(3)))?.mark();
    REGISTRY.describe(&DETAILS).histogram("a.sizes", layout)?.record(black_box(9));
    REGISTRY.timer::<1_000_000>("a.time", layout)?.record(black_box(9));
    let _ = REGISTRY.view().family::<Counter<'_>, (Axis, Fault)>("a.faults")?;
    REGISTRY.exclusive().counter("a.own")?.increment();
    REGISTRY.gauge_of("a.fill", &FILL)?;
    REGISTRY.gauge_of("a.supply", &SUPPLY)?;
    REGISTRY.attach(&RADIO)
}

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut own = WORK.own.take().ok();
    loop {
        let _ = black_box(work(black_box(Some(Fault::Overheat))));
        let mut future = pin!(wait(black_box(3)));
        let mut context = Context::from_waker(Waker::noop());
        let _ = black_box(future.as_mut().poll(&mut context));
        WORK.loads.of((black_box(Axis::Y), black_box(Fault::Stall))).record(black_box(80));
        WORK.levels.of(black_box(Axis::Z)).set(0.5);
        WORK.errors.of(black_box(Fault::Stall)).increment();
        black_box(Axis::X);
        if let Some(own) = &mut own {
            own.record(black_box(12));
        }
        Spi::METRICS.transfers.mark();
        drop(Spi::METRICS.time.start(Timer));
        if let Err(error) = register() {
            black_box(error);
        }
        let _ = REGISTRY.visit(0, &mut |sample| {
            if let Value::Unsigned(count) = sample.value {
                black_box((sample.descriptor(), count));
            }
            ControlFlow::Continue(())
        });
    }
}

//! The defmt reporter and `Format` of what the core has: none of it may bring a panic into an image.
#![no_std]
#![no_main]

use core::hint::black_box;

use tapes_core::rates::Rates;
use tapes_core::report::{DefmtReporter, Schedule};
use tapes_core::statistics::Statistics;
use tapes_core::{Group, RegisterError, Registry};
use tapes_probes::board::{self, MOTOR, RADIO};

#[path = "../logger.rs"]
mod logger;

static SOURCES: [Group<'static>; 2] = [MOTOR.group(), RADIO.group()];
static REGISTRY: Registry<4, 100> = Registry::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut reporter = DefmtReporter::new();
    let mut rates = Rates::<4>::new(0, black_box(1_000));
    loop {
        board::record();
        rates.advance(black_box(7_000), &SOURCES);
        reporter.report_group(&MOTOR);
        reporter.report(&SOURCES);
        let counter = REGISTRY.counter(black_box("a.b"));
        reporter.report(&REGISTRY);
        defmt::println!(
            "{} {} {} {} {} {} {}",
            black_box::<Result<_, RegisterError>>(counter),
            black_box(MOTOR.loop_time),
            black_box(MOTOR.temperature),
            black_box(Statistics::ALL),
            black_box(rates.get(0, 0).unwrap_or_default()),
            Schedule::every_ms(black_box(9), 1_000).stats(),
            MOTOR.loop_time.distribution(),
        );
    }
}

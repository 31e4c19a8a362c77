//! What the executors do: load of each, how long every task is polled, and how late.
//!
//! Three tasks on two executors: `blink` and `main` on that of the thread, `compute` on one in an interrupt, which
//! interrupts the others. What it takes of their polls is its own, and not counted as theirs. The tasks know nothing
//! of it: they could be those of any firmware that exists already.
//!
//! ```text
//! cargo xtask emulate executor_load --seconds 1.5 | tapes gateway --stdin --no-http
//! ```
#![no_std]
#![no_main]

use cortex_m::asm::delay;
use embassy_executor::{InterruptExecutor, Spawner};
use embassy_rp::adc::{self, Adc};
use embassy_rp::bind_interrupts;
use embassy_rp::interrupt::{InterruptExt as _, Priority};
use embassy_rp::pac::{Interrupt, interrupt};
use embassy_rp::peripherals::UART0;
use embassy_rp::uart::{self, BufferedUartTx};
use embassy_rp::watchdog::Watchdog;
use embassy_time::{Duration, Instant, Ticker};
use examples_rp2040::identity;
use panic_halt as _;
use tapes_core::Label;
use tapes_core::clock::EmbassyClock;
use tapes_core::report::SerialReporter;
use tapes_core::wire::{frame_len, stream_len};
use tapes_embassy::trace_executors;
use tapes_rp2040 as _;

/// The tasks. What nobody has named counts as the last: here it is `main`.
#[derive(Clone, Copy, Label)]
enum Task {
    Blink,
    Compute,
    #[expect(dead_code, reason = "for tasks that nobody names")]
    Main,
}

/// The executors; the last is that of `main`.
#[derive(Clone, Copy, Label)]
enum Executor {
    Interrupt,
    Thread,
}

trace_executors! {
    /// What the executors do.
    static EMBASSY: EmbassyMetrics {
        tasks: Task,
        executors: Executor,
        clock: EmbassyClock,
        slots: 3,
    }
}

const METRICS: usize = EmbassyMetrics::METRICS;
const WORDS: usize = EmbassyMetrics::WORDS;
/// Room for a frame with all buckets of a timer.
const FRAME: usize = stream_len(frame_len(EmbassyMetrics::BUCKETS, u64::MAX));

static INTERRUPT: InterruptExecutor = InterruptExecutor::new();

bind_interrupts!(struct Irqs {
    UART0_IRQ => uart::BufferedInterruptHandler<UART0>;
});

/// Computes for 1 ms, 200 times a second: a load of 20 %.
#[embassy_executor::task]
async fn compute() {
    let mut pace = Ticker::every(Duration::from_millis(5));
    loop {
        delay(41_667); // takes 3 cycles for each
        pace.next().await;
    }
}

/// Computes for 0.3 ms, 100 times a second: a load of 3 %.
#[embassy_executor::task]
async fn blink() {
    let mut pace = Ticker::every(Duration::from_micros(9_990));
    loop {
        delay(12_500);
        pace.next().await;
    }
}

#[interrupt]
unsafe fn SWI_IRQ_0() {
    // SAFETY: this is the handler of the interrupt that the executor was started with.
    unsafe { INTERRUPT.on_interrupt() };
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let p = embassy_rp::init(embassy_rp::config::Config::default());
    let mut adc = Adc::new_blocking(p.ADC, adc::Config::default());
    let mut sensor = adc::Channel::new_temp_sensor(p.ADC_TEMP_SENSOR);
    let identity = identity(p.FLASH, &mut Watchdog::new(p.WATCHDOG), &mut adc, &mut sensor);
    let mut reporter = SerialReporter::<METRICS, WORDS, FRAME>::new(identity);
    let mut line = [0; 256];
    let mut uart = BufferedUartTx::new(p.UART0, Irqs, p.PIN_0, &mut line, uart::Config::default());

    let (blink, compute) = (blink().expect("there is one"), compute().expect("there is one"));
    EMBASSY.name(blink.id(), Task::Blink, Executor::Thread);
    EMBASSY.name(compute.id(), Task::Compute, Executor::Interrupt);
    spawner.spawn(blink);
    Interrupt::SWI_IRQ_0.set_priority(Priority::P2);
    INTERRUPT.start(Interrupt::SWI_IRQ_0).spawn(compute);

    let mut seconds = Ticker::every(Duration::from_secs(1));
    loop {
        EMBASSY.update();
        let _ = reporter.report_async(&EMBASSY, Instant::now().as_ticks(), &mut uart).await;
        seconds.next().await;
    }
}

//! The example `timing_loop` without metrics: its lines, less those that record and report. `cargo xtask overhead`
//! compares the two.
#![no_std]
#![no_main]
#![expect(unused_variables, reason = "what only metrics use")]

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use cortex_m::asm::delay;
use embassy_executor::Spawner;
use embassy_rp::clocks::RoscRng;
use embassy_rp::interrupt::InterruptExt as _;
use embassy_rp::pac::{Interrupt, interrupt};
use embassy_time::{Duration, Ticker, Timer};
use examples_rp2040::alarm;
use panic_halt as _;

const PERIOD_US: u32 = 1_000;
const PASS_DELAY: u32 = 1_000;
const PLAN_DELAY: u32 = 45_000;

static RUNNING: AtomicBool = AtomicBool::new(false);
static PLAN: AtomicU32 = AtomicU32::new(0);

#[interrupt]
fn TIMER_IRQ_1() {
    let (due, missed) = alarm::acknowledge(PERIOD_US);
    if RUNNING.load(Relaxed) {
    } else {
        RUNNING.store(true, Relaxed);
        Interrupt::SWI_IRQ_0.pend();
    }
}

#[interrupt]
fn SWI_IRQ_0() {
    delay(PASS_DELAY + PLAN.load(Relaxed));
    PLAN.store(0, Relaxed);
    RUNNING.store(false, Relaxed);
}

#[embassy_executor::task]
async fn commands() {
    loop {
        let random = RoscRng.next_u32();
        Timer::after_millis(u64::from(100 + (random & 0xff))).await;
        PLAN.store(random % PLAN_DELAY, Relaxed);
    }
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let p = embassy_rp::init(embassy_rp::config::Config::default());
    spawner.spawn(commands().expect("there is one such task"));
    alarm::start(PERIOD_US, Some(Interrupt::SWI_IRQ_0), &[Interrupt::UART0_IRQ]);

    let mut seconds = Ticker::every(Duration::from_secs(1));
    loop {
        seconds.next().await;
    }
}

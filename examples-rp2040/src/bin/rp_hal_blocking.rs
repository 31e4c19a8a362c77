//! No executor, no async: a main loop on `rp2040-hal` that measures and reports, and waits while it reports.
//!
//! How long that takes is one of its metrics: the blocking reporter is as fast as the line. Others are the board's
//! own: why it was reset, how deep its stack was, how long the main loop had nothing to do.
//!
//! ```text
//! cargo xtask emulate rp_hal_blocking --seconds 3 | tapes gateway --stdin --no-http
//! ```
#![no_std]
#![no_main]

use cortex_m::asm::wfi;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use panic_halt as _;
use rp2040_hal::clocks::init_clocks_and_plls;
use rp2040_hal::fugit::RateExtU32 as _;
use rp2040_hal::gpio::Pins;
use rp2040_hal::rosc::RingOscillator;
use rp2040_hal::uart::{DataBits, StopBits, UartConfig, UartPeripheral};
use rp2040_hal::{Clock as _, Sio, Timer, Watchdog, pac};
use tapes_core::clock::Clock as _;
use tapes_core::metric::Group;
use tapes_core::metrics;
use tapes_core::report::SerialReporter;
use tapes_core::wire::{Epoch, Identity, Origin, frame_len, stream_len};
use tapes_rp2040::{Micros, SYSTEM, SystemMetrics};

metrics! {
    /// The pump.
    static PUMP: PumpMetrics = "pump" {
        /// Strokes made.
        strokes: Counter,
        /// Time of one stroke.
        stroke_time: Timer [unit = micros, max = 100 ms, scale = 2],
        /// Time that the report before took, while the pump stood still.
        report_time: Timer [unit = micros, max = 1 s, scale = 2],
        /// Pressure at the end of a stroke.
        pressure: Gauge<i32> [unit = "pascal"],
    }
}

/// Everything that is reported.
static ALL: [Group<'static>; 2] = [PUMP.group(), SYSTEM.group()];

/// The second stage of the boot loader: the ROM starts it, and it maps the flash.
// SAFETY: nothing else is in this section, and these are the bytes that belong there.
#[unsafe(link_section = ".boot2")]
#[used]
static BOOT2: [u8; 256] = rp2040_boot2::BOOT_LOADER_W25Q080;

const CRYSTAL_HZ: u32 = 12_000_000;
/// Who this board is, as there is no driver for the id of the flash chip here; each board needs its own.
const ORIGIN: [u8; 8] = *b"pump-001";
/// How much of the stack is watched.
const STACK_BYTES: u32 = 8 * 1024;
const STROKES_A_SECOND: u32 = 50;
const METRICS: usize = PumpMetrics::METRICS + SystemMetrics::METRICS;
const WORDS: usize = PumpMetrics::WORDS + SystemMetrics::WORDS;
/// Room for a frame with all buckets of a timer.
const FRAME: usize = stream_len(frame_len(PumpMetrics::BUCKETS, u64::MAX));

/// Every millisecond; it only ends the sleep.
#[exception]
fn SysTick() {}

/// Starts SysTick, whose interrupt comes every millisecond.
fn start_milliseconds(mut systick: SYST, clock_hz: u32) {
    systick.set_clock_source(SystClkSource::Core);
    systick.set_reload(clock_hz / 1_000 - 1);
    systick.clear_current();
    systick.enable_interrupt();
    systick.enable_counter();
}

/// Stands for what the pump does: it waits, and then measures.
fn stroke(number: u32) {
    for _millisecond in 0..=number % 10 {
        SYSTEM.idle_while(wfi);
    }
    PUMP.pressure.set(101_325 + (number % 10) as i32);
}

/// A number that no other start has, from the ring oscillator's random bits; never 0.
fn nonce(peripheral: pac::ROSC) -> u32 {
    let oscillator = RingOscillator::new(peripheral).initialize();
    let random = (0..32).fold(0, |bits, _| bits << 1 | u32::from(oscillator.get_random_bit()));
    random.max(1)
}

#[rp2040_hal::entry]
fn main() -> ! {
    let core = cortex_m::Peripherals::take().expect("nobody has taken them");
    let mut p = pac::Peripherals::take().expect("nobody has taken them");
    // The scratch register survives warm starts, and is 0 after power-on.
    let boots = p.WATCHDOG.scratch0().read().bits().wrapping_add(1);
    p.WATCHDOG.scratch0().write(|w| {
        // SAFETY: any bits are a value of this register.
        unsafe { w.bits(boots) }
    });
    SYSTEM.start(boots, STACK_BYTES);
    let mut watchdog = Watchdog::new(p.WATCHDOG);
    let (xosc, clocks, sys, usb) = (p.XOSC, p.CLOCKS, p.PLL_SYS, p.PLL_USB);
    let clocks =
        init_clocks_and_plls(CRYSTAL_HZ, xosc, clocks, sys, usb, &mut p.RESETS, &mut watchdog);
    let clocks = clocks.expect("the crystal of a Pico oscillates");
    let timer = Timer::new(p.TIMER, &mut p.RESETS, &clocks);
    let sio = Sio::new(p.SIO);
    let pins = Pins::new(p.IO_BANK0, p.PADS_BANK0, sio.gpio_bank0, &mut p.RESETS);
    let pins = (pins.gpio0.into_function(), pins.gpio1.into_function());
    let config = UartConfig::new(115_200.Hz(), DataBits::Eight, None, StopBits::One);
    let mut uart = UartPeripheral::new(p.UART0, pins, &mut p.RESETS)
        .enable(config, clocks.peripheral_clock.freq())
        .expect("the rate can be had");

    start_milliseconds(core.SYST, clocks.system_clock.freq().to_Hz());

    let epoch = Epoch::new(0, nonce(p.ROSC));
    let identity = Identity::new(Origin::from_array(ORIGIN), epoch, Micros::HZ);
    let mut reporter = SerialReporter::<METRICS, WORDS, FRAME>::new(identity);
    loop {
        let (uptime, stats) = (timer.get_counter().ticks(), reporter.stats());
        SYSTEM.update(uptime, stats.frames_sent, stats.frames_dropped);
        let reporting = PUMP.report_time.start(Micros);
        // A gateway that was started later may ask for the names: `tapes gateway --ask`.
        let mut asked = [0; 32];
        if let Ok(len) = uart.read_raw(&mut asked) {
            reporter.encoder().heed(asked.get(..len).unwrap_or_default());
        }
        let _ = reporter.report(&ALL, uptime, &mut uart);
        drop(reporting);
        for number in 0..STROKES_A_SECOND {
            let stroke_time = PUMP.stroke_time.start(Micros);
            stroke(number);
            drop(stroke_time);
            PUMP.strokes.increment();
        }
    }
}

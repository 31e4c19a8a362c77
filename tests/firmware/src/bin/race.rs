//! Three contexts record to the same metrics: the main program and two interrupt handlers, one of
//! which interrupts the other. Nothing may be lost, and nothing that is read may go back.
//!
//! Every value follows from the number of the record and the context, so the main program can
//! work out in the end what all metrics must be. A word of the probe's own is incremented without
//! any protection; with the argument `bare` the probe expects that word to be right too, and must
//! fail.
#![no_std]
#![no_main]

use core::fmt::Write as _;
use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::scb::SystemHandler;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{Peripherals, SCB, SYST};
use cortex_m_rt::{entry, exception};
use tapes_core::metrics;
use tapes_probes::semihosting::{Output, exit, has_argument};

metrics! {
    /// What is fought over.
    static M: Race = "race" {
        count: Counter,
        marks: Meter,
        level: UpDown,
        last: Gauge<u32>,
        /// All kinds of values; the low word of the sum carries at every second one.
        wide: Histogram [max = 16],
        /// Only `HALF`: the sum tells how many.
        even: Histogram [max = 1],
        /// Recorded by the main program only, without masking, and read by all.
        own: Exclusive<Histogram> [max = 1],
    }
}

/// Records of the main program.
const RECORDS: u32 = 40_000;
/// More interrupts than this mean that the handlers leave the main program no time.
const INTERRUPTS_MAX: u32 = 4 * RECORDS;
/// Half of what the low word of a sum holds: it carries at every second one.
const HALF: u32 = 1 << 31;
/// Shortest time between interrupts, in ticks; a handler must fit in.
const TICKS_MIN: u32 = 8000;
/// The times between interrupts differ by up to so much, to come at every instruction.
const TICKS_SPREAD: u32 = 1023;
/// So soon the high handler interrupts the low one.
const TICKS_NESTED: u32 = 200;

/// Who records.
#[derive(Clone, Copy, PartialEq)]
enum Context {
    Main,
    /// PendSV, which the other handler asks for.
    Low,
    /// SysTick, which interrupts everything.
    High,
}

/// Records made by each context; written by that one only.
static MADE: [AtomicU32; 3] = [const { AtomicU32::new(0) }; 3];
/// Times that the high handler interrupted the low one.
static NESTED: AtomicU32 = AtomicU32::new(0);
/// Whether the low handler is running.
static LOW_RUNS: AtomicU32 = AtomicU32::new(0);
/// Readings that were impossible, by the number of the check.
static WRONG: [AtomicU32; 6] = [const { AtomicU32::new(0) }; 6];
/// Incremented without any protection.
static BARE: AtomicU32 = AtomicU32::new(0);

/// Adds, which is right where nobody interrupts to add too.
fn add_alone(word: &AtomicU32, n: u32) {
    word.store(word.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

/// The value of record `i` of a context: half of them large, half of them small.
fn value(context: Context, i: u32) -> u32 {
    let mixed = (i ^ ((context as u32) << 29)).wrapping_mul(0x9e37_79b9);
    if mixed & 1 == 0 { mixed | HALF } else { mixed >> 27 }
}

/// The step of record `i`.
fn step(i: u32) -> i32 {
    if i.is_multiple_of(3) { -2 } else { 3 }
}

/// A number that does not look like one of which half was replaced.
fn whole(i: u32) -> u32 {
    (i << 16) | (!i & 0xffff)
}

/// Makes a record of each kind.
fn record(context: Context) {
    let made = &MADE[context as usize];
    let i = made.load(Ordering::Relaxed);
    M.count.increment();
    M.marks.mark_by(3);
    M.level.add(step(i));
    M.last.set(whole(i));
    M.wide.record(value(context, i));
    M.even.record(HALF);
    add_alone(&BARE, 1);
    made.store(i + 1, Ordering::Relaxed);
}

/// What a context has read so far.
struct Reader {
    count: u64,
    wide: u64,
    even: u64,
    own: u64,
}

impl Reader {
    const fn new() -> Self {
        Self { count: 0, wide: 0, even: 0, own: 0 }
    }

    /// Reads everything, and notes what cannot be.
    fn read(&mut self) {
        let count = M.count.value();
        check(0, count >= self.count);
        let wide = M.wide.distribution().sum();
        check(1, wide >= self.wide);
        // The sum comes before the buckets, so what is in the sum is in a bucket.
        let even = M.even.distribution();
        let (sum, number) = (even.sum(), even.count());
        check(2, sum >= self.even && sum % u64::from(HALF) == 0);
        check(3, sum / u64::from(HALF) <= number);
        let last = M.last.value().unwrap_or_default();
        check(4, last == 0 || last >> 16 == !last & 0xffff);
        let own = own_sum();
        check(5, own >= self.own && own.is_multiple_of(u64::from(HALF)));
        *self = Self { count, wide, even: sum, own };
    }
}

/// The sum of the exclusive histogram, as any reader of the group sees it.
fn own_sum() -> u64 {
    use tapes_core::Source as _;
    use tapes_core::metric::Value;
    let mut sum = 0;
    let _ = M.visit(6, &mut |sample| {
        if let Value::Distribution(distribution) = sample.value {
            sum = distribution.sum();
        }
        core::ops::ControlFlow::Break(())
    });
    sum
}

fn check(number: usize, holds: bool) {
    if !holds {
        // Masked, because several contexts count here.
        cortex_m::interrupt::free(|_| add_alone(&WRONG[number], 1));
    }
}

/// Starts the time until the next interrupt.
fn interrupt_after(ticks: u32) {
    // SAFETY: only the high handler, and the main program before it runs, changes the timer.
    let timer = unsafe { &*SYST::PTR };
    // SAFETY: any 24-bit number may be stored.
    unsafe { timer.rvr.write(ticks) };
    // SAFETY: any number restarts the timer.
    unsafe { timer.cvr.write(0) };
}

#[exception]
fn SysTick() {
    static mut READER: Reader = Reader::new();
    record(Context::High);
    let made = MADE[Context::High as usize].load(Ordering::Relaxed);
    if made > INTERRUPTS_MAX {
        let _ = writeln!(Output, "the main program makes no progress");
        exit(false);
    }
    if made.is_multiple_of(4) {
        READER.read();
    }
    if LOW_RUNS.load(Ordering::Relaxed) != 0 {
        add_alone(&NESTED, 1);
    }
    let spread = made.wrapping_mul(0x9e37_79b9) >> 7 & TICKS_SPREAD;
    if made.is_multiple_of(3) {
        SCB::set_pendsv();
        interrupt_after(TICKS_NESTED + spread);
    } else {
        interrupt_after(TICKS_MIN + spread);
    }
}

#[exception]
fn PendSV() {
    static mut READER: Reader = Reader::new();
    LOW_RUNS.store(1, Ordering::Relaxed);
    record(Context::Low);
    READER.read();
    record(Context::Low);
    LOW_RUNS.store(0, Ordering::Relaxed);
}

/// Reports a total that is not as expected.
fn total(what: &str, found: u64, expected: u64) -> bool {
    if found != expected {
        let _ = writeln!(Output, "{what}: {found} instead of {expected}");
    }
    found == expected
}

/// Compares all metrics with what was recorded.
fn totals() -> bool {
    let (mut count, mut level, mut sum) = (0u64, 0i64, 0u64);
    let (mut min, mut max, mut small) = (u32::MAX, 0, 0u64);
    for context in [Context::Main, Context::Low, Context::High] {
        for i in 0..MADE[context as usize].load(Ordering::Relaxed) {
            let value = value(context, i);
            count += 1;
            level += i64::from(step(i));
            sum += u64::from(value);
            min = min.min(value);
            max = max.max(value);
            small += u64::from(value <= 16);
        }
    }
    let wide = M.wide.distribution();
    let mut right = total("count", M.count.value(), count);
    right &= total("marks", M.marks.count(), 3 * count);
    right &= total("level", M.level.value().cast_unsigned(), level.cast_unsigned());
    right &= total("sum", wide.sum(), sum);
    right &= total("min", wide.min().unwrap_or_default(), u64::from(min));
    right &= total("max", wide.max().unwrap_or_default(), u64::from(max));
    right &= total("buckets", wide.count(), count);
    right &= total("overflow", wide.overflow(), count - small);
    right &= total("even sum", M.even.distribution().sum(), count * u64::from(HALF));
    right &= total("even buckets", M.even.distribution().count(), count);
    right &= total("own sum", own_sum(), u64::from(RECORDS) * u64::from(HALF));
    if has_argument("bare") {
        right &= total("bare", u64::from(BARE.load(Ordering::Relaxed)), count);
    }
    right
}

#[entry]
fn main() -> ! {
    let Some(peripherals) = Peripherals::take() else { exit(false) };
    let (mut scb, mut timer) = (peripherals.SCB, peripherals.SYST);
    // SAFETY: no critical section relies on priorities.
    unsafe { scb.set_priority(SystemHandler::PendSV, 0xff) };
    let Ok(mut own) = M.own.take() else { exit(false) };
    timer.set_clock_source(SystClkSource::Core);
    interrupt_after(TICKS_MIN);
    timer.enable_interrupt();
    timer.enable_counter();
    let mut reader = Reader::new();
    for i in 0..RECORDS {
        record(Context::Main);
        own.record(HALF);
        if i % 2 == 0 {
            reader.read();
        }
    }
    timer.disable_interrupt();
    cortex_m::asm::isb();
    let mut right = totals();
    for (number, wrong) in WRONG.iter().enumerate() {
        let wrong = wrong.load(Ordering::Relaxed);
        if wrong > 0 {
            let _ = writeln!(Output, "check {number}: {wrong} impossible readings");
            right = false;
        }
    }
    let made = |context: Context| MADE[context as usize].load(Ordering::Relaxed);
    let _ = writeln!(
        Output,
        "{} records: {} main, {} low, {} high; {} times high in low",
        if right { "right" } else { "wrong" },
        made(Context::Main),
        made(Context::Low),
        made(Context::High),
        NESTED.load(Ordering::Relaxed),
    );
    exit(right)
}

//! A clock for timers that reads the counter of the processor.

use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tapes_core::clock::Clock;

/// Nanoseconds of a second.
const NANOS: u32 = 1_000_000_000;
/// Most that the rate may be wrong by: one part in so many.
const ERROR_PART: u32 = 1_000;
/// How long the clocks are compared: a thousandth of it is some reads of the slowest system's clock.
const COMPARED: Duration = Duration::from_millis(4);
/// Comparisons until the counter is given up: one that is interrupted shows nothing.
const COMPARISONS: usize = 8;
/// Where Linux says which counters agree on all cores; it strikes out those that do not.
const AVAILABLE: &str = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
/// What Linux calls the counters that are read here.
const NAMES: [&str; 2] = ["tsc", "arch_sys_counter"];

/// The counter of the processor (TSC on x86-64, CNTVCT on ARM64), for timers; `HZ` ticks a second.
///
/// Reading takes one instruction for the counter and two multiplications: 10 ns where
/// [`StdClock`](tapes_core::clock::StdClock) takes 26 ns on the same processor. It never blocks,
/// makes no call of the system and may be used from any thread.
///
/// ```
/// use tapes_core::metrics;
/// use tapes_std::clock::TscClock;
///
/// metrics! {
///     static SERVER: ServerMetrics = "server" {
///         /// Time of a request.
///         request: Timer [unit = micros, max = 60 s, scale = 2],
///         /// Time under a lock; up to 4.29 s.
///         lock: Timer [unit = nanos, max = 1 s, scale = 2],
///     }
/// }
///
/// let clock = TscClock::new(); // one for the program; reads microseconds
/// SERVER.request.start(&clock).stop();
/// let nanos = TscClock::<1_000_000_000>::with_rate();
/// SERVER.lock.time(&nanos, || ());
/// assert_eq!(SERVER.request.distribution().count(), 1);
/// assert_eq!(SERVER.lock.distribution().count(), 1);
/// ```
///
/// # Error
///
/// The rate of the counter is measured once in a process, beside the system's monotonic clock, and
/// not corrected later. Making the first clock then compares the two for 4 ms, and reads the system's
/// clock from then on if they cannot be shown to differ by less than **0.1 %**, where a bucket of
/// scale 2 is 19 % wide. A duration is wrong by at most that and one tick, since ticks are whole.
///
/// How it was measured: on a virtual machine with two cores of an AMD EPYC whose kernel keeps time by
/// the TSC as well, the clock beside `CLOCK_MONOTONIC`, each of the two reads of it between two of
/// the other, the closest of a thousand such:
///
/// | over | processes | in the middle | worst |
/// |---|---|---|---|
/// | 60 s | 12 | 0.0 parts in a million | 159, of one that shared its core with a compiler; else 18 |
/// | 0.1 s | 280, half of them 12 at a time | -0.8 parts in a million | 19 |
///
/// What the system's clock is slewed by (NTP, at most 0.05 %) does not show here. The processor may
/// read its counter some nanoseconds before or after the instructions around it.
///
/// # Cores, suspension, and where there is no such counter
///
/// - Counters of all cores are one clock where the processor says that they never stop or change
///   their rate (invariant TSC), and Linux has found them to agree. Where either is not so, which
///   making the clock finds out, it reads [`Instant`] instead: the same ticks, at the price of that.
///   Outside Linux, only what the processor says counts.
/// - While the machine sleeps, `CLOCK_MONOTONIC` stands still; the counter may go on, or start again,
///   and what was being timed then is wrong. A virtual machine that is moved to another host keeps
///   its rate only if that host scales it, as current ones do.
///
/// # Limits
///
/// For timers only. Reporters, and whatever outlives minutes, should keep the system's clock, which is
/// corrected. Making the first one in a process takes 5 to 300 ms, until the rate is known.
///
/// A clock that is coarser but takes 1 ns is a number that another thread brings up to date:
/// `quanta::Upkeep` is one, and [`Clock`] has two items to write for it. Its error is the interval,
/// so it suits the timing of requests more than that of locks. The system's own coarse clock
/// (`CLOCK_MONOTONIC_COARSE`) moves every 1 to 10 ms.
#[derive(Debug, Clone)]
pub struct TscClock<const HZ: u32 = 1_000_000> {
    source: Source,
}

/// What is read.
#[derive(Debug, Clone)]
enum Source {
    /// The counter, and what it was when the clock was made.
    Counter { counter: quanta::Clock, start: u64 },
    /// The system's clock, and what it was.
    System { start: Instant },
}

impl TscClock {
    /// Returns a clock of microseconds that starts now.
    ///
    /// Takes up to 300 ms the first time in a process.
    #[must_use]
    pub fn new() -> Self {
        Self::with_rate()
    }
}

impl<const HZ: u32> TscClock<HZ> {
    /// Nanoseconds of a tick.
    const TICK_NANOS: u64 = {
        assert!(HZ > 0 && NANOS.is_multiple_of(HZ), "a tick must be whole nanoseconds");
        (NANOS / HZ) as u64
    };

    /// Returns a clock of `HZ` ticks a second that starts now.
    ///
    /// Takes up to 300 ms the first time in a process. Does not compile unless a tick is a whole
    /// number of nanoseconds.
    #[must_use]
    pub fn with_rate() -> Self {
        static USABLE: OnceLock<bool> = OnceLock::new();
        let counter = quanta::Clock::new();
        let is_usable = *USABLE
            .get_or_init(|| kernel_trusts(fs::read_to_string(AVAILABLE)) && agrees(&counter));
        let source = if is_usable {
            Source::Counter { start: counter.raw(), counter }
        } else {
            Source::System { start: Instant::now() }
        };
        Self { source }
    }
}

impl Default for TscClock {
    fn default() -> Self {
        Self::new()
    }
}

impl<const HZ: u32> Clock for TscClock<HZ> {
    const HZ: u32 = HZ;

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "ticks wrap")]
    fn ticks(&self) -> u32 {
        let nanos = match &self.source {
            Source::Counter { counter, start } => counter.delta_as_nanos(*start, counter.raw()),
            Source::System { start } => start.elapsed().as_nanos() as u64,
        };
        (nanos / Self::TICK_NANOS) as u32
    }
}

/// Returns whether the kernel lets the counter be a clock of the system; where it does not say, yes.
fn kernel_trusts(available: std::io::Result<String>) -> bool {
    let is_named = |text: String| text.split_whitespace().any(|name| NAMES.contains(&name));
    available.map_or(true, is_named)
}

/// A read of the counter, and the system's time before and after it.
type Reading = (Instant, u64, Instant);

/// Returns the closest of some readings.
fn reading(counter: &quanta::Clock) -> Reading {
    let read = || (Instant::now(), counter.raw(), Instant::now());
    (0..16)
        .map(|_| read())
        .fold(read(), |best, next| if next.2 - next.0 < best.2 - best.0 { next } else { best })
}

/// Returns whether the counter is shown to keep time with the system's clock.
fn agrees(counter: &quanta::Clock) -> bool {
    (0..COMPARISONS).any(|_| {
        let from = reading(counter);
        while from.2.elapsed() < COMPARED {
            std::hint::spin_loop();
        }
        let to = reading(counter);
        let counted = Duration::from_nanos(counter.delta_as_nanos(from.1, to.1));
        is_close(counted, to.0 - from.2, to.2 - from.0)
    })
}

/// Whether `counted` is right but for the error that is allowed, wherever the truth lies between
/// `least` and `most`.
fn is_close(counted: Duration, least: Duration, most: Duration) -> bool {
    let part = |time: Duration| time / ERROR_PART;
    counted >= most - part(most) && counted <= least + part(least)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::{Duration, Instant};

    use tapes_core::clock::Clock as _;

    use super::{ERROR_PART, Source, TscClock, is_close, kernel_trusts};

    /// The clock as this machine has it, and the one that others get.
    fn both() -> [TscClock; 2] {
        [TscClock::new(), TscClock { source: Source::System { start: Instant::now() } }]
    }

    /// A timer would record 71 minutes instead of nothing.
    #[test]
    fn ticks_never_go_back() {
        for clock in both() {
            let start = clock.ticks();
            let mut before = 0;
            for _ in 0..100_000 {
                let now = clock.ticks().wrapping_sub(start);
                assert!(now >= before, "{now} after {before} by {clock:?}");
                before = now;
            }
        }
    }

    /// All durations would be wrong by more than is said.
    #[test]
    fn it_keeps_time_with_the_clock_of_the_system() {
        for clock in both() {
            let read = || (Instant::now(), clock.ticks(), Instant::now());
            let from = read();
            while from.2.elapsed() < Duration::from_millis(30) {
                std::hint::spin_loop();
            }
            let to = read();
            let counted = Duration::from_micros(to.1.wrapping_sub(from.1).into());
            // Between the closest and the farthest moments at which the two reads can have been;
            // the system's clock may be slewed meanwhile, by half of the error at most.
            let (least, most) = (to.0 - from.2, to.2 - from.0);
            let error = |time: Duration| 2 * time / ERROR_PART + Duration::from_micros(1);
            assert!(counted >= least - error(least), "{counted:?}, {least:?} or more");
            assert!(counted <= most + error(most), "{counted:?}, {most:?} or less");
        }
    }

    /// Ticks of another length than the type says would be recorded as if they were of that.
    #[test]
    fn ticks_have_the_length_of_the_rate() {
        let micros = TscClock::new();
        let millis = TscClock::<1_000> { source: micros.source.clone() };
        let (before, ticks, after) = (micros.ticks(), millis.ticks(), micros.ticks());
        assert!((before / 1_000..=after / 1_000).contains(&ticks), "{before} {ticks} {after}");
    }

    /// A counter that differs between cores would be read, or none ever.
    #[test]
    fn the_kernel_is_asked() {
        for (text, is_trusted) in [
            ("tsc hpet acpi_pm \n", true),
            ("kvm-clock tsc acpi_pm", true),
            ("arch_sys_counter\n", true),
            ("hpet acpi_pm\n", false),
            ("", false),
        ] {
            assert_eq!(kernel_trusts(Ok(text.to_owned())), is_trusted, "{text:?}");
        }
        assert!(kernel_trusts(Err(io::ErrorKind::NotFound.into())));
    }

    /// A rate that was measured while something else ran would be kept although it is wrong.
    #[test]
    fn a_wrong_rate_is_refused() {
        let micros = Duration::from_micros;
        for (counted, least, most, is_right) in [
            (10_000, 10_000, 10_000, true),
            (9_990, 10_000, 10_000, true),
            (9_989, 10_000, 10_000, false),
            (10_010, 10_000, 10_000, true),
            (10_011, 10_000, 10_000, false),
            // The truth may be at either end.
            (10_000, 9_995, 10_005, true),
            (10_000, 9_980, 10_005, false),
            (10_000, 9_995, 10_020, false),
        ] {
            let is_found = is_close(micros(counted), micros(least), micros(most));
            assert_eq!(is_found, is_right, "{counted} of {least} to {most}");
        }
    }
}

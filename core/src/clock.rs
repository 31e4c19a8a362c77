//! Clocks: wrapping tick sources for timers, and uptime for reporters.
//!
//! | clock | feature | rate | wraps after |
//! |---|---|---|---|
//! | [`ManualClock`] | – | its parameter | – |
//! | [`EmbassyClock`] | `embassy-time` | `TICK_HZ` of the binary | 71 minutes at 1 MHz |
//! | [`StdClock`] | `std` | 1 MHz | 71 minutes |
//! | `TscClock` of `tapes-std`, for timers of few nanoseconds | `tsc` there | its parameter, 1 MHz | 71 minutes at 1 MHz |

use crate::sync::Cell;

/// A source of ticks for timers.
///
/// # The contract
///
/// - Ticks grow at `HZ` a second, never go back, and wrap from `u32::MAX` to 0.
/// - [`ticks`](Self::ticks) neither blocks nor masks interrupts and may be called from any context.
pub trait Clock {
    /// Ticks a second; at least 1.
    const HZ: u32;

    /// Returns the time now, in wrapping ticks.
    fn ticks(&self) -> u32;
}

impl<C: Clock + ?Sized> Clock for &C {
    const HZ: u32 = C::HZ;

    #[inline(always)]
    fn ticks(&self) -> u32 {
        (**self).ticks()
    }
}

/// A clock that also knows how long the machine is up.
///
/// ```
/// use tapes_core::clock::{Clock, ManualClock, Uptime};
///
/// fn seconds<C: Uptime>(clock: &C) -> u64 {
///     clock.uptime() / u64::from(C::HZ)
/// }
/// let clock = ManualClock::<1_000>::new();
/// clock.advance(2_500);
/// assert_eq!(seconds(&clock), 2);
/// ```
pub trait Uptime: Clock {
    /// Returns the ticks since the start, which do not wrap.
    fn uptime(&self) -> u64;
}

impl<C: Uptime + ?Sized> Uptime for &C {
    fn uptime(&self) -> u64 {
        (**self).uptime()
    }
}

/// A clock that stands still until it is told to move: for tests and simulations.
///
/// ```
/// use tapes_core::clock::{Clock, ManualClock};
/// let clock = ManualClock::<1_000_000>::new();
/// clock.advance(250);
/// assert_eq!(clock.ticks(), 250);
/// ```
#[derive(Debug)]
pub struct ManualClock<const HZ: u32> {
    ticks: Cell,
}

impl<const HZ: u32> ManualClock<HZ> {
    /// Returns a clock at tick 0.
    #[must_use]
    pub const fn new() -> Self {
        Self { ticks: Cell::ZERO }
    }

    /// Moves the clock forward. One caller at a time.
    pub fn advance(&self, ticks: u32) {
        self.ticks.store(self.ticks.load().wrapping_add(ticks.into()));
    }
}

impl<const HZ: u32> Default for ManualClock<HZ> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const HZ: u32> Clock for ManualClock<HZ> {
    const HZ: u32 = HZ;

    #[expect(clippy::cast_possible_truncation, reason = "ticks wrap")]
    #[allow(trivial_numeric_casts, reason = "a word is u32 on some targets")]
    fn ticks(&self) -> u32 {
        self.ticks.load() as u32
    }
}

impl<const HZ: u32> Uptime for ManualClock<HZ> {
    #[allow(clippy::useless_conversion, reason = "a word is u32 on some targets")]
    fn uptime(&self) -> u64 {
        u64::from(self.ticks.load())
    }
}

/// `embassy_time::Instant`, at the tick rate that the binary chose.
///
/// On the RP2040 reading takes 17 cycles; its raw timer alone 6.
///
/// ```
/// use tapes_core::clock::{Clock, EmbassyClock};
///
/// // At the tick rate that the binary chose; reading needs its time driver.
/// assert_eq!(EmbassyClock::HZ, 1_000_000);
/// ```
#[cfg(feature = "embassy-time")]
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EmbassyClock;

#[cfg(feature = "embassy-time")]
impl Clock for EmbassyClock {
    const HZ: u32 = {
        assert!(embassy_time::TICK_HZ <= u32::MAX as u64, "tick rates above 4 GHz do not fit");
        #[expect(clippy::cast_possible_truncation, reason = "asserted above")]
        let hz = embassy_time::TICK_HZ as u32;
        hz
    };

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "ticks wrap")]
    fn ticks(&self) -> u32 {
        embassy_time::Instant::now().as_ticks() as u32
    }
}

#[cfg(feature = "embassy-time")]
impl Uptime for EmbassyClock {
    fn uptime(&self) -> u64 {
        embassy_time::Instant::now().as_ticks()
    }
}

/// `std::time::Instant` in microseconds since the clock was made.
///
/// Reading costs a call of the system's monotonic clock (about 22 ns on Linux) and a division.
///
/// ```
/// use tapes_core::clock::{StdClock, Uptime};
///
/// let clock = StdClock::new();
/// let before = clock.uptime();
/// assert!(clock.uptime() >= before); // microseconds, from its making on
/// ```
#[cfg(feature = "std")]
#[derive(Debug, Clone, Copy)]
pub struct StdClock {
    start: std::time::Instant,
}

#[cfg(feature = "std")]
impl StdClock {
    /// Returns a clock that starts now.
    #[must_use]
    pub fn new() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

#[cfg(feature = "std")]
impl Default for StdClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "std")]
impl Clock for StdClock {
    const HZ: u32 = 1_000_000;

    #[expect(clippy::cast_possible_truncation, reason = "ticks wrap")]
    fn ticks(&self) -> u32 {
        self.uptime() as u32
    }
}

#[cfg(feature = "std")]
impl Uptime for StdClock {
    #[expect(clippy::cast_possible_truncation, reason = "2^64 microseconds are 584,000 years")]
    fn uptime(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }
}

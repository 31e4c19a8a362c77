//! Histograms and timers.

use core::time::Duration;

use super::distribution::{Distribution, MAX_WORD, MIN_WORD, ZERO_WORD};
use super::layout::{Layout, Thresholds};
use super::storage::{Run, Stride};
use super::unit::Unit;
use crate::clock::Clock;
use crate::sync::{Cell, Section, Word, section};

/// Counts values in exact base-2 exponential buckets, with their sum, minimum and maximum.
///
/// Storage is [`Layout::words`] a lane. Recording takes 80 to 90 cycles on a Cortex-M0+ without
/// floats or divisions, and may be done from any interrupt, core or thread.
///
/// ```
/// use tapes_core::{Registry, layout};
/// static REGISTRY: Registry<4, 128> = Registry::new();
/// let sizes = REGISTRY.histogram("radio.packet", layout!(unit = bytes, max = 1500, scale = 2))?;
/// sizes.record(80);
/// sizes.record(1500);
/// let seen = sizes.distribution();
/// assert_eq!((seen.count(), seen.sum(), seen.min(), seen.max()), (2, 1580, Some(80), Some(1500)));
/// # Ok::<(), tapes_core::RegisterError>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "a histogram does nothing until something is recorded"]
pub struct Histogram<'r> {
    run: Run<'r>,
    layout: &'static Layout,
}

/// The layout of handles that drop what they record.
static NOTHING: Layout = {
    static THRESHOLDS: Thresholds<2> = Thresholds::new(Unit::NONE, 1);
    Layout::new(1, &THRESHOLDS)
};

impl<'r> Histogram<'r> {
    /// Returns a histogram over [`Layout::words`] of storage; with fewer, it drops what it
    /// records.
    pub const fn new(run: Run<'r>, layout: &'static Layout) -> Self {
        Self { run: if run.len() < layout.words() { Run::EMPTY } else { run }, layout }
    }

    /// Returns a histogram that drops what it records.
    pub const fn noop() -> Self {
        Self::new(Run::EMPTY, &NOTHING)
    }

    /// Returns the layout.
    #[must_use]
    pub const fn layout(&self) -> &'static Layout {
        self.layout
    }

    /// Records one raw value.
    #[inline(always)]
    pub fn record(&self, value: u32) {
        let place = self.layout.place(value);
        // Copied where there is a cold path, so that a handle whose words are known need not lie in
        // memory for it; elsewhere the copy would cost 3 cycles.
        #[cfg(feature = "std")]
        let handle = *self;
        #[cfg(not(feature = "std"))]
        let handle = self;
        section(move |section| handle.record_in(section, place, value));
    }

    /// Records one raw value, whose place the layout has given.
    #[inline(always)]
    #[allow(clippy::useless_conversion, reason = "a word is u32 on some targets")]
    pub(super) fn record_in(&self, section: Section, place: usize, value: u32) {
        let Some(words) = self.run.writable(section) else { return };
        // Bucket, sum, min, max; readers go the other way, so what is in the sum is in a bucket
        // too.
        let (Some(bucket), Some(sum), Some(min), Some(max)) = (
            words.get(ZERO_WORD + place),
            words.first_chunk(),
            words.get(MIN_WORD),
            words.get(MAX_WORD),
        ) else {
            return;
        };
        section.add(bucket, 1);
        section.add_sum(sum, value);
        section.raise(min, Word::from(!value));
        section.raise(max, Word::from(value));
    }

    /// Records one raw value through a function that all calls share.
    ///
    /// [`record`](Self::record) takes about 180 bytes of flash wherever it is called and 256 for a
    /// table; this takes a call, and 10 to 20 cycles more on a Cortex-M0+.
    ///
    /// ```
    /// tapes_core::metrics! {
    ///     static RADIO: RadioMetrics = "radio" { sizes: Histogram [unit = bytes, max = 1500] }
    /// }
    /// RADIO.sizes.record_compact(70); // at the many places where size matters more than time
    /// RADIO.sizes.record_wide(1 << 40); // above every bucket
    /// assert_eq!(RADIO.sizes.distribution().count(), 2);
    /// ```
    #[inline]
    pub fn record_compact(&self, value: u32) {
        let (words, stride) = self.run.parts();
        record_apart(words, self.layout, value, stride);
    }

    /// Records one raw value of 64 bits; what exceeds `u32::MAX` counts as `u32::MAX`.
    #[inline]
    pub fn record_wide(&self, value: u64) {
        self.record(u32::try_from(value).unwrap_or(u32::MAX));
    }

    /// Returns what was recorded so far, read from the live words.
    #[must_use]
    pub const fn distribution(&self) -> Distribution<'r> {
        Distribution::live(self.layout.buckets(), self.run)
    }
}

/// Takes the handle in registers, so that a declared one is constants and has no place in flash.
#[inline(never)]
fn record_apart(words: &[Cell], layout: &'static Layout, value: u32, stride: Stride) {
    let histogram = Histogram { run: Run::from_parts(words, stride), layout };
    let place = layout.place_compact(value);
    section(|section| histogram.record_in(section, place, value));
}

/// Records durations in ticks of a clock that runs at `HZ` ticks a second.
///
/// A timer is a histogram whose count also feeds rates. Durations of 2^32 ticks and more (71
/// minutes at 1 MHz) alias, because clocks wrap.
///
/// ```
/// use tapes_core::{Registry, clock::ManualClock, layout};
/// static REGISTRY: Registry<4, 128> = Registry::new();
/// let clock = ManualClock::<1_000_000>::new();
/// let passes = REGISTRY.timer::<1_000_000>("motor.pass", layout!(unit = micros, max = 60 s))?;
/// {
///     let _running = passes.start(&clock);
///     clock.advance(250);
/// } // recorded here
/// passes.time(&clock, || clock.advance(750));
/// assert_eq!(passes.distribution().sum(), 1000);
/// # Ok::<(), tapes_core::RegisterError>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "a timer does nothing until it is started"]
pub struct Timer<'r, const HZ: u32 = 1_000_000> {
    pub(super) histogram: Histogram<'r>,
}

impl<'r, const HZ: u32> Timer<'r, HZ> {
    /// Returns a timer over [`Layout::words`] of storage.
    pub const fn new(run: Run<'r>, layout: &'static Layout) -> Self {
        Self { histogram: Histogram::new(run, layout) }
    }

    /// Returns a timer that drops what it records.
    pub const fn noop() -> Self {
        Self { histogram: Histogram::noop() }
    }

    /// Records one duration, in ticks.
    #[inline(always)]
    pub fn record(&self, ticks: u32) {
        self.histogram.record(ticks);
    }

    /// Records one duration, rounded down to ticks; what exceeds `u32::MAX` ticks counts as
    /// `u32::MAX`.
    ///
    /// Takes a division of 64 bits: for hosts, and for what was measured elsewhere.
    ///
    /// ```
    /// use core::time::Duration;
    ///
    /// tapes_core::metrics! {
    ///     static DOOR: DoorMetrics = "door" { open: Timer [unit = millis, max = 60 s] }
    /// }
    /// DOOR.open.record_duration(Duration::from_micros(2_999));
    /// assert_eq!(DOOR.open.distribution().sum(), 2); // milliseconds
    /// ```
    #[inline]
    pub fn record_duration(&self, duration: Duration) {
        let seconds = duration.as_secs().saturating_mul(u64::from(HZ));
        let rest = u64::from(duration.subsec_nanos()) * u64::from(HZ) / 1_000_000_000;
        self.histogram.record_wide(seconds.saturating_add(rest));
    }

    /// Starts a measurement that is recorded when the guard is dropped, by a function that all
    /// timers share.
    ///
    /// Does not compile with a clock of another rate.
    #[inline(always)]
    pub fn start<C: Clock>(&self, clock: C) -> TimerGuard<'r, C, HZ> {
        const { assert!(C::HZ == HZ, "the clock's rate differs from the timer's") };
        TimerGuard { started: clock.ticks(), timer: *self, clock, armed: true }
    }

    /// Measures a closure and hands back its result; records it if the closure panics too.
    #[inline]
    pub fn time<C: Clock, R>(&self, clock: C, f: impl FnOnce() -> R) -> R {
        let _guard = self.start(clock);
        f()
    }

    /// Returns what was recorded so far, read from the live words.
    #[must_use]
    pub const fn distribution(&self) -> Distribution<'r> {
        self.histogram.distribution()
    }
}

/// A running measurement: records on drop.
///
/// ```
/// use tapes_core::clock::ManualClock;
/// use tapes_core::metric::TimerGuard;
///
/// tapes_core::metrics! {
///     static DOOR: DoorMetrics = "door" { open: Timer [unit = micros, max = 60 s] }
/// }
/// type Open<'c> = TimerGuard<'static, &'c ManualClock<1_000_000>, 1_000_000>;
///
/// let clock = ManualClock::<1_000_000>::new();
/// let open: Open<'_> = DOOR.open.start(&clock);
/// clock.advance(250);
/// assert_eq!(open.elapsed(), 250);
/// assert_eq!(open.stop(), 250);
/// DOOR.open.start(&clock).cancel(); // records nothing
/// assert_eq!(DOOR.open.distribution().count(), 1);
/// ```
#[derive(Debug)]
#[must_use = "the time is recorded when the guard is dropped; bind it to a name"]
pub struct TimerGuard<'r, C: Clock, const HZ: u32> {
    timer: Timer<'r, HZ>,
    clock: C,
    /// Ticks at the start.
    started: u32,
    /// False once stopped or cancelled.
    armed: bool,
}

impl<C: Clock, const HZ: u32> TimerGuard<'_, C, HZ> {
    /// Returns the ticks so far.
    #[inline]
    #[must_use]
    pub fn elapsed(&self) -> u32 {
        self.clock.ticks().wrapping_sub(self.started)
    }

    /// Records now and returns the ticks.
    #[inline]
    pub fn stop(mut self) -> u32 {
        self.armed = false;
        let ticks = self.elapsed();
        self.timer.histogram.record_compact(ticks);
        ticks
    }

    /// Ends the measurement without recording it.
    #[inline]
    pub fn cancel(mut self) {
        self.armed = false;
    }
}

impl<C: Clock, const HZ: u32> Drop for TimerGuard<'_, C, HZ> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.armed {
            self.timer.histogram.record_compact(self.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    /// If this fails, durations that were measured elsewhere are recorded as other ones.
    #[test]
    fn durations_become_ticks() {
        const NANO: Duration = Duration::from_nanos(1);
        crate::metrics! {
            static T: Times = "t" {
                crystal: Timer [unit = ticks(32_768), max = 1 s],
                nanos: Timer [unit = nanos, max = 1 s],
                fastest: Timer [unit = ticks(4_294_967_295), max = 1 s],
            }
        }
        let one = Duration::from_secs(1);
        for (duration, crystal, nanos, fastest) in [
            (Duration::ZERO, 0, 0, 0),
            (NANO, 0, 1, 4),
            (one - NANO, 32_767, 999_999_999, u32::MAX - 5),
            (one, 32_768, 1_000_000_000, u32::MAX),
            (one + NANO, 32_768, 1_000_000_001, u32::MAX),
            (one * 131_071, 4_294_934_528, u32::MAX, u32::MAX),
            (one * 131_072, u32::MAX, u32::MAX, u32::MAX),
            (Duration::MAX, u32::MAX, u32::MAX, u32::MAX),
        ] {
            let before = [T.crystal.distribution(), T.nanos.distribution()].map(|d| d.sum());
            let before_fastest = T.fastest.distribution().sum();
            T.crystal.record_duration(duration);
            T.nanos.record_duration(duration);
            T.fastest.record_duration(duration);
            let added = [
                T.crystal.distribution().sum() - before[0],
                T.nanos.distribution().sum() - before[1],
                T.fastest.distribution().sum() - before_fastest,
            ];
            assert_eq!(added, [crystal, nanos, fastest].map(u64::from), "{duration:?}");
        }
    }
}

//! Rates of meters and timers: exponentially weighted averages that belong to the reader.
//!
//! A meter is one word that only grows. Whoever wants rates keeps a [`Rates`] of his own and calls
//! [`advance`](Rates::advance) at least once in 5 seconds, so two reporters never disturb each
//! other and recording stays an increment.
//!
//! ```
//! use tapes_core::metrics;
//! use tapes_core::rates::Rates;
//!
//! metrics! {
//!     /// Radio.
//!     static RADIO: RadioMetrics = "radio" {
//!         /// Packets received.
//!         packets: Meter,
//!     }
//! }
//! const HZ: u32 = 1_000_000;
//! let mut rates = Rates::<1>::new(0, HZ);
//! rates.advance(0, &RADIO);
//! (0..10).for_each(|_| RADIO.packets.mark());
//! rates.advance(5_000_001, &RADIO);
//! assert_eq!(rates.get(0, 0).map(|rates| rates.m1), Some(2.0)); // per second
//! ```
//!
//! **The rule** is that of tapes and Dropwizard. Time is cut into ticks of 5 seconds from the
//! reader's start on; a tick is due when it is over by any time at all. At the first tick a rate
//! becomes the events of that tick per second, at every later one it moves towards them by
//! `1 - e^(-5/60/minutes)` of the way.
//!
//! **Late ticks.** When several ticks are due at once, events that were seen before belong to the
//! first of them. Events that were not seen before happened at a time nobody knows, and are spread
//! evenly over all of them: a gap of ten minutes does not look like a burst. To get what tapes
//! computes, whose meters tick at each mark, call `advance` before and after each mark. Any number
//! of late ticks costs some dozens of multiplications: no loop over ticks, no `exp`.
//!
//! **Interrupts and cores.** A `Rates` has one owner; recording goes on meanwhile.
//!
//! **Footprint.** 48 bytes for each meter or timer, 32 for the ticks.
//!
//! **Limits.** Rates are `f32`: off by some parts in 10^7, and by one more for every tick that was
//! late, so by less than 0.01 % after an hour of silence. What is smaller than
//! `f32::MIN_POSITIVE` is 0.

use core::num::NonZeroU64;
use core::ops::ControlFlow;

use crate::metric::{Kind, Value};
use crate::snapshot::Source;

/// Seconds from one tick to the next.
pub const TICK_SECONDS: u32 = 5;

/// What is kept of a rate at each tick: `e^(-5/60/minutes)` for 1, 5 and 15 minutes.
const DECAYS: [f32; 3] = [0.920_044_4, 0.983_471_45, 0.994_459_87];

/// How far a rate moves towards the events of the tick: 1 minus the decay, rounded on its own.
const ALPHAS: [f32; 3] = [0.079_955_585, 0.016_528_547, 0.005_540_152];

/// The rates of one count, in events per second.
///
/// ```
/// use tapes_core::rates::RateReading;
///
/// let rates = RateReading { m1: 0.5, ..RateReading::default() };
/// assert_eq!(rates.m1 * 60.0, 30.0); // a minute
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RateReading {
    /// Exponentially weighted over 1 minute.
    pub m1: f32,
    /// Exponentially weighted over 5 minutes.
    pub m5: f32,
    /// Exponentially weighted over 15 minutes.
    pub m15: f32,
    /// Since the reader began to watch.
    pub mean: f32,
}

/// Cuts time into ticks of 5 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Ticks {
    /// Clock at the start.
    start: u64,
    /// Clock at the begin of the open tick: the start plus whole ticks.
    open: u64,
    /// Largest clock seen.
    now: u64,
    /// Clock ticks a second, at least 1.
    hz: u32,
}

impl Ticks {
    /// Returns ticks that begin at `now` on a monotonic clock of `hz` ticks a second; an `hz` of 0
    /// counts as 1.
    #[must_use]
    pub const fn new(now: u64, hz: u32) -> Self {
        Self { start: now, open: now, now, hz: if hz == 0 { 1 } else { hz } }
    }

    /// Moves on to `now` and returns how many ticks have become due.
    ///
    /// A tick is due when more than its 5 seconds are over. A clock that goes back stands still.
    pub fn advance(&mut self, now: u64) -> u64 {
        self.now = self.now.max(now);
        let age = self.now.saturating_sub(self.open);
        let Some(len) = NonZeroU64::new(u64::from(self.hz) * u64::from(TICK_SECONDS)) else {
            return 0;
        };
        if age <= len.get() {
            return 0;
        }
        self.open = self.now.saturating_sub(age % len);
        age / len
    }

    /// Returns the seconds from the start to the last [`advance`](Self::advance).
    #[must_use]
    pub fn seconds(&self) -> f32 {
        self.now.saturating_sub(self.start) as f32 / self.hz as f32
    }
}

/// The rates of one count; [`Ticks`] are kept by the caller, once for all that advance together.
///
/// ```
/// use tapes_core::rates::{Ewma, Ticks};
///
/// // Two counts on one clock of 1 kHz.
/// let mut ticks = Ticks::new(0, 1_000);
/// let (mut sent, mut lost) = (Ewma::new(100), Ewma::new(0));
/// let due = ticks.advance(5_001);
/// sent.advance(due, 110);
/// lost.advance(due, 5);
/// let (sent, lost) = (sent.reading(ticks.seconds()), lost.reading(ticks.seconds()));
/// assert_eq!((sent.m1, lost.m1), (2.0, 1.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Ewma {
    /// The count at the last advance.
    last: u64,
    /// Events since the start.
    total: u64,
    /// Events seen in the open tick.
    pending: u32,
    /// Rates over 1, 5 and 15 minutes; 0 until the first tick.
    rates: [f32; 3],
    /// Whether there has been a tick.
    ticked: bool,
}

impl Ewma {
    /// Returns rates of a count that stands at `count` now; what was counted before is no event.
    #[must_use]
    pub const fn new(count: u64) -> Self {
        Self { last: count, total: 0, pending: 0, rates: [0.0; 3], ticked: false }
    }

    /// Takes in the count as it is now, after `due` [ticks](Ticks::advance) have become due.
    ///
    /// A count lower than the last one has a 32-bit word that wrapped, if that means fewer than
    /// 2^31 events; else it has started again, and what it counted unseen is left out.
    pub fn advance(&mut self, due: u64, count: u64) {
        let new = events(self.last, count);
        self.last = count;
        self.total = self.total.saturating_add(new);
        if due == 0 {
            self.pending = u32::try_from(new).map_or(u32::MAX, |n| self.pending.saturating_add(n));
            return;
        }
        let even = new as f32 / due as f32;
        let first = (self.pending as f32 + even) / TICK_SECONDS as f32;
        let even = even / TICK_SECONDS as f32;
        for ((rate, decay), alpha) in self.rates.iter_mut().zip(DECAYS).zip(ALPHAS) {
            let after = if self.ticked { *rate + alpha * (first - *rate) } else { first };
            let after = even + (after - even) * power(decay, due - 1);
            *rate = if after < f32::MIN_POSITIVE { 0.0 } else { after };
        }
        self.pending = 0;
        self.ticked = true;
    }

    /// Returns the rates as of the last tick, and the mean over `seconds`, the time since the
    /// start.
    #[must_use]
    pub fn reading(&self, seconds: f32) -> RateReading {
        let [m1, m5, m15] = self.rates;
        let mean = if seconds > 0.0 { self.total as f32 / seconds } else { 0.0 };
        RateReading { m1, m5, m15, mean }
    }
}

/// Returns how many events lie between two counts.
fn events(last: u64, count: u64) -> u64 {
    if let Some(new) = count.checked_sub(last) {
        return new;
    }
    // Of a histogram's buckets, which are added up, only one wraps at a time.
    let drop = last.saturating_sub(count);
    match (1u64 << 32).checked_sub(drop) {
        Some(new) if new < 1 << 31 => new,
        _ => 0,
    }
}

/// Returns `base^n` by repeated squaring, for a base below 1.
fn power(base: f32, n: u64) -> f32 {
    let (mut square, mut rest, mut product) = (base, n, 1.0);
    while rest != 0 && square != 0.0 {
        if rest & 1 == 1 {
            product *= square;
        }
        square *= square;
        rest >>= 1;
    }
    // A square that has become 0 leaves nothing of the product either.
    if rest == 0 { product } else { 0.0 }
}

/// The rates of the first `N` meters and timers of a source.
#[derive(Debug, Clone, Copy)]
pub struct Rates<const N: usize> {
    ticks: Ticks,
    /// Ids and cells, with their rates; filled from the front.
    entries: [Option<((u32, u32), Ewma)>; N],
    /// Whether the source has been looked at before.
    started: bool,
    /// Meters and timers that had no place at the last advance.
    missed: u32,
}

impl<const N: usize> Rates<N> {
    /// Returns rates that begin at `now` on a monotonic clock of `hz` ticks a second.
    #[must_use]
    pub const fn new(now: u64, hz: u32) -> Self {
        const { assert!(N > 0, "Rates needs room for at least one meter or timer") };
        Self { ticks: Ticks::new(now, hz), entries: [None; N], started: false, missed: 0 }
    }

    /// Takes in the counts of all meters and timers of `source`, always the same one.
    ///
    /// What the first call finds was counted before and is no event; a metric that appears later
    /// began at 0.
    pub fn advance<S: Source + ?Sized>(&mut self, now: u64, source: &S) {
        let due = self.ticks.advance(now);
        let started = core::mem::replace(&mut self.started, true);
        self.missed = 0;
        let _ = source.visit(0, &mut |sample| {
            let count = match (sample.kind, sample.value) {
                (Kind::Meter, Value::Unsigned(count)) => count,
                (Kind::Timer(_), Value::Distribution(distribution)) => distribution.count(),
                _ => return ControlFlow::Continue(()),
            };
            self.advance_one((sample.id, sample.cell), count, due, started);
            ControlFlow::Continue(())
        });
    }

    /// Returns the rates of the metric with that id, and cell of a family, else 0; `None` if it has
    /// none. Searches up to `N` entries.
    #[must_use]
    pub fn get(&self, id: u32, cell: u32) -> Option<RateReading> {
        let mut known = self.entries.iter().flatten();
        let (_, ewma) = known.find(|(known, _)| *known == (id, cell))?;
        Some(ewma.reading(self.ticks.seconds()))
    }

    /// Returns how many meters and timers had no place: raise `N` by so many.
    ///
    /// ```
    /// use tapes_core::rates::Rates;
    ///
    /// tapes_core::metrics! {
    ///     static RADIO: RadioMetrics = "radio" { sent: Meter, received: Meter }
    /// }
    /// let mut rates = Rates::<1>::new(0, 1_000);
    /// rates.advance(0, &RADIO);
    /// assert_eq!((rates.missed(), rates.get(1, 0)), (1, None));
    /// ```
    #[must_use]
    pub const fn missed(&self) -> u32 {
        self.missed
    }

    fn advance_one(&mut self, id: (u32, u32), count: u64, due: u64, started: bool) {
        for entry in &mut self.entries {
            match entry {
                Some((known, ewma)) if *known == id => return ewma.advance(due, count),
                Some(_) => {}
                None => {
                    let mut ewma = Ewma::new(if started { 0 } else { count });
                    ewma.advance(due, count);
                    *entry = Some((id, ewma));
                    return;
                }
            }
        }
        self.missed = self.missed.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(actual: f32, exact: f64, tolerance: f64) -> bool {
        let actual = f64::from(actual);
        (actual - exact).abs() <= exact.abs() * tolerance || actual == 0.0 && exact < 1.2e-38
    }

    /// Were a constant a unit off in its last place, days of idling would show it.
    #[test]
    fn constants_are_the_nearest() {
        for ((minutes, decay), alpha) in [1.0f64, 5.0, 15.0].into_iter().zip(DECAYS).zip(ALPHAS) {
            #[expect(clippy::cast_possible_truncation, reason = "rounding is the point")]
            let nearest = |exact: f64| f64::from(exact as f32);
            let exact = (-5.0 / 60.0 / minutes).exp();
            assert_eq!(
                (f64::from(decay), f64::from(alpha)),
                (nearest(exact), nearest(1.0 - exact)),
                "{minutes}"
            );
        }
    }

    /// A tick that is due too early or too late by one clock tick breaks parity at boundaries.
    #[test]
    fn ticks_are_due_strictly_after_5_seconds() {
        let mut ticks = Ticks::new(1_000, 100);
        for (now, due) in [
            (1_000, 0),
            (1_500, 0),
            (1_501, 1),
            (1_400, 0),
            (2_000, 0),
            (2_001, 1),
            (3_000, 2),
            (3_000, 0),
            (2_000, 0),
        ] {
            assert_eq!(ticks.advance(now), due, "{now}");
        }
        assert!(close(ticks.seconds(), 20.0, 0.0));
    }

    /// A clock near its end must neither overflow nor stall.
    #[test]
    fn huge_clocks() {
        let mut ticks = Ticks::new(0, u32::MAX);
        assert_eq!(ticks.advance(u64::MAX), u64::MAX / (5 * u64::from(u32::MAX)));
        let mut ticks = Ticks::new(u64::MAX - 6, 1);
        assert_eq!((ticks.advance(u64::MAX), ticks.advance(u64::MAX)), (1, 0));
        let mut ticks = Ticks::new(0, 0);
        assert_eq!(ticks.advance(u64::MAX), u64::MAX / 5);
        let mut ewma = Ewma::new(0);
        ewma.advance(1, u64::MAX);
        ewma.advance(u64::MAX, u64::MAX);
        assert_eq!(ewma.reading(f32::MAX).m15, 0.0);
    }

    /// Idling for days must end at 0, not at a denormal number that never decays.
    #[test]
    fn idling_ends_at_zero() {
        let mut ewma = Ewma::new(0);
        ewma.advance(1, 5);
        ewma.advance(17_280, 5);
        assert_eq!(ewma.reading(86_405.0).m1, 0.0);
        for _ in 0..20_000 {
            ewma.advance(1, 5);
        }
        assert_eq!((ewma.reading(1e9).m5, ewma.reading(1e9).m15 < 1e-30), (0.0, true));
    }

    /// A gap must look like its average, not like a burst in its first tick.
    #[test]
    fn unseen_events_are_spread_over_late_ticks() {
        let (mut late, mut timely) = (Ewma::new(0), Ewma::new(0));
        for ewma in [&mut late, &mut timely] {
            ewma.advance(0, 30);
            ewma.advance(1, 40);
            ewma.advance(0, 45);
        }
        late.advance(120, 45 + 1_200);
        // The 5 that were seen belong to the first tick.
        for tick in 1..=120 {
            timely.advance(1, 45 + 10 * tick);
        }
        let (late, timely) = (late.reading(605.0), timely.reading(605.0));
        for (late, timely) in [(late.m1, timely.m1), (late.m5, timely.m5), (late.m15, timely.m15)] {
            assert!(close(late, f64::from(timely), 1e-5), "{late} {timely}");
        }
        assert!(late.mean == timely.mean);
    }

    /// A wrapped word is a continuation, a restarted count is not.
    #[test]
    fn counts_that_go_back() {
        for (last, count, expected) in [
            (0, 0, 0),
            (5, 7, 2),
            (0xffff_fff0, 0x10, 0x20),
            (1 << 31, 0, 0),
            ((1 << 31) + 1, 0, (1 << 31) - 1),
            (1_000, 3, 0),
            (1 << 40, 3, 0),
            ((1 << 40) + 5, (1 << 40) + 5 + 7 - (1 << 32), 7),
            (u64::MAX, 0, 0),
        ] {
            assert_eq!(events(last, count), expected, "{last} {count}");
        }
    }

    /// The documentation says what a board pays.
    #[test]
    fn sizes() {
        assert_eq!(size_of::<Option<((u32, u32), Ewma)>>(), 48);
        assert_eq!(size_of::<Ticks>(), 32);
    }

    /// Powers of ages ago must not come back as something.
    #[test]
    fn powers() {
        assert_eq!((power(0.5, 0), power(0.5, 1), power(0.5, 10)), (1.0, 0.5, 1.0 / 1024.0));
        assert_eq!((power(0.5, u64::MAX), power(DECAYS[2], u64::MAX)), (0.0, 0.0));
        for n in [2, 11, 719, 5_000] {
            let exact = (-5.0 / 60.0 / 15.0 * n as f64).exp();
            assert!(close(power(DECAYS[2], n), exact, 2e-4), "{n}");
        }
    }
}

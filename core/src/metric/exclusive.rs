//! Exclusive handles: the only one that records to a metric, and so the cheapest.
//!
//! ```
//! use tapes_core::{RegisterError, metrics};
//!
//! metrics! {
//!     static ADC: AdcMetrics = "adc" {
//!         /// Conversions.
//!         conversions: Exclusive<Counter>,
//!         /// Values converted.
//!         values: Exclusive<Histogram> [max = 4095],
//!     }
//! }
//!
//! let mut conversions = ADC.conversions.take()?; // moves into the interrupt handler
//! conversions.increment();
//! assert_eq!(conversions.value(), 1);
//! assert_eq!(ADC.conversions.take().unwrap_err(), RegisterError::Taken);
//! # Ok::<(), RegisterError>(())
//! ```
//!
//! # Interrupts and cores
//!
//! An exclusive handle can be moved to another context, but not copied, and recording takes
//! `&mut`: so there is one writer, and an increment is a load and a store, without masking and
//! without read-modify-write. Everybody may read meanwhile.
//!
//! # Limits
//!
//! Gauges have none, because to set one is a store already.

use tapes_hooks::Once;

use super::counter::{Counter, Meter, UpDown};
use super::distribution::Distribution;
use super::histogram::{Histogram, Timer};
use crate::clock::Clock;
use crate::error::RegisterError;
use crate::sync::Section;

/// The only handle that records to a metric.
///
/// [`RegistryView::exclusive`](crate::RegistryView::exclusive) registers such metrics, and
/// [`metrics!`](crate::metrics) declares them: `passes: Exclusive<Counter>`.
///
/// An increment takes 7 cycles on a Cortex-M0+.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "an exclusive handle is handed out once only; without it nobody can record"]
pub struct Exclusive<H> {
    handle: H,
}

impl<H> Exclusive<H> {
    /// Returns an exclusive handle from a shared one.
    ///
    /// No other handle may record to the same words: counts would be lost.
    pub const fn new(handle: H) -> Self {
        Self { handle }
    }
}

impl Exclusive<Counter<'_>> {
    /// Adds 1.
    #[inline]
    pub fn increment(&mut self) {
        self.add(1);
    }

    /// Adds `n`, wrapping at the width of a word, which reporters widen.
    #[inline]
    pub fn add(&mut self, n: u32) {
        self.handle.add_in(Section::exclusive(), n);
    }

    /// Returns the count so far, modulo 2^32 on 32-bit targets.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.handle.value()
    }
}

impl Exclusive<Meter<'_>> {
    /// Marks one event.
    #[inline]
    pub fn mark(&mut self) {
        self.mark_by(1);
    }

    /// Marks `n` events.
    #[inline]
    pub fn mark_by(&mut self, n: u32) {
        self.handle.mark_in(Section::exclusive(), n);
    }

    /// Returns the events so far, modulo 2^32 on 32-bit targets.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.handle.count()
    }
}

impl Exclusive<UpDown<'_>> {
    /// Adds 1.
    #[inline]
    pub fn increment(&mut self) {
        self.add(1);
    }

    /// Subtracts 1.
    #[inline]
    pub fn decrement(&mut self) {
        self.add(-1);
    }

    /// Adds `n`, wrapping at the width of a word.
    #[inline]
    pub fn add(&mut self, n: i32) {
        self.handle.add_in(Section::exclusive(), n);
    }

    /// Returns the value.
    #[must_use]
    pub fn value(&self) -> i64 {
        self.handle.value()
    }
}

impl<'r> Exclusive<Histogram<'r>> {
    /// Records one raw value.
    #[inline(always)]
    pub fn record(&mut self, value: u32) {
        let place = self.handle.layout().place(value);
        self.handle.record_in(Section::exclusive(), place, value);
    }

    /// Returns what was recorded so far, read from the live words.
    #[must_use]
    pub const fn distribution(&self) -> Distribution<'r> {
        self.handle.distribution()
    }
}

impl<'r, const HZ: u32> Exclusive<Timer<'r, HZ>> {
    /// Records one duration, in ticks.
    #[inline(always)]
    pub fn record(&mut self, ticks: u32) {
        let place = self.handle.histogram.layout().place(ticks);
        self.handle.histogram.record_in(Section::exclusive(), place, ticks);
    }

    /// Measures a closure and hands back its result; records nothing if it panics.
    ///
    /// Does not compile with a clock of another rate.
    #[inline]
    pub fn time<C: Clock, R>(&mut self, clock: C, f: impl FnOnce() -> R) -> R {
        const { assert!(C::HZ == HZ, "the clock's rate differs from the timer's") };
        let started = clock.ticks();
        let result = f();
        self.record(clock.ticks().wrapping_sub(started));
        result
    }

    /// Returns what was recorded so far, read from the live words.
    #[must_use]
    pub const fn distribution(&self) -> Distribution<'r> {
        self.handle.distribution()
    }
}

/// Whether an exclusive handle has been taken; one byte of RAM.
#[derive(Debug)]
pub struct Claim(Once<()>);

impl Default for Claim {
    fn default() -> Self {
        Self::new()
    }
}

impl Claim {
    /// Returns a claim that nobody has made.
    #[must_use]
    pub const fn new() -> Self {
        Self(Once::new())
    }
}

/// An exclusive handle of a declared group, until somebody takes it.
///
/// ```
/// use tapes_core::metric::{Claim, Takeable, Words};
/// use tapes_core::{RegisterError, UpDown};
///
/// // What `metrics!` makes of `Exclusive<UpDown>`.
/// static WORDS: Words<1> = Words::new();
/// static CLAIM: Claim = Claim::new();
/// static LEVEL: Takeable<UpDown<'static>> = Takeable::new(UpDown::new(WORDS.run(0, 1)), &CLAIM);
///
/// let mut level = LEVEL.take()?;
/// level.decrement();
/// assert_eq!(level.value(), -1);
/// assert!(matches!(LEVEL.take(), Err(RegisterError::Taken)));
/// # Ok::<(), RegisterError>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Takeable<H: 'static> {
    handle: H,
    claim: &'static Claim,
}

impl<H: Copy> Takeable<H> {
    /// Returns a handle to be taken once; `claim` is for it alone, and no other handle records to
    /// the same words.
    #[must_use]
    pub const fn new(handle: H, claim: &'static Claim) -> Self {
        Self { handle, claim }
    }

    /// Takes the handle.
    ///
    /// Without compare-and-swap this takes a critical section of two instructions.
    ///
    /// # Errors
    ///
    /// [`RegisterError::Taken`] if somebody has taken it before.
    pub fn take(&self) -> Result<Exclusive<H>, RegisterError> {
        match self.claim.0.set(()) {
            Ok(()) => Ok(Exclusive::new(self.handle)),
            Err(()) => Err(RegisterError::Taken),
        }
    }
}

//! Counters, up/down counters and meters: metrics of one word.

use super::storage::Run;
use crate::sync::{Section, Word, section};

/// Adds to the first word of a run.
#[inline(always)]
fn add(section: Section, run: &Run<'_>, n: Word) {
    if let Some([cell, ..]) = run.writable(section) {
        section.add(cell, n);
    }
}

/// Returns as much of a number as a word holds.
#[inline(always)]
#[allow(
    clippy::cast_possible_truncation,
    trivial_numeric_casts,
    reason = "a word is u32 on some targets, and wraps"
)]
const fn narrow(n: u64) -> Word {
    n as Word
}

#[allow(clippy::useless_conversion, reason = "a word is u32 on some targets, u64 on others")]
fn total(run: &Run<'_>) -> u64 {
    u64::from(run.total(0))
}

/// Counts events; only grows.
///
/// One word of storage a lane. An increment takes 14 to 20 cycles on a Cortex-M0+ and may be made
/// from any interrupt, core or thread.
///
/// ```
/// use tapes_core::Registry;
/// static REGISTRY: Registry<4, 16> = Registry::new();
/// let passes = REGISTRY.counter("motor.passes")?;
/// passes.increment();
/// passes.add(2);
/// assert_eq!(passes.value(), 3);
/// # Ok::<(), tapes_core::RegisterError>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "a counter does nothing until it is incremented"]
pub struct Counter<'r> {
    run: Run<'r>,
}

impl<'r> Counter<'r> {
    /// Returns a counter over one word of storage.
    pub const fn new(run: Run<'r>) -> Self {
        Self { run }
    }

    /// Returns a counter that drops what it counts.
    ///
    /// ```
    /// use tapes_core::{Counter, Registry};
    ///
    /// static REGISTRY: Registry<4, 4> = Registry::new();
    /// // Goes on without the metric where there is no room for it.
    /// let loops = REGISTRY.counter("motor.loops").unwrap_or(Counter::noop());
    /// loops.increment();
    /// ```
    pub const fn noop() -> Self {
        Self::new(Run::EMPTY)
    }

    /// Adds 1.
    #[inline]
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `n`, wrapping at the width of a word, which reporters widen.
    #[inline]
    pub fn add(&self, n: u32) {
        section(|section| self.add_in(section, n));
    }

    /// Adds `n`, wrapping at the width of a word: on 32-bit targets the upper half is dropped.
    ///
    /// ```
    /// tapes_core::metrics! {
    ///     static DISK: DiskMetrics = "disk" { read: Counter [unit = bytes], writes: Meter }
    /// }
    /// DISK.read.add_wide(6_000_000_000); // on hosts
    /// assert_eq!(DISK.read.value(), 6_000_000_000);
    /// DISK.writes.mark_wide(3);
    /// assert_eq!(DISK.writes.count(), 3);
    /// ```
    #[inline]
    pub fn add_wide(&self, n: u64) {
        section(|section| add(section, &self.run, narrow(n)));
    }

    #[inline(always)]
    #[allow(clippy::useless_conversion, reason = "a word is u32 on some targets")]
    pub(super) fn add_in(&self, section: Section, n: u32) {
        add(section, &self.run, Word::from(n));
    }

    /// Returns the count so far, modulo 2^32 on 32-bit targets.
    #[must_use]
    pub fn value(&self) -> u64 {
        total(&self.run)
    }
}

/// Counts events of which readers also want rates.
///
/// One word of storage a lane; marking costs what an increment costs. Rates are computed by those
/// who read, [`Rates`](crate::rates::Rates), so that two readers never disturb each other.
#[derive(Debug, Clone, Copy)]
#[must_use = "a meter does nothing until it is marked"]
pub struct Meter<'r> {
    run: Run<'r>,
}

impl<'r> Meter<'r> {
    /// Returns a meter over one word of storage.
    pub const fn new(run: Run<'r>) -> Self {
        Self { run }
    }

    /// Returns a meter that drops what it counts.
    pub const fn noop() -> Self {
        Self::new(Run::EMPTY)
    }

    /// Marks one event.
    #[inline]
    pub fn mark(&self) {
        self.mark_by(1);
    }

    /// Marks `n` events.
    #[inline]
    pub fn mark_by(&self, n: u32) {
        section(|section| self.mark_in(section, n));
    }

    /// Marks `n` events; on 32-bit targets the upper half is dropped, as by
    /// [`Counter::add_wide`].
    #[inline]
    pub fn mark_wide(&self, n: u64) {
        section(|section| add(section, &self.run, narrow(n)));
    }

    #[inline(always)]
    #[allow(clippy::useless_conversion, reason = "a word is u32 on some targets")]
    pub(super) fn mark_in(&self, section: Section, n: u32) {
        add(section, &self.run, Word::from(n));
    }

    /// Returns the events so far, modulo 2^32 on 32-bit targets.
    #[must_use]
    pub fn count(&self) -> u64 {
        total(&self.run)
    }
}

/// Goes up and down by steps, such as the entries of a queue; exported as a gauge.
///
/// One word of storage a lane: lanes add up, so one core may increment what another decrements.
#[derive(Debug, Clone, Copy)]
#[must_use = "an up/down counter does nothing until it is changed"]
pub struct UpDown<'r> {
    run: Run<'r>,
}

impl<'r> UpDown<'r> {
    /// Returns an up/down counter over one word of storage.
    pub const fn new(run: Run<'r>) -> Self {
        Self { run }
    }

    /// Returns an up/down counter that drops its changes.
    pub const fn noop() -> Self {
        Self::new(Run::EMPTY)
    }

    /// Adds 1.
    #[inline]
    pub fn increment(&self) {
        self.add(1);
    }

    /// Subtracts 1.
    #[inline]
    pub fn decrement(&self) {
        self.add(-1);
    }

    /// Adds `n`, wrapping at the width of a word.
    #[inline]
    pub fn add(&self, n: i32) {
        section(|section| self.add_in(section, n));
    }

    #[inline(always)]
    pub(super) fn add_in(&self, section: Section, n: i32) {
        // Sign extension makes the wrapping sum of unsigned words that of signed numbers.
        #[allow(
            clippy::cast_sign_loss,
            clippy::cast_lossless,
            trivial_numeric_casts,
            reason = "two's complement in a word of the target's width"
        )]
        add(section, &self.run, n as isize_of_word as Word);
    }

    /// Returns the value.
    #[must_use]
    pub fn value(&self) -> i64 {
        signed(self.run.total(0))
    }
}

/// The signed type as wide as a word.
#[cfg(target_has_atomic = "64")]
#[expect(non_camel_case_types, reason = "reads like a primitive type")]
type isize_of_word = i64;
/// The signed type as wide as a word.
#[cfg(not(target_has_atomic = "64"))]
#[expect(non_camel_case_types, reason = "reads like a primitive type")]
type isize_of_word = i32;

/// Reads a word as a signed number.
#[allow(clippy::cast_possible_wrap, clippy::useless_conversion, reason = "two's complement")]
pub(crate) fn signed(word: Word) -> i64 {
    i64::from(word as isize_of_word)
}

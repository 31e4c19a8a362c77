//! The dynamic registry: metrics by name, in a fixed place, created when they are first asked for.

#![allow(
    single_use_lifetimes,
    reason = "stable Rust wants a name for a lifetime inside `impl Into<…>`"
)]

#[cfg(feature = "std")]
mod attach;
mod details;
mod exclusive;
#[cfg(feature = "std")]
mod index;
mod name;
mod producer;
mod slot;
mod view;

pub use details::Details;
pub use exclusive::ExclusiveView;
pub use name::MetricName;
pub use producer::{Cached, Produced, Producer, Ratio};
pub use view::RegistryView;

use tapes_hooks::Once;

use crate::error::RegisterError;
use crate::metric::{
    Counter, Gauge, GaugeValue, Histogram, Layout, Meter, Metrics, Timer, UpDown, Words,
};
use crate::sync::Cell;
use details::PLAIN;
use slot::Slot;

/// A registry of at most `METRICS` metrics and attached groups, over `WORDS` words of storage.
///
/// A counter takes 1 word, a gauge with a producer none, a histogram
/// [`Layout::words`](Layout::words). Asking for a name that exists gives the same metric again.
/// Reading never locks; registering takes a short lock (a critical section without `std`).
///
/// ```
/// use tapes_core::{RegisterError, Registry};
/// static REGISTRY: Registry<2, 2> = Registry::new();
/// let loops = REGISTRY.counter("motor.loops")?;
/// loops.increment();
/// assert_eq!(REGISTRY.counter("motor.loops")?.value(), 1);
/// assert_eq!(REGISTRY.meter("motor.loops").unwrap_err(), RegisterError::KindMismatch);
/// assert_eq!(REGISTRY.counter("motor").unwrap_err(), RegisterError::BranchIsLeaf);
/// # Ok::<(), RegisterError>(())
/// ```
///
/// # Interrupts and cores
///
/// Register before interrupts record; handles may be used anywhere.
///
/// # Footprint
///
/// `METRICS` slots, `WORDS` words for each lane and one word, all in .bss; with `std` another word
/// for each slot, by which names are found. Where threads have lanes, take `WORDS` as a multiple of
/// 8: then each lane is whole cache lines, and no two threads write to the same one.
///
/// # Limits
///
/// Metrics are never removed; reporters [filter](crate::Source::filter). Looking a name up without
/// `std` compares it with all names: keep the handle. Registries join others under a prefix only
/// with `std`; where there is none, set-up code takes a [`RegistryView`] and registers in the one
/// that there is.
#[derive(Debug)]
pub struct Registry<const METRICS: usize, const WORDS: usize, const RENDERED: usize = 0> {
    words: Words<WORDS>,
    /// Registrations refused for want of room; changed under the lock of registering.
    refused: Cell,
    /// Filled from the front; a filled slot never changes.
    slots: [Once<Slot>; METRICS],
    /// Filled from the front; a filled name never changes.
    #[cfg(not(feature = "std"))]
    rendered: [Once<name::Rendered>; RENDERED],
    /// The registry that this one is attached to.
    #[cfg(feature = "std")]
    parent: Once<attach::Parent>,
    /// Heads of the chains of names.
    #[cfg(feature = "std")]
    heads: [Cell; METRICS],
}

impl<const METRICS: usize, const WORDS: usize, const RENDERED: usize>
    Registry<METRICS, WORDS, RENDERED>
{
    /// Returns an empty registry.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(METRICS > 0, "a registry needs a place for one metric at least") };
        Self {
            words: Words::new(),
            refused: Cell::ZERO,
            slots: [const { Once::new() }; METRICS],
            #[cfg(not(feature = "std"))]
            rendered: [const { Once::new() }; RENDERED],
            #[cfg(feature = "std")]
            parent: Once::new(),
            #[cfg(feature = "std")]
            heads: [const { Cell::ZERO }; METRICS],
        }
    }

    /// Returns a view whose code does not depend on the capacities.
    #[must_use]
    pub const fn view(&self) -> RegistryView<'_> {
        RegistryView {
            words: self.words.all(),
            refused: &self.refused,
            slots: &self.slots,
            #[cfg(not(feature = "std"))]
            rendered: &self.rendered,
            #[cfg(feature = "std")]
            rendered: core::marker::PhantomData,
            #[cfg(feature = "std")]
            parent: &self.parent,
            #[cfg(feature = "std")]
            index: index::Index::new(&self.heads),
            details: &PLAIN,
        }
    }

    /// Returns a view that registers with details.
    #[must_use]
    pub const fn describe(&self, details: &'static Details) -> RegistryView<'_> {
        let mut view = self.view();
        view.details = details;
        view
    }

    /// Returns a view that registers metrics with one handle each.
    ///
    /// ```
    /// use tapes_core::{RegisterError, Registry};
    /// static REGISTRY: Registry<2, 2> = Registry::new();
    /// let mut passes = REGISTRY.exclusive().counter("motor.passes")?;
    /// passes.increment();
    /// assert_eq!(REGISTRY.counter("motor.passes").unwrap_err(), RegisterError::Taken);
    /// # Ok::<(), RegisterError>(())
    /// ```
    #[must_use]
    pub const fn exclusive(&self) -> ExclusiveView<'_> {
        self.view().exclusive()
    }

    /// Returns the counter of that name, new or existing.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn counter<'n>(
        &self,
        name: impl Into<MetricName<'n>>,
    ) -> Result<Counter<'_>, RegisterError> {
        self.view().counter(name)
    }

    /// Returns the up/down counter of that name, new or existing.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn updown<'n>(&self, name: impl Into<MetricName<'n>>) -> Result<UpDown<'_>, RegisterError> {
        self.view().updown(name)
    }

    /// Returns the meter of that name, new or existing.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn meter<'n>(&self, name: impl Into<MetricName<'n>>) -> Result<Meter<'_>, RegisterError> {
        self.view().meter(name)
    }

    /// Returns the gauge of that name, new or existing.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn gauge<'n, T: GaugeValue>(
        &self,
        name: impl Into<MetricName<'n>>,
    ) -> Result<Gauge<'_, T>, RegisterError> {
        self.view().gauge(name)
    }

    /// Registers a gauge whose value a function gives at each reading.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn gauge_fn<'n, T: Produced>(
        &self,
        name: impl Into<MetricName<'n>>,
        producer: fn() -> T,
    ) -> Result<(), RegisterError> {
        self.view().gauge_fn(name, producer)
    }

    /// Registers a gauge whose value an object gives at each reading.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn gauge_of<'n>(
        &self,
        name: impl Into<MetricName<'n>>,
        producer: &'static dyn Producer,
    ) -> Result<(), RegisterError> {
        self.view().gauge_of(name, producer)
    }

    /// Returns the histogram of that name, new or existing.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn histogram<'n>(
        &self,
        name: impl Into<MetricName<'n>>,
        layout: &'static Layout,
    ) -> Result<Histogram<'_>, RegisterError> {
        self.view().histogram(name, layout)
    }

    /// Returns the timer of that name, new or existing; its layout's unit gives the tick rate.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`]; a layout of another tick rate is [`RegisterError::KindMismatch`].
    pub fn timer<'n, const HZ: u32>(
        &self,
        name: impl Into<MetricName<'n>>,
        layout: &'static Layout,
    ) -> Result<Timer<'_, HZ>, RegisterError> {
        self.view().timer(name, layout)
    }

    /// Returns how many registrations were refused for want of room: places, words or names; wraps.
    ///
    /// Programs that go on with a [`noop`](Counter::noop) handle lose no more than the metric, and
    /// this tells that they did. Frames carry it as part of an EVENT, without anything to call; for
    /// other reporters make it a metric:
    ///
    /// ```
    /// use tapes_core::{Counter, RegisterError, Registry};
    ///
    /// static REGISTRY: Registry<2, 1> = Registry::new();
    /// REGISTRY.gauge_fn("registry.refused", || REGISTRY.refused())?;
    /// let sent = REGISTRY.counter("radio.sent")?;
    /// let lost = REGISTRY.counter("radio.lost").unwrap_or(Counter::noop()); // no room
    /// lost.increment();
    /// assert_eq!(REGISTRY.refused(), 1);
    /// # sent.increment();
    /// # Ok::<(), RegisterError>(())
    /// ```
    #[must_use]
    pub fn refused(&self) -> u32 {
        self.view().refused()
    }

    /// Lets a declared group be read through this registry; takes one place, whatever its size.
    ///
    /// Attaching a group twice is the same as once.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn attach(&self, metrics: &impl Metrics) -> Result<(), RegisterError> {
        self.view().attach(metrics.group())
    }
}

impl<const METRICS: usize, const WORDS: usize, const RENDERED: usize> Default
    for Registry<METRICS, WORDS, RENDERED>
{
    fn default() -> Self {
        Self::new()
    }
}

//! The dynamic registry: metrics by name, in a fixed place, created when they are first asked for.

use core::ops::ControlFlow;

use tapes_hooks::Once;

use crate::error::RegisterError;
use crate::metric::{
    Counter, Descriptor, Gauge, GaugeValue, Group, Histogram, Kind, Labels, Layout, Meter, Metrics,
    Run, Sample, Stored, Timer, Unit, UpDown, Value, Words, live_value, words_of,
};
use crate::name::{check_label_name, check_metric_name, is_branch_of};
use crate::sync::registering;

/// What may be said about a metric besides its name and kind.
///
/// ```
/// use tapes_core::{Details, Registry, metric::Unit};
/// static REGISTRY: Registry<4, 4> = Registry::new();
/// static SENT: Details = Details::new().unit(Unit::BYTES).help("Bytes sent.");
/// let sent = REGISTRY.describe(&SENT).counter("radio.sent")?;
/// sent.add(12);
/// # Ok::<(), tapes_core::RegisterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Details {
    unit: Unit<'static>,
    help: &'static str,
    labels: &'static [(&'static str, &'static str)],
}

/// Nothing more is said.
static PLAIN: Details = Details::new();

impl Details {
    /// Returns details that say nothing: a plain number without help and labels.
    #[must_use]
    pub const fn new() -> Self {
        Self { unit: Unit::NONE, help: "", labels: &[] }
    }

    /// Sets the unit of a counter, meter or gauge; a histogram has that of its layout.
    #[must_use]
    pub const fn unit(mut self, unit: Unit<'static>) -> Self {
        self.unit = unit;
        self
    }

    /// Sets the help, one sentence for people.
    #[must_use]
    pub const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }

    /// Sets the labels.
    #[must_use]
    pub const fn labels(mut self, labels: &'static [(&'static str, &'static str)]) -> Self {
        self.labels = labels;
        self
    }
}

impl Default for Details {
    fn default() -> Self {
        Self::new()
    }
}

/// A function that is asked for a gauge's value at each reading.
#[derive(Debug, Clone, Copy)]
struct Producer {
    /// Tells producers apart; the address of the function.
    identity: usize,
    call: ProducerFn,
}

#[derive(Debug, Clone, Copy)]
enum ProducerFn {
    F32(fn() -> f32),
    I32(fn() -> i32),
    U32(fn() -> u32),
}

impl ProducerFn {
    fn value(self) -> Value<'static> {
        match self {
            Self::F32(call) => call().sample(),
            Self::I32(call) => call().sample(),
            Self::U32(call) => call().sample(),
        }
    }
}

mod private {
    use super::ProducerFn;

    /// A type that a producer may return.
    pub trait Produced: Sized {
        #[doc(hidden)]
        #[expect(private_interfaces, reason = "the trait is sealed")]
        fn producer(call: fn() -> Self) -> ProducerFn;
    }
}

macro_rules! produced {
    ($($type:ty, $variant:ident;)*) => {$(
        impl private::Produced for $type {
            #[expect(private_interfaces, reason = "the trait is sealed")]
            fn producer(call: fn() -> Self) -> ProducerFn {
                ProducerFn::$variant(call)
            }
        }
    )*};
}

produced! {
    f32, F32;
    i32, I32;
    u32, U32;
}

/// A type that a gauge's producer may return: `f32`, `i32`, `u32`. Sealed.
pub trait Produced: private::Produced + GaugeValue {}

impl<T: private::Produced + GaugeValue> Produced for T {}

/// What one place of the table holds.
#[derive(Debug)]
enum Slot {
    Metric(Metric),
    Group(Group<'static>),
}

/// A registered metric.
#[derive(Debug, Clone, Copy)]
struct Metric {
    name: &'static str,
    details: &'static Details,
    /// Of a histogram; unit and geometry are its.
    layout: Option<&'static Layout>,
    kind: Kind,
    /// First word in the registry's words.
    offset: u32,
    producer: Option<Producer>,
}

impl Metric {
    const fn words(&self) -> usize {
        if self.producer.is_some() { 0 } else { words_of(self.kind) }
    }

    fn descriptor(&self) -> Descriptor<'static> {
        let unit = self.layout.map_or(self.details.unit, Layout::unit);
        let mut descriptor = Descriptor::new(self.name, self.kind, unit);
        descriptor.help = self.details.help;
        descriptor.labels = Labels::new(self.details.labels);
        descriptor
    }

    /// Returns why this metric cannot serve as the one wanted, if so.
    fn mismatch(&self, wanted: &Self) -> Option<RegisterError> {
        let kind = core::mem::discriminant(&self.kind) == core::mem::discriminant(&wanted.kind);
        if !kind || self.details.unit != wanted.details.unit {
            return Some(RegisterError::KindMismatch);
        }
        if self.layout != wanted.layout {
            let units = self.layout.map(Layout::unit) == wanted.layout.map(Layout::unit);
            return Some(if units {
                RegisterError::LayoutMismatch
            } else {
                RegisterError::KindMismatch
            });
        }
        let identity = |metric: &Self| metric.producer.map(|producer| producer.identity);
        if identity(self) != identity(wanted) {
            return Some(RegisterError::ProducerMismatch);
        }
        None
    }
}

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
/// `METRICS` slots and `WORDS` words for each lane, all in .bss.
#[derive(Debug)]
pub struct Registry<const METRICS: usize, const WORDS: usize> {
    words: Words<WORDS>,
    /// Filled from the front; a filled slot never changes.
    slots: [Once<Slot>; METRICS],
}

impl<const METRICS: usize, const WORDS: usize> Registry<METRICS, WORDS> {
    /// Returns an empty registry.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(METRICS > 0, "a registry needs a place for one metric at least") };
        Self { words: Words::new(), slots: [const { Once::new() }; METRICS] }
    }

    /// Returns a view whose code does not depend on the capacities.
    #[must_use]
    pub const fn view(&self) -> RegistryView<'_> {
        RegistryView { words: self.words.all(), slots: &self.slots, details: &PLAIN }
    }

    /// Returns a view that registers with details.
    #[must_use]
    pub const fn describe(&self, details: &'static Details) -> RegistryView<'_> {
        let mut view = self.view();
        view.details = details;
        view
    }

    /// Returns the counter of that name, new or existing.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn counter(&self, name: &'static str) -> Result<Counter<'_>, RegisterError> {
        self.view().counter(name)
    }

    /// Returns the up/down counter of that name, new or existing.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn updown(&self, name: &'static str) -> Result<UpDown<'_>, RegisterError> {
        self.view().updown(name)
    }

    /// Returns the meter of that name, new or existing.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn meter(&self, name: &'static str) -> Result<Meter<'_>, RegisterError> {
        self.view().meter(name)
    }

    /// Returns the gauge of that name, new or existing.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn gauge<T: GaugeValue>(&self, name: &'static str) -> Result<Gauge<'_, T>, RegisterError> {
        self.view().gauge(name)
    }

    /// Registers a gauge whose value a function gives at each reading.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn gauge_fn<T: Produced>(
        &self,
        name: &'static str,
        producer: fn() -> T,
    ) -> Result<(), RegisterError> {
        self.view().gauge_fn(name, producer)
    }

    /// Returns the histogram of that name, new or existing.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn histogram(
        &self,
        name: &'static str,
        layout: &'static Layout,
    ) -> Result<Histogram<'_>, RegisterError> {
        self.view().histogram(name, layout)
    }

    /// Returns the timer of that name, new or existing; its layout's unit gives the tick rate.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`]; a layout of another tick rate is [`RegisterError::KindMismatch`].
    pub fn timer<const HZ: u32>(
        &self,
        name: &'static str,
        layout: &'static Layout,
    ) -> Result<Timer<'_, HZ>, RegisterError> {
        self.view().timer(name, layout)
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

impl<const METRICS: usize, const WORDS: usize> Default for Registry<METRICS, WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

/// A [`Registry`] with its capacities erased, and the details that it registers with.
#[derive(Debug, Clone, Copy)]
pub struct RegistryView<'r> {
    words: Run<'r>,
    slots: &'r [Once<Slot>],
    details: &'static Details,
}

impl<'r> RegistryView<'r> {
    /// As [`Registry::counter`].
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn counter(&self, name: &'static str) -> Result<Counter<'r>, RegisterError> {
        self.register(name, Kind::Counter, None, None).map(Counter::new)
    }

    /// As [`Registry::updown`].
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn updown(&self, name: &'static str) -> Result<UpDown<'r>, RegisterError> {
        self.register(name, Kind::UpDown, None, None).map(UpDown::new)
    }

    /// As [`Registry::meter`].
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn meter(&self, name: &'static str) -> Result<Meter<'r>, RegisterError> {
        self.register(name, Kind::Meter, None, None).map(Meter::new)
    }

    /// As [`Registry::gauge`].
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn gauge<T: GaugeValue>(&self, name: &'static str) -> Result<Gauge<'r, T>, RegisterError> {
        self.register(name, T::KIND, None, None).map(Gauge::new)
    }

    /// As [`Registry::gauge_fn`].
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn gauge_fn<T: Produced>(
        &self,
        name: &'static str,
        producer: fn() -> T,
    ) -> Result<(), RegisterError> {
        let call = <T as private::Produced>::producer(producer);
        let producer = Producer { identity: producer as usize, call };
        self.register(name, T::KIND, None, Some(producer)).map(drop)
    }

    /// As [`Registry::histogram`].
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn histogram(
        &self,
        name: &'static str,
        layout: &'static Layout,
    ) -> Result<Histogram<'r>, RegisterError> {
        let kind = Kind::Histogram(layout.buckets());
        self.register(name, kind, Some(layout), None).map(|run| Histogram::new(run, layout))
    }

    /// As [`Registry::timer`].
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn timer<const HZ: u32>(
        &self,
        name: &'static str,
        layout: &'static Layout,
    ) -> Result<Timer<'r, HZ>, RegisterError> {
        if layout.unit() != Unit::ticks(HZ) {
            return Err(RegisterError::KindMismatch);
        }
        let kind = Kind::Timer(layout.buckets());
        self.register(name, kind, Some(layout), None).map(|run| Timer::new(run, layout))
    }

    /// As [`Registry::attach`].
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn attach(&self, group: Group<'static>) -> Result<(), RegisterError> {
        registering(|| {
            if self.filled().any(|slot| matches!(slot, Slot::Group(old) if old.is(&group))) {
                return Ok(());
            }
            let mut conflict = None;
            let _ = group.visit_from(0, 0, 0, &mut |new| {
                conflict = self.conflict(new.descriptor.name);
                if conflict.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            conflict.map_or_else(|| self.fill(Slot::Group(group)), Err)
        })
    }

    /// Finds or makes a metric and returns its words.
    fn register(
        &self,
        name: &'static str,
        kind: Kind,
        layout: Option<&'static Layout>,
        producer: Option<Producer>,
    ) -> Result<Run<'r>, RegisterError> {
        check_metric_name(name)?;
        for (label, _) in self.details.labels {
            check_label_name(label)?;
        }
        let mut wanted = Metric { name, details: self.details, layout, kind, offset: 0, producer };
        if let Some(found) = self.find(name) {
            return self.existing(found, &wanted);
        }
        registering(|| {
            // Somebody may have been faster between the look and the lock.
            if let Some(found) = self.find(name) {
                return self.existing(found, &wanted);
            }
            if let Some(conflict) = self.conflict(name) {
                return Err(conflict);
            }
            let offset = self.words_used();
            if self.words.len().saturating_sub(offset) < wanted.words() {
                return Err(RegisterError::WordsFull);
            }
            wanted.offset = u32::try_from(offset).map_err(|_| RegisterError::WordsFull)?;
            self.fill(Slot::Metric(wanted))?;
            Ok(self.words.run(offset, wanted.words()))
        })
    }

    fn existing(&self, found: &Metric, wanted: &Metric) -> Result<Run<'r>, RegisterError> {
        found.mismatch(wanted).map_or_else(|| Ok(self.run(found)), Err)
    }

    fn run(&self, metric: &Metric) -> Run<'r> {
        self.words.run(metric.offset as usize, metric.words())
    }

    fn filled(&self) -> impl Iterator<Item = &'r Slot> + use<'r> {
        self.slots.iter().map_while(Once::get)
    }

    fn metrics_only(&self) -> impl Iterator<Item = &'r Metric> + use<'r> {
        self.filled().filter_map(|slot| match slot {
            Slot::Metric(metric) => Some(metric),
            Slot::Group(_) => None,
        })
    }

    fn find(&self, name: &str) -> Option<&'r Metric> {
        self.metrics_only().find(|metric| metric.name == name)
    }

    /// Returns the words taken: slots are filled in the order of their words.
    fn words_used(&self) -> usize {
        self.metrics_only().map(Metric::words).fold(0, usize::saturating_add)
    }

    /// Fills the next free slot; called under the lock.
    fn fill(&self, slot: Slot) -> Result<(), RegisterError> {
        let free = self.slots.iter().find(|slot| slot.get().is_none());
        let Some(free) = free else { return Err(RegisterError::MetricsFull) };
        free.set(slot).map_err(|_| RegisterError::MetricsFull)
    }

    /// Returns what stands in the way of a new metric of that name.
    fn conflict(&self, name: &str) -> Option<RegisterError> {
        let mut conflict = None;
        let _ = self.visit_slots(0, &mut |sample, declared| {
            let other = sample.descriptor.name;
            conflict = if other == name {
                Some(if declared { RegisterError::Declared } else { RegisterError::KindMismatch })
            } else if is_branch_of(other, name) {
                Some(RegisterError::LeafIsBranch)
            } else if is_branch_of(name, other) {
                Some(RegisterError::BranchIsLeaf)
            } else {
                None
            };
            if conflict.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        conflict
    }

    /// Returns the number of metrics, those of attached groups included.
    #[must_use]
    pub fn metrics(&self) -> u32 {
        self.filled().fold(0, |sum, slot| match slot {
            Slot::Metric(_) => sum + 1,
            Slot::Group(group) => sum + group.metrics(),
        })
    }

    /// Visits all metrics from id `from` on, and says whether each is of a declared group.
    pub(crate) fn visit_slots(
        &self,
        from: u32,
        visitor: &mut dyn FnMut(Sample<'r>, bool) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let (mut id, mut word) = (0u32, 0u32);
        for slot in self.filled() {
            let (metrics, words) = match slot {
                Slot::Metric(metric) => {
                    if id >= from {
                        let value = metric.producer.map_or_else(
                            || live_value(metric.kind, self.run(metric)),
                            |producer| producer.call.value(),
                        );
                        let descriptor = metric.descriptor();
                        visitor(Sample { id, cell: 0, word, descriptor, value }, false)?;
                    }
                    (1, metric.words())
                }
                Slot::Group(group) => {
                    let skip = from.saturating_sub(id);
                    if skip < group.metrics() {
                        group.visit_from(skip, id, word, &mut |sample| visitor(sample, true))?;
                    }
                    (group.metrics(), group.words())
                }
            };
            id = id.wrapping_add(metrics);
            #[expect(clippy::cast_possible_truncation, reason = "storage is far below 2^32")]
            let words = words as u32;
            word = word.wrapping_add(words);
        }
        ControlFlow::Continue(())
    }
}

//! The registry without its capacities: finding, registering, visiting.

use core::ops::ControlFlow;

use tapes_hooks::Once;

use super::details::Details;
use super::exclusive::ExclusiveView;
use super::name::{Buffer, MetricName};
#[cfg(not(feature = "std"))]
use super::name::{Rendered, too_long};
use super::producer::{Call, Callable, Produced, Producer};
use super::slot::{KeptName, Metric, RenderedNames, Shape, Slot};
use crate::error::RegisterError;
#[cfg(feature = "std")]
use crate::metric::Describe as _;
use crate::metric::{
    Counter, Description, Family, FamilyMember, Gauge, GaugeValue, Group, Histogram, Kind,
    LabelSet, Layout, Meter, Place, Run, Sample, Timer, Unit, UpDown, live_value,
};
use crate::name::{check_label_name, is_branch_of};
use crate::sync::{Cell, registering};

/// A [`Registry`](crate::Registry) with its capacities erased, and the details that it registers
/// with.
///
/// ```
/// use tapes_core::{Details, Producer, Ratio, RegisterError, Registry, RegistryView};
///
/// static REGISTRY: Registry<4, 4> = Registry::new();
/// static LEFT: Details = Details::new().labels(&[("side", "left")]);
/// static FILL: Ratio = Ratio::new(|| 3.0, || 4.0);
///
/// /// A driver that takes any registry, whatever its capacity.
/// fn set_up(registry: RegistryView<'static>) -> Result<(), RegisterError> {
///     registry.updown("tank.valves")?.decrement();
///     registry.gauge_fn("tank.supply", || 3.3f32)?;
///     registry.gauge_of("tank.fill", &FILL)
/// }
/// set_up(REGISTRY.view())?;
/// set_up(REGISTRY.view())?; // the same metrics again
/// assert_eq!(REGISTRY.describe(&LEFT).metrics(), 3);
/// # Ok::<(), RegisterError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RegistryView<'r> {
    pub(super) words: Run<'r>,
    pub(super) refused: &'r Cell,
    pub(super) slots: &'r [Once<Slot>],
    pub(super) rendered: RenderedNames<'r>,
    /// The registry that this one is attached to.
    #[cfg(feature = "std")]
    pub(super) parent: &'r Once<super::attach::Parent>,
    #[cfg(feature = "std")]
    pub(super) index: super::index::Index<'r>,
    pub(super) details: &'static Details,
}

impl<'r> RegistryView<'r> {
    /// Returns the counter of that name, new or existing.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn counter<'n>(
        &self,
        name: impl Into<MetricName<'n>>,
    ) -> Result<Counter<'r>, RegisterError> {
        self.register(name.into(), self.shape(Kind::Counter)).map(Counter::new)
    }

    /// Returns the up/down counter of that name, new or existing.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn updown<'n>(&self, name: impl Into<MetricName<'n>>) -> Result<UpDown<'r>, RegisterError> {
        self.register(name.into(), self.shape(Kind::UpDown)).map(UpDown::new)
    }

    /// Returns the meter of that name, new or existing.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn meter<'n>(&self, name: impl Into<MetricName<'n>>) -> Result<Meter<'r>, RegisterError> {
        self.register(name.into(), self.shape(Kind::Meter)).map(Meter::new)
    }

    /// Returns the gauge of that name, new or existing.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn gauge<'n, T: GaugeValue>(
        &self,
        name: impl Into<MetricName<'n>>,
    ) -> Result<Gauge<'r, T>, RegisterError> {
        self.register(name.into(), self.shape(T::KIND)).map(Gauge::new)
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
        let mut shape = self.shape(<T as Callable>::KIND);
        shape.call = Some(<T as Callable>::call(producer));
        self.register(name.into(), shape).map(drop)
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
        let mut shape = self.shape(producer.kind());
        shape.call = Some(Call::Object(producer));
        self.register(name.into(), shape).map(drop)
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
    ) -> Result<Histogram<'r>, RegisterError> {
        let mut shape = self.shape(Kind::Histogram(layout.buckets()));
        shape.layout = Some(layout);
        self.register(name.into(), shape).map(|run| Histogram::new(run, layout))
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
    ) -> Result<Timer<'r, HZ>, RegisterError> {
        if layout.unit() != Unit::ticks(HZ) {
            return Err(RegisterError::KindMismatch);
        }
        let mut shape = self.shape(Kind::Timer(layout.buckets()));
        shape.layout = Some(layout);
        self.register(name.into(), shape).map(|run| Timer::new(run, layout))
    }

    /// Returns the family of that name, new or existing: one counter, meter, up/down counter or
    /// gauge for each combination of labels.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`]; a family of histograms needs a layout, without one it is
    /// [`RegisterError::LayoutMismatch`].
    pub fn family<'n, M: FamilyMember<'r>, L: LabelSet>(
        &self,
        name: impl Into<MetricName<'n>>,
    ) -> Result<Family<'r, M, L>, RegisterError> {
        let kind = M::kind(None).ok_or(RegisterError::LayoutMismatch)?;
        let mut shape = self.shape(kind);
        shape.dimensions = L::DIMENSIONS;
        self.register(name.into(), shape).map(Family::new)
    }

    /// Returns the family of histograms or timers of that name, new or existing.
    ///
    /// ```
    /// use tapes_core::metric::Dimension;
    /// use tapes_core::{Family, Label, RegisterError, Registry, Timer, layout};
    ///
    /// #[derive(Clone, Copy)]
    /// enum Method { Get, Post }
    ///
    /// impl Label for Method {
    ///     const DIMENSION: Dimension<'static> = Dimension { name: "method", values: &["get", "post"] };
    ///
    ///     fn index(self) -> usize {
    ///         self as usize
    ///     }
    /// }
    /// static REGISTRY: Registry<2, 400> = Registry::new();
    /// let layout = layout!(unit = micros, max = 1 s);
    /// let times: Family<'_, Timer<'_>, Method> =
    ///     REGISTRY.view().family_with_layout("http.time", layout)?;
    /// times.of(Method::Post).record(250);
    /// assert_eq!(times.of(Method::Get).distribution().count(), 0);
    /// # Ok::<(), RegisterError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn family_with_layout<'n, M: FamilyMember<'r>, L: LabelSet>(
        &self,
        name: impl Into<MetricName<'n>>,
        layout: &'static Layout,
    ) -> Result<Family<'r, M, L>, RegisterError> {
        let kind = M::kind(Some(layout)).ok_or(RegisterError::KindMismatch)?;
        let mut shape = self.shape(kind);
        shape.layout = kind.buckets().map(|_| layout);
        shape.dimensions = L::DIMENSIONS;
        self.register(name.into(), shape).map(|run| Family::with_layout(run, layout))
    }

    /// Lets a declared group be read through this registry; takes one place, whatever its size.
    ///
    /// Attaching a group twice is the same as once.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn attach(&self, group: Group<'static>) -> Result<(), RegisterError> {
        self.counting_refusals(|| {
            if self.filled().any(|slot| matches!(slot, Slot::Group(old) if old.is(&group))) {
                return Ok(());
            }
            let mut conflict = None;
            let _ = group.visit_all(&mut |new| {
                let new = new.descriptor();
                conflict = self.conflict(new.name);
                #[cfg(feature = "std")]
                if conflict.is_none() {
                    conflict = self.clash(&new);
                }
                if conflict.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            conflict.map_or_else(|| self.fill(Slot::Group(group)).map(drop), Err)
        })
    }

    /// Returns a view that registers metrics with one handle each.
    #[must_use]
    pub const fn exclusive(&self) -> ExclusiveView<'r> {
        ExclusiveView::new(*self)
    }

    pub(super) const fn shape(&self, kind: Kind) -> Shape {
        Shape {
            details: self.details,
            kind,
            layout: None,
            dimensions: &[],
            call: None,
            exclusive: false,
        }
    }

    /// Finds or makes a metric and returns its words.
    pub(super) fn register(
        &self,
        name: MetricName<'_>,
        wanted: Shape,
    ) -> Result<Run<'r>, RegisterError> {
        let mut buffer = Buffer::new();
        let rendered = name.render(&mut buffer)?;
        let labels = wanted.details.labels.iter().map(|(label, _)| *label);
        let dimensions = wanted.dimensions.iter().map(|dimension| dimension.name);
        for label in labels.chain(dimensions) {
            check_label_name(label)?;
        }
        if let Some(found) = self.find(rendered) {
            return found.serve(&wanted).map(|metric| self.run(metric));
        }
        self.counting_refusals(|| {
            // Somebody may have been faster between the look and the lock.
            if let Some(found) = self.find(rendered) {
                return found.serve(&wanted).map(|metric| self.run(metric));
            }
            if let Some(conflict) = self.conflict(rendered) {
                return Err(conflict);
            }
            #[cfg(feature = "std")]
            if let Some(clash) = self.clash(&wanted.describe(rendered)) {
                return Err(clash);
            }
            let offset = self.words_used();
            if self.words.len().saturating_sub(offset) < wanted.words() {
                return Err(RegisterError::WordsFull);
            }
            self.has_place()?;
            #[cfg(feature = "std")]
            self.parent_takes(&wanted.describe(rendered))?;
            let offset_word = u32::try_from(offset).map_err(|_| RegisterError::WordsFull)?;
            let name = self.keep(name, rendered)?;
            let slot = self.fill(Slot::Metric(Metric {
                name,
                shape: wanted,
                offset: offset_word,
                #[cfg(feature = "std")]
                next: self.index.next(rendered),
            }))?;
            #[cfg(feature = "std")]
            {
                self.index.insert(rendered, slot);
                self.tell_parent(rendered);
            }
            #[cfg(not(feature = "std"))]
            let _ = slot;
            Ok(self.words.run(offset, wanted.words()))
        })
    }

    #[cfg(feature = "std")]
    #[expect(clippy::unnecessary_wraps, reason = "places for names run out without std")]
    pub(super) fn keep(&self, _: MetricName<'_>, name: &str) -> Result<KeptName, RegisterError> {
        Ok(KeptName::Owned(name.into()))
    }

    #[cfg(not(feature = "std"))]
    fn keep(&self, given: MetricName<'_>, name: &str) -> Result<KeptName, RegisterError> {
        if let Some(name) = given.as_static() {
            return Ok(KeptName::Static(name));
        }
        let free = self.rendered.iter().position(|place| place.get().is_none());
        let i = free.ok_or(RegisterError::NamesFull)?;
        let place = self.rendered.get(i).ok_or(RegisterError::NamesFull)?;
        let name = Rendered::try_from(name).map_err(|_| too_long())?;
        place.set(name).map_err(|_| RegisterError::NamesFull)?;
        Ok(KeptName::Rendered(i))
    }

    pub(super) fn run(&self, metric: &Metric) -> Run<'r> {
        self.words.run(metric.offset as usize, metric.shape.words())
    }

    pub(super) fn filled(&self) -> impl Iterator<Item = &'r Slot> + use<'r> {
        self.slots.iter().map_while(Once::get)
    }

    pub(super) fn own(&self) -> impl Iterator<Item = &'r Metric> + use<'r> {
        self.filled().filter_map(|slot| match slot {
            Slot::Metric(metric) => Some(metric),
            _ => None,
        })
    }

    #[cfg(feature = "std")]
    pub(super) fn find(&self, name: &str) -> Option<&'r Metric> {
        self.index.find(name, self.slots)
    }

    #[cfg(not(feature = "std"))]
    fn find(&self, name: &str) -> Option<&'r Metric> {
        let rendered = self.rendered;
        self.own().find(|metric| metric.name.as_str(rendered) == name)
    }

    /// Returns the words taken: slots are filled in the order of their words.
    fn words_used(&self) -> usize {
        self.own().map(|metric| metric.shape.words()).fold(0, usize::saturating_add)
    }

    /// Returns an error if all places are taken.
    pub(super) fn has_place(&self) -> Result<(), RegisterError> {
        let free = self.slots.iter().any(|slot| slot.get().is_none());
        if free { Ok(()) } else { Err(RegisterError::MetricsFull) }
    }

    /// Fills the next free slot and returns its number; called under the lock.
    pub(super) fn fill(&self, slot: Slot) -> Result<usize, RegisterError> {
        let mut slots = self.slots.iter().enumerate();
        let free = slots.find(|(_, slot)| slot.get().is_none());
        let Some((number, free)) = free else { return Err(RegisterError::MetricsFull) };
        free.set(slot).map(|()| number).map_err(|_| RegisterError::MetricsFull)
    }

    /// Returns what stands in the way of a new metric of that name.
    pub(super) fn conflict(&self, name: &str) -> Option<RegisterError> {
        let mut conflict = None;
        let _ = self.visit_names(&mut |other, declared| {
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

    /// Visits the names of all metrics, and says whether each is of a declared group. Asks no
    /// producer, because it is called under the lock.
    fn visit_names(
        &self,
        visitor: &mut dyn FnMut(&str, bool) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        for slot in self.filled() {
            match slot {
                Slot::Metric(metric) => visitor(metric.name.as_str(self.rendered), false)?,
                #[cfg(feature = "std")]
                Slot::Link { name, .. } => visitor(name.as_str(self.rendered), false)?,
                Slot::Group(group) => {
                    group.visit_all(&mut |sample| visitor(sample.descriptor().name, true))?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Returns how many registrations were refused for want of room, as
    /// [`Registry::refused`](crate::Registry::refused).
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "wraps, as documented")]
    #[allow(trivial_numeric_casts, reason = "a word is u32 on some targets")]
    pub fn refused(&self) -> u32 {
        self.refused.load() as u32
    }

    /// Runs `register` while nobody else registers, and counts if there was no room.
    pub(super) fn counting_refusals<T>(
        &self,
        register: impl FnOnce() -> Result<T, RegisterError>,
    ) -> Result<T, RegisterError> {
        registering(|| {
            let result = register();
            if matches!(
                result,
                Err(RegisterError::MetricsFull
                    | RegisterError::WordsFull
                    | RegisterError::NamesFull)
            ) {
                self.refused.store(self.refused.load().wrapping_add(1));
            }
            result
        })
    }

    /// Returns the number of metrics, those of attached groups included.
    #[must_use]
    pub fn metrics(&self) -> u32 {
        self.filled().fold(0, |sum, slot| match slot {
            Slot::Group(group) => sum.wrapping_add(group.metrics()),
            _ => sum.wrapping_add(1),
        })
    }

    /// Visits all metrics from id `from` on.
    pub(crate) fn visit_slots(
        &self,
        from: u32,
        visitor: &mut dyn FnMut(Sample<'r>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut place = Place::default();
        for slot in self.filled() {
            let words = match slot {
                Slot::Metric(metric) => {
                    if place.id >= from {
                        let name = metric.name.as_str(self.rendered);
                        visit_cells(&metric.shape, name, self.run(metric), place, visitor)?;
                    }
                    metric.shape.words()
                }
                #[cfg(feature = "std")]
                Slot::Link { name, metric, run } => {
                    if place.id >= from {
                        let name = name.as_str(self.rendered);
                        visit_cells(&metric.shape, name, *run, place, visitor)?;
                    }
                    run.len()
                }
                Slot::Group(group) => {
                    group.visit_from(from, &mut place, visitor)?;
                    continue;
                }
            };
            place.id = place.id.wrapping_add(1);
            #[expect(clippy::cast_possible_truncation, reason = "storage is far below 2^32")]
            let words = words as u32;
            place.word = place.word.wrapping_add(words);
        }
        ControlFlow::Continue(())
    }
}

/// Visits the cells of one metric: one, or those of a family.
fn visit_cells<'r>(
    shape: &'r Shape,
    name: &'r str,
    run: Run<'r>,
    Place { id, word }: Place,
    visitor: &mut dyn FnMut(Sample<'r>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let (kind, family) = (shape.kind, shape.family());
    let description = Description::new(name, shape);
    let words = shape.cell_words();
    #[cfg(feature = "std")]
    if shape.is_single() && shape.call.is_none() {
        let value = live_value(kind, run);
        return visitor(Sample { id, cell: 0, family, word, kind, description, value });
    }
    let mut offset = 0usize;
    for cell in 0..shape.cells() {
        let value = shape
            .call
            .map_or_else(|| live_value(kind, run.run(offset, words)), |call| call.value());
        #[expect(clippy::cast_possible_truncation, reason = "storage is far below 2^32")]
        let word = word.wrapping_add(offset as u32);
        visitor(Sample { id, cell, family, word, kind, description, value })?;
        offset = offset.wrapping_add(words);
    }
    ControlFlow::Continue(())
}

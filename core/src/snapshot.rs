//! Reading metrics: the [`Source`] trait that registries, groups and fleets implement.
//!
//! A reader visits the samples of a source in the order of their ids. Nothing is masked and
//! nothing is copied: values are read from the live words, so a sample is as new as the moment in
//! which it is visited.

use core::ops::ControlFlow;

use crate::metric::{Descriptor, Group, Metrics, Place, Sample};
use crate::registry::{Registry, RegistryView};

/// Something that can be read: a group, a registry, an array of groups, a fleet.
pub trait Source {
    /// Returns the number of metrics; ids run from 0 to this.
    fn metrics(&self) -> u32;

    /// Returns how many registrations were refused for want of room; frames carry it as part of an
    /// EVENT.
    ///
    /// Defaults to 0, which is right for what is declared.
    fn refused(&self) -> u32 {
        0
    }

    /// Calls `visitor` for every metric from id `from` on, in the order of ids, until it breaks.
    ///
    /// Costs one step over the descriptors before `from`.
    fn visit<'s>(
        &'s self,
        from: u32,
        visitor: &mut dyn FnMut(Sample<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()>;

    /// Returns a source that shows only the metrics whose description `wanted` accepts.
    ///
    /// Ids stay what they are, so several reporters may filter differently.
    ///
    /// ```
    /// use core::ops::ControlFlow;
    /// use tapes_core::{Registry, Source, metric::Kind};
    /// static REGISTRY: Registry<4, 4> = Registry::new();
    /// REGISTRY.counter("motor.loops")?.increment();
    /// REGISTRY.counter("radio.sent")?.increment();
    /// let motor = REGISTRY.filter(|it| it.name.starts_with("motor.") && it.kind == Kind::Counter);
    /// let mut names = Vec::new();
    /// let _ = motor.visit(0, &mut |sample| {
    ///     names.push(sample.descriptor().name);
    ///     ControlFlow::Continue(())
    /// });
    /// assert_eq!(names, ["motor.loops"]);
    /// # Ok::<(), tapes_core::RegisterError>(())
    /// ```
    fn filter<F: Fn(&Descriptor<'_>) -> bool>(&self, wanted: F) -> Filter<'_, Self, F>
    where
        Self: Sized,
    {
        Filter { source: self, wanted }
    }
}

/// A source that shows only some metrics of another: see [`Source::filter`].
///
/// ```
/// use tapes_core::{Filter, Source, metric::Descriptor};
///
/// tapes_core::metrics! {
///     static RADIO: RadioMetrics = "radio" { sent: Counter, delay: Timer }
/// }
///
/// fn timers<S: Source>(source: &S) -> Filter<'_, S, fn(&Descriptor<'_>) -> bool> {
///     source.filter(|it| it.kind.buckets().is_some())
/// }
/// let mut seen = 0;
/// let _ = timers(&RADIO).visit(0, &mut |_| {
///     seen += 1;
///     core::ops::ControlFlow::Continue(())
/// });
/// assert_eq!(seen, 1);
/// ```
#[derive(Clone, Copy)]
pub struct Filter<'a, S, F> {
    source: &'a S,
    wanted: F,
}

impl<S: core::fmt::Debug, F> core::fmt::Debug for Filter<'_, S, F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Filter").field("source", self.source).finish_non_exhaustive()
    }
}

impl<S: Source, F: Fn(&Descriptor<'_>) -> bool> Source for Filter<'_, S, F> {
    /// Returns the number of metrics of the unfiltered source, which bounds the ids.
    fn metrics(&self) -> u32 {
        self.source.metrics()
    }

    fn refused(&self) -> u32 {
        self.source.refused()
    }

    fn visit<'s>(
        &'s self,
        from: u32,
        visitor: &mut dyn FnMut(Sample<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.source.visit(from, &mut |sample| {
            if (self.wanted)(&sample.descriptor()) {
                visitor(sample)
            } else {
                ControlFlow::Continue(())
            }
        })
    }
}

impl Source for Group<'_> {
    fn metrics(&self) -> u32 {
        Group::metrics(self)
    }

    fn visit<'s>(
        &'s self,
        from: u32,
        visitor: &mut dyn FnMut(Sample<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.visit_from(from, &mut Place::default(), visitor)
    }
}

/// Groups one after the other: ids run on from each to the next.
impl Source for [Group<'_>] {
    fn metrics(&self) -> u32 {
        self.iter().fold(0, |sum, group| sum.wrapping_add(group.metrics()))
    }

    fn visit<'s>(
        &'s self,
        from: u32,
        visitor: &mut dyn FnMut(Sample<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut place = Place::default();
        self.iter().try_for_each(|group| group.visit_from(from, &mut place, visitor))
    }
}

impl<const N: usize> Source for [Group<'_>; N] {
    fn metrics(&self) -> u32 {
        self.as_slice().metrics()
    }

    fn visit<'s>(
        &'s self,
        from: u32,
        visitor: &mut dyn FnMut(Sample<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.as_slice().visit(from, visitor)
    }
}

impl Source for RegistryView<'_> {
    fn metrics(&self) -> u32 {
        RegistryView::metrics(self)
    }

    fn refused(&self) -> u32 {
        RegistryView::refused(self)
    }

    fn visit<'s>(
        &'s self,
        from: u32,
        visitor: &mut dyn FnMut(Sample<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.visit_slots(from, visitor)
    }
}

impl<const METRICS: usize, const WORDS: usize, const RENDERED: usize> Source
    for Registry<METRICS, WORDS, RENDERED>
{
    fn metrics(&self) -> u32 {
        self.view().metrics()
    }

    fn refused(&self) -> u32 {
        self.view().refused()
    }

    fn visit<'s>(
        &'s self,
        from: u32,
        visitor: &mut dyn FnMut(Sample<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.view().visit_slots(from, visitor)
    }
}

/// The struct of a declared group reads as its group.
impl<M: Metrics> Source for M {
    fn metrics(&self) -> u32 {
        self.group().metrics()
    }

    fn visit<'s>(
        &'s self,
        from: u32,
        visitor: &mut dyn FnMut(Sample<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.group().visit_from(from, &mut Place::default(), visitor)
    }
}

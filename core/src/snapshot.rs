//! Reading metrics: the [`Source`] trait that registries, groups and fleets implement.
//!
//! A reader visits the samples of a source in the order of their ids. Nothing is masked and
//! nothing is copied: values are read from the live words, so a sample is as new as the moment in
//! which it is visited.

use core::ops::ControlFlow;

use crate::metric::{Group, Metrics, Sample};
use crate::registry::{Registry, RegistryView};

/// Something that can be read: a group, a registry, an array of groups, a fleet.
pub trait Source {
    /// Returns the number of metrics; ids run from 0 to this.
    fn metrics(&self) -> u32;

    /// Calls `visitor` for every metric from id `from` on, in the order of ids, until it breaks.
    ///
    /// Costs one step over the descriptors before `from`.
    fn visit<'s>(
        &'s self,
        from: u32,
        visitor: &mut dyn FnMut(Sample<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()>;
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
        self.visit_from(from, 0, 0, visitor)
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
        let (mut id, mut word) = (0u32, 0u32);
        for group in self {
            group.visit_from(from.saturating_sub(id), id, word, visitor)?;
            id = id.wrapping_add(group.metrics());
            #[expect(clippy::cast_possible_truncation, reason = "storage is far below 2^32")]
            let words = group.words() as u32;
            word = word.wrapping_add(words);
        }
        ControlFlow::Continue(())
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

    fn visit<'s>(
        &'s self,
        from: u32,
        visitor: &mut dyn FnMut(Sample<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.visit_slots(from, &mut |sample, _| visitor(sample))
    }
}

impl<const METRICS: usize, const WORDS: usize> Source for Registry<METRICS, WORDS> {
    fn metrics(&self) -> u32 {
        self.view().metrics()
    }

    fn visit<'s>(
        &'s self,
        from: u32,
        visitor: &mut dyn FnMut(Sample<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.view().visit_slots(from, &mut |sample, _| visitor(sample))
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
        self.group().visit_from(from, 0, 0, visitor)
    }
}

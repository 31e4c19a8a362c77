//! Reading metrics: the [`Source`] trait that registries, groups and fleets implement.
//!
//! A reader visits the samples of a source in the order of their ids. Nothing is masked and
//! nothing is copied: values are read from the live words, so a sample is as new as the moment in
//! which it is visited.

use core::ops::ControlFlow;

use crate::metric::Sample;

/// Something that can be read: a group, a registry, a slice of sources, a fleet.
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

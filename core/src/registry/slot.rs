//! What a place of the registry's table holds.

use super::details::Details;
#[cfg(not(feature = "std"))]
use super::name::Rendered;
use super::producer::Call;
use crate::error::RegisterError;
use crate::metric::{
    Describe, Descriptor, Dimension, Dimensions, Group, Kind, Labels, Layout, Unit, words_of,
};
#[cfg(not(feature = "std"))]
use tapes_hooks::Once;

/// Names that were rendered.
#[cfg(feature = "std")]
pub(super) type RenderedNames<'r> = core::marker::PhantomData<&'r ()>;
/// Names that were rendered.
#[cfg(not(feature = "std"))]
pub(super) type RenderedNames<'r> = &'r [Once<Rendered>];

/// How the name of a metric is kept.
#[derive(Debug)]
pub(super) enum KeptName {
    #[cfg(not(feature = "std"))]
    Static(&'static str),
    /// Position among the rendered names.
    #[cfg(not(feature = "std"))]
    Rendered(usize),
    #[cfg(feature = "std")]
    Owned(std::boxed::Box<str>),
}

impl KeptName {
    #[cfg(feature = "std")]
    pub(super) fn as_str<'r>(&'r self, _: RenderedNames<'r>) -> &'r str {
        let Self::Owned(name) = self;
        name
    }

    #[cfg(not(feature = "std"))]
    pub(super) fn as_str<'r>(&'r self, rendered: RenderedNames<'r>) -> &'r str {
        match self {
            Self::Static(name) => name,
            Self::Rendered(i) => {
                rendered.get(*i).and_then(Once::get).map(Rendered::as_str).unwrap_or_default()
            }
        }
    }
}

/// What one place of the table holds.
#[derive(Debug)]
pub(crate) enum Slot {
    Metric(Metric),
    Group(Group<'static>),
    /// A metric of a registry that is attached to this one.
    #[cfg(feature = "std")]
    Link {
        name: KeptName,
        metric: &'static Metric,
        run: crate::metric::Run<'static>,
    },
}

/// What makes two registrations the same metric.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(super) details: &'static Details,
    pub(super) kind: Kind,
    /// Of a histogram; unit and geometry are its.
    pub(super) layout: Option<&'static Layout>,
    pub(super) dimensions: &'static [Dimension<'static>],
    pub(super) call: Option<Call>,
    /// Whether there is one handle only.
    pub(super) exclusive: bool,
}

impl Shape {
    /// Returns the words of all cells, for one lane.
    pub(super) const fn words(&self) -> usize {
        if self.call.is_some() {
            0
        } else {
            self.cell_words().saturating_mul(self.cells() as usize)
        }
    }

    /// Returns the words of one cell, for one lane.
    pub(super) const fn cell_words(&self) -> usize {
        words_of(self.kind)
    }

    pub(super) const fn cells(&self) -> u32 {
        Dimensions::new(self.dimensions).cells()
    }

    /// Returns whether this is a single metric.
    #[cfg(feature = "std")]
    pub(super) const fn is_single(&self) -> bool {
        self.dimensions.is_empty()
    }

    /// Returns the number of metrics of a family; 0 for a single one.
    pub(super) const fn family(&self) -> u32 {
        if self.dimensions.is_empty() { 0 } else { self.cells() }
    }

    /// Returns why this metric cannot serve as the one wanted, if so.
    fn mismatch(&self, wanted: &Self) -> Option<RegisterError> {
        if self.exclusive || wanted.exclusive {
            return Some(RegisterError::Taken);
        }
        let unit = |shape: &Self| shape.layout.map_or(shape.details.unit, Layout::unit);
        let kind = core::mem::discriminant(&self.kind) == core::mem::discriminant(&wanted.kind);
        // Who asks without a unit means whatever unit it has.
        let same_unit =
            unit(self) == unit(wanted) || (wanted.layout.is_none() && unit(wanted) == Unit::NONE);
        if !kind || !same_unit {
            return Some(RegisterError::KindMismatch);
        }
        if self.layout != wanted.layout {
            return Some(RegisterError::LayoutMismatch);
        }
        if self.dimensions != wanted.dimensions {
            return Some(RegisterError::LabelsMismatch);
        }
        if self.call.map(Call::identity) != wanted.call.map(Call::identity) {
            return Some(RegisterError::ProducerMismatch);
        }
        None
    }
}

impl Describe for Shape {
    fn describe<'s>(&'s self, name: &'s str) -> Descriptor<'s> {
        let unit = self.layout.map_or(self.details.unit, Layout::unit);
        let mut descriptor = Descriptor::new(name, self.kind, unit);
        descriptor.help = self.details.help;
        descriptor.labels = Labels::new(self.details.labels);
        descriptor.dimensions = Dimensions::new(self.dimensions);
        descriptor
    }
}

/// A registered metric.
#[derive(Debug)]
pub(crate) struct Metric {
    pub(super) name: KeptName,
    pub(super) shape: Shape,
    /// First word in the registry's words.
    pub(super) offset: u32,
    /// The rest of its chain in the index of names.
    #[cfg(feature = "std")]
    pub(super) next: crate::sync::Word,
}

impl Metric {
    /// Returns an error if this metric cannot serve as the one wanted.
    pub(super) fn serve(&self, wanted: &Shape) -> Result<&Self, RegisterError> {
        self.shape.mismatch(wanted).map_or(Ok(self), Err)
    }
}

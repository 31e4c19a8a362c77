//! What people watch: sections of values, each with what is known of where they come from.

use std::fmt;

use tapes_core::metric::{Descriptor, Value};
use tapes_core::rates::RateReading;

use super::FamilyWriter;
use crate::fleet::snapshot::DeviceSnapshot;
use crate::recent::RecentReading;

/// Where the values that follow come from.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Section<'a> {
    /// This process.
    Process,
    /// All devices, added up.
    Merged,
    /// One device.
    Device(&'a DeviceSnapshot),
}

/// One value, as a [`LiveWriter`] takes it.
#[derive(Debug, Clone, Copy)]
pub struct LiveValue<'a> {
    /// Labels besides those of the metric.
    pub extra: &'a [(&'a str, &'a str)],
    /// Name, kind, unit, help and labels.
    pub descriptor: &'a Descriptor<'a>,
    /// Position in its family, 0 for a single metric.
    pub cell: u32,
    /// The value; null for a gauge that is not current.
    pub value: &'a Value<'a>,
    /// Rates of a meter or timer, where they are known.
    pub rates: Option<RateReading>,
    /// What a histogram or timer did lately, where that is kept.
    pub recent: Option<&'a RecentReading>,
    /// Whether the value is current.
    pub is_fresh: bool,
}

impl<'a> LiveValue<'a> {
    /// Returns all labels: the extra ones, the constant ones, then those of its place in a family.
    pub fn labels(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let constant = self.descriptor.labels.iter();
        let own = constant.chain(self.descriptor.dimensions.labels(self.cell));
        self.extra.iter().copied().chain(own)
    }
}

/// Takes what people watch: a section, then its values, then the next one.
pub trait LiveWriter {
    /// Begins a section.
    fn section(&mut self, section: &Section<'_>);

    /// Takes a value of the section.
    fn value(&mut self, value: &LiveValue<'_>);
}

/// Passes families on as values without rates.
pub(crate) struct Families<'w>(pub(crate) &'w mut dyn LiveWriter);

impl FamilyWriter for Families<'_> {
    fn family(&mut self, _: &Descriptor<'_>) -> fmt::Result {
        Ok(())
    }

    fn sample(
        &mut self,
        extra: &[(&str, &str)],
        descriptor: &Descriptor<'_>,
        cell: u32,
        value: &Value<'_>,
    ) -> fmt::Result {
        let (rates, recent) = (None, None);
        self.0.value(&LiveValue { extra, descriptor, cell, value, rates, recent, is_fresh: true });
        Ok(())
    }
}

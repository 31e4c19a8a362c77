//! What a reader sees: a description and a value, wherever the numbers come from.

use super::description::{Describe, Description};
use super::descriptor::Descriptor;
use super::distribution::Distribution;
use super::kind::Kind;

/// The value of a metric at the time of reading.
// A tag of 32 bits, since one of 64 takes twice the instructions; as frames have it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
#[repr(C, u32)]
pub enum Value<'s> {
    /// A counter, meter or unsigned gauge.
    Unsigned(u64) = 0,
    /// An up/down counter or signed gauge.
    Signed(i64) = 1,
    /// A 32-bit floating-point gauge; never NaN.
    F32(f32) = 2,
    /// A 64-bit floating-point gauge; never NaN.
    F64(f64) = 3,
    /// A gauge that was never set, or whose producer failed.
    Null = 5,
    /// A histogram or timer.
    Distribution(Distribution<'s>) = 4,
}

/// One metric as a reader sees it.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sample<'s> {
    /// Position in its source, which never changes within an epoch.
    pub id: u32,
    /// Position in its family, 0 for a single metric; [`Descriptor::dimensions`] names its labels.
    pub cell: u32,
    /// Number of metrics of the family; 0 for a single metric.
    pub family: u32,
    /// Position of the first of its storage words in its source; counts words of one lane.
    pub word: u32,
    /// What it is.
    pub kind: Kind,
    /// Name, unit, help and labels.
    pub description: Description<'s>,
    /// Value at the time of reading.
    pub value: Value<'s>,
}

impl<'s> Sample<'s> {
    /// Returns a sample of metric `id`, called `name`, of which `rest` knows the rest.
    ///
    /// It is that of a single metric, or of cell 0 of a family, whose words are the first of its
    /// source: set [`cell`](Self::cell) and [`word`](Self::word) if it is not. Words matter only
    /// to sources whose counts wrap at 32 bits.
    ///
    /// ```
    /// use tapes_core::metric::{Descriptor, Kind, Sample, Unit, Value};
    ///
    /// let sent = Descriptor::new("radio.sent", Kind::Counter, Unit::NONE);
    /// let sample = Sample::new(0, sent.name, &sent, Value::Unsigned(12));
    /// assert_eq!(sample.descriptor(), sent);
    /// ```
    #[must_use]
    pub fn new(id: u32, name: &'s str, rest: &'s dyn Describe, value: Value<'s>) -> Self {
        let description = Description::new(name, rest);
        let Descriptor { kind, dimensions, .. } = description.descriptor();
        let family = if dimensions.is_empty() { 0 } else { dimensions.cells() };
        Self { id, cell: 0, family, word: 0, kind, description, value }
    }

    /// Returns name, kind, unit, help and labels; see [`Description::descriptor`] for the cost.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor<'s> {
        self.description.descriptor()
    }
}

//! What a reader sees: a descriptor and a value, wherever the numbers come from.

use super::descriptor::Descriptor;
use super::distribution::Distribution;

/// The value of a metric at the time of reading.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Value<'s> {
    /// A counter, meter or unsigned gauge.
    Unsigned(u64),
    /// An up/down counter or signed gauge.
    Signed(i64),
    /// A 32-bit floating-point gauge; never NaN.
    F32(f32),
    /// A 64-bit floating-point gauge; never NaN.
    F64(f64),
    /// A gauge that was never set, or whose producer failed.
    Null,
    /// A histogram or timer.
    Distribution(Distribution<'s>),
}

/// One metric as a reader sees it.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sample<'s> {
    /// Position in its source, which never changes within an epoch.
    pub id: u32,
    /// Position in its family, 0 for a single metric; `descriptor.dimensions` names its labels.
    pub cell: u32,
    /// Position of the first of its storage words in its source; counts words of one lane.
    pub word: u32,
    /// Name, kind, unit, help and labels.
    pub descriptor: Descriptor<'s>,
    /// Value at the time of reading.
    pub value: Value<'s>,
}

//! The metrics: what they record, how they are described, and what a reader sees of them.

pub(crate) mod bytes;
mod descriptor;
mod distribution;
mod kind;
mod sample;
mod storage;
mod unit;

pub(crate) use descriptor::Entries;
pub use descriptor::{BITS_ABSOLUTE, Descriptor, LABELS_MAX, Labels};
pub use distribution::{Counts, Distribution};
pub use kind::{BUCKETS_MAX, Buckets, Kind, SCALE_MAX};
pub use sample::{Sample, Value};
pub use storage::{Run, Words};
pub use unit::{BaseUnit, UNIT_NAME_LEN_MAX, Unit};

//! The metrics: what they record, how they are described, and what a reader sees of them.

#[cfg_attr(not(feature = "wire"), allow(dead_code, reason = "only frames need all of it"))]
pub(crate) mod bytes;
mod counter;
pub(crate) mod description;
mod descriptor;
mod dimension;
mod distribution;
mod exclusive;
pub(crate) mod exposed;
mod gauge;
mod group;
mod histogram;
mod kind;
mod label;
mod layout;
mod macros;
mod sample;
mod spec;
mod storage;
mod unit;

pub use counter::{Counter, Meter, UpDown};
pub use description::{Describe, Description};
pub use descriptor::{BITS_ABSOLUTE, Descriptor, LABELS_MAX, Labels};
pub use dimension::{CELLS_MAX, DIMENSIONS_MAX, Dimension, Dimensions};
pub use distribution::{Counts, Distribution};
#[cfg(feature = "wire")]
pub(crate) use distribution::{Head, ZERO_WORD};
pub use exclusive::{Claim, Exclusive, Takeable};
pub(crate) use gauge::Stored;
pub use gauge::{Gauge, GaugeValue};
pub use group::{Group, Metrics};
pub(crate) use group::{Place, live_value, words_of};
pub use histogram::{Histogram, Timer, TimerGuard};
pub use kind::{BUCKETS_MAX, Buckets, Kind, SCALE_MAX};
pub use label::{Family, FamilyMember, Label, LabelSet};
pub use layout::{Layout, Thresholds};
pub use sample::{Sample, Value};
pub use storage::{Run, Words};
pub use unit::{BaseUnit, UNIT_NAME_LEN_MAX, Unit};

/// What the macros expand to; no part of the API.
#[doc(hidden)]
pub mod __private {
    pub use super::gauge::GaugeValue;
    pub use super::group::{
        Declaration, Declared, checked_labels, encode, entries_len, most_buckets, offset, run_of,
        total_words,
    };
    pub use super::spec::{Amount, Spec, gauge_kind};
    pub use super::storage::lane_words;
}

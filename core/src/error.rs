//! Errors of set-up. Recording has none.

use core::fmt;

use crate::name::NameError;

/// Why a metric was not registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RegisterError {
    /// The name cannot be used; the reason is inside.
    Name(NameError),
    /// All places for metrics are taken; raise `METRICS` of the registry.
    MetricsFull,
    /// The words left do not suffice; raise `WORDS` of the registry.
    WordsFull,
    /// The name is taken by a metric of another kind or unit; choose another name.
    KindMismatch,
    /// The name is taken by a histogram with other buckets; use the same [`Layout`](crate::Layout).
    LayoutMismatch,
    /// A metric is in the way: `a.b` cannot exist beside `a`; choose another name.
    LeafIsBranch,
    /// Metrics are below this name: `a` cannot exist beside `a.b`; choose another name.
    BranchIsLeaf,
    /// A metric with another name is the same to Prometheus: `a.b` and `a_b`, or a gauge `a.count`
    /// beside a histogram `a`; choose another name. Only with `std`.
    NameClash,
    /// The name is declared in an attached group; use the group's own handle.
    Declared,
    /// The name is taken by a family with other labels; use the same ones.
    LabelsMismatch,
    /// All places for rendered names are taken; raise `RENDERED` of the registry.
    NamesFull,
    /// The registry is attached to another one already; attach it once.
    Attached,
    /// A registry with declared groups cannot be attached under a prefix, because their names are
    /// constants; attach the groups themselves.
    GroupUnderPrefix,
    /// The metric has an exclusive handle, or has others and an exclusive one was asked for; record
    /// through the handle that exists, or choose another name.
    Taken,
    /// The gauge exists already, set by hand or with another producer; choose another name.
    ProducerMismatch,
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name(error) => error.reason(),
            Self::MetricsFull => "registry has no place for another metric",
            Self::WordsFull => "registry has too few words left",
            Self::KindMismatch => "name is taken by a metric of another kind or unit",
            Self::LayoutMismatch => "name is taken by a histogram with other buckets",
            Self::LeafIsBranch => "part of the name is a metric already",
            Self::BranchIsLeaf => "metrics exist below the name already",
            Self::NameClash => "name is that of another metric to Prometheus",
            Self::Declared => "name is declared in an attached group",
            Self::LabelsMismatch => "name is taken by a family with other labels",
            Self::NamesFull => "registry has no place for another rendered name",
            Self::Attached => "registry is attached to another one already",
            Self::GroupUnderPrefix => "registry with declared groups cannot take a prefix",
            Self::Taken => "an exclusive handle allows no other one",
            Self::ProducerMismatch => "gauge exists with another producer",
        })
    }
}

impl core::error::Error for RegisterError {}

impl From<NameError> for RegisterError {
    fn from(error: NameError) -> Self {
        Self::Name(error)
    }
}

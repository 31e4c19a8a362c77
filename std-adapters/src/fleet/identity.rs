//! Lives of values: the keys by which epochs are told apart, and who widened a value.

use std::fmt;

use tapes_core::wire::Epoch;

/// One life of a device's values, as this receiver tells them apart.
///
/// `part` is 0 unless the device came back with values that started again under the same epoch;
/// each such restart is a part of its own (a *sub-epoch*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochKey {
    /// The sender's order, 0 if unknown; from [`Epoch`].
    pub order: u32,
    /// The sender's random part; from [`Epoch`].
    pub nonce: u32,
    /// Number of restarts of the values under this very epoch before this one.
    pub part: u16,
}

impl EpochKey {
    /// Returns the key of the first life under `epoch`.
    #[must_use]
    pub const fn new(epoch: Epoch) -> Self {
        Self { order: epoch.order, nonce: epoch.nonce, part: 0 }
    }

    /// Returns the key of the life after this one under the same epoch; `None` after 65,535.
    #[must_use]
    pub const fn next_part(self) -> Option<Self> {
        match self.part.checked_add(1) {
            Some(part) => Some(Self { part, ..self }),
            None => None,
        }
    }

    /// Returns whether `self` is certainly older than `other`: both say their order.
    #[must_use]
    pub const fn is_before(self, other: Self) -> bool {
        self.order != 0 && other.order != 0 && self.order < other.order
    }
}

impl fmt::Display for EpochKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.order != 0 {
            write!(f, "{:x}-", self.order)?;
        }
        write!(f, "{:08x}", self.nonce)?;
        if self.part != 0 {
            write!(f, ".{}", self.part)?;
        }
        Ok(())
    }
}

/// One metric of an epoch: an entry of its dictionary, and for a family one of its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricKey {
    /// Position of the entry in the dictionary.
    pub id: u32,
    /// Position in the family, 0 for a single metric.
    pub cell: u32,
}

impl MetricKey {
    /// Returns the key of a single metric.
    #[must_use]
    pub const fn new(id: u32) -> Self {
        Self { id, cell: 0 }
    }
}

/// A node that widened values; 16 random bytes of the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NodeId(pub [u8; 16]);

/// Who made a record out of what was received: part of a record's key.
///
/// Absolute values are the same wherever they are heard. A value that one node widened is a lower
/// bound of that node, so each node's is kept apart and the largest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ingest {
    /// The value arrived as it is.
    Absolute,
    /// The node widened it from a wrapping word.
    Widened(NodeId),
}

#[cfg(test)]
mod tests {
    use super::EpochKey;

    /// An unknown order must not make an epoch old.
    #[test]
    fn an_unknown_order_decides_nothing() {
        let key = |order| EpochKey { order, nonce: 7, part: 0 };
        assert!(key(1).is_before(key(2)));
        assert!(!key(2).is_before(key(1)));
        assert!(!key(0).is_before(key(2)));
        assert!(!key(1).is_before(key(0)));
    }
}

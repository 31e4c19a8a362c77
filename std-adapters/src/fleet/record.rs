//! Records: the last value of one metric, and the rule by which two of them become one.

use super::value::Stored;

/// The newest value of one metric of one epoch, as one node knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Sequence number of the frame that carried the value.
    pub seq: u64,
    /// The value.
    pub value: Stored,
}

/// What merging a record did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merged {
    /// The record is newer and replaced the known one.
    Replaced,
    /// The record is older, or the same.
    Ignored,
    /// Same sequence number, other value: the larger value stays. No correct sender does this.
    Conflict,
}

impl Record {
    /// Merges another record of the same key: the larger sequence number wins.
    ///
    /// Associative, commutative and idempotent, so repeats, reordering and detours change nothing.
    pub fn merge(&mut self, other: Self) -> Merged {
        match other.seq.cmp(&self.seq) {
            core::cmp::Ordering::Less => Merged::Ignored,
            core::cmp::Ordering::Greater => {
                *self = other;
                Merged::Replaced
            }
            core::cmp::Ordering::Equal if other.value == self.value => Merged::Ignored,
            core::cmp::Ordering::Equal => {
                if other.value > self.value {
                    self.value = other.value;
                }
                Merged::Conflict
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Merged, Record};
    use crate::fleet::value::Stored;

    fn record(seq: u64, value: u64) -> Record {
        Record { seq, value: Stored::Unsigned(value) }
    }

    /// A two-frame snapshot swapped by the link gave 1 instead of 7 when arrival order decided.
    #[test]
    fn a_swapped_pair_keeps_the_newer_value() {
        let mut known = record(11, 7);
        assert_eq!(known.merge(record(10, 1)), Merged::Ignored);
        assert_eq!(known, record(11, 7));
        assert_eq!(known.merge(record(12, 9)), Merged::Replaced);
        assert_eq!(known, record(12, 9));
    }

    /// If the order of arrival decided a tie, two gateways would disagree for ever.
    #[test]
    fn a_tie_is_resolved_the_same_way_from_both_sides() {
        let (a, b) = (record(5, 3), record(5, 4));
        let (mut ab, mut ba) = (a.clone(), b.clone());
        assert_eq!(ab.merge(b.clone()), Merged::Conflict);
        assert_eq!(ba.merge(a), Merged::Conflict);
        assert_eq!((&ab, &ba), (&b, &b));
        assert_eq!(ab.merge(b), Merged::Ignored, "a repeat is no conflict");
    }
}

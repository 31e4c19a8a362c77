//! Where names are: a hash table over the metrics of a registry, for hosts with thousands of them.
//!
//! As many chains as there are places, so that a chain has one or two links. The head of a chain is
//! a word of the registry, the rest of it lies in the slots, which never change once they are
//! filled; so looking up never locks.

use tapes_hooks::Once;

use super::slot::{Metric, Slot};
use crate::sync::{Cell, Word};

/// The heads of the chains; a head is one more than the number of a slot, or 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Index<'r> {
    heads: &'r [Cell],
}

impl<'r> Index<'r> {
    pub(super) const fn new(heads: &'r [Cell]) -> Self {
        Self { heads }
    }

    /// Returns the metric of that name, if it is in the index already.
    pub(super) fn find(self, name: &str, slots: &'r [Once<Slot>]) -> Option<&'r Metric> {
        let mut link = self.head(name)?.load();
        // A slot's `get` synchronizes with whoever filled it, so a head needs no order of its own:
        // who sees a head before its slot finds nothing, and looks again under the lock.
        while let Some(slot) = number(link).and_then(|slot| slots.get(slot)) {
            let Some(Slot::Metric(metric)) = slot.get() else { return None };
            if metric.name.as_str(core::marker::PhantomData) == name {
                return Some(metric);
            }
            link = metric.next;
        }
        None
    }

    /// Returns what a new metric of that name has to keep as `next`.
    pub(super) fn next(self, name: &str) -> Word {
        self.head(name).map_or(0, Cell::load)
    }

    /// Puts the metric in front of its chain; called under the lock, when its slot is filled.
    pub(super) fn insert(self, name: &str, slot: usize) {
        if let Some(head) = self.head(name) {
            head.store(slot as Word + 1);
        }
    }

    fn head(self, name: &str) -> Option<&'r Cell> {
        #[expect(clippy::cast_possible_truncation, reason = "the high half of a product")]
        let chain = ((u128::from(hash(name)) * self.heads.len() as u128) >> 64) as usize;
        self.heads.get(chain)
    }
}

fn number(link: Word) -> Option<usize> {
    usize::try_from(link.checked_sub(1)?).ok()
}

/// Multiplies eight bytes at a time. Names are a program's own: nobody chooses them to collide.
fn hash(name: &str) -> u64 {
    /// 2^64 over the golden ratio, made odd.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = name.as_bytes().as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let words = words.iter().copied().chain([last]).map(u64::from_le_bytes);
    let mixed = words.fold(name.len() as u64, |hash, word| {
        let product = u128::from(hash.rotate_left(5) ^ word) * u128::from(FACTOR);
        #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
        let folded = product as u64 ^ (product >> 64) as u64;
        folded
    });
    mixed.wrapping_mul(FACTOR)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::format;

    use super::hash;

    /// Chains would be long if this failed, and looking names up as slow as comparing all of them.
    #[test]
    fn names_that_differ_in_a_digit_are_spread_over_the_chains() {
        const CHAINS: u128 = 4096;
        let mut lengths = BTreeMap::<u128, u32>::new();
        for i in 0..4096 {
            let hash = hash(&format!("engine.part{i}.count"));
            *lengths.entry((u128::from(hash) * CHAINS) >> 64).or_default() += 1;
        }
        // Random ones leave 1 / e of the chains empty, and none has more than 8.
        assert!(lengths.len() > 2400, "{} chains in use", lengths.len());
        assert!(lengths.values().all(|length| *length <= 10));
    }
}

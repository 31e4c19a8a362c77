//! A map in a sorted vector: for keys that mostly come in order and count up from zero.
//!
//! An entry takes its own bytes and an eighth more; a tree's take twice that. What stands where
//! its key says is found at once, anything else by halving. An insertion in the middle moves what
//! is behind it, which the limits on entries keep short.

/// Keys and values, by ascending key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sorted<K, V>(Vec<(K, V)>);

/// A key that counts.
pub(super) trait Index: Copy + Ord {
    /// Returns where the entry of this key is if there is one for each number below.
    fn place(self) -> usize;
}

impl Index for u32 {
    fn place(self) -> usize {
        self as usize
    }
}

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Index, V> Sorted<K, V> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, key: K) -> Result<usize, usize> {
        let place = key.place();
        match self.0.get(place) {
            Some((known, _)) if *known == key => Ok(place),
            _ => self.0.binary_search_by_key(&key, |(known, _)| *known),
        }
    }

    pub(super) fn get(&self, key: K) -> Option<&V> {
        let at = self.find(key).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let at = self.find(key).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    pub(super) fn contains(&self, key: K) -> bool {
        self.find(key).is_ok()
    }

    /// Returns the value of a key, which is made if it is missing.
    pub(super) fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let at = match self.find(key) {
            Ok(at) => at,
            Err(at) => {
                insert(&mut self.0, at, (key, make()));
                at
            }
        };
        &mut self.0[at].1
    }

    /// Adds an entry. Returns false, and changes nothing, if the key is known.
    pub(super) fn insert_new(&mut self, key: K, value: V) -> bool {
        match self.find(key) {
            Ok(_) => false,
            Err(at) => {
                insert(&mut self.0, at, (key, value));
                true
            }
        }
    }

    /// Returns the entries by ascending key.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (K, &V)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    /// Returns the entries with keys below `end`, by ascending key.
    pub(super) fn below(&self, end: K) -> impl ExactSizeIterator<Item = (K, &V)> {
        let len = self.find(end).unwrap_or_else(|at| at);
        self.0.iter().take(len).map(|(key, value)| (*key, value))
    }

    pub(super) fn clear(&mut self) {
        self.0 = Vec::new();
    }
}

/// Inserts an item into a vector that grows by an eighth when it is full.
pub(super) fn insert<T>(items: &mut Vec<T>, at: usize, item: T) {
    if items.len() == items.capacity() {
        items.reserve_exact(items.len() / 8 + 4);
    }
    items.insert(at, item);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Sorted;

    /// An entry that is not found again would be a metric without its name.
    #[test]
    fn keys_in_any_order_are_found_again() {
        for keys in [
            (0..50).collect::<Vec<u32>>(),
            (0..50).rev().collect(),
            (0..50).map(|i| i * 7 % 50).collect(),
            (0..50).map(|i| i * 1_000_003).collect(),
            vec![5, 0, u32::MAX, 1],
        ] {
            let (mut sorted, mut tree) = (Sorted::default(), BTreeMap::new());
            for key in &keys {
                assert!(sorted.insert_new(*key, key / 2));
                assert!(!sorted.insert_new(*key, 0), "it is known");
                tree.insert(*key, key / 2);
                assert!(sorted.iter().eq(tree.iter().map(|(key, value)| (*key, value))));
            }
            for key in keys.iter().flat_map(|key| [*key, key.wrapping_add(1)]) {
                assert_eq!(sorted.get(key), tree.get(&key), "{key}");
                assert_eq!(sorted.contains(key), tree.contains_key(&key), "{key}");
                let below: Vec<_> = tree.range(..key).map(|(key, value)| (*key, value)).collect();
                assert!(sorted.below(key).eq(below), "{key}");
            }
        }
    }
}

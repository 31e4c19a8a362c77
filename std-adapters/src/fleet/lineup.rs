//! The order in which the series of a device are shown, and their families: worked out once for
//! all devices that have the same metrics.

use std::sync::Arc;

use super::series::SeriesKey;

/// What was worked out for the device before.
#[derive(Debug, Default)]
pub(super) struct Lineup {
    /// Keys as they came.
    keys: Vec<Arc<SeriesKey>>,
    /// Their places, in the order in which they are shown; no two of these keys are equal.
    order: Vec<usize>,
    /// The families in this order.
    families: Vec<Option<Arc<str>>>,
}

impl Lineup {
    /// Returns the parts by key, each with its family, which depends on the key only.
    ///
    /// Parts of one key are handed to `merge`, the one that came later first.
    pub(super) fn apply<T>(
        &mut self,
        mut parts: Vec<(Arc<SeriesKey>, T)>,
        family: impl Fn(&T) -> Option<Arc<str>>,
        mut merge: impl FnMut(&mut T, &SeriesKey, &mut T),
    ) -> Vec<(Arc<SeriesKey>, T, Option<Arc<str>>)> {
        if !self.is_for(&parts) {
            let keys: Vec<_> = parts.iter().map(|(key, _)| Arc::clone(key)).collect();
            let mut order: Vec<_> = (0..).zip(&keys).collect();
            order.sort_by_key(|(_, key)| *key);
            let is_twice = order.windows(2).any(|pair| matches!(pair, [(_, a), (_, b)] if a == b));
            self.order = order.into_iter().map(|(place, _)| place).collect();
            self.families.clear();
            self.keys.clear();
            if is_twice {
                // Stable: parts of one key stay in the order in which they came.
                parts.sort_by(|(a, _), (b, _)| a.cmp(b));
                parts.dedup_by(|(later, newer), (key, part)| {
                    let is_same = *later == *key;
                    if is_same {
                        merge(newer, key, part);
                    }
                    is_same
                });
                return parts
                    .into_iter()
                    .map(|(key, part)| {
                        let family = family(&part);
                        (key, part, family)
                    })
                    .collect();
            }
            let parts = self.order.iter().filter_map(|place| parts.get(*place));
            self.families.extend(parts.map(|(_, part)| family(part)));
            self.keys = keys;
        }
        let mut parts: Vec<_> = parts.into_iter().map(Some).collect();
        let in_order = self.order.iter().zip(&self.families).filter_map(|(place, family)| {
            let (key, part) = parts.get_mut(*place)?.take()?;
            Some((key, part, family.clone()))
        });
        in_order.collect()
    }

    /// Returns whether the parts have the same keys in the same places.
    fn is_for<T>(&self, parts: &[(Arc<SeriesKey>, T)]) -> bool {
        let mut pairs = self.keys.iter().zip(parts);
        self.keys.len() == parts.len() && pairs.all(|(known, (key, _))| Arc::ptr_eq(known, key))
    }
}

//! Growth since the last batch, for receivers that add up themselves.
//!
//! What was told of every count is its *base*. Bases move on when a batch is in the queue, and not
//! before: what cannot be queued is in the next one.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tapes_core::metric::{BUCKETS_MAX, Buckets, Counts, Distribution};

/// Bases that may be kept beyond twice those of the last batch, before what is gone is forgotten.
const SPARE: usize = 1_024;

/// What was told of a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Base {
    /// When it began to count, in nanoseconds since 1970; 0 if nobody knows.
    start: u64,
    /// Until when its growth was told.
    until: u64,
    /// Scale, first and number of the buckets of a histogram.
    geometry: Option<(u8, i32, u32)>,
    /// A count; or sum, zero, overflow and buckets of a histogram.
    words: Vec<u64>,
}

/// What a series has now.
#[derive(Debug)]
pub(super) struct Now {
    /// When it began to count, 0 if nobody knows.
    pub(super) start: u64,
    /// Whether it is of this process, which told nobody else.
    pub(super) is_own: bool,
    pub(super) geometry: Option<Buckets>,
    pub(super) words: Vec<u64>,
}

/// The bases of all series.
#[derive(Debug, Default)]
pub(super) struct Bases {
    series: HashMap<String, Base>,
    /// Those of the batch that is not in the queue yet.
    pending: HashMap<String, Base>,
    /// When telling began, in nanoseconds since 1970.
    begun: u64,
}

impl Bases {
    /// Returns no bases; telling begins at this time, in nanoseconds since 1970.
    pub(super) fn since(begun: u64) -> Self {
        Self { begun, ..Self::default() }
    }

    /// Returns since when, and by how much, a series has grown; `None` if it has not, or if that
    /// is not known.
    pub(super) fn growth(&mut self, key: String, now: Now, nanos: u64) -> Option<(u64, Vec<u64>)> {
        let geometry = now.geometry.map(|at| (at.scale, at.first, at.len));
        let whole = |since: u64| Some((since.min(nanos), now.words.clone()));
        let grown = match self.series.get(&key) {
            // A life that began after the last batch: all of it is news.
            Some(base) if now.start != 0 && base.start != 0 && now.start != base.start => {
                whole(now.start.max(base.until))
            }
            Some(base) if base.geometry == geometry && base.words.len() == now.words.len() => {
                let words = now.words.iter().zip(&base.words);
                let growth: Option<Vec<u64>> =
                    words.map(|(now, base)| now.checked_sub(*base)).collect();
                // One that has shrunk began anew somewhere: what it counted unseen is left out.
                growth.map(|growth| (base.until.min(nanos), growth))
            }
            Some(_) => None,
            None if now.start != 0 && (now.is_own || now.start >= self.begun) => whole(now.start),
            // What was counted before anybody looked is no growth.
            None => None,
        };
        let Now { start, words, .. } = now;
        self.pending.insert(key, Base { start, until: nanos, geometry, words });
        grown.filter(|(_, growth)| growth.iter().any(|word| *word > 0))
    }

    /// Begins a batch; one that was not committed is forgotten.
    pub(super) fn begin(&mut self) {
        self.pending.clear();
    }

    /// Takes everything in the batch as told.
    pub(super) fn commit(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if self.series.len() > pending.len().saturating_mul(2).saturating_add(SPARE) {
            self.series.clear();
        }
        self.series.extend(pending);
    }

    /// Returns the bases as bytes, with those of the batch under way or without.
    pub(super) fn to_bytes(&self, with_pending: bool) -> Vec<u8> {
        let pending = self.pending.iter().filter(|_| with_pending);
        let others =
            self.series.iter().filter(|(key, _)| !with_pending || !self.pending.contains_key(*key));
        let all: Vec<_> = pending.chain(others).collect();
        // Nothing in it can fail to be written to a vector.
        postcard::to_extend(&all, Vec::new()).unwrap_or_default()
    }

    /// Takes over bases of before; nothing if the bytes are none.
    pub(super) fn restore(&mut self, bytes: &[u8]) {
        let known: Result<Vec<(String, Base)>, _> = postcard::from_bytes(bytes);
        self.series.extend(known.unwrap_or_default());
    }
}

/// Returns the counts of a histogram in the order of a base.
pub(super) fn words(distribution: &Distribution<'_>) -> Vec<u64> {
    // The sum is read before the buckets, so that what is in it is in a bucket.
    let mut words = vec![distribution.sum(), distribution.zero(), distribution.overflow()];
    let len = distribution.geometry().len.min(BUCKETS_MAX);
    words.extend((0..len).map(|i| distribution.bucket(i)));
    words
}

/// Calls `f` with a histogram of counts in the order of a base; minimum and maximum of growth are
/// not known.
pub(super) fn with_histogram<R>(
    geometry: Buckets,
    words: &[u64],
    f: impl FnOnce(&Distribution<'_>) -> R,
) -> Option<R> {
    let [sum, zero, overflow, buckets @ ..] = words else { return None };
    let counts =
        Counts { sum: *sum, min: None, max: None, zero: *zero, overflow: *overflow, buckets };
    Some(f(&Distribution::new(geometry, counts)))
}

#[cfg(test)]
mod tests {
    use super::{Bases, Now};

    fn count(bases: &mut Bases, start: u64, count: u64, nanos: u64) -> Option<(u64, u64)> {
        let now = Now { start, is_own: false, geometry: None, words: vec![count] };
        bases.growth("key".to_owned(), now, nanos).map(|(since, words)| (since, words[0]))
    }

    /// If this fails, a receiver that adds up is told something twice, or not at all.
    #[test]
    fn growth_is_told_once() {
        let mut bases = Bases::since(100);
        // Began before anybody looked; then it grows.
        assert_eq!(count(&mut bases, 50, 1_000, 110), None);
        bases.commit();
        bases.begin();
        assert_eq!(count(&mut bases, 50, 1_003, 120), Some((110, 3)));
        // That batch was not queued.
        bases.begin();
        assert_eq!(count(&mut bases, 50, 1_004, 130), Some((110, 4)));
        let (before, after) = (bases.to_bytes(false), bases.to_bytes(true));
        bases.commit();
        bases.begin();
        assert_eq!(count(&mut bases, 50, 1_004, 140), None, "nothing new");
        bases.commit();
        // Another life, of which all is news; and one whose start nobody knows.
        assert_eq!(count(&mut bases, 135, 7, 150), Some((140, 7)));
        bases.commit();
        assert_eq!(count(&mut bases, 0, 2, 160), None, "what it counted unseen is left out");
        bases.commit();
        assert_eq!(count(&mut bases, 0, 5, 170), Some((160, 3)));
        for (bytes, grown) in [(before, Some((110, 9))), (after, Some((130, 5)))] {
            let mut restored = Bases::since(200);
            restored.restore(&bytes);
            assert_eq!(count(&mut restored, 50, 1_009, 210), grown);
            restored.restore(b"\xff\xff\xff");
        }
        let mut young = Bases::since(100);
        assert_eq!(count(&mut young, 105, 9, 110), Some((105, 9)), "it began while we looked");
    }
}

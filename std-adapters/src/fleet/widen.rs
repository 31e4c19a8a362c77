//! Widening: from words that wrap to 64-bit counts.
//!
//! A dictionary entry that says `bits = 32` (or 39) comes from a reporter without the RAM to widen
//! its words itself. The first receiver does: a count is then exact from first contact on, as long
//! as fewer than 2^bits events happen between two frames that arrive.

use std::collections::BTreeMap;
use std::time::Duration;

use tapes_core::metric::{BUCKETS_MAX, Kind};

use super::value::{Histogram, Stored};

/// Returns the largest value of a word of `bits` bits.
#[must_use]
pub const fn mask(bits: u8) -> u64 {
    if bits >= 64 { u64::MAX } else { (1 << bits) - 1 }
}

/// Returns the smallest value at or after `known` that is congruent to `word` modulo 2^bits.
///
/// ```
/// use tapes_std::fleet::widen::widen;
/// assert_eq!(widen(0xffff_fff0, 0x10, 32), 0x1_0000_0010);
/// assert_eq!(widen(7, 9, 32), 9);
/// ```
#[must_use]
pub const fn widen(known: u64, word: u64, bits: u8) -> u64 {
    known.wrapping_add(word.wrapping_sub(known) & mask(bits))
}

/// Returns whether values of this kind are counts of `bits` bits that wrap.
///
/// An up/down counter is signed and small: it is taken as it is.
#[must_use]
pub const fn wraps(kind: Kind, bits: u8) -> bool {
    let counts = matches!(kind, Kind::Counter | Kind::Meter | Kind::Histogram(_) | Kind::Timer(_));
    counts && bits < 64
}

/// Most events of one metric in a second that are believed, on average since the start.
///
/// Ten times what a microcontroller counts that does nothing else.
const EVENTS_PER_SECOND_MAX: u64 = 10_000_000;

/// Returns whether a count is smaller than it was, rather than wrapped: it grew by more than half
/// of what its words hold, and there was no time for that in the device's `uptime`.
///
/// A device that begins again under the epoch that it had makes such values. Taken for wraps they
/// would add 2^bits each.
#[must_use]
pub fn fell(known: &Stored, new: &Stored, bits: u8, uptime: Option<Duration>) -> bool {
    let seconds = uptime.map_or(0, |time| time.as_secs().saturating_add(1));
    let most = seconds.saturating_mul(EVENTS_PER_SECOND_MAX).max(mask(bits) / 2);
    let fell = |known: u64, new: u64| new.wrapping_sub(known) & mask(bits) > most;
    match (known, new) {
        (Stored::Unsigned(known), Stored::Unsigned(new)) => fell(*known, *new),
        (Stored::Histogram(known), Stored::Histogram(new)) => {
            // Without a way out in the middle, which would be looked for at every bucket.
            let pairs = known.buckets.iter().zip(&new.buckets);
            let both = pairs.fold(false, |any, (known, new)| any | fell(*known, *new));
            let rest = known.buckets.iter().skip(new.buckets.len());
            new.sum < known.sum
                || fell(known.zero, new.zero)
                || fell(known.overflow, new.overflow)
                || both
                || rest.into_iter().any(|known| fell(*known, 0))
        }
        _ => false,
    }
}

/// Widens a received value by the value known before it.
///
/// The sum of a histogram has 64 bits on every target and is taken as it is; its minimum and
/// maximum are no counts.
#[must_use]
pub fn widen_value(known: Option<&Stored>, mut new: Stored, bits: u8) -> Stored {
    if let Some(known) = known {
        widen_in_place(known, &mut new, bits);
    }
    new
}

/// As [`widen_value`].
pub(super) fn widen_in_place(known: &Stored, new: &mut Stored, bits: u8) {
    match (known, new) {
        (Stored::Unsigned(known), Stored::Unsigned(word)) => *word = widen(*known, *word, bits),
        (Stored::Histogram(known), Stored::Histogram(new)) => widen_histogram(known, new, bits),
        _ => {}
    }
}

fn widen_histogram(known: &Histogram, new: &mut Histogram, bits: u8) {
    new.zero = widen(known.zero, new.zero, bits);
    new.overflow = widen(known.overflow, new.overflow, bits);
    if new.buckets.len() < known.buckets.len() {
        new.buckets.resize(known.buckets.len(), 0);
    }
    for (word, known) in new.buckets.iter_mut().zip(&known.buckets) {
        *word = widen(*known, *word, bits);
    }
}

/// How often each word wrapped, if it has 32 bits, while it was not known how wide it is.
///
/// Word 0 is the count or the zero bucket, 1 the overflow bucket, the buckets follow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Falls(BTreeMap<u32, u32>);

impl Falls {
    /// Notes the words that wrapped if they have 32 bits.
    pub fn note(&mut self, known: &Stored, new: &Stored) {
        for (word, (known, new)) in (0..).zip(words(known).zip(words(new))) {
            // Words of 32 bits that count on fall so; what falls otherwise began again.
            let grown = new.wrapping_sub(known) & mask(32);
            if new < known && grown <= mask(31) {
                let falls = self.0.entry(word).or_default();
                *falls = falls.saturating_add(1);
            }
        }
    }

    /// Returns how often each word fell, those that never did left out.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.0.iter().map(|(word, falls)| (*word, *falls))
    }

    /// Adds the wraps to a value whose words turned out to have `bits` bits.
    pub fn widen(&self, value: &mut Stored, bits: u8) {
        if bits > 32 {
            // Nobody counts that far while an entry is awaited: the life began again.
            return;
        }
        for (word, falls) in &self.0 {
            let wraps = u64::from(*falls).checked_shl(u32::from(bits)).unwrap_or(0);
            if let Some(place) = word_mut(value, *word) {
                *place = place.wrapping_add(wraps);
            }
        }
    }
}

impl FromIterator<(u32, u32)> for Falls {
    fn from_iter<I: IntoIterator<Item = (u32, u32)>>(falls: I) -> Self {
        Self(falls.into_iter().collect())
    }
}

/// Returns the words of a value; missing buckets are zeros.
fn words(value: &Stored) -> impl Iterator<Item = u64> {
    let (fixed, buckets) = match value {
        Stored::Unsigned(count) => ([*count, 0], [].as_slice()),
        Stored::Histogram(histogram) => {
            ([histogram.zero, histogram.overflow], histogram.buckets.as_slice())
        }
        _ => ([0, 0], [].as_slice()),
    };
    let missing = (BUCKETS_MAX as usize).saturating_sub(buckets.len());
    let rest = std::iter::repeat_n(0, missing);
    fixed.into_iter().chain(buckets.iter().copied()).chain(rest)
}

fn word_mut(value: &mut Stored, word: u32) -> Option<&mut u64> {
    match value {
        Stored::Unsigned(count) if word == 0 => Some(count),
        Stored::Histogram(histogram) => match word {
            0 => Some(&mut histogram.zero),
            1 => Some(&mut histogram.overflow),
            bucket => {
                let bucket = usize::try_from(bucket - 2).ok()?;
                if histogram.buckets.len() <= bucket {
                    histogram.buckets.resize(bucket + 1, 0);
                }
                histogram.buckets.get_mut(bucket)
            }
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Falls, Histogram, Stored, fell, widen, widen_value};

    /// Repeated boot id: 4294967896 instead of 1600 where the fall was taken for a wrap.
    #[test]
    fn a_fall_is_told_from_a_wrap_by_the_time_there_was() {
        let seconds = |s| Some(Duration::from_secs(s));
        for (label, known, new, bits, uptime, expected) in [
            ("grows", 5, 9, 64, seconds(1), false),
            ("stays", 5, 5, 64, seconds(1), false),
            ("falls", 9, 5, 64, None, true),
            ("falls, 39 bits", 9, 5, 39, None, true),
            ("wraps, 39 bits", (1 << 39) - 1, 5, 39, seconds(9), false),
            ("wraps, 32 bits", (7 << 32) - 1, 5, 32, seconds(9), false),
            ("falls, 32 bits", 900, 700, 32, seconds(100), true),
            ("a day for 2^32", 900, 700, 32, seconds(86_400), false),
            ("no HELLO yet", 900, 700, 32, None, true),
        ] {
            let unsigned = fell(&Stored::Unsigned(known), &Stored::Unsigned(new), bits, uptime);
            assert_eq!(unsigned, expected, "{label}");
            let histogram = |count| {
                let histogram = Histogram { buckets: vec![1, count], ..Histogram::default() };
                Stored::Histogram(Box::new(histogram))
            };
            let in_bucket = fell(&histogram(known), &histogram(new), bits, uptime);
            assert_eq!(in_bucket, expected, "{label}, in a bucket");
        }
    }

    /// A gateway joining after a wrap was low by 2^32 for ever; one that saw the wrap must not be.
    #[test]
    fn counts_go_on_over_a_wrap() {
        for (known, word, bits, expected) in [
            (0, 5, 32, 5),
            (5, 5, 32, 5),
            (0xffff_ffff, 0, 32, 0x1_0000_0000),
            (0x1_ffff_ffff, 1, 32, 0x2_0000_0001),
            ((1 << 39) - 1, 1, 39, (1 << 39) + 1),
            (7, 6, 64, 6),
        ] {
            assert_eq!(widen(known, word, bits), expected, "{known:#x} then {word:#x}");
        }
    }

    /// Each bucket is a word of its own and wraps on its own; the sum does not.
    #[test]
    fn buckets_are_widened_one_by_one() {
        let known =
            Histogram { sum: 9, buckets: vec![u64::from(u32::MAX), 3, 1], ..Histogram::default() };
        let new = Histogram { sum: 12, buckets: vec![1, 4], zero: 2, ..Histogram::default() };
        let known = Stored::Histogram(Box::new(known));
        let widened = widen_value(Some(&known), Stored::Histogram(Box::new(new)), 32);
        let Stored::Histogram(widened) = widened else { panic!("a histogram stays one") };
        assert_eq!(widened.buckets, [(1 << 32) + 1, 4, 1 << 32]);
        assert_eq!((widened.sum, widened.zero), (12, 2));
    }

    /// A word that wraps before the dictionary arrives must not lose the wrap.
    #[test]
    fn falls_before_the_dictionary_become_wraps() {
        let histogram = |zero, buckets: &[u64]| {
            let buckets = buckets.to_vec();
            Stored::Histogram(Box::new(Histogram { zero, buckets, ..Histogram::default() }))
        };
        let mut falls = Falls::default();
        let last = u64::from(u32::MAX);
        falls.note(&histogram(5, &[9, last]), &histogram(6, &[10]));
        let mut value = histogram(6, &[10]);
        falls.widen(&mut value, 32);
        assert_eq!(value, histogram(6, &[10, 1 << 32]));

        let mut falls = Falls::default();
        for (known, new) in [(last, 2), (2, last - 5), (last - 5, 1), (1, 900), (900, 1)] {
            falls.note(&Stored::Unsigned(known), &Stored::Unsigned(new));
        }
        for (bits, expected) in [(32, (2 << 32) + 1), (39, 1), (64, 1)] {
            let mut value = Stored::Unsigned(1);
            falls.widen(&mut value, bits);
            assert_eq!(value, Stored::Unsigned(expected), "{bits} bits");
        }
    }
}

//! Making wrapping 32-bit words absolute: one byte of memory for each word.

use crate::metric::{Kind, Sample, Value, ZERO_WORD};
use crate::sync::Word;

/// Bits of a widened word: 32 of the word and 7 of the wrap count.
pub(super) const WIDENED_BITS: u8 = 39;

/// Bits of a word that is sent as it is.
pub(super) const WORD_BITS: u8 = 32;

/// Returns the widened value of a word; `memory` holds the wraps so far and the word's last top
/// bit.
///
/// Right as long as the word is seen at least once in every 2^31 increments: it wrapped when its
/// top bit went from 1 to 0.
pub(super) fn widen(memory: &mut u8, word: u64) -> u64 {
    let low = word & 0xffff_ffff;
    let top = (low >> 31).to_le_bytes()[0];
    let wrapped = *memory & 1 & !top;
    let wraps = (*memory >> 1).wrapping_add(wrapped);
    *memory = (wraps << 1) | top;
    (u64::from(wraps & 0x7f) << 32) | low
}

/// Widens the words of a metric that count; without memory for them, passes them on as they are.
#[derive(Debug)]
pub(super) struct Widener<'w> {
    wraps: &'w mut [u8],
    /// The memory of the first of them; behind the end if there is none.
    from: usize,
}

impl<'w> Widener<'w> {
    /// Returns one that passes all words on.
    pub(super) const fn none() -> Self {
        Self { wraps: &mut [], from: 0 }
    }

    pub(super) fn of(wraps: &'w mut [u8], sample: &Sample<'_>, all_wrap: bool) -> Self {
        let words = wraps.len();
        let from = match Wrapping::of(sample, all_wrap, words) {
            Wrapping::Widened { from } => from,
            _ => words,
        };
        Self { wraps, from }
    }

    /// Returns word `i` of the metric, widened.
    pub(super) fn word(&mut self, i: usize, word: u64) -> u64 {
        match self.wraps.get_mut(self.from.wrapping_add(i)) {
            Some(memory) => widen(memory, word),
            None => word,
        }
    }
}

/// How the counts of a metric wrap.
pub(super) enum Wrapping {
    /// They do not.
    Absolute,
    /// The encoder remembers the wraps of these words, the first of them at `from`.
    Widened { from: usize },
    /// They wrap as the words do.
    Raw,
}

impl Wrapping {
    /// `words` is the number of words that the encoder remembers.
    pub(super) fn of(sample: &Sample<'_>, all_wrap: bool, words: usize) -> Self {
        let narrow = size_of::<Word>() == 4;
        // Words of the metric before its counts, and those that count.
        let (before, len) = match (&sample.value, sample.kind) {
            (Value::Unsigned(_), Kind::Counter | Kind::Meter) if narrow || all_wrap => (0, 1),
            (Value::Distribution(value), _) if all_wrap || (narrow && value.is_live()) => {
                (ZERO_WORD, (value.geometry().len as usize).wrapping_add(2))
            }
            _ => return Self::Absolute,
        };
        let from = sample.word as usize;
        // The metrics of a family are described together, so they wrap alike. What a source claims
        // beyond all bounds is not remembered, whatever this comes to.
        let later = sample.family.max(1).wrapping_sub(sample.cell) as usize;
        let end = later.wrapping_mul(before.wrapping_add(len)).wrapping_add(from);
        if end <= words { Self::Widened { from: from.wrapping_add(before) } } else { Self::Raw }
    }
}

#[cfg(test)]
mod tests {
    use super::widen;

    /// If this fails, counters of a device that has run for weeks are wrong by 2^32.
    #[test]
    fn follows_a_counter_through_all_its_bits() {
        let (mut memory, mut truth) = (0, 0u64);
        for step in [1, 0x7fff_ffff, 0x8000_0000, 5, 0x7fff_fffb, 0x7fff_ffff].iter().cycle() {
            truth += step;
            if truth >= 1 << 39 {
                break;
            }
            assert_eq!(widen(&mut memory, truth & 0xffff_ffff), truth);
            // Seen again without a change.
            assert_eq!(widen(&mut memory, truth & 0xffff_ffff), truth);
        }
    }

    /// If this fails, a widened value does not wrap where the dictionary says it does.
    #[test]
    fn wraps_after_39_bits() {
        let mut memory = 0xff;
        assert_eq!(widen(&mut memory, 0xffff_ffff), (1 << 39) - 1);
        assert_eq!(widen(&mut memory, 3), 3);
    }
}

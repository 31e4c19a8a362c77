//! Making wrapping 32-bit words absolute: one byte of memory for each word.

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

/// Widens words of a metric in turn; those beyond the memory are passed on as they are.
#[derive(Debug)]
pub(super) struct Widener<'w>(pub(super) &'w mut [u8]);

impl Widener<'_> {
    /// Returns word `i` of the metric, widened.
    pub(super) fn word(&mut self, i: usize, word: u64) -> u64 {
        match self.0.get_mut(i) {
            Some(memory) => widen(memory, word),
            None => word,
        }
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

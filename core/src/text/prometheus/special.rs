//! Which texts have to be escaped, found eight bytes at a time.

const LOW: u64 = u64::from_ne_bytes([1; 8]);
const HIGH: u64 = LOW << 7;

/// Returns whether a text has a backslash, a line feed or a quote.
#[inline]
pub(super) fn has_special(text: &str) -> bool {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let found = words.iter().chain([&last]).fold(0, |found, word| {
        let word = u64::from_ne_bytes(*word);
        found
            | zeros(word ^ repeated(b'\\'))
            | zeros(word ^ repeated(b'\n'))
            | zeros(word ^ repeated(b'"'))
    });
    found != 0
}

const fn repeated(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Returns 0 unless a byte of the word is 0: only then something is borrowed from its high bit, or
/// from that of a byte above it. Source: A. Mycroft, as in "Hacker's Delight", 6-1.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::has_special;

    /// If this fails, a label ends where its sender wants it to, or plain ones are searched twice.
    #[test]
    fn each_special_byte_is_found_wherever_it_is() {
        for len in 0..40 {
            let plain: String = "a~ \u{7f}µ\u{0b}!#[]".chars().cycle().take(len).collect();
            assert!(!has_special(&plain), "{plain:?}");
            for (place, _) in plain.char_indices() {
                for special in ['\\', '\n', '"'] {
                    let mut text = plain.clone();
                    text.insert(place, special);
                    assert!(has_special(&text), "{text:?}");
                }
            }
        }
    }
}

//! Topics: what a message is, and whose.

use std::fmt::Write as _;

use tapes_core::wire::Origin;

/// Longest level of a topic that is ours, in bytes.
const LEVEL_LEN_MAX: usize = 64;

/// Returns whether a text may be the name of a client, or a prefix.
pub(super) fn is_level(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=LEVEL_LEN_MAX).contains(&text.len()) && text.chars().all(is_allowed)
}

/// What a topic below the prefix says of its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic<'t> {
    /// A bare frame.
    Frame(Origin),
    /// HELLO and the dictionary, as a byte stream.
    Dictionary(Origin),
    /// Whether a device or a client is there.
    State(&'t str),
}

impl<'t> Topic<'t> {
    /// Reads a topic; `None` if it is not one of ours.
    pub(super) fn parse(prefix: &str, topic: &'t str) -> Option<Self> {
        let rest = topic.strip_prefix(prefix)?.strip_prefix('/')?;
        match rest.split_once('/') {
            None => origin(rest).map(Self::Frame),
            Some((who, "dictionary")) => origin(who).map(Self::Dictionary),
            Some((who, "state")) => is_level(who).then_some(Self::State(who)),
            Some(_) => None,
        }
    }
}

/// Returns the level of an origin: its bytes in lower case hexadecimal digits.
pub(super) fn level(origin: &Origin) -> String {
    let mut level = String::new();
    for byte in origin.as_bytes() {
        // Writing to a string does not fail.
        let _ = write!(level, "{byte:02x}");
    }
    level
}

/// Reads the level of an origin.
pub(super) fn origin(level: &str) -> Option<Origin> {
    let is_digit = |c: &u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
    if level.len() % 2 == 1 || level.len() > 2 * 16 || !level.as_bytes().iter().all(is_digit) {
        return None;
    }
    let byte = |at| u8::from_str_radix(level.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..level.len()).step_by(2).map(byte).collect();
    Origin::new(&bytes?).ok()
}

#[cfg(test)]
mod tests {
    use tapes_core::wire::Origin;

    use super::{Topic, level};

    /// Anybody can publish anything.
    #[test]
    fn topics_are_ours_or_nothing() {
        let origin = Origin::from_array([0xe6, 0x0a]);
        assert_eq!(level(&origin), "e60a");
        for (topic, expected) in [
            ("tapes/e60a", Some(Topic::Frame(origin))),
            ("tapes/e60a/dictionary", Some(Topic::Dictionary(origin))),
            ("tapes/e60a/state", Some(Topic::State("e60a"))),
            ("tapes/gateway-1/state", Some(Topic::State("gateway-1"))),
            ("tapes", None),
            ("tapes/", None),
            ("tapes/E60A", None),
            ("tapes/e60", None),
            ("tapes/é", None),
            ("tapes/e60a/other", None),
            ("tapes/e60a/state/x", None),
            ("tapes/gateway 1/state", None),
            ("tapes2/e60a", None),
            ("tapes/e6000000000000000000000000000000", None),
            ("tapes/e600000000000000000000000000000000", None),
        ] {
            let expected = match topic {
                // 16 bytes are as many as there may be.
                "tapes/e6000000000000000000000000000000" => {
                    let mut bytes = [0; 16];
                    bytes[0] = 0xe6;
                    Some(Topic::Frame(Origin::from_array(bytes)))
                }
                _ => expected,
            };
            assert_eq!(Topic::parse("tapes", topic), expected, "{topic}");
        }
    }
}

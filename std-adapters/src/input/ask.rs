//! When to ask a sender for what is missing.

use std::time::Duration;

use tapes_core::wire::Request;

/// From a request to the next one.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// Longest pause: a sender that does not listen, or has an entry that is refused, is left alone.
const PAUSE_MAX: Duration = Duration::from_secs(64);

/// What is asked for: names, and with them the values that were not sent for want of a change.
pub(super) const REQUESTS: [u8; 2] = [Request::Dictionary.byte(), Request::Keyframe.byte()];

/// Decides when to ask on one line.
#[derive(Debug, Default)]
pub(super) struct Asker {
    next: Duration,
    /// Zero if nothing is missing.
    pause: Duration,
}

impl Asker {
    /// Returns whether to ask now, if names are missing; the longer in vain, the less often.
    pub(super) fn asks(&mut self, lacks_names: bool, now: Duration) -> bool {
        if !lacks_names {
            self.pause = Duration::ZERO;
            return false;
        }
        if now < self.next {
            return false;
        }
        self.pause = (self.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
        self.next = now + self.pause;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Asker;

    /// If this fails, a board that does not listen is written to all the time, or one that does
    /// keeps its gateway waiting.
    #[test]
    fn asks_at_once_then_less_and_less_often() {
        let mut asker = Asker::default();
        let mut asked = Vec::new();
        for second in 0..300 {
            // For a second at 150, everything is there; then a board was changed for another.
            if asker.asks(second != 150, Duration::from_secs(second)) {
                asked.push(second);
            }
        }
        assert_eq!(asked, [0, 1, 3, 7, 15, 31, 63, 127, 191, 192, 194, 198, 206, 222, 254]);
    }
}

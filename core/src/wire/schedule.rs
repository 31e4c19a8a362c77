//! When a keyframe is due, and how much of the dictionary goes with each report.

/// The whole dictionary is repeated within this time, in milliseconds.
pub(super) const DICTIONARY_CYCLE_MS: u32 = 30_000;

/// Bursts in which the dictionary is repeated, about: fewer frames than one for each report, so that
/// less of the line goes into headers.
const BURSTS: u32 = 8;

/// Reports from one keyframe to the next, unless set otherwise.
const KEYFRAME_INTERVAL: u16 = 10;

/// The rhythm of reports.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    /// Reports from one keyframe to the next, at least 1.
    keyframe_interval: u16,
    /// Reports from one burst of the dictionary to the next, at least 1.
    burst_interval: u16,
    /// Bursts of one cycle, at least 1 and less than twice [`BURSTS`].
    bursts: u8,
    /// Reports since the last keyframe that was completed, up to one less than the interval.
    since_keyframe: u16,
    /// Reports since the last burst.
    since_burst: u16,
    /// Whether the next report is a keyframe whatever its turn.
    keyframe_due: bool,
}

/// What a report has to carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) keyframe: bool,
    /// Whether a burst of the dictionary is due.
    pub(super) burst: bool,
}

impl Schedule {
    /// Before there is one; all bytes are zero.
    pub(super) const UNSTARTED: Self = Self {
        keyframe_interval: 0,
        burst_interval: 0,
        bursts: 0,
        since_keyframe: 0,
        since_burst: 0,
        keyframe_due: false,
    };

    /// Of one report a second.
    #[cfg(test)]
    const NEW: Self = {
        let mut schedule = Self::UNSTARTED;
        schedule.start();
        schedule
    };

    /// Begins with a keyframe, and with one report a second.
    pub(super) const fn start(&mut self) {
        self.keyframe_due = true;
        self.set_keyframe_interval(KEYFRAME_INTERVAL);
        self.set_report_interval_ms(1_000);
    }

    pub(super) const fn set_keyframe_interval(&mut self, reports: u16) {
        self.keyframe_interval = if reports == 0 { 1 } else { reports };
    }

    #[expect(clippy::cast_possible_truncation, reason = "at most 30,000, and 15")]
    #[inline]
    pub(super) const fn set_report_interval_ms(&mut self, interval_ms: u32) {
        let interval_ms = if interval_ms == 0 { 1 } else { interval_ms };
        let reports = DICTIONARY_CYCLE_MS / interval_ms;
        let interval = reports / BURSTS;
        let interval = if interval == 0 { 1 } else { interval };
        let bursts = reports / interval;
        self.burst_interval = interval as u16;
        self.bursts = if bursts == 0 { 1 } else { bursts as u8 };
    }

    /// Returns the part of `places` that goes with one burst, at least 1.
    pub(super) const fn burst_len(&self, places: u32) -> u32 {
        let bursts = if self.bursts == 0 { 1 } else { self.bursts as u32 };
        // Divides by counting: a dozen metrics take a few steps, and a device needs no routine.
        let (mut len, mut covered) = (1, bursts);
        while covered < places {
            len += 1;
            covered += bursts;
        }
        len
    }

    /// Makes the next report a keyframe.
    pub(super) const fn force_keyframe(&mut self) {
        self.keyframe_due = true;
    }

    /// Begins a report.
    pub(super) const fn begin(&mut self) -> Turn {
        let keyframe = !count(&mut self.since_keyframe, self.keyframe_interval);
        let burst = !count(&mut self.since_burst, self.burst_interval);
        if burst {
            self.since_burst = 0;
        }
        Turn { keyframe: keyframe || self.keyframe_due, burst }
    }

    /// Ends a report that went out whole.
    pub(super) const fn complete(&mut self, turn: Turn) {
        if turn.keyframe {
            self.keyframe_due = false;
            self.since_keyframe = 0;
        }
    }
}

/// Counts one more unless that reaches `interval`, and tells which.
const fn count(since: &mut u16, interval: u16) -> bool {
    let next = *since as u32 + 1;
    let short = next < interval as u32;
    if short {
        *since += 1;
    }
    short
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    /// If this fails, a gateway that comes in late waits longer than 30 s for the names.
    #[test]
    fn whole_dictionary_within_30_seconds() {
        for interval_ms in [0, 1, 10, 100, 250, 1_000, 3_999, 4_000, 5_000, 10_000, 29_000] {
            for places in [1, 2, 3, 19, 20, 100, 10_000] {
                let mut schedule = Schedule::NEW;
                schedule.set_report_interval_ms(interval_ms);
                let (mut sent, mut reports) = (0, 0);
                while sent < places {
                    reports += 1;
                    if schedule.begin().burst {
                        sent += schedule.burst_len(places);
                    }
                }
                let took = reports * interval_ms;
                assert!(took <= 30_000, "{places} places every {interval_ms} ms took {took}");
            }
        }
    }

    /// If this fails, a keyframe comes too late, or a failed one is not repeated.
    #[test]
    fn keyframes_first_and_every_nth() {
        let mut schedule = Schedule::NEW;
        schedule.set_keyframe_interval(3);
        let mut turns = std::vec::Vec::new();
        for report in 0..9 {
            let turn = schedule.begin();
            turns.push(turn.keyframe);
            // The keyframe of report 3 fails.
            if report != 3 {
                schedule.complete(turn);
            }
        }
        let expected = [true, false, false, true, true, false, false, true, false];
        assert_eq!(turns, expected);
    }
}

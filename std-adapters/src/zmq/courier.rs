//! The sending end of an acknowledged connection: when to report, and when to begin again.
//!
//! A courier has no queue. At most one report is under way; what changes meanwhile is in the next
//! one, since all values are absolute. Without an answer it reports again after [`PROBE`], which
//! makes a receiver say what it misses, and takes a new connection after [`RESET`].

use std::fmt;
use std::time::Duration;

use super::transport::Uplink;

/// Silence after which a report is followed by another one.
const PROBE: Duration = Duration::from_secs(1);

/// Silence after which a new connection is made, the first time.
const RESET: Duration = Duration::from_secs(5);

/// As [`RESET`], when connections were made in vain.
const RESET_MAX: Duration = Duration::from_secs(30);

/// What a report is made of, and who understands the answers to it.
pub(super) trait Cargo: Send + fmt::Debug {
    /// Begins a report of what changed, or with `fresh` of everything.
    fn begin(&mut self, fresh: bool, now: Duration);

    /// Returns the next message of the report, `None` at its end.
    fn next(&mut self) -> Option<Vec<u8>>;

    /// Reads an answer.
    fn answer(&mut self, message: &[u8]) -> Answer;

    /// Returns whether the last report left something out that is to follow at once.
    fn has_more(&self) -> bool;
}

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The whole last report is kept, and everything before it.
    Kept,
    /// A part of it.
    Progress,
    /// Something before it is missing: begin again.
    Missing,
    /// Nothing about the last report.
    Other,
}

/// What a sender did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SenderStats {
    /// Reports begun.
    pub reports: u64,
    /// Reports that the receiver says it keeps.
    pub acknowledged: u64,
    /// Messages handed to the socket.
    pub messages: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Times that everything was sent again.
    pub restarts: u64,
    /// Connections begun.
    pub connections: u64,
    /// Reports not made because the process was forked and not told so.
    pub forked: u64,
}

/// What a report waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Everything reported is kept; the next report is due then.
    Idle { until: Duration },
    /// Everything has to be sent again, but not at once.
    Resting { until: Duration },
    /// Messages are being sent.
    Sending { since: Duration },
    /// The answer is awaited: since when nothing was heard, and since the last message.
    Waiting { since: Duration, sent: Duration },
}

/// Sends the reports of a cargo.
#[derive(Debug)]
pub(super) struct Courier<U, C> {
    uplink: U,
    cargo: C,
    interval: Duration,
    state: State,
    /// Whether the next report is to have everything.
    fresh: bool,
    /// The message that found no room.
    held: Option<Vec<u8>>,
    patience: Duration,
    /// Time from one report of everything to the next: zero after an acknowledgement.
    pause: Duration,
    /// When the last report of everything began.
    restarted: Duration,
    stats: SenderStats,
}

impl<U: Uplink, C: Cargo> Courier<U, C> {
    pub(super) fn new(uplink: U, cargo: C, interval: Duration) -> Self {
        let stats = SenderStats { connections: 1, ..SenderStats::default() };
        Self {
            uplink,
            cargo,
            interval,
            state: State::Idle { until: Duration::ZERO },
            fresh: true,
            held: None,
            patience: RESET,
            pause: Duration::ZERO,
            restarted: Duration::ZERO,
            stats,
        }
    }

    #[cfg(test)]
    pub(super) const fn uplink(&self) -> &U {
        &self.uplink
    }

    /// Returns what was done so far.
    pub(super) const fn stats(&self) -> SenderStats {
        self.stats
    }

    /// Returns whether the last report is kept, with everything before it.
    pub(super) const fn is_kept(&self) -> bool {
        matches!(self.state, State::Idle { .. })
    }

    /// Makes the next report due at once.
    pub(super) fn hurry(&mut self, now: Duration) {
        if let State::Idle { until } = &mut self.state {
            *until = now;
        }
    }

    /// Does what is due at `now`, after it waited for an answer for at most `patience`.
    pub(super) fn step(&mut self, now: impl Fn() -> Duration, patience: Duration) {
        let mut message = self.uplink.receive(patience);
        while let Some(bytes) = message {
            self.heard(&bytes, now());
            message = self.uplink.receive(Duration::ZERO);
        }
        let now = now();
        match self.state {
            State::Idle { until } | State::Resting { until } if now >= until => self.begin(now),
            State::Waiting { since, .. } | State::Sending { since }
                if now.saturating_sub(since) >= self.patience =>
            {
                self.reset(now);
            }
            State::Waiting { since, sent } if now.saturating_sub(sent) >= PROBE => {
                self.begin(now);
                self.state = State::Sending { since };
            }
            _ => {}
        }
        self.send(now);
    }

    fn heard(&mut self, message: &[u8], now: Duration) {
        let answer = self.cargo.answer(message);
        if answer != Answer::Other {
            self.patience = RESET;
        }
        match (answer, self.state) {
            (Answer::Kept, State::Waiting { .. }) => {
                self.stats.acknowledged += 1;
                self.pause = Duration::ZERO;
                let wait = if self.cargo.has_more() { Duration::ZERO } else { self.interval };
                self.state = State::Idle { until: now.saturating_add(wait) };
            }
            (Answer::Progress, State::Waiting { sent, .. }) => {
                self.state = State::Waiting { since: now, sent };
            }
            (Answer::Missing, State::Waiting { .. } | State::Sending { .. }) => {
                self.fresh = true;
                let until = self.restarted.saturating_add(self.pause);
                self.pause = (self.pause * 2).clamp(PROBE, RESET_MAX);
                self.state = State::Resting { until };
            }
            _ => {}
        }
    }

    fn begin(&mut self, now: Duration) {
        self.stats.reports += 1;
        if self.fresh {
            self.stats.restarts += 1;
            self.restarted = now;
        }
        self.cargo.begin(self.fresh, now);
        (self.fresh, self.held) = (false, None);
        self.state = State::Sending { since: now };
    }

    fn reset(&mut self, now: Duration) {
        self.uplink.reconnect();
        self.stats.connections += 1;
        self.patience = (self.patience * 2).min(RESET_MAX);
        self.fresh = true;
        self.begin(now);
    }

    fn send(&mut self, now: Duration) {
        let State::Sending { since } = self.state else { return };
        while let Some(message) = self.held.take().or_else(|| self.cargo.next()) {
            let len = message.len() as u64;
            if let Err(message) = self.uplink.try_send(message) {
                self.held = Some(message);
                return;
            }
            self.stats.messages += 1;
            self.stats.bytes += len;
        }
        self.state = State::Waiting { since, sent: now };
    }
}

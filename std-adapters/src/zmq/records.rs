//! Records of a fleet, on their way to another receiver.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use super::courier::{Answer, Cargo};
use super::message::Message;
use crate::fleet::SharedFleet;
use crate::fleet::store::random;
use crate::fleet::transfer::Sent;

/// Length of a batch after which another one is begun, in bytes. One epoch is never cut, so that a
/// batch can be longer by a device's state, 4 MiB.
pub(super) const BATCH_LEN: usize = 128 << 10;

/// Batches that are sent before their receiver says that it keeps them.
const BATCHES_MAX: usize = 16;

/// A fleet and what of it was sent.
pub(super) struct Records {
    fleet: SharedFleet,
    /// The time between two reports if they are sums of everything, `None` if of single sources.
    rollup: Option<Duration>,
    session: u64,
    sent: Sent,
    /// Number of the next message.
    number: u64,
    kept: u64,
    waiting: VecDeque<Vec<u8>>,
    has_more: bool,
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Records {
    /// Returns the records of single sources, or of their sums, with the time between two reports.
    pub(super) fn new(fleet: SharedFleet, rollup: Option<Duration>) -> Self {
        Self {
            fleet,
            rollup,
            session: 0,
            sent: Sent::default(),
            number: 0,
            kept: 0,
            waiting: VecDeque::new(),
            has_more: false,
        }
    }
}

impl Cargo for Records {
    fn begin(&mut self, fresh: bool, _: Duration) {
        if fresh {
            self.session = random();
            (self.sent, self.number, self.kept) = (Sent::default(), 0, 0);
            self.waiting.clear();
        }
        if !self.waiting.is_empty() {
            return;
        }
        if let Some(interval) = self.rollup {
            let now = self.fleet.now();
            self.fleet.lock().roll_up(interval, now);
        }
        // Saved before it is sent: what was widened, or added up, here must be known here after a
        // restart.
        let (sent, is_sum) = (&mut self.sent, self.rollup.is_some());
        let (mut batches, _) = self.fleet.look(|fleet, now| {
            let own = fleet.own_origin();
            let is_other = |origin| (origin == own) != is_sum;
            fleet.newer(sent, is_other, now, (BATCH_LEN, BATCHES_MAX))
        });
        self.has_more = batches.len() >= BATCHES_MAX;
        if batches.is_empty() {
            // Asks whether everything before it is kept.
            batches.push(Vec::new());
        }
        self.waiting = batches.into();
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        let content = self.waiting.pop_front()?;
        let node = self.fleet.lock().node().0;
        let (session, number) = (self.session, self.number);
        self.number += 1;
        Some(Message::Records { node, session, number, content: &content }.to_bytes())
    }

    fn answer(&mut self, message: &[u8]) -> Answer {
        match Message::parse(message) {
            Some(Message::RecordsKept { session, number, .. }) if session == self.session => {
                let is_progress = number > self.kept;
                self.kept = self.kept.max(number);
                if number >= self.number && self.waiting.is_empty() {
                    Answer::Kept
                } else if is_progress {
                    Answer::Progress
                } else {
                    Answer::Other
                }
            }
            Some(Message::Again { session }) if session == self.session => Answer::Missing,
            _ => Answer::Other,
        }
    }

    fn has_more(&self) -> bool {
        self.has_more
    }
}

//! The reporter whose sockets never wait.

use std::sync::Arc;

use tapes_core::report::Reporter;

use super::engine::Engine;
use super::link::Link;
use super::{StatsHandle, StatsdBuilder, StatsdError};
use crate::clock::TimeSource;
use crate::readings::Readings;

/// Reports to a StatsD server; [the module](super) says what it sends.
///
/// Driven by a [`ThreadScheduler`](crate::schedule::ThreadScheduler), or by hand with
/// [`report`](Self::report). Only looking up a name can take its time.
#[derive(Debug)]
#[must_use = "a reporter does nothing unless it is asked to report"]
pub struct StatsdReporter {
    pub(super) readings: Arc<dyn Readings>,
    pub(super) engine: Engine,
    pub(super) link: Link,
    pub(super) time: Arc<dyn TimeSource>,
    pub(super) stats: StatsHandle,
}

impl StatsdReporter {
    /// Begins with a server: `host:port`, `unix:///path` or `unixstream:///path`.
    pub fn builder(target: impl Into<String>) -> StatsdBuilder {
        StatsdBuilder::new(target)
    }

    /// Returns what was sent so far, for as long as anybody wants to know.
    #[must_use]
    pub fn stats(&self) -> StatsHandle {
        self.stats.clone()
    }

    /// Sends one report.
    ///
    /// # Errors
    ///
    /// [`StatsdError`]: the last reason why something was not sent. The counts in it are part of
    /// the next report.
    pub fn report(&mut self) -> Result<(), StatsdError> {
        let Self { readings, engine, link, time, stats } = self;
        let too_long = engine.render(&**readings);
        stats.change(|stats| stats.lines_too_long = stats.lines_too_long.saturating_add(too_long));
        let len = engine.batch().len();
        if let Err(error) = link.ready(time.monotonic(), stats) {
            stats.dropped(len, engine.batch().bytes_from(0));
            return Err(error);
        }
        let mut result = Ok(());
        for i in 0..len {
            let payload = engine.batch().payload(i);
            match link.send(payload, stats) {
                Ok(()) => {
                    stats.sent(payload.len());
                    engine.commit(i);
                }
                // What is too long for a route, say; the others may be shorter.
                Err(error @ StatsdError::Send(_)) => {
                    stats.dropped(1, payload.len());
                    result = Err(error);
                }
                Err(error) => {
                    stats.dropped(len - i, engine.batch().bytes_from(i));
                    return Err(error);
                }
            }
        }
        result
    }
}

impl Reporter for StatsdReporter {
    type Error = StatsdError;

    fn report(&mut self, _uptime: u64) -> Result<(), StatsdError> {
        Self::report(self)
    }
}

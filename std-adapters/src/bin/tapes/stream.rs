//! The JSON lines of `tapes gateway --stream`.

use std::io::{self, Stdout};
use std::sync::Arc;
use std::time::Duration;

use tapes_std::fleet::SharedFleet;
use tapes_std::schedule::ThreadScheduler;
use tapes_std::stream::{JsonStream, StreamError};
use tokio::sync::watch;

/// Shortest pause between two lines.
const INTERVAL_MIN: Duration = Duration::from_millis(10);

/// The lines on standard output.
pub(crate) struct Stream {
    lines: Option<ThreadScheduler<JsonStream<Stdout>>>,
    /// Whether nobody reads them any more.
    closed: watch::Receiver<bool>,
}

impl Stream {
    /// Returns a stream that never writes.
    pub(crate) fn none() -> Self {
        Self { lines: None, closed: watch::channel(false).1 }
    }

    /// Writes a line at once, and one after each `interval`.
    pub(crate) fn start(interval: Duration, fleet: &SharedFleet) -> Result<Self, String> {
        let (closing, closed) = watch::channel(false);
        let stream = JsonStream::new(Arc::new(fleet.clone()), io::stdout());
        let mut lines = ThreadScheduler::every(interval.max(INTERVAL_MIN), stream)
            .with_name("tapes-stream")
            .ending_when(StreamError::is_closed)
            .with_error_hook(move |error| {
                tracing::warn!("{error}");
                if error.is_closed() {
                    // Nobody waits any more if this fails.
                    let _ = closing.send(true);
                }
            });
        lines.start().map_err(|error| error.to_string())?;
        Ok(Self { lines: Some(lines), closed })
    }

    /// Returns what becomes true when nobody reads any more.
    pub(crate) fn closed(&self) -> watch::Receiver<bool> {
        self.closed.clone()
    }

    /// Writes a last line.
    pub(crate) fn finish(self) {
        if let Some(mut lines) = self.lines {
            lines.stop();
        }
    }
}

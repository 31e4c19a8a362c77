//! One JSON object a line, at an interval: for pipes, logs and files.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use crate::exposition::Exposition;
use crate::input::Stop;

/// Why a line was not written.
#[derive(Debug)]
#[non_exhaustive]
pub enum StreamError {
    /// The metrics could not be rendered.
    Render,
    /// The writer failed: the pipe is closed, or the disk full.
    Write(io::Error),
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Render => f.write_str("metrics could not be rendered"),
            Self::Write(source) => write!(f, "stream could not be written: {source}"),
        }
    }
}

impl std::error::Error for StreamError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Render => None,
            Self::Write(source) => Some(source),
        }
    }
}

/// Writes the JSON tree of an exposition as lines.
///
/// ```
/// use std::sync::Arc;
/// use tapes_std::clock::ManualTime;
/// use tapes_std::fleet::{Fleet, Limits, NodeId, SharedFleet};
/// use tapes_std::stream::JsonStream;
///
/// let fleet = Fleet::new(NodeId::default(), Limits::default());
/// let fleet = SharedFleet::new(fleet, Arc::new(ManualTime::new()));
/// let mut stream = JsonStream::new(Arc::new(fleet), Vec::new());
/// stream.report()?;
/// assert_eq!(stream.into_inner(), b"{}\n");
/// # Ok::<(), tapes_std::stream::StreamError>(())
/// ```
#[derive(Debug)]
pub struct JsonStream<W> {
    exposition: Arc<dyn Exposition>,
    out: W,
    /// Kept for its capacity.
    line: String,
}

impl<W: Write> JsonStream<W> {
    /// Returns a stream that writes to `out`.
    pub fn new(exposition: Arc<dyn Exposition>, out: W) -> Self {
        Self { exposition, out, line: String::new() }
    }

    /// Returns the writer.
    pub fn into_inner(self) -> W {
        self.out
    }

    /// Writes one line, in one piece, and flushes.
    ///
    /// # Errors
    ///
    /// [`StreamError`]; nothing of the line was written if it could not be rendered.
    pub fn report(&mut self) -> Result<(), StreamError> {
        self.line.clear();
        self.exposition.stats(&[], &mut self.line).map_err(|_| StreamError::Render)?;
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes()).map_err(StreamError::Write)?;
        self.out.flush().map_err(StreamError::Write)
    }

    /// Writes a line at once, one after each `interval`, and a last one when asked to stop.
    ///
    /// # Errors
    ///
    /// The first [`StreamError::Write`], which ends the stream. What cannot be rendered is left
    /// out.
    pub fn run(&mut self, interval: Duration, stop: &Stop) -> Result<(), StreamError> {
        loop {
            let is_last = stop.is_stopped();
            match self.report() {
                Err(error @ StreamError::Write(_)) => return Err(error),
                Ok(()) | Err(StreamError::Render) => {}
            }
            if is_last {
                return Ok(());
            }
            // Asked or not: a line comes next.
            let _ = stop.wait(interval);
        }
    }
}

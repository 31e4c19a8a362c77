//! One JSON object a line, at an interval: for pipes, logs and files.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use tapes_std::local::Local;
//! use tapes_std::schedule::ThreadScheduler;
//! use tapes_std::stream::{JsonStream, StreamError};
//!
//! static REGISTRY: tapes_core::Registry<8, 64> = tapes_core::Registry::new();
//!
//! let stream = JsonStream::new(Arc::new(Local::new(&REGISTRY)), std::io::stdout());
//! let mut lines = ThreadScheduler::every(Duration::from_secs(1), stream)
//!     .ending_when(StreamError::is_closed)
//!     .with_error_hook(|error| eprintln!("{error}"));
//! lines.start()?;
//! REGISTRY.counter("jobs.done")?.increment();
//! lines.stop(); // {"jobs":{"done":{"value":1}}}
//! # assert!(lines.stats().reports >= 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `AsyncJsonStream` (feature `tokio`) does the same in a task.
//!
//! A line is the tree of [`tapes_core::text::json`], numbers that are none of JSON's, NaN and
//! infinities, as `null`; with a [timestamp](JsonStream::with_timestamps), the tree is one of two
//! members of an object. Each line is written in one piece and flushed. A line that failed in the
//! middle is ended by the line feed that comes before the next.

#[cfg(feature = "tokio")]
mod asynchronous;
mod line;

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use tapes_core::report::Reporter;

#[cfg(feature = "tokio")]
pub use self::asynchronous::AsyncJsonStream;
use self::line::Line;
use crate::clock::TimeSource;
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

impl StreamError {
    /// Returns whether nobody will read any more: the other end of the pipe or socket is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, WriteZero};
        let Self::Write(error) = self else { return false };
        matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | WriteZero)
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

/// Writes the JSON tree of an exposition as lines; [the module](self) has an example.
#[derive(Debug)]
pub struct JsonStream<W> {
    line: Line,
    out: W,
}

impl<W> JsonStream<W> {
    /// Returns a stream that writes to `out`.
    pub fn new(exposition: Arc<dyn Exposition>, out: W) -> Self {
        Self { line: Line::new(exposition), out }
    }

    /// Writes `{"timestamp":…,"metrics":…}` instead of the tree alone; the time of day is in
    /// seconds since 1970, exact to the millisecond.
    ///
    /// Defaults to no timestamp.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use tapes_std::clock::ManualTime;
    /// use tapes_std::local::Local;
    /// use tapes_std::stream::JsonStream;
    ///
    /// static REGISTRY: tapes_core::Registry<1, 1> = tapes_core::Registry::new();
    /// let time = Arc::new(ManualTime::new());
    /// let mut stream =
    ///     JsonStream::new(Arc::new(Local::new(&REGISTRY)), Vec::new()).with_timestamps(time.clone());
    /// time.advance(Duration::from_millis(1_050));
    /// stream.report()?;
    /// assert_eq!(stream.into_inner(), b"{\"timestamp\":1.05,\"metrics\":{}}\n");
    /// # Ok::<(), tapes_std::stream::StreamError>(())
    /// ```
    #[must_use]
    pub fn with_timestamps(mut self, time: Arc<dyn TimeSource>) -> Self {
        self.line.set_time(time);
        self
    }

    /// Returns the writer.
    pub fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write> JsonStream<W> {
    /// Writes one line, in one piece, and flushes.
    ///
    /// # Errors
    ///
    /// [`StreamError`]; nothing of the line was written if it could not be rendered.
    pub fn report(&mut self) -> Result<(), StreamError> {
        let line = self.line.render()?;
        let written = self.out.write_all(line).and_then(|()| self.out.flush());
        self.line.written(written)
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

impl<W: Write> Reporter for JsonStream<W> {
    type Error = StreamError;

    fn report(&mut self, _uptime: u64) -> Result<(), StreamError> {
        Self::report(self)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind, Write};
    use std::sync::Arc;
    use std::time::Duration;

    use tapes_core::Registry;

    use super::{JsonStream, StreamError};
    use crate::local::Local;
    use crate::schedule::ThreadScheduler;

    /// Takes some bytes, then fails as told, once; counts flushes.
    #[derive(Debug, Default)]
    struct Fussy {
        taken: Vec<u8>,
        /// Bytes until the failure.
        left: Option<usize>,
        flushes: usize,
    }

    impl Write for Fussy {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let len = match &mut self.left {
                Some(0) => {
                    self.left = None;
                    return Err(ErrorKind::StorageFull.into());
                }
                Some(left) => {
                    let len = bytes.len().min(*left);
                    *left -= len;
                    len
                }
                None => bytes.len(),
            };
            self.taken.extend_from_slice(&bytes[..len]);
            Ok(len)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.flushes += 1;
            Ok(())
        }
    }

    /// Parsers stop at the first token that is not JSON's.
    #[test]
    fn what_json_has_no_number_for_is_null() {
        static REGISTRY: Registry<8, 8> = Registry::new();
        for (name, value) in [("a", f32::NAN), ("b", f32::INFINITY), ("c", f32::NEG_INFINITY)] {
            REGISTRY.gauge::<f32>(name).unwrap().set(value);
        }
        let mut stream = JsonStream::new(Arc::new(Local::new(&REGISTRY)), Vec::new());
        stream.report().unwrap();
        let expected: &[u8] = br#"{"a":{"value":null},"b":{"value":null},"c":{"value":null}}"#;
        assert_eq!(stream.into_inner(), [expected, b"\n"].concat());
    }

    /// Lines that run into each other are lost both.
    #[test]
    fn a_line_that_was_cut_stays_alone() {
        static REGISTRY: Registry<1, 1> = Registry::new();
        REGISTRY.counter("a").unwrap().add(0);
        let out = Fussy { left: Some(5), ..Fussy::default() };
        let mut stream = JsonStream::new(Arc::new(Local::new(&REGISTRY)), out);
        let error = stream.report().unwrap_err();
        assert!(
            matches!(&error, StreamError::Write(error) if error.kind() == ErrorKind::StorageFull)
        );
        assert!(!error.is_closed());
        stream.report().unwrap();
        stream.report().unwrap();
        let out = stream.into_inner();
        assert_eq!(
            String::from_utf8(out.taken).unwrap(),
            "{\"a\":\n{\"a\":{\"value\":0}}\n{\"a\":{\"value\":0}}\n"
        );
        assert_eq!(out.flushes, 2);
    }

    /// A reader that leaves must end the thread, not fill a log.
    #[test]
    fn a_broken_pipe_ends_cleanly() {
        static REGISTRY: Registry<1, 1> = Registry::new();
        let (reader, writer) = io::pipe().unwrap();
        let stream = JsonStream::new(Arc::new(Local::new(&REGISTRY)), writer);
        let (sender, errors) = std::sync::mpsc::channel();
        let mut lines = ThreadScheduler::every(Duration::from_micros(1), stream)
            .ending_when(StreamError::is_closed)
            .with_error_hook(move |error| sender.send(error.is_closed()).unwrap());
        drop(reader);
        lines.start().unwrap();
        assert_eq!(errors.recv(), Ok(true));
        lines.stop();
        assert_eq!(
            (lines.stats().reports, lines.stats().errors, lines.is_running()),
            (0, 1, false)
        );
    }
}

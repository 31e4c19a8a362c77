//! Lines over an asynchronous writer.

use std::sync::Arc;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::StreamError;
use super::line::Line;
use crate::clock::TimeSource;
use crate::exposition::Exposition;
use crate::schedule::AsyncReporter;

/// As [`JsonStream`](super::JsonStream), over a writer of tokio.
///
/// ```
/// use std::sync::Arc;
/// use tapes_std::local::Local;
/// use tapes_std::stream::AsyncJsonStream;
///
/// static REGISTRY: tapes_core::Registry<8, 64> = tapes_core::Registry::new();
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let mut stream = AsyncJsonStream::new(Arc::new(Local::new(&REGISTRY)), Vec::new());
/// stream.report().await?;
/// assert_eq!(stream.into_inner(), b"{}\n");
/// # Ok::<(), tapes_std::stream::StreamError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct AsyncJsonStream<W> {
    line: Line,
    out: W,
}

impl<W> AsyncJsonStream<W> {
    /// Returns a stream that writes to `out`.
    pub fn new(exposition: Arc<dyn Exposition>, out: W) -> Self {
        Self { line: Line::new(exposition), out }
    }

    /// As [`JsonStream::with_timestamps`](super::JsonStream::with_timestamps).
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

impl<W: AsyncWrite + Unpin> AsyncJsonStream<W> {
    /// Writes one line and flushes. If the future is dropped in the middle, the next line begins
    /// with a line feed.
    ///
    /// # Errors
    ///
    /// [`StreamError`]; nothing of the line was written if it could not be rendered.
    pub async fn report(&mut self) -> Result<(), StreamError> {
        let Self { line, out } = self;
        let text = line.render()?;
        let mut result = out.write_all(text).await;
        if result.is_ok() {
            result = out.flush().await;
        }
        line.written(result)
    }
}

impl<W: AsyncWrite + Unpin + Send> AsyncReporter for AsyncJsonStream<W> {
    type Error = StreamError;

    async fn report(&mut self, _uptime_us: u64) -> Result<(), StreamError> {
        Self::report(self).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tapes_core::Registry;
    use tokio::io::{AsyncBufReadExt as _, BufReader};

    use super::super::StreamError;
    use super::AsyncJsonStream;
    use crate::local::Local;
    use crate::schedule::TaskScheduler;

    /// A reader that leaves must end the task; until then every line must arrive whole.
    #[tokio::test(start_paused = true)]
    async fn lines_until_the_reader_leaves() {
        static REGISTRY: Registry<1, 1> = Registry::new();
        let count = REGISTRY.counter("a").unwrap();
        // A pipe that takes a line in pieces.
        let (reader, writer) = tokio::io::duplex(4);
        let stream = AsyncJsonStream::new(Arc::new(Local::new(&REGISTRY)), writer);
        let mut reports = TaskScheduler::every(Duration::from_secs(1), stream)
            .ending_when(StreamError::is_closed);
        reports.start().unwrap();
        let mut lines = BufReader::new(reader).lines();
        for value in 0..3 {
            let line = lines.next_line().await.unwrap().unwrap();
            assert_eq!(line, format!("{{\"a\":{{\"value\":{value}}}}}"));
            count.increment();
        }
        drop(lines);
        while reports.is_running() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!((reports.stats().reports, reports.stats().errors), (3, 1));
    }
}

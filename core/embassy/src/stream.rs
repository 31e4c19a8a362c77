//! Reporters over asynchronous writers.

use embassy_time::Duration;
use embedded_io_async::Write;
use tapes_core::Source;
use tapes_core::report::{ReportError, SerialReporter, StartError, Syntax, TextReporter};

use crate::control::Control;
use crate::reports::Reports;

/// A reporter that writes to a stream of bytes: [`SerialReporter`] and [`TextReporter`].
///
/// ```
/// use embedded_io_async::Write;
/// use tapes_core::Source;
/// use tapes_core::report::ReportError;
/// use tapes_embassy::StreamReporter;
///
/// /// Two reports, one after the other, whatever the format.
/// async fn twice<R: StreamReporter, W: Write>(
///     reporter: &mut R,
///     source: &dyn Source,
///     uart: &mut W,
/// ) -> Result<(), ReportError<W::Error>> {
///     reporter.report_to(source, 0, uart).await?;
///     reporter.report_to(source, 1_000, uart).await
/// }
/// ```
pub trait StreamReporter {
    /// Sends one report; `uptime` is in ticks of embassy's clock.
    ///
    /// # Errors
    ///
    /// Those of the reporter and its writer.
    fn report_to<W: Write>(
        &mut self,
        source: &dyn Source,
        uptime: u64,
        writer: &mut W,
    ) -> impl Future<Output = Result<(), ReportError<W::Error>>>;
}

impl<const METRICS: usize, const WORDS: usize, const FRAME: usize> StreamReporter
    for SerialReporter<METRICS, WORDS, FRAME>
{
    async fn report_to<W: Write>(
        &mut self,
        source: &dyn Source,
        uptime: u64,
        writer: &mut W,
    ) -> Result<(), ReportError<W::Error>> {
        self.report_async(source, uptime, writer).await.map(drop)
    }
}

impl<S: Syntax, const BUCKETS: usize, const CHUNK: usize> StreamReporter
    for TextReporter<S, BUCKETS, CHUNK>
{
    async fn report_to<W: Write>(
        &mut self,
        source: &dyn Source,
        _uptime: u64,
        writer: &mut W,
    ) -> Result<(), ReportError<W::Error>> {
        self.report_async(source, writer).await.map(drop)
    }
}

/// Reports `source` to `writer` every `interval`, until `control` stops it; the final report is made
/// then.
///
/// The same as [`Reports::every`] with nothing else chosen. [The crate](crate) has an example.
///
/// # Errors
///
/// [`StartError::Running`] if somebody reports with `control` already. Errors of reports are
/// counted, and end nothing.
pub async fn report_every<R: StreamReporter, W: Write>(
    reporter: &mut R,
    source: &dyn Source,
    writer: &mut W,
    interval: Duration,
    control: &Control,
) -> Result<(), StartError> {
    Reports::every(interval)
        .run(control, async |uptime| reporter.report_to(source, uptime, writer).await)
        .await
}

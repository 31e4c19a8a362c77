//! Text over an asynchronous writer.

use embedded_io_async::Write;

use super::asynchronous::write;
use super::serial::ReportError;
use super::text::{Syntax, TextReporter};
use crate::rates::RateReading;
use crate::snapshot::Source;

impl<S: Syntax, const BUCKETS: usize, const CHUNK: usize> TextReporter<S, BUCKETS, CHUNK> {
    /// Sends one report over an asynchronous writer, without rates, and returns its length in bytes.
    ///
    /// Dropping the future in the middle is the same as a failed write.
    ///
    /// # Errors
    ///
    /// [`ReportError::Write`] and [`ReportError::WriteZero`]; the report ends there, and the next
    /// one begins with a line feed.
    pub async fn report_async<W: Write>(
        &mut self,
        source: &dyn Source,
        out: &mut W,
    ) -> Result<u32, ReportError<W::Error>> {
        self.report_with_rates_async(source, &|_, _| None, out).await
    }

    /// As [`report_async`](Self::report_async), with the rates of meters and timers:
    /// `&|id, cell| rates.get(id, cell)`.
    ///
    /// ```
    /// use tapes_core::rates::Rates;
    /// use tapes_core::report::{Json, ReportError, TextReporter};
    /// use tapes_core::Source;
    ///
    /// /// What a task does each second.
    /// async fn report<W: embedded_io_async::Write>(
    ///     source: &dyn Source,
    ///     rates: &Rates<4>,
    ///     uart: &mut W,
    /// ) -> Result<u32, ReportError<W::Error>> {
    ///     let mut reporter = TextReporter::<_, 100, 64>::new(Json::new());
    ///     reporter.report_async(source, uart).await?; // without rates
    ///     reporter.report_with_rates_async(source, &|id, cell| rates.get(id, cell), uart).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`report_async`](Self::report_async).
    pub async fn report_with_rates_async<W: Write>(
        &mut self,
        source: &dyn Source,
        rates: &dyn Fn(u32, u32) -> Option<RateReading>,
        out: &mut W,
    ) -> Result<u32, ReportError<W::Error>> {
        let mut bytes = 0u32;
        self.begin();
        while let Some(chunk) = self.next_chunk(source, rates) {
            write(out, chunk).await?;
            bytes = bytes.saturating_add(u32::try_from(chunk.len()).unwrap_or(u32::MAX));
        }
        out.flush().await.map_err(ReportError::Write)?;
        Ok(bytes)
    }
}

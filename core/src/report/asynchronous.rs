//! Reporting over an asynchronous writer.

use embedded_io_async::Write;

use super::serial::{Report, ReportError, SerialReporter};
use crate::snapshot::Source;

impl<const METRICS: usize, const WORDS: usize, const FRAME: usize>
    SerialReporter<METRICS, WORDS, FRAME>
{
    /// Sends one report over an asynchronous writer; as `report`.
    ///
    /// Dropping the future in the middle is the same as a failed write: the next report counts
    /// the frame as dropped and is a keyframe.
    ///
    /// # Errors
    ///
    /// [`ReportError::Write`] and [`ReportError::WriteZero`]; the report ends there, the frame is
    /// counted as dropped, and the next report is a keyframe.
    pub async fn report_async<W: Write>(
        &mut self,
        source: &dyn Source,
        uptime: u64,
        out: &mut W,
    ) -> Result<Report, ReportError<W::Error>> {
        let mut report = self.begin(uptime);
        let mut result = Ok(());
        while let Some(frame) = self.next_frame(source) {
            let len = frame.len();
            result = write(out, frame).await;
            if result.is_err() {
                break;
            }
            self.sent(&mut report, len);
        }
        if result.is_ok() {
            result = out.flush().await.map_err(ReportError::Write);
        }
        self.end(report, result)
    }
}

/// Writes all bytes. `Write::write_all` would do, but it can panic.
pub(super) async fn write<W: Write>(
    out: &mut W,
    bytes: &[u8],
) -> Result<(), ReportError<W::Error>> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let taken = out.write(rest).await.map_err(ReportError::Write)?;
        if taken == 0 {
            return Err(ReportError::WriteZero);
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    Ok(())
}

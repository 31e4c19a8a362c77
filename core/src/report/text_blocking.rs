//! Text over a blocking writer.

use core::fmt;

use embedded_io::Write;

use super::blocking::write;
use super::serial::ReportError;
use super::text::{Syntax, TextReporter};
use crate::rates::RateReading;
use crate::snapshot::Source;

impl<S: Syntax, const BUCKETS: usize, const CHUNK: usize> TextReporter<S, BUCKETS, CHUNK> {
    /// Sends one report, without rates, and returns its length in bytes.
    ///
    /// Blocks as the writer does, for all of the report, and flushes it at the end.
    ///
    /// ```
    /// use tapes_core::report::{Prometheus, TextReporter};
    /// use tapes_core::text::prometheus::Format;
    ///
    /// tapes_core::metrics! {
    ///     static RADIO: RadioMetrics = "radio" { sent: Counter }
    /// }
    /// const TEXT: Prometheus = Prometheus::new(Format::Prometheus);
    ///
    /// let mut reporter = TextReporter::<_, 0, 32>::new(TEXT);
    /// let mut line = [0; 64];
    /// let mut uart = line.as_mut_slice(); // any `embedded_io::Write`
    /// let len = reporter.report(&RADIO, &mut uart).unwrap();
    /// assert_eq!(&line[..len as usize], b"# TYPE radio_sent_total counter\nradio_sent_total 0\n");
    /// ```
    ///
    /// # Errors
    ///
    /// [`ReportError::Write`] and [`ReportError::WriteZero`]; the report ends there, and the next
    /// one begins with a line feed.
    pub fn report<W: Write>(
        &mut self,
        source: &dyn Source,
        out: &mut W,
    ) -> Result<u32, ReportError<W::Error>> {
        self.report_with_rates(source, &|_, _| None, out)
    }

    /// As [`report`](Self::report), with the rates of meters and timers:
    /// `&|id, cell| rates.get(id, cell)`.
    ///
    /// ```
    /// use tapes_core::rates::Rates;
    /// use tapes_core::report::{Json, TextReporter};
    ///
    /// tapes_core::metrics! {
    ///     static RADIO: RadioMetrics = "radio" { sent: Meter }
    /// }
    /// let mut rates = Rates::<1>::new(0, 1_000);
    /// rates.advance(0, &RADIO);
    /// RADIO.sent.mark_by(10);
    /// rates.advance(5_001, &RADIO);
    /// let mut reporter = TextReporter::<_, 0, 64>::new(Json::new());
    /// let mut line = [0; 128];
    /// let len = reporter.report_with_rates(
    ///     &RADIO,
    ///     &|id, cell| rates.get(id, cell),
    ///     &mut line.as_mut_slice(),
    /// ).unwrap();
    /// assert!(line[..len as usize].starts_with(br#"{"radio":{"sent":{"count":10,"m1":2"#));
    /// ```
    ///
    /// # Errors
    ///
    /// As [`report`](Self::report).
    pub fn report_with_rates<W: Write>(
        &mut self,
        source: &dyn Source,
        rates: &dyn Fn(u32, u32) -> Option<RateReading>,
        out: &mut W,
    ) -> Result<u32, ReportError<W::Error>> {
        let mut bytes = 0u32;
        self.begin();
        while let Some(chunk) = self.next_chunk(source, rates) {
            write(out, chunk)?;
            bytes = bytes.saturating_add(u32::try_from(chunk.len()).unwrap_or(u32::MAX));
        }
        out.flush().map_err(ReportError::Write)?;
        Ok(bytes)
    }
}

/// Lets anything that writes text write to an `embedded_io::Write`, in chunks of `CHUNK` bytes.
///
/// For encoders of [`text`](crate::text) that are used directly. It needs no copy of bucket counts,
/// as a [`TextReporter`] does, because it writes everything once; for the same reason it cannot be
/// asynchronous.
///
/// ```
/// use tapes_core::report::TextWriter;
/// use tapes_core::text::json::write_json;
///
/// tapes_core::metrics! {
///     static RADIO: RadioMetrics = "radio" { sent: Counter }
/// }
/// let mut line = [0; 64];
/// let mut uart = line.as_mut_slice(); // any `embedded_io::Write`
/// let mut text = TextWriter::<_, 16>::new(&mut uart);
/// let _ = write_json(&RADIO, &|_, _| None, &mut text); // the reason is with the writer
/// assert_eq!(text.finish(), Ok(30));
/// assert_eq!(&line[..30], br#"{"radio":{"sent":{"value":0}}}"#.as_slice());
/// ```
#[derive(Debug)]
#[must_use = "what is left in the buffer is sent by `finish`"]
pub struct TextWriter<'w, W: Write, const CHUNK: usize> {
    out: &'w mut W,
    buffer: [u8; CHUNK],
    /// Bytes of the buffer in use, fewer than `CHUNK`.
    len: usize,
    /// Bytes that were sent before.
    sent: u32,
    /// Why writing failed; nothing is sent after that.
    error: Option<ReportError<W::Error>>,
}

impl<'w, W: Write, const CHUNK: usize> TextWriter<'w, W, CHUNK> {
    /// Returns a writer to `out`.
    pub const fn new(out: &'w mut W) -> Self {
        const { assert!(CHUNK > 0, "a chunk needs room for at least one byte") };
        Self { out, buffer: [0; CHUNK], len: 0, sent: 0, error: None }
    }

    /// Sends what is left, flushes, and returns the number of bytes; saturates.
    ///
    /// # Errors
    ///
    /// The first error that occurred, which `core::fmt` cannot hand over.
    pub fn finish(mut self) -> Result<u32, ReportError<W::Error>> {
        self.send();
        match self.error {
            Some(error) => Err(error),
            None => self.out.flush().map(|()| self.sent).map_err(ReportError::Write),
        }
    }

    fn send(&mut self) {
        let chunk = self.buffer.get(..self.len).unwrap_or_default();
        if self.error.is_none() {
            self.error = write(self.out, chunk).err();
        }
        self.sent = self.sent.saturating_add(u32::try_from(self.len).unwrap_or(u32::MAX));
        self.len = 0;
    }
}

impl<W: Write, const CHUNK: usize> fmt::Write for TextWriter<'_, W, CHUNK> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if let Some(slot) = self.buffer.get_mut(self.len) {
                *slot = byte;
                self.len = self.len.saturating_add(1);
            }
            if self.len >= CHUNK {
                self.send();
            }
            if self.error.is_some() {
                return Err(fmt::Error);
            }
        }
        Ok(())
    }
}

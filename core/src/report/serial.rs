//! The reporter for byte streams: UART, USB serial, TCP.

use core::fmt;

use crate::snapshot::Source;
use crate::wire::{Encoder, FRAME_LEN_MIN, Identity, stream_capacity};

/// Why a report ended early; the next one is a keyframe, so nothing is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ReportError<E> {
    /// The writer failed; see to the link and report again.
    Write(E),
    /// The writer took no bytes, which a writer must not do; the link is closed.
    WriteZero,
}

impl<E> fmt::Display for ReportError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Write(_) => "writing failed",
            Self::WriteZero => "writer took no bytes",
        })
    }
}

impl<E: core::error::Error + 'static> core::error::Error for ReportError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Write(error) => Some(error),
            Self::WriteZero => None,
        }
    }
}

/// What one report sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Report {
    /// Frames written.
    pub frames: u32,
    /// Bytes written, framing included.
    pub bytes: u32,
    /// Whether it had all metrics.
    pub keyframe: bool,
}

/// What a reporter did so far; the counts wrap.
///
/// ```
/// use tapes_core::report::{ReportError, ReporterStats, SerialReporter};
/// use tapes_core::wire::{Encoder, Epoch, Identity, Origin, stream_capacity};
///
/// tapes_core::metrics! {
///     static RADIO: RadioMetrics = "radio" { sent: Counter }
/// }
/// let identity = Identity::new(Origin::from_array(*b"board-1"), Epoch::new(0, 42), 1_000);
/// let encoder = Encoder::new(identity, stream_capacity(256));
/// let mut reporter = SerialReporter::<1, 1, 256>::with_encoder(encoder)
///     .with_keyframe_interval(60)
///     .with_report_interval_ms(500);
/// # #[cfg(feature = "embedded-io")] {
/// let mut short = [0; 8];
/// let error = reporter.report(&RADIO, 0, &mut short.as_mut_slice()).unwrap_err();
/// assert!(matches!(error, ReportError::Write(_) | ReportError::WriteZero));
/// let ReporterStats { reports, frames_dropped, .. } = reporter.stats();
/// assert_eq!((reports, frames_dropped), (0, 1));
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct ReporterStats {
    /// Reports that went out whole.
    pub reports: u32,
    /// Frames written.
    pub frames_sent: u32,
    /// Bytes written, framing included.
    pub bytes_sent: u32,
    /// Frames that could not be written, and metrics that no frame could hold; saturates.
    pub frames_dropped: u32,
}

/// Reports a source over a byte stream, in COBS frames.
///
/// `METRICS` and `WORDS` are those of the source: metrics beyond `METRICS` are sent with every
/// report whether they changed or not; metrics whose words lie beyond `WORDS` are sent as 32-bit
/// numbers that the receiver widens. `WORDS` may be 0 where words have 64 bits. `FRAME` is the
/// length of the frame buffer: [`stream_len`](crate::wire::stream_len) of
/// [`frame_len`](crate::wire::frame_len) for the longest histogram; a metric that does not fit is
/// left out and counted. A declared group knows all of these:
///
/// ```
/// use tapes_core::report::SerialReporter;
/// use tapes_core::wire::{Epoch, Identity, Origin, frame_len, stream_len};
///
/// tapes_core::metrics! {
///     static RADIO: RadioMetrics = "radio" { sent: Counter, delay: Timer [max = 1 s] }
/// }
/// const FRAME: usize = stream_len(frame_len(RadioMetrics::BUCKETS, u64::MAX));
/// type Reporter = SerialReporter<{ RadioMetrics::METRICS }, { RadioMetrics::WORDS }, FRAME>;
///
/// let identity = Identity::new(Origin::from_array(*b"board-1"), Epoch::new(0, 42), 1_000);
/// let reporter = Reporter::new(identity);
/// # assert_eq!(reporter.stats().reports, 0);
/// ```
///
/// The module documentation has another example.
///
/// # Footprint
///
/// `160 + 4 * METRICS + WORDS + FRAME` bytes, rounded up to eight: 928 for 12 counters, 4 gauges
/// and 3 timers of 80 buckets with a buffer for their first 2^32 values, 1,080 with one for ever.
#[derive(Debug, Clone)]
#[must_use = "a reporter does nothing unless it is asked to report"]
pub struct SerialReporter<const METRICS: usize, const WORDS: usize, const FRAME: usize> {
    encoder: Encoder<METRICS, WORDS>,
    /// As in [`ReporterStats`].
    reports: u32,
    frames_sent: u32,
    bytes_sent: u32,
    /// The one buffer: frames are made and encoded in place.
    buffer: [u8; FRAME],
}

impl<const METRICS: usize, const WORDS: usize, const FRAME: usize>
    SerialReporter<METRICS, WORDS, FRAME>
{
    /// Returns a reporter of a new epoch.
    pub const fn new(identity: Identity) -> Self {
        Self::with_encoder(Encoder::new(identity, stream_capacity(FRAME)))
    }

    /// Returns a reporter that reports nothing before it is [started](Self::start); all its bytes
    /// are zero, so that a `static` one takes no flash and nothing copies it.
    ///
    /// ```
    /// use tapes_core::report::SerialReporter;
    /// use tapes_core::wire::{Epoch, Identity, Origin};
    ///
    /// // On a device in a `static`, such as `#[entry]` of `cortex-m-rt` makes of one in `main`.
    /// let mut reporter = SerialReporter::<1, 1, 256>::unstarted();
    /// reporter.start(Identity::new(Origin::from_array(*b"board-1"), Epoch::new(0, 42), 1_000));
    /// assert_eq!(reporter.encoder().identity().tick_hz, 1_000);
    /// ```
    pub const fn unstarted() -> Self {
        Self::with_encoder(Encoder::unstarted())
    }

    /// Makes an [`unstarted`](Self::unstarted) reporter what [`new`](Self::new) returns, in place;
    /// does nothing if it was started before.
    pub const fn start(&mut self, identity: Identity) {
        self.encoder.start(identity, stream_capacity(FRAME));
    }

    /// Returns a reporter over an encoder that was set up otherwise.
    pub const fn with_encoder(encoder: Encoder<METRICS, WORDS>) -> Self {
        const {
            assert!(stream_capacity(FRAME) >= FRAME_LEN_MIN, "raise FRAME: a HELLO must fit");
        }
        Self { encoder, reports: 0, frames_sent: 0, bytes_sent: 0, buffer: [0; FRAME] }
    }

    /// As [`Encoder::with_keyframe_interval`].
    pub const fn with_keyframe_interval(mut self, reports: u16) -> Self {
        self.encoder.set_keyframe_interval(reports);
        self
    }

    /// As [`Encoder::with_report_interval_ms`].
    pub const fn with_report_interval_ms(mut self, interval_ms: u32) -> Self {
        self.encoder.set_report_interval_ms(interval_ms);
        self
    }

    /// Returns what was done so far.
    #[must_use]
    pub const fn stats(&self) -> ReporterStats {
        ReporterStats {
            reports: self.reports,
            frames_sent: self.frames_sent,
            bytes_sent: self.bytes_sent,
            frames_dropped: self.encoder.event().frames_dropped,
        }
    }

    /// Returns the encoder, to tell it what a receiver asked for or what else was lost.
    #[must_use]
    pub const fn encoder(&mut self) -> &mut Encoder<METRICS, WORDS> {
        &mut self.encoder
    }

    /// Begins a report.
    pub(super) fn begin(&mut self, uptime: u64) -> Report {
        self.encoder.begin(uptime);
        Report { keyframe: self.encoder.is_keyframe(), ..Report::default() }
    }

    /// Returns the next frame of the report.
    pub(super) fn next_frame(&mut self, source: &dyn Source) -> Option<&[u8]> {
        self.encoder.next_stream_frame(source, &mut self.buffer)
    }

    /// Notes that a frame of `len` bytes was written.
    pub(super) fn sent(&mut self, report: &mut Report, len: usize) {
        self.encoder.sent();
        // Frames are short.
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        report.frames = report.frames.wrapping_add(1);
        report.bytes = report.bytes.wrapping_add(len);
        self.frames_sent = self.frames_sent.wrapping_add(1);
        self.bytes_sent = self.bytes_sent.wrapping_add(len);
    }

    /// Notes how the report ended.
    pub(super) fn end<E>(
        &mut self,
        report: Report,
        result: Result<(), ReportError<E>>,
    ) -> Result<Report, ReportError<E>> {
        match result {
            Ok(()) => {
                self.reports = self.reports.wrapping_add(1);
                Ok(report)
            }
            Err(error) => {
                self.encoder.failed();
                Err(error)
            }
        }
    }
}

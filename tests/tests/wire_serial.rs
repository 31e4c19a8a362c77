//! The serial reporter over writers that take little, take nothing, fail or are dropped.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod wire_support;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use embedded_io::{ErrorKind, ErrorType};
use tapes_core::Source;
use tapes_core::report::{ReportError, SerialReporter};
use tapes_core::wire::Encoder;
use wire_support::{Fake, FakeMetric, FakeSource, Receiver, identity};

/// A line that takes a few bytes at a time, up to a limit.
#[derive(Debug, Default)]
struct Line {
    bytes: Vec<u8>,
    /// Bytes that one call takes.
    grip: usize,
    /// Bytes after which writing fails.
    fails_at: Option<usize>,
    /// Whether the end is a refusal without an error.
    silent: bool,
    flush_fails: bool,
    flushed: usize,
}

impl Line {
    fn new(grip: usize) -> Self {
        Self { grip, ..Self::default() }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let room = self.fails_at.map_or(usize::MAX, |limit| limit - self.bytes.len());
        if room == 0 {
            return if self.silent { Ok(0) } else { Err(ErrorKind::BrokenPipe) };
        }
        let taken = bytes.len().min(self.grip).min(room);
        self.bytes.extend(&bytes[..taken]);
        Ok(taken)
    }
}

impl ErrorType for Line {
    type Error = ErrorKind;
}

impl embedded_io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.take(bytes)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.flushed = self.bytes.len();
        if self.flush_fails { Err(ErrorKind::TimedOut) } else { Ok(()) }
    }
}

impl embedded_io_async::Write for Line {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        // Lets others run now and then, as a line with a full queue does.
        let mut yielded = !self.bytes.len().is_multiple_of(3);
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        self.take(bytes)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        embedded_io::Write::flush(self)
    }
}

type Reporter = SerialReporter<8, 0, 256>;

fn source() -> FakeSource {
    FakeSource::new((0..4).map(|i| FakeMetric::counter(&format!("c{i}"), i)).collect())
}

fn set(source: &mut FakeSource, value: u64) {
    source.metrics.iter_mut().for_each(|metric| metric.values = vec![Fake::Unsigned(value)]);
}

/// Runs a future, at most `polls` times.
fn run<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..polls).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

fn heard(line: &Line) -> Receiver {
    let mut receiver = Receiver::default();
    assert_eq!(receiver.take_stream(&line.bytes), 0);
    receiver
}

/// If this fails, writers that take one byte at a time get torn frames.
#[test]
fn short_writes() {
    let source = source();
    for grip in [1, 2, 7, 1_000] {
        let (mut blocking, mut asynchronous) =
            (Reporter::new(identity()), Reporter::new(identity()));
        let (mut one, mut other) = (Line::new(grip), Line::new(grip));
        let report = blocking.report(&source, 7, &mut one).unwrap();
        let same = run(asynchronous.report_async(&source, 7, &mut other), 10_000).unwrap().unwrap();
        assert_eq!((report, &one.bytes), (same, &other.bytes));
        assert_eq!(report.bytes as usize, one.bytes.len());
        assert_eq!((report.frames, report.keyframe, one.flushed), (3, true, one.bytes.len()));
        assert_eq!(one.bytes[0], 0, "flushes half a frame of a previous boot");
        assert_eq!(one.bytes.iter().filter(|byte| **byte == 0).count(), 4);
        heard(&one).assert_has(&source);
    }
}

/// If this fails, what was in a torn frame is lost, or the frame after it.
#[test]
fn every_failure_is_repaired() {
    let whole = {
        let mut line = Line::new(1_000);
        Reporter::new(identity()).report(&source(), 0, &mut line).unwrap();
        line.bytes.len()
    };
    for fails_at in 0..whole {
        for silent in [false, true] {
            let mut source = source();
            let mut reporter = Reporter::new(identity()).with_keyframe_interval(1_000);
            let mut line = Line { fails_at: Some(fails_at), silent, ..Line::new(5) };
            let error = reporter.report(&source, 0, &mut line).unwrap_err();
            let expected = if silent {
                ReportError::WriteZero
            } else {
                ReportError::Write(ErrorKind::BrokenPipe)
            };
            assert_eq!(error, expected);
            assert_eq!(reporter.stats().frames_dropped, 1);
            set(&mut source, 1_000);
            line.fails_at = None;
            let report = reporter.report(&source, 1, &mut line).unwrap();
            assert!(report.keyframe);
            let mut receiver = Receiver::default();
            // The torn frame, unless nothing of it was written.
            assert!(receiver.take_stream(&line.bytes) <= 1);
            receiver.assert_has(&source);
            assert!(receiver.knows_all());
            assert_eq!(receiver.event.unwrap().frames_dropped, 1);
            assert_eq!((reporter.stats().reports, reporter.stats().frames_dropped), (1, 1));
        }
    }
}

/// If this fails, a report whose future was dropped counts as sent.
#[test]
fn a_dropped_future_is_repaired() {
    let mut polls = 1;
    loop {
        let mut source = source();
        let mut reporter = Reporter::new(identity()).with_keyframe_interval(1_000);
        let mut line = Line::new(4);
        let done = run(reporter.report_async(&source, 0, &mut line), polls).is_some();
        set(&mut source, 77);
        let report = reporter.report(&source, 1, &mut line).unwrap();
        assert_eq!(report.keyframe, !done, "after {polls} polls");
        let mut receiver = Receiver::default();
        assert!(receiver.take_stream(&line.bytes) <= 1);
        receiver.assert_has(&source);
        if done {
            break;
        }
        polls += 1;
    }
    assert!(polls > 10);
}

/// If this fails, a line that loses its buffer is believed.
#[test]
fn a_failed_flush_makes_a_keyframe() {
    let source = source();
    let mut reporter = Reporter::new(identity());
    let mut line = Line { flush_fails: true, ..Line::new(50) };
    assert_eq!(
        reporter.report(&source, 0, &mut line),
        Err(ReportError::Write(ErrorKind::TimedOut))
    );
    line.flush_fails = false;
    assert!(reporter.report(&source, 1, &mut line).unwrap().keyframe);
}

/// If this fails, the numbers about the reporter itself are wrong.
#[test]
fn stats_add_up() {
    let encoder = Encoder::new(identity(), 200).with_report_interval_ms(60_000);
    let mut reporter = SerialReporter::<8, 0, 256>::with_encoder(encoder);
    let sources: [&dyn Source; 2] = [&source(), &source()];
    let mut line = Line::new(100);
    let mut frames = 0;
    for (uptime, source) in (0..).zip(sources) {
        frames += reporter.report(source, uptime, &mut line).unwrap().frames;
    }
    let stats = reporter.stats();
    assert_eq!((stats.reports, stats.frames_sent), (2, frames));
    assert_eq!(stats.bytes_sent as usize, line.bytes.len());
    // The whole dictionary goes with every report at this interval.
    let names: Vec<_> = heard(&line).frames.iter().map(|(_, _, name)| *name).collect();
    assert_eq!(names, ["hello", "dict", "data", "hello", "dict", "data"]);
}

//! Reports of a source, as frames.

use std::fmt;
use std::time::Duration;

use tapes_core::Source;
use tapes_core::wire::{Encoder, FRAME_LEN_MAX, Identity};

use super::courier::{Answer, Cargo};
use super::message::Message;

/// Metrics of which only changes are sent; those beyond are in every report. 4 KiB.
const METRICS: usize = 1_024;

/// Ticks of the uptime in a second.
pub(super) const TICK_HZ: u32 = 1_000;

/// Reports from one keyframe to the next: whatever is not sent is known to be kept.
const KEYFRAME_INTERVAL: u16 = 600;

/// A life of values, of which frames may have been sent before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    pub(super) identity: Identity,
    /// Above all numbers that were used.
    pub(super) first_seq: u64,
    /// Time since it began.
    pub(super) age: Duration,
}

/// A source and the encoder of its frames.
pub(super) struct Frames<S: 'static> {
    source: &'static S,
    encoder: Encoder<METRICS, 0>,
    buffer: Vec<u8>,
    /// Age of the values when this began.
    age: Duration,
    /// When this began, by the courier's clock.
    start: Option<Duration>,
    /// Number of the first frame of the last report that had everything.
    first: u64,
    /// Number of the last frame that was handed over.
    last: Option<u64>,
    /// Largest number that is kept.
    kept: Option<u64>,
}

impl<S> fmt::Debug for Frames<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames").field("last", &self.last).finish_non_exhaustive()
    }
}

impl<S> Frames<S> {
    pub(super) fn new(source: &'static S, life: Life, interval: Duration) -> Self {
        let interval_ms = u32::try_from(interval.as_millis()).unwrap_or(u32::MAX);
        let encoder = Encoder::new(life.identity, FRAME_LEN_MAX)
            .with_first_seq(life.first_seq)
            .with_full_address()
            .with_keyframe_interval(KEYFRAME_INTERVAL)
            .with_report_interval_ms(interval_ms);
        let buffer = vec![0; FRAME_LEN_MAX];
        let age = life.age;
        Self { source, encoder, buffer, age, start: None, first: 0, last: None, kept: None }
    }
}

impl<S: Source + Sync> Cargo for Frames<S> {
    fn begin(&mut self, fresh: bool, now: Duration) {
        if fresh {
            self.encoder.force_keyframe();
            self.encoder.force_dictionary();
            self.first = self.encoder.next_seq();
            self.kept = None;
        }
        let start = *self.start.get_or_insert(now);
        let uptime = now.saturating_sub(start).saturating_add(self.age).as_millis();
        self.encoder.begin(u64::try_from(uptime).unwrap_or(u64::MAX));
        self.last = None;
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        let seq = self.encoder.next_seq();
        let frame = self.encoder.next_frame(self.source, &mut self.buffer)?.to_vec();
        // Whether it arrives is seen by the answers; if not, everything is sent again.
        self.encoder.sent();
        self.last = Some(seq);
        Some(frame)
    }

    fn answer(&mut self, message: &[u8]) -> Answer {
        let Some(Message::FramesKept { origin, epoch, first, last, .. }) = Message::parse(message)
        else {
            return Answer::Other;
        };
        let identity = self.encoder.identity();
        let is_own = origin == identity.origin.as_bytes() && epoch == identity.epoch.to_u64();
        // Of a connection before this one, or from before the last fresh report.
        if !is_own || last < self.first {
            return Answer::Other;
        }
        if first > self.first {
            return Answer::Missing;
        }
        let is_progress = self.kept.is_none_or(|kept| last > kept);
        self.kept = Some(last);
        match self.last {
            Some(end) if last >= end => Answer::Kept,
            _ if is_progress => Answer::Progress,
            _ => Answer::Other,
        }
    }

    fn has_more(&self) -> bool {
        false
    }
}

//! Making the frames of a report from a source.

use core::ops::ControlFlow;

use super::header::{Flags, FrameType, METRICS_MAX};
use super::state::{Cursor, Pending, State};
use super::widen::Widener;
use super::writer::{Bits, DataWriter, FrameWriter, SETTLED};
use crate::metric::{Sample, Value};
use crate::snapshot::Source;

/// An encoder with its capacities erased.
#[derive(Debug)]
pub(super) struct Parts<'e> {
    pub(super) state: &'e mut State,
    pub(super) last: &'e mut [u32],
    pub(super) wraps: &'e mut [u8],
}

impl Parts<'_> {
    /// Makes the next frame at the front of `buffer` and returns its length.
    #[inline(never)]
    pub(super) fn next_frame(&mut self, source: &dyn Source, buffer: &mut [u8]) -> Option<usize> {
        if self.state.pending != Pending::None {
            self.state.failed();
        }
        let room = buffer.len().min(usize::from(self.state.max_frame));
        let (buffer, _) = buffer.split_at_mut_checked(room)?;
        if core::mem::take(&mut self.state.begun) {
            self.look(source, buffer);
        }
        loop {
            let mut plan = self.state.plan();
            let mut out = DataWriter::with_frame(FrameWriter::empty(buffer));
            let frame = &mut out.frame;
            let (frame_type, flags) = match plan {
                Pending::None => return None,
                Pending::Hello => (FrameType::Hello, Flags::NONE),
                Pending::Dict(_) => (FrameType::Dict, Flags::NONE),
                Pending::Event => (FrameType::Event, Flags::NONE),
                Pending::Data if self.state.turn.keyframe => (FrameType::Data, Flags::KEYFRAME),
                Pending::Data => (FrameType::Data, Flags::NONE),
            };
            self.state.write_header(frame_type, flags, &mut frame.out);
            match &mut plan {
                Pending::None => {}
                Pending::Hello => self.state.write_hello(&mut frame.out),
                Pending::Dict(count) => *count = self.dict(source, frame, *count),
                Pending::Event => self.state.event.write(&mut frame.out),
                Pending::Data => self.data(source, &mut out),
            }
            if plan == Pending::Dict(0) {
                // Only with a buffer shorter than `max_frame`.
                self.state.dropped();
                self.state.described(1);
                continue;
            }
            let len = out.frame.seal();
            if len.is_some() {
                self.state.pending = plan;
                self.state.seq = self.state.seq.wrapping_add(1);
            } else {
                self.state.failed();
            }
            return len;
        }
    }

    /// Takes new metrics into the dictionary, using the buffer for their entries.
    #[inline(never)]
    fn look(&mut self, source: &dyn Source, buffer: &mut [u8]) {
        if !core::mem::take(&mut self.state.whole) {
            self.observe(source);
        }
        self.state.refused(source.refused());
        let until = source.metrics().min(METRICS_MAX);
        let first = self.state.dictionary.len();
        let mut scratch = FrameWriter::empty(buffer);
        self.entries(source, first, until, &mut scratch, true);
        if self.state.turn.burst {
            let places = self.state.dictionary.len().wrapping_add(1);
            self.state.burst = self.state.schedule.burst_len(places);
        }
    }

    /// Fills a DICT frame with at most `most` entries, and tells how many it has.
    fn dict(&mut self, source: &dyn Source, frame: &mut FrameWriter<'_>, most: u32) -> u32 {
        let first = self.state.first_entry();
        frame.out.uvarint32(first);
        let end = first.wrapping_add(most);
        self.entries(source, first, end, frame, false).wrapping_sub(first)
    }

    /// Appends the entries of the metrics from `first` to `end`, as many as fit, and returns where
    /// it stopped; or takes them into the dictionary instead, one by one.
    #[inline(never)]
    fn entries(
        &mut self,
        source: &dyn Source,
        first: u32,
        end: u32,
        frame: &mut FrameWriter<'_>,
        new: bool,
    ) -> u32 {
        let words = self.wraps.len();
        let state = &mut *self.state;
        let mut next = first;
        let _ = source.visit(first, &mut |sample| {
            if sample.cell > 0 {
                return ControlFlow::Continue(());
            }
            if sample.id != next || next >= end {
                return ControlFlow::Break(());
            }
            let mark = frame.out.len();
            let whole = state.write_entry(&sample, words, &mut frame.out);
            if new {
                if !whole {
                    // The entry is empty: receivers skip the metric.
                    state.dropped();
                }
                state.dictionary.push_entry(frame.out.written().unwrap_or(&[0]));
                frame.out.truncate(mark);
            } else if !frame.keep(mark, 0) {
                return ControlFlow::Break(());
            }
            next = next.wrapping_add(1);
            ControlFlow::Continue(())
        });
        next
    }

    /// Fills a DATA frame.
    #[inline(never)]
    fn data(&mut self, source: &dyn Source, out: &mut DataWriter<'_>) {
        let until = self.state.dictionary.len();
        let from = self.state.cursor;
        // Metrics before the one that is visited; counted from cell 0 of the first on.
        let mut index = from.index.saturating_sub(from.cell);
        let mut stopped = None;
        let _ = source.visit(from.id, &mut |sample| {
            if sample.id >= until {
                return ControlFlow::Break(());
            }
            let place = Cursor { id: sample.id, cell: sample.cell, index };
            index = index.wrapping_add(1);
            if place.index < from.index || self.push(out, &sample, place.index) {
                return ControlFlow::Continue(());
            }
            if !out.is_empty() {
                stopped = Some(place);
                return ControlFlow::Break(());
            }
            // Not even alone in a frame.
            self.state.dropped();
            ControlFlow::Continue(())
        });
        out.close();
        match stopped {
            Some(place) => self.state.cursor = place,
            None => {
                self.state.last = true;
                out.set_last();
            }
        }
    }

    /// Appends a value if it changed or all are wanted; `false` if it does not fit.
    #[inline(never)]
    fn push(&mut self, out: &mut DataWriter<'_>, sample: &Sample<'_>, index: u32) -> bool {
        let last = self.last.get_mut(index as usize);
        let before = last.as_deref().map(|last| !last);
        let bits = Bits::of(&sample.value);
        if !self.state.turn.keyframe && before == Some(bits.fingerprint()) {
            return true;
        }
        let mut widener = Widener::of(self.wraps, sample, self.state.all_wrap);
        let Some(sent) = push_sample(out, sample, bits, &mut widener) else { return false };
        if let Some(last) = last {
            // The sum is read before the buckets, so it may lack a value that is in a bucket: a
            // distribution is sent once more with the same count before it is left alone.
            let moving = matches!(sample.value, Value::Distribution(_))
                && sent != SETTLED
                && before.map(|before| before | SETTLED) != Some(sent);
            *last = !(if moving { sent & !SETTLED } else { sent });
        }
        true
    }

    /// Widens all words without sending them.
    pub(super) fn observe(&mut self, source: &dyn Source) {
        if self.wraps.is_empty() {
            return;
        }
        // No value fits a byte, so none is taken for sent.
        let mut byte = [0];
        let mut nowhere = DataWriter::with_frame(FrameWriter::empty(&mut byte));
        let _ = source.visit(0, &mut |sample| {
            let mut widener = Widener::of(self.wraps, &sample, self.state.all_wrap);
            let _ = push_sample(&mut nowhere, &sample, Bits::of(&sample.value), &mut widener);
            ControlFlow::Continue(())
        });
    }
}

/// As [`DataWriter::push_widened`].
#[inline(never)]
fn push_sample(
    out: &mut DataWriter<'_>,
    sample: &Sample<'_>,
    bits: Bits,
    widener: &mut Widener<'_>,
) -> Option<u32> {
    let cell = (sample.family > 0).then_some(sample.cell);
    out.push_widened(sample.id, cell, &sample.value, bits, widener)
}

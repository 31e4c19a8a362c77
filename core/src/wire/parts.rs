//! Making the frames of a report from a source.

use core::ops::ControlFlow;

use super::cobs;
use super::header::{Flags, FrameType, METRICS_MAX};
use super::state::{Cursor, Pending, State};
use super::widen::Widener;
use super::writer::{Bits, DataWriter, Entry, FrameWriter, SETTLED};
use crate::metric::{Sample, Value};
use crate::snapshot::Source;

/// An encoder with its capacities erased.
#[derive(Debug)]
pub(super) struct Parts<'e> {
    pub(super) state: &'e mut State,
    pub(super) last: &'e mut [u32],
    pub(super) wraps: &'e mut [u8],
}

/// Parts with a buffer to make frames in. Whole, because what is passed one by one is constant in
/// most images, and functions made for constants are longer.
#[derive(Debug)]
pub(super) struct Frames<'e> {
    pub(super) parts: Parts<'e>,
    pub(super) buffer: &'e mut [u8],
    /// Where in the buffer frames begin.
    pub(super) start: usize,
    /// Longest frame that fits there.
    pub(super) room: usize,
}

impl Frames<'_> {
    /// Makes the next frame for a byte stream and returns its length with both delimiters.
    #[inline(never)]
    pub(super) fn next_on_stream(&mut self, source: &dyn Source) -> Option<usize> {
        let len = self.next(source)?;
        cobs::encode_in_place(self.buffer, self.start, len)
    }

    /// Makes the next frame and returns its length.
    pub(super) fn next(&mut self, source: &dyn Source) -> Option<usize> {
        let Self { parts, buffer, start, room } = self;
        if parts.state.pending != Pending::None {
            parts.state.failed();
        }
        let room = usize::from(parts.state.max_frame).min(*room);
        let buffer = buffer.get_mut(*start..)?.get_mut(..room)?;
        if core::mem::take(&mut parts.state.begun) {
            parts.look(source, buffer);
        }
        loop {
            let mut plan = parts.state.plan();
            let mut out = DataWriter::with_frame(FrameWriter::empty(buffer));
            let keyframe = parts.state.turn.keyframe;
            let (frame_type, flags) = match plan {
                Pending::None => return None,
                Pending::Hello => (FrameType::Hello, Flags::NONE),
                Pending::Dict(_) => (FrameType::Dict, Flags::NONE),
                Pending::Event => (FrameType::Event, Flags::NONE),
                Pending::Data if keyframe => (FrameType::Data, Flags::KEYFRAME),
                Pending::Data => (FrameType::Data, Flags::NONE),
            };
            let frame = &mut out.frame;
            parts.state.write_header(frame_type, flags, &mut frame.out);
            match &mut plan {
                Pending::None => {}
                Pending::Hello => parts.state.write_hello(&mut frame.out),
                Pending::Dict(count) => *count = parts.dict(source, frame, *count),
                Pending::Event => parts.state.event.write(&mut frame.out),
                Pending::Data => parts.data(source, &mut out),
            }
            if plan == Pending::Dict(0) {
                // Only with a buffer shorter than `max_frame`.
                parts.state.dropped();
                parts.state.described(1);
                continue;
            }
            let len = out.frame.seal();
            if len.is_some() {
                parts.state.pending = plan;
                parts.state.seq = parts.state.seq.wrapping_add(1);
            } else {
                parts.state.failed();
            }
            return len;
        }
    }
}

impl Parts<'_> {
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
        let Cursor { id, cell, index: begin } = self.state.cursor;
        // Metrics before the one that is visited; counted from cell 0 of the first on.
        let mut index = begin.wrapping_sub(cell);
        self.state.last = true;
        let _ = source.visit(id, &mut |sample| {
            if sample.id >= until {
                return ControlFlow::Break(());
            }
            let place = Cursor { id: sample.id, cell: sample.cell, index };
            index = index.wrapping_add(1);
            if place.index < begin || self.push(out, &sample, place.index) {
                return ControlFlow::Continue(());
            }
            if !out.is_empty() {
                self.state.last = false;
                self.state.cursor = place;
                return ControlFlow::Break(());
            }
            // Not even alone in a frame.
            self.state.dropped();
            ControlFlow::Continue(())
        });
        out.close();
        if self.state.last {
            out.set_last();
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
        let entry = Entry::of(sample, bits);
        let Some(sent) = out.push_entry(&entry, &mut widener) else { return false };
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
            // Behind all that is remembered, so none is taken for unchanged.
            self.push(&mut nowhere, &sample, u32::MAX);
            ControlFlow::Continue(())
        });
    }
}

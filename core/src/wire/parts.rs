//! Making the frames of a report from a source.

use core::ops::ControlFlow;

use super::header::{Flags, METRICS_MAX};
use super::state::{Cursor, Pending, State};
use super::widen::Widener;
use super::writer::{DataWriter, DictWriter, SETTLED, event_frame, fingerprint, hello_frame};
use crate::metric::bytes::Writer;
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
            let plan = self.state.plan();
            let (len, made) = match plan {
                Pending::None => return None,
                Pending::Hello => {
                    let header = self.state.header(Flags::NONE);
                    (hello_frame(buffer, &header, &self.state.hello()).map(<[u8]>::len), plan)
                }
                Pending::Dict(most) => self.dict(source, buffer, most),
                Pending::Event => {
                    let header = self.state.header(Flags::NONE);
                    (event_frame(buffer, &header, &self.state.event).map(<[u8]>::len), plan)
                }
                Pending::Data => (self.data(source, buffer), plan),
            };
            if made == Pending::Dict(0) {
                // Only with a buffer shorter than `max_frame`.
                self.state.dropped();
                self.state.described(1);
                continue;
            }
            if len.is_some() {
                self.state.pending = made;
                self.state.seq = self.state.seq.wrapping_add(1);
            } else {
                self.state.failed();
            }
            return len;
        }
    }

    /// Takes new metrics into the dictionary, using the buffer for their entries.
    fn look(&mut self, source: &dyn Source, buffer: &mut [u8]) {
        if !core::mem::take(&mut self.state.whole) {
            self.observe(source);
        }
        let words = self.wraps.len();
        let until = source.metrics().min(METRICS_MAX);
        let state = &mut *self.state;
        let _ = source.visit(state.dictionary.len(), &mut |sample| {
            if sample.cell > 0 {
                return ControlFlow::Continue(());
            }
            if sample.id != state.dictionary.len() || sample.id >= until {
                return ControlFlow::Break(());
            }
            let mut out = Writer::new(buffer);
            if let Some(descriptor) = state.description(&sample, words) {
                descriptor.write_body(&mut out);
            } else {
                state.dropped();
            }
            // Without a description the entry is empty: receivers skip the metric.
            state.dictionary.push(out.written().unwrap_or_default());
            ControlFlow::Continue(())
        });
        if state.turn.burst {
            let places = state.dictionary.len().saturating_add(1);
            state.burst = state.schedule.burst_len(places);
        }
    }

    /// Makes a DICT frame of at most `most` entries, and tells how many it has.
    fn dict(
        &mut self,
        source: &dyn Source,
        buffer: &mut [u8],
        most: u32,
    ) -> (Option<usize>, Pending) {
        let words = self.wraps.len();
        let state = &*self.state;
        let first = state.first_entry();
        let mut out = DictWriter::new(buffer, &state.header(Flags::NONE), first);
        let mut count = 0;
        let _ = source.visit(first, &mut |sample| {
            if sample.cell > 0 {
                return ControlFlow::Continue(());
            }
            if count >= most {
                return ControlFlow::Break(());
            }
            let pushed = match state.description(&sample, words) {
                Some(descriptor) => out.push(&descriptor),
                None => out.push_body(&[]),
            };
            if !pushed {
                return ControlFlow::Break(());
            }
            count += 1;
            ControlFlow::Continue(())
        });
        (out.finish().map(<[u8]>::len), Pending::Dict(count))
    }

    /// Makes a DATA frame.
    fn data(&mut self, source: &dyn Source, buffer: &mut [u8]) -> Option<usize> {
        let keyframe = self.state.turn.keyframe;
        let flags = if keyframe { Flags::KEYFRAME } else { Flags::NONE };
        let until = self.state.dictionary.len();
        let mut out = DataWriter::new(buffer, &self.state.header(flags));
        let from = self.state.cursor;
        // Metrics before the one that is visited; counted from cell 0 of the first on.
        let mut index = from.index.saturating_sub(from.cell);
        let mut stopped = None;
        let _ = source.visit(from.id, &mut |sample| {
            if sample.id >= until {
                return ControlFlow::Break(());
            }
            let place = Cursor { id: sample.id, cell: sample.cell, index };
            index = index.saturating_add(1);
            if place.index < from.index {
                return ControlFlow::Continue(());
            }
            if !self.push(&mut out, &sample, place.index, keyframe) {
                if !out.is_empty() {
                    stopped = Some(place);
                    return ControlFlow::Break(());
                }
                // Not even alone in a frame.
                self.state.dropped();
            }
            ControlFlow::Continue(())
        });
        match stopped {
            Some(place) => self.state.cursor = place,
            None => {
                self.state.last = true;
                out.set_last();
            }
        }
        out.finish().map(<[u8]>::len)
    }

    /// Appends a value if it changed or `all` are wanted; `false` if it does not fit.
    fn push(
        &mut self,
        out: &mut DataWriter<'_>,
        sample: &Sample<'_>,
        index: u32,
        all: bool,
    ) -> bool {
        let last = usize::try_from(index).ok().and_then(|index| self.last.get_mut(index));
        let before = last.as_deref().map(|last| !last);
        if !all && before == Some(fingerprint(&sample.value)) {
            return true;
        }
        let mut widener = Widener::of(self.wraps, sample, self.state.all_wrap);
        let Sample { id, cell, value, .. } = sample;
        let sent = if sample.descriptor.dimensions.is_empty() {
            out.push_widened(*id, value, &mut widener)
        } else {
            out.push_cell_widened(*id, *cell, value, &mut widener)
        };
        let Some(sent) = sent else { return false };
        if let Some(last) = last {
            // The sum is read before the buckets, so it may lack a value that is in a bucket: a
            // distribution is sent once more with the same count before it is left alone.
            let moving = matches!(value, Value::Distribution(_))
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
        let _ = source.visit(0, &mut |sample| {
            let mut widener = Widener::of(self.wraps, &sample, self.state.all_wrap);
            match &sample.value {
                Value::Unsigned(value) => {
                    widener.word(0, *value);
                }
                Value::Distribution(value) => {
                    let len = value.geometry().len;
                    widener.word(0, value.zero());
                    for i in 0..len {
                        widener.word((i as usize).saturating_add(1), value.bucket(i));
                    }
                    widener.word((len as usize).saturating_add(1), value.overflow());
                }
                _ => {}
            }
            ControlFlow::Continue(())
        });
    }
}

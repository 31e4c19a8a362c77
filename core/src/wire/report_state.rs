//! What an encoder remembers, and the frames it makes from it.

use core::ops::ControlFlow;

use super::dict::DictionaryHash;
use super::event::Event;
use super::frame::{CRC_LEN, FRAME_LEN_MAX};
use super::header::{Address, Dictionary, Flags, FrameType, Header, METRICS_MAX};
use super::hello::Hello;
use super::identity::Identity;
use super::schedule::{Schedule, Turn};
use super::widen::{WIDENED_BITS, WORD_BITS, Widener};
use super::writer::{DataWriter, DictWriter, SETTLED, event_frame, fingerprint, hello_frame};
use super::{ORIGIN_LEN_MAX, VERSION};
use crate::metric::bytes::{VARINT_LEN_MAX, Writer, uvarint_len};
use crate::metric::{Descriptor, Kind, Sample, Value, ZERO_WORD};
use crate::snapshot::Source;
use crate::sync::Word;

/// Longest varint of a number of metrics.
pub(super) const METRICS_LEN: usize = uvarint_len(METRICS_MAX as u64);

/// Longest header with a short epoch: version and flags, epoch, dictionary, seq, uptime.
pub(super) const SHORT_HEADER_LEN_MAX: usize = 2 + 4 + (METRICS_LEN + 4) + 2 * VARINT_LEN_MAX;

/// Longest header.
const HEADER_LEN_MAX: usize = SHORT_HEADER_LEN_MAX - 4 + (1 + ORIGIN_LEN_MAX) + 8;

/// Longest body of a HELLO: origin, epoch and build id, reset reason, four numbers.
const HELLO_LEN_MAX: usize = (1 + ORIGIN_LEN_MAX) + 2 * VARINT_LEN_MAX + 1 + 4 * 5;

/// Smallest limit of a sender's frames, in bytes: every HELLO fits.
pub const FRAME_LEN_MIN: usize = 128;

const _: () = assert!(
    HEADER_LEN_MAX + HELLO_LEN_MAX + CRC_LEN <= FRAME_LEN_MIN,
    "raise FRAME_LEN_MIN: a HELLO must fit every frame"
);
const _: () = assert!(VERSION < 16, "the version is a nibble");

/// A frame that was handed out and is neither sent nor failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    None,
    Hello,
    /// That many entries.
    Dict(u32),
    Event,
    Data,
}

/// A place among the metrics of a source, those of families counted one by one.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    id: u32,
    cell: u32,
    /// Metrics before this place.
    index: u32,
}

impl Cursor {
    const START: Self = Self { id: 0, cell: 0, index: 0 };
}

/// Everything but the memory of single metrics and words.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) identity: Identity,
    pub(super) schedule: Schedule,
    pub(super) event: Event,
    /// Number of the next frame.
    pub(super) seq: u64,
    /// As given to the report.
    uptime: u64,
    /// Of the metrics that this report may mention.
    dictionary: DictionaryHash,
    /// Entries that were sent at least once.
    pub(super) announced: u32,
    /// Place of the round-robin: 0 is HELLO, 1 the entry of metric 0.
    place: u32,
    /// Places of the round-robin left for this report.
    burst: u32,
    /// What no DATA frame of this report has looked at.
    cursor: Cursor,
    pending: Pending,
    turn: Turn,
    /// At most [`FRAME_LEN_MAX`].
    max_frame: u16,
    /// Whether HELLO was sent at least once.
    pub(super) greeted: bool,
    /// Whether EVENT has news.
    eventful: bool,
    /// Whether the stream may have half a frame in it.
    pub(super) flush: bool,
    /// Whether the values go with a full address.
    pub(super) full_address: bool,
    /// Whether all counts are taken as 32-bit words.
    pub(super) all_wrap: bool,
    /// Whether a report is under way.
    active: bool,
    /// Whether a report was begun and its dictionary not yet looked at.
    begun: bool,
    /// Whether the last report reached all metrics.
    whole: bool,
    /// Whether the last DATA frame of this report was made.
    last: bool,
}

impl State {
    #[expect(clippy::cast_possible_truncation, reason = "at most FRAME_LEN_MAX")]
    pub(super) const fn new(identity: Identity, max_frame: usize) -> Self {
        const { assert!(FRAME_LEN_MAX <= u16::MAX as usize, "the limit is kept in 16 bits") };
        let max_frame = if max_frame < FRAME_LEN_MIN {
            FRAME_LEN_MIN
        } else if max_frame > FRAME_LEN_MAX {
            FRAME_LEN_MAX
        } else {
            max_frame
        };
        Self {
            identity,
            schedule: Schedule::NEW,
            event: Event { registry_full: 0, frames_dropped: 0, epoch_collisions: 0 },
            seq: 0,
            uptime: 0,
            dictionary: DictionaryHash::new(),
            announced: 0,
            place: 0,
            burst: 0,
            cursor: Cursor::START,
            pending: Pending::None,
            turn: Turn { keyframe: true, burst: false },
            max_frame: max_frame as u16,
            greeted: false,
            eventful: false,
            flush: true,
            full_address: false,
            all_wrap: false,
            active: false,
            begun: false,
            whole: true,
            last: false,
        }
    }

    pub(super) fn change_event(&mut self, change: impl FnOnce(&mut Event)) {
        let before = self.event;
        change(&mut self.event);
        self.eventful |= self.event != before;
    }

    pub(super) fn begin(&mut self, uptime: u64) {
        if self.pending != Pending::None {
            self.failed();
        }
        self.uptime = uptime;
        self.turn = self.schedule.begin();
        self.burst = 0;
        self.cursor = Cursor::START;
        self.last = false;
        self.begun = true;
        self.active = true;
        // What was lost is repeated with keyframes, so that it is known without the first EVENT.
        self.eventful |= self.turn.keyframe && self.event != Event::default();
    }

    pub(super) const fn is_keyframe(&self) -> bool {
        self.turn.keyframe
    }

    pub(super) fn sent(&mut self) {
        self.flush &= self.pending == Pending::None;
        match core::mem::replace(&mut self.pending, Pending::None) {
            Pending::None => {}
            Pending::Hello => {
                self.greeted = true;
                if self.place == 0 {
                    self.pass(1);
                }
            }
            Pending::Dict(count) => self.described(count),
            Pending::Event => self.eventful = false,
            Pending::Data => {
                if self.last {
                    self.active = false;
                    self.whole = true;
                    self.schedule.complete(self.turn);
                }
            }
        }
    }

    pub(super) fn failed(&mut self) {
        self.pending = Pending::None;
        self.active = false;
        self.flush = true;
        self.schedule.force_keyframe();
        self.dropped();
    }

    fn dropped(&mut self) {
        self.event.frames_dropped = self.event.frames_dropped.saturating_add(1);
        self.eventful = true;
    }

    /// Returns the first entry that a DICT frame is to hold.
    fn first_entry(&self) -> u32 {
        if self.announced < self.dictionary.len() {
            self.announced
        } else {
            self.place.saturating_sub(1)
        }
    }

    /// Notes that entries went out.
    fn described(&mut self, count: u32) {
        let first = self.first_entry();
        if first == self.announced {
            self.announced = first.saturating_add(count);
        }
        if first.checked_add(1) == Some(self.place) {
            self.pass(count);
        }
    }

    /// Moves the round-robin on; a burst ends at its end.
    fn pass(&mut self, places: u32) {
        if self.burst == 0 {
            return;
        }
        self.burst = self.burst.saturating_sub(places);
        self.place = self.place.saturating_add(places);
        if self.place > self.dictionary.len() {
            self.place = 0;
            self.burst = 0;
        }
    }

    /// Returns what the next frame of the report is to hold; of a DICT, the most entries.
    fn plan(&self) -> Pending {
        let metrics = self.dictionary.len();
        if !self.active || self.last {
            Pending::None
        } else if !self.greeted {
            Pending::Hello
        } else if self.announced < metrics {
            Pending::Dict(metrics.saturating_sub(self.announced))
        } else if self.burst > 0 {
            if self.place == 0 {
                Pending::Hello
            } else {
                Pending::Dict(self.burst.min(metrics.saturating_sub(self.first_entry())))
            }
        } else if self.eventful {
            Pending::Event
        } else {
            Pending::Data
        }
    }

    /// Returns the header of a frame with the next number.
    fn header(&self, flags: Flags) -> Header<'_> {
        let Identity { origin, epoch, .. } = &self.identity;
        let address = if self.full_address {
            Address::Full { origin: origin.as_bytes(), epoch: *epoch }
        } else {
            Address::Short(epoch.nonce)
        };
        Header {
            frame_type: FrameType::Data,
            flags,
            address,
            dictionary: Dictionary { len: self.dictionary.len(), hash: self.dictionary.value() },
            seq: self.seq,
            uptime: self.uptime,
        }
    }

    fn hello(&self) -> Hello<'_> {
        Hello {
            origin: self.identity.origin.as_bytes(),
            epoch: self.identity.epoch,
            build_id: self.identity.build_id,
            reset_reason: self.identity.reset_reason,
            boot_count: self.identity.boot_count,
            tick_hz: self.identity.tick_hz.max(1),
            metrics: self.dictionary.len(),
            max_frame: u32::from(self.max_frame),
        }
    }

    /// Returns the description of a metric as it is sent: with the bits of its words, and without
    /// help if it would not fit a frame otherwise; `None` if it does not fit at all.
    ///
    /// Always the same for the same metric, as the hash of the dictionary wants it.
    fn description<'s>(&self, sample: &Sample<'s>, words: usize) -> Option<Descriptor<'s>> {
        let overhead = HEADER_LEN_MAX + METRICS_LEN + CRC_LEN;
        let room = usize::from(self.max_frame).saturating_sub(overhead);
        let mut descriptor = sample.descriptor;
        descriptor.bits = match Wrapping::of(sample, self.all_wrap, words) {
            Wrapping::Absolute => descriptor.bits,
            Wrapping::Widened { .. } => WIDENED_BITS,
            Wrapping::Raw => WORD_BITS,
        };
        if descriptor.entry_len() > room {
            descriptor.help = "";
        }
        (descriptor.entry_len() <= room).then_some(descriptor)
    }
}

/// How the counts of a metric wrap.
enum Wrapping {
    /// They do not.
    Absolute,
    /// The encoder remembers the wraps of these words.
    Widened { from: usize, len: usize },
    /// They wrap as the words do.
    Raw,
}

impl Wrapping {
    fn of(sample: &Sample<'_>, all_wrap: bool, words: usize) -> Self {
        let narrow = size_of::<Word>() == 4;
        // Words of the metric before its counts, and those that count.
        let (before, len) = match (&sample.value, sample.descriptor.kind) {
            (Value::Unsigned(_), Kind::Counter | Kind::Meter) if narrow || all_wrap => (0, 1),
            (Value::Distribution(value), _) if all_wrap || (narrow && value.is_live()) => {
                (ZERO_WORD, (value.geometry().len as usize).saturating_add(2))
            }
            _ => return Self::Absolute,
        };
        let from = sample.word as usize;
        // The metrics of a family are described together, so they wrap alike.
        let later = sample.descriptor.dimensions.cells().saturating_sub(sample.cell) as usize;
        let end = before.saturating_add(len).saturating_mul(later).saturating_add(from);
        if end <= words {
            Self::Widened { from: from.saturating_add(before), len }
        } else {
            Self::Raw
        }
    }
}

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
        let mut widener = widener(self.wraps, sample, self.state.all_wrap);
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
        let _ = source.visit(0, &mut |sample| {
            let mut widener = widener(self.wraps, &sample, self.state.all_wrap);
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

/// Returns the memory of a metric's words; none if they are not widened.
fn widener<'w>(wraps: &'w mut [u8], sample: &Sample<'_>, all_wrap: bool) -> Widener<'w> {
    let memory = match Wrapping::of(sample, all_wrap, wraps.len()) {
        Wrapping::Widened { from, len } => wraps.get_mut(from..).and_then(|w| w.get_mut(..len)),
        _ => None,
    };
    Widener(memory.unwrap_or_default())
}

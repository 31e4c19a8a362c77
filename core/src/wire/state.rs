//! What an encoder remembers from report to report.

use super::dict::DictionaryHash;
use super::event::Event;
use super::frame::{CRC_LEN, FRAME_LEN_MAX};
use super::header::{
    Dictionary, Flags, FrameType, METRICS_MAX, write_full, write_position, write_short,
};
use super::identity::Identity;
use super::schedule::{Schedule, Turn};
use super::widen::{WIDENED_BITS, WORD_BITS, Wrapping};
use super::{ORIGIN_LEN_MAX, VERSION};
use crate::metric::Sample;
use crate::metric::bytes::{VARINT_LEN_MAX, Writer, uvarint_len};

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
const _: () = assert!(
    HEADER_LEN_MAX + METRICS_LEN + CRC_LEN <= FRAME_LEN_MIN,
    "raise FRAME_LEN_MIN: an empty entry must fit every frame"
);
const _: () = assert!(VERSION < 16, "the version is a nibble");

/// A frame that was handed out and is neither sent nor failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pending {
    None,
    Hello,
    /// That many entries.
    Dict(u32),
    Event,
    Data,
}

/// A place among the metrics of a source, those of families counted one by one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor {
    pub(super) id: u32,
    pub(super) cell: u32,
    /// Metrics before this place.
    pub(super) index: u32,
}

impl Cursor {
    const START: Self = Self { id: 0, cell: 0, index: 0 };
}

/// Everything but the memory of single metrics and words.
///
/// In this order because a Cortex-M0+ reaches bytes in the first 32 of a structure, and words in
/// the first 128, with one instruction.
#[derive(Debug, Clone)]
#[repr(C)]
pub(super) struct State {
    /// Whether HELLO was sent at least once.
    pub(super) greeted: bool,
    /// Whether EVENT has news.
    eventful: bool,
    /// Whether the stream may have half a frame in it.
    pub(super) flush: bool,
    /// Whether all counts are taken as 32-bit words.
    pub(super) all_wrap: bool,
    /// Whether a report is under way.
    active: bool,
    /// Whether a report was begun and its dictionary not yet looked at.
    pub(super) begun: bool,
    /// Whether the last report reached all metrics.
    pub(super) whole: bool,
    /// Whether the last DATA frame of this report was made.
    pub(super) last: bool,
    pub(super) turn: Turn,
    pub(super) schedule: Schedule,
    /// At most [`FRAME_LEN_MAX`]; 0 before the start.
    pub(super) max_frame: u16,
    pub(super) pending: Pending,
    /// Number of the next frame.
    pub(super) seq: u64,
    /// As given to the report.
    pub(super) uptime: u64,
    /// Writes the beginning of a header with a full address; `None` for the short epoch. A pointer,
    /// so that an image without full addresses is linked without it.
    address: Option<fn(&Identity, FrameType, Flags, &mut Writer<'_>)>,
    /// Of the metrics that this report may mention.
    pub(super) dictionary: DictionaryHash,
    /// Entries that were sent at least once.
    pub(super) announced: u32,
    /// Place of the round-robin: 0 is HELLO, 1 the entry of metric 0.
    place: u32,
    /// Places of the round-robin left for this report.
    pub(super) burst: u32,
    /// What no DATA frame of this report has looked at.
    pub(super) cursor: Cursor,
    pub(super) event: Event,
    pub(super) identity: Identity,
}

impl State {
    /// Of an encoder that makes no frames yet; all bytes are zero.
    pub(super) const UNSTARTED: Self = Self {
        identity: Identity::UNKNOWN,
        schedule: Schedule::UNSTARTED,
        event: Event { registry_full: 0, frames_dropped: 0, epoch_collisions: 0 },
        seq: 0,
        uptime: 0,
        dictionary: DictionaryHash::new(),
        announced: 0,
        place: 0,
        burst: 0,
        cursor: Cursor::START,
        pending: Pending::None,
        turn: Turn { keyframe: false, burst: false },
        max_frame: 0,
        greeted: false,
        eventful: false,
        flush: false,
        address: None,
        all_wrap: false,
        active: false,
        begun: false,
        whole: false,
        last: false,
    };

    /// Lets frames of at most `max_frame` bytes be made, unless that was done before.
    #[expect(clippy::cast_possible_truncation, reason = "at most FRAME_LEN_MAX")]
    pub(super) const fn start(&mut self, identity: Identity, max_frame: usize) {
        const { assert!(FRAME_LEN_MAX <= u16::MAX as usize, "the limit is kept in 16 bits") };
        if self.max_frame > 0 {
            return;
        }
        self.max_frame = if max_frame < FRAME_LEN_MIN {
            FRAME_LEN_MIN as u16
        } else if max_frame > FRAME_LEN_MAX {
            FRAME_LEN_MAX as u16
        } else {
            max_frame as u16
        };
        // One by one, which takes no routine that copies memory.
        let Identity { origin, epoch, build_id, reset_reason, boot_count, tick_hz } = identity;
        self.identity.origin = origin;
        self.identity.epoch = epoch;
        self.identity.build_id = build_id;
        self.identity.reset_reason = reset_reason;
        self.identity.boot_count = boot_count;
        self.identity.tick_hz = tick_hz;
        self.schedule.start();
        self.turn.keyframe = true;
        self.flush = true;
        self.whole = true;
    }

    pub(super) fn change_event(&mut self, change: impl FnOnce(&mut Event)) {
        let before = self.event;
        change(&mut self.event);
        self.eventful |= self.event != before;
    }

    /// Takes in what a source says it refused, unless more is known.
    pub(super) fn refused(&mut self, count: u32) {
        if count > self.event.registry_full {
            self.event.registry_full = count;
            self.eventful = true;
        }
    }

    #[inline(never)]
    pub(super) fn begin(&mut self, uptime: u64) {
        if self.pending != Pending::None {
            self.failed();
        }
        self.uptime = uptime;
        self.turn = self.schedule.begin();
        self.burst = 0;
        self.cursor = Cursor::START;
        self.last = false;
        self.active = self.max_frame > 0;
        self.begun = self.active;
        // What was lost is repeated with keyframes, so that it is known without the first EVENT.
        self.eventful |= self.turn.keyframe && self.event != Event::default();
    }

    pub(super) const fn is_keyframe(&self) -> bool {
        self.turn.keyframe
    }

    #[inline(never)]
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

    #[inline(never)]
    pub(super) fn failed(&mut self) {
        self.pending = Pending::None;
        self.active = false;
        self.flush = true;
        self.schedule.force_keyframe();
        self.dropped();
    }

    #[inline(never)]
    pub(super) fn dropped(&mut self) {
        self.event.frames_dropped = self.event.frames_dropped.saturating_add(1);
        self.eventful = true;
    }

    /// Returns the first entry that a DICT frame is to hold.
    pub(super) fn first_entry(&self) -> u32 {
        if self.announced < self.dictionary.len() {
            self.announced
        } else {
            self.place.saturating_sub(1)
        }
    }

    /// Notes that entries went out.
    pub(super) fn described(&mut self, count: u32) {
        // None of these numbers exceeds METRICS_MAX by much.
        let first = self.first_entry();
        if first == self.announced {
            self.announced = first.wrapping_add(count);
        }
        if first.wrapping_add(1) == self.place {
            self.pass(count);
        }
    }

    /// Moves the round-robin on; a burst ends at its end.
    fn pass(&mut self, places: u32) {
        if self.burst == 0 {
            return;
        }
        self.burst = self.burst.saturating_sub(places);
        self.place = self.place.wrapping_add(places);
        if self.place > self.dictionary.len() {
            self.place = 0;
            self.burst = 0;
        }
    }

    /// Returns what the next frame of the report is to hold; of a DICT, the most entries.
    #[inline(never)]
    pub(super) fn plan(&self) -> Pending {
        let metrics = self.dictionary.len();
        if !self.active || self.last {
            Pending::None
        } else if !self.greeted {
            Pending::Hello
        } else if self.announced < metrics {
            Pending::Dict(metrics.wrapping_sub(self.announced))
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

    /// Puts origin and epoch into every header.
    pub(super) const fn address_fully(&mut self) {
        self.address = Some(|identity, frame_type, flags, out| {
            let Identity { origin, epoch, .. } = identity;
            write_full(frame_type, flags, origin.as_bytes(), *epoch, out);
        });
    }

    /// Appends the header of a frame with the next number.
    #[inline(never)]
    pub(super) fn write_header(&self, frame_type: FrameType, flags: Flags, out: &mut Writer<'_>) {
        match self.address {
            None => write_short(frame_type, flags, self.identity.epoch.nonce, out),
            Some(write) => write(&self.identity, frame_type, flags, out),
        }
        let dictionary = Dictionary { len: self.dictionary.len(), hash: self.dictionary.value() };
        write_position(dictionary, self.seq, self.uptime, out);
    }

    /// Appends the body of a HELLO.
    pub(super) fn write_hello(&self, out: &mut Writer<'_>) {
        let identity = &self.identity;
        // As `Hello::write` does, whose fields would be copied first.
        out.bytes(identity.origin.as_bytes());
        out.uvarint(identity.epoch.to_u64());
        out.uvarint(identity.build_id);
        out.u8(identity.reset_reason.code());
        out.uvarint32(identity.boot_count);
        out.uvarint32(identity.tick_hz.max(1));
        out.uvarint32(self.dictionary.len());
        out.uvarint32(self.max_frame.into());
    }

    /// Appends the entry of a metric as it is sent: with the bits of its words, and without help
    /// if it would not fit a frame otherwise; empty, and `false`, if it does not fit at all.
    ///
    /// Always the same for the same metric, as the hash of the dictionary wants it.
    #[inline(never)]
    #[expect(clippy::cast_possible_truncation, reason = "at most FRAME_LEN_MAX")]
    pub(super) fn write_entry(
        &self,
        sample: &Sample<'_>,
        words: usize,
        out: &mut Writer<'_>,
    ) -> bool {
        let overhead = HEADER_LEN_MAX + METRICS_LEN + CRC_LEN;
        let room = usize::from(self.max_frame).wrapping_sub(overhead);
        let bits = match Wrapping::of(sample, self.all_wrap, words) {
            Wrapping::Absolute => None,
            Wrapping::Widened { .. } => Some(WIDENED_BITS),
            Wrapping::Raw => Some(WORD_BITS),
        };
        let mark = out.len();
        let mut help = true;
        loop {
            sample.description.write(help, out);
            let len = out.len().wrapping_sub(mark);
            // Of frames' lengths, the varint has two bytes at most.
            if len.wrapping_add(if len < 0x80 { 1 } else { 2 }) <= room {
                if let Some(bits) = bits {
                    out.patch(mark, |_| bits);
                }
                out.insert(mark, len as u32);
                return true;
            }
            out.truncate(mark);
            if !core::mem::take(&mut help) {
                out.u8(0);
                return false;
            }
        }
    }
}

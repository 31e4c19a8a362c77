//! The encoder: turns the state of a source into the frames of one report after another.

use super::cobs;
use super::event::Event;
use super::frame::CRC_LEN;
use super::identity::Identity;
use super::parts::{Frames, Parts};
use super::request::Request;
use super::state::{FRAME_LEN_MIN, METRICS_LEN, SHORT_HEADER_LEN_MAX, State};
use super::widen::WIDENED_BITS;
use crate::metric::BUCKETS_MAX;
use crate::metric::bytes::uvarint_len;
use crate::snapshot::Source;

/// Makes the frames of reports about one source.
///
/// `METRICS` metrics are sent only when they changed; those beyond are sent in every report.
/// Metrics whose words lie within the first `WORDS` words of the source are widened to 39 bits on
/// targets whose words have 32 bits (elsewhere `WORDS` may be 0); those beyond are sent as they
/// are, and the dictionary says so.
///
/// The encoder does no input or output, so that blocking and asynchronous reporters share it:
///
/// ```
/// use tapes_core::wire::{Encoder, Epoch, Identity, Origin};
/// tapes_core::metrics! {
///     static RADIO: RadioMetrics = "radio" { sent: Counter }
/// }
///
/// let identity = Identity::new(Origin::from_array([7]), Epoch::new(0, 1), 1_000);
/// let mut encoder = Encoder::<1, 0>::new(identity, 256);
/// let mut buffer = [0; 256];
/// let mut frames = 0;
/// encoder.begin(12_345);
/// while let Some(frame) = encoder.next_frame(&RADIO, &mut buffer) {
///     let written = !frame.is_empty(); // to a socket, a file, a queue
///     frames += 1;
///     if written { encoder.sent() } else { encoder.failed() }
/// }
/// assert_eq!(frames, 3); // HELLO, DICT, DATA
/// ```
///
/// # What a report holds
///
/// First whatever of the dictionary is new, then the part of it whose turn it is, then an EVENT if
/// something was lost, then one or more DATA frames: the metrics that changed, or in a keyframe
/// all of them. There is always a DATA frame, even an empty one, so that receivers see the uptime.
///
/// # Losing nothing
///
/// What a frame held counts as sent once [`sent`](Self::sent) was called for it. A frame that
/// failed, or for which neither was called, ends its report, is counted, and makes the next report
/// a keyframe.
///
/// A word is widened when it is read, so report (or call [`observe`](Self::observe)) at least once
/// in 2^31 increments of the fastest word: every 35 minutes at 1 MHz.
///
/// # Interrupts and cores
///
/// One context reports; any may record meanwhile. Costs a few dozen instructions for each word of
/// the source, and the encoding of what changed.
///
/// # Footprint
///
/// `144 + 4 * METRICS + WORDS` bytes, plus the buffer; 8 more where pointers have 64 bits.
#[derive(Debug, Clone)]
pub struct Encoder<const METRICS: usize, const WORDS: usize> {
    state: State,
    /// The complement of the fingerprint last sent; 0 for "never".
    last: [u32; METRICS],
    /// Wraps and last top bit of each word.
    wraps: [u8; WORDS],
}

impl<const METRICS: usize, const WORDS: usize> Encoder<METRICS, WORDS> {
    /// Returns an encoder of a new epoch that makes frames of at most `max_frame` bytes.
    ///
    /// `max_frame` is taken as 128 at least and [`FRAME_LEN_MAX`](super::FRAME_LEN_MAX) at most;
    /// [`frame_len`] tells how much the longest histogram needs.
    ///
    /// Defaults to one report a second, a keyframe every 10 reports, and frames for a link with
    /// one sender.
    #[must_use]
    pub const fn new(identity: Identity, max_frame: usize) -> Self {
        let mut encoder = Self::unstarted();
        encoder.start(identity, max_frame);
        encoder
    }

    /// Returns an encoder that makes no frames before it is [started](Self::start); all its bytes
    /// are zero, so that a `static` one takes no flash.
    #[must_use]
    pub const fn unstarted() -> Self {
        Self { state: State::UNSTARTED, last: [0; METRICS], wraps: [0; WORDS] }
    }

    /// Makes an [`unstarted`](Self::unstarted) encoder what [`new`](Self::new) returns, in place;
    /// does nothing if it was started before.
    ///
    /// ```
    /// use tapes_core::wire::{Encoder, Epoch, Identity, Origin};
    ///
    /// let mut encoder = Encoder::<1, 0>::unstarted();
    /// encoder.start(Identity::new(Origin::from_array([7]), Epoch::new(0, 1), 1_000), 256);
    /// assert_eq!(encoder.identity().tick_hz, 1_000);
    /// ```
    pub const fn start(&mut self, identity: Identity, max_frame: usize) {
        self.state.start(identity, max_frame);
    }

    /// Sets the number of reports from one keyframe to the next; 0 counts as 1.
    ///
    /// Defaults to 10. A value that a lost frame held is seen at the next keyframe at the latest.
    #[must_use]
    pub const fn with_keyframe_interval(mut self, reports: u16) -> Self {
        self.set_keyframe_interval(reports);
        self
    }

    /// Sets the time between reports, from which follows how much of the dictionary goes with
    /// each so that all of it is repeated within 30 s.
    ///
    /// Defaults to 1,000 ms. Above 30 s, every report has the whole dictionary.
    #[must_use]
    pub const fn with_report_interval_ms(mut self, interval_ms: u32) -> Self {
        self.set_report_interval_ms(interval_ms);
        self
    }

    /// Puts origin and epoch into every frame, for links that several senders share: datagrams,
    /// buses, message queues, files.
    ///
    /// Defaults to the short epoch of point-to-point links.
    ///
    /// ```
    /// use tapes_core::wire::{Encoder, Epoch, Identity, Origin};
    ///
    /// let identity = Identity::new(Origin::from_array(*b"node-1"), Epoch::new(4, 0x5eed), 1_000);
    /// let mut encoder = Encoder::<8, 8>::new(identity, 512)
    ///     .with_full_address()
    ///     .with_keyframe_interval(60)
    ///     .with_report_interval_ms(500)
    ///     .with_first_seq(1_000)
    ///     .with_wrapping_words();
    /// assert_eq!((encoder.next_seq(), encoder.identity().tick_hz), (1_000, 1_000));
    /// // What may change while it reports:
    /// encoder.set_keyframe_interval(10);
    /// encoder.set_report_interval_ms(1_000);
    /// encoder.set_registry_full(1); // sent as an EVENT
    /// encoder.set_epoch_collisions(0);
    /// assert_eq!(encoder.event().registry_full, 1);
    /// encoder.force_keyframe(); // a receiver asks for everything,
    /// encoder.force_dictionary(); // or for what it means
    /// encoder.begin(0);
    /// assert!(encoder.is_keyframe());
    /// ```
    #[must_use]
    pub const fn with_full_address(mut self) -> Self {
        self.state.address_fully();
        self
    }

    /// Sets the number of the first frame, for an epoch that goes on after a restart because its
    /// values were kept; must be above every number used before.
    ///
    /// The widening starts anew, so such an epoch needs `WORDS` to be 0 on 32-bit targets: then
    /// receivers widen, and they have not restarted.
    ///
    /// Defaults to 0.
    #[must_use]
    pub const fn with_first_seq(mut self, seq: u64) -> Self {
        self.state.seq = seq;
        self
    }

    /// As [`with_first_seq`](Self::with_first_seq), before the first report.
    pub const fn set_first_seq(&mut self, seq: u64) {
        self.state.seq = seq;
    }

    /// Returns the complements of the fingerprints of what was sent last; 0 for "never".
    pub(crate) const fn last_fingerprints(&self) -> &[u32; METRICS] {
        &self.last
    }

    /// Treats all counts as 32-bit words that wrap, whatever the machine: for simulators and tests
    /// of 32-bit devices.
    ///
    /// Defaults to what the machine's words are.
    #[must_use]
    pub const fn with_wrapping_words(mut self) -> Self {
        self.state.all_wrap = true;
        self
    }

    /// As [`with_keyframe_interval`](Self::with_keyframe_interval), while reporting.
    pub const fn set_keyframe_interval(&mut self, reports: u16) {
        self.state.schedule.set_keyframe_interval(reports);
    }

    /// As [`with_report_interval_ms`](Self::with_report_interval_ms), while reporting.
    pub const fn set_report_interval_ms(&mut self, interval_ms: u32) {
        self.state.schedule.set_report_interval_ms(interval_ms);
    }

    /// Returns the identity.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.state.identity
    }

    /// Returns the number that the next frame will have.
    #[must_use]
    pub const fn next_seq(&self) -> u64 {
        self.state.seq
    }

    /// Returns the uptime that the last report was begun with.
    pub(crate) const fn uptime(&self) -> u64 {
        self.state.uptime
    }

    /// Returns whether the report under way, or else the last one, has all metrics.
    #[must_use]
    pub const fn is_keyframe(&self) -> bool {
        self.state.is_keyframe()
    }

    /// Returns what was lost so far.
    #[must_use]
    pub const fn event(&self) -> Event {
        self.state.event
    }

    /// Tells how many registrations were refused so far; sent as an EVENT when it changes.
    ///
    /// For those that the source does not count itself: of it and of
    /// [`Source::refused`], the larger number is sent.
    pub fn set_registry_full(&mut self, count: u32) {
        self.state.change_event(|event| event.registry_full = count);
    }

    /// Tells how often the sender's own epoch was found in use by another; as
    /// [`set_registry_full`](Self::set_registry_full).
    pub fn set_epoch_collisions(&mut self, count: u32) {
        self.state.change_event(|event| event.epoch_collisions = count);
    }

    /// Makes the next report a keyframe, as when a receiver asks for one.
    pub const fn force_keyframe(&mut self) {
        self.state.schedule.force_keyframe();
    }

    /// Sends the whole dictionary with the next report, as when a receiver asks for it.
    pub const fn force_dictionary(&mut self) {
        self.state.announced = 0;
        self.state.greeted = false;
    }

    /// Does what a receiver asked for on the way back of a byte stream, [`Request`]s of one byte
    /// each; every other byte is ignored.
    ///
    /// Between reports, with whatever has arrived: however much that is, it costs one dictionary
    /// and one keyframe.
    ///
    /// ```
    /// # use tapes_core::wire::{Encoder, Epoch, Identity, Origin};
    /// # let identity = Identity::new(Origin::from_array([7]), Epoch::new(0, 1), 1_000);
    /// # let mut encoder = Encoder::<1, 0>::new(identity, 256);
    /// encoder.heed(b"\xf0 noise, then: K");
    /// encoder.begin(0);
    /// assert!(encoder.is_keyframe());
    /// ```
    pub const fn heed(&mut self, mut bytes: &[u8]) {
        while let [byte, rest @ ..] = bytes {
            match Request::from_byte(*byte) {
                Some(Request::Dictionary) => self.force_dictionary(),
                Some(Request::Keyframe) => self.force_keyframe(),
                None => {}
            }
            bytes = rest;
        }
    }

    /// Begins a report; `uptime` is the time since the epoch began, in ticks of
    /// [`Identity::tick_hz`].
    ///
    /// A report that was not finished before counts as failed.
    pub fn begin(&mut self, uptime: u64) {
        self.state.begin(uptime);
    }

    /// Returns the next frame of the report, bare, or `None` at its end.
    ///
    /// The buffer should hold `max_frame` bytes; what does not fit is counted as dropped. Use the
    /// same source all the time.
    pub fn next_frame<'b>(
        &mut self,
        source: &dyn Source,
        buffer: &'b mut [u8],
    ) -> Option<&'b [u8]> {
        let room = buffer.len();
        let len = self.frames(&mut *buffer, 0, room).next(source)?;
        buffer.get(..len)
    }

    /// Returns the next frame of the report for a byte stream, delimiters included, or `None` at
    /// its end.
    ///
    /// The buffer should hold [`stream_len`]`(max_frame)` bytes. The frame is encoded in place.
    ///
    /// ```
    /// use tapes_core::wire::{Deframer, Encoder, Epoch, Feed, Identity, Origin, stream_len};
    /// tapes_core::metrics! {
    ///     static RADIO: RadioMetrics = "radio" { sent: Counter }
    /// }
    /// let identity = Identity::new(Origin::from_array([7]), Epoch::new(0, 1), 1_000);
    /// let mut encoder = Encoder::<1, 1>::new(identity, 256);
    /// encoder.observe(&RADIO); // while there is no line
    /// let mut buffer = [0; stream_len(256)];
    /// encoder.begin(0);
    /// let bytes = encoder.next_stream_frame(&RADIO, &mut buffer).unwrap();
    /// assert!(matches!(Deframer::<256>::new().feed(bytes), Feed::Frame { rest: [], .. }));
    /// encoder.sent();
    /// ```
    pub fn next_stream_frame<'b>(
        &mut self,
        source: &dyn Source,
        buffer: &'b mut [u8],
    ) -> Option<&'b [u8]> {
        let room = cobs::capacity(buffer.len());
        let start = cobs::start(room);
        let len = self.frames(&mut *buffer, start, room).next_on_stream(source)?;
        // On a new stream, or with half a frame in front of us, the first 0x00 goes out too.
        let from = usize::from(!self.state.flush);
        buffer.get(from..len)
    }

    /// Says that the frame returned last was written.
    pub fn sent(&mut self) {
        self.state.sent();
    }

    /// Says that the frame returned last was not written, or not whole; ends the report.
    pub fn failed(&mut self) {
        self.state.failed();
    }

    /// Looks at all words without sending anything, so that no wrap is missed while there is no
    /// link.
    pub fn observe(&mut self, source: &dyn Source) {
        self.parts().observe(source);
    }

    fn parts(&mut self) -> Parts<'_> {
        Parts { state: &mut self.state, last: &mut self.last, wraps: &mut self.wraps }
    }

    fn frames<'e>(&'e mut self, buffer: &'e mut [u8], start: usize, room: usize) -> Frames<'e> {
        Frames { parts: self.parts(), buffer, start, room }
    }
}

/// Returns the buffer that a stream frame needs for a frame of `frame_len` bytes.
#[must_use]
pub const fn stream_len(frame_len: usize) -> usize {
    // The inverse of `cobs::capacity`, rounded up.
    frame_len + 4 + frame_len / 253
}

/// Returns the longest frame that a stream buffer of `buffer_len` bytes holds.
#[must_use]
pub const fn stream_capacity(buffer_len: usize) -> usize {
    cobs::capacity(buffer_len)
}

/// Returns the frame that a histogram of `buckets` buckets needs at worst on a 32-bit target while
/// it has counted at most `values` values; `u64::MAX` is for ever.
///
/// With a full address, add 21 bytes.
///
/// ```
/// use tapes_core::wire::{frame_len, stream_len};
/// // 80 buckets, 1,000 values a second: for 49 days, or for ever.
/// const MONTHS: usize = stream_len(frame_len(80, 1 << 32));
/// const ALWAYS: usize = stream_len(frame_len(80, u64::MAX));
/// assert_eq!((MONTHS, ALWAYS), (412, 562));
/// ```
#[must_use]
pub const fn frame_len(buckets: u32, values: u64) -> usize {
    let buckets = if buckets > BUCKETS_MAX { BUCKETS_MAX } else { buckets };
    // Spans are more than BRIDGE_MAX zeros apart, which take as many bytes as a span does, so one
    // span of all buckets is the worst case.
    let spans = uvarint_len(1) + 1 + uvarint_len(buckets as u64);
    let numbers = uvarint_len(u64::MAX) + 2 * uvarint_len(u32::MAX as u64);
    #[expect(clippy::cast_possible_truncation, reason = "at most 6 bytes for each bucket")]
    let counts = counts_len(buckets as u64 + 2, values) as usize;
    let len = SHORT_HEADER_LEN_MAX + METRICS_LEN + 1 + numbers + counts + spans + CRC_LEN;
    if len < FRAME_LEN_MIN { FRAME_LEN_MIN } else { len }
}

/// Returns the bytes that `counts` varints of at most 39 bits can take if their sum is `values`.
///
/// A longer varint costs more values than the shorter ones together, so the worst case lengthens
/// all of them by a byte before any by two.
const fn counts_len(counts: u64, values: u64) -> u64 {
    let mut len = counts;
    let mut left = values;
    let mut smallest = 1u64 << 7;
    let mut spent = 0;
    while smallest < 1 << WIDENED_BITS {
        let price = smallest - spent;
        let longer = left / price;
        let longer = if longer > counts { counts } else { longer };
        len += longer;
        left -= longer * price;
        spent = smallest;
        smallest <<= 7;
    }
    len
}

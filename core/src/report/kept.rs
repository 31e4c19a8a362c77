//! Surviving a reset: words in RAM that the start-up code does not clear.
//!
//! A reset by a watchdog, a panic or a fault leaves RAM as it is. Words placed in a section that
//! the start-up code skips, `.uninit` of `cortex-m-rt`, still hold what was counted between the
//! last report and the reset. [`Kept`] decides at start whether they can be believed: if so the
//! epoch goes on where it was, else the words are cleared and a new epoch begins.
//!
//! ```
//! use tapes_core::metric::Words;
//! use tapes_core::report::Kept;
//! use tapes_core::wire::{Encoder, Epoch, Identity, Origin};
//!
//! // On a device both statics have `#[unsafe(link_section = ".uninit.tapes")]`.
//! static MOTOR_WORDS: Words<{ MotorMetrics::WORDS }> = Words::new();
//! static KEPT: Kept<{ MotorMetrics::METRICS }> = Kept::new();
//!
//! tapes_core::metrics! {
//!     static MOTOR: MotorMetrics = "motor" in MOTOR_WORDS {
//!         loops: Counter,
//!     }
//! }
//!
//! // First thing in `main`, before anything records.
//! let random = 0x5eed;
//! let start = KEPT.start(&MOTOR, 1, || Epoch::new(0, random));
//! let identity = start.identify(Identity::new(Origin::from_array([7]), start.epoch, 1_000_000));
//! // No widening memory: it would not survive, so the receiver widens.
//! let mut encoder = Encoder::<{ MotorMetrics::METRICS }, 0>::new(identity, 256);
//! encoder.set_first_seq(start.first_seq); // of a reporter: `reporter.encoder()`
//! MOTOR.loops.increment();
//! // Each report says how long the values have been there, not when the board started:
//! let clock_ticks = 1_250_000;
//! encoder.begin(start.uptime + clock_ticks);
//! // After each report that went out:
//! KEPT.reported(&encoder);
//! ```
//!
//! # What is believed
//!
//! The header (magic number, layout, build, boots, epoch) and what was reported last are covered
//! by the complement of a hash. The words change with every record and cannot be. A count is
//! believed if it is at least the one reported last, and less than 2^30 above it; one that is not
//! makes all of them refused, so a total errs low, never high. Sums that a reset caught in the
//! middle of a carry are repaired.
//!
//! # Limits
//!
//! - For declared groups. What a dynamic registry holds is lost at a reset.
//! - A gauge that decayed while the power was gone for a moment is seen until it is set again.
//! - A reset while [`reported`](Kept::reported) is at work loses the words.
//! - Frames may have gone out after the last [`reported`](Kept::reported), so 1,024 numbers of
//!   frames are left out at a restart; a receiver counts them as lost frames, which they are not.

use core::ops::ControlFlow;

use crate::metric::{Metrics, Value};
use crate::snapshot::Source;
use crate::sync::Cell;
use crate::wire::{Encoder, Epoch, Identity, fingerprint};

/// "Tape", to tell a header from whatever is in RAM after power-on.
const MAGIC: u32 = 0x5461_7065;

/// Numbers that a restart leaves out, because frames may have gone out after the last
/// [`Kept::reported`]; far below the jump of 2^16 that receivers distrust.
const SEQ_MARGIN: u64 = 1024;

/// Cells of the header.
const HEADER: usize = 8;
/// Cells that say what was reported, before the fingerprints.
const REPORT: usize = 5;

/// What a reset must not take: who we are and what was reported; lives beside the words.
///
/// # Footprint
///
/// `52 + 4 * METRICS` bytes on a 32-bit target.
#[derive(Debug)]
pub struct Kept<const METRICS: usize> {
    /// Magic, layout, build (low, high), boots, epoch (order, nonce), and the complement of their
    /// hash.
    header: [Cell; HEADER],
    /// Next number of a frame (low, high), uptime (low, high), and the complement of the hash of
    /// them and `last`.
    report: [Cell; REPORT],
    /// Fingerprints of the values reported last, each as its complement; 0 for "never".
    last: [Cell; METRICS],
}

/// How a device starts.
///
/// ```
/// use tapes_core::report::{Kept, Start};
/// use tapes_core::wire::{Epoch, Identity, Origin};
///
/// tapes_core::metrics! {
///     static PUMP: PumpMetrics = "pump" { strokes: Counter }
/// }
/// static KEPT: Kept<{ PumpMetrics::METRICS }> = Kept::new();
///
/// let start: Start = KEPT.start(&PUMP, 1, || Epoch::new(0, 0x5eed));
/// assert!(!start.kept && start.uptime == 0); // power-on: there was nothing
/// let identity = Identity::new(Origin::from_array([7]), start.epoch, 1_000);
/// assert_eq!(start.identify(identity).boot_count, 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Start {
    /// Whether the words were kept.
    pub kept: bool,
    /// Starts since the header was first written, this one included.
    pub boots: u32,
    /// The epoch: that of before if the words were kept.
    pub epoch: Epoch,
    /// The number of the first frame.
    pub first_seq: u64,
    /// The uptime that was reported last, in its ticks; 0 in a new epoch. Uptime counts from the
    /// begin of the epoch, so reports add this to a clock that began again.
    pub uptime: u64,
}

impl Start {
    /// Returns the identity with this start's epoch and boots.
    #[must_use]
    pub const fn identify(&self, mut identity: Identity) -> Identity {
        identity.epoch = self.epoch;
        identity.boot_count = self.boots;
        identity
    }
}

impl<const METRICS: usize> Kept<METRICS> {
    /// Returns a header that holds nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            header: [const { Cell::ZERO }; HEADER],
            report: [const { Cell::ZERO }; REPORT],
            last: [const { Cell::ZERO }; METRICS],
        }
    }

    /// Decides whether the words of a group can be believed; clears them if not.
    ///
    /// `build_id` is anything that differs between builds; `epoch` gives a new epoch if one is
    /// needed: its nonce should mix whatever randomness the device has.
    ///
    /// # Interrupts and cores
    ///
    /// Call once, before anything records. Costs a pass over the words.
    pub fn start<M: Metrics>(
        &self,
        metrics: &M,
        build_id: u64,
        epoch: impl FnOnce() -> Epoch,
    ) -> Start {
        // The compiler must believe that others may have written these cells.
        let this = core::hint::black_box(self);
        let group = metrics.group();
        let header = this.header_is_whole();
        let boots = if header { get(&this.header[4]).wrapping_add(1) } else { 1 };
        let [low, high] = halves(build_id);
        let ours = get(&this.header[1]) == group.layout_hash()
            && get(&this.header[2]) == low
            && get(&this.header[3]) == high;
        group.repair();
        let kept = header && ours && this.report_is_whole() && this.counts_are_plausible(metrics);
        let (epoch, first_seq, uptime) = if kept {
            let [seq_low, seq_high, up_low, up_high, _] = this.report.each_ref().map(get);
            let epoch = Epoch::new(get(&this.header[5]), get(&this.header[6]));
            (epoch, join(seq_low, seq_high).wrapping_add(SEQ_MARGIN), join(up_low, up_high))
        } else {
            group.clear();
            (epoch(), 0, 0)
        };
        let fields = [MAGIC, group.layout_hash(), low, high, boots, epoch.order, epoch.nonce];
        for (cell, field) in this.header.iter().zip(fields) {
            set(cell, field);
        }
        set(&this.header[HEADER - 1], !hash(&this.header[..HEADER - 1]));
        if !kept {
            for cell in &this.last {
                set(cell, 0);
            }
        }
        this.commit(first_seq, uptime);
        Start { kept, boots, epoch, first_seq, uptime }
    }

    /// Notes what has been reported; call after each report that went out.
    pub fn reported<const M: usize, const W: usize>(&self, encoder: &Encoder<M, W>) {
        for (cell, last) in self.last.iter().zip(encoder.last_fingerprints()) {
            set(cell, *last);
        }
        self.commit(encoder.next_seq(), encoder.uptime());
    }

    fn commit(&self, seq: u64, uptime: u64) {
        let [seq_low, seq_high] = halves(seq);
        let [up_low, up_high] = halves(uptime);
        for (cell, field) in self.report.iter().zip([seq_low, seq_high, up_low, up_high]) {
            set(cell, field);
        }
        set(&self.report[REPORT - 1], !self.report_hash());
    }

    fn report_hash(&self) -> u32 {
        let fields = self.report.iter().take(REPORT - 1);
        fields.chain(&self.last).fold(MAGIC, |hash, cell| mix(hash, get(cell)))
    }

    fn header_is_whole(&self) -> bool {
        let [magic, .., check] = &self.header;
        get(magic) == MAGIC && get(check) == !hash(&self.header[..HEADER - 1])
    }

    fn report_is_whole(&self) -> bool {
        get(&self.report[REPORT - 1]) == !self.report_hash()
    }

    /// Returns whether every count is at least what was reported of it, and not absurdly above.
    fn counts_are_plausible(&self, source: &dyn Source) -> bool {
        source
            .visit(0, &mut |sample| {
                let counts = matches!(sample.value, Value::Unsigned(_) | Value::Distribution(_));
                let single = sample.family == 0;
                let last = usize::try_from(sample.id).ok().and_then(|id| self.last.get(id));
                let believable = match last.map(get) {
                    // Families and set values have no single count to compare.
                    Some(last) if counts && single && !sample.kind.is_gauge() => {
                        let before = if last == 0 { 0 } else { !last };
                        fingerprint(&sample.value).wrapping_sub(before) < 1 << 31
                    }
                    _ => true,
                };
                if believable { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
            .is_continue()
    }
}

impl<const METRICS: usize> Default for Kept<METRICS> {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "cells of a header hold 32 bits")]
#[allow(trivial_numeric_casts, reason = "a word is u32 on some targets")]
fn get(cell: &Cell) -> u32 {
    cell.load() as u32
}

#[allow(clippy::useless_conversion, reason = "a word is u32 on some targets")]
fn set(cell: &Cell, value: u32) {
    cell.store(value.into());
}

#[expect(clippy::cast_possible_truncation, reason = "the halves are wanted")]
const fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

const fn join(low: u32, high: u32) -> u64 {
    ((high as u64) << 32) | low as u64
}

fn hash(cells: &[Cell]) -> u32 {
    cells.iter().fold(0x811c_9dc5, |hash, cell| mix(hash, get(cell)))
}

/// One step of a multiplicative hash that moves high bits down.
const fn mix(hash: u32, value: u32) -> u32 {
    let mixed = (hash ^ value).wrapping_mul(0x9e37_79b1);
    mixed ^ (mixed >> 15)
}

#[cfg(test)]
mod tests {
    use super::{Kept, get, set};
    use crate::clock::ManualClock;
    use crate::wire::{Encoder, Epoch, Identity, Origin};

    crate::metrics! {
        static PUMP: PumpMetrics = "pump" {
            strokes: Counter,
            level: Gauge<f32>,
            times: Timer [max = 1 s, scale = 0],
        }
    }

    fn report(encoder: &mut Encoder<3, 0>) {
        let mut buffer = [0; 512];
        encoder.begin(77_000_000_001);
        while encoder.next_frame(&PUMP, &mut buffer).is_some() {
            encoder.sent();
        }
    }

    /// The documentation says what a board pays.
    #[test]
    fn sizes() {
        assert_eq!(size_of::<Kept<3>>(), (52 / 4 + 3) * size_of::<crate::sync::Cell>());
    }

    /// Walks one device through its life: a count that a reset takes, or doubles, breaks this.
    #[test]
    fn words_are_kept_if_they_can_be_believed() {
        static KEPT: Kept<3> = Kept::new();
        let clock = ManualClock::<1_000_000>::new();
        let first = KEPT.start(&PUMP, 9, || Epoch::new(0, 11));
        assert_eq!((first.kept, first.boots, first.first_seq), (false, 1, 0));
        let mut encoder = Encoder::new(
            first.identify(Identity::new(Origin::from_array([1]), first.epoch, 1)),
            512,
        );
        PUMP.strokes.add(5);
        PUMP.times.time(&clock, || clock.advance(7));
        report(&mut encoder);
        KEPT.reported(&encoder);
        PUMP.level.set(0.5);
        PUMP.strokes.add(2); // after the report: the reset must not take it
        let seq = encoder.next_seq();

        let second = KEPT.start(&PUMP, 9, || Epoch::new(0, 12));
        assert_eq!((second.kept, second.boots, second.epoch.nonce), (true, 2, 11));
        assert!(second.first_seq > seq && second.first_seq < seq + 65_536);
        assert_eq!((first.uptime, second.uptime), (0, 77_000_000_001));
        assert_eq!(PUMP.strokes.value(), 7);
        assert_eq!(PUMP.times.distribution().sum(), 7);

        // Another build: its words may mean something else.
        let third = KEPT.start(&PUMP, 10, || Epoch::new(0, 13));
        assert_eq!((third.kept, third.boots, third.epoch.nonce), (false, 3, 13));
        assert_eq!(PUMP.strokes.value(), 0);
        assert_eq!(PUMP.times.distribution().count(), 0);

        // A count below the one reported: RAM has decayed.
        let mut encoder =
            Encoder::<3, 0>::new(Identity::new(Origin::from_array([1]), third.epoch, 1), 512);
        PUMP.strokes.add(100);
        report(&mut encoder);
        KEPT.reported(&encoder);
        PUMP.group().clear();
        PUMP.strokes.add(99);
        assert!(!KEPT.start(&PUMP, 10, || Epoch::new(0, 14)).kept);
        assert_eq!(PUMP.strokes.value(), 0);

        // Any flipped bit of the header or of what was reported.
        for (i, cell) in KEPT.header.iter().chain(&KEPT.report).chain(&KEPT.last).enumerate() {
            for bit in [0, 7, 31] {
                PUMP.strokes.increment();
                set(cell, get(cell) ^ 1 << bit);
                let start = KEPT.start(&PUMP, 10, || Epoch::new(0, 15));
                assert!(!start.kept, "cell {i} bit {bit}");
                assert_eq!(PUMP.strokes.value(), 0);
            }
        }
        assert!(KEPT.start(&PUMP, 10, || Epoch::new(0, 16)).kept);
    }
}

//! The order of one epoch's frames: what is new, late, repeated, forged, or of another life.
//!
//! A tracker looks at sequence number, uptime and a fingerprint of each frame before anything in it
//! is believed. It errs low: what it is not sure of is held back and counted, never added up.

use std::time::Duration;

use super::sorted::insert;

/// A larger step of the sequence number needs a second frame that agrees.
pub const JUMP_MAX: u64 = 1 << 16;

/// Frames in a row that must look restarted before they are taken for a new life.
pub const RESTART_FRAMES: u32 = 8;

/// Newest sequence numbers of which each is remembered.
const RECENT: u64 = 64;

/// First sequence numbers of which each is remembered: a restarted sender repeats them soon.
const EARLY: u64 = 32;

/// Fingerprints kept; when there are more, every other one in the middle is dropped.
const MARKS_MAX: usize = 256;

/// Most that a frame may have been underway for longer than the one before it, where frames of
/// another life are to be told apart.
const DELAY_MAX: Duration = Duration::from_secs(3);

/// Most that a frame may have been under way altogether, where it is to be told whether another
/// life can have begun after it was made.
const BELATED_MAX: Duration = Duration::from_secs(10);

/// Longest frame that is kept; a longer one is forgotten, and only what confirms it is used.
const HELD_LEN_MAX: usize = 4_096;

/// What a frame is, seen from the frames before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The newest so far, with this number of frames missing before it.
    Next {
        /// Sequence numbers skipped.
        lost: u64,
    },
    /// Older than the newest and not seen before.
    Late {
        /// Whether it may as well be of a life that began after the newest frame came.
        is_vague: bool,
    },
    /// Seen before.
    Duplicate,
    /// Far ahead: keep the frame until another one agrees with it.
    Held,
    /// Far ahead, and the held frame (returned) says so too.
    Agreed {
        /// The frame that was held.
        held: Box<[u8]>,
        /// Sequence numbers skipped.
        lost: u64,
    },
    /// Sequence number and uptime went back: perhaps another life under the same epoch.
    Suspect {
        /// Whether it has nothing to do with suspect frames before it.
        is_first: bool,
    },
    /// The suspicion is confirmed: this frame and the suspect ones before it are of a new life.
    Restarted,
}

/// Where a frame stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Sequence number.
    pub seq: u64,
    /// Uptime, in the sender's ticks.
    pub uptime: u64,
    /// Uptime as time, if the tick rate is known.
    pub uptime_time: Option<Duration>,
    /// A hash of the frame's bytes.
    pub fingerprint: u32,
    /// Monotonic time of arrival.
    pub now: Duration,
}

/// A run of frames that look restarted.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// Frames in the run; sequence number and uptime never fall within it.
    frames: u32,
    first: Position,
    last: Position,
    /// Whether they came at the pace at which they were made, by a life that may be new.
    is_live: bool,
    /// Whether a frame of the run had the number of a known frame and other content.
    differs: bool,
    /// Whether a frame of the run is byte for byte a known one.
    repeats: bool,
    /// Frames that were kept aside.
    suspects: u32,
}

impl Run {
    fn new(at: Position) -> Self {
        Self {
            frames: 0,
            first: at,
            last: at,
            is_live: true,
            differs: false,
            repeats: false,
            suspects: 0,
        }
    }

    /// Returns whether it is not yet too long to prove nothing.
    const fn may_go_on(&self) -> bool {
        self.frames < RESTART_FRAMES || self.differs || (self.is_live && !self.repeats)
    }

    /// Adds the next frame.
    fn push(&mut self, at: Position) {
        self.is_live &= self.frames == 0 || is_paced(self.last, at);
        self.frames = self.frames.saturating_add(1);
        self.last = at;
    }

    fn is_restart(&self) -> bool {
        // Frames of one moment have no pace.
        let takes_time = self.last.now > self.first.now && self.last.uptime > self.first.uptime;
        let sure = self.differs || (!self.repeats && self.is_live && takes_time);
        self.frames >= RESTART_FRAMES && sure
    }
}

/// Returns whether the life that made a frame can have begun after the newest one came: else it is
/// the old life, on a way that takes longer.
fn can_have_begun_since(newest: Position, at: Position) -> bool {
    let silence = at.now.saturating_sub(newest.now);
    at.uptime_time.is_some_and(|uptime| uptime <= silence + DELAY_MAX)
}

/// Returns whether two frames came about as long after each other as they were made: those of a
/// recording that is read again come faster, and pieces of one at any time.
fn is_paced(before: Position, at: Position) -> bool {
    let (Some(from), Some(to)) = (before.uptime_time, at.uptime_time) else { return false };
    let (made, came) = (to.saturating_sub(from), at.now.saturating_sub(before.now));
    came >= made / 2 && came <= made * 2 + DELAY_MAX
}

/// A frame that jumped ahead, waiting for another one.
#[derive(Debug, Clone)]
struct Held {
    at: Position,
    bytes: Box<[u8]>,
}

/// Judges the frames of one epoch, in the order of their arrival.
///
/// Takes about 6 KiB when old, and 4 KiB for a held frame.
#[derive(Debug, Clone, Default)]
pub struct Tracker {
    /// First and newest accepted frame; `None` before the first.
    ends: Option<(Position, Position)>,
    /// Largest uptime of an accepted frame.
    uptime_max: u64,
    /// Bit `i`: the frame `i` before the newest was accepted.
    window: u64,
    /// Fingerprints of accepted frames by sequence number: early, recent, and thinned in between.
    marks: Vec<(u64, u32)>,
    /// Marks in the middle are at multiples of this.
    stride: u64,
    run: Option<Run>,
    /// Whether a vague late frame said something new: if another life were opened now, that might
    /// count twice.
    mixed: bool,
    /// Whether frames of an earlier life under the same epoch may come: what they say must not
    /// count twice.
    is_strict: bool,
    held: Option<Held>,
}

impl Tracker {
    /// Returns this tracker for a life that was not the first under its epoch.
    ///
    /// It takes no late frames, and none that is ahead of its time: those may be of an earlier
    /// life.
    #[must_use]
    pub fn with_strict(self, is_strict: bool) -> Self {
        Self { is_strict, ..self }
    }

    /// Returns a tracker that knows nothing but its newest frame.
    #[must_use]
    pub fn restored(seq: u64, uptime: u64, now: Duration) -> Self {
        let newest = Position { seq, uptime, uptime_time: None, fingerprint: 0, now };
        Self { ends: Some((newest, newest)), uptime_max: uptime, window: 1, ..Self::default() }
    }

    /// Returns the newest accepted frame, `None` before the first.
    #[must_use]
    pub fn newest(&self) -> Option<Position> {
        self.ends.map(|(_, newest)| newest)
    }

    /// Judges a frame and remembers it; `bytes` are kept only if the verdict is [`Verdict::Held`].
    pub fn judge(&mut self, at: Position, bytes: &[u8]) -> Verdict {
        let Some((_, newest)) = self.ends else {
            self.accept(at, 0);
            return Verdict::Next { lost: 0 };
        };
        if at.seq > newest.seq {
            return self.judge_ahead(at, newest, bytes);
        }
        let mark = self.find_mark(at.seq).ok().and_then(|place| self.marks.get(place));
        let known = mark.map(|(_, fingerprint)| *fingerprint);
        let repeats = known == Some(at.fingerprint);
        let behind = at.seq <= newest.seq && at.uptime < self.uptime_max && at != newest;
        if !behind {
            return if repeats { Verdict::Duplicate } else { self.judge_late(at, newest) };
        }
        let mut run = match self.run {
            Some(run)
                if run.may_go_on() && at.seq > run.last.seq && at.uptime >= run.last.uptime =>
            {
                run
            }
            _ => Run::new(at),
        };
        run.push(at);
        run.is_live &= can_have_begun_since(newest, at);
        run.repeats |= repeats;
        run.differs |= known.is_some() && !repeats;
        let is_suspect = run.differs || !self.is_missing(at.seq, newest.seq);
        let verdict = if run.is_restart() && !self.mixed {
            Verdict::Restarted
        } else if repeats && !run.differs {
            Verdict::Duplicate
        } else if is_suspect {
            run.suspects = run.suspects.saturating_add(1);
            Verdict::Suspect { is_first: run.suspects == 1 }
        } else {
            self.judge_late(at, newest)
        };
        self.run = Some(run);
        verdict
    }

    /// Notes that a late frame said something new that may be of another life.
    pub fn mix(&mut self) {
        self.mixed = true;
    }

    fn judge_ahead(&mut self, at: Position, newest: Position, bytes: &[u8]) -> Verdict {
        let lost = at.seq - newest.seq - 1;
        if self.is_strict && !is_in_time(at, newest) {
            return Verdict::Duplicate;
        }
        if lost < JUMP_MAX {
            self.accept(at, at.seq - newest.seq);
            return Verdict::Next { lost };
        }
        let agrees = |held: &Held| {
            at.seq > held.at.seq && at.seq - held.at.seq <= JUMP_MAX && at.uptime >= held.at.uptime
        };
        match self.held.take() {
            Some(held) if agrees(&held) => {
                self.accept(held.at, held.at.seq - newest.seq);
                self.accept(at, at.seq - held.at.seq);
                Verdict::Agreed { held: held.bytes, lost: lost - 1 }
            }
            _ => {
                let kept = if bytes.len() <= HELD_LEN_MAX { bytes } else { &[] };
                self.held = Some(Held { at, bytes: kept.into() });
                Verdict::Held
            }
        }
    }

    fn judge_late(&mut self, at: Position, newest: Position) -> Verdict {
        if self.is_strict || !self.is_missing(at.seq, newest.seq) {
            return Verdict::Duplicate;
        }
        self.window |= bit(newest.seq - at.seq);
        self.mark(at);
        let silence = at.now.saturating_sub(newest.now);
        Verdict::Late {
            is_vague: at.uptime_time.is_none_or(|uptime| silence + BELATED_MAX >= uptime),
        }
    }

    /// Returns whether a frame not newer than the newest was not accepted yet; false if it is too
    /// old to tell.
    fn is_missing(&self, seq: u64, newest: u64) -> bool {
        newest - seq < RECENT && self.window & bit(newest - seq) == 0
    }

    fn accept(&mut self, at: Position, ahead: u64) {
        self.window = if ahead < RECENT { self.window << ahead } else { 0 };
        self.window |= 1;
        let first = self.ends.map_or(at, |(first, _)| first);
        self.ends = Some((first, at));
        self.uptime_max = at.uptime;
        (self.run, self.mixed) = (None, false);
        self.held = None;
        self.mark(at);
    }

    /// Returns where the mark of a frame is, or where it would be.
    fn find_mark(&self, seq: u64) -> Result<usize, usize> {
        match self.marks.last() {
            Some((last, _)) if *last < seq => Err(self.marks.len()),
            _ => self.marks.binary_search_by_key(&seq, |(seq, _)| *seq),
        }
    }

    fn mark(&mut self, at: Position) {
        match self.find_mark(at.seq) {
            Ok(place) => self.marks[place].1 = at.fingerprint,
            Err(place) => insert(&mut self.marks, place, (at.seq, at.fingerprint)),
        }
        let Some((first, newest)) = self.ends else { return };
        self.stride = self.stride.max(1);
        while self.marks.len() > MARKS_MAX {
            self.stride = self.stride.saturating_mul(2);
            let stride = self.stride;
            self.marks.retain(|(seq, _)| {
                seq.saturating_add(RECENT) > newest.seq
                    || seq.saturating_sub(first.seq) < EARLY
                    || seq % stride == 0
            });
        }
    }
}

/// Returns whether the uptime grew no faster than time went by, but for some delay on the way.
fn is_in_time(at: Position, newest: Position) -> bool {
    let (Some(uptime), Some(before)) = (at.uptime_time, newest.uptime_time) else { return true };
    let passed = at.now.saturating_sub(newest.now);
    uptime.saturating_sub(before) <= passed + DELAY_MAX
}

fn bit(distance: u64) -> u64 {
    if distance < RECENT { 1 << distance } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{JUMP_MAX, Position, RESTART_FRAMES, Tracker, Verdict};

    /// A frame of a sender that reports every second; `life` tells lives apart by their content.
    fn frame(seq: u64, life: u32, now_s: u64) -> Position {
        Position {
            seq,
            uptime: seq.saturating_mul(1_000_000),
            uptime_time: Some(Duration::from_secs(seq)),
            fingerprint: u32::try_from(seq % 1_000_003).unwrap() * 31 + life,
            now: Duration::from_secs(now_s),
        }
    }

    fn heard(seqs: impl IntoIterator<Item = u64>) -> Tracker {
        let mut tracker = Tracker::default();
        for seq in seqs {
            tracker.judge(frame(seq, 1, seq), b"");
        }
        tracker
    }

    /// Loss, repeats and reordering must be told apart, or the loss counter lies.
    #[test]
    fn frames_are_next_late_or_duplicate() {
        let mut tracker = heard([100, 101]);
        let mut judge = |seq| tracker.judge(frame(seq, 1, seq), b"");
        assert_eq!(judge(105), Verdict::Next { lost: 3 });
        assert_eq!(judge(103), Verdict::Late { is_vague: false });
        assert_eq!(judge(103), Verdict::Duplicate);
        assert_eq!(judge(105), Verdict::Duplicate);
        assert_eq!(judge(100), Verdict::Duplicate);
        assert_eq!(judge(106), Verdict::Next { lost: 0 });
        // After that much silence it might as well be of a life that has begun since.
        assert_eq!(tracker.judge(frame(104, 1, 300), b""), Verdict::Late { is_vague: true });
    }

    /// One forged sequence number froze a device for ever.
    #[test]
    fn a_jump_needs_two_agreeing_frames() {
        let mut tracker = heard([0, 1]);
        assert_eq!(tracker.judge(frame(u64::MAX / 2, 9, 2), b"forged"), Verdict::Held);
        assert_eq!(tracker.judge(frame(2, 1, 2), b""), Verdict::Next { lost: 0 });
        let far = 2 + JUMP_MAX;
        assert_eq!(tracker.judge(frame(far, 1, 3), b""), Verdict::Next { lost: JUMP_MAX - 1 });
        let further = far + JUMP_MAX + 1;
        assert_eq!(tracker.judge(frame(further, 1, 4), b"held"), Verdict::Held);
        let agreed = tracker.judge(frame(further + 1, 1, 5), b"");
        assert_eq!(agreed, Verdict::Agreed { held: b"held".as_slice().into(), lost: JUMP_MAX });
    }

    /// Repeated boot id: 4294967896 instead of 1600 when the fall was taken for a wrap.
    #[test]
    fn eight_restarted_frames_are_a_new_life() {
        let mut tracker = heard(0..100);
        for seq in 0..u64::from(RESTART_FRAMES) - 1 {
            let verdict = tracker.judge(frame(seq, 2, 100), b"");
            assert_eq!(verdict, Verdict::Suspect { is_first: seq == 0 }, "frame {seq}");
        }
        assert_eq!(tracker.judge(frame(7, 2, 100), b""), Verdict::Restarted);
    }

    /// A frame of the first life in between shows that it goes on.
    #[test]
    fn an_interrupted_run_is_no_restart() {
        let mut tracker = heard(0..100);
        for seq in 0..7 {
            let verdict = tracker.judge(frame(seq, 2, 100), b"");
            assert_eq!(verdict, Verdict::Suspect { is_first: seq == 0 });
        }
        assert_eq!(tracker.judge(frame(100, 1, 100), b""), Verdict::Next { lost: 0 });
        assert_eq!(tracker.judge(frame(7, 2, 100), b""), Verdict::Suspect { is_first: true });
    }

    /// A recording that is fed twice must not count twice, wherever it begins.
    #[test]
    fn a_replay_is_no_restart() {
        for start in [0, 1, 40, 500, 900] {
            let mut tracker = heard(0..1_000);
            for seq in start..1_000 {
                let verdict = tracker.judge(frame(seq, 1, 1_000), b"");
                assert!(
                    matches!(verdict, Verdict::Duplicate | Verdict::Suspect { .. }),
                    "from {start}, at {seq}: {verdict:?}"
                );
            }
        }
    }

    /// A device heard late that restarts gives no known number to compare; its pace tells.
    #[test]
    fn a_restart_before_the_first_heard_frame_is_told_by_its_pace() {
        let mut live = heard(1_000..1_010);
        let mut recorded = live.clone();
        let mut last = Verdict::Suspect { is_first: true };
        for seq in 0..u64::from(RESTART_FRAMES) {
            last = live.judge(frame(seq, 2, 1_010 + seq), b"");
            let verdict = recorded.judge(frame(seq, 2, 1_010), b"");
            assert_eq!(verdict, Verdict::Suspect { is_first: seq == 0 });
        }
        assert_eq!(last, Verdict::Restarted);
    }

    /// A warm reset keeps the values and goes on counting frames: the uptime alone falls.
    #[test]
    fn a_warm_reset_goes_on() {
        let mut tracker = heard(0..100);
        let warm = Position { uptime: 5, ..frame(100, 1, 100) };
        assert_eq!(tracker.judge(warm, b""), Verdict::Next { lost: 0 });
    }
}

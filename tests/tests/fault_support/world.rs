//! One run: two or three devices, two gateways that hear all of them, and one behind both.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tapes_core::metric::Value;
use tapes_core::wire::{DataWriter, Frame, Header, Origin};
use tapes_std::fleet::LinkKind;
use tapes_tests::noise::Noise;

use super::board::{Board, INTERVAL_S, Life, Sent, Width};
use super::gateway::{Gateway, Genuine};
use super::line::{Faults, Line};
use super::merged::{Aggregate, assert_laws};

/// Reports with faults, and those after them in which everything arrives: the dictionary is heard
/// whole within 30 s.
const ROUGH: u64 = 45;
const CALM: u64 = 34;

/// Lives of one origin in a run; more than ten a minute would be held back.
const LIVES_MAX: usize = 7;

/// What a run does, by its seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Two devices have one origin.
    pub(crate) has_twins: bool,
    /// Devices begin again under the epoch they had.
    pub(crate) repeats_epochs: bool,
    reboots: u64,
    forges: u64,
    replays: u64,
    kills: u64,
}

impl Plan {
    fn new(noise: &mut Noise) -> Self {
        let mut some = |max| if noise.percent(60) { noise.below(max) } else { 0 };
        let (reboots, forges, replays, kills) = (some(12), some(15), some(10), some(8));
        let has_twins = noise.percent(20);
        let repeats_epochs = !has_twins && noise.percent(20);
        let (forges, replays) = if repeats_epochs { (0, 0) } else { (forges, replays) };
        Self { has_twins, repeats_epochs, reboots, forges, replays, kills }
    }
}

pub(crate) struct World {
    seed: u64,
    noise: Noise,
    plan: Plan,
    now: Duration,
    boards: Vec<Board>,
    lives: Vec<Life>,
    genuine: Genuine,
    /// By gateway, then by board.
    lines: [Vec<Line>; 2],
    faults: [Vec<Faults>; 2],
    gateways: [Gateway; 2],
    /// Hears what both gateways used.
    root: Gateway,
    /// Knows what gateways know.
    aggregate: Aggregate,
    /// Last words of former lives, on their way.
    late: VecDeque<(usize, Sent)>,
}

/// What came of a run.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) frames: u64,
    pub(crate) corrupt: u64,
    pub(crate) lives: u64,
    pub(crate) twins: u64,
}

const ORIGINS: [Origin; 2] = [Origin::from_array([1]), Origin::from_array([2])];

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let now = Duration::from_secs(1_000);
        let mut noise = Noise(seed);
        let plan = Plan::new(&mut noise);
        let mut lives = Vec::new();
        let mut origins = ORIGINS.to_vec();
        if plan.has_twins {
            origins.push(ORIGINS[0]);
        }
        let board = |origin| {
            let width = [Width::Absolute, Width::Widened, Width::Raw][noise.index(3)];
            Board::new(origin, width, &mut noise, &mut lives)
        };
        let boards: Vec<_> = origins.into_iter().map(board).collect();
        // A new life under an old epoch just before a wrap cannot be told from the wrap.
        if !plan.repeats_epochs {
            boards.iter().for_each(|board| board.age(&mut noise, &mut lives));
        }
        let n = boards.len();
        let lines = || (0..n).map(|_| Line::default()).collect::<Vec<_>>();
        let mut faults = || (0..n).map(|_| Faults::some(&mut noise)).collect::<Vec<_>>();
        Self {
            seed,
            faults: [faults(), faults()],
            noise,
            plan,
            now,
            boards,
            lives,
            genuine: Genuine::new(),
            lines: [lines(), lines()],
            gateways: [(); 2].map(|()| Gateway::new(n, LinkKind::Socket, now)),
            root: Gateway::new(2, LinkKind::Socket, now),
            aggregate: Aggregate::default(),
            late: VecDeque::new(),
        }
    }

    /// Runs to the end, and panics if a total is ever wrong.
    pub(crate) fn run(mut self) -> Outcome {
        // First contact: what a raw word counted before it is nobody's to know.
        self.step(true);
        for _ in 0..ROUGH {
            self.trouble();
            self.step(false);
        }
        for (board, sent) in std::mem::take(&mut self.late) {
            self.deliver(board, &[sent], true);
        }
        for _ in 0..CALM {
            self.step(true);
        }
        self.finish()
    }

    fn what(&self) -> String {
        format!("seed {} at {} s ({:?})", self.seed, self.now.as_secs(), self.plan)
    }

    /// One report of every device.
    fn step(&mut self, is_calm: bool) {
        self.now += Duration::from_secs(INTERVAL_S);
        for i in 0..self.boards.len() {
            if !is_calm {
                self.boards[i].work(&mut self.noise, &mut self.lives);
            }
            let frames = self.report(i);
            self.deliver(i, &frames, is_calm);
        }
        let what = self.what();
        for gateway in self.gateways.iter_mut().chain([&mut self.root]) {
            gateway.look(&self.lives, self.now, &what);
        }
        // How often a life began again under its epoch is what each receiver knows for itself.
        if !self.plan.repeats_epochs {
            self.aggregate.take(&self.gateways, &mut self.noise);
            self.aggregate.look(&self.gateways, &self.lives, &what);
        }
    }

    fn report(&mut self, board: usize) -> Vec<Sent> {
        let frames = self.boards[board].report();
        for sent in &frames {
            let known = self.genuine.entry(sent.bare.clone()).or_default();
            known.push(Rc::new(sent.clone()));
        }
        frames
    }

    /// Carries frames of a device to both gateways, and what they used on to the root.
    fn deliver(&mut self, board: usize, frames: &[Sent], is_calm: bool) {
        for g in 0..2 {
            let faults = if is_calm { Faults::default() } else { self.faults[g][board] };
            let bytes = self.lines[g][board].carry(frames, &faults, &mut self.noise);
            self.gateways[g].feed(board, &bytes, &self.genuine, self.now);
            self.forward(g);
        }
    }

    fn forward(&mut self, g: usize) {
        for frame in std::mem::take(&mut self.gateways[g].passed) {
            self.root.take(g, &frame, &self.genuine, self.now);
        }
        self.root.passed.clear();
    }

    /// Things that happen now and then.
    fn trouble(&mut self) {
        for i in 0..self.boards.len() {
            if self.noise.percent(self.plan.reboots) {
                self.reboot(i);
            }
            if self.noise.percent(self.plan.forges) {
                self.forge(i);
            }
            if self.noise.percent(self.plan.replays) {
                self.replay(i);
            }
            if self.noise.percent(2) {
                let g = self.noise.index(2);
                self.gateways[g].reopen(i);
            }
        }
        for gateway in self.gateways.iter_mut().chain([&mut self.root]) {
            if self.noise.percent(self.plan.kills) {
                gateway.kill(&mut self.noise, self.now);
            }
        }
        if self.noise.percent(30)
            && let Some((board, sent)) = self.late.pop_front()
        {
            self.deliver(board, &[sent], false);
        }
    }

    fn reboot(&mut self, i: usize) {
        let origin = self.boards[i].origin;
        if self.noise.percent(40) {
            // The last report is cut in the middle of a frame.
            let frames = self.report(i);
            let at = self.noise.index(frames.len());
            self.deliver(i, &frames[..at], false);
            for g in 0..2 {
                let bytes = self.lines[g][i].cut(&frames[at].stream, &mut self.noise);
                self.gateways[g].feed(i, &bytes, &self.genuine, self.now);
                self.forward(g);
            }
        }
        if self.boards[i].keeps_words() && self.noise.percent(50) {
            self.boards[i].warm_reboot();
            return;
        }
        if self.lives.iter().filter(|life| life.origin == origin).count() >= LIVES_MAX {
            return;
        }
        if !self.plan.repeats_epochs && self.noise.percent(50) {
            // Its last words come after the first ones of the next life.
            self.boards[i].force_keyframe();
            let frames = self.report(i);
            self.late.extend(frames.into_iter().map(|sent| (i, sent)));
        }
        let repeats = self.plan.repeats_epochs && self.noise.percent(70);
        self.boards[i].cold_reboot(repeats, &mut self.noise, &mut self.lives);
    }

    /// Somebody sends a frame with a right checksum and a number far ahead.
    fn forge(&mut self, i: usize) {
        let g = self.noise.index(2);
        let life = self.boards[i].life;
        if !self.gateways[g].heard.contains(&life) {
            return;
        }
        let known = self.genuine.values().flatten().find(|sent| sent.life == life);
        let Some(bare) = known.map(|sent| sent.bare.clone()) else { return };
        let header = Frame::parse(&bare).unwrap().header;
        let ahead = (1 << 20) + self.noise.below(1 << 60);
        let uptime = header.uptime.wrapping_add(self.noise.below(1 << 40));
        let header = Header { seq: header.seq + ahead, uptime, ..header };
        let mut buffer = [0; 128];
        let mut data = DataWriter::new(&mut buffer, &header);
        assert!(data.push(0, &Value::Unsigned(self.noise.below(1 << 50))));
        let frame = data.finish().unwrap();
        // No device made it, but it is no accident either.
        self.genuine.entry(frame.to_vec()).or_default();
        // It is not recorded: a replay might bring it where the life is not known yet.
        self.gateways[g].take(i, frame, &self.genuine, self.now);
        self.forward(g);
    }

    /// An old recording comes in again, all at once.
    fn replay(&mut self, i: usize) {
        let (from, to) = (self.noise.index(2), self.noise.index(2));
        let recording = &self.gateways[from].recording[i];
        let a = self.noise.index(recording.len() + 1);
        let b = self.noise.index(recording.len() + 1);
        let bytes = [&[0], &recording[a.min(b)..a.max(b)], &[0]].concat();
        self.gateways[to].feed(i, &bytes, &self.genuine, self.now);
        self.forward(to);
    }

    fn finish(mut self) -> Outcome {
        let what = self.what();
        if !self.plan.repeats_epochs {
            self.aggregate.is_exact(&self.gateways, &self.lives, &what);
        }
        let [a, b] = &self.gateways;
        assert_laws(a.fleet.state(), b.fleet.state(), self.root.fleet.state(), &what);
        let mut outcome = Outcome { lives: self.lives.len() as u64, ..Outcome::default() };
        outcome.frames = self.genuine.len() as u64;
        outcome.twins = u64::from(self.plan.has_twins);
        for gateway in self.gateways.iter().chain([&self.root]) {
            outcome.corrupt += gateway.corrupt;
            for origin in ORIGINS {
                gateway.is_exact(&self.lives, origin, &what);
            }
        }
        outcome
    }
}

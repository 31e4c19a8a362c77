//! Drives all devices on one thread, each once in a period, and lets things go wrong.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tapes_tests::noise::Noise;

use super::board::{Board, Counts};

/// Turns of a device for each of which something goes wrong, while it may.
const FAULT_EVERY: u64 = 60;

/// Connections of strangers at the same time.
const STRANGERS: usize = 8;

/// What a device is to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    #[default]
    Working,
    /// To stop counting, so that its end can be compared with what is shown.
    AskedToRest,
    /// It counts no more, and says so.
    Resting,
    /// To lose power.
    ToReboot,
}

/// What driver and judge share of a device.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) phase: Mutex<Phase>,
    /// What was counted, at least before it was said.
    pub(crate) truth: Mutex<Counts>,
}

/// What driver and judge share of all of them.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) devices: Vec<Shared>,
    pub(crate) gateway: Mutex<SocketAddr>,
    pub(crate) works: AtomicBool,
    pub(crate) has_faults: AtomicBool,
    pub(crate) ends: AtomicBool,
    pub(crate) faults: AtomicU64,
    pub(crate) reboots: AtomicU64,
    pub(crate) reports: AtomicU64,
}

impl World {
    pub(crate) fn new(devices: u32, gateway: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            devices: (0..devices).map(|_| Shared::default()).collect(),
            gateway: Mutex::new(gateway),
            works: AtomicBool::new(true),
            has_faults: AtomicBool::new(false),
            ends: AtomicBool::new(false),
            faults: AtomicU64::new(0),
            reboots: AtomicU64::new(0),
            reports: AtomicU64::new(0),
        })
    }
}

/// A device, and the line that it is on.
struct Line {
    board: Board,
    stream: Option<TcpStream>,
    last: Vec<u8>,
}

struct Driver {
    world: Arc<World>,
    lines: Vec<Line>,
    noise: Noise,
    strangers: VecDeque<TcpStream>,
}

/// Starts to drive; it ends when the world does.
pub(crate) fn start(world: Arc<World>, period: Duration) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let numbers = 0..u32::try_from(world.devices.len()).unwrap();
        let line = |number| Line { board: Board::new(number), stream: None, last: Vec::new() };
        let lines = numbers.map(line).collect();
        let mut driver = Driver { world, lines, noise: Noise(1), strangers: VecDeque::new() };
        driver.run(period);
    })
}

impl Driver {
    fn run(&mut self, period: Duration) {
        let (start, step) = (Instant::now(), period / u32::try_from(self.lines.len()).unwrap());
        let mut due = Duration::ZERO;
        loop {
            for number in 0..self.lines.len() {
                if self.world.ends.load(Ordering::Relaxed) {
                    return;
                }
                self.turn(number);
                due += step;
                // Who is late goes on at once.
                std::thread::sleep(due.saturating_sub(start.elapsed()));
            }
        }
    }

    fn turn(&mut self, number: usize) {
        let (world, line) = (&self.world, &mut self.lines[number]);
        let shared = &world.devices[number];
        {
            let mut phase = shared.phase.lock().unwrap();
            match *phase {
                Phase::Working if world.works.load(Ordering::Relaxed) => line.board.work(),
                Phase::Working | Phase::Resting => {}
                Phase::AskedToRest => *phase = Phase::Resting,
                Phase::ToReboot => {
                    line.board.reboot();
                    world.reboots.fetch_add(1, Ordering::Relaxed);
                    *phase = Phase::Working;
                }
            }
            *shared.truth.lock().unwrap() = line.board.truth;
        }
        if line.stream.is_none() {
            line.stream = connect(*world.gateway.lock().unwrap());
            if number.is_multiple_of(2) {
                line.board.introduce();
            }
        }
        let report = line.board.report();
        world.reports.fetch_add(1, Ordering::Relaxed);
        let has_fault = world.has_faults.load(Ordering::Relaxed);
        if has_fault && self.noise.below(FAULT_EVERY) == 0 {
            self.fault(number, report);
        } else {
            line.send(&report);
            line.last = report;
        }
    }

    /// Sends a report, or not, with something wrong about it.
    fn fault(&mut self, number: usize, mut report: Vec<u8>) {
        let (noise, line) = (&mut self.noise, &mut self.lines[number]);
        self.world.faults.fetch_add(1, Ordering::Relaxed);
        match noise.below(7) {
            // It is lost.
            0 => return,
            // A bit falls over.
            1 => {
                let at = noise.index(report.len());
                report[at] ^= 1 << noise.below(8);
                line.send(&report);
            }
            // The connection ends in the middle.
            2 => {
                line.send(&report[..noise.index(report.len())]);
                line.stream = None;
            }
            // What was said before is said again.
            3 => {
                line.send(&report);
                line.send(&line.last.clone());
            }
            // Noise.
            4 => {
                let len = noise.index(2_000);
                line.send(&noise.bytes(len));
                line.send(&report);
            }
            5 => {
                line.send(&report);
                line.stream = None;
            }
            // A stranger comes, and talks nonsense.
            _ => {
                line.send(&report);
                if let Some(mut stream) = connect(*self.world.gateway.lock().unwrap()) {
                    let _ = stream.write_all(&noise.bytes(3_000));
                    self.strangers.push_back(stream);
                    if self.strangers.len() > STRANGERS {
                        self.strangers.pop_front();
                    }
                }
            }
        }
        self.lines[number].last = report;
    }
}

impl Line {
    /// Sends bytes; a line that does not take them is a line that is gone.
    fn send(&mut self, bytes: &[u8]) {
        let Some(stream) = &mut self.stream else { return };
        if stream.write_all(bytes).is_err() {
            self.stream = None;
        }
    }
}

/// Connects, without ever waiting for the other side afterwards.
fn connect(gateway: SocketAddr) -> Option<TcpStream> {
    let connect = || -> io::Result<TcpStream> {
        let stream = TcpStream::connect(gateway)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    };
    connect().ok()
}

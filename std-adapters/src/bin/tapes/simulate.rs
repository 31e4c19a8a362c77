//! `tapes simulate`: a board that exists only here.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::time::{Duration, Instant};

use tapes_core::metrics;
use tapes_core::wire::{Encoder, Epoch, Identity, Origin, frame_len, stream_len};

use crate::output::is_closed;
use crate::progress::Progress;

metrics! {
    /// Motor control.
    static MOTOR: MotorMetrics = "motor" {
        /// Passes of the control loop.
        loops: Counter,
        /// Time from the alarm that starts a pass to the end of the pass.
        loop_time: Timer [unit = micros, max = 10 ms, scale = 2],
        /// Alarms that found the pass before still running.
        overruns: Counter,
        /// Temperature of the chip.
        temperature: Gauge<f32> [unit = celsius],
        /// Commands handled.
        commands: Meter,
    }
}

/// Ticks of the board's clock in a second: microseconds.
const TICK_HZ: u32 = 1_000_000;
/// Passes of the control loop in a second.
const PASSES_PER_SECOND: u32 = 1_000;
/// Microseconds from one pass to the next.
const PERIOD_US: u32 = TICK_HZ / PASSES_PER_SECOND;
/// Metrics of the board.
const METRICS: usize = MOTOR.group().metrics() as usize;
/// Room for a frame with all buckets of the timer.
const FRAME: usize = stream_len(frame_len(64, u64::MAX));

const AFTER_HELP: &str = "\
Examples:
  tapes simulate --seconds 10 | tapes gateway --stdin --no-http
  tapes simulate --realtime | tapes gateway --stdin
      then look at http://127.0.0.1:9100
  tapes simulate --seconds 3600 --seed 1 > an-hour.bin

The board runs a control loop at 1 kHz and reports once a second, in frames with
0x00 between them, as a board with a serial line does. The same seed gives the
same bytes.

Exit codes: 0 done, or nobody reads any more; 2 wrong usage, or writing failed.";

/// Writes the frames of a simulated board to standard output.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// End after so many seconds of the board's time; without it, run for ever, in real time.
    #[arg(long, value_name = "N", value_parser = seconds)]
    seconds: Option<f64>,
    /// Take as long as the board would, instead of going as fast as possible.
    #[arg(long)]
    realtime: bool,
    /// Make what happens, and who the board is, a function of this number; else both are random.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// Reads a number of seconds that is finite and not negative.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=1e9).contains(&seconds) => Ok(seconds),
        _ => Err("give a number of seconds, 0 to 1000000000".to_owned()),
    }
}

/// Numbers that look random: xorshift, good enough for noise.
#[derive(Debug)]
struct Noise(u64);

impl Noise {
    fn new(seed: u64) -> Self {
        // Any state but zero.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns a number below `end`, which is at least 1.
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from((self.0 >> 16) % u64::from(end)).unwrap_or(0)
    }
}

/// The board.
#[derive(Debug)]
struct Board {
    noise: Noise,
    /// Time since the start, in microseconds.
    uptime: u64,
    /// Passes until the next command.
    until_command: u32,
    /// Microseconds that the pass before runs over its period.
    overrun_us: u32,
    celsius: f32,
}

impl Board {
    fn new(seed: u64) -> Self {
        Self {
            noise: Noise::new(seed),
            uptime: 0,
            until_command: 100,
            overrun_us: 0,
            celsius: 26.0,
        }
    }

    /// Runs the control loop for one pass.
    fn pass(&mut self) {
        self.uptime += u64::from(PERIOD_US);
        if self.overrun_us >= PERIOD_US {
            self.overrun_us -= PERIOD_US;
            MOTOR.overruns.increment();
            return;
        }
        let mut pass_us = self.overrun_us + 24 + self.noise.below(3);
        self.until_command -= 1;
        if self.until_command == 0 {
            self.until_command = 100 + self.noise.below(256);
            pass_us += self.noise.below(1_100);
            MOTOR.commands.mark();
        }
        self.overrun_us = pass_us.saturating_sub(PERIOD_US);
        MOTOR.loops.increment();
        MOTOR.loop_time.record(pass_us);
    }

    /// Looks at the thermometer, which drifts towards 34 degrees.
    fn measure(&mut self) {
        let noise = f32::from(u8::try_from(self.noise.below(100)).unwrap_or(0)) / 250.0 - 0.2;
        self.celsius += (34.0 - self.celsius) * 0.01 + noise;
        MOTOR.temperature.set(self.celsius);
    }
}

/// Runs the board. Returns the exit code.
pub(crate) fn run(arguments: &Arguments) -> Result<u8, String> {
    let random = |n: u64| RandomState::new().hash_one(n);
    let seed = arguments.seed.unwrap_or_else(|| random(0));
    let nonce = u32::try_from(Noise::new(!seed).0 >> 32).unwrap_or(1);
    let origin = Origin::from_array(Noise::new(seed ^ 0x5eed).0.to_be_bytes());
    let identity = Identity::new(origin, Epoch::new(0, nonce), TICK_HZ);
    tracing::debug!("seed {seed}; the board is {origin}");
    let realtime = arguments.realtime || arguments.seconds.is_none();
    let reports = arguments.seconds.map(|seconds| Duration::from_secs_f64(seconds).as_secs());
    match report(Board::new(seed), identity, reports, realtime) {
        Err(error) if !is_closed(&error) => {
            Err(format!("cannot write to standard output: {error}"))
        }
        _ => Ok(crate::DONE),
    }
}

/// Reports at once and then once a second, `reports` times or for ever.
fn report(
    mut board: Board,
    identity: Identity,
    reports: Option<u64>,
    realtime: bool,
) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut encoder = Encoder::<METRICS, 0>::new(identity, FRAME);
    let mut buffer = [0; FRAME];
    let start = Instant::now();
    let mut done = 0u64;
    let mut progress = Progress::new();
    loop {
        progress.at(|| match reports {
            Some(reports) => format!("simulated {done} of {reports} s"),
            None => format!("simulated {done} s"),
        });
        board.measure();
        encoder.begin(board.uptime);
        while let Some(frame) = encoder.next_stream_frame(&MOTOR, &mut buffer) {
            out.write_all(frame)?;
            encoder.sent();
        }
        out.flush()?;
        if reports.is_some_and(|reports| done >= reports) {
            return Ok(());
        }
        (0..PASSES_PER_SECOND).for_each(|_| board.pass());
        done += 1;
        if realtime {
            // Late is late: the board does not wait for its reader either.
            let due = Duration::from_micros(board.uptime);
            std::thread::sleep(due.saturating_sub(start.elapsed()));
        }
    }
}

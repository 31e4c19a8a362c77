//! `cargo xtask demo`: a board, a gateway, and a page to look at.
//!
//! The board's UART goes into `tapes gateway --stdin`. When the board ends (after `--seconds`, or on Ctrl-C), the
//! gateway sees the end of its input, prints its table and ends as well.

use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::emulator;
use crate::firmware;
use crate::interrupt;
use crate::places;
use crate::problem::{Outcome, Problem};
use crate::process;
use crate::progress::Progress;
use crate::toolchain::{RP2040, Toolchain, cargo};

pub(crate) const HELP: &str = "\
Runs the example timing_loop in the RP2040 emulator in real time, feeds its UART to `tapes gateway`, and tells
where to look. Without a firmware toolchain or Node.js it runs a simulated device instead, and says so.

usage: cargo xtask demo [--seconds N] [--http ADDR] [--device emulated|simulated] [--binary FILE]

  --seconds N   stop after N seconds (default: run until Ctrl-C)
  --http ADDR   where the gateway listens (default 127.0.0.1:9100; port 0 picks a free one)
  --device D    emulated: an error if that is not possible; simulated: the device compiled for this machine
  --binary FILE run this `tapes` instead of building one, which is done without optimisation

examples:
  cargo xtask demo
  cargo xtask demo --seconds 20 --http 127.0.0.1:0
  cargo xtask demo --device simulated";

const DEFAULT_HTTP: &str = "127.0.0.1:9100";
const EXAMPLE: &str = "timing_loop";
/// What the gateway is built with: the workspace's profile that takes the shortest time.
const PROFILE: &str = "demo";
/// What the gateway prints on standard error when it is ready.
const READY: &str = "listening on ";
const READY_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);
const PROGRESS_TERMINAL: Duration = Duration::from_secs(1);
const PROGRESS_ELSEWHERE: Duration = Duration::from_secs(10);
/// How long the gateway may take for its table after the end of its input.
const END_LIMIT: Duration = Duration::from_secs(20);

/// Where the frames come from.
enum Device {
    Emulated { image: PathBuf },
    Simulated,
}

pub(crate) fn demo(mut arguments: Arguments) -> Outcome {
    let seconds = arguments.seconds("--seconds")?;
    let http = arguments.value("--http")?.unwrap_or_else(|| DEFAULT_HTTP.to_owned());
    let device = arguments.value("--device")?;
    let binary = arguments.value("--binary")?.map(PathBuf::from);
    arguments.finish("demo")?;
    let progress = Progress::new();
    let (device, tapes) = progress.shown(|| build(device.as_deref(), binary, &progress))?;
    interrupt::listen();
    let mut board = start_board(&device, &tapes, seconds)?;
    let frames = board.stdout.take().ok_or_else(|| Problem::new("the board has no output"))?;
    let mut gateway = start_gateway(&tapes, &http, frames).inspect_err(|_| end(&mut board))?;
    let result = watch(&mut board, &mut gateway, seconds, &progress);
    end(&mut board);
    let closed = wait_for_table(gateway);
    result.and(closed)
}

/// Builds the gateway and, beside it, the device: what waits for a network leaves the processors to the compiler.
fn build(
    wanted: Option<&str>,
    binary: Option<PathBuf>,
    progress: &Progress,
) -> Outcome<(Device, PathBuf)> {
    thread::scope(|scope| {
        let gateway = scope.spawn(|| match binary {
            Some(binary) => Ok(binary),
            None => progress.part("gateway", build_gateway),
        });
        let device = choose(wanted, progress);
        let gateway = gateway.join().map_err(|_| Problem::new("building the gateway panicked"))?;
        Ok((device?, gateway?))
    })
}

fn choose(wanted: Option<&str>, progress: &Progress) -> Outcome<Device> {
    // What is missing on this machine leads to the simulated device; firmware that does not compile does not.
    let possible = || {
        progress.part("emulator", emulator::set_up)?;
        progress.part("compiler for firmware", || Toolchain::find(RP2040))
    };
    match wanted {
        Some("simulated") => return Ok(Device::Simulated),
        Some("emulated") => drop(possible()?),
        Some(other) => {
            return Err(Problem::new(format!(
                "--device is emulated or simulated, not \"{other}\""
            )));
        }
        None => {
            if let Err(problem) = possible() {
                eprintln!("no emulated board ({problem}); running a simulated device instead");
                return Ok(Device::Simulated);
            }
        }
    }
    let image = progress.part("firmware", || firmware::build(EXAMPLE));
    image.map(|image| Device::Emulated { image })
}

/// Where the gateway is that the demo has built.
pub(crate) fn gateway() -> PathBuf {
    places::target().join(PROFILE).join(format!("tapes{}", std::env::consts::EXE_SUFFIX))
}

fn build_gateway() -> Outcome<PathBuf> {
    eprintln!("building the gateway (a minute or two the first time) …");
    let mut build = cargo();
    build.current_dir(places::root()).args(["build", "--quiet"]).args(places::locked());
    build.args(["--profile", PROFILE, "--package", "tapes-std", "--features", "cli"]);
    process::run(build.args(["--bin", "tapes"]))?;
    Ok(gateway())
}

fn start_board(device: &Device, tapes: &PathBuf, seconds: Option<f64>) -> Outcome<Child> {
    let mut command = match device {
        Device::Emulated { image } => {
            let mut command = emulator::command(image);
            command.args(["--realtime", "--quiet", "--celsius", "26..34"]);
            command
        }
        Device::Simulated => {
            let mut command = Command::new(tapes);
            command.args(["simulate", "--realtime"]);
            command
        }
    };
    if let Some(seconds) = seconds {
        command.arg("--seconds").arg(seconds.to_string());
    }
    let board = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    board.map_err(Problem::io(format!("cannot start {}", process::shown(&command))))
}

/// The gateway is kept away from Ctrl-C: it ends when the board's output ends, with its table.
fn start_gateway(
    tapes: &PathBuf,
    http: &str,
    frames: std::process::ChildStdout,
) -> Outcome<Gateway> {
    let mut command = Command::new(tapes);
    command.args(["gateway", "--stdin", "--http", http]);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = command.stdin(frames).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child =
        child.map_err(Problem::io(format!("cannot start {}", process::shown(&command))))?;
    let (table, errors) = (child.stdout.take(), child.stderr.take());
    let (sender, ready) = mpsc::channel();
    thread::spawn(move || errors.map(|errors| forward(errors, &sender)));
    let table = thread::spawn(move || table.and_then(|table| io::read_to_string(table).ok()));
    Ok(Gateway { child, ready, table })
}

/// The running gateway, the address that it will tell, and what it prints at its end.
struct Gateway {
    child: Child,
    ready: Receiver<String>,
    table: JoinHandle<Option<String>>,
}

/// Shows what the gateway says, and picks its address out of it.
fn forward(errors: ChildStderr, sender: &Sender<String>) {
    for line in BufReader::new(errors).lines().map_while(io::Result::ok) {
        if let Some((_, address)) = line.split_once(READY) {
            let _ = sender.send(address.trim().trim_end_matches('/').to_owned());
        } else {
            eprintln!("gateway: {line}");
        }
    }
}

/// Waits for the address, tells what to do with it, and shows the time until the board ends.
fn watch(
    board: &mut Child,
    gateway: &mut Gateway,
    seconds: Option<f64>,
    progress: &Progress,
) -> Outcome {
    let url = match gateway.ready.recv_timeout(READY_LIMIT) {
        Ok(url) => url,
        Err(RecvTimeoutError::Timeout) => {
            return Err(Problem::new("the gateway does not get ready"));
        }
        Err(RecvTimeoutError::Disconnected) => {
            return Err(Problem::new(
                "the gateway has ended; if its address is in use, give another one: --http 127.0.0.1:0",
            ));
        }
    };
    let until = seconds.map_or("until Ctrl-C".to_owned(), |seconds| format!("for {seconds} s"));
    eprintln!("\nready after {}", progress.summary());
    eprintln!("\n  {url}/          a live page ({until})");
    eprintln!("  curl {url}/metrics   what Prometheus scrapes");
    eprintln!("  curl {url}/stats     the same as JSON\n");
    let terminal = io::stderr().is_terminal();
    let interval = if terminal { PROGRESS_TERMINAL } else { PROGRESS_ELSEWHERE };
    let started = Instant::now();
    let mut next = interval;
    while !interrupt::asked_to_stop() {
        if board.try_wait().map_err(Problem::io("cannot watch the board"))?.is_some() {
            break;
        }
        if gateway.child.try_wait().is_ok_and(|status| status.is_some()) {
            return Err(Problem::new("the gateway has ended before the board"));
        }
        if started.elapsed() >= next {
            let (before, after) = if terminal { ("\r", "") } else { ("", "\n") };
            eprint!("{before}  {:>4} s, {url} {after}", started.elapsed().as_secs());
            let _ = io::stderr().flush();
            next += interval;
        }
        thread::sleep(POLL);
    }
    if terminal {
        eprintln!();
    }
    Ok(())
}

/// Lets the board end by itself (Ctrl-C has reached it too), and makes it after a second.
fn end(board: &mut Child) {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(1) {
        if matches!(board.try_wait(), Ok(Some(_)) | Err(_)) {
            return;
        }
        thread::sleep(POLL);
    }
    let _ = board.kill();
    let _ = board.wait();
}

fn wait_for_table(mut gateway: Gateway) -> Outcome {
    let started = Instant::now();
    while started.elapsed() < END_LIMIT {
        match gateway.child.try_wait() {
            Ok(Some(status)) => {
                print!("{}", gateway.table.join().ok().flatten().unwrap_or_default());
                let failed = || Problem::new(format!("the gateway failed ({status})"));
                return if status.success() { Ok(()) } else { Err(failed()) };
            }
            Ok(None) => thread::sleep(POLL),
            Err(error) => return Err(Problem::new(format!("cannot watch the gateway: {error}"))),
        }
    }
    let _ = gateway.child.kill();
    let _ = gateway.child.wait();
    Err(Problem::new("the gateway did not end after its input had ended; it was stopped"))
}

//! A board that is simulated, at a serial port that is a pseudo-terminal.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};

use crate::gateway_support::tapes;

/// Between two looks at whether somebody has opened the port.
const PAUSE: Duration = Duration::from_millis(5);

/// Starts when the port is opened, as if it had power from there; else its names would have been said to nobody.
#[derive(Debug)]
pub(crate) struct Board {
    is_unplugged: Arc<AtomicBool>,
    running: Option<JoinHandle<()>>,
}

impl Board {
    pub(crate) fn plug_in(path: &Path, seed: &'static str) -> Self {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let wire = posix_openpt(flags).unwrap();
        grantpt(&wire).and_then(|()| unlockpt(&wire)).unwrap();
        let port = ptsname_r(&wire).unwrap();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = fs::remove_file(path);
        // Once it was open, and is no more, the wire says so.
        drop(fs::File::open(&port).unwrap());
        symlink(port, path).unwrap();
        let is_unplugged = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&is_unplugged);
        let running = Some(thread::spawn(move || run(wire, seed, &until)));
        Self { is_unplugged, running }
    }
}

/// Waits until the port is open, then sends what a board sends.
fn run(mut wire: PtyMaster, seed: &str, until: &AtomicBool) {
    let is_open = |wire: &mut PtyMaster| match wire.read(&mut [0; 64]) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    };
    while !is_open(&mut wire) {
        if until.load(Ordering::Relaxed) {
            return;
        }
        thread::sleep(PAUSE);
    }
    let mut board = Command::new(tapes());
    board.args(["simulate", "--realtime", "--seed", seed]);
    let mut board = board.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut frames, mut chunk) = (board.stdout.take().unwrap(), [0; 1_024]);
    while let Ok(len @ 1..) = frames.read(&mut chunk) {
        // Where nobody reads, a board's bytes are lost; once the port is closed it has no power.
        if until.load(Ordering::Relaxed) || wire.write(&chunk[..len]).is_err() {
            break;
        }
    }
    let _ = board.kill();
    let _ = board.wait();
}

impl Drop for Board {
    fn drop(&mut self) {
        self.is_unplugged.store(true, Ordering::Relaxed);
        // It ends with its next report at the latest.
        if let Some(running) = self.running.take() {
            let _ = running.join();
        }
    }
}

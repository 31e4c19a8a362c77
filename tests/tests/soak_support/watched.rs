//! The gateway, and what the system says that it takes.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::gateway_support::{Gateway, tapes};

/// Ticks of the processor times in `/proc`, in a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// Returns the command: another build than that of the tests, if there is one.
fn program() -> PathBuf {
    std::env::var_os("TAPES_SOAK_PROGRAM").map_or_else(tapes, PathBuf::from)
}

pub(crate) struct Watched {
    gateway: Gateway,
    pub(crate) frames: SocketAddr,
}

impl Watched {
    pub(crate) fn start(state: &Path, connections: usize) -> Self {
        let mut command = Command::new(program());
        command.args(["gateway", "--http", "127.0.0.1:0", "--listen", "127.0.0.1:0"]);
        command.arg("--listen-connections").arg(connections.to_string());
        command.arg("--state").arg(state);
        let gateway = Gateway::spawn(&mut command);
        let line = gateway.wait_for("accepting frames at tcp://");
        let (_, address) = line.split_once("tcp://").unwrap();
        Self { frames: address.parse().unwrap(), gateway }
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.gateway.http
    }

    /// Ends it in order, or at once.
    pub(crate) fn end(self, in_order: bool) {
        let pid = Pid::from_raw(i32::try_from(self.gateway.id()).unwrap());
        if in_order {
            kill(pid, Signal::SIGTERM).unwrap();
            assert_eq!(self.gateway.end().0, Some(0));
        } else {
            kill(pid, Signal::SIGKILL).unwrap();
            drop(self);
        }
    }

    fn proc(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}", self.gateway.id()))
    }

    /// Returns the resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        field(&self.proc().join("status"), "VmRSS:")
    }

    /// Returns the seconds of processor time that it took so far.
    pub(crate) fn processor_s(&self) -> f64 {
        let stat = fs::read_to_string(self.proc().join("stat")).unwrap();
        // The name before may hold spaces.
        let (_, rest) = stat.rsplit_once(')').unwrap();
        let fields: Vec<f64> = rest.split(' ').filter_map(|field| field.parse().ok()).collect();
        // State, which is no number, is left out: user and system time are the 11th and 12th.
        (fields[10] + fields[11]) / TICKS_PER_SECOND
    }

    /// Returns how often its threads went to sleep so far: as often as they were woken.
    pub(crate) fn wakeups(&self) -> u64 {
        let tasks = fs::read_dir(self.proc().join("task")).unwrap();
        tasks
            .flatten()
            .map(|task| field(&task.path().join("status"), "voluntary_ctxt_switches:"))
            .sum()
    }
}

/// Returns the number after a name in a file of `/proc`.
fn field(file: &Path, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap();
    let rest = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

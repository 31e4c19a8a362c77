//! StatsD servers in processes of their own, on free ports, and what they know.

mod collectd;
mod etsy;
mod netdata;

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub(crate) use collectd::Collectd;
pub(crate) use etsy::Etsy;
pub(crate) use netdata::Netdata;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// From one question to the next, so that a server has time to work.
const PAUSE: Duration = Duration::from_millis(20);

/// Totals of counters, and gauges, by name.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Known {
    pub(crate) counters: BTreeMap<String, f64>,
    pub(crate) gauges: BTreeMap<String, f64>,
}

/// A StatsD server; killed when dropped.
pub(crate) trait Server: Sized {
    /// Starts one, and waits until it counts what it is sent.
    fn start() -> Self {
        Self::start_at(free_address())
    }

    /// The same, at an address.
    fn start_at(address: SocketAddr) -> Self;

    fn address(&self) -> SocketAddr;

    /// Returns what it knows by now.
    fn known(&self) -> Known;

    /// Waits until it knows exactly this, whatever else it knows.
    fn wait_for(&self, counters: &BTreeMap<String, f64>, gauges: &BTreeMap<String, f64>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let known = self.known();
            let wrong: Vec<String> = differences(counters, &known.counters)
                .chain(differences(gauges, &known.gauges))
                .collect();
            if wrong.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "{wrong:#?}");
            std::thread::park_timeout(PAUSE);
        }
    }

    /// Sends counts of its own until one is known: only then does the server listen for sure.
    fn wait_until_it_counts(&self) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let deadline = Instant::now() + PATIENCE;
        while !self.known().counters.contains_key("probe") {
            assert!(Instant::now() < deadline, "the server does not count");
            // Refused as long as it does not listen.
            let _ = socket.send_to(b"probe:1|c", self.address());
            std::thread::park_timeout(PAUSE);
        }
    }
}

/// Says what is known otherwise than wanted.
fn differences<'a>(
    wanted: &'a BTreeMap<String, f64>,
    known: &'a BTreeMap<String, f64>,
) -> impl Iterator<Item = String> + 'a {
    wanted.iter().filter_map(|(name, value)| {
        let found = known.get(name);
        (found != Some(value)).then(|| format!("{name}: {found:?}, not {value}"))
    })
}

/// Returns an address that nobody uses: servers take their port from a file.
pub(crate) fn free_address() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("an address")
}

/// Returns a TCP port that nobody uses.
fn free_tcp_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Returns a folder of the server's own.
fn folder(name: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("tapes-{name}-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Returns a program of Debian's, which may lie where only root looks.
fn program(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "{name} is missing; on Debian: sudo apt-get install --no-install-recommends {package}"
        )
    })
}

/// A process that ends with the test.
#[derive(Debug)]
struct Running {
    child: Child,
    folder: PathBuf,
}

impl Running {
    fn start(command: &mut Command, folder: &Path) -> Self {
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, folder: folder.to_path_buf() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

//! Processes that report over ZeroMQ, killed again and again, and the aggregator with them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gateway_support::{Gateway, PATIENCE, tapes};
use tapes_core::wire::Origin;
use tapes_core::{Registry, layout};
use tapes_std::zmq::DistributedRegistry;

const WORKERS: u8 = 8;
const THREADS: u32 = 4;
const KILLS: u32 = 20;
/// Workers below this number are killed, those above end in order.
const MORTALS: u8 = 4;
/// Values that each thread records at a time.
const BATCH: u32 = 50;

/// Set in the environment of a worker: its endpoint and number.
const VARIABLE: &str = "TAPES_TEST_WORKER";

/// The value number `i` of all that a worker records.
fn value(i: u32) -> u32 {
    i.wrapping_mul(2_654_435_761) % 900_000
}

static REGISTRY: Registry<8, 512> = Registry::new();

fn record(from: u32) {
    let layout = layout!(unit = micros, max = 1 s, scale = 2);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                let delay = REGISTRY.timer::<1_000_000>("delay", layout).unwrap();
                let events = REGISTRY.counter("events").unwrap();
                let first = from + thread * BATCH;
                for i in first..first + BATCH {
                    events.increment();
                    delay.record(value(i));
                }
            });
        }
    });
}

/// Not a test by itself: what the workers run. Each line of its input asks for a batch of values,
/// and gets an answer once they are recorded, and another once they are acknowledged.
#[test]
fn worker() {
    let Ok(told) = std::env::var(VARIABLE) else { return };
    let (endpoint, number) = told.split_once(' ').unwrap();
    let mut metrics = DistributedRegistry::new(&REGISTRY, endpoint.parse().unwrap())
        .with_origin(Origin::from_array([number.parse().unwrap()]))
        .with_interval(Duration::from_millis(5));
    metrics.connect().unwrap();
    let mut recorded = 0;
    for line in std::io::stdin().lines().map_while(Result::ok) {
        if line == "end" {
            let kept = metrics.close(PATIENCE);
            println!("closed {recorded} {kept}");
            return;
        }
        println!("going {}", recorded + THREADS * BATCH);
        record(recorded);
        recorded += THREADS * BATCH;
        // The report under way may have begun before: the one after it has everything.
        let enough = metrics.stats().acknowledged + 2;
        let deadline = Instant::now() + PATIENCE;
        while metrics.stats().acknowledged < enough && Instant::now() < deadline {
            std::thread::yield_now();
        }
        if metrics.stats().acknowledged >= enough {
            println!("kept {recorded}");
        }
    }
}

/// What a worker said about one life.
#[derive(Debug, Clone, Copy, Default)]
struct Life {
    /// At least so many values count.
    kept: u64,
    /// At most so many.
    going: u64,
    closed: Option<(u64, bool)>,
}

struct Worker {
    child: Child,
    stdin: ChildStdin,
    life: Arc<Mutex<Life>>,
    lines: Receiver<()>,
}

impl Worker {
    fn start(number: u8, endpoint: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "worker", "--nocapture"])
            .env(VARIABLE, format!("{endpoint} {number}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let life = Arc::new(Mutex::new(Life::default()));
        let (sender, lines) = channel();
        let said = Arc::clone(&life);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let mut words = line.split(' ');
                let word = words.next();
                let number = words.next().and_then(|n| n.parse().ok());
                let mut life = said.lock().unwrap();
                match (word, number) {
                    (Some("going"), Some(n)) => life.going = n,
                    (Some("kept"), Some(n)) => {
                        life.kept = n;
                        let _ = sender.send(());
                    }
                    (Some("closed"), Some(n)) => {
                        life.closed = Some((n, words.next() == Some("true")));
                    }
                    _ => {}
                }
            }
        });
        let stdin = child.stdin.take().unwrap();
        Self { child, stdin, life, lines }
    }

    fn ask(&mut self) {
        // One that was just killed does not read.
        let _ = writeln!(self.stdin, "more");
    }

    /// Kills it, and returns what it said until then.
    fn kill(mut self) -> Life {
        self.child.kill().unwrap();
        self.reap()
    }

    /// Lets it end, and returns what it said.
    fn finish(mut self) -> Life {
        writeln!(self.stdin, "end").unwrap();
        self.reap()
    }

    fn reap(&mut self) -> Life {
        self.child.wait().unwrap();
        // Its last lines may still be on their way: the channel closes after them.
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
        *self.life.lock().unwrap()
    }
}

/// A directory for one test, gone afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("tapes-zmq-{name}-{}", std::process::id())))
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn aggregate(endpoint: &str, state: &str) -> Gateway {
    let options = ["aggregate", "--http", "127.0.0.1:0", "--classic-scale", "2"];
    let more = ["--bind", endpoint, "--state", state];
    Gateway::spawn(Command::new(tapes()).args(options).args(more))
}

/// Returns the samples of a page, by the text before the value.
fn samples(page: &str) -> BTreeMap<String, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        })
        .collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of a test")]
fn count(samples: &BTreeMap<String, f64>, series: &str) -> u64 {
    samples.get(series).map_or(0, |value| *value as u64)
}

/// A cheap random number.
fn next(random: &mut u32) -> u32 {
    *random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    *random >> 8
}

/// If this fails, what processes were told to be kept is lost with a kill, or counted twice.
#[test]
fn totals_are_exact_over_kills_of_processes_and_of_the_aggregator() {
    let scratch = Scratch::new("kills");
    let endpoint = format!("ipc://{}", scratch.path("run/metrics"));
    let state = scratch.path("state");
    let mut aggregator = Some(aggregate(&endpoint, &state));
    let mut workers: Vec<Worker> = (0..WORKERS).map(|n| Worker::start(n, &endpoint)).collect();
    let mut lives: Vec<Vec<Life>> = vec![Vec::new(); usize::from(WORKERS)];
    let mut random = std::process::id();
    eprintln!("seed {random}");
    // Of the batches that the last worker was asked for, those that are kept.
    let mut heard = 0;
    for kill in 0..KILLS {
        workers.iter_mut().for_each(Worker::ask);
        // Between nothing and all of them are acknowledged when somebody is killed.
        let heard_enough = (heard + next(&mut random) % 3).min(kill + 1);
        while heard < heard_enough {
            let last = &workers[usize::from(WORKERS) - 1];
            let _ = last.lines.recv_timeout(PATIENCE);
            heard += 1;
        }
        if kill % 4 == 3 {
            drop(aggregator.take());
            aggregator = Some(aggregate(&endpoint, &state));
        } else {
            let number = u8::try_from(next(&mut random) % u32::from(MORTALS)).unwrap();
            let at = usize::from(number);
            let killed = std::mem::replace(&mut workers[at], Worker::start(number, &endpoint));
            lives[at].push(killed.kill());
        }
    }
    for (worker, lives) in workers.into_iter().zip(&mut lives) {
        lives.push(worker.finish());
    }
    let aggregator = aggregator.unwrap();
    let page = aggregator.get("/metrics");
    let samples = samples(&page.body);
    for (number, lives) in (0..WORKERS).zip(&lives) {
        let last = lives.last().unwrap();
        let (recorded, kept) = last.closed.expect("it ended in order");
        assert!(kept, "worker {number} was not told that everything is kept");
        let killed = || lives.iter().take(lives.len() - 1);
        let low = recorded + killed().map(|life| life.kept).sum::<u64>();
        let high = recorded + killed().map(|life| life.going).sum::<u64>();
        let events = count(&samples, &format!("events_total{{device=\"{number:02x}\"}}"));
        assert!((low..=high).contains(&events), "{number}: {events}, {low} to {high}: {lives:?}");
        if number >= MORTALS {
            assert_eq!(low, high, "it was never killed");
            assert_buckets(&samples, number, recorded);
        }
    }
    assert!(lives.iter().map(Vec::len).sum::<usize>() > usize::from(WORKERS), "some were killed");
    assert_merged(&self::samples(&aggregator.get("/metrics/merged").body), &samples);
}

/// Compares the buckets of all processes together with the sums of theirs: percentiles over all
/// are those of one histogram that had every value.
fn assert_merged(merged: &BTreeMap<String, f64>, samples: &BTreeMap<String, f64>) {
    let mut buckets = 0;
    for (series, counted) in merged.iter().filter(|(name, _)| name.starts_with("delay_seconds_")) {
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let label = if labels == "}" { "" } else { "," };
        let each = (0..WORKERS).map(|number| {
            // Those that had nothing in it leave it out.
            let own = format!("{name}{{device=\"{number:02x}\"{label}{labels}");
            samples.get(&own).copied().unwrap_or(0.0)
        });
        let sum: f64 = each.sum();
        assert!((counted - sum).abs() < 1e-6, "{series}: {counted}, not {sum}");
        buckets += u32::from(name.ends_with("_bucket"));
    }
    assert!(buckets > 40, "{buckets} buckets");
}

/// Compares every bucket with the number of values that are in it.
fn assert_buckets(samples: &BTreeMap<String, f64>, number: u8, recorded: u64) {
    let values: Vec<u32> = (0..u32::try_from(recorded).unwrap()).map(value).collect();
    let prefix = format!("delay_seconds_bucket{{device=\"{number:02x}\",le=\"");
    let mut buckets = 0;
    for (series, counted) in samples.iter().filter(|(series, _)| series.starts_with(&prefix)) {
        let le = series.strip_prefix(&prefix).unwrap().strip_suffix("\"}").unwrap();
        let bound: f64 = if le == "+Inf" { f64::INFINITY } else { le.parse().unwrap() };
        let within = values.iter().filter(|micros| f64::from(**micros) <= bound * 1e6).count();
        #[expect(clippy::cast_precision_loss, reason = "counts of a test")]
        let within = within as f64;
        assert!((*counted - within).abs() < 0.5, "{series}: {counted}, not {within}");
        buckets += 1;
    }
    assert!(buckets > 40, "{buckets} buckets");
    let sum: u64 = values.iter().map(|micros| u64::from(*micros)).sum();
    let shown = samples[&format!("delay_seconds_sum{{device=\"{number:02x}\"}}")];
    #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
    let sum = sum as f64 / 1e6;
    assert!((shown - sum).abs() < 1e-6, "{shown}, not {sum}");
}

/// A way to a socket that can be cut, and lead elsewhere.
#[derive(Clone)]
struct Proxy {
    address: SocketAddr,
    target: Arc<Mutex<Option<SocketAddr>>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = Self { address, target: Arc::default(), open: Arc::default() };
        let own = proxy.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                own.join(stream);
            }
        });
        proxy
    }

    fn join(&self, near: TcpStream) {
        // Under the lock, so that no connection outlives a cut.
        let target = self.target.lock().unwrap();
        let Some(far) = target.and_then(|target| TcpStream::connect(target).ok()) else { return };
        for (from, to) in [(&near, &far), (&far, &near)] {
            let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
        self.open.lock().unwrap().extend([near, far]);
    }

    /// Ends all connections; new ones lead to `target`, or nowhere.
    fn lead_to(&self, target: Option<SocketAddr>) {
        *self.target.lock().unwrap() = target;
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Starts the root of a tree and leads the proxy to it.
fn root(state: &str, proxy: &Proxy) -> Gateway {
    let options = ["aggregate", "--http", "127.0.0.1:0", "--bind", "tcp://127.0.0.1:0"];
    let root = Gateway::spawn(Command::new(tapes()).args(options).args(["--state", state]));
    let line = root.wait_for("receiving at tcp://");
    proxy.lead_to(Some(line.split_once("tcp://").unwrap().1.parse().unwrap()));
    root
}

/// Starts the middle of a tree.
fn middle(endpoint: &str, state: &str, proxy: &Proxy) -> Gateway {
    let push = format!("tcp://{}", proxy.address);
    let options = ["aggregate", "--http", "127.0.0.1:0", "--bind", endpoint, "--state", state];
    let more = ["--push", push.as_str(), "--forward-interval", "0.05"];
    Gateway::spawn(Command::new(tapes()).args(options).args(more))
}

/// If this fails, a tree that was cut, whose middle was killed, or whose root lost its state does
/// not come back to the exact total.
#[test]
fn a_tree_heals() {
    let scratch = Scratch::new("tree");
    let (endpoint, proxy) = (format!("ipc://{}", scratch.path("run/metrics")), Proxy::start());
    let mut workers: Vec<Worker> = (0..2).map(|n| Worker::start(n, &endpoint)).collect();
    let mut total = 0;
    let mut record = |root: Option<&Gateway>, label: &str| {
        workers.iter_mut().for_each(Worker::ask);
        workers.iter().for_each(|worker| worker.lines.recv_timeout(PATIENCE).expect(label));
        total += THREADS * BATCH;
        let Some(root) = root else { return };
        for number in 0..2 {
            root.wait_until(&format!("events_total{{device=\"0{number}\"}}"), f64::from(total));
        }
    };
    // Those above start last.
    let state = scratch.path("middle");
    let mut between = middle(&endpoint, &state, &proxy);
    let mut top = root(&scratch.path("root"), &proxy);
    record(Some(&top), "aggregators start last");
    let address = *proxy.target.lock().unwrap();
    proxy.lead_to(None);
    proxy.lead_to(address);
    record(Some(&top), "a cut");
    drop(between);
    between = middle(&endpoint, &state, &proxy);
    record(Some(&top), "a killed middle");
    let root_id = nix::unistd::Pid::from_raw(i32::try_from(top.id()).unwrap());
    let signal = |signal| nix::sys::signal::kill(root_id, signal).unwrap();
    signal(nix::sys::signal::Signal::SIGSTOP);
    record(None, "a root that takes nothing");
    signal(nix::sys::signal::Signal::SIGCONT);
    record(Some(&top), "one that goes on");
    drop(top);
    top = root(&scratch.path("another"), &proxy);
    record(Some(&top), "a root that lost its state");
    drop(between);
    for worker in workers {
        // Nobody is there any more.
        drop(worker.stdin);
        let mut child = worker.child;
        child.wait().unwrap();
    }
}

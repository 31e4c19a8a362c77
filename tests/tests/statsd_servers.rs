//! Reports to the StatsD servers that people run: what they have added up must be what was counted.

#![expect(clippy::unwrap_used, reason = "a server that cannot be asked fails the test")]

mod statsd_support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use statsd_support::{Collectd, Etsy, Netdata, Server};
use tapes_core::metric::{BaseUnit, Unit};
use tapes_core::{Details, Registry, layout};
use tapes_std::local::Local;
use tapes_std::schedule::{TaskScheduler, ThreadScheduler};
use tapes_std::statsd::{Dialect, PacketSize, StatsdReporter};

type Values = BTreeMap<String, f64>;

/// Reports of each test; enough that growth, sent twice or forgotten once, shows.
const REPORTS: u32 = 12;

static HEAT: Details = Details::new().unit(Unit::new(BaseUnit::Celsius, 1_000));

/// What is recorded, and beside it what servers should know of it.
struct Workload {
    registry: &'static Registry<64, 2_048>,
    counters: Values,
    gauges: Values,
}

impl Workload {
    fn new() -> Self {
        let registry = Box::leak(Box::new(Registry::new()));
        Self { registry, counters: Values::new(), gauges: Values::new() }
    }

    /// Records what happens between two reports.
    fn step(&mut self, n: u32) {
        for i in 0..20 {
            let name = format!("jobs.kind{i}.done-at");
            self.registry.counter(&name).unwrap().add(n + i);
            *self.counters.entry(name).or_default() += f64::from(n + i);
        }
        self.registry.meter("packets").unwrap().mark_by(3 * n);
        *self.counters.entry("packets".to_owned()).or_default() += f64::from(3 * n);
        let timer = self.timer();
        (0..=n).for_each(|i| timer.record(1_000 * (1 + i)));
        *self.counters.entry("wait.count".to_owned()).or_default() += f64::from(n + 1);
        // Below 0, above, and below again.
        let sign = if n.is_multiple_of(2) { -1 } else { 1 };
        let level = i32::try_from(n).unwrap() * sign;
        self.registry.gauge::<i32>("level").unwrap().set(level);
        self.gauges.insert("level".to_owned(), f64::from(level));
        self.registry.describe(&HEAT).gauge::<i32>("heat").unwrap().set(level * 1_500 - 137);
        self.gauges.insert("heat".to_owned(), f64::from(level * 1_500 - 137) / 1_000.0);
        self.registry.updown("open").unwrap().decrement();
        *self.gauges.entry("open".to_owned()).or_default() -= 1.0;
        self.registry.gauge::<f32>("ratio").unwrap().set(-0.125);
        self.gauges.insert("ratio".to_owned(), -0.125);
        self.gauges.insert("wait.min".to_owned(), 0.001);
        self.gauges.insert("wait.max".to_owned(), f64::from(1 + n) / 1e3);
    }

    fn timer(&self) -> tapes_core::Timer<'static, 1_000_000> {
        self.registry.timer("wait", layout!(unit = micros, max = 1 s)).unwrap()
    }

    fn local(&self) -> Arc<Local<Registry<64, 2_048>>> {
        Arc::new(Local::new(self.registry))
    }
}

/// Reports some times, and waits until the server knows everything.
fn totals_agree(server: &impl Server) {
    let mut work = Workload::new();
    let mut reporter = StatsdReporter::builder(server.address().to_string())
        .with_prefix("gw-1")
        .with_packet(PacketSize::INTERNET)
        .build(work.local())
        .unwrap();
    for n in 1..=REPORTS {
        work.step(n);
        reporter.report().unwrap();
    }
    let stats = reporter.stats().get();
    assert_eq!((stats.datagrams_dropped, stats.datagrams_refused, stats.lines_too_long), (0, 0, 0));
    let prefixed = |values: &Values| -> Values {
        values.iter().map(|(name, value)| (format!("gw-1.{name}"), *value)).collect()
    };
    server.wait_for(&prefixed(&work.counters), &prefixed(&work.gauges));
}

/// A server that is killed, stays away for some reports, and comes back with nothing: all that it
/// does not know is counted.
fn a_restart_loses_what_is_counted<S: Server>(server: S) {
    static EACH: u32 = 10;
    let address = server.address();
    let registry: &'static Registry<4, 4> = Box::leak(Box::new(Registry::new()));
    let count = registry.counter("jobs").unwrap();
    let local = Arc::new(Local::new(registry));
    let mut reporter = StatsdReporter::builder(address.to_string()).build(local).unwrap();
    let mut reports = 0;
    let mut report = || {
        count.add(EACH);
        reports += 1;
        // What could not be sent is counted, and the rest is up to the next report.
        let _ = reporter.report();
    };
    (0..5).for_each(|_| report());
    let jobs = |total: u32| Values::from([("jobs".to_owned(), f64::from(total))]);
    server.wait_for(&jobs(5 * EACH), &Values::new());
    drop(server);
    (0..4).for_each(|_| report());
    let server = S::start_at(address);
    (0..3).for_each(|_| report());
    let refused = u32::try_from(reporter.stats().get().datagrams_refused).unwrap();
    assert!((1..=4).contains(&refused), "{:?}", reporter.stats().get());
    server.wait_for(&jobs((reports - 5 - refused) * EACH), &Values::new());
}

/// If this fails, the original StatsD shows other totals than were counted.
#[test]
fn etsy_totals_agree() {
    totals_agree(&Etsy::start());
}

/// If this fails, a restart of the original StatsD loses counts that nobody knows of, or doubles
/// some.
#[test]
fn etsy_restarts() {
    a_restart_loses_what_is_counted(Etsy::start());
}

/// If this fails, dashboards that were made for the Python library tapes show something else.
#[test]
fn etsy_takes_the_dialect_of_tapes() {
    let server = Etsy::start();
    let mut work = Workload::new();
    work.timer().record(250_001);
    work.step(4);
    let mut reporter = StatsdReporter::builder(server.address().to_string())
        .with_dialect(Dialect::Tapes)
        .build(work.local())
        .unwrap();
    reporter.report().unwrap();
    work.step(6);
    reporter.report().unwrap();
    let counters = work.counters.iter().filter(|(name, _)| name.starts_with("jobs"));
    let counters = counters.map(|(name, value)| (format!("{name}.value"), *value)).collect();
    let named = |name: &str| (format!("{name}.value"), work.gauges[name]);
    let mut gauges: Values = ["level", "heat", "open", "ratio"].map(named).into();
    gauges.insert("wait.total".to_owned(), 13.0);
    gauges.insert("packets.total".to_owned(), 30.0);
    server.wait_for(&counters, &gauges);
    let timers = server.timers();
    for (name, expected) in [
        ("wait.min", [1.0, 1.0]),
        ("wait.max", [250.001, 250.001]),
        ("wait.q999", [250.001, 250.001]),
        ("wait.m1_rate", [0.0, 0.0]),
    ] {
        assert_eq!(timers[name], expected, "{name}");
    }
    for name in ["mean", "stddev", "q50", "q75", "q95", "q98", "q99"] {
        assert_eq!(timers[&format!("wait.{name}")].len(), 2, "{name}");
    }
}

/// If this fails, a thread or a task reports something else than a call does.
#[test]
fn etsy_hears_threads_and_tasks() {
    let server = Etsy::start();
    let registry: &'static Registry<4, 4> = Box::leak(Box::new(Registry::new()));
    let (thread, task) = (registry.counter("thread").unwrap(), registry.counter("task").unwrap());
    thread.add(1);
    let builder = || StatsdReporter::builder(server.address().to_string());
    let local = Arc::new(Local::new(registry));
    let only = |prefix: &str| builder().with_prefix(prefix);
    let hour = Duration::from_secs(3_600);
    let mut by_thread = ThreadScheduler::every(hour, only("a").build(local.clone()).unwrap());
    by_thread.start().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut by_task = TaskScheduler::every(hour, only("b").build_async(local).unwrap());
        by_task.start().unwrap();
        while by_task.stats().reports == 0 {
            tokio::task::yield_now().await;
        }
        task.add(7);
        by_task.stop().await;
        assert_eq!(by_task.stats().errors, 0);
    });
    thread.add(4);
    by_thread.stop();
    assert_eq!(by_thread.stats().errors, 0);
    let expected = [("a.thread", 5.0), ("b.task", 7.0), ("a.task", 7.0), ("b.thread", 1.0)];
    let expected = expected.map(|(name, total)| (name.to_owned(), total)).into();
    server.wait_for(&expected, &Values::new());
}

/// If this fails, collectd shows other totals than were counted.
#[test]
fn collectd_totals_agree() {
    totals_agree(&Collectd::start());
}

/// If this fails, a restart of collectd loses counts that nobody knows of, or doubles some.
#[test]
fn collectd_restarts() {
    a_restart_loses_what_is_counted(Collectd::start());
}

/// If this fails, netdata shows other totals than were counted.
#[test]
fn netdata_totals_agree() {
    totals_agree(&Netdata::start());
}

/// If this fails, a restart of netdata loses counts that nobody knows of, or doubles some.
#[test]
fn netdata_restarts() {
    a_restart_loses_what_is_counted(Netdata::start());
}

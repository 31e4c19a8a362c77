//! Reports to a StatsD server, from a thread:
//! `cargo run --example statsd --features statsd -- 127.0.0.1:8125`.

use std::sync::Arc;
use std::time::Duration;

use tapes_core::Registry;
use tapes_std::local::Local;
use tapes_std::schedule::ThreadScheduler;
use tapes_std::statsd::{StatsdReporter, StatsdStats};

static REGISTRY: Registry<16, 256> = Registry::new();

pub(crate) fn run(server: &str) -> Result<StatsdStats, Box<dyn std::error::Error>> {
    let reporter = StatsdReporter::builder(server)
        .with_prefix("example")
        .build(Arc::new(Local::new(&REGISTRY)))?;
    let stats = reporter.stats();
    let mut reports = ThreadScheduler::every(Duration::from_secs(10), reporter)
        .with_error_hook(|error| eprintln!("{error}"));
    reports.start()?;

    REGISTRY.gauge::<f32>("tank.level")?.set(-0.5);
    REGISTRY.counter("jobs.done")?.add(3);
    reports.stop(); // what has grown since the first report
    Ok(stats.get())
}

#[allow(dead_code, reason = "its test runs it otherwise")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8125".to_owned());
    println!("{:#?}", run(&server)?);
    Ok(())
}

//! Reports to Datadog's agent in a task of tokio, with tags, and timers as distributions:
//! `cargo run --example dogstatsd_task --features statsd,tokio -- unix:///run/datadog/dsd.socket`.

use std::sync::Arc;
use std::time::Duration;

use tapes_core::{Registry, layout};
use tapes_std::local::Local;
use tapes_std::schedule::TaskScheduler;
use tapes_std::statsd::{Dialect, StatsdReporter, StatsdStats};

static REGISTRY: Registry<16, 256> = Registry::new();

pub(crate) async fn run(agent: &str) -> Result<StatsdStats, Box<dyn std::error::Error>> {
    let reporter = StatsdReporter::builder(agent)
        .with_dialect(Dialect::DogStatsd)
        .with_tag("env", "lab")
        .with_distributions(true)
        .build_async(Arc::new(Local::new(&REGISTRY)))?;
    let stats = reporter.stats();
    let mut reports = TaskScheduler::every(Duration::from_secs(10), reporter)
        .with_error_hook(|error| eprintln!("{error}"));
    reports.start()?;

    let time = REGISTRY.timer::<1_000_000>("jobs.time", layout!(unit = micros, max = 60 s))?;
    (0..4).for_each(|_| time.record(1_500));
    reports.stop().await;
    Ok(stats.get())
}

#[allow(dead_code, reason = "its test runs it otherwise")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let agent = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8125".to_owned());
    println!("{:#?}", run(&agent).await?);
    Ok(())
}

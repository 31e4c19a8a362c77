//! Pushes the growth of counts to an OTLP receiver every 15 s, and once more at the end:
//! `cargo run --example otlp --features push -- http://localhost:4318/v1/metrics`.

use std::sync::Arc;

use tapes_core::Registry;
use tapes_std::local::Local;
use tapes_std::push::{Protocol, Push, PushStats, Temporality};

static METRICS: Registry<8, 64> = Registry::new();

pub(crate) fn run(url: &str) -> Result<PushStats, Box<dyn std::error::Error>> {
    let push = Push::builder(Protocol::Otlp, url)
        .with_temporality(Temporality::Delta)
        .with_service("example")
        .start(Arc::new(Local::new(&METRICS)))?;
    let stats = push.stats();
    METRICS.counter("jobs.done")?.add(3);
    drop(push); // a last batch, and what can be sent within five seconds
    Ok(stats.get())
}

#[allow(dead_code, reason = "its test runs it otherwise")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("give the URL of a receiver")?;
    println!("{:?}", run(&url)?);
    Ok(())
}

//! Pushes to Prometheus remote write, from memory through short outages:
//! `cargo run --example remote_write --features push -- http://localhost:9090/api/v1/write`.

use std::sync::Arc;
use std::time::Duration;

use tapes_core::Registry;
use tapes_std::local::Local;
use tapes_std::push::{Protocol, Push, PushStats, Queue};

static METRICS: Registry<8, 64> = Registry::new();

pub(crate) fn run(url: &str) -> Result<PushStats, Box<dyn std::error::Error>> {
    let push = Push::builder(Protocol::RemoteWrite, url)
        .with_interval(Duration::from_secs(5))
        .with_queue(Queue::in_memory(1 << 20))
        .with_label("instance", "example")
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

//! Shows the metrics of many processes, at `http://127.0.0.1:9100`, until Enter is pressed:
//! `cargo run --example zmq_aggregator --features http,zmq`, then `zmq_worker` as often as you like.

use std::sync::Arc;
use std::time::Duration;

use tapes_std::clock::SystemTimeSource;
use tapes_std::fleet::{Fleet, Limits, SharedFleet, Snapshot, store::new_node};
use tapes_std::http::HttpServer;
use tapes_std::zmq::Aggregator;

pub(crate) fn run(
    bind: &str,
    http: &str,
    wait: impl FnOnce(),
) -> Result<Snapshot, Box<dyn std::error::Error>> {
    let fleet = Fleet::new(new_node(), Limits::default());
    let fleet = SharedFleet::new(fleet, Arc::new(SystemTimeSource::new()));
    let aggregator = Aggregator::new(fleet.clone()).with_bind(bind.parse()?).spawn()?;
    let pages = HttpServer::builder()
        .with_address(http.parse()?)
        .build(Arc::new(fleet.clone()))
        .and_then(HttpServer::spawn)?;
    wait();
    aggregator.close(Duration::ZERO);
    pages.stop();
    Ok(fleet.snapshot())
}

#[allow(dead_code, reason = "its test runs it otherwise")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let wait = || drop(std::io::stdin().read_line(&mut String::new()));
    let snapshot = run("ipc://example-run/metrics", "127.0.0.1:9100", wait)?;
    println!("{} processes reported", snapshot.devices.len());
    Ok(())
}

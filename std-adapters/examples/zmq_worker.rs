//! A process with four threads whose metrics an aggregator has:
//! `cargo run --example zmq_worker --features zmq -- 1`; another one takes another number.

use std::time::Duration;

use tapes_core::Registry;
use tapes_core::wire::Origin;
use tapes_std::zmq::DistributedRegistry;

pub(crate) type Metrics = Registry<16, 256>;

pub(crate) fn run(
    metrics: &'static Metrics,
    endpoint: &str,
    number: u8,
) -> Result<bool, Box<dyn std::error::Error>> {
    let mut metrics = DistributedRegistry::new(metrics, endpoint.parse()?)
        .with_origin(Origin::from_array([b'w', number]));
    metrics.connect()?;
    let jobs = metrics.counter("jobs.done")?;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..250).for_each(|_| jobs.increment()));
        }
    });
    Ok(metrics.close(Duration::from_secs(30)))
}

#[allow(dead_code, reason = "its test runs it otherwise")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    static METRICS: Metrics = Metrics::new();
    let number = std::env::args().nth(1).map_or(Ok(1), |number| number.parse())?;
    let kept = run(&METRICS, "ipc://example-run/metrics", number)?;
    println!("{}", if kept { "everything is kept" } else { "no aggregator answered" });
    Ok(())
}

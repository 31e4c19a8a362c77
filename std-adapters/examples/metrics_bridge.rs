//! A program that is instrumented with the crate `metrics`, unchanged but for two lines:
//! `cargo run --example metrics_bridge --features metrics-bridge`.

use tapes_std::bridge::Bridge;
use tapes_std::exposition::{Exposition, Format};
use tapes_std::local::Local;

static BRIDGE: Bridge = Bridge::new();

pub(crate) fn run() -> Result<String, Box<dyn std::error::Error>> {
    metrics::set_global_recorder(&BRIDGE)?;

    metrics::describe_histogram!("http.wait", metrics::Unit::Milliseconds, "Time to reply.");
    for (method, millis) in [("GET", 12.5), ("GET", 7.0), ("PUT", 30.0)] {
        metrics::counter!("http.requests", "method" => method).increment(1);
        metrics::histogram!("http.wait").record(millis);
    }

    // A `Local` goes to any reporter or server; here, to a string.
    let mut text = String::new();
    Local::new(&BRIDGE).metrics(Format::Prometheus, &mut text)?;
    Ok(text)
}

#[allow(dead_code, reason = "its test runs it otherwise")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    print!("{}", run()?);
    Ok(())
}

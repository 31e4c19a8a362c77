//! One JSON object a line, from a thread: `cargo run --example stream --features stream`.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use tapes_core::{Registry, layout};
use tapes_std::local::Local;
use tapes_std::schedule::ThreadScheduler;
use tapes_std::stream::{JsonStream, StreamError};

static REGISTRY: Registry<16, 256> = Registry::new();

pub(crate) fn run(out: impl Write + Send + 'static) -> Result<(), Box<dyn std::error::Error>> {
    let stream = JsonStream::new(Arc::new(Local::new(&REGISTRY)), out);
    let mut lines = ThreadScheduler::every(Duration::from_secs(1), stream)
        .ending_when(StreamError::is_closed)
        .with_error_hook(|error| eprintln!("{error}"));
    lines.start()?; // the first line, at once

    let done = REGISTRY.counter("jobs.done")?;
    let time = REGISTRY.timer::<1_000_000>("jobs.time", layout!(unit = micros, max = 60 s))?;
    for job in 1..=3 {
        time.record(job * 1_500); // what it took
        done.increment();
    }
    lines.stop(); // the last line, with everything
    Ok(())
}

#[allow(dead_code, reason = "its test runs it otherwise")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    run(std::io::stdout())
}

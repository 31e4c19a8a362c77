//! The same in a task of tokio: `cargo run --example stream_task --features stream,tokio`.

use std::sync::Arc;
use std::time::Duration;

use tapes_core::Registry;
use tapes_std::clock::SystemTimeSource;
use tapes_std::local::Local;
use tapes_std::schedule::TaskScheduler;
use tapes_std::stream::{AsyncJsonStream, StreamError};
use tokio::io::AsyncWrite;

static REGISTRY: Registry<16, 256> = Registry::new();

pub(crate) async fn run(
    out: impl AsyncWrite + Send + Unpin + 'static,
) -> Result<(), Box<dyn std::error::Error>> {
    let stream = AsyncJsonStream::new(Arc::new(Local::new(&REGISTRY)), out)
        .with_timestamps(Arc::new(SystemTimeSource::new()));
    let mut lines =
        TaskScheduler::every(Duration::from_secs(1), stream).ending_when(StreamError::is_closed);
    lines.start()?;

    let done = REGISTRY.counter("jobs.done")?;
    for _ in 1..=3 {
        tokio::task::yield_now().await; // a job
        done.increment();
    }
    lines.stop().await;
    Ok(())
}

#[allow(dead_code, reason = "its test runs it otherwise")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    run(tokio::io::stdout()).await
}

//! Serves a registry from a thread of its own: no runtime needed, and none seen.
//!
//! `curl http://127.0.0.1:PORT/metrics` while it runs; it ends with its input.

use std::io::Read as _;
use std::sync::Arc;

use tapes_core::metrics;
use tapes_std::http::HttpServer;
use tapes_std::local::Local;

metrics! {
    /// Work that this program does.
    static WORK: WorkMetrics = "work" {
        /// Jobs done.
        jobs: Counter,
        /// Time of a job.
        job_time: Timer [unit = micros, max = 10 s],
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = HttpServer::builder()
        .with_address("127.0.0.1:0".parse()?)
        .with_health_check("work", || Ok(()))
        .build(Arc::new(Local::new(&WORK)))?
        .spawn()?;
    println!("http://{}/metrics", server.address());
    WORK.jobs.increment();
    WORK.job_time.record(1_500);
    std::io::stdin().read_to_end(&mut Vec::new())?;
    // The port is free again when this returns.
    server.stop();
    Ok(())
}

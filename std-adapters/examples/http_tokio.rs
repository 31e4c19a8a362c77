//! Serves a registry as a task of a tokio runtime, until told to stop.
//!
//! `curl http://127.0.0.1:PORT/metrics` while it runs; it ends with its input.

use std::sync::Arc;

use tapes_core::Registry;
use tapes_std::http::HttpServer;
use tapes_std::local::Local;
use tokio::io::AsyncReadExt as _;

static REGISTRY: Registry<16, 256> = Registry::new();

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        REGISTRY.counter("work.jobs")?.increment();
        let exposition = Arc::new(Local::new(&REGISTRY));
        let address = "127.0.0.1:0".parse()?;
        let server = HttpServer::builder().with_address(address).build(exposition)?;
        println!("http://{}/metrics", server.address());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(server.run(async { drop(stopped.await) }));
        tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
        drop(stop);
        task.await??;
        Ok(())
    })
}

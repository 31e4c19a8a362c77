//! Mounts the pages in an axum application of one's own.
//!
//! `curl http://127.0.0.1:PORT/internal/metrics` while it runs; it ends with its input.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use tapes_core::Registry;
use tapes_std::http::HttpServer;
use tapes_std::local::Local;
use tokio::io::AsyncReadExt as _;

static REGISTRY: Registry<16, 256> = Registry::new();

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        REGISTRY.counter("work.jobs")?.increment();
        let pages = HttpServer::builder().router(Arc::new(Local::new(&REGISTRY)));
        let application = Router::new().route("/", get(async || "hello")).nest("/internal", pages);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}/internal/metrics", listener.local_addr()?);
        let over = async {
            let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
        };
        axum::serve(listener, application).with_graceful_shutdown(over).await?;
        Ok(())
    })
}

//! An HTTP server that shows an [`Exposition`](crate::exposition::Exposition).
//!
//! | path | shows |
//! |---|---|
//! | `/metrics` | all metrics: Prometheus text, OpenMetrics, protobuf with native histograms or JSON, as `Accept` or `?format=` asks |
//! | `/metrics/merged` | all devices of a fleet added up |
//! | `/metrics/devices/NAME` | one device of a fleet |
//! | `/sd` | the devices of a fleet as targets, for Prometheus' `http_sd_configs` |
//! | `/stats`, `/stats/…` | the JSON tree, or the part below a path |
//! | `/health` | the health checks: 200 all well, 500 one is not, 501 there is none |
//! | `/` | a live page for people: devices, a tree of metrics, charts, search |
//! | `/live/state` | what the live page shows, as JSON |
//! | `/live/events` | the same as server-sent events: everything, then each second what has changed |
//!
//! ```
//! use std::sync::Arc;
//! use tapes_core::Registry;
//! use tapes_std::local::Local;
//! use tapes_std::http::HttpServer;
//!
//! static REGISTRY: Registry<16, 256> = Registry::new();
//! REGISTRY.counter("http.requests")?.increment();
//! let server = HttpServer::builder()
//!     .with_address("127.0.0.1:0".parse()?)
//!     .with_health_check("disk", || Ok(()))
//!     .build(Arc::new(Local::new(&REGISTRY)))?;
//! let running = server.spawn()?;
//! println!("http://{}/metrics", running.address());
//! running.stop();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The server runs on a thread of its own ([`HttpServer::spawn`]) or as a future in a tokio runtime
//! ([`HttpServer::run`]); with the feature `axum` the pages are a router of an existing application
//! ([`HttpServerBuilder::router`]). [`respond`] answers a request without any server.
//!
//! Scrape either `/metrics` or what `/sd` lists, not both: they show the same series. `/metrics/merged`
//! has names of `/metrics` too, so it is a job of its own.
//!
//! # Limits
//!
//! Listens on loopback unless told otherwise, and speaks TLS with the feature `tls` and a
//! certificate. A request
//! head may take 2 seconds and 8 KiB, a connection 12 seconds, and there are at most 512 of them;
//! when all are taken, the oldest one of the busiest peer that has not sent its head gives way.
//! Live pages may be open 16 at a time, for as long as they take an event within 12 seconds; browsers
//! send a name and a password, but no bearer token. One look at the numbers serves all of
//! them. Other connections are closed after one answer. Rendering is done by one thread at a time, and serves all
//! who ask for the same within 100 milliseconds; it is compressed once for those who take gzip. A `Host` that is neither `localhost`, an IP address nor
//! [allowed](HttpServerBuilder::with_host) is refused, so that no foreign web page can read this
//! one under a name of its own.

mod answer;
mod builder;
mod cache;
mod connections;
mod discovery;
mod health;
mod host;
mod live;
mod negotiate;
mod pages;
mod respond;
#[cfg(feature = "axum")]
mod router;
mod server;
mod token;
mod users;

pub use self::builder::{HttpError, HttpServerBuilder};
pub use self::host::Hosts;
pub use self::negotiate::{Representation, negotiate};
pub use self::respond::{Answer, Status, respond};
pub use self::server::{HttpServer, RunningServer};

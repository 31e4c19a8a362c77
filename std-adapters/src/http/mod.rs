//! An HTTP server that shows an [`Exposition`](crate::exposition::Exposition).
//!
//! | path | shows |
//! |---|---|
//! | `/metrics` | Prometheus text 0.0.4, OpenMetrics 1.0 or JSON, as `Accept` or `?format=` asks |
//! | `/metrics/merged` | counters and histograms added up over all devices, as text |
//! | `/stats`, `/stats/…` | the JSON tree, or the part below a path |
//! | `/health` | `ok` |
//! | `/` | an index |
//!
//! ```
//! use std::sync::Arc;
//! use tapes_std::clock::SystemTimeSource;
//! use tapes_std::fleet::{Fleet, Limits, NodeId, SharedFleet};
//! use tapes_std::http::HttpServer;
//!
//! let fleet = Fleet::new(NodeId::default(), Limits::default());
//! let fleet = SharedFleet::new(fleet, Arc::new(SystemTimeSource::new()));
//! let address = "127.0.0.1:0".parse()?;
//! let server = HttpServer::builder().with_address(address).build(Arc::new(fleet))?;
//! let running = server.spawn()?;
//! println!("http://{}/metrics", running.address());
//! running.stop();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The server runs on a thread of its own ([`HttpServer::spawn`]) or as a future in a tokio runtime
//! ([`HttpServer::run`]). [`respond`] answers a request without any server.
//!
//! # Limits
//!
//! Listens on loopback unless told otherwise, and speaks no TLS: put a proxy in front. A request
//! head may take 2 seconds and 8 KiB, a connection 12 seconds, and there are at most 64 of them;
//! when all are taken, the oldest one of the busiest peer that has not sent its head gives way.
//! Connections are closed after one answer. A `Host` that is neither `localhost`, an IP address nor
//! [allowed](HttpServerBuilder::with_host) is refused, so that no foreign web page can read this
//! one under a name of its own.

mod builder;
mod connections;
mod host;
mod negotiate;
mod respond;
mod server;

pub use self::builder::{HttpError, HttpServerBuilder};
pub use self::host::Hosts;
pub use self::negotiate::{Escaping, Representation, negotiate};
pub use self::respond::{Answer, Status, respond};
pub use self::server::{HttpServer, RunningServer};

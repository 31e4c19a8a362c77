//! Host adapters of tapes: what receives metrics of devices, and what shows them.
//!
//! A [`fleet`] keeps the state of everything received; [`input`]s feed it, and whatever takes an
//! [`Exposition`](exposition::Exposition) shows it. The `tapes` command is all of them together:
//!
//! ```text
//! tapes gateway --serial /dev/ttyACM0      then look at http://127.0.0.1:9100
//! ```
//!
//! In a program of one's own:
//!
//! ```
//! use std::sync::Arc;
//! use tapes_std::clock::SystemTimeSource;
//! use tapes_std::fleet::{Fleet, Limits, LinkKind, NodeId, SharedFleet};
//!
//! let fleet = Fleet::new(NodeId::default(), Limits::default());
//! let fleet = SharedFleet::new(fleet, Arc::new(SystemTimeSource::new()));
//! let mut frames = fleet.reader("uplink", LinkKind::Socket).expect("the first input fits");
//! frames.feed(b"\0bytes as they come\0");
//! assert!(fleet.snapshot().devices.is_empty());
//! ```
//!
//! # Features
//!
//! | feature | adds | needs |
//! |---|---|---|
//! | `stream` | one JSON object a line, at an interval | – |
//! | `statsd` | reports to StatsD servers, by UDP and Unix sockets | – |
//! | `http` | an HTTP server for Prometheus text, OpenMetrics, protobuf and JSON | hyper, tokio, prost, flate2, subtle, base64, `serde_json` |
//! | `axum` | its pages as a router of an application | axum |
//! | `push` | pushes to OTLP receivers and to Prometheus remote write, with a queue on disk | prost, snap, ureq |
//! | `metrics-bridge` | what programs record with the crate `metrics` | metrics |
//! | `serial` | frames from serial ports | serialport |
//! | `tokio` | frames from TCP connections; reporters as tasks | tokio |
//! | `mqtt` | frames from and to an MQTT broker | rumqttc |
//! | `tls` | TLS for HTTP and for TCP connections, with certificates of clients | tokio-rustls with ring |
//! | `tsc` | a clock for timers that reads the counter of the processor | quanta |
//! | `zmq` | a registry of many processes, and what they report to, over ZeroMQ | omq-tokio |
//! | `cli` | the `tapes` command, with everything above | clap, ratatui |
#![forbid(unsafe_code)]

#[cfg(feature = "metrics-bridge")]
pub mod bridge;
pub mod clock;
pub mod exposition;
pub mod fleet;
#[cfg(feature = "http")]
pub mod http;
pub mod input;
pub mod local;
#[cfg(feature = "mqtt")]
pub mod mqtt;
#[cfg(feature = "push")]
pub mod push;
pub mod readings;
pub mod recent;
pub mod schedule;
#[cfg(feature = "statsd")]
pub mod statsd;
#[cfg(feature = "stream")]
pub mod stream;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(feature = "zmq")]
pub mod zmq;

/// The documents that belong to this crate.
#[cfg(doc)]
pub mod _documentation {
    #[doc = include_str!("../docs/fleet.md")]
    pub mod fleet {}
    #[doc = include_str!("../docs/reporters.md")]
    pub mod reporters {}
    #[doc = include_str!("../docs/service.md")]
    pub mod service {}
    #[doc = include_str!("../docs/state.md")]
    pub mod state {}
    #[doc = include_str!("../docs/zeromq.md")]
    pub mod zeromq {}
}

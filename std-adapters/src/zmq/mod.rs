//! Distributed metrics over ZeroMQ: many processes, devices and receivers, one exact view.
//!
//! A [`DistributedRegistry`] sends what a process records to an [`Aggregator`], which says what it
//! keeps. Aggregators, and gateways, forward what they have to others, device by device, so that
//! trees, detours and repeats count everything once. `docs/zeromq.md` describes the messages, the
//! promises, keys and limits.
//!
//! ```text
//! process  ─DEALER→ ROUTER┐
//! process  ─DEALER→ ROUTER┤ aggregator ─DEALER→ ROUTER aggregator → HTTP, StatsD, JSON
//! device   ─PUSH──→ PULL──┘                          ↑
//! boards   ─serial→ gateway ─DEALER──────────────────┘
//! ```
//!
//! # Limits
//!
//! Linux and other Unix systems for ipc. What is sent one way (PUSH) is not acknowledged.

mod aggregator;
#[cfg(test)]
mod cost_tests;
mod courier;
mod endpoint;
mod frames;
mod hub;
mod keys;
mod link;
mod message;
mod omq;
mod origin;
mod process;
mod records;
mod registry;
#[cfg(test)]
mod rollup_tests;
mod settings;
#[cfg(feature = "tokio")]
mod task;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod transport;

pub use self::aggregator::{Aggregator, Reloader, RunningAggregator};
pub use self::courier::SenderStats;
pub use self::endpoint::{Endpoint, EndpointError};
pub use self::keys::{AllowList, KeyError, KeyPair, PublicKey};
pub use self::process::AggregatorProcess;
pub use self::registry::DistributedRegistry;
pub use self::settings::{ClientKeys, ServerKeys, SocketError};

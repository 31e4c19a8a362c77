//! Frames over MQTT, both ways: a [`Publisher`] for devices and gateways, a [`Subscriber`] that feeds
//! a fleet.
//!
//! Topics and payloads are those of the wire format, section 3.2: a bare frame on `tapes/ORIGIN`,
//! the dictionary retained beside it, and whether its publisher is there, which the broker itself
//! takes back when the connection is lost.
//!
//! ```no_run
//! use std::time::Duration;
//! use tapes_core::Registry;
//! use tapes_core::wire::{Encoder, Epoch, Identity, Origin};
//! use tapes_std::mqtt::{Broker, Publisher};
//!
//! static REGISTRY: Registry<4, 16> = Registry::new();
//! let passes = REGISTRY.counter("motor.passes")?;
//! let identity = Identity::new(Origin::from_array(*b"lathe-1"), Epoch::new(0, 0x5eed), 1_000);
//! let mut encoder = Encoder::<4, 0>::new(identity, 512).with_full_address();
//!
//! let (publisher, handle) = Publisher::new(Broker::parse("mqtt://localhost")?, "lathe-1")?;
//! let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! let running = runtime.spawn(publisher.run());
//! passes.increment();
//! let mut buffer = [0; 512];
//! encoder.begin(0);
//! while let Some(frame) = encoder.next_frame(&REGISTRY, &mut buffer) {
//!     handle.publish(frame);
//!     encoder.sent();
//! }
//! // Waits until the broker has it all, but no longer than that.
//! handle.close(Duration::from_secs(2));
//! runtime.block_on(running)?;
//! println!("{:?}", handle.stats());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//!
//! MQTT 5, quality of service 1: a message that the broker acknowledged is the broker's. What waits
//! for it is kept in memory, 8,192 messages and 16 MiB; beyond, the oldest is dropped and counted. A message has
//! 256 KiB at most, and brokers are told so. Frames are not taken from one broker to another.

mod broker;
mod dictionary;
mod publisher;
mod queue;
mod readdress;
mod subscriber;
mod topic;

pub use self::broker::{Broker, BrokerError};
pub use self::publisher::{Publisher, PublisherHandle};
pub use self::subscriber::Subscriber;

/// Longest message, in bytes.
const MESSAGE_LEN_MAX: u32 = 256 << 10;

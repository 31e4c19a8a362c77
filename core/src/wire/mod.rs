//! The wire format: frames that carry metrics over serial lines, sockets, buses and files.
//!
//! The bytes are specified in `core/docs/wire-format.md`; this module is one implementation of it.
//! A frame is a header, a body and a CRC-32C. On byte streams it is COBS-encoded and ends with a
//! 0x00 byte; datagrams and messages carry it bare.
//!
//! ```
//! use tapes_core::wire::{Deframer, Feed, Frame};
//!
//! let mut deframer = Deframer::<512>::new();
//! let mut input: &[u8] = &[0x00, 0x02, 0x01, 0x00];
//! loop {
//!     match deframer.feed(input) {
//!         Feed::Frame { frame, rest } => {
//!             match Frame::parse(frame) {
//!                 Ok(frame) => drop(frame.body()),
//!                 Err(error) => assert_eq!(error.reason(), "truncated"),
//!             }
//!             input = rest;
//!         }
//!         Feed::Oversize { rest } | Feed::Cobs { rest } => input = rest,
//!         _ => break, // all input was taken
//!     }
//! }
//! ```
//!
//! # Interrupts and cores
//!
//! Nothing here locks or masks. Decoding is pure; an encoder is used by one context at a time and
//! reads the live words of its source.
//!
//! # Limits
//!
//! Every length that a frame claims is checked against the bytes that are there and against a
//! constant of this module before it is used. No input makes the decoder panic or loop for longer
//! than the input is.

mod cobs;
mod crc;
mod data;
mod deframer;
mod dict;
mod encoder;
mod event;
mod frame;
mod header;
mod hello;
mod identity;
mod parts;
mod request;
mod schedule;
mod state;
mod widen;
mod writer;
mod zmtp;

pub use data::{BucketReadings, DataBody, FamilyReading, HistogramReading, Malformed, Reading};
pub use deframer::{Deframer, Feed};
pub use dict::{DictBody, DictionaryHash};
pub use encoder::{Encoder, frame_len, stream_capacity, stream_len};
pub use event::Event;
pub use frame::{Body, FRAME_LEN_MAX, Frame, FrameError};
pub use header::{Address, Dictionary, Flags, FrameType, Header, METRICS_MAX, VERSION};
pub use hello::{Hello, ResetReason};
pub use identity::{Epoch, Identity, ORIGIN_LEN_MAX, Origin, OriginLenError};
pub use request::Request;
pub use state::FRAME_LEN_MIN;
pub(crate) use writer::fingerprint;
pub use writer::{DataWriter, DictWriter, event_frame, hello_frame, stream_frame};
pub use zmtp::{ZmtpError, ZmtpPush};

/// The specification, `core/docs/wire-format.md`.
#[doc = include_str!("../../docs/wire-format.md")]
pub mod _format {}

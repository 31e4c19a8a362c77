//! What the rest needs of a messaging library, so that the one underneath can be exchanged.

use std::fmt;
use std::time::Duration;

use super::keys::PublicKey;

/// The sending end: a socket that one thread uses, connected to a receiver or trying to be.
pub trait Uplink: Send + fmt::Debug {
    /// Hands a message over without waiting; gives it back if there is no room now.
    ///
    /// # Errors
    ///
    /// The message, as it was.
    fn try_send(&mut self, message: Vec<u8>) -> Result<(), Vec<u8>>;

    /// Waits for a message of the receiver, for at most `timeout`.
    fn receive(&mut self, timeout: Duration) -> Option<Vec<u8>>;

    /// Drops the connection with everything that is not sent, and begins another one.
    fn reconnect(&mut self);

    /// Returns the number of connections begun; what was said on one says nothing about another.
    fn generation(&self) -> u64;

    /// Returns whether somebody receives at the other end, as far as is known.
    fn is_connected(&self) -> bool;
}

/// A sender at the receiving end, for the time of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u64);

/// A message that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Who can be answered, `None` on sockets that only receive.
    pub peer: Option<PeerId>,
    /// The key that the sender proved to have, with CURVE on sockets that know it.
    pub key: Option<PublicKey>,
    /// The content, `None` if the message did not have exactly one part.
    pub content: Option<Vec<u8>>,
}

/// The receiving end: a bound socket that one thread uses.
pub trait Inbox: Send + fmt::Debug {
    /// Waits for a message, for at most `timeout`.
    fn receive(&mut self, timeout: Duration) -> Option<Incoming>;

    /// Answers without waiting. Returns false if the peer is gone or has no room: it will ask again.
    fn answer(&mut self, peer: PeerId, message: &[u8]) -> bool;

    /// Returns the peers that went away since this was called last.
    fn gone(&mut self) -> Vec<PeerId>;

    /// Ends connections of peers whose key is not good any more.
    fn disconnect_unless(&mut self, is_good: &dyn Fn(Option<PublicKey>) -> bool);
}

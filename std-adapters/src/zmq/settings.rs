//! What sockets are opened with.

use std::fmt;
use std::time::Duration;

use super::endpoint::Endpoint;
use super::keys::{AllowList, KeyPair, PublicKey};

/// Messages that wait in a socket for its peer.
pub(super) const HWM: u32 = 256;

/// Longest message that is taken in: a frame has 16 KiB at most, a batch of records a little above
/// [`super::records::BATCH_LEN`].
pub(super) const MESSAGE_LEN_MAX: usize = 8 << 20;

/// Time from accepting a connection to the end of its handshake.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(2);

/// Connections at once that have not shaken hands.
pub(super) const HANDSHAKES_MAX: usize = 512;

/// Time between two heartbeats, and the silence after which a connection is closed.
pub(super) const HEARTBEAT: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(6));

/// Pauses between attempts to connect: the first and the longest.
pub(super) const RECONNECT: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_secs(2));

/// Keys of a sender, and the one of the receiver that it believes.
#[derive(Debug, Clone)]
pub struct ClientKeys {
    /// The sender's own keys.
    pub own: KeyPair,
    /// The receiver's public key.
    pub server: PublicKey,
}

/// Keys of a receiver, and who may send.
#[derive(Debug, Clone)]
pub struct ServerKeys {
    /// The receiver's own keys.
    pub own: KeyPair,
    /// Who is let in.
    pub allowed: AllowList,
}

/// Why a socket cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketError {
    /// The endpoint is not on this machine, and there are no keys: everybody on the way could read
    /// and forge what is sent. Give keys, or allow plaintext.
    Plaintext(Endpoint),
    /// The endpoint cannot be used; what the system or the library says.
    Endpoint(Endpoint, String),
    /// A thread cannot be started.
    Thread(String),
    /// Sums are to be forwarded, and nothing keeps them over a restart, after which all of them
    /// would count again. Give the fleet a [`Store`](crate::fleet::store::Store).
    NoState,
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plaintext(endpoint) => write!(
                f,
                "{endpoint} is not on this machine and would be used without encryption; give \
                 keys, or say that plaintext is allowed"
            ),
            Self::Endpoint(endpoint, why) => write!(f, "cannot use {endpoint}: {why}"),
            Self::Thread(why) => write!(f, "cannot start a thread: {why}"),
            Self::NoState => f.write_str("sums can be forwarded only if their state is kept"),
        }
    }
}

impl std::error::Error for SocketError {}

/// Checks that what is sent to an endpoint is safe from others.
pub(super) fn check(endpoint: &Endpoint, has_keys: bool, plain: bool) -> Result<(), SocketError> {
    if has_keys || plain || endpoint.is_local() {
        Ok(())
    } else {
        Err(SocketError::Plaintext(endpoint.clone()))
    }
}

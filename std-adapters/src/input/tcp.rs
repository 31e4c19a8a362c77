//! TCP connections: each a byte stream of frames.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::fleet::{FrameReader, LinkKind, Refusal, SharedFleet};

/// Name under which what comes in is counted, whoever sends it.
const LINK_NAME: &str = "tcp";

/// Bytes read at once.
const CHUNK_LEN: usize = 4_096;

/// Pauses between failures to accept: from the first to the longest.
const ACCEPT_PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// What connections may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpLimits {
    /// Connections at the same time; further ones are closed at once.
    pub connections: usize,
    /// Bytes without a frame that could be used; then the connection is closed.
    pub useless_bytes: usize,
    /// Silence after which a connection is closed.
    pub idle: Duration,
}

impl Default for TcpLimits {
    fn default() -> Self {
        Self { connections: 64, useless_bytes: 256 << 10, idle: Duration::from_secs(600) }
    }
}

/// Listens for connections that carry frames.
///
/// There is no authentication: listen on loopback, or on a network that you trust.
#[derive(Debug)]
pub struct TcpInput {
    listener: TcpListener,
    address: SocketAddr,
    limits: TcpLimits,
}

impl TcpInput {
    /// Listens on an address; port 0 takes a free one. Call it within a tokio runtime.
    ///
    /// # Errors
    ///
    /// Those of the system: the address is taken, or not one of this machine.
    pub async fn bind(address: SocketAddr, limits: TcpLimits) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, limits })
    }

    /// Returns the address, with the port that was taken.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Feeds what comes in to a fleet until `stop` is ready; then closes all connections.
    pub async fn run(self, fleet: SharedFleet, stop: impl Future<Output = ()>) {
        let places = Arc::new(Semaphore::new(self.limits.connections));
        let mut connections = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        let mut pause = ACCEPT_PAUSES.0;
        loop {
            let accepted = tokio::select! {
                () = &mut stop => return,
                Some(_) = connections.join_next() => continue,
                accepted = self.listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                // Out of sockets or the like: it passes, and trying at once would spin.
                tokio::select! {
                    () = &mut stop => return,
                    () = tokio::time::sleep(pause) => pause = (pause * 2).min(ACCEPT_PAUSES.1),
                }
                continue;
            };
            pause = ACCEPT_PAUSES.0;
            let place = Arc::clone(&places).try_acquire_owned().ok();
            let frames = place.as_ref().and_then(|_| fleet.reader(LINK_NAME, LinkKind::Socket));
            match (place, frames) {
                (Some(place), Some(frames)) => {
                    let limits = self.limits;
                    connections.spawn(async move {
                        read(stream, frames, limits).await;
                        drop(place);
                    });
                }
                _ => fleet.lock().refuse_by_name(LINK_NAME, Refusal::Connections),
            }
        }
    }
}

/// Reads a connection until it ends, falls silent, or has nothing to say.
async fn read(mut stream: TcpStream, mut frames: FrameReader, limits: TcpLimits) {
    let mut chunk = [0; CHUNK_LEN];
    let mut useless = 0usize;
    while useless <= limits.useless_bytes {
        let Ok(Ok(len)) = timeout(limits.idle, stream.read(&mut chunk)).await else { return };
        let Some(bytes) = chunk.get(..len).filter(|bytes| !bytes.is_empty()) else { return };
        useless = if frames.feed(bytes) > 0 { 0 } else { useless.saturating_add(len) };
    }
}

//! TCP connections: each a byte stream of frames.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::fleet::{FrameReader, LinkKind, Refusal, SharedFleet};

/// Name under which what comes in is counted, whoever sends it.
const LINK_NAME: &str = "tcp";

/// The same, of what comes in encrypted.
#[cfg(feature = "tls")]
const LINK_NAME_TLS: &str = "tls";

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
    /// Time for the handshake of an encrypted connection.
    pub handshake: Duration,
    /// Handshakes at the same time, beside the connections; the oldest gives way.
    pub handshakes: usize,
}

impl Default for TcpLimits {
    fn default() -> Self {
        Self {
            connections: 64,
            useless_bytes: 256 << 10,
            idle: Duration::from_secs(600),
            handshake: Duration::from_secs(10),
            handshakes: 64,
        }
    }
}

/// Listens for connections that carry frames.
///
/// Without TLS there is no authentication: listen on loopback, or on a network that you trust.
#[derive(Debug)]
pub struct TcpInput {
    listener: TcpListener,
    address: SocketAddr,
    limits: TcpLimits,
    #[cfg(feature = "tls")]
    tls: Option<crate::tls::Tls>,
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
        Ok(Self {
            listener,
            address,
            limits,
            #[cfg(feature = "tls")]
            tls: None,
        })
    }

    /// Takes encrypted connections only.
    ///
    /// A handshake takes none of the places of connections, so that strangers who begin many keep
    /// no device out.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, tls: crate::tls::Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Returns the address, with the port that was taken.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Feeds what comes in to a fleet until `stop` is ready; then closes all connections.
    pub async fn run(self, fleet: SharedFleet, stop: impl Future<Output = ()>) {
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls {
            let mut reading = Reading::new(fleet, LINK_NAME_TLS, self.limits);
            let handshakes = Handshakes::new(tls, self.limits);
            return run_tls(&self.listener, handshakes, &mut reading, stop).await;
        }
        let mut reading = Reading::new(fleet, LINK_NAME, self.limits);
        let mut stop = std::pin::pin!(stop);
        let mut pause = ACCEPT_PAUSES.0;
        loop {
            tokio::select! {
                () = &mut stop => return,
                Some(_) = reading.connections.join_next() => {}
                stream = accept(&self.listener, &mut pause) => reading.start(stream),
            }
        }
    }
}

/// Waits for the next connection.
async fn accept(listener: &TcpListener, pause: &mut Duration) -> TcpStream {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            *pause = ACCEPT_PAUSES.0;
            return stream;
        }
        // Out of sockets or the like: it passes, and trying at once would spin.
        tokio::time::sleep(*pause).await;
        *pause = (*pause * 2).min(ACCEPT_PAUSES.1);
    }
}

/// The connections that are being read.
struct Reading {
    fleet: SharedFleet,
    link_name: &'static str,
    limits: TcpLimits,
    places: Arc<Semaphore>,
    connections: JoinSet<()>,
}

impl Reading {
    fn new(fleet: SharedFleet, link_name: &'static str, limits: TcpLimits) -> Self {
        let places = Arc::new(Semaphore::new(limits.connections));
        Self { fleet, link_name, limits, places, connections: JoinSet::new() }
    }

    /// Reads another one, if there is a place.
    fn start(&mut self, stream: impl AsyncRead + Send + Unpin + 'static) {
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        let open = || self.fleet.reader(self.link_name, LinkKind::Socket);
        let frames = place.as_ref().and_then(|_| open());
        let (Some(place), Some(frames)) = (place, frames) else {
            return self.refuse(Refusal::Connections);
        };
        let limits = self.limits;
        self.connections.spawn(async move {
            read(stream, frames, limits).await;
            drop(place);
        });
    }

    fn refuse(&self, refusal: Refusal) {
        self.fleet.lock().refuse_by_name(self.link_name, refusal);
    }
}

/// Reads a connection until it ends, falls silent, or has nothing to say.
async fn read(mut stream: impl AsyncRead + Unpin, mut frames: FrameReader, limits: TcpLimits) {
    let mut useless = 0usize;
    while useless <= limits.useless_bytes {
        let chunk = poll_fn(|context| take_in(&mut stream, &mut frames, context));
        let Ok(Ok((len, used))) = timeout(limits.idle, chunk).await else { return };
        if len == 0 {
            return;
        }
        useless = if used > 0 { 0 } else { useless.saturating_add(len) };
    }
}

/// Takes in what is there. The buffer is here, not in a connection that waits: there may be many.
fn take_in(
    stream: &mut (impl AsyncRead + Unpin),
    frames: &mut FrameReader,
    context: &mut Context<'_>,
) -> Poll<io::Result<(usize, usize)>> {
    let mut chunk = [0; CHUNK_LEN];
    let mut chunk = ReadBuf::new(&mut chunk);
    ready!(Pin::new(stream).poll_read(context, &mut chunk))?;
    let bytes = chunk.filled();
    let used = if bytes.is_empty() { 0 } else { frames.feed(bytes) };
    Poll::Ready(Ok((bytes.len(), used)))
}

/// Connections that are not agreed on yet, the oldest first.
#[cfg(feature = "tls")]
struct Handshakes {
    tls: crate::tls::Tls,
    limits: TcpLimits,
    running: JoinSet<io::Result<tokio_rustls::server::TlsStream<TcpStream>>>,
    handles: std::collections::VecDeque<tokio::task::AbortHandle>,
}

#[cfg(feature = "tls")]
impl Handshakes {
    fn new(tls: crate::tls::Tls, limits: TcpLimits) -> Self {
        Self { tls, limits, running: JoinSet::new(), handles: std::collections::VecDeque::new() }
    }

    fn start(&mut self, stream: TcpStream) {
        self.handles.retain(|handle| !handle.is_finished());
        if self.handles.len() >= self.limits.handshakes.max(1)
            && let Some(oldest) = self.handles.pop_front()
        {
            oldest.abort();
        }
        let (tls, patience) = (self.tls.clone(), self.limits.handshake);
        let handle = self.running.spawn(async move { tls.accept(stream, patience).await });
        self.handles.push_back(handle);
    }
}

#[cfg(feature = "tls")]
async fn run_tls(
    listener: &TcpListener,
    mut handshakes: Handshakes,
    reading: &mut Reading,
    stop: impl Future<Output = ()>,
) {
    let mut stop = std::pin::pin!(stop);
    let mut pause = ACCEPT_PAUSES.0;
    loop {
        tokio::select! {
            () = &mut stop => return,
            Some(_) = reading.connections.join_next() => {}
            Some(done) = handshakes.running.join_next() => match done {
                Ok(Ok(stream)) => reading.start(stream),
                // What came was not what was agreed, or not in time, or gave way.
                Ok(Err(_)) | Err(_) => reading.refuse(Refusal::Handshake),
            },
            stream = accept(listener, &mut pause) => handshakes.start(stream),
        }
    }
}

//! The server: accepts, answers, and stops.

use std::convert::Infallible;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use super::answer::answer;
use super::builder::{ConnectionLimits, HttpError, HttpServerBuilder};
use super::connections::{Connections, Place};
use super::pages::Pages;

/// Largest request head, in bytes; the least that hyper takes.
const HEAD_LEN_MAX: usize = 8_192;

/// How often rates are moved on.
const RATES_INTERVAL: Duration = Duration::from_secs(5);

/// Threads that render; one at a time does.
const RENDERING_THREADS: usize = 2;

/// Pauses between failures to accept: from the first to the longest.
const ACCEPT_PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// When the last of an answer that has no end was sent; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Progress(Arc<Mutex<Instant>>);

impl Progress {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    /// Notes that some of it was sent.
    pub(super) fn made(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Waits until nothing was sent for a time.
    async fn stalled(&self, time: Duration) {
        loop {
            let due = *self.0.lock().unwrap_or_else(PoisonError::into_inner) + time;
            if due <= Instant::now() {
                return;
            }
            sleep_until(due).await;
        }
    }
}

/// What all connections of a server share.
#[derive(Debug)]
struct Shared {
    pages: Arc<Pages>,
    limits: ConnectionLimits,
    #[cfg(feature = "tls")]
    tls: Option<crate::tls::Tls>,
}

/// A server that has its address and is not running yet.
#[derive(Debug)]
#[must_use = "a server does nothing until it runs"]
pub struct HttpServer {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl HttpServer {
    /// Returns a builder with the defaults.
    pub fn builder() -> HttpServerBuilder {
        HttpServerBuilder::new()
    }

    pub(super) fn new(
        listener: TcpListener,
        address: SocketAddr,
        pages: Pages,
        limits: ConnectionLimits,
    ) -> Self {
        let shared = Shared {
            pages: Arc::new(pages),
            limits,
            #[cfg(feature = "tls")]
            tls: None,
        };
        Self { listener, address, shared: Arc::new(shared) }
    }

    #[cfg(feature = "tls")]
    pub(super) fn with_tls(mut self, tls: Option<crate::tls::Tls>) -> Self {
        let Shared { pages, limits, .. } = &*self.shared;
        self.shared = Arc::new(Shared { pages: Arc::clone(pages), limits: *limits, tls });
        self
    }

    /// Returns the address, with the port that was taken.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs until `stop` is ready; then frees the port, gives the answers under way a second, and
    /// returns.
    ///
    /// Needs a tokio runtime with timers and sockets. Rendering happens on its blocking threads.
    ///
    /// # Errors
    ///
    /// [`HttpError::Start`] if the runtime does not take the socket.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), HttpError> {
        let listener =
            tokio::net::TcpListener::from_std(self.listener).map_err(HttpError::Start)?;
        let connections = Connections::new(self.shared.limits.connections);
        // Rates go on while nobody asks for them.
        let mut ticks = tokio::time::interval(RATES_INTERVAL);
        let mut stop = std::pin::pin!(stop);
        let mut pause = ACCEPT_PAUSES.0;
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                _ = ticks.tick() => {
                    let pages = Arc::clone(&self.shared.pages);
                    // One that panics is one that is late.
                    drop(tokio::task::spawn_blocking(move || pages.exposition.advance()));
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    pause = ACCEPT_PAUSES.0;
                    start(stream, peer, &connections, &self.shared);
                    // It is read before the next one can ask for its place.
                    tokio::task::yield_now().await;
                }
                // Out of sockets or the like: it passes, and trying at once would spin.
                Err(_) => {
                    tokio::select! {
                        () = &mut stop => break,
                        () = tokio::time::sleep(pause) => pause = (pause * 2).min(ACCEPT_PAUSES.1),
                    }
                }
            }
        }
        drop(listener);
        self.shared.pages.streams.close();
        let drained = async {
            while !connections.is_empty() {
                tokio::time::sleep(ACCEPT_PAUSES.0).await;
            }
        };
        // Whoever is not done by then is cut.
        let _ = timeout(self.shared.limits.drain, drained).await;
        connections.cut();
        Ok(())
    }

    /// Runs on a thread of its own.
    ///
    /// # Errors
    ///
    /// [`HttpError::Start`] if the thread or its runtime cannot be started.
    pub fn spawn(self) -> Result<RunningServer, HttpError> {
        let address = self.address;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(RENDERING_THREADS)
            .thread_name("tapes-http-render")
            .build()
            .map_err(HttpError::Start)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = move || {
            let stopped = async {
                // A sender that is gone asks to stop as well.
                let _ = stopped.await;
            };
            // An error here is one of the runtime, which was just made for this.
            let _ = runtime.block_on(self.run(stopped));
        };
        let thread = std::thread::Builder::new().name("tapes-http".into()).spawn(serve);
        let thread = thread.map_err(HttpError::Start)?;
        Ok(RunningServer { address, stop: Some(stop), thread: Some(thread) })
    }
}

/// A server that runs on a thread of its own; stops when dropped.
#[derive(Debug)]
#[must_use = "the server stops when this is dropped"]
pub struct RunningServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl RunningServer {
    /// Returns the address, with the port that was taken.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Frees the port, gives the answers under way a second, and returns when the thread is gone.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // A thread that is gone needs no telling.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by the thread.
            let _ = thread.join();
        }
    }
}

fn start(stream: TcpStream, peer: SocketAddr, connections: &Connections, shared: &Arc<Shared>) {
    let Some(place) = connections.take(peer.ip()) else { return };
    let id = place.id();
    let task = tokio::spawn(serve(stream, place, Arc::clone(shared)));
    connections.started(id, task.abort_handle());
}

async fn serve(stream: TcpStream, place: Place, shared: Arc<Shared>) {
    #[cfg(feature = "tls")]
    if let Some(tls) = &shared.tls {
        // Who cannot finish it gets no answer: there is nobody to read one.
        if let Ok(stream) = tls.accept(stream, shared.limits.head).await {
            serve_http(stream, place, &shared).await;
        }
        return;
    }
    serve_http(stream, place, &shared).await;
}

async fn serve_http<S>(stream: S, place: Place, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let progress = Progress::new();
    let service = service_fn(|request: Request<Incoming>| {
        place.answering();
        let (pages, progress) = (Arc::clone(&shared.pages), progress.clone());
        async move {
            let (parts, _) = request.into_parts();
            let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
            Ok::<_, Infallible>(answer(&parts, target, pages, &progress).await)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.limits.head)
        .max_buf_size(HEAD_LEN_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Whatever is wrong with a connection, it is closed, and that is all there is to do.
    tokio::select! {
        _ = connection => {}
        () = progress.stalled(shared.limits.total) => {}
    }
}

//! The server: accepts, answers, and stops.

use std::convert::Infallible;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::builder::{ConnectionLimits, HttpError, HttpServerBuilder};
use super::connections::{Connections, Place};
use super::host::Hosts;
use super::respond::{refusal, respond};
use crate::exposition::Exposition;

/// Largest request head, in bytes; the least that hyper takes.
const HEAD_LEN_MAX: usize = 8_192;

/// Pauses between failures to accept: from the first to the longest.
const ACCEPT_PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Headers of every answer: nothing is sniffed, framed, cached or sent elsewhere.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What all connections of a server share.
#[derive(Debug)]
struct Shared {
    exposition: Arc<dyn Exposition>,
    hosts: Hosts,
    limits: ConnectionLimits,
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
        exposition: Arc<dyn Exposition>,
        hosts: Hosts,
        limits: ConnectionLimits,
    ) -> Self {
        Self { listener, address, shared: Arc::new(Shared { exposition, hosts, limits }) }
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
        let mut stop = std::pin::pin!(stop);
        let mut pause = ACCEPT_PAUSES.0;
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    pause = ACCEPT_PAUSES.0;
                    start(stream, peer, &connections, &self.shared);
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
    let service = service_fn(|request| {
        place.answering();
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(&request, shared).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.limits.head)
        .max_buf_size(HEAD_LEN_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Whatever is wrong with a connection, it is closed, and that is all there is to do.
    let _ = timeout(shared.limits.total, connection).await;
}

async fn answer(request: &Request<Incoming>, shared: Arc<Shared>) -> Response<Full<Bytes>> {
    if let Err(status) = check_host(request, &shared.hosts) {
        return refused(status);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = refused(StatusCode::METHOD_NOT_ALLOWED);
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let accept = request.headers().get(header::ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok()).map(str::to_owned);
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let render = move || respond(shared.exposition.as_ref(), accept.as_deref(), &target);
    match tokio::task::spawn_blocking(render).await {
        Ok(answer) => {
            let status = StatusCode::from_u16(answer.status.code());
            let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            response(status, answer.content_type, answer.body)
        }
        // The rendering panicked.
        Err(_) => refused(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// Checks every name by which a request says whom it is for.
fn check_host(request: &Request<Incoming>, hosts: &Hosts) -> Result<(), StatusCode> {
    let mut headers = request.headers().get_all(header::HOST).iter();
    let host = headers.next();
    if headers.next().is_some() || (host.is_none() && request.version() == Version::HTTP_11) {
        return Err(StatusCode::BAD_REQUEST);
    }
    let host = host.map(|host| host.to_str().map_err(|_| StatusCode::BAD_REQUEST)).transpose()?;
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let is_allowed = host.into_iter().chain(authority).all(|name| hosts.allows(name));
    if is_allowed { Ok(()) } else { Err(StatusCode::MISDIRECTED_REQUEST) }
}

fn refused(status: StatusCode) -> Response<Full<Bytes>> {
    let reason = status.canonical_reason().unwrap_or("");
    response(status, "text/plain; charset=utf-8", refusal(status.as_u16(), reason))
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

//! Setting up a server.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use super::pages::{Options, Pages};
use super::server::HttpServer;
use super::token::Token;
use crate::clock::TimeSource;
use crate::exposition::{ClassicBuckets, Exposition};

/// Port unless told otherwise.
const PORT_DEFAULT: u16 = 9_100;

/// Connections at the same time unless told otherwise: more than most who would block a server
/// bring, and some 8 MiB of buffers.
const CONNECTIONS_DEFAULT: usize = 512;

/// Limits of the connections of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnectionLimits {
    pub(super) connections: usize,
    /// From the first byte, or from nothing, to the end of a request head.
    pub(super) head: Duration,
    /// From accepting a connection to closing it.
    pub(super) total: Duration,
    /// From stopping the server to cutting the connections that are left.
    pub(super) drain: Duration,
}

/// Why a server could not be set up.
#[derive(Debug)]
#[non_exhaustive]
pub enum HttpError {
    /// The address cannot be listened on: choose another port, or stop what uses it.
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The thread or its runtime cannot be started: the system is out of something.
    Start(io::Error),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { address, source } => write!(f, "cannot listen on {address}: {source}"),
            Self::Start(source) => write!(f, "cannot start the HTTP thread: {source}"),
        }
    }
}

impl std::error::Error for HttpError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind { source, .. } | Self::Start(source) => Some(source),
        }
    }
}

/// Sets up an [`HttpServer`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it builds"]
pub struct HttpServerBuilder {
    address: SocketAddr,
    options: Options,
    limits: ConnectionLimits,
    #[cfg(feature = "tls")]
    tls: Option<crate::tls::Tls>,
}

impl HttpServerBuilder {
    pub(super) fn new() -> Self {
        let limits = ConnectionLimits {
            connections: CONNECTIONS_DEFAULT,
            head: Duration::from_secs(2),
            total: Duration::from_secs(12),
            drain: Duration::from_secs(1),
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT_DEFAULT));
        Self {
            address,
            options: Options::new(),
            limits,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Sets the address to listen on; port 0 takes a free one.
    ///
    /// Defaults to `127.0.0.1:9100`.
    pub fn with_address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Allows a name in the `Host` header, besides `localhost` and IP addresses.
    ///
    /// Defaults to none.
    pub fn with_host(mut self, name: &str) -> Self {
        self.options.hosts.allow(name);
        self
    }

    /// Answers to every `Host`, which lets a foreign web page that points its own name here read
    /// what this shows: for a server that only a proxy reaches, or a router of a public application.
    ///
    /// Defaults to [allowed](Self::with_host) hosts only.
    pub fn with_any_host(mut self) -> Self {
        self.options.any_host = true;
        self
    }

    /// Asks for `Authorization: Bearer TOKEN` in every request; else 401. Comparing it takes the
    /// same time for every wrong token of a length.
    ///
    /// Defaults to none.
    pub fn with_bearer_token(mut self, token: &str) -> Self {
        self.options.token = Some(Token::new(token));
        self
    }

    /// Lets somebody in who shows this name and password by `Authorization: Basic`, as browsers do;
    /// may be repeated, and stand beside a token. Comparing takes the same time for all wrong ones
    /// of a length. A name has no colon.
    ///
    /// Defaults to nobody; while there is no token either, everybody may read.
    pub fn with_user(mut self, name: &str, password: &str) -> Self {
        self.options.users.add(name, password);
        self
    }

    /// Speaks TLS only. A handshake has the time of a [head](Self::with_head_timeout), and gives way
    /// like a connection that has not sent its head.
    ///
    /// Defaults to plain HTTP.
    #[cfg(feature = "tls")]
    pub fn with_tls(mut self, tls: crate::tls::Tls) -> Self {
        self.options.is_encrypted = true;
        self.tls = Some(tls);
        self
    }

    /// Adds a health check, run at each request for `/health`; an `Err` says what is wrong. The
    /// answer is 200 if all checks are well, 500 if one is not, 501 if there is none.
    ///
    /// Defaults to none.
    pub fn with_health_check(
        mut self,
        name: &str,
        check: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.options.health.add(name, check);
        self
    }

    /// Sets which classic buckets histograms have in text.
    ///
    /// Defaults to bounds that are powers of two.
    pub fn with_classic_buckets(mut self, buckets: ClassicBuckets) -> Self {
        self.options.classic = buckets;
        self
    }

    /// Adds classic buckets to the native histograms of protobuf, for servers that keep both.
    ///
    /// Defaults to native ones only.
    pub fn with_classic_beside_native(mut self) -> Self {
        self.options.classic_beside_native = true;
        self
    }

    /// Lets names keep their dots for clients that ask for an escaping scheme, as Prometheus 3
    /// does: `{"motor.loops_total"}`. Without it every client sees `motor_loops_total`, and nothing
    /// changes when a server is updated.
    ///
    /// Defaults to underscores for everybody.
    pub fn with_dotted_names(mut self) -> Self {
        self.options.dotted_names = true;
        self
    }

    /// Sets how long a rendering serves others who ask for the same; zero renders for each.
    ///
    /// Defaults to 100 milliseconds.
    pub fn with_rendering_age(mut self, age: Duration) -> Self {
        self.options.age_max = age;
        self
    }

    /// Sets the clock by which renderings grow old.
    ///
    /// Defaults to the system's.
    pub fn with_time(mut self, time: Arc<dyn TimeSource>) -> Self {
        self.options.time = time;
        self
    }

    /// Sets how many connections there may be at the same time; 0 counts as 1.
    ///
    /// Defaults to 512.
    pub fn with_connections(mut self, connections: usize) -> Self {
        self.limits.connections = connections.max(1);
        self
    }

    /// Sets how many live pages may be open at the same time; who comes later is told to wait (503).
    ///
    /// Defaults to 16.
    pub fn with_live_pages(mut self, pages: usize) -> Self {
        self.options.streams = pages;
        self
    }

    /// Sets how long a client may take for its request head.
    ///
    /// Defaults to 2 seconds.
    pub fn with_head_timeout(mut self, timeout: Duration) -> Self {
        self.limits.head = timeout;
        self
    }

    /// Sets how long a connection may last; that of a live page, how long it may take for an event.
    ///
    /// Defaults to 12 seconds: 2 for the head, 10 for the answer.
    pub fn with_total_timeout(mut self, timeout: Duration) -> Self {
        self.limits.total = timeout;
        self
    }

    /// Takes the address and returns a server that is not running yet.
    ///
    /// # Errors
    ///
    /// [`HttpError::Bind`] if the address cannot be listened on.
    pub fn build(self, exposition: Arc<dyn Exposition>) -> Result<HttpServer, HttpError> {
        let address = self.address;
        let bind = |source| HttpError::Bind { address, source };
        let listener = TcpListener::bind(address).map_err(bind)?;
        listener.set_nonblocking(true).map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let pages = Pages::with_options(exposition, self.options);
        let server = HttpServer::new(listener, address, pages, self.limits);
        #[cfg(feature = "tls")]
        let server = server.with_tls(self.tls);
        Ok(server)
    }

    /// Returns all pages but the live one as a router, to be merged into an axum application or nested
    /// below a path of it. Address and limits of connections are those of the application.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use tapes_core::Registry;
    /// use tapes_std::local::Local;
    /// use tapes_std::http::HttpServer;
    ///
    /// static REGISTRY: Registry<4, 16> = Registry::new();
    /// let pages = HttpServer::builder().router(Arc::new(Local::new(&REGISTRY)));
    /// let application: axum::Router = axum::Router::new().nest("/internal", pages);
    /// ```
    #[cfg(feature = "axum")]
    pub fn router(self, exposition: Arc<dyn Exposition>) -> axum::Router {
        super::router::router(Arc::new(Pages::with_options(exposition, self.options)))
    }
}

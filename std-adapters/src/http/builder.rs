//! Setting up a server.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use super::host::Hosts;
use super::server::HttpServer;
use crate::exposition::Exposition;

/// Port unless told otherwise.
const PORT_DEFAULT: u16 = 9_100;

/// Connections at the same time unless told otherwise: enough for every scraper and person that
/// looks, and 1 MiB of buffers.
const CONNECTIONS_DEFAULT: usize = 64;

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
    hosts: Hosts,
    limits: ConnectionLimits,
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
        Self { address, hosts: Hosts::new(), limits }
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
        self.hosts.allow(name);
        self
    }

    /// Sets how many connections there may be at the same time; 0 counts as 1.
    ///
    /// Defaults to 64.
    pub fn with_connections(mut self, connections: usize) -> Self {
        self.limits.connections = connections.max(1);
        self
    }

    /// Sets how long a client may take for its request head.
    ///
    /// Defaults to 2 seconds.
    pub fn with_head_timeout(mut self, timeout: Duration) -> Self {
        self.limits.head = timeout;
        self
    }

    /// Sets how long a connection may last.
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
        Ok(HttpServer::new(listener, address, exposition, self.hosts, self.limits))
    }
}

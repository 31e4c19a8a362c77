//! The TCP connections on which devices send frames.

use std::net::SocketAddr;

use tapes_std::fleet::{Limits, SharedFleet};
use tapes_std::input::{TcpInput, TcpLimits};
use tapes_std::tls::Tls;

use crate::address;

/// Options of TCP inputs.
#[derive(Debug, clap::Args)]
pub(crate) struct ListenArguments {
    /// Accept TCP connections that carry frames; a port alone is one of 127.0.0.1; may be repeated.
    #[arg(long, value_name = "ADDR", value_parser = address::parse)]
    listen: Vec<SocketAddr>,
    /// The same over TLS, with --tls-cert; may be repeated.
    #[arg(long, value_name = "ADDR", value_parser = address::parse, requires = "tls_cert")]
    listen_tls: Vec<SocketAddr>,
    /// Connections at the same time on each address; each takes some 20 KiB.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..),
        default_value = "64")]
    listen_connections: u16,
}

impl ListenArguments {
    /// Returns whether there is nothing to listen on.
    pub(crate) const fn is_empty(&self) -> bool {
        self.listen.is_empty() && self.listen_tls.is_empty()
    }

    /// Returns whether some of it is encrypted.
    pub(crate) const fn wants_tls(&self) -> bool {
        !self.listen_tls.is_empty()
    }

    /// Makes room for the connections, and for a device on each.
    pub(crate) fn widen(&self, limits: &mut Limits) {
        let addresses = self.listen.len() + self.listen_tls.len();
        let connections = usize::from(self.listen_connections).saturating_mul(addresses);
        // What else is open, and what was there before.
        limits.links = limits.links.max(connections.saturating_add(64));
        limits.origins = limits.origins.max(connections);
    }

    /// Takes the addresses.
    pub(crate) async fn open(&self, tls: Option<&Tls>) -> Result<Vec<TcpInput>, String> {
        let mut limits = TcpLimits::default();
        limits.connections = usize::from(self.listen_connections);
        let mut listeners = Vec::new();
        for address in &self.listen {
            let listener = bind(*address, limits).await?;
            tracing::info!("accepting frames at tcp://{}", listener.address());
            listeners.push(listener);
        }
        for (address, tls) in self.listen_tls.iter().zip(std::iter::repeat(tls)) {
            // Without one it would have ended before.
            let tls = tls.ok_or("--listen-tls needs --tls-cert")?;
            let listener = bind(*address, limits).await?.with_tls(tls.clone());
            tracing::info!("accepting frames at tls://{}", listener.address());
            listeners.push(listener);
        }
        Ok(listeners)
    }
}

async fn bind(address: SocketAddr, limits: TcpLimits) -> Result<TcpInput, String> {
    let listener = TcpInput::bind(address, limits).await;
    listener.map_err(|error| format!("cannot listen on {address}: {error}"))
}

/// Starts to read the connections, for as long as the runtime lives.
pub(crate) fn start(listeners: Vec<TcpInput>, fleet: &SharedFleet) {
    for listener in listeners {
        tokio::spawn(listener.run(fleet.clone(), std::future::pending()));
    }
}

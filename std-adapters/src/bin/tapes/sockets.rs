//! The ZeroMQ sockets of `tapes aggregate` and `tapes gateway`.

use std::time::Duration;

use tapes_std::fleet::{Limits, SharedFleet};
use tapes_std::zmq::{Aggregator, Endpoint, RunningAggregator};

use crate::keys::{ClientOptions, ServerOptions};

/// What `tapes aggregate --help` says at its end.
pub(crate) const AFTER_HELP: &str = "\
Examples:
  tapes aggregate --bind ipc:///run/app/metrics --state /var/lib/tapes
      the processes of this machine; their metrics at http://127.0.0.1:9100
  tapes aggregate --bind tcp://0.0.0.0:7081 --curve-bind-key own.key --curve-allow allowed
      those of others too, encrypted; tapes keygen makes keys
  tapes aggregate --bind ipc:///run/app/metrics --forward tcp://10.0.0.1:7081 \\
      --curve-key own.key --curve-server-key KEY
      and all of it to another aggregator
  tapes aggregate --bind ipc:///run/app/metrics --forward tcp://10.0.0.1:7081 --rollup \\
      --state /var/lib/tapes ...
      and the sums of it, as one source
  tapes gateway --serial /dev/ttyACM0 --forward tcp://10.0.0.1:7081 ...
      the boards of a gateway to an aggregator

All options of tapes gateway are there too: --serial, --listen, --statsd, --stream and others.

What a sender was told that it is kept is in the state: without --state as long as the
process lives, with it for good. What arrives on several ways counts once.

Exit codes: 0 done; 2 wrong usage, or a file, state or endpoint that cannot be used.";

/// Sources that are kept, unless told otherwise.
const SOURCES: u32 = 16_384;

/// Options of ZeroMQ sockets.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "ZeroMQ")]
pub(crate) struct SocketArguments {
    /// Receive from registries, gateways and aggregators here, and tell them what is kept:
    /// `ipc:///PATH` or `tcp://HOST:PORT`; may be repeated.
    #[arg(long, value_name = "ENDPOINT")]
    bind: Vec<Endpoint>,
    /// Receive from senders that do not listen (PUSH) here, such as microcontrollers; may be
    /// repeated.
    #[arg(long, value_name = "ENDPOINT")]
    pull: Vec<Endpoint>,
    /// Report everything to this aggregator, device by device; may be repeated.
    #[arg(long, visible_alias = "push", value_name = "ENDPOINT")]
    forward: Vec<Endpoint>,
    /// Report sums over everything instead, as one source: for trees whose top has no room for all
    /// sources. Needs --state. Every source must have one way to each receiver that adds up.
    #[arg(long, requires = "forward")]
    rollup: bool,
    /// Seconds between two reports of --forward.
    #[arg(long, value_name = "N", value_parser = crate::simulate::seconds, default_value = "1")]
    forward_interval: f64,
    /// Seconds that the end waits for --forward to be told that its last report is kept.
    #[arg(long, value_name = "N", value_parser = crate::simulate::seconds, default_value = "2")]
    linger: f64,
    /// Memory for what is kept of devices and processes, in MiB; beyond it new ones are refused and
    /// counted.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    max_memory: Option<u32>,
    /// Devices and processes that are kept; further ones are refused and counted.
    #[arg(long, value_name = "N", default_value_t = SOURCES)]
    max_sources: u32,
    /// Use endpoints that other machines reach without encryption: whoever is on the way can read
    /// and forge metrics.
    #[arg(long)]
    allow_plaintext: bool,
    #[command(flatten)]
    client: ClientOptions,
    #[command(flatten)]
    server: ServerOptions,
}

impl SocketArguments {
    /// Returns whether something is received.
    pub(crate) const fn is_bound(&self) -> bool {
        !self.bind.is_empty() || !self.pull.is_empty()
    }

    /// Returns the limits of the fleet.
    pub(crate) fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        if let Some(mib) = self.max_memory {
            limits.bytes = usize::try_from(mib).unwrap_or(usize::MAX).saturating_mul(1 << 20);
            limits.bytes_per_origin = limits.bytes_per_origin.min(limits.bytes);
        }
        if self.is_bound() {
            let sources = usize::try_from(self.max_sources).unwrap_or(usize::MAX);
            limits.origins = sources;
            limits.links = limits.links.saturating_add(sources);
        }
        limits
    }

    /// Opens the sockets that were asked for. Call it within a runtime: signals are waited for.
    pub(crate) fn start(&self, fleet: &SharedFleet) -> Result<Sockets, String> {
        let client = self.client.load()?;
        let server = self.server.load()?;
        let mut aggregator = Aggregator::new(fleet.clone())
            .with_forward_interval(Duration::from_secs_f64(self.forward_interval))
            .with_rollup(self.rollup)
            .with_plaintext_allowed(self.allow_plaintext);
        if let Some(keys) = server {
            aggregator = aggregator.with_keys(keys);
        }
        for endpoint in &self.bind {
            aggregator = aggregator.with_bind(endpoint.clone());
        }
        for endpoint in &self.pull {
            aggregator = aggregator.with_pull(endpoint.clone());
        }
        for endpoint in &self.forward {
            aggregator = aggregator.with_forward(endpoint.clone(), client.clone());
        }
        let running = aggregator.spawn().map_err(|error| match error {
            tapes_std::zmq::SocketError::Plaintext(endpoint) => format!(
                "{endpoint} is reached by other machines: encrypt with keys (tapes keygen), or \
                 say --allow-plaintext"
            ),
            tapes_std::zmq::SocketError::NoState => {
                "--rollup needs --state DIR: sums that nobody keeps would count again after a \
                 restart"
                    .to_owned()
            }
            error => error.to_string(),
        })?;
        for endpoint in running.endpoints() {
            tracing::info!("receiving at {}", crate::terminal::shown(&endpoint.to_string()));
        }
        for endpoint in &self.forward {
            tracing::info!("reporting to {}", crate::terminal::shown(&endpoint.to_string()));
        }
        reload_when_asked(&running)?;
        Ok(Sockets { running, linger: Duration::from_secs_f64(self.linger) })
    }
}

/// Reads the allow-list again at each SIGHUP, if there is one.
#[cfg(unix)]
fn reload_when_asked(running: &RunningAggregator) -> Result<(), String> {
    use tokio::signal::unix::{SignalKind, signal};

    let Some(reloader) = running.reloader() else { return Ok(()) };
    let hangup = signal(SignalKind::hangup());
    let mut hangup = hangup.map_err(|error| format!("cannot wait for signals: {error}"))?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match reloader.reload() {
                Ok(()) => tracing::info!("read the allow-list again"),
                Err(error) => tracing::warn!("{error}; the allow-list stays as it was"),
            }
        }
    });
    Ok(())
}

#[cfg(not(unix))]
fn reload_when_asked(_: &RunningAggregator) -> Result<(), String> {
    Ok(())
}

/// The sockets that are open.
pub(crate) struct Sockets {
    running: RunningAggregator,
    linger: Duration,
}

impl Sockets {
    /// Takes in what has come, and reports a last time.
    pub(crate) fn close(self) {
        if !self.running.close(self.linger) {
            tracing::warn!("the last report was not acknowledged; the state has what is missing");
        }
    }
}

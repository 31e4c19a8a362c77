//! The reporter for tokio.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::engine::Engine;
use super::link::Resolve;
use super::lookup::{Lookup, any_port, choose};
use super::target::Target;
use super::{BuildError, LOOKUP_INTERVAL_DEFAULT, StatsHandle, StatsdBuilder, StatsdError};
use crate::clock::TimeSource;
use crate::readings::Readings;
use crate::schedule::AsyncReporter;

/// How long sending a datagram, looking up a name or connecting may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often a datagram is tried, when the system first reports refusals of earlier ones.
const TRIES_MAX: usize = 4;

/// As [`StatsdReporter`](super::StatsdReporter), for a
/// [`TaskScheduler`](crate::schedule::TaskScheduler): waits, for a second at most, where that one
/// drops at once.
#[derive(Debug)]
#[must_use = "a reporter does nothing unless it is asked to report"]
pub struct AsyncStatsdReporter {
    readings: Arc<dyn Readings>,
    engine: Engine,
    link: Link,
    time: Arc<dyn TimeSource>,
    stats: StatsHandle,
}

struct Link {
    target: Target,
    lookup: Lookup,
    resolve: Option<Resolve>,
    socket: Option<Socket>,
}

enum Socket {
    Udp(UdpSocket, SocketAddr),
    #[cfg(unix)]
    Unix(tokio::net::UnixDatagram),
    #[cfg(unix)]
    Stream(tokio::net::UnixStream),
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("target", &self.target).finish_non_exhaustive()
    }
}

impl StatsdBuilder {
    /// Returns the reporter for tokio. Nothing is looked up or opened before the first report.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    pub fn build_async(
        self,
        readings: Arc<dyn Readings>,
    ) -> Result<AsyncStatsdReporter, BuildError> {
        let (target, engine) = self.checked()?;
        let interval = self.lookup_interval.unwrap_or(LOOKUP_INTERVAL_DEFAULT);
        let lookup = Lookup::new(&target, interval);
        let link = Link { target, lookup, resolve: self.resolve, socket: None };
        let (time, stats) = (self.time, StatsHandle::default());
        Ok(AsyncStatsdReporter { readings, engine, link, time, stats })
    }
}

impl AsyncStatsdReporter {
    /// Returns what was sent so far, for as long as anybody wants to know.
    #[must_use]
    pub fn stats(&self) -> StatsHandle {
        self.stats.clone()
    }

    /// Sends one report.
    ///
    /// # Errors
    ///
    /// As [`StatsdReporter::report`](super::StatsdReporter::report).
    pub async fn report(&mut self) -> Result<(), StatsdError> {
        let Self { readings, engine, link, time, stats } = self;
        let too_long = engine.render(&**readings);
        stats.change(|stats| stats.lines_too_long = stats.lines_too_long.saturating_add(too_long));
        let len = engine.batch().len();
        if let Err(error) = link.ready(time.monotonic(), stats).await {
            stats.dropped(len, engine.batch().bytes_from(0));
            return Err(error);
        }
        let mut result = Ok(());
        for i in 0..len {
            let payload = engine.batch().payload(i);
            match link.send(payload, stats).await {
                Ok(()) => {
                    stats.sent(payload.len());
                    engine.commit(i);
                }
                Err(error @ StatsdError::Send(_)) => {
                    stats.dropped(1, payload.len());
                    result = Err(error);
                }
                Err(error) => {
                    stats.dropped(len - i, engine.batch().bytes_from(i));
                    return Err(error);
                }
            }
        }
        result
    }
}

impl AsyncReporter for AsyncStatsdReporter {
    type Error = StatsdError;

    async fn report(&mut self, _uptime_us: u64) -> Result<(), StatsdError> {
        Self::report(self).await
    }
}

impl Link {
    async fn ready(&mut self, now: Duration, stats: &StatsHandle) -> Result<(), StatsdError> {
        match &self.target {
            Target::Udp(_) => self.ready_udp(now, stats).await,
            #[cfg(unix)]
            _ if self.socket.is_some() => Ok(()),
            #[cfg(unix)]
            Target::Unix(path) => {
                let socket = tokio::net::UnixDatagram::unbound();
                let socket = socket.and_then(|socket| socket.connect(path).map(|()| socket));
                self.socket = Some(Socket::Unix(socket.map_err(StatsdError::Connect)?));
                Ok(())
            }
            #[cfg(unix)]
            Target::UnixStream(path) => {
                let stream = within(tokio::net::UnixStream::connect(path)).await;
                self.socket = Some(Socket::Stream(stream.map_err(StatsdError::Connect)?));
                Ok(())
            }
            #[cfg(not(unix))]
            _ => Err(StatsdError::Connect(ErrorKind::Unsupported.into())),
        }
    }

    async fn ready_udp(&mut self, now: Duration, stats: &StatsHandle) -> Result<(), StatsdError> {
        let current = match &self.socket {
            Some(Socket::Udp(_, address)) => Some(*address),
            _ => None,
        };
        let wanted = match (self.lookup.literal(), current) {
            (Some(address), _) => address,
            (None, Some(current)) if !self.lookup.is_due(now) => current,
            (None, current) => {
                self.lookup.done(now);
                let found = self.look_up().await;
                let nothing = || ErrorKind::NotFound.into();
                match (found.and_then(|all| choose(&all, current).ok_or_else(nothing)), current) {
                    (Ok(address), _) => address,
                    // The server may be where it was, though its name is not to be had.
                    (Err(_), Some(current)) => {
                        stats.lookup_failed();
                        current
                    }
                    (Err(error), None) => {
                        stats.lookup_failed();
                        return Err(StatsdError::Lookup(error));
                    }
                }
            }
        };
        if current == Some(wanted) {
            return Ok(());
        }
        let socket = UdpSocket::bind(any_port(wanted)).await.map_err(StatsdError::Connect)?;
        socket.connect(wanted).await.map_err(StatsdError::Connect)?;
        self.socket = Some(Socket::Udp(socket, wanted));
        Ok(())
    }

    async fn look_up(&mut self) -> io::Result<Vec<SocketAddr>> {
        match &mut self.resolve {
            Some(resolve) => resolve(&self.lookup.name),
            None => {
                let found = tokio::net::lookup_host(self.lookup.name.as_str());
                within(found).await.map(Iterator::collect)
            }
        }
    }

    /// Sends a datagram. After an error nothing of it was sent, or of a stream not all.
    async fn send(&mut self, payload: &[u8], stats: &StatsHandle) -> Result<(), StatsdError> {
        let result = match self.send_once(payload, stats).await {
            Err(error) if error.kind() != ErrorKind::TimedOut && !self.is_udp() => {
                // The server was started again, with a socket of the same name.
                self.socket = None;
                self.ready(Duration::ZERO, stats).await?;
                self.send_once(payload, stats).await
            }
            result => result,
        };
        result.map_err(|error| {
            if error.kind() == ErrorKind::TimedOut {
                if !self.is_datagram() {
                    // A frame may have been cut: the connection is of no more use.
                    self.socket = None;
                }
                return StatsdError::Busy;
            }
            if !self.is_udp() {
                self.socket = None;
            }
            self.lookup.again();
            StatsdError::Send(error)
        })
    }

    const fn is_udp(&self) -> bool {
        matches!(self.target, Target::Udp(_))
    }

    const fn is_datagram(&self) -> bool {
        matches!(self.target, Target::Udp(_) | Target::Unix(_))
    }

    async fn send_once(&mut self, payload: &[u8], stats: &StatsHandle) -> io::Result<()> {
        match &mut self.socket {
            Some(Socket::Udp(socket, _)) => {
                let mut tries = 0;
                loop {
                    tries += 1;
                    match within(socket.send(payload)).await {
                        // About a datagram that was sent before; this one is not sent yet.
                        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                            stats.refused();
                            if tries == TRIES_MAX {
                                return Err(error);
                            }
                        }
                        result => return result.map(drop),
                    }
                }
            }
            #[cfg(unix)]
            Some(Socket::Unix(socket)) => within(socket.send(payload)).await.map(drop),
            #[cfg(unix)]
            Some(Socket::Stream(stream)) => {
                use tokio::io::AsyncWriteExt as _;
                within(stream.write_all(&super::stream::frame(payload)?)).await
            }
            None => Err(ErrorKind::NotConnected.into()),
        }
    }
}

/// Waits, but not for ever.
async fn within<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

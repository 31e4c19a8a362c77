//! Sockets that never wait.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::time::Duration;

use super::lookup::{Lookup, any_port, choose};
use super::stats::StatsHandle;
use super::target::Target;
use super::{LOOKUP_INTERVAL_DEFAULT, StatsdError};

/// How often a datagram is tried, when the system first reports refusals of earlier ones.
const TRIES_MAX: usize = 4;

/// What looks names up.
pub(super) type Resolve = Box<dyn FnMut(&str) -> io::Result<Vec<SocketAddr>> + Send>;

/// A connection to the server, made when it is needed.
pub(super) struct Link {
    target: Target,
    lookup: Lookup,
    resolve: Resolve,
    socket: Option<Socket>,
}

enum Socket {
    Udp(UdpSocket, SocketAddr),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixDatagram),
    #[cfg(unix)]
    Stream(super::stream::FrameStream),
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn new(
        target: Target,
        interval: Option<Duration>,
        resolve: Option<Resolve>,
    ) -> Self {
        let lookup = Lookup::new(&target, interval.unwrap_or(LOOKUP_INTERVAL_DEFAULT));
        let system = |name: &str| name.to_socket_addrs().map(Iterator::collect);
        let resolve = resolve.unwrap_or_else(|| Box::new(system));
        Self { target, lookup, resolve, socket: None }
    }

    /// Makes the connection, or sees whether the server has moved.
    pub(super) fn ready(&mut self, now: Duration, stats: &StatsHandle) -> Result<(), StatsdError> {
        match &self.target {
            Target::Udp(_) => self.ready_udp(now, stats),
            #[cfg(unix)]
            _ if self.socket.is_some() => Ok(()),
            #[cfg(unix)]
            Target::Unix(path) => {
                let socket = std::os::unix::net::UnixDatagram::unbound();
                let connect = |socket: &std::os::unix::net::UnixDatagram| {
                    socket.set_nonblocking(true)?;
                    socket.connect(path)
                };
                let socket = socket.and_then(|socket| connect(&socket).map(|()| socket));
                self.socket = Some(Socket::Unix(socket.map_err(StatsdError::Connect)?));
                Ok(())
            }
            #[cfg(unix)]
            Target::UnixStream(path) => {
                let stream = super::stream::FrameStream::connect(path);
                self.socket = Some(Socket::Stream(stream.map_err(StatsdError::Connect)?));
                Ok(())
            }
            #[cfg(not(unix))]
            _ => Err(StatsdError::Connect(ErrorKind::Unsupported.into())),
        }
    }

    fn ready_udp(&mut self, now: Duration, stats: &StatsHandle) -> Result<(), StatsdError> {
        let current = match &self.socket {
            Some(Socket::Udp(_, address)) => Some(*address),
            _ => None,
        };
        let wanted = match (self.lookup.literal(), current) {
            (Some(address), _) => address,
            (None, Some(current)) if !self.lookup.is_due(now) => current,
            (None, current) => {
                self.lookup.done(now);
                let found = (self.resolve)(&self.lookup.name);
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
        let connect = || {
            let socket = UdpSocket::bind(any_port(wanted))?;
            socket.set_nonblocking(true)?;
            socket.connect(wanted)?;
            Ok(socket)
        };
        self.socket = Some(Socket::Udp(connect().map_err(StatsdError::Connect)?, wanted));
        Ok(())
    }

    /// Sends a datagram. After an error nothing of it was sent.
    pub(super) fn send(&mut self, payload: &[u8], stats: &StatsHandle) -> Result<(), StatsdError> {
        match self.send_once(payload, stats) {
            Err(error) if is_gone(&error) && !matches!(self.target, Target::Udp(_)) => {
                // The server was started again, with a socket of the same name.
                self.socket = None;
                self.ready(Duration::ZERO, stats)?;
                self.send_once(payload, stats)
            }
            result => result,
        }
        .map_err(|error| {
            if error.kind() == ErrorKind::WouldBlock {
                return StatsdError::Busy;
            }
            if is_gone(&error) {
                self.socket = None;
            }
            self.lookup.again();
            StatsdError::Send(error)
        })
    }

    fn send_once(&mut self, payload: &[u8], stats: &StatsHandle) -> io::Result<()> {
        match &mut self.socket {
            Some(Socket::Udp(socket, _)) => {
                let mut tries = 0;
                loop {
                    tries += 1;
                    match socket.send(payload) {
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
            Some(Socket::Unix(socket)) => socket.send(payload).map(drop),
            #[cfg(unix)]
            Some(Socket::Stream(stream)) => stream.send(payload, stats),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }
}

/// Returns whether the other end of a Unix socket has gone.
fn is_gone(error: &io::Error) -> bool {
    use ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, NotConnected, NotFound,
    };
    matches!(
        error.kind(),
        BrokenPipe
            | ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | NotConnected
            | NotFound
    )
}

//! A Unix stream of payloads, each behind its length.

use std::io::{self, ErrorKind, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use socket2::{Domain, SockAddr, Type};

use super::stats::StatsHandle;

/// A stream that takes whole frames and never waits: what the system did not take of a frame goes
/// out before the next one.
#[derive(Debug)]
pub(super) struct FrameStream {
    stream: UnixStream,
    rest: Vec<u8>,
}

impl FrameStream {
    /// Connects, unless that would have to wait.
    pub(super) fn connect(path: &Path) -> io::Result<Self> {
        let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)?;
        Ok(Self { stream: UnixStream::from(OwnedFd::from(socket)), rest: Vec::new() })
    }

    /// Sends a frame. After an error nothing of it was sent, and if the connection is gone, what
    /// was left of the one before is lost.
    pub(super) fn send(&mut self, payload: &[u8], stats: &StatsHandle) -> io::Result<()> {
        while !self.rest.is_empty() {
            let written = self.write_rest();
            match written {
                Ok(0) => return Err(ErrorKind::BrokenPipe.into()),
                Ok(written) => drop(self.rest.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(error),
                Err(error) => {
                    stats.refused();
                    return Err(error);
                }
            }
        }
        self.rest = frame(payload)?;
        match self.write_rest() {
            Ok(0) => {
                self.rest.clear();
                Err(ErrorKind::BrokenPipe.into())
            }
            Ok(written) => {
                self.rest.drain(..written);
                Ok(())
            }
            Err(error) => {
                self.rest.clear();
                Err(error)
            }
        }
    }

    fn write_rest(&mut self) -> io::Result<usize> {
        loop {
            match self.stream.write(&self.rest) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

/// Returns a payload behind its length.
pub(super) fn frame(payload: &[u8]) -> io::Result<Vec<u8>> {
    let len = u32::try_from(payload.len()).map_err(|_| ErrorKind::InvalidInput)?;
    let mut frame = len.to_le_bytes().to_vec();
    frame.extend_from_slice(payload);
    Ok(frame)
}

//! What goes wrong with StatsD.

use std::{fmt, io};

/// Why there is no reporter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The server is not one of `host:port`, `unix:///path` and `unixstream:///path`.
    Target(String),
    /// The prefix is longer than
    /// [`PREFIX_LEN_MAX`](tapes_core::text::statsd::PREFIX_LEN_MAX) bytes; shorten it.
    Prefix(String),
    /// The dialect has no such thing; choose [`Dialect::DogStatsd`](super::Dialect::DogStatsd).
    Dialect(&'static str),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(text) => {
                write!(f, "{text:?} is none of host:port, unix:///path, unixstream:///path")
            }
            Self::Prefix(prefix) => write!(f, "prefix {prefix:?} is too long"),
            Self::Dialect(what) => write!(f, "only DogStatsD has {what}"),
        }
    }
}

impl std::error::Error for BuildError {}

/// Why something of a report was not sent. Counts that were not sent are part of the next report.
#[derive(Debug)]
#[non_exhaustive]
pub enum StatsdError {
    /// The server's name could not be looked up.
    Lookup(io::Error),
    /// There is no socket, or the server is not there.
    Connect(io::Error),
    /// Datagrams could not be sent.
    Send(io::Error),
    /// The system, or the server behind a Unix socket, takes no more for now.
    Busy,
}

impl fmt::Display for StatsdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup(source) => write!(f, "StatsD server could not be looked up: {source}"),
            Self::Connect(source) => write!(f, "StatsD server could not be reached: {source}"),
            Self::Send(source) => write!(f, "StatsD server could not be sent to: {source}"),
            Self::Busy => f.write_str("StatsD server takes no more for now"),
        }
    }
}

impl std::error::Error for StatsdError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Lookup(source) | Self::Connect(source) | Self::Send(source) => Some(source),
            Self::Busy => None,
        }
    }
}

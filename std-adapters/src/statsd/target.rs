//! Where a StatsD server is.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Longest path of a Unix socket that every system takes, in bytes.
const PATH_LEN_MAX: usize = 103;

/// Where a StatsD server is, and how it is spoken to.
///
/// ```
/// use tapes_std::statsd::Target;
/// let server: Target = "metrics.example:8125".parse()?;
/// assert_eq!(server, Target::Udp("metrics.example:8125".to_owned()));
/// let agent: Target = "unix:///run/datadog/dsd.socket".parse()?;
/// assert_eq!(agent.to_string(), "unix:///run/datadog/dsd.socket");
/// # Ok::<(), tapes_std::statsd::BuildError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Target {
    /// UDP to a host and port: `host:port`.
    Udp(String),
    /// Datagrams to a Unix socket: `unix:///path`.
    Unix(PathBuf),
    /// A Unix stream of payloads, each behind its length in 4 bytes, the lowest first, as agents of
    /// Datadog take it: `unixstream:///path`.
    UnixStream(PathBuf),
}

impl Target {
    /// Returns the address, if no name has to be looked up.
    pub(super) fn literal(&self) -> Option<SocketAddr> {
        match self {
            Self::Udp(address) => address.parse().ok(),
            Self::Unix(_) | Self::UnixStream(_) => None,
        }
    }
}

impl FromStr for Target {
    type Err = super::BuildError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || super::BuildError::Target(text.to_owned());
        let path = |path: &str| {
            let fits = Path::new(path).is_absolute() && path.len() <= PATH_LEN_MAX;
            if fits { Ok(PathBuf::from(path)) } else { Err(wrong()) }
        };
        if let Some(rest) = text.strip_prefix("unix://") {
            return path(rest).map(Self::Unix);
        }
        if let Some(rest) = text.strip_prefix("unixstream://") {
            return path(rest).map(Self::UnixStream);
        }
        let address = text.strip_prefix("udp://").unwrap_or(text);
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
        let is_host = !host.is_empty() && !host.contains(['/', ' ']);
        // A bare IPv6 address has colons of its own.
        let is_clear = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
        if is_port && is_host && is_clear {
            Ok(Self::Udp(address.to_owned()))
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::UnixStream(path) => write!(f, "unixstream://{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    /// A mistyped server must be named before the first report, not lost with it.
    #[test]
    fn targets_are_read() {
        for (text, expected) in [
            ("localhost:8125", Some("localhost:8125")),
            ("udp://10.0.0.1:8125", Some("10.0.0.1:8125")),
            ("[::1]:8125", Some("[::1]:8125")),
            ("unix:///run/a.sock", Some("unix:///run/a.sock")),
            ("unixstream:///run/a.sock", Some("unixstream:///run/a.sock")),
            ("localhost", None),
            ("localhost:0", None),
            ("localhost:70000", None),
            (":8125", None),
            ("::1:8125", None),
            ("http://host:80", None),
            ("unix://relative", None),
            (&format!("unix:///{}", "x".repeat(103)), None),
        ] {
            let target = text.parse::<Target>().ok().map(|target| target.to_string());
            assert_eq!(target.as_deref(), expected, "{text}");
        }
    }
}

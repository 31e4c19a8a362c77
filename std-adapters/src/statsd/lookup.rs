//! When to look the server's name up, and whether it has moved.

use std::net::SocketAddr;
use std::time::Duration;

use super::target::Target;

/// The address of a UDP server, looked up again from time to time: collectors move.
#[derive(Debug)]
pub(super) struct Lookup {
    /// `host:port`.
    pub(super) name: String,
    /// The address, if it is no name.
    literal: Option<SocketAddr>,
    interval: Duration,
    /// When it was looked up last; `None` if it is to be looked up now.
    last: Option<Duration>,
}

impl Lookup {
    pub(super) fn new(target: &Target, interval: Duration) -> Self {
        Self { name: target.to_string(), literal: target.literal(), interval, last: None }
    }

    /// Returns the address, if none has to be looked up.
    pub(super) const fn literal(&self) -> Option<SocketAddr> {
        self.literal
    }

    /// Returns whether it is time to look the name up.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.last.is_none_or(|last| now.saturating_sub(last) >= self.interval)
    }

    /// Notes that the name was looked up, or was tried to be.
    pub(super) fn done(&mut self, now: Duration) {
        self.last = Some(now);
    }

    /// Has the name looked up with the next report.
    pub(super) fn again(&mut self) {
        self.last = None;
    }
}

/// Returns the address to use: the one in use if the name still stands for it, else the first; of
/// both kinds, one of IPv4, where most servers listen: `localhost` is often `::1` first.
pub(super) fn choose(found: &[SocketAddr], current: Option<SocketAddr>) -> Option<SocketAddr> {
    let first = || found.iter().find(|address| address.is_ipv4()).or_else(|| found.first());
    current.filter(|current| found.contains(current)).or_else(|| first().copied())
}

/// Returns the address that sends to `server` from any port.
pub(super) const fn any_port(server: SocketAddr) -> SocketAddr {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    let any = match server {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(any, 0)
}

#[cfg(test)]
mod tests {
    use super::choose;

    /// A collector that has not moved must not be left, nor one that has moved be kept.
    #[test]
    fn the_address_is_kept_while_the_name_stands_for_it() {
        let address = |text: &str| text.parse().unwrap();
        let (v6, a, b) = (address("[::1]:1"), address("127.0.0.1:1"), address("127.0.0.2:1"));
        for (found, current, expected) in [
            (&[][..], Some(a), None),
            (&[v6], None, Some(v6)),
            (&[v6, a, b], None, Some(a)),
            (&[v6, a, b], Some(b), Some(b)),
            (&[v6, a, b], Some(v6), Some(v6)),
            (&[b], Some(a), Some(b)),
        ] {
            assert_eq!(choose(found, current), expected, "{found:?} {current:?}");
        }
    }
}

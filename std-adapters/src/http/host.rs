//! The `Host` allow-list: who this server answers to.

use std::net::IpAddr;

/// The names under which a server may be addressed.
///
/// A web page elsewhere can make its own name point here (DNS rebinding) and read what a browser
/// lets it read. It cannot do so with `localhost` or an IP address, so those are always allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts {
    names: Vec<String>,
}

impl Hosts {
    /// Returns a list with no further names.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a name, without port; upper and lower case are the same.
    pub fn allow(&mut self, name: &str) {
        self.names.push(name.trim_end_matches('.').to_ascii_lowercase());
    }

    /// Returns whether a `Host` header or an authority, with or without a port, is allowed.
    #[must_use]
    pub fn allows(&self, host: &str) -> bool {
        let Some(name) = without_port(host.trim()) else { return false };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        name == "localhost"
            || address.unwrap_or(&name).parse::<IpAddr>().is_ok()
            || self.names.contains(&name)
    }
}

/// Returns the name of `name:port` or `[address]:port`; `None` if the port is none.
fn without_port(host: &str) -> Option<&str> {
    let end = host.rfind(']').map_or(0, |at| at + 1);
    let (head, tail) = host.split_at_checked(end)?;
    match tail.split_once(':') {
        None => Some(host),
        Some((name, port)) => {
            let is_port = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
            is_port.then_some(if head.is_empty() { name } else { head })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Hosts;

    /// A name that slips through lets any web page read the metrics of a visitor's network.
    #[test]
    fn names_are_refused_unless_allowed() {
        let mut hosts = Hosts::new();
        hosts.allow("Gateway.lan");
        for (host, expected) in [
            ("localhost", true),
            ("LOCALHOST:9100", true),
            ("localhost.", true),
            ("127.0.0.1", true),
            ("127.0.0.1:9100", true),
            ("192.168.7.2:80", true),
            ("[::1]", true),
            ("[::1]:9100", true),
            ("gateway.lan:9100", true),
            ("evil.example", false),
            ("evil.example:9100", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("evil.gateway.lan", false),
            ("localhost:evil", false),
            ("localhost:80@evil.example", false),
            ("", false),
            (":80", false),
            ("[::1", false),
            ("[::1]x:80", true),
        ] {
            // `[::1]x` cannot be a name anywhere, so what it is taken for does no harm.
            assert_eq!(hosts.allows(host), expected, "{host:?}");
        }
    }
}

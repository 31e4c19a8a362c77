//! Addresses on the command line.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};

/// Reads `PORT`, `:PORT`, `ADDRESS:PORT` or `NAME:PORT`; a port alone is one of loopback.
pub(crate) fn parse(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse::<u16>() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    let mut addresses = text
        .to_socket_addrs()
        .map_err(|error| format!("{error}; give ADDRESS:PORT such as 127.0.0.1:9100"))?;
    addresses.next().ok_or_else(|| "the name has no address".to_owned())
}

#[cfg(test)]
mod tests {
    use super::parse;

    /// A port alone that meant all interfaces would show the metrics to everybody.
    #[test]
    fn a_port_alone_is_loopback() {
        for (text, expected) in [
            ("9100", Some("127.0.0.1:9100")),
            (":0", Some("127.0.0.1:0")),
            ("0.0.0.0:9100", Some("0.0.0.0:9100")),
            ("[::1]:80", Some("[::1]:80")),
            ("127.0.0.1", None),
            ("", None),
            ("70000", None),
        ] {
            assert_eq!(parse(text).ok().map(|a| a.to_string()).as_deref(), expected, "{text}");
        }
    }
}

//! Where a broker is, and as whom to connect.

use std::fmt;
use std::time::Duration;

use rumqttc::v5::MqttOptions;

use super::MESSAGE_LEN_MAX;
use super::topic::is_level;

/// First level of all topics, unless told otherwise.
const PREFIX: &str = "tapes";

/// Ports of brokers.
const PORT: u16 = 1_883;

/// Silence after which both sides make sure that the other is there. A broker gives up on a client
/// after one and a half of it.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Seconds for which a broker keeps what was published for a subscriber that is away.
const SESSION_EXPIRY_S: u32 = 3_600;

/// Messages under way that are not acknowledged.
pub(super) const INFLIGHT: u16 = 64;

/// A broker, and as whom to connect.
#[derive(Clone, PartialEq, Eq)]
pub struct Broker {
    host: String,
    port: u16,
    prefix: String,
    credentials: Option<(String, String)>,
    keep_alive: Duration,
}

/// Why something is no broker's URL, or no client's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrokerError {
    /// It is not `mqtt://HOST[:PORT][/PREFIX]`.
    Url,
    /// A password in it could be read by others on this machine: put it into a file.
    Password,
    /// A client's name, like the prefix, has 1 to 64 letters, digits, `-`, `_` and `.`.
    Client,
}

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Url => "give mqtt://HOST[:PORT][/PREFIX]",
            Self::Password => "no name and password in the URL, where others can read them",
            Self::Client => "a client has a name of 1 to 64 letters, digits, - _ and .",
        })
    }
}

impl std::error::Error for BrokerError {}

impl Broker {
    /// Reads `mqtt://HOST[:PORT][/PREFIX]`: port 1883 and prefix `tapes` unless it says otherwise.
    ///
    /// # Errors
    ///
    /// [`BrokerError`].
    ///
    /// ```
    /// use tapes_std::mqtt::{Broker, BrokerError};
    ///
    /// assert!(Broker::parse("mqtt://broker.example:1884/plant-2").is_ok());
    /// assert_eq!(Broker::parse("mqtt://ann:s3cret@broker"), Err(BrokerError::Password));
    /// assert_eq!(Broker::parse("http://broker"), Err(BrokerError::Url));
    /// ```
    pub fn parse(url: &str) -> Result<Self, BrokerError> {
        let rest = url.strip_prefix("mqtt://").ok_or(BrokerError::Url)?;
        let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(BrokerError::Password);
        }
        // Colons of an IPv6 address are in brackets.
        let end = authority.rfind(']').map_or(0, |end| end + 1);
        let (host, port) = match authority[end..].find(':') {
            Some(colon) => {
                let (host, port) = authority.split_at(end + colon);
                (host, port[1..].parse().map_err(|_| BrokerError::Url)?)
            }
            None => (authority, PORT),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let prefix = if prefix.is_empty() { PREFIX } else { prefix };
        let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if host.is_empty() || !host.chars().all(is_host) || !is_level(prefix) {
            return Err(BrokerError::Url);
        }
        let (host, prefix) = (host.to_owned(), prefix.to_owned());
        Ok(Self { host, port, prefix, credentials: None, keep_alive: KEEP_ALIVE })
    }

    /// Shows the broker a name and a password.
    ///
    /// Defaults to none.
    #[must_use]
    pub fn with_credentials(mut self, name: &str, password: &str) -> Self {
        self.credentials = Some((name.to_owned(), password.to_owned()));
        self
    }

    /// Sets the silence after which both sides make sure that the other is there; 5 seconds at
    /// least. A broker takes a client for gone after one and a half of it.
    ///
    /// Defaults to 20 seconds.
    #[must_use]
    pub fn with_keep_alive(mut self, silence: Duration) -> Self {
        self.keep_alive = silence.max(Duration::from_secs(5));
        self
    }

    /// Returns whether the broker is on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let is_loopback = |address: std::net::IpAddr| address.is_loopback();
        self.host == "localhost" || self.host.parse().is_ok_and(is_loopback)
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns what the client library connects with.
    pub(super) fn options(&self, client: &str) -> MqttOptions {
        let mut options = MqttOptions::new(client, &self.host, self.port);
        options.set_keep_alive(self.keep_alive);
        options.set_max_packet_size(Some(MESSAGE_LEN_MAX));
        options.set_receive_maximum(Some(INFLIGHT));
        options.set_outgoing_inflight_upper_limit(INFLIGHT);
        options.set_session_expiry_interval(Some(SESSION_EXPIRY_S));
        options.set_request_channel_capacity(usize::from(INFLIGHT));
        if let Some((name, password)) = &self.credentials {
            options.set_credentials(name, password);
        }
        options
    }
}

/// Without the password.
impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, prefix, .. } = self;
        if host.contains(':') {
            write!(f, "mqtt://[{host}]:{port}/{prefix}")
        } else {
            write!(f, "mqtt://{host}:{port}/{prefix}")
        }
    }
}

/// Without the password.
impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Broker({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::{Broker, BrokerError};

    /// A part of a URL that is taken for another one publishes to somebody else.
    #[test]
    fn urls_are_taken_apart_or_refused() {
        for (url, expected) in [
            ("mqtt://broker", Ok("mqtt://broker:1883/tapes")),
            ("mqtt://127.0.0.1:1884", Ok("mqtt://127.0.0.1:1884/tapes")),
            ("mqtt://[::1]", Ok("mqtt://[::1]:1883/tapes")),
            ("mqtt://[::1]:7/plant", Ok("mqtt://[::1]:7/plant")),
            ("mqtt://broker/", Ok("mqtt://broker:1883/tapes")),
            ("mqtt://", Err(BrokerError::Url)),
            ("mqtt://:1883", Err(BrokerError::Url)),
            ("mqtt://broker:", Err(BrokerError::Url)),
            ("mqtt://broker:65536", Err(BrokerError::Url)),
            ("mqtt://broker/a/b", Err(BrokerError::Url)),
            ("mqtt://broker/+", Err(BrokerError::Url)),
            ("mqtt://broker?x", Err(BrokerError::Url)),
            ("mqtts://broker", Err(BrokerError::Url)),
            ("mqtt://name@broker", Err(BrokerError::Password)),
        ] {
            let parsed = Broker::parse(url).map(|broker| broker.to_string());
            assert_eq!(parsed.as_deref().map_err(|error| *error), expected, "{url}");
        }
        let broker = Broker::parse("mqtt://broker").unwrap().with_credentials("ann", "s3cret");
        assert!(!format!("{broker:?} {broker}").contains("s3cret"));
    }
}

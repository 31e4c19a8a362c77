//! Where a socket is bound or connected: ipc and tcp, and what is safe to use in the clear.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Longest path of an ipc endpoint, in bytes: what the system has room for.
const IPC_LEN_MAX: usize = 107;

/// Address of a ZeroMQ socket: `ipc:///run/app/metrics` or `tcp://127.0.0.1:7081`.
///
/// ```
/// use tapes_std::zmq::Endpoint;
///
/// let endpoint: Endpoint = "tcp://[::1]:7081".parse()?;
/// assert!(endpoint.is_local());
/// assert_eq!(endpoint.to_string(), "tcp://[::1]:7081");
/// assert!("tcp://0.0.0.0:7081".parse::<Endpoint>()?.is_local() == false);
/// assert!("udp://127.0.0.1:7081".parse::<Endpoint>().is_err());
/// # Ok::<(), tapes_std::zmq::EndpointError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// A Unix socket at this path.
    Ipc(PathBuf),
    /// A TCP port of an address or name; port 0 takes a free one.
    Tcp {
        /// Address or name; `*` for all addresses.
        host: String,
        /// Port.
        port: u16,
    },
}

/// Why text is no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointError {
    /// It begins with neither `ipc://` nor `tcp://`.
    Scheme,
    /// The path of an ipc endpoint is missing or longer than 107 bytes.
    Path,
    /// Host or port of a tcp endpoint is missing or wrong.
    Address,
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "an endpoint begins with ipc:// or tcp://",
            Self::Path => "an ipc endpoint is ipc:// and a path of 1 to 107 bytes",
            Self::Address => "a tcp endpoint is tcp://HOST:PORT",
        })
    }
}

impl std::error::Error for EndpointError {}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if let Some(path) = text.strip_prefix("ipc://") {
            let is_path = (1..=IPC_LEN_MAX).contains(&path.len()) && !path.contains('\0');
            // A leading @ would be an abstract socket, which every user can reach.
            let is_file = is_path && !path.starts_with('@');
            return if is_file { Ok(Self::Ipc(path.into())) } else { Err(EndpointError::Path) };
        }
        let address = text.strip_prefix("tcp://").ok_or(EndpointError::Scheme)?;
        let (host, port) = address.rsplit_once(':').ok_or(EndpointError::Address)?;
        let port = if port == "*" { Ok(0) } else { port.parse() };
        let port = port.map_err(|_| EndpointError::Address)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = |c: char| c.is_ascii_alphanumeric() || "-._*".contains(c);
        let is_valid = match bare {
            Some(bare) => bare.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(is_host),
        };
        if !is_valid {
            return Err(EndpointError::Address);
        }
        Ok(Self::Tcp { host: host.to_owned(), port })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipc(path) => write!(f, "ipc://{}", path.display()),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

impl Endpoint {
    /// Returns whether only this machine can be at the other end: ipc, or tcp on a loopback
    /// address. A name other than `localhost` counts as elsewhere, whatever it resolves to.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Ipc(_) => true,
            Self::Tcp { host, .. } => {
                let bare = host.trim_start_matches('[').trim_end_matches(']');
                host == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
            }
        }
    }

    /// Makes the way free for binding: makes the directory of an ipc socket, and removes a socket
    /// file that nobody listens at any more.
    pub(super) fn prepare(&self) -> Result<(), String> {
        match self {
            Self::Ipc(path) => prepare(path),
            Self::Tcp { .. } => Ok(()),
        }
    }
}

#[cfg(unix)]
fn prepare(path: &Path) -> Result<(), String> {
    use std::fs;
    use std::io::ErrorKind;
    use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
    use std::os::unix::net::UnixStream;

    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let shown = directory.display();
    match fs::metadata(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
            made.map_err(|error| format!("cannot make {shown}: {error}"))?;
        }
        Err(error) => return Err(format!("cannot use {shown}: {error}")),
        Ok(known) if known.permissions().mode() & 0o022 != 0 => {
            return Err(format!(
                "others can write to {shown}; take a directory of your own, or chmod go-w"
            ));
        }
        Ok(_) => {}
    }
    let shown = path.display();
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("cannot use {shown}: {error}")),
        Ok(known) if !known.file_type().is_socket() => Err(format!("{shown} is no socket")),
        Ok(_) if UnixStream::connect(path).is_ok() => Err(format!("{shown} is in use")),
        Ok(_) => fs::remove_file(path).map_err(|error| format!("cannot remove {shown}: {error}")),
    }
}

#[cfg(not(unix))]
fn prepare(_: &Path) -> Result<(), String> {
    Err("ipc endpoints need Unix sockets".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, EndpointError};

    /// If this fails, metrics go over a network in the clear without being told to.
    #[test]
    fn only_loopback_and_sockets_are_local() {
        for (text, expected) in [
            ("ipc:///run/x", Ok(true)),
            ("tcp://127.0.0.1:1", Ok(true)),
            ("tcp://127.9.9.9:*", Ok(true)),
            ("tcp://localhost:1", Ok(true)),
            ("tcp://[::1]:1", Ok(true)),
            ("tcp://*:1", Ok(false)),
            ("tcp://0.0.0.0:1", Ok(false)),
            ("tcp://[::]:1", Ok(false)),
            ("tcp://localhost.example:1", Ok(false)),
            ("tcp://10.0.0.1:1", Ok(false)),
            ("ipc://@abstract", Err(EndpointError::Path)),
            ("ipc://", Err(EndpointError::Path)),
            ("tcp://127.0.0.1", Err(EndpointError::Address)),
            ("tcp://:1", Err(EndpointError::Address)),
            ("tcp://a b:1", Err(EndpointError::Address)),
            ("tcp://127.0.0.1:70000", Err(EndpointError::Address)),
            ("inproc://x", Err(EndpointError::Scheme)),
        ] {
            let endpoint = text.parse::<Endpoint>();
            assert_eq!(endpoint.map(|endpoint| endpoint.is_local()), expected, "{text}");
        }
        let long = format!("ipc:///{}", "x".repeat(107));
        assert_eq!(long.parse::<Endpoint>(), Err(EndpointError::Path));
    }

    /// If this fails, a killed aggregator cannot be started again, or one that runs is cut off.
    #[test]
    #[cfg(unix)]
    fn stale_sockets_are_removed_and_others_are_not() {
        use std::os::unix::fs::PermissionsExt;
        use std::os::unix::net::UnixListener;

        let root = std::env::temp_dir().join(format!("tapes-endpoint-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        let path = root.join("own/socket");
        let endpoint = Endpoint::Ipc(path.clone());
        assert_eq!(endpoint.prepare(), Ok(()));
        let mode = std::fs::metadata(root.join("own")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let listener = UnixListener::bind(&path).unwrap();
        assert!(endpoint.prepare().unwrap_err().ends_with("in use"));
        drop(listener);
        assert_eq!(endpoint.prepare(), Ok(()));
        assert!(!path.exists());
        std::fs::write(&path, "precious").unwrap();
        assert!(endpoint.prepare().unwrap_err().ends_with("is no socket"));
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(root.join("own"), open).unwrap();
        assert!(endpoint.prepare().unwrap_err().starts_with("others can write"));
        std::fs::remove_dir_all(root).unwrap();
    }
}

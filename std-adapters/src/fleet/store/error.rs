//! Why a state cannot be used, each with the way to go on.

use std::fmt;
use std::io;

/// Bytes that are no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// Why a state cannot be opened or saved.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process uses the directory.
    Locked {
        /// The directory.
        path: String,
    },
    /// A file of the directory is a link or no file at all, or the directory is open to others.
    Unsafe {
        /// The file or directory.
        path: String,
        /// What is wrong with it, and the remedy.
        reason: &'static str,
    },
    /// The file is damaged; nothing was changed.
    Damaged {
        /// The file.
        path: String,
        /// Where the first damage was found, in bytes.
        at: u64,
    },
    /// A later version wrote the file.
    Newer {
        /// The file.
        path: String,
        /// Version of its format.
        version: u32,
    },
    /// The file was written on another machine.
    OtherMachine {
        /// The file.
        path: String,
    },
    /// The system refused.
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: String,
        /// Why not.
        source: io::Error,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { path } => write!(
                f,
                "the state in {path} is in use by another process; end that one, or give this one \
                 a directory of its own"
            ),
            Self::Unsafe { path, reason } => write!(f, "the state in {path} is not used: {reason}"),
            Self::Damaged { path, at } => write!(
                f,
                "the state in {path} is damaged at byte {at}; nothing was changed. To go on, put \
                 back a copy of the file, or start once with --state-salvage, which keeps what is \
                 before the damage and sets the damaged file aside, or move the file away, which \
                 begins all totals anew"
            ),
            Self::Newer { path, version } => write!(
                f,
                "the state in {path} has version {version}, which is of a later release; use that \
                 release, or another directory"
            ),
            Self::OtherMachine { path } => write!(
                f,
                "the state in {path} was written on another machine, and two gateways with one \
                 state would be taken for one; if it moved here for good, start once with \
                 --state-moved, else use another directory"
            ),
            Self::Io { action, path, source } => {
                let remedy = match source.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        "; free some space on that disk"
                    }
                    io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                        "; the directory must be writable by this user"
                    }
                    _ => "",
                };
                write!(f, "cannot {action} {path}: {source}{remedy}")
            }
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

//! What servers and streams show: one interface, wherever the numbers come from.

use std::fmt;

pub use tapes_core::text::prometheus::Format;

/// Something that can be shown as a Prometheus exposition and as a JSON tree.
pub trait Exposition: Send + Sync + fmt::Debug {
    /// Appends all metrics in a text format that Prometheus reads.
    ///
    /// # Errors
    ///
    /// [`fmt::Error`] if they cannot be written; what was appended is of no use then.
    fn metrics(&self, format: Format, out: &mut String) -> fmt::Result;

    /// Appends the part of the JSON tree below `path`, all of it for an empty path. Returns whether
    /// there is such a part; nothing is appended if not.
    ///
    /// # Errors
    ///
    /// [`fmt::Error`] if it cannot be written; what was appended is of no use then.
    fn stats(&self, path: &[&str], out: &mut String) -> Result<bool, fmt::Error>;
}

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

    /// Appends counters and histograms added up over all devices. Returns whether there are such
    /// sums; nothing is appended if not, as by default.
    ///
    /// # Errors
    ///
    /// [`fmt::Error`] if they cannot be written; what was appended is of no use then.
    fn merged(&self, format: Format, out: &mut String) -> Result<bool, fmt::Error> {
        let _ = (format, out);
        Ok(false)
    }

    /// Appends the part of the JSON tree below `path`, all of it for an empty path. Returns whether
    /// there is such a part; nothing is appended if not.
    ///
    /// # Errors
    ///
    /// [`fmt::Error`] if it cannot be written; what was appended is of no use then.
    fn stats(&self, path: &[&str], out: &mut String) -> Result<bool, fmt::Error>;
}

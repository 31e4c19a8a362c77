//! A line: rendered, kept, and told how writing it went.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use tapes_core::text::number::write_scaled;

use super::StreamError;
use crate::clock::TimeSource;
use crate::exposition::Exposition;

/// Renders lines, whoever writes them.
#[derive(Debug)]
pub(super) struct Line {
    exposition: Arc<dyn Exposition>,
    /// Of timestamps.
    time: Option<Arc<dyn TimeSource>>,
    /// Kept for its capacity.
    text: String,
    /// Whether the last line may lack its end.
    is_cut: bool,
}

impl Line {
    pub(super) fn new(exposition: Arc<dyn Exposition>) -> Self {
        Self { exposition, time: None, text: String::new(), is_cut: false }
    }

    pub(super) fn set_time(&mut self, time: Arc<dyn TimeSource>) {
        self.time = Some(time);
    }

    /// Returns the next line, with its line feed.
    pub(super) fn render(&mut self) -> Result<&[u8], StreamError> {
        self.text.clear();
        if self.is_cut {
            self.text.push('\n');
        }
        self.write().map_err(|_| StreamError::Render)?;
        // Until somebody says that it was written.
        self.is_cut = true;
        Ok(self.text.as_bytes())
    }

    fn write(&mut self) -> std::fmt::Result {
        let Some(time) = &self.time else {
            self.exposition.stats(&[], &mut self.text)?;
            return self.text.write_str("\n");
        };
        let since = time.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        self.text.push_str("{\"timestamp\":");
        write_scaled(&mut self.text, millis, 1_000)?;
        self.text.push_str(",\"metrics\":");
        self.exposition.stats(&[], &mut self.text)?;
        self.text.write_str("}\n")
    }

    /// Notes how writing the line ended.
    pub(super) fn written(&mut self, result: io::Result<()>) -> Result<(), StreamError> {
        self.is_cut = result.is_err();
        result.map_err(StreamError::Write)
    }
}

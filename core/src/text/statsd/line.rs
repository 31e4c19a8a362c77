//! A line in a buffer of the caller's.

use core::fmt::{self, Write};

/// A line that is being made; writing fails where it does not fit.
pub(super) struct Line<'b> {
    buffer: &'b mut [u8],
    len: usize,
}

impl<'b> Line<'b> {
    pub(super) fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        core::str::from_utf8(self.buffer.get(..self.len)?).ok()
    }

    /// Writes `text`, `_` for every character that is not allowed.
    pub(super) fn write_clean(&mut self, text: &str, is_allowed: fn(char) -> bool) -> fmt::Result {
        let mut rest = text;
        loop {
            let end = rest.find(|c| !is_allowed(c)).unwrap_or(rest.len());
            let Some((clean, tail)) = rest.split_at_checked(end) else { return Ok(()) };
            self.write_str(clean)?;
            let mut tail = tail.chars();
            if tail.next().is_none() {
                return Ok(());
            }
            self.write_str("_")?;
            rest = tail.as_str();
        }
    }
}

impl Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = self.buffer.get_mut(self.len..).and_then(|free| free.get_mut(..text.len()));
        let Some(free) = free else { return Err(fmt::Error) };
        for (to, from) in free.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        self.len = self.len.saturating_add(text.len());
        Ok(())
    }
}

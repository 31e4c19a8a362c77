//! Short texts that are copied in steps of a fixed size.

use core::fmt::{Error, Result, Write};

use super::output::Sink;

/// Text of up to `N` bytes. What is behind it is of no matter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Padded<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Padded<N> {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    pub(super) const fn clear(&mut self) {
        self.len = 0;
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the text, to be changed in place.
    pub(super) fn as_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }

    /// Returns the text with what is behind it, and its length.
    pub(super) const fn parts(&self) -> (&[u8; N], usize) {
        (&self.bytes, self.len)
    }
}

impl<const N: usize> Write for Padded<N> {
    fn write_str(&mut self, text: &str) -> Result {
        self.push(text.as_bytes())
    }
}

impl<const N: usize> Sink for Padded<N> {
    fn write_padded<const M: usize>(&mut self, text: &Padded<M>) -> Result {
        let (bytes, len) = text.parts();
        self.push(bytes.get(..len).unwrap_or_default())
    }

    fn as_write(&mut self) -> &mut dyn Write {
        self
    }
}

impl<const N: usize> Padded<N> {
    /// Appends a piece of text.
    fn push(&mut self, piece: &[u8]) -> Result {
        let room = self.bytes.get_mut(self.len..).and_then(|room| room.get_mut(..piece.len()));
        room.ok_or(Error)?.copy_from_slice(piece);
        self.len = self.len.wrapping_add(piece.len());
        Ok(())
    }
}

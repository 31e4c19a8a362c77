//! A window of fixed size on a text that is longer.

use core::cell::Cell;
use core::fmt::{Error, Result, Write};

/// Takes the bytes of a text after the first few, until a buffer is full.
///
/// Shared references write too, so that a writer can be muted while an encoder holds it.
#[derive(Debug)]
pub struct Window<'b> {
    bytes: &'b [Cell<u8>],
    /// Bytes in use, of this and of earlier texts; at most `bytes.len()`.
    len: Cell<usize>,
    /// Bytes of this text still to be left out.
    skip: Cell<usize>,
    /// Bytes of this text that were taken.
    taken: Cell<usize>,
    /// Whether what is written is no part of the text.
    muted: Cell<bool>,
}

impl<'b> Window<'b> {
    /// Returns an empty window.
    pub(super) fn new(buffer: &'b mut [u8]) -> Self {
        Self {
            bytes: Cell::from_mut(buffer).as_slice_of_cells(),
            len: Cell::new(0),
            skip: Cell::new(0),
            taken: Cell::new(0),
            muted: Cell::new(false),
        }
    }

    /// Begins a text, of which the first `skip` bytes are left out.
    pub(super) fn skip(&mut self, skip: usize) {
        self.skip.set(skip);
        self.taken.set(0);
        self.muted.set(false);
    }

    /// Sets whether what is written from here on is no part of the text.
    pub(super) fn mute(&self, muted: bool) {
        self.muted.set(muted);
    }

    /// Returns how many bytes of this text were taken.
    pub(super) fn taken(&self) -> usize {
        self.taken.get()
    }

    /// Returns how many bytes are in use.
    pub(super) fn len(&self) -> usize {
        self.len.get()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len.get() >= self.bytes.len()
    }

    /// Takes what fits.
    fn take(&self, text: &str) -> Result {
        if self.muted.get() {
            return Ok(());
        }
        let left_out = self.skip.get().min(text.len());
        self.skip.set(self.skip.get() - left_out);
        let wanted = text.as_bytes().get(left_out..).unwrap_or_default();
        let free = self.bytes.get(self.len.get()..).unwrap_or_default();
        for (to, from) in free.iter().zip(wanted) {
            to.set(*from);
        }
        let taken = free.len().min(wanted.len());
        self.len.set(self.len.get().saturating_add(taken));
        self.taken.set(self.taken.get().saturating_add(taken));
        if taken < wanted.len() { Err(Error) } else { Ok(()) }
    }
}

impl Write for Window<'_> {
    fn write_str(&mut self, text: &str) -> Result {
        self.take(text)
    }
}

impl Write for &Window<'_> {
    fn write_str(&mut self, text: &str) -> Result {
        self.take(text)
    }
}

#[cfg(test)]
mod tests {
    use super::Window;
    use core::fmt::Write as _;
    use std::vec::Vec;

    /// A byte lost or doubled where two chunks meet would go unnoticed in most texts.
    #[test]
    fn windows_cover_a_text_without_gaps() {
        let text = ["abc", "", "defgh", "i"];
        for size in 1..=10 {
            let (mut all, mut skip) = (Vec::new(), 0);
            loop {
                let mut buffer = [0; 10];
                let mut window = Window::new(&mut buffer[..size]);
                window.skip(skip);
                let result = text.iter().try_for_each(|part| window.write_str(part));
                assert_eq!(window.taken(), window.len(), "{size}");
                assert_eq!(window.is_full(), window.len() == size, "{size}");
                skip += window.taken();
                let len = window.len();
                all.extend_from_slice(&buffer[..len]);
                if result.is_ok() {
                    break;
                }
            }
            assert_eq!(all, b"abcdefghi", "{size}");
        }
    }

    /// What is written only to set up an encoder must neither show nor count.
    #[test]
    fn muted() {
        let mut buffer = [0; 4];
        let mut window = Window::new(&mut buffer);
        window.skip(1);
        let mut shared = &window;
        window.mute(true);
        shared.write_str("much too long").unwrap();
        window.mute(false);
        shared.write_str("xyz").unwrap();
        assert_eq!((window.taken(), window.len(), window.is_full()), (2, 2, false));
        assert_eq!(&buffer[..2], b"yz");
    }
}

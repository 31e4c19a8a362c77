//! What an encoder writes to: on hosts pieces are gathered, so that a writer is called once for
//! many of them.

#[cfg(feature = "std")]
pub(super) use self::gathered::Output;
#[cfg(not(feature = "std"))]
pub(super) use self::straight::Output;

/// Takes text that was made before, too.
pub(super) trait Sink: core::fmt::Write {
    /// Writes a piece of text.
    #[cfg(feature = "std")]
    fn write_padded<const N: usize>(
        &mut self,
        text: &super::padded::Padded<N>,
    ) -> core::fmt::Result;

    /// Returns this for those who take any writer.
    fn as_write(&mut self) -> &mut dyn core::fmt::Write;
}

#[cfg(feature = "std")]
mod gathered {
    use core::fmt::{Error, Result, Write};

    use super::super::padded::Padded;
    use super::Sink;
    use crate::text::number::{ShortLine, put_digits};

    /// Bytes that are gathered: some lines.
    const LEN: usize = 2_048;

    /// What is copied whole of texts up to this length, as most are.
    const SHORT: usize = 64;

    /// Gathers what is written until there is no more room, it is [flushed](Self::flush) or dropped.
    pub(crate) struct Output<'w> {
        out: &'w mut dyn Write,
        /// Whole pieces of text, so that it is text up to `len`.
        bytes: [u8; LEN],
        len: usize,
        last: ShortLine,
    }

    impl<'w> Output<'w> {
        pub(crate) fn new(out: &'w mut dyn Write) -> Self {
            Self { out, bytes: [0; LEN], len: 0, last: ShortLine::ZERO }
        }

        /// Returns what takes text.
        pub(crate) const fn sink(&mut self) -> &mut Self {
            self
        }

        /// Hands on what was gathered.
        pub(crate) fn flush(&mut self) -> Result {
            let len = core::mem::take(&mut self.len);
            let gathered = self.bytes.get(..len).unwrap_or_default();
            if gathered.is_empty() {
                return Ok(());
            }
            self.out.write_str(core::str::from_utf8(gathered).map_err(|_| Error)?)
        }

        /// Writes a number and ends the line.
        #[inline]
        pub(crate) fn write_u64_line(&mut self, value: u64) -> Result {
            if self.last.set(value) {
                let (text, len) = self.last.text();
                return self.write_first(&text, len);
            }
            put_digits(&mut |text, len| self.write_first(text, len), value)?;
            self.write_bytes(b"\n")
        }

        #[inline(always)]
        fn room<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
            self.bytes.get_mut(self.len..).and_then(<[u8]>::first_chunk_mut)
        }

        /// Writes the first `len` bytes of text that goes on.
        #[inline(always)]
        pub(crate) fn write_front(&mut self, text: &[u8], len: usize) -> Result {
            match text.first_chunk::<SHORT>() {
                Some(short) if len <= SHORT => self.write_first(short, len),
                _ => self.write_long(text.get(..len).unwrap_or_default()),
            }
        }

        /// As [`write_bytes`](Self::write_bytes), apart from copies of a fixed size, which would be
        /// made one with this.
        #[inline(never)]
        fn write_long(&mut self, text: &[u8]) -> Result {
            self.write_bytes(text)
        }

        #[inline(always)]
        fn write_bytes(&mut self, text: &[u8]) -> Result {
            if self.push(text) { Ok(()) } else { self.write_after_flush(text) }
        }

        /// Writes the first `len` bytes of text. Copies all of it where there is room, which is a
        /// few instructions, other than copying a length that only turns out.
        #[inline(always)]
        fn write_first<const N: usize>(&mut self, text: &[u8; N], len: usize) -> Result {
            let Some(room) = self.room::<N>().filter(|_| len <= N) else {
                return self.write_long(text.get(..len).unwrap_or_default());
            };
            *room = *text;
            self.len = self.len.wrapping_add(len);
            Ok(())
        }

        /// Adds a piece if there is room for it.
        #[inline(always)]
        fn push(&mut self, piece: &[u8]) -> bool {
            let room = self.bytes.get_mut(self.len..).and_then(|room| room.get_mut(..piece.len()));
            let Some(room) = room else { return false };
            room.copy_from_slice(piece);
            self.len = self.len.wrapping_add(piece.len());
            true
        }

        #[cold]
        fn write_after_flush(&mut self, piece: &[u8]) -> Result {
            self.flush()?;
            if self.push(piece) {
                return Ok(());
            }
            self.out.write_str(core::str::from_utf8(piece).map_err(|_| Error)?)
        }
    }

    impl Sink for Output<'_> {
        #[inline(always)]
        fn write_padded<const N: usize>(&mut self, text: &Padded<N>) -> Result {
            let (bytes, len) = text.parts();
            if N <= SHORT { self.write_first(bytes, len) } else { self.write_front(bytes, len) }
        }

        fn as_write(&mut self) -> &mut dyn Write {
            self
        }
    }

    impl Write for Output<'_> {
        #[inline(always)]
        fn write_str(&mut self, text: &str) -> Result {
            self.write_bytes(text.as_bytes())
        }
    }

    impl Drop for Output<'_> {
        fn drop(&mut self) {
            // Who wants to know whether this failed finishes the exposition.
            let _ = self.flush();
        }
    }
}

#[cfg(not(feature = "std"))]
mod straight {
    use core::fmt::{Result, Write};

    use super::Sink;
    use crate::text::number::write_u64;

    /// Writes everything at once: a device has little room to gather it.
    pub(crate) struct Output<'w>(&'w mut dyn Write);

    impl<'w> Output<'w> {
        pub(crate) fn new(out: &'w mut dyn Write) -> Self {
            Self(out)
        }

        pub(crate) fn sink(&mut self) -> &mut dyn Write {
            self.0
        }

        #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "on hosts there is work")]
        pub(crate) fn flush(&mut self) -> Result {
            Ok(())
        }

        pub(crate) fn write_u64_line(&mut self, value: u64) -> Result {
            write_u64(self.0, value)?;
            self.0.write_str("\n")
        }
    }

    impl Sink for dyn Write + '_ {
        fn as_write(&mut self) -> &mut dyn Write {
            self
        }
    }
}

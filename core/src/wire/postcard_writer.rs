//! postcard's encoder over a writer of frames.

use postcard::ser_flavors::Flavor;
use serde::{Serialize, Serializer};

use crate::metric::bytes::Writer;

/// Appends what postcard makes of a value; what does not fit is remembered by the writer.
pub(super) fn append(value: &impl Serialize, out: &mut Writer<'_>) {
    // Structures of numbers and bytes cannot fail to be encoded.
    let _ = postcard::serialize_with_flavor(value, Storage(out));
}

/// A number of any width, which is the same bytes in all: one routine for a whole structure.
pub(super) struct Number(pub(super) u64);

impl Serialize for Number {
    #[inline(never)]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

/// Where the bytes go.
struct Storage<'w, 'b>(&'w mut Writer<'b>);

impl Flavor for Storage<'_, '_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.u8(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.raw(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

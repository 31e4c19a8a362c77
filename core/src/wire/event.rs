//! EVENT: what the sender lost.

use serde::Deserialize;

use crate::metric::bytes::Writer;

/// The body of an EVENT frame: cumulative counts of what went wrong at the sender in this epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Event {
    /// Registrations refused because the registry was full.
    pub registry_full: u32,
    /// Frames that could not be written, and metrics that no frame could hold.
    pub frames_dropped: u32,
    /// Times the sender found its own epoch in use by another.
    pub epoch_collisions: u32,
}

impl Event {
    /// Reads the body; bytes behind the known fields are of a later version and ignored.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        postcard::take_from_bytes(body).ok().map(|(event, _)| event)
    }

    /// Appends the body.
    pub(super) fn write(&self, out: &mut Writer<'_>) {
        out.uvarint32(self.registry_full);
        out.uvarint32(self.frames_dropped);
        out.uvarint32(self.epoch_collisions);
    }
}

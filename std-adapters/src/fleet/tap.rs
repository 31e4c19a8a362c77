//! A tap: sees every frame that readers of byte streams take in.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tapes_core::wire::{Address, Epoch, Frame, Origin};

use super::{Fleet, LinkId};

type Tell = Box<dyn Fn(&Origin, Epoch, &[u8]) + Send + Sync>;

/// Who is told of frames; clones share it.
#[derive(Clone, Default)]
pub(super) struct Tap(Arc<OnceLock<Tell>>);

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tap").field(&self.0.get().is_some()).finish()
    }
}

impl Tap {
    /// Sets who is told; the first one stays.
    #[cfg(feature = "mqtt")]
    pub(super) fn set(&self, tell: impl Fn(&Origin, Epoch, &[u8]) + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(tell));
    }

    /// Tells of a frame that a fleet took in, unless nobody knows yet whose it is.
    pub(super) fn tell(&self, fleet: impl FnOnce() -> Option<(Origin, Epoch)>, frame: &[u8]) {
        if let Some(tell) = self.0.get()
            && let Some((origin, epoch)) = fleet()
        {
            tell(&origin, epoch, frame);
        }
    }
}

impl Fleet {
    /// Returns whose a frame is that came on a link; `None` if nothing has said that yet.
    pub(super) fn sender(&self, link: LinkId, frame: &[u8]) -> Option<(Origin, Epoch)> {
        match Frame::parse(frame).ok()?.header.address {
            Address::Full { origin, epoch } => Some((Origin::new(origin).ok()?, epoch)),
            Address::Short(short) => self.links.get(link)?.bound(short),
            _ => None,
        }
    }

    /// Notes that a device said goodbye, or that who would know says so: it is down until it is
    /// heard again.
    #[cfg(feature = "mqtt")]
    pub(crate) fn leave(&mut self, origin: Origin) {
        let Some(device) = self.devices.get_mut(&origin) else { return };
        device.sessions.values_mut().for_each(|session| session.leave());
    }
}

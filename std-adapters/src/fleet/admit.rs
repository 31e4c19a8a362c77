//! Who may come in: quotas of devices, epochs and links.

use std::sync::Arc;
use std::time::Duration;

use tapes_core::wire::{Epoch, Origin};

use super::Fleet;
use super::epoch::{Applied, Change};
use super::identity::EpochKey;
use super::ingest::Arrival;
use super::link::LinkKind;
use super::refusal::Refusal;
use super::session::Session;
use super::state::Mutation;

/// Where the frames of an epoch go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Open(EpochKey),
    /// Aside, because too many epochs began just now.
    Held(EpochKey),
}

impl Fleet {
    /// Decides whether a frame of this origin and epoch may come in here, and opens the epoch if
    /// it is new.
    pub(super) fn admit(
        &mut self,
        origin: Origin,
        epoch: Epoch,
        arrival: &Arrival<'_>,
    ) -> Result<Place, Refusal> {
        let known = self.state.origin(origin);
        if known.is_none() && self.state.len() >= self.limits.origins {
            return Err(Refusal::OriginsFull);
        }
        let link = self.links.get_mut(arrival.link).ok_or(Refusal::Closed)?;
        if !link.admit(origin, arrival.now, &self.limits) {
            return Err(Refusal::LinkOrigins);
        }
        let key = EpochKey::new(epoch);
        if let Some(part) = known.and_then(|data| data.last_part(key)) {
            self.claim(origin, part, arrival)?;
            return Ok(Place::Open(part));
        }
        if known.is_some_and(|data| data.folded().has(key)) {
            return Err(Refusal::EpochFolded);
        }
        let may_hold = link.kind != LinkKind::Capture;
        let device = self.devices.entry(origin).or_default();
        if may_hold && !device.may_open(arrival.now, self.limits.new_epochs_per_minute) {
            return Ok(Place::Held(key));
        }
        let held = device.held.remove(&key);
        self.open_epoch(origin, key, arrival)?;
        if let Some(slot) = held {
            self.adopt(origin, key, *slot);
        }
        Ok(Place::Open(key))
    }

    /// Makes the link of a frame the one that speaks for its epoch, unless another one does.
    fn claim(
        &mut self,
        origin: Origin,
        key: EpochKey,
        arrival: &Arrival<'_>,
    ) -> Result<(), Refusal> {
        let device = self.devices.entry(origin).or_default();
        let session = device.sessions.entry(key).or_default();
        let silence = session.silence(arrival.now);
        match session.owner {
            Some(owner)
                if owner != arrival.link
                    && self.links.get(owner).is_some()
                    && silence < self.limits.handover =>
            {
                Err(Refusal::OtherLink)
            }
            _ => {
                if session.owner != Some(arrival.link) || session.link_name.is_none() {
                    let name = self.links.get(arrival.link).map(|link| Arc::clone(&link.name));
                    (session.owner, session.link_name) = (Some(arrival.link), name);
                }
                Ok(())
            }
        }
    }

    pub(super) fn open_epoch(
        &mut self,
        origin: Origin,
        key: EpochKey,
        arrival: &Arrival<'_>,
    ) -> Result<(), Refusal> {
        self.make_room(origin, arrival.now);
        // A device has one life after the other: this one began after the ones that were heard.
        let known = self.state.origin(origin).is_some_and(|data| data.is_followed_by(key));
        let applied = self.state.apply(origin, key, Mutation::Open, &self.limits);
        if applied == Applied::Full {
            return Err(Refusal::EpochsFull);
        }
        if known {
            self.is_urgent = true;
            let began = Mutation::Change(Change::Began(true));
            self.state.apply(origin, key, began, &self.limits);
        }
        let device = self.devices.entry(origin).or_default();
        device.opened(arrival.now);
        device.sessions.insert(key, Box::new(Session::owned_by(arrival.link)));
        Ok(())
    }

    /// Folds the quietest epoch of an origin if it is old, or if there is no room for another.
    pub(super) fn make_room(&mut self, origin: Origin, now: Duration) {
        let Some(data) = self.state.origin(origin) else { return };
        let is_full = data.len() >= self.limits.epochs_per_origin;
        let silence =
            if is_full { self.limits.fold_when_full_after } else { self.limits.fold_after };
        let newest = data.newest();
        let Some(device) = self.devices.get_mut(&origin) else { return };
        let Some(key) = device.quietest(newest, now, silence) else { return };
        let applied = self.state.apply(origin, key, Mutation::Fold, &self.limits);
        if applied != Applied::Full {
            device.sessions.remove(&key);
        }
    }
}

//! What the fleet may hold: every collection has a bound, so no sender can exhaust the memory.

use std::time::Duration;

/// Bounds of a fleet's state.
///
/// The defaults suit a gateway with up to a thousand boards; see the table in `docs/fleet.md` for
/// what they cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Devices; a new one beyond this is refused, live ones are never evicted.
    pub origins: usize,
    /// Lives of values of one device that are kept apart; the quietest is folded to make room.
    pub epochs_per_origin: usize,
    /// Metrics of one epoch.
    pub metrics_per_epoch: usize,
    /// Bytes of dictionaries and values of all devices.
    pub bytes: usize,
    /// Bytes of dictionaries and values of one device.
    pub bytes_per_origin: usize,
    /// Folded epochs of one device of which late frames are still recognised.
    pub tombstones_per_origin: usize,
    /// Inputs at the same time.
    pub links: usize,
    /// Different names of inputs whose counts are kept.
    pub link_names: usize,
    /// Devices that speak through one serial line at the same time.
    pub origins_per_serial_link: usize,
    /// Devices that speak through one connection at the same time.
    pub origins_per_socket: usize,
    /// Short epochs of one input that are bound to a device.
    pub short_epochs_per_link: usize,
    /// Short epochs of one input that wait for their HELLO.
    pub unbound_epochs_per_link: usize,
    /// Bytes of an epoch that is not part of the state yet: unbound, held or suspect.
    pub bytes_per_loose_epoch: usize,
    /// New epochs of one device in a minute; further ones are held back.
    pub new_epochs_per_minute: usize,
    /// Epochs of one device held back at the same time.
    pub held_epochs_per_origin: usize,
    /// Silence after which another input may go on with an epoch or a serial line change hands.
    pub handover: Duration,
    /// Silence after which an epoch may be folded although there is room.
    pub fold_after: Duration,
    /// Silence after which an epoch may be folded when there is no room.
    pub fold_when_full_after: Duration,
    /// Silence after which counters and histograms are no longer exported.
    pub forget_after: Duration,
    /// Length of the [windows](crate::recent) of histograms and timers; zero for none.
    pub window: Duration,
    /// Bytes of all windows.
    pub window_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            origins: 1_024,
            epochs_per_origin: 16,
            metrics_per_epoch: 4_096,
            bytes: 256 << 20,
            bytes_per_origin: 4 << 20,
            tombstones_per_origin: 1_024,
            links: 256,
            link_names: 64,
            origins_per_serial_link: 1,
            origins_per_socket: 64,
            short_epochs_per_link: 8,
            unbound_epochs_per_link: 2,
            bytes_per_loose_epoch: 64 << 10,
            new_epochs_per_minute: 10,
            held_epochs_per_origin: 2,
            handover: Duration::from_secs(10),
            fold_after: Duration::from_secs(30 * 24 * 3_600),
            fold_when_full_after: Duration::from_secs(60),
            forget_after: Duration::from_secs(15 * 60),
            window: Duration::from_secs(60),
            window_bytes: 64 << 20,
        }
    }
}

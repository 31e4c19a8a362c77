//! What reporters read: values one by one, of this process or of devices.

use std::fmt;

use tapes_core::metric::{Descriptor, Value};
use tapes_core::rates::RateReading;

use crate::fleet::SharedFleet;

/// One value, as [`Readings`] hands it over.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'r> {
    /// Name of the device that it is from; empty for this process.
    pub device: &'r str,
    /// Name, kind, unit, help and labels.
    pub descriptor: &'r Descriptor<'r>,
    /// Position in its family, 0 for a single metric.
    pub cell: u32,
    /// Value at the time of reading.
    pub value: &'r Value<'r>,
    /// Rates of a meter or timer, where they are known.
    pub rates: Option<RateReading>,
}

impl<'r> Reading<'r> {
    /// Returns all labels: the constant ones, then those of its place in a family.
    pub fn labels(&self) -> impl Iterator<Item = (&'r str, &'r str)> + use<'r> {
        self.descriptor.labels.iter().chain(self.descriptor.dimensions.labels(self.cell))
    }
}

/// Something whose values can be read one by one: a [`Local`](crate::local::Local) source or a
/// [`SharedFleet`].
pub trait Readings: Send + Sync + fmt::Debug {
    /// Calls `visitor` for every value that is current.
    fn read(&self, visitor: &mut dyn FnMut(&Reading<'_>));

    /// Returns whether everything counted here was counted since this process began, so that a
    /// count seen for the first time has grown from 0. Else it may be years old, and have been
    /// reported by somebody before.
    fn begins_at_zero(&self) -> bool;
}

impl Readings for SharedFleet {
    fn read(&self, visitor: &mut dyn FnMut(&Reading<'_>)) {
        let snapshot = self.snapshot();
        for device in &snapshot.devices {
            for series in device.series.iter().filter(|series| series.is_fresh) {
                let (name, rates) = (device.name.as_str(), series.rates);
                series.read(|descriptor, value| {
                    visitor(&Reading { device: name, descriptor, cell: 0, value, rates });
                });
            }
        }
    }

    fn begins_at_zero(&self) -> bool {
        false
    }
}

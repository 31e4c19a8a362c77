//! What may be said about a metric besides its name and kind.

use crate::metric::Unit;

/// What may be said about a metric besides its name and kind.
///
/// ```
/// use tapes_core::{Details, Registry, metric::Unit};
/// static REGISTRY: Registry<4, 4> = Registry::new();
/// static SENT: Details = Details::new().unit(Unit::BYTES).help("Bytes sent.");
/// let sent = REGISTRY.describe(&SENT).counter("radio.sent")?;
/// sent.add(12);
/// # Ok::<(), tapes_core::RegisterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Details {
    pub(super) unit: Unit<'static>,
    pub(super) help: &'static str,
    pub(super) labels: &'static [(&'static str, &'static str)],
}

/// Nothing more is said.
pub(super) static PLAIN: Details = Details::new();

impl Details {
    /// Returns details that say nothing: a plain number without help and labels.
    #[must_use]
    pub const fn new() -> Self {
        Self { unit: Unit::NONE, help: "", labels: &[] }
    }

    /// Sets the unit of a counter, meter or gauge; a histogram has that of its layout.
    #[must_use]
    pub const fn unit(mut self, unit: Unit<'static>) -> Self {
        self.unit = unit;
        self
    }

    /// Sets the help, one sentence for people.
    #[must_use]
    pub const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }

    /// Sets the labels.
    #[must_use]
    pub const fn labels(mut self, labels: &'static [(&'static str, &'static str)]) -> Self {
        self.labels = labels;
        self
    }
}

impl Default for Details {
    fn default() -> Self {
        Self::new()
    }
}

//! Registering metrics that have one handle only.

use super::name::MetricName;
use super::slot::Shape;
use super::view::RegistryView;
use crate::error::RegisterError;
use crate::metric::{Counter, Exclusive, Histogram, Kind, Layout, Meter, Run, Timer, Unit, UpDown};

/// A [`RegistryView`] that registers metrics with one handle each.
///
/// All methods return [`RegisterError::Taken`] if a metric of that name exists, whatever its kind,
/// and what they register cannot be had again.
///
/// ```
/// use tapes_core::{ExclusiveView, RegisterError, Registry};
///
/// static REGISTRY: Registry<2, 2> = Registry::new();
///
/// fn set_up(own: ExclusiveView<'static>) -> Result<(), RegisterError> {
///     let mut level = own.updown("tank.level")?;
///     level.add(-3);
///     let mut marks = own.meter("tank.marks")?;
///     marks.mark_by(2);
///     Ok(())
/// }
/// set_up(REGISTRY.exclusive())?;
/// assert_eq!(set_up(REGISTRY.exclusive()), Err(RegisterError::Taken));
/// # Ok::<(), RegisterError>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ExclusiveView<'r> {
    view: RegistryView<'r>,
}

impl<'r> ExclusiveView<'r> {
    pub(super) const fn new(view: RegistryView<'r>) -> Self {
        Self { view }
    }

    /// Registers a counter.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn counter<'n>(
        &self,
        name: impl Into<MetricName<'n>>,
    ) -> Result<Exclusive<Counter<'r>>, RegisterError> {
        let run = self.register(name.into(), Kind::Counter, None)?;
        Ok(Exclusive::new(Counter::new(run)))
    }

    /// Registers an up/down counter.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn updown<'n>(
        &self,
        name: impl Into<MetricName<'n>>,
    ) -> Result<Exclusive<UpDown<'r>>, RegisterError> {
        let run = self.register(name.into(), Kind::UpDown, None)?;
        Ok(Exclusive::new(UpDown::new(run)))
    }

    /// Registers a meter.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn meter<'n>(
        &self,
        name: impl Into<MetricName<'n>>,
    ) -> Result<Exclusive<Meter<'r>>, RegisterError> {
        let run = self.register(name.into(), Kind::Meter, None)?;
        Ok(Exclusive::new(Meter::new(run)))
    }

    /// Registers a histogram.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn histogram<'n>(
        &self,
        name: impl Into<MetricName<'n>>,
        layout: &'static Layout,
    ) -> Result<Exclusive<Histogram<'r>>, RegisterError> {
        let run = self.register(name.into(), Kind::Histogram(layout.buckets()), Some(layout))?;
        Ok(Exclusive::new(Histogram::new(run, layout)))
    }

    /// Registers a timer; its layout's unit gives the tick rate.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`]; a layout of another tick rate is [`RegisterError::KindMismatch`].
    pub fn timer<'n, const HZ: u32>(
        &self,
        name: impl Into<MetricName<'n>>,
        layout: &'static Layout,
    ) -> Result<Exclusive<Timer<'r, HZ>>, RegisterError> {
        if layout.unit() != Unit::ticks(HZ) {
            return Err(RegisterError::KindMismatch);
        }
        let run = self.register(name.into(), Kind::Timer(layout.buckets()), Some(layout))?;
        Ok(Exclusive::new(Timer::new(run, layout)))
    }

    fn register(
        &self,
        name: MetricName<'_>,
        kind: Kind,
        layout: Option<&'static Layout>,
    ) -> Result<Run<'r>, RegisterError> {
        let shape = Shape { layout, exclusive: true, ..self.view.shape(kind) };
        self.view.register(name, shape)
    }
}

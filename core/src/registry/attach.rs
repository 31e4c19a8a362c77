//! Registries that are attached to another one.

use core::ops::ControlFlow;

use super::Registry;
use super::name::{Buffer, MetricName};
use super::slot::{Metric, Slot};
use super::view::RegistryView;
use crate::error::RegisterError;
use crate::metric::exposed::Family;
use crate::metric::{Describe as _, Descriptor};

/// The registry that another is attached to.
#[derive(Debug)]
pub(crate) struct Parent {
    prefix: &'static str,
    view: RegistryView<'static>,
    /// The attached registry itself, so that the parent can link to its metrics.
    child: RegistryView<'static>,
}

impl<const METRICS: usize, const WORDS: usize, const RENDERED: usize>
    Registry<METRICS, WORDS, RENDERED>
{
    /// Lets another registry be read through this one, its names behind `prefix` and a dot.
    ///
    /// What is registered in `child` later appears here too. Each of its metrics takes one place
    /// of this registry; one for which there is no place is refused by `child`. With an empty
    /// prefix names stay as they are.
    ///
    /// ```
    /// use tapes_core::{RegisterError, Registry, Source};
    ///
    /// static LEFT: Registry<2, 2> = Registry::new();
    /// static ALL: Registry<8, 8> = Registry::new();
    /// ALL.attach_registry("left", &LEFT)?;
    /// LEFT.counter("motor.loops")?.increment(); // appears as `left.motor.loops`
    /// assert_eq!(ALL.metrics(), 1);
    /// assert_eq!(ALL.counter("left.motor.loops").unwrap_err(), RegisterError::KindMismatch);
    /// # Ok::<(), RegisterError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`RegisterError`]; [`RegisterError::Attached`] if `child` is attached already,
    /// [`RegisterError::GroupUnderPrefix`] if it has declared groups.
    pub fn attach_registry<const M: usize, const W: usize, const R: usize>(
        &'static self,
        prefix: &'static str,
        child: &'static Registry<M, W, R>,
    ) -> Result<(), RegisterError> {
        let (view, child) = (self.view(), child.view());
        view.counting_refusals(|| {
            if child.parent.get().is_some() {
                return Err(RegisterError::Attached);
            }
            if child.filled().any(|slot| matches!(slot, Slot::Group(_))) {
                return Err(RegisterError::GroupUnderPrefix);
            }
            let parent = Parent { prefix, view, child };
            for metric in child.own() {
                parent.check(&metric.shape.describe(metric.name.as_str(child.rendered)))?;
            }
            for metric in child.own() {
                parent.link(metric)?;
            }
            child.parent.set(parent).map_err(|_| RegisterError::Attached)
        })
    }
}

impl Parent {
    fn name<'n>(&self, name: &'n str) -> MetricName<'n> {
        if self.prefix.is_empty() { name.into() } else { MetricName::prefixed(self.prefix, name) }
    }

    /// Returns an error if the parent cannot take a metric of that name.
    fn check(&self, new: &Descriptor<'_>) -> Result<(), RegisterError> {
        let mut buffer = Buffer::new();
        let new = Descriptor { name: self.name(new.name).render(&mut buffer)?, ..*new };
        self.view.has_place()?;
        self.view.conflict(new.name).or_else(|| self.view.clash(&new)).map_or(Ok(()), Err)?;
        self.view.parent_takes(&new)
    }

    fn link(&self, metric: &'static Metric) -> Result<(), RegisterError> {
        let mut buffer = Buffer::new();
        let given = self.name(metric.name.as_str(self.child.rendered));
        let name = self.view.keep(given, given.render(&mut buffer)?)?;
        self.view.fill(Slot::Link { name, metric, run: self.child.run(metric) }).map(drop)
    }
}

impl RegistryView<'_> {
    /// Returns an error if Prometheus could not tell a new metric from one that is there: on hosts
    /// it scrapes the registry itself, and would refuse all of it.
    pub(super) fn clash(&self, new: &Descriptor<'_>) -> Option<RegisterError> {
        let new = Family::of(new);
        let check = &mut |known: &Descriptor<'_>| {
            let known = Family::of(known);
            let clashes = known.may_clash_with(&new) && known.clashes_with(&new);
            if clashes { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        // Without values: no producer is asked, because this is called under the lock.
        let flow = self.filled().try_for_each(|slot| match slot {
            Slot::Metric(metric) => {
                check(&metric.shape.describe(metric.name.as_str(self.rendered)))
            }
            Slot::Link { name, metric, .. } => {
                check(&metric.shape.describe(name.as_str(self.rendered)))
            }
            Slot::Group(group) => group.visit_all(&mut |sample| {
                if sample.cell == 0 {
                    check(&sample.descriptor())
                } else {
                    ControlFlow::Continue(())
                }
            }),
        });
        flow.is_break().then_some(RegisterError::NameClash)
    }

    /// Returns an error if the registry that this one is attached to cannot take the metric.
    pub(super) fn parent_takes(&self, new: &Descriptor<'_>) -> Result<(), RegisterError> {
        self.parent.get().map_or(Ok(()), |parent| parent.check(new))
    }

    /// Links a metric that was just registered.
    pub(super) fn tell_parent(&self, name: &str) {
        if let Some(parent) = self.parent.get()
            && let Some(metric) = parent.child.find(name)
        {
            // It was asked before, under the same lock.
            let _ = parent.link(metric);
        }
    }
}

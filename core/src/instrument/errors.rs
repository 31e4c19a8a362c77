//! Counting the errors of results.

use crate::metric::{Counter, Family, LabelSet, Meter};

/// A handle that counts errors of type `E`.
///
/// A [`Counter`] and a [`Meter`] count any error; a [`Family`] of them counts each error under its
/// own label. Implement it for a type of your own to tell errors apart in another way.
///
/// ```
/// use tapes_core::instrument::CountError;
/// use tapes_core::{Counter, metrics};
///
/// metrics! {
///     static LINK: LinkMetrics = "link" { fatal: Counter }
/// }
///
/// /// Counts only what ends the connection.
/// struct Fatal(Counter<'static>);
///
/// impl CountError<std::io::Error> for Fatal {
///     fn count_error(&self, error: &std::io::Error) {
///         if error.kind() != std::io::ErrorKind::Interrupted {
///             self.0.increment();
///         }
///     }
/// }
/// let fatal = Fatal(LINK.fatal);
/// fatal.count_error(&std::io::ErrorKind::Interrupted.into());
/// fatal.count_error(&std::io::ErrorKind::BrokenPipe.into());
/// assert_eq!(LINK.fatal.value(), 1);
/// ```
pub trait CountError<E: ?Sized> {
    /// Counts `error` once.
    fn count_error(&self, error: &E);
}

impl<E: ?Sized> CountError<E> for Counter<'_> {
    #[inline]
    fn count_error(&self, _: &E) {
        self.increment();
    }
}

impl<E: ?Sized> CountError<E> for Meter<'_> {
    #[inline]
    fn count_error(&self, _: &E) {
        self.mark();
    }
}

impl<'r, E: LabelSet> CountError<E> for Family<'r, Counter<'r>, E> {
    #[inline]
    fn count_error(&self, error: &E) {
        self.of(*error).increment();
    }
}

impl<'r, E: LabelSet> CountError<E> for Family<'r, Meter<'r>, E> {
    #[inline]
    fn count_error(&self, error: &E) {
        self.of(*error).mark();
    }
}

impl<E: ?Sized, H: CountError<E> + ?Sized> CountError<E> for &H {
    #[inline]
    fn count_error(&self, error: &E) {
        (**self).count_error(error);
    }
}

/// Counts the error of `result`, if it has one.
///
/// ```
/// use tapes_core::{Label, instrument::count_error, metric::Dimension, metrics};
///
/// #[derive(Clone, Copy)]
/// enum Fault {
///     Overheat,
///     Stall,
/// }
///
/// impl Label for Fault {
///     const DIMENSION: Dimension<'static> =
///         Dimension { name: "fault", values: &["overheat", "stall"] };
///
///     fn index(self) -> usize {
///         self as usize
///     }
/// }
///
/// metrics! {
///     /// Motor control.
///     static MOTOR: Motor = "motor" {
///         /// Faults seen.
///         faults: Counter per Fault,
///     }
/// }
///
/// count_error(&MOTOR.faults, &Ok::<(), _>(()));
/// count_error(&MOTOR.faults, &Err::<(), _>(Fault::Stall));
/// assert_eq!(MOTOR.faults.of(Fault::Stall).value(), 1);
/// assert_eq!(MOTOR.faults.of(Fault::Overheat).value(), 0);
/// ```
#[inline]
pub fn count_error<T, E>(handle: &impl CountError<E>, result: &Result<T, E>) {
    if let Err(error) = result {
        handle.count_error(error);
    }
}

/// Counts the error of `result`, if it has one, as what `label` makes of it.
///
/// For errors that are no [`Label`](crate::Label) themselves:
///
/// ```
/// # use tapes_core::{Label, metric::Dimension};
/// # #[derive(Clone, Copy)]
/// # enum Fault { Overheat, Stall }
/// # impl Label for Fault {
/// #     const DIMENSION: Dimension<'static> =
/// #         Dimension { name: "fault", values: &["overheat", "stall"] };
/// #     fn index(self) -> usize { self as usize }
/// # }
/// # tapes_core::metrics! {
/// #     static MOTOR: Motor = "motor" { faults: Counter per Fault }
/// # }
/// use tapes_core::instrument::count_error_by;
///
/// struct Trip {
///     amperes: f32,
/// }
///
/// let result: Result<(), Trip> = Err(Trip { amperes: 31.5 });
/// count_error_by(&MOTOR.faults, &result, |trip| {
///     if trip.amperes > 30.0 { Fault::Stall } else { Fault::Overheat }
/// });
/// assert_eq!(MOTOR.faults.of(Fault::Stall).value(), 1);
/// ```
#[inline]
pub fn count_error_by<T, E, L>(
    handle: &impl CountError<L>,
    result: &Result<T, E>,
    label: impl FnOnce(&E) -> L,
) {
    if let Err(error) = result {
        handle.count_error(&label(error));
    }
}

//! Enumerated labels: a label whose values are the variants of an enum.
//!
//! A [`Family`] holds one metric for each variant, as a dense run of words that is indexed without
//! hashing or searching. How many there are is known at compile time, so a family cannot grow
//! without bounds.

use super::dimension::Dimension;
use super::kind::Kind;
use super::storage::Run;
use super::{Counter, Gauge, GaugeValue, Histogram, Layout, Meter, Timer, UpDown};

/// An enum whose variants are the values of one label; `#[derive(Label)]` implements it.
///
/// By hand:
///
/// ```
/// use tapes_core::{Label, metric::Dimension};
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
/// ```
pub trait Label: Copy {
    /// Name and values of the label.
    const DIMENSION: Dimension<'static>;

    /// Returns the position of this variant among the values.
    ///
    /// An index out of range makes its records disappear.
    fn index(self) -> usize;
}

/// One label, or the product of several: implemented for every [`Label`] and for tuples of two or
/// three.
pub trait LabelSet: Copy {
    /// The labels, outermost first.
    const DIMENSIONS: &'static [Dimension<'static>];

    /// Number of combinations.
    const COMBINATIONS: usize;

    /// Returns the position of this combination; the last label varies fastest.
    fn position(self) -> usize;
}

impl<L: Label> LabelSet for L {
    const DIMENSIONS: &'static [Dimension<'static>] = &[L::DIMENSION];
    const COMBINATIONS: usize = L::DIMENSION.values.len();

    #[inline(always)]
    fn position(self) -> usize {
        self.index()
    }
}

impl<A: Label, B: Label> LabelSet for (A, B) {
    const DIMENSIONS: &'static [Dimension<'static>] = &[A::DIMENSION, B::DIMENSION];
    const COMBINATIONS: usize = A::COMBINATIONS * B::COMBINATIONS;

    #[inline(always)]
    fn position(self) -> usize {
        self.0.index().wrapping_mul(B::COMBINATIONS).wrapping_add(self.1.index())
    }
}

impl<A: Label, B: Label, C: Label> LabelSet for (A, B, C) {
    const DIMENSIONS: &'static [Dimension<'static>] = &[A::DIMENSION, B::DIMENSION, C::DIMENSION];
    const COMBINATIONS: usize = A::COMBINATIONS * B::COMBINATIONS * C::COMBINATIONS;

    #[inline(always)]
    fn position(self) -> usize {
        let outer = (self.0, self.1).position();
        outer.wrapping_mul(C::COMBINATIONS).wrapping_add(self.2.index())
    }
}

mod private {
    use super::{Kind, Layout, Run};

    /// A handle that a family can make for one of its cells.
    pub trait Cell<'r>: Copy {
        /// Kind of the cells; a histogram's follows from its layout, without one there is none.
        fn kind(layout: Option<&'static Layout>) -> Option<Kind>;
        fn over(run: Run<'r>, layout: Option<&'static Layout>) -> Self;
    }
}

/// A handle of which there can be a family. Sealed.
///
/// ```
/// use tapes_core::metric::{FamilyMember, Words};
/// use tapes_core::{Family, Label, LabelSet, Timer, layout, metric::Dimension};
///
/// #[derive(Clone, Copy)]
/// enum Axis { X, Y }
///
/// impl Label for Axis {
///     const DIMENSION: Dimension<'static> = Dimension { name: "axis", values: &["x", "y"] };
///
///     fn index(self) -> usize {
///         self as usize
///     }
/// }
///
/// /// Every metric of a family on one axis.
/// fn both<M: FamilyMember<'static>>(family: Family<'static, M, (Axis, Axis)>) -> [M; 2] {
///     [Axis::X, Axis::Y].map(|axis| family.of((axis, axis)))
/// }
///
/// const LAYOUT: &tapes_core::Layout = layout!(unit = micros, max = 1 s);
/// static WORDS: Words<{ 4 * LAYOUT.words() }> = Words::new();
/// let moves: Family<'_, Timer<'_>, (Axis, Axis)> = Family::with_layout(WORDS.all(), LAYOUT);
/// assert_eq!((Axis::Y, Axis::X).position(), 2);
/// both(moves)[1].record(40);
/// assert_eq!(moves.of((Axis::Y, Axis::Y)).distribution().count(), 1);
/// ```
pub trait FamilyMember<'r>: private::Cell<'r> {}

impl<'r, M: private::Cell<'r>> FamilyMember<'r> for M {}

macro_rules! plain_members {
    ($($handle:ident),*) => {$(
        impl<'r> private::Cell<'r> for $handle<'r> {
            fn kind(_: Option<&'static Layout>) -> Option<Kind> {
                Some(Kind::$handle)
            }

            #[inline(always)]
            fn over(run: Run<'r>, _: Option<&'static Layout>) -> Self {
                Self::new(run)
            }
        }
    )*};
}

plain_members!(Counter, Meter, UpDown);

impl<'r, T: GaugeValue> private::Cell<'r> for Gauge<'r, T> {
    fn kind(_: Option<&'static Layout>) -> Option<Kind> {
        Some(T::KIND)
    }

    #[inline(always)]
    fn over(run: Run<'r>, _: Option<&'static Layout>) -> Self {
        Self::new(run)
    }
}

impl<'r> private::Cell<'r> for Histogram<'r> {
    fn kind(layout: Option<&'static Layout>) -> Option<Kind> {
        layout.map(|layout| Kind::Histogram(layout.buckets()))
    }

    #[inline(always)]
    fn over(run: Run<'r>, layout: Option<&'static Layout>) -> Self {
        layout.map_or_else(Self::noop, |layout| Self::new(run, layout))
    }
}

impl<'r, const HZ: u32> private::Cell<'r> for Timer<'r, HZ> {
    fn kind(layout: Option<&'static Layout>) -> Option<Kind> {
        layout.map(|layout| Kind::Timer(layout.buckets()))
    }

    #[inline(always)]
    fn over(run: Run<'r>, layout: Option<&'static Layout>) -> Self {
        layout.map_or_else(Self::noop, |layout| Self::new(run, layout))
    }
}

/// One metric for each combination of labels.
///
/// Storage is that of one metric times the combinations. Finding a cell is a multiplication and an
/// addition.
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
/// use tapes_core::metrics;
///
/// metrics! {
///     /// Motor control.
///     static MOTOR: Motor = "motor" {
///         /// Faults seen.
///         faults: Counter per Fault,
///     }
/// }
///
/// MOTOR.faults.of(Fault::Stall).increment();
/// assert_eq!(MOTOR.faults.of(Fault::Stall).value(), 1);
/// assert_eq!(MOTOR.faults.of(Fault::Overheat).value(), 0);
/// ```
#[must_use = "a family does nothing until one of its metrics is used"]
pub struct Family<'r, M, L> {
    run: Run<'r>,
    layout: Option<&'static Layout>,
    member: core::marker::PhantomData<fn(L) -> M>,
}

impl<M, L> core::fmt::Debug for Family<'_, M, L> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Family").field("run", &self.run).field("layout", &self.layout).finish()
    }
}

impl<M, L> Clone for Family<'_, M, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M, L> Copy for Family<'_, M, L> {}

impl<'r, M: FamilyMember<'r>, L: LabelSet> Family<'r, M, L> {
    /// Returns a family over a run of `words` for each combination, without a layout.
    pub const fn new(run: Run<'r>) -> Self {
        Self { run, layout: None, member: core::marker::PhantomData }
    }

    /// Returns a family of histograms or timers, over [`Layout::words`] for each combination.
    pub const fn with_layout(run: Run<'r>, layout: &'static Layout) -> Self {
        Self { run, layout: Some(layout), member: core::marker::PhantomData }
    }

    /// Returns the metric of one combination.
    #[inline(always)]
    pub fn of(&self, labels: L) -> M {
        let words = match self.layout {
            Some(layout) => layout.words(),
            None => 1,
        };
        M::over(self.run.part(labels.position().wrapping_mul(words), words), self.layout)
    }
}

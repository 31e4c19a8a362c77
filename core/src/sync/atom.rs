//! Atomic numbers as the protocols use them, so that models can stand in for the real ones.

#![allow(dead_code, reason = "no backend uses everything")]

#[cfg(target_has_atomic = "64")]
use core::sync::atomic::AtomicU64;
use core::sync::atomic::{AtomicU32, Ordering};

/// A value of an atomic number.
pub(crate) trait Number: Copy + PartialOrd {
    /// Adds, wrapping at the width of the number.
    fn wrapping_add(self, n: Self) -> Self;
}

/// What every target can do to an atomic number.
pub(crate) trait Atom {
    type Value: Number;

    fn load(&self, order: Ordering) -> Self::Value;
    fn store(&self, value: Self::Value, order: Ordering);
    /// Orders the accesses around it, as `core::sync::atomic::fence` does.
    fn fence(order: Ordering);
}

/// What several writers to one number need; nothing where there is no compare-and-swap.
#[cfg(not(target_has_atomic = "32"))]
pub(crate) trait Sharable: Atom {}

#[cfg(not(target_has_atomic = "32"))]
impl<A: Atom> Sharable for A {}

/// What several writers to one number need.
#[cfg(target_has_atomic = "32")]
pub(crate) trait Sharable: Atom {
    fn fetch_add(&self, n: Self::Value, order: Ordering);
    fn fetch_max(&self, value: Self::Value, order: Ordering);
    fn compare_exchange(
        &self,
        old: Self::Value,
        new: Self::Value,
        success: Ordering,
        failure: Ordering,
    ) -> Result<Self::Value, Self::Value>;
    /// As `compare_exchange`, but may fail although the number is `old`.
    fn compare_exchange_weak(
        &self,
        old: Self::Value,
        new: Self::Value,
        success: Ordering,
        failure: Ordering,
    ) -> Result<Self::Value, Self::Value>;
    /// Runs `f` while nobody else runs one.
    #[cfg(any(test, not(target_has_atomic = "64")))]
    fn exclusively<R>(f: impl FnOnce() -> R) -> R;
}

macro_rules! atoms {
    ($($number:ty, $atomic:ty;)*) => {$(
        impl Number for $number {
            #[inline(always)]
            fn wrapping_add(self, n: Self) -> Self {
                self.wrapping_add(n)
            }
        }

        impl Atom for $atomic {
            type Value = $number;

            #[inline(always)]
            fn load(&self, order: Ordering) -> $number {
                self.load(order)
            }

            #[inline(always)]
            fn store(&self, value: $number, order: Ordering) {
                self.store(value, order);
            }

            #[inline(always)]
            fn fence(order: Ordering) {
                core::sync::atomic::fence(order);
            }
        }

        #[cfg(target_has_atomic = "32")]
        impl Sharable for $atomic {
            #[inline(always)]
            fn fetch_add(&self, n: $number, order: Ordering) {
                self.fetch_add(n, order);
            }

            #[inline(always)]
            fn fetch_max(&self, value: $number, order: Ordering) {
                self.fetch_max(value, order);
            }

            #[inline(always)]
            fn compare_exchange(
                &self,
                old: $number,
                new: $number,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$number, $number> {
                self.compare_exchange(old, new, success, failure)
            }

            #[inline(always)]
            fn compare_exchange_weak(
                &self,
                old: $number,
                new: $number,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$number, $number> {
                self.compare_exchange_weak(old, new, success, failure)
            }

            #[cfg(any(test, not(target_has_atomic = "64")))]
            fn exclusively<R>(f: impl FnOnce() -> R) -> R {
                critical_section::with(|_| f())
            }
        }
    )*};
}

atoms! { u32, AtomicU32; }
#[cfg(target_has_atomic = "64")]
atoms! { u64, AtomicU64; }

//! The atomics and cells that [`Once`](crate::Once) is made of: core's, and in models loom's.

#[cfg(not(all(test, loom)))]
pub(crate) use real::{AtomicU8, UnsafeCell};

#[cfg(all(test, loom))]
pub(crate) use model::{AtomicU8, UnsafeCell, unordered};

#[cfg(not(all(test, loom)))]
mod real {
    pub(crate) use core::sync::atomic::AtomicU8;

    /// A cell whose pointers live no longer than a call, as loom wants it.
    #[repr(transparent)]
    pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(core::cell::UnsafeCell::new(value))
        }

        #[inline(always)]
        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

#[cfg(all(test, loom))]
mod model {
    extern crate std;

    use core::cell::Cell;
    use core::sync::atomic::Ordering;

    pub(crate) use loom::cell::UnsafeCell;

    std::thread_local! {
        /// Whether every ordering shall be missing, on purpose.
        static UNORDERED: Cell<bool> = const { Cell::new(false) };
    }

    /// Runs `f` without any ordering.
    pub(crate) fn unordered(f: impl FnOnce()) {
        struct Restore;
        impl Drop for Restore {
            fn drop(&mut self) {
                UNORDERED.set(false);
            }
        }
        UNORDERED.set(true);
        let _restore = Restore;
        f();
    }

    fn order(order: Ordering) -> Ordering {
        if UNORDERED.get() { Ordering::Relaxed } else { order }
    }

    #[derive(Debug)]
    pub(crate) struct AtomicU8(loom::sync::atomic::AtomicU8);

    impl AtomicU8 {
        pub(crate) fn new(value: u8) -> Self {
            Self(loom::sync::atomic::AtomicU8::new(value))
        }

        pub(crate) fn load(&self, ordering: Ordering) -> u8 {
            self.0.load(order(ordering))
        }

        pub(crate) fn store(&self, value: u8, ordering: Ordering) {
            self.0.store(value, order(ordering));
        }

        pub(crate) fn compare_exchange(
            &self,
            old: u8,
            new: u8,
            success: Ordering,
            failure: Ordering,
        ) -> Result<u8, u8> {
            self.0.compare_exchange(old, new, order(success), order(failure))
        }
    }
}

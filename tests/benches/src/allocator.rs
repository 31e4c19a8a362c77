//! The allocator of this program: counts bytes in use, and when asked to, all that are asked for.

#![expect(unsafe_code, reason = "an allocator is unsafe to implement")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cap::Cap;

/// Counts bytes in use.
pub(crate) struct Counting {
    inner: Cap<System>,
    /// Whether `asked` counts; else nothing is slower for it.
    is_asking: AtomicBool,
    asked: AtomicUsize,
}

impl Counting {
    pub(crate) const fn new() -> Self {
        let inner = Cap::new(System, usize::MAX);
        Self { inner, is_asking: AtomicBool::new(false), asked: AtomicUsize::new(0) }
    }

    /// Returns the bytes that `work` asks for, given back or not.
    pub(crate) fn asked_by(&self, work: impl FnOnce()) -> usize {
        self.asked.store(0, Ordering::Relaxed);
        self.is_asking.store(true, Ordering::Relaxed);
        work();
        self.is_asking.store(false, Ordering::Relaxed);
        self.asked.load(Ordering::Relaxed)
    }

    fn ask(&self, bytes: usize) {
        if self.is_asking.load(Ordering::Relaxed) {
            self.asked.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

impl Deref for Counting {
    type Target = Cap<System>;

    fn deref(&self) -> &Cap<System> {
        &self.inner
    }
}

// SAFETY: every call is handed on as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.ask(layout.size());
        // SAFETY: the caller's promise.
        unsafe { self.inner.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.ask(layout.size());
        // SAFETY: the caller's promise.
        unsafe { self.inner.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.ask(size);
        // SAFETY: the caller's promise.
        unsafe { self.inner.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.inner.dealloc(old, layout) }
    }
}

//! Models: the code of this module, run in every order in which a small case can happen.
//!
//! | model | runs | finds |
//! |---|---|---|
//! | [`one_core`] | handlers nested at every access of a word | what an interrupt can break |
//! | [`other_core`] | a reader beside the stores of a writer, in time order and under release/acquire | sums that go back |
//! | `threads` | threads in loom, with `--cfg loom` | lost counts, sums that go back, hand-over of lanes |
//!
//! Nothing is copied: the protocols take their atomics as a type parameter. Each model is also run
//! on a protocol that is broken on purpose, by a missing mask, a missing fence or the wrong order,
//! and must notice.
//!
//! ```text
//! cargo test -p tapes-core --lib model
//! cargo xtask test --step models
//! ```

use core::sync::atomic::Ordering;

use super::atom::Atom;

mod explore;
mod one_core;
mod other_core;
#[cfg(loom)]
mod threads;

/// A word seen from a place that calls it something else.
impl<A: Atom> Atom for &A {
    type Value = A::Value;

    fn load(&self, order: Ordering) -> A::Value {
        (**self).load(order)
    }

    fn store(&self, value: A::Value, order: Ordering) {
        (**self).store(value, order);
    }

    fn fence(order: Ordering) {
        A::fence(order);
    }
}

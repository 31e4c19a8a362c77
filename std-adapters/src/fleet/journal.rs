//! What changed since it was saved last.

use tapes_core::wire::Origin;

use super::identity::EpochKey;
use super::state::Mutation;

/// Mutations that are kept; when there are more, only the whole state says what it is.
const NOTES_MAX: usize = 65_536;

/// Mutations in the order in which they were made, but for those of values.
#[derive(Debug, Clone, Default)]
pub(super) struct Journal {
    notes: Vec<(Origin, EpochKey, Mutation)>,
    /// Whether notes are missing.
    overflowed: bool,
}

impl Journal {
    /// Notes a mutation.
    pub(super) fn note(&mut self, origin: Origin, key: EpochKey, mutation: Mutation) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push((origin, key, mutation));
        } else {
            self.overflowed = true;
        }
    }

    /// Calls `f` with each mutation and forgets it. Returns whether none is missing.
    pub(super) fn take(&mut self, f: &mut impl FnMut(Origin, EpochKey, Mutation)) -> bool {
        self.notes.drain(..).for_each(|(origin, key, mutation)| f(origin, key, mutation));
        !std::mem::take(&mut self.overflowed)
    }
}

#[cfg(test)]
mod tests {
    use tapes_core::wire::Origin;

    use super::{EpochKey, Journal, Mutation, NOTES_MAX};

    /// A disk that is full for days must not fill the memory too.
    #[test]
    fn notes_are_bounded_and_say_so() {
        let mut journal = Journal::default();
        let key = EpochKey { order: 0, nonce: 1, part: 0 };
        (0..=NOTES_MAX).for_each(|_| journal.note(Origin::from_array([1]), key, Mutation::Open));
        let mut taken = 0;
        assert!(!journal.take(&mut |_, _, _| taken += 1));
        assert_eq!(taken, NOTES_MAX);
        assert!(journal.take(&mut |_, _, _| panic!("nothing is left")));
    }
}

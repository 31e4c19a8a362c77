//! Dictionaries: what the ids of one epoch mean.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use tapes_core::metric::Descriptor;
use tapes_core::wire::DictionaryHash;

use super::entry::Entry;
use super::sorted::Sorted;

/// Length and hash of a dictionary, as frames announce it.
pub use tapes_core::wire::Dictionary as Announced;

/// What adding an entry did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Described {
    /// The id was unknown.
    New,
    /// The id is known with the same bytes.
    Same,
    /// The id was known from another epoch, and has the same bytes in this one.
    Confirmed,
    /// The id was known from another epoch with other bytes, which are gone now.
    Corrected,
    /// The sender says two things about one id: the larger bytes stay. No correct sender does this.
    Conflict,
}

#[derive(Debug, Clone)]
struct Known {
    entry: Arc<Entry>,
    /// Whether the entry was taken over from another epoch and not yet heard in this one.
    assumed: bool,
}

/// The entries of one epoch, by id. Within an epoch they never change and are only added to.
#[derive(Debug, Clone, Default)]
pub struct Dictionary {
    entries: Sorted<u32, Known>,
    announced: Announced,
}

impl Dictionary {
    /// Returns the entry of a metric.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<&Arc<Entry>> {
        self.entries.get(id).map(|known| &known.entry)
    }

    /// Returns the entries by ascending id.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Arc<Entry>)> {
        self.entries.iter().map(|(id, known)| (id, &known.entry))
    }

    /// Returns the entries by ascending id, and whether each is only assumed: taken over from another
    /// epoch and not yet heard in this one.
    pub fn known(&self) -> impl Iterator<Item = (u32, &Arc<Entry>, bool)> {
        self.entries.iter().map(|(id, known)| (id, &known.entry, known.assumed))
    }

    /// Returns the number of known entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether no entry is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns what the newest frame said about the whole dictionary.
    #[must_use]
    pub const fn announced(&self) -> Announced {
        self.announced
    }

    /// Returns whether every announced entry is known.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.prefix(self.announced.len).is_some_and(|entries| entries.count() > 0)
    }

    /// Adds an entry that the sender sent in this epoch.
    pub fn describe(&mut self, id: u32, entry: Arc<Entry>) -> Described {
        let Some(known) = self.entries.get_mut(id) else {
            self.entries.insert_new(id, Known { entry, assumed: false });
            return Described::New;
        };
        if known.entry.body() == entry.body() {
            let was_assumed = std::mem::take(&mut known.assumed);
            return if was_assumed { Described::Confirmed } else { Described::Same };
        }
        if known.assumed {
            *known = Known { entry, assumed: false };
            return Described::Corrected;
        }
        if entry.body() > known.entry.body() {
            known.entry = entry;
        }
        Described::Conflict
    }

    /// Remembers what a frame announced. Returns whether it is news.
    pub fn announce(&mut self, announced: Announced) -> bool {
        let news = announced.len > self.announced.len;
        if news {
            self.announced = announced;
        }
        news
    }

    /// Takes over the announced entries from a dictionary of the same origin that has them.
    ///
    /// Checks length and hash over the entries' bytes; a sender that then sends other bytes is
    /// believed. Returns whether anything was taken over.
    pub fn assume(&mut self, other: &Self) -> bool {
        let Some(entries) = other.prefix(self.announced.len) else { return false };
        let mut hash = DictionaryHash::new();
        entries.for_each(|entry| hash.push(entry.body()));
        if self.announced.len == 0 || hash.value() != self.announced.hash {
            return false;
        }
        for (id, known) in other.entries.below(self.announced.len) {
            let known = Known { entry: Arc::clone(&known.entry), assumed: true };
            self.entries.insert_new(id, known);
        }
        true
    }

    /// Takes over one entry from another epoch. Returns whether the id was unknown.
    pub fn assume_one(&mut self, id: u32, entry: Arc<Entry>) -> bool {
        self.entries.insert_new(id, Known { entry, assumed: true })
    }

    /// Returns the first `len` entries, `None` if one is missing.
    fn prefix(&self, len: u32) -> Option<impl Iterator<Item = &Arc<Entry>>> {
        let entries = self.entries.below(len);
        (u32::try_from(entries.len()) == Ok(len)).then(|| entries.map(|(_, known)| &known.entry))
    }
}

/// An entry that is found by its bytes.
#[derive(Debug)]
struct ByBody(Arc<Entry>);

impl Borrow<[u8]> for ByBody {
    fn borrow(&self) -> &[u8] {
        self.0.body()
    }
}

impl Hash for ByBody {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.body().hash(state);
    }
}

impl PartialEq for ByBody {
    fn eq(&self, other: &Self) -> bool {
        self.0.body() == other.0.body()
    }
}

impl Eq for ByBody {}

/// Entries in use anywhere in the fleet: a thousand boards with one firmware keep one copy.
///
/// Shared only between byte-identical entries.
#[derive(Debug, Default)]
pub struct Entries {
    known: HashSet<ByBody>,
    /// Size at which unused entries are looked for.
    prune_at: usize,
}

/// Fewest entries at which unused ones are looked for.
const PRUNE_MIN: usize = 1_024;

impl Entries {
    /// Returns the entry with this body, checked once; `None` if it is too long to keep.
    pub fn intern(
        &mut self,
        body: &[u8],
        descriptor: Option<&Descriptor<'_>>,
    ) -> Option<Arc<Entry>> {
        if let Some(known) = self.known.get(body) {
            return Some(Arc::clone(&known.0));
        }
        if self.known.len() >= self.prune_at.max(PRUNE_MIN) {
            self.known.retain(|entry| Arc::strong_count(&entry.0) > 1);
            self.prune_at = self.known.len() * 2;
        }
        let entry = Arc::new(Entry::new(body, descriptor)?);
        self.known.insert(ByBody(Arc::clone(&entry)));
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tapes_core::wire::DictionaryHash;

    use super::{Announced, Described, Dictionary, Entries, Entry};

    fn entry(body: &[u8]) -> Arc<Entry> {
        Arc::new(Entry::new(body, None).expect("short"))
    }

    fn announced(bodies: &[&[u8]]) -> Announced {
        let mut hash = DictionaryHash::new();
        bodies.iter().for_each(|body| hash.push(body));
        Announced { len: hash.len(), hash: hash.value() }
    }

    fn dictionary(bodies: &[&[u8]]) -> Dictionary {
        let mut dictionary = Dictionary::default();
        for (id, body) in (0u32..).zip(bodies) {
            assert_eq!(dictionary.describe(id, entry(body)), Described::New);
        }
        dictionary
    }

    /// Waiting for the whole dictionary at each boot took 18 minutes at 90 % loss.
    #[test]
    fn a_known_dictionary_is_taken_over_whole_or_as_a_prefix() {
        let known = dictionary(&[b"a", b"b", b"c"]);
        for (len, bodies) in [(3, [b"a", b"b", b"c"].as_slice()), (2, [b"a", b"b"].as_slice())] {
            let bodies: Vec<&[u8]> = bodies.iter().map(|body| body.as_slice()).collect();
            let mut new = Dictionary::default();
            assert!(new.announce(announced(&bodies)));
            assert!(new.assume(&known), "{len} entries");
            assert_eq!(new.len(), len);
            assert!(new.is_complete());
        }
    }

    /// Ids of another firmware would put a temperature under the name of a counter.
    #[test]
    fn another_hash_takes_over_nothing() {
        let known = dictionary(&[b"a", b"b"]);
        let mut new = Dictionary::default();
        new.announce(announced(&[b"a", b"x"]));
        assert!(!new.assume(&known));
        assert!(new.is_empty() && !new.is_complete());
    }

    /// A hash can collide: what the sender itself says comes first.
    #[test]
    fn assumed_entries_are_corrected_and_heard_ones_are_not() {
        let known = dictionary(&[b"a"]);
        let mut new = Dictionary::default();
        new.announce(announced(&[b"a"]));
        assert!(new.assume(&known));
        assert_eq!(new.describe(0, entry(b"A")), Described::Corrected);
        assert_eq!(new.describe(0, entry(b"A")), Described::Same);
        assert_eq!(new.describe(0, entry(b"0")), Described::Conflict);
        assert_eq!(new.get(0).unwrap().body(), b"A", "the larger bytes stay");
    }

    /// Without sharing, a thousand boards keep a thousand copies of each name.
    #[test]
    fn equal_entries_are_kept_once() {
        let mut entries = Entries::default();
        let a = entries.intern(b"a", None).unwrap();
        let again = entries.intern(b"a", None).unwrap();
        assert!(Arc::ptr_eq(&a, &again));
        for i in 0..5_000u32 {
            entries.intern(&i.to_le_bytes(), None);
        }
        assert!(entries.known.len() <= super::PRUNE_MIN, "unused entries are dropped");
        assert!(Arc::ptr_eq(&a, &entries.intern(b"a", None).unwrap()), "used ones stay");
    }
}

//! Threads, in loom: every interleaving, with every store that a relaxed load may still see.

use core::sync::atomic::Ordering;

use loom::sync::atomic::AtomicU32;
use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::sync::atom::{Atom, Sharable};
use crate::sync::lease::Pool;
use crate::sync::{Cell, Section, split};

loom::lazy_static! {
    /// What a critical section is among threads.
    static ref CRITICAL_SECTION: Mutex<()> = Mutex::new(());
}

/// A word of loom; `ORDERED` is false where every ordering shall be missing, on purpose.
#[derive(Debug)]
struct Shared<const ORDERED: bool>(AtomicU32);

impl<const ORDERED: bool> Shared<ORDERED> {
    fn new(value: u32) -> Self {
        Self(AtomicU32::new(value))
    }

    fn order(order: Ordering) -> Ordering {
        if ORDERED { order } else { Ordering::Relaxed }
    }
}

impl<const ORDERED: bool> Atom for Shared<ORDERED> {
    type Value = u32;

    fn load(&self, order: Ordering) -> u32 {
        self.0.load(Self::order(order))
    }

    fn store(&self, value: u32, order: Ordering) {
        self.0.store(value, Self::order(order));
    }

    fn fence(order: Ordering) {
        if ORDERED {
            loom::sync::atomic::fence(order);
        }
    }
}

impl<const ORDERED: bool> Sharable for Shared<ORDERED> {
    fn fetch_add(&self, n: u32, order: Ordering) {
        self.0.fetch_add(n, Self::order(order));
    }

    fn fetch_max(&self, value: u32, order: Ordering) {
        self.0.fetch_max(value, Self::order(order));
    }

    fn compare_exchange(
        &self,
        old: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.0.compare_exchange(old, new, Self::order(success), Self::order(failure))
    }

    fn compare_exchange_weak(
        &self,
        old: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.0.compare_exchange_weak(old, new, Self::order(success), Self::order(failure))
    }

    fn exclusively<R>(f: impl FnOnce() -> R) -> R {
        let _guard = CRITICAL_SECTION.lock().expect("no model panics inside");
        f()
    }
}

type Word = Cell<Shared<true>>;
type Sum<const ORDERED: bool> = [Cell<Shared<ORDERED>>; split::WORDS];

fn word() -> Word {
    Cell(Shared::new(0))
}

fn sum<const ORDERED: bool>(low: u32) -> Sum<ORDERED> {
    [low, 0, 0].map(|value| Cell(Shared::new(value)))
}

/// A count, or a maximum, of one of two threads would be lost.
#[test]
fn loom_shared_words_lose_nothing() {
    loom::model(|| {
        let words = Arc::new([word(), word()]);
        let record = |words: &[Word; 2], value: u32| {
            Section::shared(0).add(&words[0], value);
            Section::shared(0).raise(&words[1], value);
        };
        let other = thread::spawn({
            let words = Arc::clone(&words);
            move || {
                record(&words, 2);
                record(&words, 5);
            }
        });
        record(&words, 3);
        other.join().expect("records do not panic");
        assert_eq!((words[0].load(), words[1].load()), (10, 5));
    });
}

/// Two cores that write the same lane would lose counts: what a wrong lane hook does.
#[test]
#[should_panic(expected = "left: 1")]
fn loom_two_owners_of_one_lane_are_caught() {
    loom::model(|| {
        let word = Arc::new(word());
        let other = thread::spawn({
            let word = Arc::clone(&word);
            move || Section::alone(0).add(&word, 1)
        });
        Section::alone(0).add(&word, 1);
        other.join().expect("records do not panic");
        assert_eq!(word.load(), 2);
    });
}

/// A total over lanes that went back would be taken for a restart.
#[test]
fn loom_totals_over_lanes_never_go_back() {
    loom::model(|| {
        let lanes = Arc::new([word(), word()]);
        let owners = [0, 1].map(|lane| {
            let lanes = Arc::clone(&lanes);
            thread::spawn(move || {
                Section::alone(lane).add(&lanes[lane], 1);
                Section::alone(lane).add(&lanes[lane], 1);
            })
        });
        let total = || lanes[0].load() + lanes[1].load();
        let (earlier, later) = (total(), total());
        assert!(earlier <= later, "{later} after {earlier}");
        for owner in owners {
            owner.join().expect("records do not panic");
        }
        assert_eq!(total(), 4);
    });
}

/// Adds in one thread while the other reads twice.
fn one_writer<const ORDERED: bool>(section: Section) {
    let words: Arc<Sum<ORDERED>> = Arc::new(sum(u32::MAX));
    let writer = thread::spawn({
        let words = Arc::clone(&words);
        move || {
            split::add(section, &words, 1);
            split::add(section, &words, u32::MAX);
            split::add(section, &words, 2);
        }
    });
    let start = u64::from(u32::MAX);
    let (earlier, later) = (split::read(&words), split::read(&words));
    assert!(start <= earlier && earlier <= later, "{later:x} after {earlier:x}");
    writer.join().expect("records do not panic");
    let end = split::read(&words);
    assert!(later <= end, "{end:x} after {later:x}");
    assert_eq!(end, start + 1 + u64::from(u32::MAX) + 2);
}

/// A sum that goes back would be taken for a restart.
#[test]
fn loom_sums_of_one_writer_never_go_back() {
    loom::model(|| one_writer::<true>(Section::alone(0)));
    loom::model(|| one_writer::<true>(Section::shared(0)));
}

/// A model that needs no fences does not test them.
#[test]
#[should_panic(expected = " after ")]
fn loom_sums_without_fences_are_caught() {
    loom::model(|| one_writer::<false>(Section::alone(0)));
}

/// As above, for the release of the compare-and-swap.
#[test]
#[should_panic(expected = " after ")]
fn loom_shared_sums_without_fences_are_caught() {
    loom::model(|| one_writer::<false>(Section::shared(0)));
}

/// Two threads add, each `n`, while the first one reads in between.
fn two_writers(low: u32, here: [u32; 2], there: [u32; 2]) {
    let words: Arc<Sum<true>> = Arc::new(sum(low));
    let writer = thread::spawn({
        let words = Arc::clone(&words);
        move || there.into_iter().for_each(|n| split::add(Section::shared(0), &words, n))
    });
    let mut newest = u64::from(low);
    for n in here {
        split::add(Section::shared(0), &words, n);
        let sum = split::read(&words);
        assert!(newest <= sum, "{sum:x} after {newest:x}");
        newest = sum;
    }
    writer.join().expect("records do not panic");
    let total = here.into_iter().chain(there).map(u64::from).sum::<u64>();
    assert_eq!(split::read(&words), u64::from(low) + total);
}

/// Carries that meet would lose, or add, 2^32.
#[test]
fn loom_carries_of_two_writers_lose_nothing() {
    loom::model(|| two_writers(u32::MAX, [1, u32::MAX], [1, u32::MAX]));
    loom::model(|| two_writers(u32::MAX - 1, [1, 1], [1, 1]));
}

/// A third thread that reads must not see a sum go back either.
#[test]
fn loom_sums_of_two_writers_never_go_back() {
    loom::model(|| {
        let words: Arc<Sum<true>> = Arc::new(sum(u32::MAX));
        let writers = [1, u32::MAX].map(|n| {
            let words = Arc::clone(&words);
            thread::spawn(move || split::add(Section::shared(0), &words, n))
        });
        let start = u64::from(u32::MAX);
        let (earlier, later) = (split::read(&words), split::read(&words));
        assert!(start <= earlier && earlier <= later, "{later:x} after {earlier:x}");
        for writer in writers {
            writer.join().expect("records do not panic");
        }
        assert_eq!(split::read(&words), start + 1 + u64::from(u32::MAX));
    });
}

/// Threads that come and go, more than there are lanes, record in a leased or the shared lane.
fn leases<const ORDERED: bool>() {
    const LANES: usize = 2;
    type Lanes<const ORDERED: bool> = Pool<Shared<ORDERED>, LANES>;
    let pool: Arc<Lanes<ORDERED>> = Arc::new(Pool::new([0, 0].map(Shared::new), Shared::new(0)));
    let lanes = Arc::new([word(), word()]);
    let threads = [1, 2].map(|n| {
        let (pool, lanes) = (Arc::clone(&pool), Arc::clone(&lanes));
        thread::spawn(move || {
            let leased = pool.take();
            match leased {
                Some(lane) => Section::alone(lane).add(&lanes[lane], n),
                None => {
                    let lane = Lanes::<ORDERED>::SHARED;
                    Section::shared(lane).add(&lanes[lane], n);
                }
            }
            if let Some(lane) = leased {
                pool.give_back(lane);
            }
        })
    });
    for thread in threads {
        thread.join().expect("records do not panic");
    }
    assert_eq!(lanes[0].load() + lanes[1].load(), 3);
    assert_eq!(pool.take(), Some(0), "a lane was not given back");
    assert_eq!(pool.take(), None, "the shared lane was leased");
}

/// A lane that is handed on without its totals would lose all that its former thread counted.
#[test]
fn loom_lanes_are_handed_on_with_their_totals() {
    loom::model(leases::<true>);
}

/// A model that needs no ordering does not test it.
#[test]
#[should_panic(expected = "right: 3")]
fn loom_lanes_handed_on_without_order_are_caught() {
    loom::model(leases::<false>);
}

/// One thread says that it has recorded in a lane of its own, another one reads.
fn reads<const ORDERED: bool>() {
    type Lanes<const ORDERED: bool> = Pool<Shared<ORDERED>, 4>;
    let pool: Arc<Lanes<ORDERED>> = Arc::new(Pool::new([0; 4].map(Shared::new), Shared::new(0)));
    let lanes = Arc::new([0; 4].map(|_| word()));
    let said = Arc::new(Shared::<ORDERED>::new(0));
    assert_eq!(pool.take(), Some(0), "not even one lane");
    let writer = {
        let (pool, lanes, said) = (Arc::clone(&pool), Arc::clone(&lanes), Arc::clone(&said));
        thread::spawn(move || {
            let lane = pool.take().expect("three can be leased");
            Section::alone(lane).add(&lanes[lane], 1);
            said.store(1, Ordering::Release);
        })
    };
    if said.load(Ordering::Acquire) == 1 {
        let read: u32 = pool.used().map(|lane| lanes[lane].load()).sum();
        assert_eq!(read, 1, "a lane was left out");
    }
    writer.join().expect("records do not panic");
    assert!(pool.used().eq([0, 1, 3]));
}

/// A count in a lane that the reader does not know of would be back later: a total that was not
/// what somebody had already been told.
#[test]
fn loom_lanes_are_read_once_somebody_can_know() {
    loom::model(reads::<true>);
}

/// A model that needs no ordering does not test it.
#[test]
#[should_panic(expected = "a lane was left out")]
fn loom_lanes_told_of_without_order_are_caught() {
    loom::model(reads::<false>);
}

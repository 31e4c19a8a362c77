//! Another core: it reads sums while this one adds to them.
//!
//! Readers store nothing, so the writer runs first and leaves a log; then readers run in every way
//! in which their loads can fall between the stores. *In time order*, each load sees the memory as
//! it is at some moment, not before that of the load before it: this is what in-order cores such as
//! the RP2040's do, and there the sum must also be one that was there during the reading. *Under
//! release and acquire*, each load may see any store that the reader does not know to be
//! overwritten: this is the memory of the language, as far as one writer goes.
//!
//! Values are multiples of 2^30, so the low word is in effect one of 2 bits: every start and every
//! sequence of three additions is run.

use core::cell::RefCell;
use core::sync::atomic::Ordering;
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use super::explore::{Runs, choose, explore};
use crate::sync::atom::{Atom, Sharable};
use crate::sync::{Cell, Section, split};

const WORDS: usize = split::WORDS;
/// How many stores of each word somebody knows of.
type View = [usize; WORDS];

/// The step of all values: the low word has as many values as this fits into it.
const STEP: u32 = 1 << 30;
const LOW_VALUES: u32 = 4;
const ADDITIONS: u32 = 3;
/// Two are enough: what was read before a first one can only take choices away from it.
const READINGS: usize = 2;
/// The sum overflows 64 bits at the first carry, which must make no difference.
const HIGH: u32 = u32::MAX;

fn join(a: View, b: View) -> View {
    [a[0].max(b[0]), a[1].max(b[1]), a[2].max(b[2])]
}

/// What is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
enum Broken {
    #[default]
    Nothing,
    /// The writer's fences do nothing.
    Fences,
    /// The reader's loads do not acquire.
    Acquire,
    /// The writer stores `behind` first and `ahead` last.
    Order,
}

/// How loads see stores.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
enum Memory {
    #[default]
    TimeOrder,
    ReleaseAcquire,
}

/// A store, and the stores that who acquires it knows of.
#[derive(Debug, Clone, Copy)]
struct Message {
    value: u32,
    view: View,
}

/// What both cores did so far.
#[derive(Debug, Default)]
struct World {
    broken: Broken,
    memory: Memory,
    /// The stores of each word, in order; first the initial value.
    messages: [Vec<Message>; WORDS],
    /// The words stored to, in time order.
    log: Vec<usize>,
    /// What the writer's last release fence has published.
    published: View,
    /// Where the reader is in the log.
    at: usize,
    /// Whether the next load is the first of a reading.
    first: bool,
    /// What the reader knows of.
    known: View,
}

std::thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

impl World {
    /// The writer's view: it knows of all its stores.
    fn all(&self) -> View {
        [0, 1, 2].map(|word: usize| self.messages[word].len() - 1)
    }

    fn store(&mut self, word: usize, value: u32, mut view: View) {
        view[word] = self.messages[word].len();
        self.messages[word].push(Message { value, view });
        self.log.push(word);
    }

    /// Loads in time order: chooses a moment, and returns the index of the store seen there.
    fn load_at_some_moment(&mut self, word: usize) -> usize {
        // A reading may begin at any moment. After that, moments between two stores of the word
        // see the same, and the earliest leaves the most to what follows.
        let moments: Vec<usize> = (self.at..=self.log.len())
            .filter(|&at| self.first || at == self.at || self.log[at - 1] == word)
            .collect();
        self.at = moments[choose(moments.len())];
        self.first = false;
        self.log[..self.at].iter().filter(|&&stored| stored == word).count()
    }

    fn load(&mut self, word: usize, order: Ordering) -> u32 {
        let index = match self.memory {
            Memory::TimeOrder => self.load_at_some_moment(word),
            Memory::ReleaseAcquire => {
                self.known[word] + choose(self.messages[word].len() - self.known[word])
            }
        };
        let Message { value, view } = self.messages[word][index];
        self.known[word] = index;
        if order == Ordering::Acquire && self.broken != Broken::Acquire {
            self.known = join(self.known, view);
        }
        value
    }
}

/// A word as the writer's core sees it.
#[derive(Debug, Clone, Copy)]
struct Written(usize);

impl Written {
    fn newest(self, world: &World) -> Message {
        world.messages[self.0][world.messages[self.0].len() - 1]
    }
}

impl Atom for Written {
    type Value = u32;

    fn load(&self, _: Ordering) -> u32 {
        WORLD.with_borrow(|world| self.newest(world).value)
    }

    fn store(&self, value: u32, _: Ordering) {
        WORLD.with_borrow_mut(|world| world.store(self.0, value, world.published));
    }

    fn fence(_: Ordering) {
        WORLD.with_borrow_mut(|world| {
            if world.broken != Broken::Fences {
                world.published = world.all();
            }
        });
    }
}

impl Sharable for Written {
    fn fetch_add(&self, n: u32, order: Ordering) {
        self.store(self.load(order).wrapping_add(n), order);
    }

    fn fetch_max(&self, value: u32, order: Ordering) {
        self.store(self.load(order).max(value), order);
    }

    /// Passes on what the store before has published, and publishes more if it releases.
    fn compare_exchange(
        &self,
        old: u32,
        new: u32,
        success: Ordering,
        _: Ordering,
    ) -> Result<u32, u32> {
        WORLD.with_borrow_mut(|world| {
            let before = self.newest(world);
            assert_eq!(before.value, old, "there is one writer");
            let releases = success == Ordering::Release && world.broken != Broken::Fences;
            let own = if releases { world.all() } else { world.published };
            world.store(self.0, new, join(own, before.view));
        });
        Ok(old)
    }

    fn compare_exchange_weak(
        &self,
        old: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.compare_exchange(old, new, success, failure)
    }

    fn exclusively<R>(f: impl FnOnce() -> R) -> R {
        f()
    }
}

/// A word as the other core sees it.
#[derive(Debug, Clone, Copy)]
struct Seen(usize);

impl Atom for Seen {
    type Value = u32;

    fn load(&self, order: Ordering) -> u32 {
        WORLD.with_borrow_mut(|world| world.load(self.0, order))
    }

    fn store(&self, _: u32, _: Ordering) {
        unreachable!("readers store nothing");
    }

    fn fence(_: Ordering) {}
}

/// The writer's sums, counted from the start: for each addition, the stores made by its end, and
/// the sum then.
type Steps = Vec<(usize, u64)>;

fn write(section: Section, start: u32, additions: u32) -> Steps {
    let order = WORLD.with_borrow_mut(|world| {
        world.messages = [start, HIGH, HIGH].map(|value| vec![Message { value, view: [0; WORDS] }]);
        if world.broken == Broken::Order { [0, 2, 1] } else { [0, 1, 2] }
    });
    let cells = order.map(|word| Cell(Written(word)));
    let mut sum = 0;
    let additions = (0..ADDITIONS).map(|i| additions / LOW_VALUES.pow(i) % LOW_VALUES * STEP);
    additions
        .map(|n| {
            split::add(section, &cells, n);
            sum += u64::from(n);
            (WORLD.with_borrow(|world| world.log.len()), sum)
        })
        .collect()
}

/// Reads once; in time order, checks that the sum was there during the reading.
fn read(start: u64, steps: &Steps) -> Result<u64, String> {
    let began = WORLD.with_borrow_mut(|world| {
        world.first = true;
        world.at
    });
    let sum = split::read(&[0, 1, 2].map(|word| Cell(Seen(word)))).wrapping_sub(start);
    let (memory, ended) = WORLD.with_borrow(|world| (world.memory, world.at));
    let last = steps.last().map_or(0, |&(_, sum)| sum);
    if sum > last {
        return Err(format!("{sum:x} is more than ever was"));
    }
    if memory == Memory::TimeOrder {
        let least =
            steps.iter().rev().find(|(stores, _)| *stores <= began).map_or(0, |step| step.1);
        let most = steps.iter().find(|(stores, _)| *stores >= ended).map_or(last, |step| step.1);
        if sum < least || sum > most {
            return Err(format!("{sum:x} was not there; {least:x} to {most:x} were"));
        }
    }
    Ok(sum)
}

/// Runs all starts, additions and readings.
fn readings(section: Section, memory: Memory, broken: Broken) -> Runs {
    let mut runs = Runs { total: 0, failed: 0, first_failure: None };
    for start in (0..LOW_VALUES).map(|low| low * STEP) {
        for additions in 0..LOW_VALUES.pow(ADDITIONS) {
            let these = explore(|| {
                WORLD.set(World { broken, memory, ..World::default() });
                let steps = write(section, start, additions);
                let start = (u64::from(HIGH) << 32) | u64::from(start);
                let mut newest = 0;
                for _ in 0..READINGS {
                    let sum = read(start, &steps)?;
                    if sum < newest {
                        return Err(format!("{sum:x} after {newest:x}"));
                    }
                    newest = sum;
                }
                Ok(())
            });
            runs.total += these.total;
            runs.failed += these.failed;
            runs.first_failure = runs.first_failure.or(these.first_failure);
        }
    }
    runs
}

/// A dashboard would show a glitch of 2^32, and a host that widens would count one more epoch.
#[test]
fn model_sums_read_on_another_core_never_go_back() {
    readings(Section::alone(0), Memory::TimeOrder, Broken::Nothing).all_hold(10_000);
    readings(Section::alone(0), Memory::ReleaseAcquire, Broken::Nothing).all_hold(5_000);
}

/// The same, where the writer uses compare-and-swap.
#[test]
fn model_sums_of_shared_words_never_go_back() {
    readings(Section::shared(0), Memory::TimeOrder, Broken::Nothing).all_hold(10_000);
    readings(Section::shared(0), Memory::ReleaseAcquire, Broken::Nothing).all_hold(5_000);
}

/// A model that does not notice the wrong order proves nothing about the right one.
#[test]
fn model_the_wrong_order_of_stores_is_caught() {
    readings(Section::alone(0), Memory::TimeOrder, Broken::Order).some_fail();
    readings(Section::alone(0), Memory::ReleaseAcquire, Broken::Order).some_fail();
}

/// As above, for what only weak memory needs.
#[test]
fn model_missing_fences_are_caught_under_weak_memory() {
    for broken in [Broken::Fences, Broken::Acquire] {
        readings(Section::alone(0), Memory::ReleaseAcquire, broken).some_fail();
        readings(Section::shared(0), Memory::ReleaseAcquire, broken).some_fail();
    }
}

/// A sum whose carry was cut by a reset would come back wrong by 2^32, or go back at every read.
#[test]
fn model_a_sum_cut_at_any_store_is_repaired() {
    let runs = explore(|| {
        let start = [0, STEP, 2 * STEP, 3 * STEP][choose(4)];
        // Above 2^31 the old low word and the new one cannot always be told apart.
        let n = [0, STEP, 2 * STEP][choose(3)];
        WORLD.set(World::default());
        let (log, values) = {
            let cells = [start, HIGH, HIGH].map(|value| vec![Message { value, view: [0; WORDS] }]);
            WORLD.with_borrow_mut(|world| world.messages = cells);
            split::add(Section::alone(0), &[0, 1, 2].map(|word| Cell(Written(word))), n);
            WORLD.with_borrow(|world| (world.log.clone(), world.messages.clone()))
        };
        let stores = choose(log.len() + 1);
        let kept = [0, 1, 2].map(|word| {
            let stored = log[..stores].iter().filter(|&&other| other == word).count();
            Cell(core::sync::atomic::AtomicU32::new(values[word][stored].value))
        });
        split::repair(&kept);
        let sum = split::read(&kept).wrapping_sub((u64::from(HIGH) << 32) | u64::from(start));
        let whole = kept[1].load() == kept[2].load();
        if whole && (sum == 0 || sum == u64::from(n)) {
            Ok(())
        } else {
            Err(format!("{sum:x}, not 0 or {n:x}"))
        }
    });
    runs.all_hold(20);
}

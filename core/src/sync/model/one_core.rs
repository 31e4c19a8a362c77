//! One core: at every access of a word, interrupts may come, nested by priority.
//!
//! A handler runs to its end before what it interrupted goes on, so a handler is a call, and a run
//! is a choice, at every access, of the handlers that come there. While interrupts are masked none
//! comes. Read-modify-write is one access, as it is on a core that repeats it when interrupted.

use core::cell::{Cell as Place, RefCell};
use core::sync::atomic::Ordering;
use std::format;
use std::rc::Rc;
use std::string::String;
use std::vec;
use std::vec::Vec;

use super::explore::{choose, explore};
use crate::sync::atom::{Atom, Sharable};
use crate::sync::{Cell, Section, split};

/// An interrupt handler: its priority, and what it does.
type Handler = (u32, Rc<dyn Fn()>);

#[derive(Default)]
struct Core {
    masked: Place<bool>,
    /// Priority of what runs now; 0 is the main program.
    priority: Place<u32>,
    /// Handlers whose interrupt has not come yet; each comes once.
    waiting: RefCell<Vec<Handler>>,
    /// How often a weak compare-and-swap may still fail for no reason.
    spurious: Place<u32>,
    /// Counts accesses, to tell what came before what.
    time: Place<u64>,
}

std::thread_local! {
    static CORE: Core = Core::default();
}

impl Core {
    /// Takes one of the handlers that may come now; which one, or none, is a choice.
    fn interrupt(&self) -> Option<Handler> {
        if self.masked.get() {
            return None;
        }
        let mut waiting = self.waiting.borrow_mut();
        let priority = self.priority.get();
        let able: Vec<usize> =
            (0..waiting.len()).filter(|&handler| waiting[handler].0 > priority).collect();
        if able.is_empty() {
            return None;
        }
        let choice = choose(able.len() + 1);
        choice.checked_sub(1).map(|choice| waiting.remove(able[choice]))
    }
}

/// Lets interrupts come.
fn step() {
    CORE.with(|core| {
        while let Some((priority, handler)) = core.interrupt() {
            let interrupted = core.priority.replace(priority);
            handler();
            core.priority.set(interrupted);
        }
        core.time.set(core.time.get() + 1);
    });
}

fn now() -> u64 {
    CORE.with(|core| core.time.get())
}

/// Runs `f` with interrupts masked, as critical sections and lane hooks do; calls nest.
fn masked<R>(f: impl FnOnce() -> R) -> R {
    step();
    let found = CORE.with(|core| core.masked.replace(true));
    let result = f();
    CORE.with(|core| core.masked.set(found));
    step();
    result
}

/// Runs the main program once, with interrupts wherever they may come; what has not come until
/// its end comes then.
fn run(handlers: Vec<Handler>, main: impl FnOnce()) {
    CORE.with(|core| {
        core.masked.set(false);
        core.priority.set(0);
        core.spurious.set(1);
        core.time.set(0);
        core.waiting.replace(handlers);
        main();
        for (priority, handler) in core.waiting.take() {
            core.priority.set(priority);
            handler();
        }
    });
}

/// A word of this core's memory.
#[derive(Debug, Default)]
struct Local(Place<u32>);

impl Atom for Local {
    type Value = u32;

    fn load(&self, _: Ordering) -> u32 {
        step();
        self.0.get()
    }

    fn store(&self, value: u32, _: Ordering) {
        step();
        self.0.set(value);
    }

    /// A core sees its own stores in order.
    fn fence(_: Ordering) {}
}

impl Sharable for Local {
    fn fetch_add(&self, n: u32, _: Ordering) {
        step();
        self.0.set(self.0.get().wrapping_add(n));
    }

    fn fetch_max(&self, value: u32, _: Ordering) {
        step();
        self.0.set(self.0.get().max(value));
    }

    fn compare_exchange(&self, old: u32, new: u32, _: Ordering, _: Ordering) -> Result<u32, u32> {
        step();
        let found = self.0.get();
        if found != old {
            return Err(found);
        }
        self.0.set(new);
        Ok(found)
    }

    fn compare_exchange_weak(
        &self,
        old: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        let left = CORE.with(|core| core.spurious.get());
        if left > 0 && choose(2) == 1 {
            CORE.with(|core| core.spurious.set(left - 1));
            step();
            return Err(self.0.get());
        }
        self.compare_exchange(old, new, success, failure)
    }

    fn exclusively<R>(f: impl FnOnce() -> R) -> R {
        masked(f)
    }
}

/// The words of a histogram, as far as this module is concerned.
#[derive(Default)]
struct Words {
    count: Cell<Local>,
    sum: [Cell<Local>; split::WORDS],
    max: Cell<Local>,
}

/// How a record is protected.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Backend {
    /// Masked sections: critical-section, and the lanes of cores.
    Masked,
    /// Read-modify-write.
    Native,
    /// Nothing: right for one writer only, and broken for several.
    Bare,
}

impl Words {
    fn record(&self, backend: Backend, value: u32) {
        let all = |section: Section| {
            section.add(&self.count, 1);
            split::add(section, &self.sum, value);
            section.raise(&self.max, value);
        };
        match backend {
            Backend::Masked => masked(|| all(Section::alone(0))),
            Backend::Native => all(Section::shared(0)),
            Backend::Bare => all(Section::alone(0)),
        }
    }
}

/// The values that the main program and the two handlers record. The low word of the sum carries
/// at almost every one.
const MAIN: [u32; 2] = [u32::MAX, 1 << 31];
const HANDLERS: [(u32, u32); 2] = [(1, (1 << 31) + 1), (2, u32::MAX - 1)];

/// Records from three priorities, and compares what was recorded with what is in the words.
fn records_from_three_priorities(backend: Backend) -> super::explore::Runs {
    explore(|| {
        let words = Rc::new(Words::default());
        let handlers = HANDLERS.map(|(priority, value)| {
            let words = Rc::clone(&words);
            let handler: Rc<dyn Fn()> = Rc::new(move || words.record(backend, value));
            (priority, handler)
        });
        run(handlers.into(), || MAIN.into_iter().for_each(|value| words.record(backend, value)));
        let values = MAIN.into_iter().chain(HANDLERS.map(|(_, value)| value));
        let expected = (4, values.clone().map(u64::from).sum(), values.max().unwrap_or(0));
        let found = (words.count.load(), split::read(&words.sum), words.max.load());
        if found == expected { Ok(()) } else { Err(format!("{found:x?}, not {expected:x?}")) }
    })
}

/// A masked section that an interrupt could enter would lose counts on every Cortex-M0+.
#[test]
fn model_masked_records_lose_nothing() {
    records_from_three_priorities(Backend::Masked).all_hold(30);
}

/// A carry that meets another one in a handler would lose 2^32 from a sum on every Cortex-M3.
#[test]
fn model_native_records_lose_nothing() {
    records_from_three_priorities(Backend::Native).all_hold(500);
}

/// A model that finds nothing in an unprotected increment finds nothing at all.
#[test]
fn model_bare_records_are_caught() {
    records_from_three_priorities(Backend::Bare).some_fail();
}

/// A reading of a sum: when it began and ended, and the sum that it saw.
type Reading = (u64, u64, u64);

/// Reads a sum; the order of its words is [`RIGHT`] unless the protocol shall be broken.
fn read(sum: &[Cell<Local>; split::WORDS], order: [usize; split::WORDS]) -> Reading {
    let began = now();
    let value = split::read(&order.map(|word| Cell(&sum[word].0)));
    (began, now(), value)
}

/// Checks that no reading is below one that ended before it began.
fn never_back(readings: &[Reading]) -> Result<(), String> {
    for &(_, ended, earlier) in readings {
        for &(began, _, later) in readings {
            if ended <= began && later < earlier {
                return Err(format!("{later:x} after {earlier:x} in {readings:x?}"));
            }
        }
    }
    Ok(())
}

const RIGHT: [usize; split::WORDS] = [0, 1, 2];
/// As a reader that loads `ahead` first and `behind` last.
const SWAPPED: [usize; split::WORDS] = [0, 2, 1];

/// The main program reads, handlers record.
fn main_reads(backend: Backend) -> super::explore::Runs {
    explore(|| {
        let words = Rc::new(Words::default());
        let handlers = [u32::MAX, u32::MAX, 1 << 31].into_iter().zip([1, 1, 2]);
        let handlers = handlers.map(|(value, priority)| {
            let words = Rc::clone(&words);
            let handler: Rc<dyn Fn()> = Rc::new(move || words.record(backend, value));
            (priority, handler)
        });
        let mut readings = vec![];
        run(handlers.collect(), || {
            readings.extend((0..3).map(|_| read(&words.sum, RIGHT)));
        });
        readings.push(read(&words.sum, RIGHT));
        never_back(&readings)
    })
}

/// A snapshot that is interrupted in the middle of a sum would send a value that goes back.
#[test]
fn model_sums_read_by_the_main_program_never_go_back() {
    main_reads(Backend::Masked).all_hold(1000);
    main_reads(Backend::Native).all_hold(1000);
}

/// Handlers of two priorities read, the main program records.
fn handlers_read(backend: Backend, order: [usize; split::WORDS]) -> super::explore::Runs {
    explore(|| {
        let words = Rc::new(Words::default());
        let readings: Rc<RefCell<Vec<Reading>>> = Rc::default();
        let handlers = [1, 1, 2].map(|priority| {
            let (words, readings) = (Rc::clone(&words), Rc::clone(&readings));
            let handler: Rc<dyn Fn()> = Rc::new(move || {
                let reading = read(&words.sum, order);
                readings.borrow_mut().push(reading);
            });
            (priority, handler)
        });
        run(handlers.into(), || {
            for value in [u32::MAX, u32::MAX, 5] {
                words.record(backend, value);
            }
        });
        never_back(&readings.take())
    })
}

/// A handler that takes a snapshot while the main program is in the middle of a carry, through an
/// exclusive handle, which masks nothing, or natively, would send a value that goes back.
#[test]
fn model_sums_read_by_handlers_never_go_back() {
    handlers_read(Backend::Bare, RIGHT).all_hold(1000);
    handlers_read(Backend::Native, RIGHT).all_hold(1000);
    handlers_read(Backend::Masked, RIGHT).all_hold(20);
}

/// As above, for handlers.
#[test]
fn model_sums_read_by_handlers_in_the_wrong_order_are_caught() {
    handlers_read(Backend::Bare, SWAPPED).some_fail();
}

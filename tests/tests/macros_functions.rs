//! `#[timed]`, `#[counted]`, `#[metered]`, `#[errors]` on functions and methods.

use std::cell::Cell;
use std::fmt::{self, Debug};
use std::num::ParseIntError;

use tapes_core::clock::Clock;
use tapes_core::{
    Counter, Label, Meter, Metered, RegisterError, Registry, Timer, counted, errors, layout,
    metered, metrics, timed,
};

thread_local! {
    /// Each test runs in a thread of its own, so the clocks of tests are apart.
    static TICKS: Cell<u32> = const { Cell::new(0) };
}

/// A clock for each test.
#[derive(Debug, Clone, Copy)]
struct TestClock;

impl Clock for TestClock {
    const HZ: u32 = 1_000_000;

    fn ticks(&self) -> u32 {
        TICKS.get()
    }
}

fn advance(ticks: u32) {
    TICKS.set(TICKS.get() + ticks);
}

#[derive(Debug, Clone, Copy, PartialEq, Label)]
enum Fault {
    Stall,
    Overheat,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fault")
    }
}

impl std::error::Error for Fault {}

/// A counter for one test.
macro_rules! own {
    ($($field:ident: $kind:ident $(per $labels:ty)?),*) => {
        metrics! {
            static OWN: Own = "own" { $($field: $kind $(per $labels)?),* }
        }
    };
}

/// A call would be missed when it ends early, or counted twice.
#[test]
fn every_way_out_is_timed_and_counted_once() {
    own!(time: Timer, calls: Counter, rate: Meter);

    #[timed(OWN.time, clock = TestClock)]
    #[counted(OWN.calls)]
    #[metered(OWN.rate)]
    fn half(n: Option<u32>) -> Option<u32> {
        advance(10);
        if n == Some(0) {
            return Some(0);
        }
        let n = n?;
        advance(100);
        Some(n / 2)
    }

    assert_eq!((half(None), half(Some(0)), half(Some(8))), (None, Some(0), Some(4)));
    assert_eq!((OWN.calls.value(), OWN.rate.count()), (3, 3));
    let time = OWN.time.distribution();
    assert_eq!((time.count(), time.sum(), time.max()), (3, 130, Some(110)));
}

/// A call that panics would leave the timer running.
#[test]
fn a_panic_is_timed() {
    own!(time: Timer, errors: Counter);

    #[timed(OWN.time, clock = TestClock)]
    #[errors(OWN.errors)]
    fn fails() -> Result<(), ()> {
        advance(7);
        panic!("on purpose")
    }

    assert!(std::panic::catch_unwind(fails).is_err());
    assert_eq!(OWN.time.distribution().sum(), 7);
    assert_eq!(OWN.errors.value(), 0);
}

/// A success would count as an error, or an error of `?` would not.
#[test]
fn only_errors_count() {
    own!(errors: Counter, rate: Meter, faults: Counter per Fault, rates: Meter per Fault);

    #[errors(OWN.errors)]
    #[errors(OWN.rate)]
    #[errors(OWN.faults)]
    #[errors(OWN.rates)]
    fn drive(fault: Option<Fault>) -> Result<u8, Fault> {
        fault.map_or(Ok(()), Err)?;
        Ok(1)
    }

    #[errors(OWN.faults, by = |error: &ParseIntError| {
        let _ = error;
        Fault::Overheat
    })]
    fn parse(text: &str) -> Result<u8, ParseIntError> {
        text.parse()
    }

    assert_eq!(drive(None), Ok(1));
    assert_eq!((OWN.errors.value(), OWN.rate.count()), (0, 0));
    assert!(drive(Some(Fault::Stall)).is_err() && drive(Some(Fault::Stall)).is_err());
    assert_eq!((OWN.errors.value(), OWN.rate.count()), (2, 2));
    assert_eq!(OWN.rates.of(Fault::Stall).count(), 2);
    assert!(parse("7").is_ok() && parse("x").is_err());
    assert_eq!(OWN.faults.of(Fault::Stall).value(), 2);
    assert_eq!(OWN.faults.of(Fault::Overheat).value(), 1);
}

/// A device that carries its own handles.
struct Device<'r, T> {
    time: Timer<'r, 1_000_000>,
    calls: Counter<'r>,
    rate: Meter<'r>,
    errors: Counter<'r>,
    clock: TestClock,
    state: Vec<T>,
}

/// Methods in every form: what matters is that they compile and borrow as they did before.
impl<'r, T: Clone + Debug> Device<'r, T> {
    fn new<const N: usize, const W: usize>(
        registry: &'r Registry<N, W>,
    ) -> Result<Self, RegisterError> {
        Ok(Self {
            time: registry.timer("device.time", layout!(unit = micros, max = 1 s))?,
            calls: registry.counter("device.calls")?,
            rate: registry.meter("device.rate")?,
            errors: registry.counter("device.errors")?,
            clock: TestClock,
            state: Vec::new(),
        })
    }

    #[timed(self.time, clock = self.clock)]
    #[counted(self.calls)]
    #[metered(self.rate)]
    #[errors(self.errors)]
    fn push(&mut self, (item, times): (T, usize)) -> Result<&mut [T], &'static str> {
        if times == 0 {
            return Err("nothing to do");
        }
        self.state.extend(std::iter::repeat_n(item, times));
        Ok(&mut self.state)
    }

    #[counted(self.calls)]
    #[errors(self.errors)]
    fn first<'a>(
        &'a self,
        mut default: Option<&'a T>,
    ) -> Result<&'a T, Box<dyn std::error::Error>> {
        if let Some(first) = self.state.first() {
            default = Some(first);
        }
        let Some(found) = default else { return Err(Box::new(Fault::Stall)) };
        Ok(found)
    }

    #[errors(self.errors)]
    fn all(
        &self,
        limit: usize,
    ) -> Result<impl Iterator<Item = &T> + '_, Box<dyn std::error::Error>> {
        if limit == 0 {
            Err("limit is zero")?;
        }
        Ok(self.state.iter().take(limit))
    }

    #[allow(clippy::result_large_err, reason = "handles hold a slice for each lane")]
    #[timed(self.time, clock = self.clock)]
    #[errors(self.errors)]
    fn finish(self, tail: impl IntoIterator<Item = T>) -> Result<Vec<T>, Self>
    where
        T: PartialEq,
    {
        let mut state = self.state;
        state.extend(tail);
        Ok(state)
    }
}

/// An attribute would change what a method may borrow, move or return.
#[test]
fn methods_keep_their_signatures() {
    let registry: Registry<8, 256> = Registry::new();
    let mut device = Device::new(&registry).unwrap();
    assert!(device.first(None).is_err());
    assert!(device.push((String::from("a"), 0)).is_err());
    device.push((String::from("a"), 2)).unwrap()[1].push('b');
    assert_eq!(device.first(None).unwrap(), "a");
    assert!(device.all(0).is_err());
    assert_eq!(device.all(2).unwrap().collect::<Vec<_>>(), ["a", "ab"]);
    let (time, calls, rate, errors) = (device.time, device.calls, device.rate, device.errors);
    assert_eq!(device.finish([String::new()]).ok().unwrap().len(), 3);
    assert_eq!((time.distribution().count(), calls.value(), rate.count()), (3, 4, 2));
    assert_eq!(errors.value(), 3);
}

#[derive(Metered)]
#[metrics(calls: Counter = "{}.calls", time: Timer = "{}.time" [max = 1 s])]
struct Pump;

trait Run {
    fn run(&self) -> u8;

    #[counted(Pump::METRICS.calls)]
    fn twice(&self) -> u8 {
        self.run() + self.run()
    }
}

impl Run for Pump {
    #[counted(Self::METRICS.calls)]
    #[timed(Self::METRICS.time, clock = TestClock)]
    fn run(&self) -> u8 {
        advance(3);
        1
    }
}

/// Methods of traits, given and provided, would not be counted.
#[test]
fn methods_of_traits_record() {
    assert_eq!(Pump.twice(), 2);
    assert_eq!(Pump::METRICS.calls.value(), 3);
    assert_eq!(Pump::METRICS.time.distribution().sum(), 6);
}

/// A function that never returns would not compile.
#[test]
fn functions_that_never_return_are_counted_when_called() {
    own!(time: Timer, calls: Counter);

    #[timed(OWN.time, clock = TestClock)]
    #[counted(OWN.calls)]
    fn never() -> ! {
        advance(1);
        std::panic::resume_unwind(Box::new(()))
    }

    let result = std::panic::catch_unwind(|| never());
    assert!(result.is_err());
    assert_eq!((OWN.calls.value(), OWN.time.distribution().sum()), (1, 1));
}

/// Functions with an ABI, unsafe ones, generic ones and those with patterns would lose something.
#[test]
fn qualifiers_and_generics_survive() {
    own!(calls: Counter, errors: Counter);

    #[counted(OWN.calls)]
    extern "C" fn foreign(n: u32) -> u32 {
        n
    }

    #[errors(OWN.errors)]
    fn generic<const N: usize, T: Into<u32> + Copy, F>(all: [T; N], mut f: F) -> Result<u32, Fault>
    where
        F: FnMut(u32) -> u32,
    {
        all.iter().map(|&item| Ok(f(item.into()))).sum()
    }

    #[counted(OWN.calls)]
    #[errors(OWN.errors)]
    fn shadows(counter: u8, result: u8, _running: u8) -> Result<u8, Fault> {
        Ok(counter + result + _running)
    }

    let pointer: extern "C" fn(u32) -> u32 = foreign;
    assert_eq!(pointer(3), 3);
    assert_eq!(generic([1u8, 2], |n| n * 10), Ok(30));
    assert_eq!(shadows(1, 2, 3), Ok(6));
    assert_eq!((OWN.calls.value(), OWN.errors.value()), (2, 0));
}

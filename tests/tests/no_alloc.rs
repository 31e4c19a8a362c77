//! Nothing that a device does over and over again allocates: recording, visiting, encoding frames
//! and text, rates and statistics.
//!
//! The allocator of this program counts, for each thread.

use std::alloc::{GlobalAlloc, Layout as Block, System};
use std::cell::Cell;
use std::fmt;
use std::hint::black_box;
use std::ops::ControlFlow;

use tapes_core::clock::ManualClock;
use tapes_core::metric::{Dimension, Value};
use tapes_core::rates::Rates;
use tapes_core::report::{Json, Prometheus, SerialReporter, Statsd, TextReporter};
use tapes_core::statistics::Summary;
use tapes_core::text::json::write_json;
use tapes_core::text::prometheus::{Format, write_prometheus};
use tapes_core::text::statsd::Dialect;
use tapes_core::wire::{Deframer, Epoch, Feed, Frame, Identity, Origin};
use tapes_core::{Label, Registry, Source, layout, metrics};
use tapes_std::exposition::Exposition as _;
use tapes_std::local::Local;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that ends allocates nothing that this program asks for.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call is handed to the system's allocator as it is.
#[expect(unsafe_code, reason = "an allocator is unsafe to implement")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, block: Block) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(block) }
    }

    unsafe fn alloc_zeroed(&self, block: Block) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(block) }
    }

    unsafe fn realloc(&self, old: *mut u8, block: Block, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(old, block, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, block: Block) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(old, block) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Returns how often `work` allocates on this thread.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[derive(Clone, Copy)]
enum Fault {
    Overheat,
    Stall,
}

impl Label for Fault {
    const DIMENSION: Dimension<'static> =
        Dimension { name: "fault", values: &["overheat", "stall"] };

    fn index(self) -> usize {
        self as usize
    }
}

metrics! {
    /// One of each.
    static M: AllMetrics = "all", labels(axis = "x") {
        count: Counter,
        level: UpDown,
        float: Gauge<f32> [unit = celsius],
        whole: Gauge<i32>,
        marks: Meter,
        sizes: Histogram [unit = bytes, max = 1500],
        times: Timer [unit = micros, max = 60 s, scale = 2],
        faults: Counter per Fault,
        own: Exclusive<Counter>,
    }
}

/// Text that goes nowhere.
struct Sink(usize);

impl fmt::Write for Sink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += black_box(text).len();
        Ok(())
    }
}

fn record(clock: &ManualClock<1_000_000>, i: u32) {
    M.count.increment();
    M.count.add(i);
    M.level.decrement();
    M.float.set(i as f32 * 0.37);
    M.whole.set(-7);
    M.marks.mark();
    M.sizes.record(i);
    M.sizes.record_compact(u32::MAX);
    M.times.time(clock, || clock.advance(i));
    drop(M.times.start(clock));
    M.faults.of(if i.is_multiple_of(2) { Fault::Stall } else { Fault::Overheat }).increment();
}

/// A counter that counts nothing would let everything pass.
#[test]
fn an_allocation_is_noticed() {
    assert_eq!(allocations(|| drop(black_box(Box::new(1)))), 1);
    assert!(allocations(|| drop(black_box(format!("{}", 1)))) > 0);
}

/// Recording in an interrupt would wait for, or corrupt, the heap.
#[test]
fn recording_does_not_allocate() {
    static REGISTRY: Registry<8, 512> = Registry::new();
    let clock = ManualClock::new();
    let mut own = M.own.take().unwrap();
    let counter = REGISTRY.counter("dynamic.count").unwrap();
    let timer =
        REGISTRY.timer::<1_000_000>("dynamic.time", layout!(unit = micros, max = 1 s)).unwrap();
    let mut exclusive = REGISTRY.exclusive().counter("dynamic.own").unwrap();
    let allocated = allocations(|| {
        for i in 0..1_000 {
            record(&clock, i);
            own.increment();
            counter.increment();
            timer.record(i);
            exclusive.increment();
        }
    });
    assert_eq!(allocated, 0);
    assert!(M.count.value() > 1_000 && counter.value() == 1_000);
    // Asking again for what is there is a search and nothing else.
    assert_eq!(allocations(|| _ = black_box(REGISTRY.counter("dynamic.count"))), 0);
}

/// A report would need a heap, or stop the one who records while it is short.
#[test]
fn reading_and_frames_do_not_allocate() {
    let clock = ManualClock::new();
    let identity = Identity::new(Origin::from_array([7]), Epoch::new(0, 1), 1_000_000);
    let mut reporter = SerialReporter::<9, 0, 1024>::new(identity);
    let mut rates = Rates::<4>::new(0, 1_000_000);
    let mut deframer = Deframer::<1024>::new();
    let mut line = [0; 8192];
    for i in 0..20 {
        let mut frames = 0;
        let allocated = allocations(|| {
            record(&clock, i * 1_000);
            rates.advance(u64::from(i) * 1_000_000, &M);
            let _ = M.visit(0, &mut |sample| {
                if let Value::Distribution(distribution) = sample.value {
                    black_box(Summary::of(&distribution, sample.descriptor().unit));
                }
                black_box(rates.get(sample.id, sample.cell));
                ControlFlow::Continue(())
            });
            let mut uart = line.as_mut_slice();
            let report = reporter.report(&M, u64::from(i), &mut uart).unwrap();
            let mut rest = &line[..report.bytes as usize];
            while let Feed::Frame { frame, rest: tail } = deframer.feed(rest) {
                black_box(Frame::parse(frame).unwrap().body().unwrap());
                frames += 1;
                rest = tail;
            }
            assert_eq!(frames, report.frames);
        });
        assert_eq!(allocated, 0, "report {i} of {frames} frames");
        assert!(frames > 0);
    }
}

/// A board could not serve text, or only as long as its heap lasts.
#[test]
fn text_does_not_allocate() {
    let clock = ManualClock::new();
    (0..100).for_each(|i| record(&clock, i * i * 977));
    let mut rates = Rates::<4>::new(0, 1);
    rates.advance(0, &M);
    rates.advance(6, &M);
    let rates = |id, cell| rates.get(id, cell);
    let mut sink = Sink(0);
    let allocated = allocations(|| {
        write_json(&M, &rates, &mut sink).unwrap();
        for format in [Format::Prometheus, Format::OpenMetrics] {
            write_prometheus(&M, format, &mut sink).unwrap();
        }
    });
    assert_eq!(allocated, 0);
    assert!(sink.0 > 1_000, "{} bytes", sink.0);

    fn report<S: tapes_core::report::Syntax>(syntax: S) -> usize {
        let mut reporter = TextReporter::<_, 128, 64>::new(syntax);
        let mut bytes = 0;
        reporter.begin();
        while let Some(chunk) = reporter.next_chunk(&M, &|_, _| None) {
            bytes += black_box(chunk).len();
        }
        bytes
    }
    let mut bytes = [0; 5];
    let allocated = allocations(|| {
        bytes = [
            report(Json::new()),
            report(Prometheus::new(Format::Prometheus)),
            report(Statsd::new(Dialect::Etsy)),
            report(Statsd::new(Dialect::DogStatsd)),
            report(Statsd::new(Dialect::Tapes)),
        ];
    });
    assert_eq!(allocated, 0);
    assert!(bytes.iter().all(|bytes| *bytes > 200), "{bytes:?}");
}

/// A host would allocate for each scrape what it had for the one before.
#[test]
fn pages_of_a_host_do_not_allocate_after_the_first() {
    let clock = ManualClock::new();
    let local = Local::new(&M);
    let mut text = String::new();
    let mut page = |i: u32| {
        record(&clock, i * 977);
        text.clear();
        let allocated = allocations(|| local.metrics(Format::OpenMetrics, &mut text).unwrap());
        assert!(text.ends_with("# EOF\n"), "{text}");
        allocated
    };
    assert!(page(1) > 0, "the first one makes what the others use");
    page(2);
    for i in 3..20 {
        assert_eq!(page(i), 0, "page {i}");
    }
}

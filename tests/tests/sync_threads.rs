//! Real threads, with whatever backend this build has: atomics of the machine, or with a `lanes-N`
//! feature leased lanes. The models in `core/src/sync/model` run small cases in every order; this
//! runs large ones in some.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tapes_core::metrics;

/// More threads at a time than any build has lanes.
const THREADS: u32 = 24;
/// Generations of threads, each of which takes over the lanes of the one before.
const GENERATIONS: u32 = 8;
const RECORDS: u32 = 2_000;

/// A count that is lost when a thread ends, or shares a lane, is lost for ever.
#[test]
fn threads_that_come_and_go_lose_nothing() {
    metrics! {
        static M: Generations = "generations" {
            count: Counter,
            level: UpDown,
            values: Histogram [max = 1000],
        }
    }
    for _ in 0..GENERATIONS {
        thread::scope(|scope| {
            for thread in 0..THREADS {
                scope.spawn(move || {
                    for i in 0..RECORDS {
                        M.count.increment();
                        M.level.add(if thread % 2 == 0 { 3 } else { -2 });
                        M.values.record(u32::MAX - i);
                    }
                });
            }
        });
    }
    let records = u64::from(THREADS * GENERATIONS * RECORDS);
    assert_eq!(M.count.value(), records);
    assert_eq!(M.level.value(), i64::from(THREADS / 2 * GENERATIONS * RECORDS));
    let values = M.values.distribution();
    let lost = u64::from(RECORDS) * u64::from(RECORDS - 1) / 2 * u64::from(THREADS * GENERATIONS);
    assert_eq!(values.sum(), records * u64::from(u32::MAX) - lost);
    assert_eq!(values.count(), records);
    assert_eq!(values.min(), Some(u64::from(u32::MAX - RECORDS + 1)));
    assert_eq!(values.max(), Some(u64::from(u32::MAX)));
}

/// A total that goes back while threads record is taken for a restart.
#[test]
fn totals_never_go_back_while_threads_record() {
    metrics! {
        static M: Forward = "forward" {
            count: Counter,
            values: Histogram [max = 1000],
        }
    }
    let done = AtomicBool::new(false);
    let read = || (M.count.value(), M.values.distribution().sum());
    thread::scope(|scope| {
        let recorders: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..RECORDS {
                        M.count.increment();
                        M.values.record(u32::MAX);
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            let mut before = read();
            while !done.load(Ordering::Acquire) {
                let now = read();
                assert!(now.0 >= before.0 && now.1 >= before.1, "{now:?} after {before:?}");
                before = now;
            }
        });
        for recorder in recorders {
            recorder.join().expect("recorders do not panic");
        }
        done.store(true, Ordering::Release);
    });
    let records = u64::from(THREADS * RECORDS);
    assert_eq!(read(), (records, records * u64::from(u32::MAX)));
}

/// What a thread counts while its thread-locals are dropped, after its lane was given back, would
/// be lost, or be written into the lane of its successor.
#[test]
fn a_thread_may_record_until_its_very_end() {
    metrics! {
        static M: End = "end" {
            count: Counter,
        }
    }
    struct Last;
    impl Drop for Last {
        fn drop(&mut self) {
            for _ in 0..RECORDS {
                M.count.increment();
            }
        }
    }
    thread_local! {
        static FIRST: Last = const { Last };
        static SECOND: Last = const { Last };
    }
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            thread::spawn(|| {
                // One is registered before the lane's own, one after: one is dropped too late.
                FIRST.with(|_| ());
                M.count.increment();
                SECOND.with(|_| ());
            })
        })
        .collect();
    // Joined, not scoped: a scope does not wait for the destructors.
    for thread in threads {
        thread.join().expect("recorders do not panic");
    }
    assert_eq!(M.count.value(), u64::from(THREADS) * u64::from(2 * RECORDS + 1));
}

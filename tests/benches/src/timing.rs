//! Times, by criterion: those of the processor, which other programs disturb little.

use std::path::PathBuf;
use std::sync::Barrier;
use std::time::Duration;

use cpu_time::ProcessTime;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BatchSize, Bencher, Criterion, SamplingMode};

use crate::Options;

/// How much there is to measure.
#[derive(Debug, Clone, Copy)]
struct Effort {
    samples: usize,
    warm_up_ms: u64,
    measure_ms: u64,
}

/// Time that all threads of this process took of all cores.
struct Cores;

impl Measurement for Cores {
    type Intermediate = ProcessTime;
    type Value = Duration;

    fn start(&self) -> ProcessTime {
        ProcessTime::now()
    }

    fn end(&self, start: ProcessTime) -> Duration {
        start.elapsed()
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// Returns the median time of `routine` in seconds; `setup` makes its input and is not counted.
pub(crate) fn median_s<I, O>(
    name: &str,
    options: &Options,
    setup: impl FnMut() -> I,
    routine: impl FnMut(I) -> O,
) -> f64 {
    let effort = if options.quick {
        Effort { samples: 10, warm_up_ms: 300, measure_ms: 1_500 }
    } else {
        Effort { samples: 30, warm_up_ms: 1_000, measure_ms: 4_000 }
    };
    let (mut setup, mut routine) = (setup, routine);
    measured(name, effort, |bencher| {
        bencher.iter_batched(&mut setup, &mut routine, BatchSize::PerIteration);
    }) / 1e9
}

/// Returns the median time in nanoseconds that an operation takes a core, where so many threads do
/// it at the same time; `work` does it as often as it is told.
pub(crate) fn per_operation_ns(
    name: &str,
    options: &Options,
    threads: u32,
    work: &(dyn Fn(u64) + Sync),
) -> f64 {
    let effort = if options.quick {
        Effort { samples: 10, warm_up_ms: 20, measure_ms: 60 }
    } else {
        Effort { samples: 20, warm_up_ms: 40, measure_ms: 120 }
    };
    // As many at a time as take longer than starting threads does.
    let mut batch = 1;
    while batch < 1 << 30 {
        let start = ProcessTime::now();
        work(batch);
        if start.elapsed() > Duration::from_micros(500) {
            break;
        }
        batch *= 2;
    }
    let ns = measured(name, effort, |bencher| {
        bencher.iter_custom(|times| {
            let times = times * batch;
            let barrier = Barrier::new(threads as usize);
            let start = std::thread::scope(|scope| {
                for _ in 1..threads {
                    scope.spawn(|| {
                        // So that all have what a thread gets with its first.
                        work(1);
                        barrier.wait();
                        work(times);
                    });
                }
                work(1);
                let start = ProcessTime::now();
                barrier.wait();
                work(times);
                start
            });
            start.elapsed() / threads
        });
    });
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    return ns / batch as f64;
}

/// Returns criterion's median in nanoseconds.
fn measured(name: &str, effort: Effort, mut f: impl FnMut(&mut Bencher<'_, Cores>)) -> f64 {
    let folder = std::env::temp_dir().join(format!("tapes-benches-{}", std::process::id()));
    let mut criterion = Criterion::default()
        .with_measurement(Cores)
        .without_plots()
        .output_directory(&folder)
        .sample_size(effort.samples)
        .nresamples(1_001)
        .warm_up_time(Duration::from_millis(effort.warm_up_ms))
        .measurement_time(Duration::from_millis(effort.measure_ms));
    let mut group = criterion.benchmark_group("g");
    group.sampling_mode(SamplingMode::Flat);
    group.bench_function("f", |bencher| f(bencher));
    group.finish();
    let path: PathBuf = folder.join("g/f/new/estimates.json");
    let text = std::fs::read_to_string(path).expect("criterion writes its estimates");
    let estimates: serde_json::Value = serde_json::from_str(&text).expect("they are JSON");
    let _ = std::fs::remove_dir_all(&folder);
    let nanos = estimates["median"]["point_estimate"].as_f64().expect("a median");
    eprintln!("  {name}");
    nanos
}

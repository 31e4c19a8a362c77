//! Ours beside what others would use, measured in turns.

pub(crate) mod counter;
pub(crate) mod exporter;
pub(crate) mod gauge;
pub(crate) mod histogram;
pub(crate) mod library;
pub(crate) mod lookup;
pub(crate) mod reports;
pub(crate) mod text;
pub(crate) mod threads;
pub(crate) mod timer;

use tapes_core::layout;
use tapes_core::metric::Layout;

use crate::table::{Comparison, Contestant};
use crate::timing::per_operation_ns;
use crate::{ALLOCATOR, Options};

/// From 1 µs to 60 s in 104 buckets.
pub(crate) static TIMES: &Layout = layout!(unit = micros, max = 60 s, scale = 2);

/// Copies of each word: what the feature `lanes-8` gives.
pub(crate) const LANES: usize = 8;

/// Bounds for those whose histograms take a list: 1 µs to 60 s in seconds, a factor of 2 apart.
pub(crate) fn bounds() -> impl Iterator<Item = f64> {
    (0..27).map(|i| 1e-6 * f64::from(1u32 << i))
}

/// Columns of comparisons of what several threads do.
pub(crate) const THREADS: [u32; 3] = [1, 2, 8];

/// What does an operation as often as it is told, from any thread.
pub(crate) type Work = Box<dyn Fn(u64) + Sync>;

/// One way to do a thing.
pub(crate) struct Entry {
    name: &'static str,
    note: String,
    work: Work,
    /// Most threads that can.
    threads: u32,
    /// What reads what it wrote.
    reading: Option<Work>,
}

pub(crate) fn entry(name: &'static str, note: impl Into<String>, work: Work) -> Entry {
    Entry { name, note: note.into(), work, threads: u32::MAX, reading: None }
}

impl Entry {
    /// Sets that one thread can do it, not several.
    pub(crate) fn alone(self) -> Self {
        Self { threads: 1, ..self }
    }

    /// Sets what reads what it wrote.
    pub(crate) fn reading(self, reading: Work) -> Self {
        Self { reading: Some(reading), ..self }
    }
}

/// Returns work that does `$operation` again and again; `$i` counts. The compiler is told that
/// somebody may look at memory each time, so it does not make one operation of many.
macro_rules! work {
    ($i:ident => $operation:expr) => {
        Box::new(move |times: u64| {
            for $i in 0..times {
                std::hint::black_box(());
                let _ = $operation;
            }
        })
    };
}
pub(crate) use work;

/// Returns a raw value between 0 and 2^20, other ones in turn.
#[inline(always)]
pub(crate) fn value(i: u64) -> u32 {
    std::hint::black_box((i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44) as u32)
}

/// Returns the bytes that a metric takes, what it points to included.
pub(crate) fn bytes_of<T>(mut make: impl FnMut() -> T) -> String {
    const MANY: usize = 256;
    let mut all = Vec::with_capacity(MANY);
    let before = ALLOCATOR.allocated();
    all.extend((0..MANY).map(|_| make()));
    let bytes = (ALLOCATOR.allocated() - before) / MANY + size_of::<T>();
    format!("{bytes} B")
}

/// Returns how many bytes were asked for, in words.
pub(crate) fn shown_bytes(bytes: usize) -> String {
    match bytes {
        0 => "nothing".to_owned(),
        1..10_000 => format!("{bytes} B"),
        _ => format!("{} KB", bytes / 1_000),
    }
}

/// Measures all, in turns, with each number of threads.
pub(crate) fn compare(
    title: &'static str,
    options: &Options,
    threads: &[u32],
    entries: Vec<Entry>,
) -> Comparison {
    let turns = if options.quick { 1 } else { 2 };
    let is_read = entries.iter().any(|entry| entry.reading.is_some());
    let width = threads.len() + usize::from(is_read);
    let mut times = vec![vec![None; width]; entries.len()];
    let less = |time: &mut Option<f64>, ns: f64| *time = Some(time.map_or(ns, |t| t.min(ns)));
    for _ in 0..turns {
        for (column, threads) in threads.iter().enumerate() {
            for (entry, times) in entries.iter().zip(&mut times) {
                if *threads <= entry.threads {
                    let name = format!("{title}, {}, {threads}", entry.name);
                    let ns = per_operation_ns(&name, options, *threads, &*entry.work);
                    less(&mut times[column], ns);
                }
            }
        }
        for (entry, times) in entries.iter().zip(&mut times) {
            if let Some(reading) = &entry.reading {
                let name = format!("{title}, {}, read", entry.name);
                less(&mut times[threads.len()], per_operation_ns(&name, options, 1, &**reading));
            }
        }
    }
    let shown = |n: &u32| if *n == 1 { "1 thread".to_owned() } else { format!("{n} threads") };
    let columns = threads.iter().map(shown).chain(is_read.then(|| "read once".to_owned()));
    let contestants = entries
        .into_iter()
        .zip(times)
        .map(|(Entry { name, note, .. }, ns)| Contestant { name, ns, note });
    Comparison { title, columns: columns.collect(), contestants: contestants.collect() }
}

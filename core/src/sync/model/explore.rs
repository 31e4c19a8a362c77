//! Depth-first search over every sequence of choices that a run makes.

use core::cell::RefCell;
use std::string::String;
use std::vec::Vec;

/// More runs than this are a mistake in the model: it would take minutes.
const RUNS_MAX: u64 = 20_000_000;

#[derive(Default)]
struct Path {
    /// What each choice of the run is, and how many there are to choose from.
    choices: Vec<(usize, usize)>,
    /// The choice that comes next.
    next: usize,
}

std::thread_local! {
    static PATH: RefCell<Path> = RefCell::default();
}

/// Returns one of `options` numbers from 0 on; over all runs, each.
pub(super) fn choose(options: usize) -> usize {
    PATH.with_borrow_mut(|path| {
        if path.next == path.choices.len() {
            path.choices.push((0, options));
        }
        let (choice, of) = path.choices[path.next];
        assert_eq!(of, options, "a run must depend on nothing but its choices");
        path.next += 1;
        choice
    })
}

/// What all runs together came to.
#[derive(Debug)]
pub(super) struct Runs {
    pub(super) total: u64,
    pub(super) failed: u64,
    /// The choices and the complaint of the first run that failed.
    pub(super) first_failure: Option<(Vec<usize>, String)>,
}

impl Runs {
    /// Fails the test unless every run held, and there were `at_least` so many.
    #[track_caller]
    pub(super) fn all_hold(&self, at_least: u64) {
        assert_eq!(self.first_failure, None, "{} of {} runs failed", self.failed, self.total);
        assert!(self.total >= at_least, "{} runs only: the model explores nothing", self.total);
    }

    /// Fails the test unless a run failed: what is broken on purpose must be noticed.
    #[track_caller]
    pub(super) fn some_fail(&self) {
        assert!(self.failed > 0, "none of {} runs noticed", self.total);
    }
}

/// Calls `run` once for every sequence of choices.
pub(super) fn explore(mut run: impl FnMut() -> Result<(), String>) -> Runs {
    PATH.set(Path::default());
    let mut runs = Runs { total: 0, failed: 0, first_failure: None };
    loop {
        let result = run();
        runs.total += 1;
        assert!(runs.total <= RUNS_MAX, "the model is too large");
        let more = PATH.with_borrow_mut(|path| {
            if let Err(complaint) = result {
                runs.failed += 1;
                let choices = path.choices.iter().map(|&(choice, _)| choice).collect();
                runs.first_failure.get_or_insert((choices, complaint));
            }
            path.next = 0;
            while let Some((choice, options)) = path.choices.pop() {
                if choice + 1 < options {
                    path.choices.push((choice + 1, options));
                    return true;
                }
            }
            false
        });
        if !more {
            return runs;
        }
    }
}

/// A search that skipped choices would prove nothing.
#[test]
fn model_every_sequence_of_choices_is_run_once() {
    let mut seen = Vec::new();
    let runs = explore(|| {
        let first = choose(3);
        seen.push((first, if first == 1 { choose(2) } else { 0 }));
        if first == 2 { Err("third".into()) } else { Ok(()) }
    });
    assert_eq!(seen, [(0, 0), (1, 0), (1, 1), (2, 0)]);
    assert_eq!((runs.total, runs.failed), (4, 1));
    assert_eq!(runs.first_failure, Some(([2].into(), "third".into())));
}

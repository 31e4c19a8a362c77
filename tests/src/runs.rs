//! How often tests with random input run.

/// Returns the number of runs: the variable `TAPES_RUNS` says it, else it is `default`.
///
/// # Panics
///
/// If the variable is no number.
#[must_use]
pub fn runs(default: u64) -> u64 {
    match std::env::var("TAPES_RUNS") {
        Ok(runs) => runs.parse().expect("TAPES_RUNS is a number"),
        Err(_) => default,
    }
}

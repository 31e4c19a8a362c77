use tapes_core::clock::ManualClock;
use tapes_core::{metrics, timed};

metrics! {
    static M: Metrics = "m" {
        time: Timer [unit = micros],
    }
}

static MILLIS: ManualClock<1_000> = ManualClock::new();

#[timed(M.time, clock = &MILLIS)]
fn pass() {}

fn main() {
    pass();
}

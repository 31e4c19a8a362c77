use tapes_core::clock::ManualClock;
use tapes_core::{Label, counted, errors, metered, metrics, timed};

#[derive(Clone, Copy, Label)]
enum Fault {
    Stall,
}

metrics! {
    static M: Metrics = "m" {
        calls: Counter,
        rate: Meter,
        time: Timer,
        faults: Counter per Fault,
    }
}

static CLOCK: ManualClock<1_000_000> = ManualClock::new();

#[counted(M.rate)]
fn a_meter_is_no_counter() {}

#[metered(M.calls)]
fn a_counter_is_no_meter() {}

#[timed(M.calls, clock = &CLOCK)]
fn a_counter_is_no_timer() {}

#[timed(M.time, clock = 5)]
fn a_number_is_no_clock() {}

#[errors(M.calls)]
fn no_result() -> u8 {
    0
}

#[errors(M.time)]
fn a_timer_counts_no_errors() -> Result<(), ()> {
    Ok(())
}

#[errors(M.faults)]
fn an_error_that_is_no_label() -> Result<(), String> {
    Ok(())
}

#[counted(M.nothing)]
fn unknown_metric() {}

fn main() {}

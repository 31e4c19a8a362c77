use tapes_core::clock::ManualClock;
use tapes_core::{counted, errors, metered, metrics, timed};

metrics! {
    static M: Metrics = "m" {
        calls: Counter,
        rate: Meter,
        time: Timer,
    }
}

static CLOCK: ManualClock<1_000_000> = ManualClock::new();

#[counted]
fn no_handle() {}

#[timed(M.time)]
fn no_clock() {}

#[timed(clock = &CLOCK)]
fn no_timer() {}

#[counted(M.calls, clock = &CLOCK)]
fn unknown_argument() {}

#[timed(M.time, clock = &CLOCK, clock = &CLOCK)]
fn twice() {}

#[counted(M.calls, M.calls)]
fn two_handles() {}

#[counted(M.calls, help = "Calls.")]
fn help_of_a_handle() {}

#[counted(M.calls, group = CALLS)]
fn group_of_a_handle() {}

#[counted("m calls")]
fn bad_name() {}

#[counted("m.{}.{}")]
fn two_places() {}

#[counted("m.calls", group = a::CALLS)]
fn bad_group() {}

#[timed(M.time, clock = &CLOCK, cancelled = M.calls)]
fn not_async() {}

#[errors(M.calls)]
fn no_result() {}

#[errors(M.calls)]
fn never() -> ! {
    loop {}
}

#[metered(M.rate M.rate)]
fn no_comma() {}

fn main() {}

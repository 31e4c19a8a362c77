//! Names of the prelude, of primitive types and of crates mean something else here.
#![deny(warnings)]
#![no_implicit_prelude]
#![allow(non_camel_case_types, non_snake_case, dead_code, reason = "they shadow primitive types")]

mod shadows {
    pub mod core {}
    pub mod std {}
    pub mod tapes_core {}
    pub struct Option;
    pub struct Result;
    pub struct Box;
    pub struct String;
    pub struct Vec;
    pub struct str;
    pub struct u8;
    pub struct u32;
    pub struct usize;
    pub struct bool;
    pub trait Copy {}
    pub trait Clone {}
    pub trait Debug {}
    pub trait Drop {}
    pub trait Fn {}
    pub trait FnOnce {}
    pub trait From {}
    pub trait Into {}
    pub trait Iterator {}
    pub fn drop() {}
    pub fn Some() {}
    pub fn None() {}
    pub fn Ok() {}
    pub fn Err() {}
    pub mod metric {}
    pub mod instrument {}
}

#[allow(unused_imports, reason = "it is there to be in the way")]
use shadows::*;

#[derive(::core::clone::Clone, ::core::marker::Copy, ::tapes_core::Label)]
enum Fault {
    Stall,
    Overheat,
}

::tapes_core::templates! {
    /// What every pump measures.
    struct PumpMetrics {
        /// Calls.
        calls: Counter = "{}.calls",
        /// Time.
        time: Timer = "{}.time" [max = 1 s],
        /// Faults.
        faults: Counter per Fault = "{}.faults",
    }
}

#[derive(::tapes_core::Metered)]
#[metrics(PumpMetrics)]
struct Pump;

#[derive(::tapes_core::Metered)]
#[metrics(calls: Meter = "{}.calls")]
struct Valve;

static CLOCK: ::tapes_core::clock::ManualClock<1_000_000> =
    ::tapes_core::clock::ManualClock::new();

#[::tapes_core::timed(Pump::METRICS.time, clock = &CLOCK)]
#[::tapes_core::counted(Pump::METRICS.calls)]
#[::tapes_core::metered(Valve::METRICS.calls)]
#[::tapes_core::errors(Pump::METRICS.faults)]
fn run() -> ::core::result::Result<(), Fault> {
    ::core::result::Result::Err(Fault::Stall)
}

#[::tapes_core::timed("named.{}" [max = 1 s], clock = &CLOCK, help = "Time.")]
#[::tapes_core::errors("named.errors")]
async fn named() -> ::core::result::Result<(), Fault> {
    ::core::result::Result::Err(Fault::Overheat)
}

fn main() {
    ::core::assert!(run().is_err());
    ::core::assert_eq!(Pump::METRICS.calls.value(), 1);
    ::core::assert_eq!(Valve::METRICS.calls.count(), 1);
    ::core::assert_eq!(Pump::METRICS.faults.of(Fault::Stall).value(), 1);
    let _ = named();
}

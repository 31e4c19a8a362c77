//! Metrics of functions and of types: what the attributes and derives of the feature `macros`
//! expand to, to be used by hand as well.
//!
//! | by macro | by hand |
//! |---|---|
//! | `#[timed(TIMER, clock = CLOCK)]` | `let _running = TIMER.start(CLOCK);` |
//! | the same on an `async fn` | an [`Attempt`], completed at the end |
//! | `#[counted(COUNTER)]` | `COUNTER.increment();` |
//! | `#[metered(METER)]` | `METER.mark();` |
//! | `#[errors(COUNTER)]` | [`count_error`] with the result |
//! | `#[counted("motor.calls")]` | a group of [`metrics!`](crate::metrics), or a [`Single`] |
//! | `#[derive(Metered)]` | [`templates!`](crate::templates), [`filled!`](crate::filled), an `impl` of [`Metered`] |
//!
//! ```
//! use tapes_core::{clock::ManualClock, instrument::count_error, metrics};
//!
//! metrics! {
//!     /// A sensor.
//!     static SENSOR: Sensor = "sensor" {
//!         /// Time of one reading.
//!         reading: Timer [max = 1 s],
//!         /// Readings that failed.
//!         errors: Counter,
//!     }
//! }
//!
//! static CLOCK: ManualClock<1_000_000> = ManualClock::new();
//!
//! fn read(raw: u16) -> Result<u16, &'static str> {
//!     let _running = SENSOR.reading.start(&CLOCK);
//!     let result = raw.checked_sub(100).ok_or("below the range");
//!     count_error(&SENSOR.errors, &result);
//!     result
//! }
//!
//! assert_eq!((read(250), read(7)), (Ok(150), Err("below the range")));
//! assert_eq!(SENSOR.reading.distribution().count(), 2);
//! assert_eq!(SENSOR.errors.value(), 1);
//! ```
//!
//! # Interrupts and cores
//!
//! What is here records through handles, so it may be used wherever those may.
//!
//! # Limits
//!
//! A static inside a generic function or a generic `impl` is one static, shared by all
//! instantiations. Metrics that belong to a *value* are handles held in that value, made by a
//! [`Registry`](crate::Registry).

mod attempt;
mod errors;
mod fill;
mod single;
mod templates;

pub use attempt::Attempt;
pub use errors::{CountError, count_error, count_error_by};
pub use single::Single;
pub use templates::{Metered, Templates};

/// What the macros expand to; no part of the API.
#[doc(hidden)]
pub mod __private {
    pub use super::fill::{check, fill, names, names_len};

    /// Calls `f` once, which lets the compiler know that a closure is called no more than that.
    #[inline(always)]
    pub fn call<R>(f: impl FnOnce() -> R) -> R {
        f()
    }

    /// Has a type and never a value: tells the compiler what a block returns.
    #[must_use]
    #[expect(clippy::empty_loop, reason = "never called")]
    pub fn nowhere<T>() -> T {
        loop {}
    }
}

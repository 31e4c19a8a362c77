//! Attributes and derives of `tapes_core`: metrics of functions and of types, enumerated labels.
//!
//! Use them through `tapes_core` with its feature `macros`. Each module of this package holds one
//! macro or what several share; here are only their entries.
//!
//! What they expand to is public: `tapes_core::instrument` shows how to write it by hand.
//!
//! # Attributes of functions
//!
//! [`macro@timed`], [`macro@counted`], [`macro@metered`] and [`macro@errors`] stand before functions and
//! methods with a body, `async` ones too, and leave signature, documentation and other attributes
//! as they are. Several of them may stand together. They allocate nothing and box nothing.
//!
//! The first argument says where they record, and is evaluated at each call:
//!
//! - **A handle**, any expression of the right type: `MOTOR.loops`, `self.requests`,
//!   `Self::METRICS.latency`, `FAULTS.of(Fault::Stall)`. Handles are `Copy`, so a field of `self` is copied and
//!   `self` stays free.
//! - **A name**, for which the attribute makes a metric: `#[counted("motor.passes")] fn pass()`
//!   declares `const PASS_COUNTED`, a `tapes_core::instrument::Single`, beside the function and as
//!   visible; it joins a registry by `REGISTRY.attach(&PASS_COUNTED)?`. One `{}` in the name stands for
//!   the function's. Options follow in brackets, as in `metrics!`: `"motor.pass" [max = 10 ms]`.
//!
//! | argument | meaning |
//! |---|---|
//! | `help = ".."` | help of a metric with a name |
//! | `group = PASSES`, `group = Self::PASSES` | name of the constant; in an `impl`, where it is an associated one, say `Self::` if the signature mentions neither `self` nor `Self` |
//! | `crate = path` | where `tapes_core` is; derives take `#[tapes(crate = path)]` |
//!
//! # Limits
//!
//! - In an `impl` of a trait there is no place for a constant: give a handle there.
//! - A metric with a name in a generic function or `impl` is one for all instantiations.
//! - A function that returns a future without being `async` is measured until it returns.
//! - A `const fn` cannot record.
//! - An attribute that inspects the body, such as `#[interrupt]` of cortex-m-rt, must stand below.
//! - The body of a function with `#[errors]` runs in a closure, so `#[track_caller]` does not
//!   reach into it.
#![forbid(unsafe_code)]

mod args;
mod counted;
mod errors;
mod function;
mod interned;
mod krate;
mod label;
mod metered;
mod metered_type;
mod names;
mod record;
mod timed;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, parse_macro_input};

/// Makes an enum without fields the values of a label: implements `Label`.
///
/// The label is named after the type and its values after the variants, in snake case;
/// `#[label(name = "..")]` on the type and `#[label(rename = "..")]` on a variant say otherwise. The
/// index of a variant is its position; a discriminant must say the same or nothing.
///
/// ```
/// use tapes_core::{Label, metrics};
///
/// #[derive(Clone, Copy, Label)]
/// #[label(name = "kind")]
/// enum Fault {
///     Stall,
///     #[label(rename = "over_temp")]
///     Overheat,
/// }
///
/// metrics! {
///     /// Motor control.
///     static MOTOR: Motor = "motor" {
///         /// Faults seen.
///         faults: Counter per Fault,
///     }
/// }
///
/// assert_eq!(Fault::DIMENSION.name, "kind");
/// assert_eq!(Fault::DIMENSION.values, ["stall", "over_temp"]);
/// MOTOR.faults.of(Fault::Overheat).increment();
/// assert_eq!(MOTOR.faults.of(Fault::Overheat).value(), 1);
/// ```
///
/// # Errors at compile time
///
/// Enums without variants, variants with fields, two variants with one value, discriminants other
/// than the positions, and names that are not allowed.
#[proc_macro_derive(Label, attributes(label, tapes))]
pub fn label(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    label::expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

#[doc = include_str!("../docs/derive_metered.md")]
#[proc_macro_derive(Metered, attributes(metrics, tapes))]
pub fn metered_type(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    metered_type::expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

#[doc = include_str!("../docs/timed.md")]
#[proc_macro_attribute]
pub fn timed(arguments: TokenStream, item: TokenStream) -> TokenStream {
    timed::expand(arguments.into(), item.into()).into()
}

/// Counts each call: `#[counted(COUNTER)]`; an `async fn` at its first poll.
///
/// ```
/// use tapes_core::{Registry, counted};
///
/// struct Radio;
///
/// impl Radio {
///     /// Sends one packet.
///     #[counted("radio.{}.calls", help = "Packets sent.")]
///     fn send(&mut self, _packet: &[u8]) {}
/// }
///
/// static REGISTRY: Registry<4, 4> = Registry::new();
/// REGISTRY.attach(&Radio::SEND_COUNTED)?;
/// Radio.send(b"ping");
/// assert_eq!(Radio::SEND_COUNTED.value(), 1);
/// # Ok::<(), tapes_core::RegisterError>(())
/// ```
///
/// By hand it is `COUNTER.increment();`, the first statement of the function.
#[proc_macro_attribute]
pub fn counted(arguments: TokenStream, item: TokenStream) -> TokenStream {
    counted::expand(arguments.into(), item.into()).into()
}

/// Marks a meter at each call: `#[metered(METER)]`; an `async fn` at its first poll.
///
/// ```
/// use tapes_core::metered;
///
/// #[metered("motor.commands", group = COMMANDS)]
/// fn command(_speed: i32) {}
///
/// command(12);
/// assert_eq!(COMMANDS.count(), 1);
/// ```
///
/// By hand it is `METER.mark();`, the first statement of the function.
#[proc_macro_attribute]
pub fn metered(arguments: TokenStream, item: TokenStream) -> TokenStream {
    metered::expand(arguments.into(), item.into()).into()
}

/// Counts the errors that a function returns, and only those: `#[errors(HANDLE)]`.
///
/// The handle is a counter, a meter, or a family over the type of the error, in which each error
/// has its own cell. `by = closure` makes a label of errors that are none.
///
/// ```
/// use tapes_core::{Label, errors, metrics};
///
/// #[derive(Clone, Copy, Label)]
/// enum Fault {
///     Stall,
///     Overheat,
/// }
///
/// metrics! {
///     /// Motor control.
///     static MOTOR: Motor = "motor" {
///         /// Commands that failed.
///         failed: Counter,
///         /// Faults seen.
///         faults: Counter per Fault,
///     }
/// }
///
/// #[errors(MOTOR.failed)]
/// #[errors(MOTOR.faults)]
/// fn drive(amperes: u32) -> Result<u32, Fault> {
///     if amperes > 30 { Err(Fault::Stall) } else { Ok(amperes * 24) }
/// }
///
/// #[errors(MOTOR.faults, by = |_: &core::num::ParseIntError| Fault::Overheat)]
/// fn temperature(text: &str) -> Result<u32, core::num::ParseIntError> {
///     Ok(text.parse::<u32>()? / 10)
/// }
///
/// assert!(drive(2).is_ok() && drive(31).is_err() && temperature("hot").is_err());
/// assert_eq!(MOTOR.failed.value(), 1);
/// assert_eq!(MOTOR.faults.of(Fault::Stall).value(), 1);
/// assert_eq!(MOTOR.faults.of(Fault::Overheat).value(), 1);
/// ```
///
/// By hand it is `tapes_core::instrument::count_error` with the result, or
/// `count_error_by`. `by` runs after the body and cannot use
/// arguments that the body took.
#[proc_macro_attribute]
pub fn errors(arguments: TokenStream, item: TokenStream) -> TokenStream {
    errors::expand(arguments.into(), item.into()).into()
}

/// Interns the name of a declared metric: for `metrics!` only.
#[doc(hidden)]
#[proc_macro]
pub fn __interned(input: TokenStream) -> TokenStream {
    parse_macro_input!(input as interned::Name).expand().into()
}

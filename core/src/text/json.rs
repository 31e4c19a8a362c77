//! JSON: one object, nested by the dots of names.
//!
//! [`write_json`] writes any source; a [`TreeWriter`] writes parts of larger documents and takes
//! metrics one by one from those who keep them sorted.
//!
//! ```
//! use tapes_core::metrics;
//! use tapes_core::text::json::write_json;
//!
//! metrics! {
//!     /// Motor control.
//!     static MOTOR: MotorMetrics = "motor" {
//!         /// Control loop passes.
//!         loops: Counter,
//!     }
//! }
//! MOTOR.loops.add(3);
//! let mut text = String::new();
//! write_json(&MOTOR, &|_, _| None, &mut text)?;
//! assert_eq!(text, r#"{"motor":{"loops":{"value":3}}}"#);
//! # Ok::<(), std::fmt::Error>(())
//! ```
//!
//! | kind | keys |
//! |---|---|
//! | counter, up/down counter, gauge | `value` |
//! | meter | `count m1 m5 m15 mean_rate` |
//! | histogram | `count sum min max mean stddev q50 q75 q95 q98 q99 q999` |
//! | timer | those of meter and histogram |
//!
//! Values are in base units, durations in seconds, rates per second; statistics of nothing are 0.
//! What is not a number, an unset gauge or a rate that nobody keeps, is `null`. Integers, sums,
//! minima and maxima are exact.
//!
//! The metrics of a family are one level further down, under the values of their enumerated
//! labels: `{"faults":{"overheat":{"value":3},"stall":{"value":0}}}`.
//!
//! **Limits.** Constant labels are not part of the tree.

mod token;
mod tree;

use core::cmp::Ordering;
use core::fmt::{Result, Write};
use core::ops::ControlFlow;

pub use tree::TreeWriter;

use crate::rates::RateReading;
use crate::snapshot::Source;

/// Compares names segment by segment, so that all of a branch are next to each other and to a
/// metric that has the name of the branch.
///
/// ```
/// use tapes_core::text::json::name_order;
///
/// let mut names = ["motor-2", "motor.loops", "motor"];
/// names.sort_by(|a, b| name_order(a, b));
/// assert_eq!(names, ["motor", "motor.loops", "motor-2"]);
/// ```
#[must_use]
pub fn name_order(a: &str, b: &str) -> Ordering {
    // A dot sorts before everything else; no other byte of a name is below it but `-`.
    let key = |byte: u8| if byte == b'.' { 0 } else { byte };
    a.bytes().map(key).cmp(b.bytes().map(key))
}

/// Writes all metrics of `source` as one object, without a line feed.
///
/// `rates` says the rates of the meter or timer with an id and cell; they are `null` where it does
/// not know. Looks at every metric once for each metric, to find the next name in order without
/// memory; those who can sort should use a [`TreeWriter`].
///
/// # Errors
///
/// Only those of `out`.
pub fn write_json<S>(
    source: &S,
    rates: &dyn Fn(u32, u32) -> Option<RateReading>,
    out: &mut dyn Write,
) -> Result
where
    S: Source + ?Sized,
{
    let mut tree = TreeWriter::new(out)?;
    let mut last = None;
    while let Some((name, id)) = next_by_name(source, last) {
        let mut result = Ok(());
        let _ = source.visit(id, &mut |sample| {
            if sample.id != id {
                return ControlFlow::Break(());
            }
            let rates = rates(sample.id, sample.cell);
            result = tree.metric(&sample.descriptor(), sample.cell, &sample.value, rates);
            if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        result?;
        last = Some(name);
    }
    tree.finish()
}

/// Returns the first name after `last`, and the id it has.
pub(crate) fn next_by_name<'s, S: Source + ?Sized>(
    source: &'s S,
    last: Option<&str>,
) -> Option<(&'s str, u32)> {
    let mut next: Option<(&'s str, u32)> = None;
    let _ = source.visit(0, &mut |sample| {
        let name = sample.descriptor().name;
        let is_after = last.is_none_or(|last| name_order(name, last) == Ordering::Greater);
        let is_nearer = next.is_none_or(|(next, _)| name_order(name, next) == Ordering::Less);
        if is_after && is_nearer {
            next = Some((name, sample.id));
        }
        ControlFlow::Continue(())
    });
    next
}

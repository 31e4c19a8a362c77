//! `#[derive(Label)]`: names, values and indices.

use tapes_core::{Label, LabelSet, metrics};

#[derive(Debug, Clone, Copy, PartialEq, Label)]
enum Fault {
    Stall,
    #[label(rename = "over temp, °C")]
    Overheat,
    I2cBus = 2,
    r#HTTPError,
}

#[derive(Clone, Copy, Label)]
#[label(name = "kind")]
#[repr(u8)]
enum Only {
    One = 0,
}

#[derive(Clone, Copy, Label)]
enum Axis {
    X,
    Y,
}

metrics! {
    /// Faults by axis.
    static FAULTS: Faults = "faults" {
        /// Faults seen.
        seen: Counter per (Axis, Fault),
    }
}

/// A label's name or value would depend on the spelling of the identifier.
#[test]
fn names_are_snake_case_unless_renamed() {
    assert_eq!(Fault::DIMENSION.name, "fault");
    assert_eq!(Fault::DIMENSION.values, ["stall", "over temp, °C", "i2c_bus", "http_error"]);
    assert_eq!((Only::DIMENSION.name, Only::DIMENSION.values), ("kind", ["one"].as_slice()));
}

/// A cell would be counted under the value of another.
#[test]
fn indices_are_the_positions_of_values() {
    let faults = [Fault::Stall, Fault::Overheat, Fault::I2cBus, Fault::r#HTTPError];
    for (position, fault) in faults.into_iter().enumerate() {
        assert_eq!(fault.index(), position, "{fault:?}");
    }
    assert_eq!(Only::One.index(), 0);
}

/// A product of derived labels would mix up its cells.
#[test]
fn derived_labels_make_families() {
    assert_eq!(<(Axis, Fault)>::COMBINATIONS, 8);
    FAULTS.seen.of((Axis::Y, Fault::Stall)).increment();
    FAULTS.seen.of((Axis::X, Fault::I2cBus)).add(3);
    assert_eq!(FAULTS.seen.of((Axis::Y, Fault::Stall)).value(), 1);
    assert_eq!(FAULTS.seen.of((Axis::X, Fault::I2cBus)).value(), 3);
    assert_eq!(FAULTS.seen.of((Axis::X, Fault::Stall)).value(), 0);
}

/// A reporter that takes its sizes from the group would have too short a buffer.
#[test]
fn the_type_knows_its_sizes() {
    metrics! {
        static SIZES: Sizes = "sizes" {
            short: Timer [max = 1 ms, scale = 0],
            long: Histogram per (Axis, Fault) [max = 1_000_000, scale = 4],
            middle: Timer [max = 1 s],
        }
    }
    let long = SIZES.long.of((Axis::Y, Fault::Stall)).distribution().geometry().len;
    assert!(SIZES.middle.distribution().geometry().len < long);
    assert!(SIZES.short.distribution().geometry().len < long);
    assert_eq!((Sizes::BUCKETS, Faults::BUCKETS), (long, 0));
    assert_eq!((Sizes::METRICS, Faults::METRICS), (3, 1));
    assert_eq!(Sizes::WORDS, SIZES.group().words());
}

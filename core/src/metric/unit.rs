//! Units of measurement: a base unit and how many raw steps make one of it.

use super::bytes::{Reader, Writer};

/// Longest name of a unit that is not in the table, in bytes.
pub const UNIT_NAME_LEN_MAX: usize = 32;

/// A base unit, as Prometheus and OpenTelemetry name them: no prefixes, plural.
///
/// ```
/// use tapes_core::metric::{BaseUnit, Unit};
///
/// assert_eq!(Unit::MICROS.base(), BaseUnit::Seconds);
/// assert_eq!(BaseUnit::Celsius.name(), "celsius");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BaseUnit<'a> {
    /// A plain number.
    None,
    /// Time.
    Seconds,
    /// Data.
    Bytes,
    /// Temperature.
    Celsius,
    /// A part of a whole, 0 to 1.
    Ratio,
    /// Electrical potential.
    Volts,
    /// Electrical current.
    Amperes,
    /// Power.
    Watts,
    /// Energy.
    Joules,
    /// Frequency.
    Hertz,
    /// Length.
    Meters,
    /// Mass.
    Grams,
    /// Any other unit, by its name.
    Other(&'a str),
}

/// Names of the units with a code of their own; the index is the code on the wire.
const NAMES: [&str; 12] = [
    "", "seconds", "bytes", "celsius", "ratio", "volts", "amperes", "watts", "joules", "hertz",
    "meters", "grams",
];

/// Code on the wire of a unit that carries its name.
pub(super) const OTHER_CODE: u8 = 255;

impl<'a> BaseUnit<'a> {
    /// Returns the name as Prometheus uses it as a suffix, `""` for a plain number.
    #[must_use]
    pub const fn name(self) -> &'a str {
        match self {
            Self::Other(name) => name,
            known => NAMES[known.code() as usize % NAMES.len()],
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Seconds => 1,
            Self::Bytes => 2,
            Self::Celsius => 3,
            Self::Ratio => 4,
            Self::Volts => 5,
            Self::Amperes => 6,
            Self::Watts => 7,
            Self::Joules => 8,
            Self::Hertz => 9,
            Self::Meters => 10,
            Self::Grams => 11,
            Self::Other(_) => OTHER_CODE,
        }
    }
}

/// A unit: raw values divided by `per` are in the base unit.
///
/// Microseconds are `{ base: Seconds, per: 1_000_000 }`. Histograms fold `per` into their bucket
/// thresholds, so a device never divides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Unit<'a> {
    base: BaseUnit<'a>,
    /// Raw steps in one base unit; at least 1.
    per: u32,
}

impl Unit<'static> {
    /// A plain number.
    pub const NONE: Self = Self::new(BaseUnit::None, 1);
    /// Whole seconds.
    pub const SECONDS: Self = Self::ticks(1);
    /// Milliseconds.
    pub const MILLIS: Self = Self::ticks(1_000);
    /// Microseconds.
    pub const MICROS: Self = Self::ticks(1_000_000);
    /// Nanoseconds.
    pub const NANOS: Self = Self::ticks(1_000_000_000);
    /// Bytes.
    pub const BYTES: Self = Self::new(BaseUnit::Bytes, 1);
    /// Degrees Celsius.
    pub const CELSIUS: Self = Self::new(BaseUnit::Celsius, 1);
    /// A part of a whole, 0 to 1.
    pub const RATIO: Self = Self::new(BaseUnit::Ratio, 1);
    /// Volts.
    pub const VOLTS: Self = Self::new(BaseUnit::Volts, 1);
    /// Amperes.
    pub const AMPERES: Self = Self::new(BaseUnit::Amperes, 1);

    /// Returns the unit of ticks of a clock that runs at `hz` ticks a second.
    #[must_use]
    pub const fn ticks(hz: u32) -> Self {
        Self::new(BaseUnit::Seconds, hz)
    }
}

impl<'a> Unit<'a> {
    /// Returns a unit of which `per` raw steps make one `base`; a `per` of 0 counts as 1.
    #[must_use]
    pub const fn new(base: BaseUnit<'a>, per: u32) -> Self {
        Self { base, per: if per == 0 { 1 } else { per } }
    }

    /// Returns the base unit.
    #[must_use]
    pub const fn base(self) -> BaseUnit<'a> {
        self.base
    }

    /// Returns the name of the base unit, `""` for a plain number.
    #[must_use]
    pub const fn name(self) -> &'a str {
        self.base.name()
    }

    /// Returns how many raw steps make one base unit, at least 1.
    #[must_use]
    pub const fn per(self) -> u32 {
        self.per
    }

    /// Appends the unit: its code, then for all but a plain number its `per`, then for
    /// [`BaseUnit::Other`] its name. A scaled plain number is written as `Other("")`.
    pub(crate) const fn write(self, out: &mut Writer<'_>) {
        let code = match self.base {
            BaseUnit::None if self.per != 1 => OTHER_CODE,
            base => base.code(),
        };
        out.u8(code);
        if code != 0 {
            out.uvarint(self.per as u64);
        }
        if code == OTHER_CODE {
            out.bytes(self.base.name().as_bytes());
        }
    }

    /// Reads what [`write`](Self::write) wrote; `None` if malformed or unknown.
    pub(crate) const fn read(input: &mut Reader<'a>) -> Option<Self> {
        let Some(code) = input.u8() else { return None };
        if code == 0 {
            return Some(Self { base: BaseUnit::None, per: 1 });
        }
        let Some(per) = input.uvarint32() else { return None };
        let base = match code {
            1 => BaseUnit::Seconds,
            2 => BaseUnit::Bytes,
            3 => BaseUnit::Celsius,
            4 => BaseUnit::Ratio,
            5 => BaseUnit::Volts,
            6 => BaseUnit::Amperes,
            7 => BaseUnit::Watts,
            8 => BaseUnit::Joules,
            9 => BaseUnit::Hertz,
            10 => BaseUnit::Meters,
            11 => BaseUnit::Grams,
            OTHER_CODE => match input.str() {
                Some(name) if name.is_empty() => BaseUnit::None,
                Some(name) => BaseUnit::Other(name),
                None => return None,
            },
            _ => return None,
        };
        if per == 0 { None } else { Some(Self { base, per }) }
    }
}

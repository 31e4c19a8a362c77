//! Names to register under: given as they are, or rendered from a template.

use heapless::String;

use crate::error::RegisterError;
use crate::name::{NAME_LEN_MAX, NameError, check_metric_name};

/// A name to register a metric under.
///
/// - a `&'static str`, used as it is;
/// - a pair of a template and an argument, `("wheel.{}.speed", 3)` or `("wheel.{}.speed", "left")`:
///   the one `{}` is replaced by the argument;
/// - with `std`, any `&str`, which is copied when the metric is new.
///
/// Rendering does not allocate. Without `std` a rendered name is kept in one of the registry's
/// `RENDERED` places, 64 bytes each.
///
/// ```
/// use tapes_core::{MetricName, RegisterError, Registry};
///
/// static REGISTRY: Registry<4, 4, 1> = Registry::new();
///
/// fn count<'n>(name: impl Into<MetricName<'n>>) -> Result<u64, RegisterError> {
///     let counter = REGISTRY.counter(name)?;
///     counter.increment();
///     Ok(counter.value())
/// }
/// assert_eq!((count("wheel.3.turns")?, count(("wheel.{}.turns", 3))?), (1, 2));
/// # Ok::<(), RegisterError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct MetricName<'n>(Inner<'n>);

#[derive(Debug, Clone, Copy)]
enum Inner<'n> {
    #[cfg(not(feature = "std"))]
    Static(&'static str),
    #[cfg(feature = "std")]
    Borrowed(&'n str),
    Template(&'static str, Argument<'n>),
    /// A prefix and a name, joined by a dot.
    #[cfg(feature = "std")]
    Prefixed(&'static str, &'n str),
}

#[derive(Debug, Clone, Copy)]
enum Argument<'n> {
    Text(&'n str),
    Number(u32),
}

impl MetricName<'_> {
    #[cfg(feature = "std")]
    pub(super) const fn prefixed<'n>(prefix: &'static str, name: &'n str) -> MetricName<'n> {
        MetricName(Inner::Prefixed(prefix, name))
    }

    /// Returns the name if it can be kept by reference.
    #[cfg(not(feature = "std"))]
    pub(super) const fn as_static(&self) -> Option<&'static str> {
        match self.0 {
            Inner::Static(name) => Some(name),
            Inner::Template(..) => None,
        }
    }

    /// Renders and checks the name.
    pub(super) fn render<'b>(&self, buffer: &'b mut Buffer) -> Result<&'b str, RegisterError> {
        match self.0 {
            #[cfg(not(feature = "std"))]
            Inner::Static(name) => push(buffer, name)?,
            #[cfg(feature = "std")]
            Inner::Borrowed(name) => push(buffer, name)?,
            #[cfg(feature = "std")]
            Inner::Prefixed(prefix, name) => {
                push(buffer, prefix)?;
                push(buffer, ".")?;
                push(buffer, name)?;
            }
            Inner::Template(template, argument) => {
                let (before, after) =
                    around_place(template).ok_or(RegisterError::Name(NameError::Template))?;
                if around_place(after).is_some() {
                    return Err(RegisterError::Name(NameError::Template));
                }
                push(buffer, before)?;
                match argument {
                    Argument::Text(text) => push(buffer, text)?,
                    Argument::Number(number) => push_number(buffer, number)?,
                }
                push(buffer, after)?;
            }
        }
        let name = buffer.as_str();
        check_metric_name(name)?;
        Ok(name)
    }
}

#[cfg(not(feature = "std"))]
impl From<&'static str> for MetricName<'_> {
    fn from(name: &'static str) -> Self {
        Self(Inner::Static(name))
    }
}

#[cfg(feature = "std")]
impl<'n> From<&'n str> for MetricName<'n> {
    fn from(name: &'n str) -> Self {
        Self(Inner::Borrowed(name))
    }
}

#[cfg(feature = "std")]
impl<'n> From<&'n std::string::String> for MetricName<'n> {
    fn from(name: &'n std::string::String) -> Self {
        Self(Inner::Borrowed(name))
    }
}

impl<'n> From<(&'static str, &'n str)> for MetricName<'n> {
    fn from((template, argument): (&'static str, &'n str)) -> Self {
        Self(Inner::Template(template, Argument::Text(argument)))
    }
}

impl From<(&'static str, u32)> for MetricName<'_> {
    fn from((template, argument): (&'static str, u32)) -> Self {
        Self(Inner::Template(template, Argument::Number(argument)))
    }
}

/// Returns what lies before and behind the first `{}`. `str::split_once` would do, but it can panic.
fn around_place(template: &str) -> Option<(&str, &str)> {
    let at = template.as_bytes().windows(2).position(|pair| pair == b"{}")?;
    let (before, rest) = template.split_at_checked(at)?;
    Some((before, rest.get(2..)?))
}

/// Where a name is rendered: on the stack of whoever registers.
pub(super) type Buffer = String<NAME_LEN_MAX>;

/// A rendered name as a registry keeps it without an allocator: 64 bytes with its length.
#[cfg(not(feature = "std"))]
pub(super) type Rendered = String<63, u8>;

/// The error of a name that does not fit where it is to go.
pub(super) const fn too_long() -> RegisterError {
    RegisterError::Name(NameError::TooLong)
}

fn push(buffer: &mut Buffer, text: &str) -> Result<(), RegisterError> {
    buffer.push_str(text).map_err(|_| too_long())
}

fn push_number(buffer: &mut Buffer, number: u32) -> Result<(), RegisterError> {
    let mut digits = String::<10>::new();
    let mut unit = 1_000_000_000;
    while unit > 0 {
        let digit = number / unit % 10;
        if digit > 0 || !digits.is_empty() || unit == 1 {
            let digit = char::from_digit(digit, 10).unwrap_or_default();
            digits.push(digit).map_err(|_| too_long())?;
        }
        unit /= 10;
    }
    push(buffer, &digits)
}

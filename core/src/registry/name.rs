//! Names to register under: given as they are, or rendered from a template.

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
            Inner::Static(name) => buffer.push(name.as_bytes())?,
            #[cfg(feature = "std")]
            Inner::Borrowed(name) => buffer.push(name.as_bytes())?,
            #[cfg(feature = "std")]
            Inner::Prefixed(prefix, name) => {
                buffer.push(prefix.as_bytes())?;
                buffer.push(b".")?;
                buffer.push(name.as_bytes())?;
            }
            Inner::Template(template, argument) => {
                let (before, after) =
                    around_place(template).ok_or(RegisterError::Name(NameError::Template))?;
                if around_place(after).is_some() {
                    return Err(RegisterError::Name(NameError::Template));
                }
                buffer.push(before.as_bytes())?;
                match argument {
                    Argument::Text(text) => buffer.push(text.as_bytes())?,
                    Argument::Number(number) => buffer.push_number(number)?,
                }
                buffer.push(after.as_bytes())?;
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
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: [u8; NAME_LEN_MAX],
    len: usize,
}

impl Buffer {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; NAME_LEN_MAX], len: 0 }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), RegisterError> {
        for byte in bytes {
            let free = self.bytes.get_mut(self.len);
            *free.ok_or(RegisterError::Name(NameError::TooLong))? = *byte;
            self.len = self.len.saturating_add(1);
        }
        Ok(())
    }

    fn push_number(&mut self, number: u32) -> Result<(), RegisterError> {
        let mut digits = [0u8; 10];
        let mut rest = number;
        let mut used = 0;
        for digit in digits.iter_mut().rev() {
            let value = (rest % 10) as u8;
            *digit = b'0' | value;
            rest /= 10;
            used += 1;
            if rest == 0 {
                break;
            }
        }
        let first = digits.len().saturating_sub(used);
        self.push(digits.get(first..).unwrap_or_default())
    }

    fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        // Pieces of strings joined at their ends are a string.
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

/// A rendered name as a registry keeps it without an allocator.
#[cfg(not(feature = "std"))]
#[derive(Debug)]
pub(super) struct Rendered {
    len: u8,
    bytes: [u8; RENDERED_LEN_MAX],
}

/// Longest rendered name without an allocator, in bytes.
#[cfg(not(feature = "std"))]
const RENDERED_LEN_MAX: usize = 63;

#[cfg(not(feature = "std"))]
impl Rendered {
    pub(super) fn new(name: &str) -> Result<Self, RegisterError> {
        let mut bytes = [0; RENDERED_LEN_MAX];
        let too_long = RegisterError::Name(NameError::TooLong);
        let place = bytes.get_mut(..name.len()).ok_or(too_long)?;
        for (to, from) in place.iter_mut().zip(name.as_bytes()) {
            *to = *from;
        }
        Ok(Self { len: u8::try_from(name.len()).map_err(|_| too_long)?, bytes })
    }

    pub(super) fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

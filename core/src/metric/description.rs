//! What a metric is, as a reader gets it: encoded or by its parts, and not looked at before
//! somebody asks.

#[cfg(feature = "wire")]
use super::bytes::Writer;
use super::descriptor::Descriptor;
use super::kind::{Buckets, Kind};
use super::unit::{OTHER_CODE, Unit};

/// Something that knows all about a metric but its name.
///
/// ```
/// use tapes_core::metric::{Describe, Description, Descriptor, Kind, Unit};
///
/// /// A channel of a converter: all alike but for their names.
/// struct Channel;
///
/// impl Describe for Channel {
///     fn describe<'s>(&'s self, name: &'s str) -> Descriptor<'s> {
///         Descriptor::new(name, Kind::GaugeFloat, Unit::VOLTS)
///     }
/// }
/// assert_eq!(Description::new("adc.0", &Channel).descriptor().unit, Unit::VOLTS);
/// ```
pub trait Describe: Sync {
    /// Returns the description of a metric called `name`.
    fn describe<'s>(&'s self, name: &'s str) -> Descriptor<'s>;
}

impl Describe for Descriptor<'_> {
    fn describe<'s>(&'s self, name: &'s str) -> Descriptor<'s> {
        Descriptor { name, ..*self }
    }
}

/// What a metric is: its [`Descriptor`], or where to get it.
///
/// Sources hand out these because most readers do not look: names are checked to be UTF-8, and
/// texts taken apart, only for those who do.
#[derive(Clone, Copy)]
pub struct Description<'s> {
    inner: Inner<'s>,
    /// Writes the body where it is not to be copied as it is.
    #[cfg(feature = "wire")]
    write: Option<Write>,
}

#[derive(Clone, Copy)]
enum Inner<'s> {
    /// The body of an entry that was made at compile time.
    Encoded(&'s [u8]),
    Parts {
        name: &'s str,
        rest: &'s dyn Describe,
    },
}

/// Writes the body of an entry, with or without the help. Called through a pointer, so that an image
/// is linked only with what its metrics need.
#[cfg(feature = "wire")]
pub(super) type Write = fn(&Description<'_>, help: bool, &mut Writer<'_>);

impl core::fmt::Debug for Description<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.descriptor().fmt(f)
    }
}

impl<'s> Description<'s> {
    /// Returns the description of a metric by its name and all the rest.
    pub fn new(name: &'s str, rest: &'s dyn Describe) -> Self {
        Self {
            inner: Inner::Parts { name, rest },
            #[cfg(feature = "wire")]
            write: Some(write_parts),
        }
    }

    /// Returns the description in the body of an entry, which must have been made by
    /// [`Descriptor::write_body`].
    pub(super) const fn encoded(
        body: &'s [u8],
        #[cfg(feature = "wire")] write: Option<Write>,
    ) -> Self {
        Self {
            inner: Inner::Encoded(body),
            #[cfg(feature = "wire")]
            write,
        }
    }

    /// Returns the descriptor; reads an entry if it must, some cycles for each of its bytes.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor<'s> {
        match self.inner {
            // What was made at compile time can be read.
            Inner::Encoded(body) => Descriptor::read_body(body).unwrap_or(UNREADABLE),
            Inner::Parts { name, rest } => rest.describe(name),
        }
    }

    /// Returns where the description is: what tells it from those of other metrics of a source,
    /// without a look at it.
    ///
    /// ```
    /// use tapes_core::metric::{Description, Descriptor, Kind, Unit};
    /// let counter = Descriptor::new("", Kind::Counter, Unit::NONE);
    /// let [left, right] = [Description::new("left", &counter), Description::new("right", &counter)];
    /// assert!(left.address() == left.address() && left.address() != right.address());
    /// ```
    #[must_use]
    pub fn address(&self) -> usize {
        match self.inner {
            Inner::Encoded(body) => body.as_ptr().addr(),
            Inner::Parts { name, .. } => name.as_ptr().addr(),
        }
    }

    /// Appends the body of the entry, with or without the help.
    #[cfg(feature = "wire")]
    pub(crate) fn write(&self, help: bool, out: &mut Writer<'_>) {
        match (self.write, self.inner) {
            (Some(write), _) => write(self, help, out),
            (None, Inner::Encoded(body)) => out.raw(body),
            (None, Inner::Parts { .. }) => {}
        }
    }
}

/// Writes a body that was made at compile time.
#[cfg(feature = "wire")]
pub(super) fn write_encoded(description: &Description<'_>, help: bool, out: &mut Writer<'_>) {
    let Inner::Encoded(body) = description.inner else { return };
    if help {
        out.raw(body);
    } else {
        let (head, tail) = around_help(body).unwrap_or_default();
        out.raw(head);
        out.u8(0);
        out.raw(tail);
    }
}

#[cfg(feature = "wire")]
fn write_parts(description: &Description<'_>, help: bool, out: &mut Writer<'_>) {
    let mut descriptor = description.descriptor();
    if !help {
        descriptor.help = "";
    }
    descriptor.write_body(out);
}

/// What the descriptor of an entry would be that cannot be read, which there is not.
const UNREADABLE: Descriptor<'static> = Descriptor::new("", Kind::Counter, Unit::NONE);

/// Returns what lies before and behind the help in the body of an entry.
#[cfg(feature = "wire")]
fn around_help(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut walk = Walk(body);
    walk.name();
    let head = body.get(..body.len().checked_sub(walk.0.len())?)?;
    walk.bytes();
    Some((head, walk.0))
}

/// Reads the kind in the body of an entry that was made at compile time.
pub(super) fn kind(body: &[u8]) -> Kind {
    Walk(body).kind()
}

/// Reads the number of metrics of a family, 0 for a single one, in the body of an entry that was
/// made at compile time.
pub(super) fn family(body: &[u8]) -> u32 {
    let mut walk = Walk(body);
    walk.name();
    // Help.
    walk.bytes();
    let labels = walk.number();
    walk.skip(labels.wrapping_mul(2));
    let mut dimensions = walk.number();
    let mut family = dimensions.min(1);
    while dimensions > 0 {
        walk.bytes();
        let values = walk.number();
        walk.skip(values);
        family = family.wrapping_mul(values);
        dimensions -= 1;
    }
    family
}

/// The bodies of entries that were made at compile time and lie end to end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entries<'a>(Walk<'a>);

impl<'a> Entries<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(Walk(bytes))
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.0.is_empty() { None } else { Some(self.0.bytes()) }
    }
}

/// Reads bytes that were made at compile time and so cannot be wrong: there is nothing to check,
/// and behind the end there are zeros.
#[derive(Debug, Clone, Copy)]
struct Walk<'a>(&'a [u8]);

impl<'a> Walk<'a> {
    #[inline(never)]
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    #[inline(never)]
    fn number(&mut self) -> u32 {
        let mut byte = self.byte();
        let mut value = u32::from(byte & 0x7f);
        let mut shift = 7;
        while byte >= 0x80 {
            byte = self.byte();
            value |= u32::from(byte & 0x7f).wrapping_shl(shift);
            shift = shift.wrapping_add(7);
        }
        value
    }

    #[inline(never)]
    fn bytes(&mut self) -> &'a [u8] {
        let len = self.number() as usize;
        let (bytes, rest) = self.0.split_at_checked(len).unwrap_or((self.0, &[]));
        self.0 = rest;
        bytes
    }

    fn skip(&mut self, mut count: u32) {
        while count > 0 && !self.0.is_empty() {
            self.bytes();
            count -= 1;
        }
    }

    /// Reads up to the unit.
    // In the one loop that reads all metrics, where a kind stays in registers.
    #[inline(always)]
    fn kind(&mut self) -> Kind {
        self.byte();
        let code = self.byte();
        let mut buckets = Buckets { scale: 0, first: 0, len: 0 };
        if Kind::has_buckets(code) {
            buckets.scale = self.byte();
            let first = self.number();
            buckets.first = (first >> 1).cast_signed() ^ -(first & 1).cast_signed();
            buckets.len = self.number();
        }
        Kind::of_code(code, buckets)
    }

    /// Reads up to the help.
    #[inline(never)]
    fn name(&mut self) {
        self.byte();
        if Kind::has_buckets(self.byte()) {
            self.byte();
            self.number();
            self.number();
        }
        let unit = self.byte();
        if unit != 0 {
            self.number();
        }
        if unit == OTHER_CODE {
            self.bytes();
        }
        self.bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::{Description, kind};
    use crate::metric::bytes::Writer;
    use crate::metric::{BaseUnit, Buckets, Descriptor, Dimension, Dimensions, Kind, Labels, Unit};

    const BUCKETS: Buckets = Buckets { scale: 2, first: -80, len: 300 };
    const TWO: &[Dimension<'static>] = &[
        Dimension { name: "method", values: &["get", "put", ""] },
        Dimension { name: "ok", values: &["no", "yes"] },
    ];
    const ONE: &[Dimension<'static>] = &[Dimension { name: "only", values: &["x"] }];

    /// If this fails, a reader takes the words of one metric for those of another, or sends
    /// another description than it shows.
    #[test]
    fn the_short_way_agrees_with_the_long_one() {
        let help = "h".repeat(200);
        for kind in [Kind::Counter, Kind::GaugeDouble, Kind::Timer(BUCKETS)] {
            for unit in [Unit::NONE, Unit::MICROS, Unit::new(BaseUnit::Other("furlongs"), 300)] {
                for (dimensions, family) in [([].as_slice(), 0), (ONE, 1), (TWO, 6)] {
                    for labels in [[].as_slice(), &[("axis", "x"), ("", "")]] {
                        for help in ["", &help] {
                            let descriptor = Descriptor {
                                help,
                                labels: Labels::new(labels),
                                dimensions: Dimensions::new(dimensions),
                                ..Descriptor::new("motor.loops", kind, unit)
                            };
                            agrees(&descriptor, family);
                        }
                    }
                }
            }
        }
    }

    fn agrees(descriptor: &Descriptor<'_>, family: u32) {
        let body = |write: &dyn Fn(&mut Writer<'_>)| {
            let mut bytes = [0; 512];
            let mut out = Writer::new(&mut bytes);
            write(&mut out);
            out.written().unwrap().to_vec()
        };
        let whole = body(&|out| descriptor.write_body(out));
        let short = body(&|out| Descriptor { help: "", ..*descriptor }.write_body(out));
        assert_eq!((kind(&whole), super::family(&whole)), (descriptor.kind, family));
        let encoded = Description::encoded(
            &whole,
            #[cfg(feature = "wire")]
            Some(super::write_encoded),
        );
        assert_eq!(encoded.descriptor(), *descriptor);
        let parts = Description::new(descriptor.name, descriptor);
        assert_eq!(parts.descriptor(), *descriptor);
        #[cfg(feature = "wire")]
        for description in [encoded, parts] {
            assert_eq!(body(&|out| description.write(true, out)), whole);
            assert_eq!(body(&|out| description.write(false, out)), short);
        }
        assert!(short.len() <= whole.len());
    }
}

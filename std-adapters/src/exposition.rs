//! What servers and streams show: one interface, wherever the numbers come from.
//!
//! A [`Local`](crate::local::Local) shows a registry or group of this process; a
//! [`SharedFleet`](crate::fleet::SharedFleet) shows what devices sent.

use std::fmt;
use std::time::SystemTime;

use tapes_core::metric::{Descriptor, Sample, Value};
pub use tapes_core::text::prometheus::{Encoder, Escaping, Format};
use tapes_core::text::prometheus::{PageTemplate, PageTemplates};

mod classic;
mod live;
mod local;
mod names;
#[cfg(any(feature = "http", feature = "push"))]
pub(crate) mod protobuf;
mod tree;

pub use self::classic::{BoundsError, ClassicBuckets};
pub(crate) use self::live::Families;
pub use self::live::{LiveValue, LiveWriter, Section};
pub(crate) use self::local::{Plan, write_source};
pub(crate) use self::names::names_of;
#[cfg(any(feature = "http", feature = "push"))]
pub use self::protobuf::ProtobufWriter;
#[cfg(feature = "http")]
pub(crate) use self::tree::write_watched;
pub(crate) use self::tree::{Leaf, write_lately, write_part};

/// Takes an exposition family by family: each once, and its samples after it.
pub trait FamilyWriter {
    /// Begins a family: name, type, unit and help.
    ///
    /// # Errors
    ///
    /// Only those of the output.
    fn family(&mut self, descriptor: &Descriptor<'_>) -> fmt::Result;

    /// Says when the counts of the samples that follow began, `None` if nobody knows.
    fn start(&mut self, start: Option<SystemTime>) {
        let _ = start;
    }

    /// Writes the samples of one metric of the family, with `extra` labels before its own.
    ///
    /// # Errors
    ///
    /// Only those of the output.
    fn sample(
        &mut self,
        extra: &[(&str, &str)],
        descriptor: &Descriptor<'_>,
        cell: u32,
        value: &Value<'_>,
    ) -> fmt::Result;

    /// Writes all families of a source at once, by a template of it: see [`Encoder::fill`]. `None`
    /// if this cannot write so; then nothing was written.
    fn fill(
        &mut self,
        templates: &mut PageTemplates,
        samples: &[Sample<'_>],
        build: &dyn Fn(&mut PageTemplate),
    ) -> Option<fmt::Result> {
        let _ = (templates, samples, build);
        None
    }
}

impl FamilyWriter for Encoder<'_> {
    fn family(&mut self, descriptor: &Descriptor<'_>) -> fmt::Result {
        Encoder::family(self, descriptor)
    }

    fn sample(
        &mut self,
        extra: &[(&str, &str)],
        descriptor: &Descriptor<'_>,
        cell: u32,
        value: &Value<'_>,
    ) -> fmt::Result {
        Encoder::sample(self, extra, descriptor, cell, value)
    }

    fn fill(
        &mut self,
        templates: &mut PageTemplates,
        samples: &[Sample<'_>],
        build: &dyn Fn(&mut PageTemplate),
    ) -> Option<fmt::Result> {
        Encoder::fill(self, templates, samples, build)
    }
}

/// Which part of an exposition is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum View<'a> {
    /// Everything, each device apart.
    All,
    /// All devices added up; what came before this receiver watched is left out.
    Merged,
    /// One device.
    Device(&'a str),
}

/// Something that can be shown as a Prometheus exposition and as a JSON tree.
pub trait Exposition: Send + Sync + fmt::Debug {
    /// Writes all families of a view. Returns whether there is such a view; nothing is written if
    /// not.
    ///
    /// # Errors
    ///
    /// Those of `out`; what was written is of no use then.
    fn families(&self, view: View<'_>, out: &mut dyn FamilyWriter) -> Result<bool, fmt::Error>;

    /// Appends the part of the JSON tree below `path`, all of it for an empty path. Returns whether
    /// there is such a part; nothing is appended if not.
    ///
    /// # Errors
    ///
    /// [`fmt::Error`] if it cannot be written; what was appended is of no use then.
    fn stats(&self, path: &[&str], out: &mut String) -> Result<bool, fmt::Error>;

    /// Returns the names of all devices, each of which has a [`View::Device`].
    fn devices(&self) -> Vec<String> {
        Vec::new()
    }

    /// Writes what people watch: values with their rates, by device.
    ///
    /// # Errors
    ///
    /// [`fmt::Error`] if something cannot be read; what was written is of no use then.
    fn live(&self, out: &mut dyn LiveWriter) -> fmt::Result {
        out.section(&Section::Process);
        self.families(View::All, &mut Families(out)).map(drop)
    }

    /// Moves rates on; called every few seconds by those who serve this.
    fn advance(&self) {}

    /// Appends everything in a text format that Prometheus reads.
    ///
    /// # Errors
    ///
    /// [`fmt::Error`] if it cannot be written; what was appended is of no use then.
    fn metrics(&self, format: Format, out: &mut String) -> fmt::Result {
        let mut encoder = Encoder::new(out, format);
        self.families(View::All, &mut encoder)?;
        encoder.finish()
    }
}

//! Expositions of which all but the numbers was made before: on hosts, where one page is asked for
//! again and again.

use core::fmt::{Error, Result};
use std::string::String;
use std::vec::Vec;

use super::{Bound, ClassicBuckets, Encoder, Escaping, Family, Format, Series};
use crate::metric::{Buckets, Descriptor, Distribution, Sample, Value};

/// Templates of a source that are kept: one for each way in which somebody asks for it.
const TEMPLATES_MAX: usize = 4;

/// Most bytes that a template takes.
const SIZE_MAX: usize = 1 << 20;

/// The templates of the metrics of one source, for [`Encoder::fill`].
///
/// At most 4, each of at most 1 MiB: the text that is written, without the numbers, and 4 bytes for
/// each line, 40 for each metric and 32 for each family.
#[derive(Debug, Default)]
pub struct PageTemplates(Vec<PageTemplate>);

/// What of an exposition stays the same while its metrics do: all but the numbers.
///
/// Made of the families and samples in the order in which they are to be written.
///
/// ```
/// use tapes_core::metric::Sample;
/// use tapes_core::text::prometheus::PageTemplate;
///
/// /// For [`Encoder::fill`](tapes_core::text::prometheus::Encoder::fill), of a source in which each
/// /// metric is a family.
/// fn build(template: &mut PageTemplate, samples: &[Sample<'_>]) {
///     for (place, sample) in samples.iter().enumerate() {
///         let descriptor = sample.descriptor();
///         if sample.cell == 0 {
///             template.family(&descriptor);
///         }
///         template.sample(place, &[], &descriptor, sample.cell, &sample.value);
///     }
/// }
/// ```
#[derive(Debug)]
pub struct PageTemplate {
    format: Format,
    escaping: Escaping,
    classic: Classic,
    parts: Vec<Part>,
    /// The text up to each number, end to end.
    text: Vec<u8>,
    /// How many bytes of that are written before each number, and before headers.
    lens: Vec<u32>,
    /// Places of classic bounds, of one geometry behind the other.
    places: Vec<u16>,
    /// The last geometry, and where its places are.
    last: Option<(Buckets, Places)>,
    /// Whether it would take more than [`SIZE_MAX`]; it is empty then.
    is_too_long: bool,
}

/// A list of places among those of a template: begin and end.
type Places = (usize, usize);

#[derive(Debug)]
enum Classic {
    Scale(u8),
    Bounds(Vec<f64>),
}

/// What is written with the next lengths of a template.
#[derive(Debug)]
enum Part {
    Header,
    /// A line, of the sample at this place among all.
    Single {
        sample: usize,
        per: u32,
    },
    /// Lines of the buckets, of the infinite one, of sum and count.
    Histogram {
        sample: usize,
        per: u32,
        places: Places,
    },
}

impl PageTemplate {
    fn of(encoder: &Encoder<'_>) -> Self {
        let classic = match encoder.chosen {
            ClassicBuckets::Scale(scale) => Classic::Scale(scale),
            ClassicBuckets::Bounds(bounds) => Classic::Bounds(bounds.into()),
        };
        Self {
            format: encoder.format,
            escaping: encoder.names.writer.escaping,
            classic,
            parts: Vec::new(),
            text: Vec::new(),
            lens: Vec::new(),
            places: Vec::new(),
            last: None,
            is_too_long: false,
        }
    }

    fn is_for(&self, encoder: &Encoder<'_>) -> bool {
        let is_classic = match (&self.classic, encoder.chosen) {
            (Classic::Scale(ours), ClassicBuckets::Scale(theirs)) => *ours == theirs,
            (Classic::Bounds(ours), ClassicBuckets::Bounds(theirs)) => ours == theirs,
            _ => false,
        };
        is_classic
            && self.format == encoder.format
            && self.escaping == encoder.names.writer.escaping
    }

    /// Adds the header of a family: see [`Encoder::family`].
    pub fn family(&mut self, descriptor: &Descriptor<'_>) {
        self.push(|encoder| encoder.family(descriptor));
        self.push_part(Part::Header);
    }

    /// Adds a metric, which is the one at position `sample` of those that are written: see
    /// [`Encoder::sample`].
    pub fn sample(
        &mut self,
        sample: usize,
        extra: &[(&str, &str)],
        descriptor: &Descriptor<'_>,
        cell: u32,
        value: &Value<'_>,
    ) {
        let per = descriptor.unit.per();
        let series = Series { family: Family::of(descriptor), extra, descriptor, cell };
        if let Value::Distribution(value) = value {
            let geometry = value.geometry();
            let places = self.places_of(geometry);
            for place in self.places.get(places.0..places.1).unwrap_or_default().to_vec() {
                let bound = Bound::At { geometry, place: place.into() };
                self.push_line(&series, "_bucket", Some(bound));
            }
            self.push_line(&series, "_bucket", Some(Bound::Infinite));
            self.push_line(&series, "_sum", None);
            self.push_line(&series, "_count", None);
            self.push_part(Part::Histogram { sample, per, places });
        } else {
            self.push_line(&series, "", None);
            self.push_part(Part::Single { sample, per });
        }
    }

    /// Adds a line up to its number.
    fn push_line(&mut self, series: &Series<'_, '_>, suffix: &str, bound: Option<Bound>) {
        self.push(|encoder| {
            encoder.names.prepare(&series.family);
            series.write(encoder.out.sink(), &encoder.names, suffix, bound)
        });
    }

    /// Adds a piece that `write` writes.
    fn push(&mut self, write: impl FnOnce(&mut Encoder<'_>) -> Result) {
        if self.is_too_long {
            return;
        }
        let mut text = String::new();
        // A text takes everything.
        let _ = write(&mut self.encoder(&mut text));
        self.text.extend(text.as_bytes());
        self.lens.extend(u32::try_from(text.len()));
        let parts = size_of_val(self.parts.as_slice());
        let lists = size_of_val(self.lens.as_slice()) + size_of_val(self.places.as_slice());
        if self.text.len() + parts + lists > SIZE_MAX {
            self.parts = Vec::new();
            self.text = Vec::new();
            self.lens = Vec::new();
            self.places = Vec::new();
            self.last = None;
            self.is_too_long = true;
        }
    }

    fn push_part(&mut self, part: Part) {
        if !self.is_too_long {
            self.parts.push(part);
        }
    }

    /// Returns where the places of a geometry are.
    fn places_of(&mut self, geometry: Buckets) -> Places {
        if let Some((last, places)) = self.last
            && last == geometry
        {
            return places;
        }
        let mut text = String::new();
        let mut encoder = self.encoder(&mut text);
        let classic = (&encoder.classic, encoder.is_classic);
        let found: Vec<u16> = encoder.lines.places(geometry, classic).into();
        drop(encoder);
        let begin = self.places.len();
        self.places.extend(found);
        let places = (begin, self.places.len());
        self.last = Some((geometry, places));
        places
    }

    /// Returns an encoder like those that this is for.
    fn encoder<'w>(&'w self, text: &'w mut String) -> Encoder<'w> {
        let encoder = Encoder::new(text, self.format).with_escaping(self.escaping);
        match &self.classic {
            Classic::Scale(scale) => encoder.with_classic_scale(*scale),
            Classic::Bounds(bounds) => encoder.with_classic_bounds(bounds),
        }
    }
}

/// The text of a template, piece by piece.
struct Pieces<'t> {
    text: &'t [u8],
    lens: core::slice::Iter<'t, u32>,
}

impl<'t> Pieces<'t> {
    /// Returns the text from the next piece on, and the length of that piece.
    #[inline(always)]
    fn next(&mut self) -> (&'t [u8], usize) {
        let (text, len) = (self.text, self.lens.next().map_or(0, |len| *len as usize));
        self.text = text.get(len..).unwrap_or_default();
        (text, len)
    }
}

impl Encoder<'_> {
    /// Writes the metrics of a source by the template that there is for what this encoder writes;
    /// makes one by `build` if there is none. `samples` are those that a visit of the source came
    /// upon, all of them.
    ///
    /// Returns `None`, and writes nothing, if the template would take more than 1 MiB.
    ///
    /// A line takes some dozens of instructions, and nothing is allocated while there is a
    /// template.
    ///
    /// ```
    /// use core::ops::ControlFlow;
    /// use tapes_core::Source;
    /// use tapes_core::text::prometheus::{Encoder, Format, PageTemplates};
    ///
    /// tapes_core::metrics! {
    ///     static RADIO: RadioMetrics = "radio" { sent: Counter, lost: Counter }
    /// }
    /// RADIO.sent.add(3);
    /// let mut templates = PageTemplates::default();
    /// let mut samples = Vec::new();
    /// let _ = RADIO.visit(0, &mut |sample| {
    ///     samples.push(sample);
    ///     ControlFlow::Continue(())
    /// });
    /// let mut text = String::new();
    /// let mut encoder = Encoder::new(&mut text, Format::Prometheus);
    /// let written = encoder.fill(&mut templates, &samples, |template| {
    ///     for (place, sample) in samples.iter().enumerate() {
    ///         template.family(&sample.descriptor());
    ///         template.sample(place, &[], &sample.descriptor(), sample.cell, &sample.value);
    ///     }
    /// });
    /// assert_eq!(written, Some(Ok(())));
    /// encoder.finish()?;
    /// assert!(text.contains("radio_sent_total 3\n"));
    /// # Ok::<(), std::fmt::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the writer, and one if `samples` are not of the metrics that the template is for.
    pub fn fill(
        &mut self,
        templates: &mut PageTemplates,
        samples: &[Sample<'_>],
        build: impl FnOnce(&mut PageTemplate),
    ) -> Option<Result> {
        let PageTemplates(templates) = templates;
        let known = templates.iter().position(|template| template.is_for(self));
        let place = known.unwrap_or_else(|| {
            let mut template = PageTemplate::of(self);
            build(&mut template);
            if templates.len() >= TEMPLATES_MAX {
                templates.remove(0);
            }
            templates.push(template);
            templates.len().saturating_sub(1)
        });
        let template = templates.get(place)?;
        if template.is_too_long { None } else { Some(self.by_template(template, samples)) }
    }

    fn by_template(&mut self, template: &PageTemplate, samples: &[Sample<'_>]) -> Result {
        let mut pieces = Pieces { text: &template.text, lens: template.lens.iter() };
        for part in &template.parts {
            match part {
                Part::Header => {
                    let (text, len) = pieces.next();
                    self.out.write_front(text, len)?;
                }
                Part::Single { sample, per } => {
                    let (text, len) = pieces.next();
                    let value = &samples.get(*sample).ok_or(Error)?.value;
                    if let Value::Null = value {
                        continue;
                    }
                    self.out.write_front(text, len)?;
                    self.value(value, *per)?;
                }
                Part::Histogram { sample, per, places: (begin, end) } => {
                    let places = template.places.get(*begin..*end).unwrap_or_default();
                    match samples.get(*sample).map(|sample| &sample.value) {
                        Some(Value::Distribution(value)) => {
                            self.histogram_by_template(&mut pieces, *per, places, value)?;
                        }
                        _ => return Err(Error),
                    }
                }
            }
        }
        Ok(())
    }

    fn histogram_by_template(
        &mut self,
        pieces: &mut Pieces<'_>,
        per: u32,
        places: &[u16],
        distribution: &Distribution<'_>,
    ) -> Result {
        // The sum is read before the buckets, so that what is in it is in a bucket.
        let sum = distribution.sum();
        let counts = &mut self.lines.counts;
        let seen = counts.write_finite(&mut self.out, distribution, places, |out, _| {
            let (text, len) = pieces.next();
            out.write_front(text, len)
        })?;
        let (text, len) = pieces.next();
        self.out.write_front(text, len)?;
        self.out.write_u64_line(seen)?;
        let (text, len) = pieces.next();
        self.out.write_front(text, len)?;
        self.value(&Value::Unsigned(sum), per)?;
        let (text, len) = pieces.next();
        self.out.write_front(text, len)?;
        self.out.write_u64_line(seen)
    }
}

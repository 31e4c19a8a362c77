//! The pages: which path shows what, and how it is rendered.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::cache::{Cache, wants_gzip};
use super::discovery;
use super::health::HealthChecks;
use super::host::Hosts;
use super::live::{Streams, document, file};
use super::negotiate::{Representation, negotiate};
use super::respond::{Answer, JSON, Status, asked_for, percent_decoded, segments};
use super::token::Token;
use super::users::Users;
use crate::clock::{SystemTimeSource, TimeSource};
use crate::exposition::{
    ClassicBuckets, Encoder, Escaping, Exposition, Format, ProtobufWriter, View,
};

/// How long a rendering serves others who ask for the same, unless told otherwise.
const AGE_MAX_DEFAULT: Duration = Duration::from_millis(100);

/// Live pages that may be open at the same time, unless told otherwise.
const STREAMS_DEFAULT: usize = 16;

/// What of a request decides about the answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Request<'a> {
    /// Path and query.
    pub(super) target: &'a str,
    pub(super) accept: Option<&'a str>,
    pub(super) accept_encoding: Option<&'a str>,
    /// Name and port by which the client knows this server.
    pub(super) authority: Option<&'a str>,
}

/// Everything that servers and routers show, and to whom.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) exposition: Arc<dyn Exposition>,
    pub(super) options: Options,
    pub(super) streams: Streams,
    cache: Cache,
}

/// The choices that a builder offers.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) hosts: Hosts,
    /// Whether every `Host` is answered.
    pub(super) any_host: bool,
    pub(super) token: Option<Token>,
    pub(super) users: Users,
    /// Whether clients come by TLS.
    pub(super) is_encrypted: bool,
    pub(super) health: HealthChecks,
    pub(super) classic: ClassicBuckets,
    /// Whether protobuf has classic buckets too.
    pub(super) classic_beside_native: bool,
    /// Whether names keep their dots for clients that read them.
    pub(super) dotted_names: bool,
    pub(super) age_max: Duration,
    /// Streams of events at the same time.
    pub(super) streams: usize,
    pub(super) time: Arc<dyn TimeSource>,
}

impl Options {
    pub(super) fn new() -> Self {
        Self {
            hosts: Hosts::new(),
            any_host: false,
            token: None,
            users: Users::default(),
            is_encrypted: false,
            health: HealthChecks::default(),
            classic: ClassicBuckets::default(),
            classic_beside_native: false,
            dotted_names: false,
            age_max: AGE_MAX_DEFAULT,
            streams: STREAMS_DEFAULT,
            time: Arc::new(SystemTimeSource::new()),
        }
    }
}

impl Pages {
    pub(super) fn new(exposition: Arc<dyn Exposition>) -> Self {
        Self::with_options(exposition, Options::new())
    }

    pub(super) fn with_options(exposition: Arc<dyn Exposition>, options: Options) -> Self {
        let streams = Streams::new(options.streams);
        Self { exposition, options, streams, cache: Cache::default() }
    }

    /// Answers a request.
    pub(super) fn answer(&self, request: &Request<'_>) -> Answer {
        let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
        let answer = match path {
            "/live/state" => self.state(request),
            "/health" => self.health(),
            "/sd" => self.discovery(request),
            "/metrics" => self.metrics(View::All, path, query, request),
            "/metrics/merged" => self.metrics(View::Merged, path, query, request),
            _ => {
                if let Some((kind, text)) = file(path) {
                    Ok(Answer::new(Status::Ok, kind, text))
                } else if let Some(device) = path.strip_prefix("/metrics/devices/") {
                    self.device(device, query, request)
                } else if let Some(rest) = path.strip_prefix("/stats")
                    && (rest.is_empty() || rest.starts_with('/'))
                {
                    self.stats(path, rest, request)
                } else {
                    Ok(Answer::not_found())
                }
            }
        };
        answer.unwrap_or_else(|fmt::Error| Answer::failed())
    }

    fn health(&self) -> Result<Answer, fmt::Error> {
        let (status, body) = self.options.health.run()?;
        Ok(Answer::new(status, JSON, body))
    }

    fn state(&self, request: &Request<'_>) -> Result<Answer, fmt::Error> {
        let now = self.options.time.monotonic();
        let render = || document(&*self.exposition, now).map(|text| Some(text.into_bytes()));
        self.cached("/live/state", Representation::Json, request, render)
    }

    fn discovery(&self, request: &Request<'_>) -> Result<Answer, fmt::Error> {
        let authority = request.authority.unwrap_or("localhost");
        let body =
            discovery::document(authority, self.options.is_encrypted, &self.exposition.devices())?;
        Ok(Answer::new(Status::Ok, JSON, body))
    }

    fn device(&self, raw: &str, query: &str, request: &Request<'_>) -> Result<Answer, fmt::Error> {
        match percent_decoded(raw) {
            Some(name) => {
                let path = format!("/metrics/devices/{name}");
                self.metrics(View::Device(&name), &path, query, request)
            }
            None => Ok(Answer::not_found()),
        }
    }

    fn metrics(
        &self,
        view: View<'_>,
        path: &str,
        query: &str,
        request: &Request<'_>,
    ) -> Result<Answer, fmt::Error> {
        let mut representation = asked_for(query).unwrap_or_else(|| negotiate(request.accept));
        if representation == Representation::Json {
            return match view {
                View::All => self.stats("/stats", "", request),
                View::Device(name) => self.part(path, &[name], request),
                View::Merged => Ok(Answer::not_found()),
            };
        }
        if !self.options.dotted_names {
            representation = representation.with_plain_names();
        }
        let render = || self.render(view, representation);
        self.cached(path, representation, request, render)
    }

    fn render(
        &self,
        view: View<'_>,
        representation: Representation,
    ) -> Result<Option<Vec<u8>>, fmt::Error> {
        let Options { classic, classic_beside_native, dotted_names, .. } = &self.options;
        let escaping =
            if *dotted_names { representation.escaping() } else { Escaping::Underscores };
        if let Representation::Protobuf(_) = representation {
            let mut writer = ProtobufWriter::new().with_escaping(escaping);
            if *classic_beside_native {
                writer = writer.with_classic_buckets(classic.clone());
            }
            let found = self.exposition.families(view, &mut writer)?;
            return Ok(found.then(|| writer.finish()));
        }
        let format = match representation {
            Representation::OpenMetrics(_) => Format::OpenMetrics,
            _ => Format::Prometheus,
        };
        let mut text = String::new();
        let mut encoder = classic.of(Encoder::new(&mut text, format).with_escaping(escaping));
        let found = self.exposition.families(view, &mut encoder)?;
        encoder.finish()?;
        Ok(found.then(|| text.into_bytes()))
    }

    fn stats(&self, path: &str, rest: &str, request: &Request<'_>) -> Result<Answer, fmt::Error> {
        let Some(segments) = segments(rest) else { return Ok(Answer::not_found()) };
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        self.part(path, &segments, request)
    }

    fn part(
        &self,
        path: &str,
        segments: &[&str],
        request: &Request<'_>,
    ) -> Result<Answer, fmt::Error> {
        let render = || {
            let mut body = String::new();
            let found = self.exposition.stats(segments, &mut body)?;
            Ok(found.then(|| body.into_bytes()))
        };
        self.cached(path, Representation::Json, request, render)
    }

    fn cached(
        &self,
        path: &str,
        representation: Representation,
        request: &Request<'_>,
        render: impl FnOnce() -> Result<Option<Vec<u8>>, fmt::Error>,
    ) -> Result<Answer, fmt::Error> {
        let Options { time, age_max, .. } = &self.options;
        let gzip = wants_gzip(request.accept_encoding);
        let key = (path.to_owned(), representation);
        let Some((body, is_gzip)) =
            self.cache.get(key, time.monotonic(), *age_max, gzip, render)?
        else {
            return Ok(Answer::not_found());
        };
        let answer = Answer::new(Status::Ok, representation.content_type(), body);
        Ok(Answer { is_gzip, ..answer })
    }
}

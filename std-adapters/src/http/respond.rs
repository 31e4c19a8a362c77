//! Answers: what a path shows, without any server around it.

use std::fmt::{self, Write as _};

use super::negotiate::{Representation, negotiate};
use crate::exposition::{Exposition, Format};

/// The status of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// 200.
    Ok,
    /// 404.
    NotFound,
    /// 500.
    Failed,
}

impl Status {
    /// Returns the number.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::NotFound => 404,
            Self::Failed => 500,
        }
    }
}

/// An answer, complete before the first byte of it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: Status,
    /// The value of the `Content-Type` header.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

/// Segments of a path below `/stats` that are looked at; names are not that deep.
const SEGMENTS_MAX: usize = 64;

const INDEX: &str = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
<title>tapes</title>\n<h1>tapes</h1>\n<ul>\n\
<li><a href=\"/metrics\">/metrics</a>: all metrics for Prometheus\n\
<li><a href=\"/metrics/merged\">/metrics/merged</a>: counters and histograms over all devices\n\
<li><a href=\"/stats\">/stats</a>: all metrics as JSON; parts of it below, such as \
<code>/stats/DEVICE/motor</code>\n\
<li><a href=\"/health\">/health</a>: whether this server runs\n</ul>\n</html>\n";

impl Answer {
    fn new(status: Status, content_type: &'static str, body: impl Into<String>) -> Self {
        Self { status, content_type, body: body.into() }
    }

    fn not_found() -> Self {
        Self::new(Status::NotFound, TEXT, "not found; the index is at /\n")
    }

    fn failed() -> Self {
        Self::new(Status::Failed, TEXT, "the metrics could not be written\n")
    }
}

/// Answers a GET of `target`, a path with or without a query; `accept` is the `Accept` header.
///
/// For applications with a server of their own: send status, type and body as they are.
///
/// ```
/// use std::sync::Arc;
/// use tapes_std::clock::ManualTime;
/// use tapes_std::fleet::{Fleet, Limits, NodeId, SharedFleet};
/// use tapes_std::http::{Status, respond};
///
/// let fleet = Fleet::new(NodeId::default(), Limits::default());
/// let fleet = SharedFleet::new(fleet, Arc::new(ManualTime::new()));
/// assert_eq!(respond(&fleet, None, "/stats").body, "{}");
/// assert_eq!(respond(&fleet, None, "/nothing").status, Status::NotFound);
/// ```
#[must_use]
pub fn respond(exposition: &dyn Exposition, accept: Option<&str>, target: &str) -> Answer {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match path {
        "/" => Answer::new(Status::Ok, HTML, INDEX),
        "/health" => Answer::new(Status::Ok, TEXT, "ok\n"),
        "/metrics" => metrics(exposition, asked_for(query).unwrap_or_else(|| negotiate(accept))),
        "/metrics/merged" => {
            merged(exposition, asked_for(query).unwrap_or_else(|| negotiate(accept)))
        }
        _ => match path.strip_prefix("/stats") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => stats(exposition, rest),
            _ => Answer::not_found(),
        },
    }
}

/// Returns the format that a query asks for.
fn asked_for(query: &str) -> Option<Representation> {
    let format = query.split('&').find_map(|pair| pair.strip_prefix("format="))?;
    match format {
        "json" => Some(Representation::Json),
        "openmetrics" => negotiate(Some("application/openmetrics-text")).into(),
        "prometheus" | "text" => Some(Representation::Prometheus),
        _ => None,
    }
}

fn metrics(exposition: &dyn Exposition, representation: Representation) -> Answer {
    let mut body = String::new();
    let written = match representation {
        Representation::Json => exposition.stats(&[], &mut body).map(drop),
        Representation::OpenMetrics(_) => exposition.metrics(Format::OpenMetrics, &mut body),
        Representation::Prometheus => exposition.metrics(Format::Prometheus, &mut body),
    };
    match written {
        Ok(()) => Answer::new(Status::Ok, representation.content_type(), body),
        Err(fmt::Error) => Answer::failed(),
    }
}

/// As text whatever is asked for: there is no JSON of it.
fn merged(exposition: &dyn Exposition, representation: Representation) -> Answer {
    let (format, representation) = match representation {
        Representation::OpenMetrics(_) => (Format::OpenMetrics, representation),
        _ => (Format::Prometheus, Representation::Prometheus),
    };
    let mut body = String::new();
    match exposition.merged(format, &mut body) {
        Ok(true) => Answer::new(Status::Ok, representation.content_type(), body),
        Ok(false) => Answer::not_found(),
        Err(fmt::Error) => Answer::failed(),
    }
}

fn stats(exposition: &dyn Exposition, path: &str) -> Answer {
    let Some(segments) = segments(path) else { return Answer::not_found() };
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let mut body = String::new();
    match exposition.stats(&segments, &mut body) {
        Ok(true) => Answer::new(Status::Ok, JSON, body),
        Ok(false) => Answer::not_found(),
        Err(fmt::Error) => Answer::failed(),
    }
}

/// Returns the segments of a path: between slashes, and between dots except in the first one,
/// which is a device. `None` if there are none such, as with an empty one in the middle.
fn segments(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Some(Vec::new());
    }
    let mut segments = Vec::new();
    for (i, raw) in path.split('/').enumerate() {
        let segment = percent_decoded(raw)?;
        if i == 0 {
            segments.push(segment);
        } else {
            segments.extend(segment.split('.').map(str::to_owned));
        }
    }
    let is_valid = segments.len() <= SEGMENTS_MAX && segments.iter().all(|s| !s.is_empty());
    is_valid.then_some(segments)
}

/// Undoes percent-encoding; `None` if it is broken or not UTF-8.
fn percent_decoded(raw: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let (digits, tail) = tail.split_first_chunk::<2>()?;
        let digits = digits.iter().all(u8::is_ascii_hexdigit).then_some(digits)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

/// Returns a page for a status that is not an answer of the exposition.
pub(super) fn refusal(status: u16, reason: &str) -> String {
    let mut body = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(body, "{status} {reason}");
    body
}

#[cfg(test)]
mod tests {
    use super::{percent_decoded, segments};

    /// A path is the one thing that anybody can send here.
    #[test]
    fn paths_are_cut_into_segments_or_refused() {
        for (path, expected) in [
            ("", Some(vec![])),
            ("/", Some(vec![])),
            ("/e6", Some(vec!["e6"])),
            ("/e6/", Some(vec!["e6"])),
            ("/e6%230000000a.1", Some(vec!["e6#0000000a.1"])),
            ("/e6/motor.loops", Some(vec!["e6", "motor", "loops"])),
            ("/e6/motor/loops", Some(vec!["e6", "motor", "loops"])),
            ("/e6//motor", None),
            ("/e6/motor..loops", None),
            ("/%", None),
            ("/%4", None),
            ("/%+1", None),
            ("/%ff", None),
        ] {
            let expected =
                expected.map(|e| e.into_iter().map(str::to_owned).collect::<Vec<String>>());
            assert_eq!(segments(path), expected, "{path}");
        }
        assert_eq!(segments(&"/a".repeat(65)), None);
        assert_eq!(percent_decoded("%e2%82%ac").as_deref(), Some("€"));
    }
}

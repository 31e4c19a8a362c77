//! Answers: what a path shows, without any server around it.

use std::borrow::Cow;
use std::fmt::Write as _;

use hyper::body::Bytes;

use super::negotiate::{Representation, negotiate};
use super::pages::{Pages, Request};
use crate::exposition::Exposition;

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
    /// 501.
    NotImplemented,
}

impl Status {
    /// Returns the number.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::NotFound => 404,
            Self::Failed => 500,
            Self::NotImplemented => 501,
        }
    }
}

/// An answer, complete before the first byte of it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: Status,
    /// The value of the `Content-Type` header.
    pub content_type: Cow<'static, str>,
    /// Whether the body is compressed by gzip.
    pub is_gzip: bool,
    /// The body.
    pub body: Bytes,
}

const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const JSON: &str = "application/json";

/// Segments of a path below `/stats` that are looked at; names are not that deep.
const SEGMENTS_MAX: usize = 64;

impl Answer {
    pub(super) fn new(
        status: Status,
        content_type: impl Into<Cow<'static, str>>,
        body: impl Into<Bytes>,
    ) -> Self {
        let (content_type, body) = (content_type.into(), body.into());
        Self { status, content_type, is_gzip: false, body }
    }

    pub(super) fn not_found() -> Self {
        Self::new(Status::NotFound, TEXT, "404 Not Found\n")
    }

    pub(super) fn failed() -> Self {
        Self::new(Status::Failed, TEXT, "500 Internal Server Error\n")
    }
}

/// Answers a request for a path, with an `Accept` header if there is one, as a server with defaults
/// does: for programs that have a server of their own.
///
/// ```
/// use std::sync::Arc;
/// use tapes_core::Registry;
/// use tapes_std::local::Local;
/// use tapes_std::http::{Status, respond};
///
/// static REGISTRY: Registry<4, 16> = Registry::new();
/// REGISTRY.counter("http.requests")?.increment();
/// let exposition = Arc::new(Local::new(&REGISTRY));
/// let answer = respond(exposition.clone(), None, "/metrics");
/// assert_eq!(answer.status, Status::Ok);
/// assert!(answer.body.ends_with(b"http_requests_total 1\n"));
/// assert_eq!(respond(exposition, None, "/nothing").status, Status::NotFound);
/// # Ok::<(), tapes_core::RegisterError>(())
/// ```
#[must_use]
pub fn respond(
    exposition: std::sync::Arc<dyn Exposition>,
    accept: Option<&str>,
    target: &str,
) -> Answer {
    Pages::new(exposition).answer(&Request { target, accept, ..Request::default() })
}

/// Returns the format that a query asks for.
pub(super) fn asked_for(query: &str) -> Option<Representation> {
    let format = query.split('&').find_map(|pair| pair.strip_prefix("format="))?;
    match format {
        "json" => Some(Representation::Json),
        "openmetrics" => Some(negotiate(Some("application/openmetrics-text"))),
        "protobuf" => Some(Representation::Protobuf(None)),
        "prometheus" | "text" => Some(Representation::Prometheus),
        _ => None,
    }
}

/// Returns the segments of a path: between slashes, and between dots except in the first one,
/// which is a device. `None` if there are none such, as with an empty one in the middle.
pub(super) fn segments(path: &str) -> Option<Vec<String>> {
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
pub(super) fn percent_decoded(raw: &str) -> Option<String> {
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

//! From a request to a response: who may ask, and what every answer says about itself.

use std::sync::Arc;

use http_body_util::{Either, Full};
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode, Version};

use super::live::EventBody;
use super::pages::{Options, Pages, Request};
use super::respond::{Answer, refusal};
use super::server::Progress;

/// Headers of every answer: nothing is sniffed, framed, cached or sent elsewhere.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (header::VARY, "accept, accept-encoding"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What an answer consists of: a whole, or events that have no end.
pub(super) type Content = Either<Full<Bytes>, EventBody>;

/// The path of the stream of events.
const EVENTS: &str = "/live/events";

/// Answers a request; renders on one of tokio's blocking threads.
pub(super) async fn answer(
    parts: &Parts,
    target: &str,
    pages: Arc<Pages>,
    progress: &Progress,
) -> Response<Content> {
    if let Err(status) = check(parts, &pages) {
        return refused(status, &pages.options);
    }
    if target == EVENTS && parts.method == Method::GET {
        return events(&pages, progress);
    }
    let text = |name| {
        let value = parts.headers.get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let (accept, accept_encoding) = (text(header::ACCEPT), text(header::ACCEPT_ENCODING));
    let authority = text(header::HOST);
    let target = target.to_owned();
    let render = move || {
        pages.answer(&Request {
            target: &target,
            accept: accept.as_deref(),
            accept_encoding: accept_encoding.as_deref(),
            authority: authority.as_deref(),
        })
    };
    match tokio::task::spawn_blocking(render).await {
        Ok(answer) => answered(answer),
        // The rendering panicked.
        Err(_) => failed(),
    }
}

/// Opens a stream of events.
fn events(pages: &Pages, progress: &Progress) -> Response<Content> {
    let (exposition, time) = (Arc::clone(&pages.exposition), Arc::clone(&pages.options.time));
    let Some(body) = pages.streams.open(exposition, time, progress.clone()) else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, &pages.options);
    };
    response(StatusCode::OK, "text/event-stream", Either::Right(body))
}

/// Checks whether a request may be answered: its host, its method, its token.
fn check(parts: &Parts, pages: &Pages) -> Result<(), StatusCode> {
    check_host(parts, pages)?;
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let Options { token, users, .. } = &pages.options;
    if token.is_none() && users.is_empty() {
        return Ok(());
    }
    let shown = parts.headers.get(header::AUTHORIZATION);
    let shown = shown.and_then(|shown| shown.to_str().ok());
    let is_admitted = token.as_ref().is_some_and(|token| token.admits(shown));
    if is_admitted || users.admits(shown) { Ok(()) } else { Err(StatusCode::UNAUTHORIZED) }
}

/// Checks every name by which a request says whom it is for.
fn check_host(parts: &Parts, pages: &Pages) -> Result<(), StatusCode> {
    let mut headers = parts.headers.get_all(header::HOST).iter();
    let host = headers.next();
    if headers.next().is_some() || (host.is_none() && parts.version == Version::HTTP_11) {
        return Err(StatusCode::BAD_REQUEST);
    }
    let host = host.map(|host| host.to_str().map_err(|_| StatusCode::BAD_REQUEST)).transpose()?;
    if pages.options.any_host {
        return Ok(());
    }
    let authority = parts.uri.authority().map(|authority| authority.as_str());
    let hosts = &pages.options.hosts;
    let is_allowed = host.into_iter().chain(authority).all(|name| hosts.allows(name));
    if is_allowed { Ok(()) } else { Err(StatusCode::MISDIRECTED_REQUEST) }
}

fn answered(answer: Answer) -> Response<Content> {
    let status = StatusCode::from_u16(answer.status.code());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = response(status, &answer.content_type, whole(answer.body));
    if answer.is_gzip {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn failed() -> Response<Content> {
    plain(StatusCode::INTERNAL_SERVER_ERROR)
}

fn refused(status: StatusCode, options: &Options) -> Response<Content> {
    let mut response = plain(status);
    let headers = response.headers_mut();
    match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        StatusCode::UNAUTHORIZED => {
            let ways = [
                (options.token.is_some(), "Bearer"),
                (!options.users.is_empty(), "Basic realm=\"tapes\", charset=\"UTF-8\""),
            ];
            for (_, way) in ways.into_iter().filter(|(is_there, _)| *is_there) {
                headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(way));
            }
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        _ => {}
    }
    response
}

fn plain(status: StatusCode) -> Response<Content> {
    let body = refusal(status.as_u16(), status.canonical_reason().unwrap_or(""));
    response(status, "text/plain; charset=utf-8", whole(body.into()))
}

fn whole(body: Bytes) -> Content {
    Either::Left(Full::new(body))
}

fn response(status: StatusCode, content_type: &str, body: Content) -> Response<Content> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Ok(content_type) = HeaderValue::from_str(content_type) {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

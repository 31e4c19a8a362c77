//! Content negotiation: which of the formats a client gets.

use std::borrow::Cow;

use crate::exposition::Escaping;

/// A format of `/metrics`. An escaping scheme is there if the client asked for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Representation {
    /// Prometheus text 0.0.4, whose names are always plain.
    Prometheus,
    /// Prometheus text 1.0.0: the same with other names.
    PrometheusEscaped(Escaping),
    /// OpenMetrics text 1.0.0.
    OpenMetrics(Option<Escaping>),
    /// Prometheus protobuf, with native histograms.
    Protobuf(Option<Escaping>),
    /// The JSON tree.
    Json,
}

/// Media type of Prometheus protobuf.
const PROTOBUF: &str = "application/vnd.google.protobuf";

impl Representation {
    /// Returns the value of the `Content-Type` header.
    #[must_use]
    pub fn content_type(self) -> Cow<'static, str> {
        let (media, escaping) = match self {
            Self::Prometheus => ("text/plain; version=0.0.4; charset=utf-8", None),
            Self::PrometheusEscaped(escaping) => {
                ("text/plain; version=1.0.0; charset=utf-8", Some(escaping))
            }
            Self::OpenMetrics(escaping) => {
                ("application/openmetrics-text; version=1.0.0; charset=utf-8", escaping)
            }
            Self::Protobuf(escaping) => (
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; \
                 encoding=delimited",
                escaping,
            ),
            Self::Json => ("application/json", None),
        };
        match escaping {
            None => media.into(),
            Some(escaping) => format!("{media}; escaping={}", escaping.parameter()).into(),
        }
    }

    /// Returns the escaping scheme of names.
    #[must_use]
    pub fn escaping(self) -> Escaping {
        match self {
            Self::PrometheusEscaped(escaping) => escaping,
            Self::OpenMetrics(escaping) | Self::Protobuf(escaping) => escaping.unwrap_or_default(),
            Self::Prometheus | Self::Json => Escaping::Underscores,
        }
    }

    /// Returns the same format for names that are always plain: they need no escapes in any scheme
    /// but `dots`, which changes plain names too.
    #[must_use]
    pub(super) fn with_plain_names(self) -> Self {
        let plain = |escaping| match escaping {
            Escaping::Dots => Escaping::Underscores,
            other => other,
        };
        match self {
            Self::PrometheusEscaped(escaping) => Self::PrometheusEscaped(plain(escaping)),
            Self::OpenMetrics(escaping) => Self::OpenMetrics(escaping.map(plain)),
            Self::Protobuf(escaping) => Self::Protobuf(escaping.map(plain)),
            other => other,
        }
    }
}

/// Returns what a client with this `Accept` header gets: of what it wants most, the first that is
/// offered; Prometheus text 0.0.4 if it wants anything, says nothing, or says what nobody knows.
///
/// ```
/// use tapes_std::http::{Representation, negotiate};
/// assert_eq!(negotiate(None), Representation::Prometheus);
/// assert_eq!(negotiate(Some("text/plain;q=0.5,application/json")), Representation::Json);
/// ```
#[must_use]
pub fn negotiate(accept: Option<&str>) -> Representation {
    let mut best: Option<(u16, Representation)> = None;
    for range in accept.unwrap_or("").split(',') {
        if let Some((quality, offered)) = offer(range)
            && quality > 0
            && best.is_none_or(|(best, _)| quality > best)
        {
            best = Some((quality, offered));
        }
    }
    best.map_or(Representation::Prometheus, |(_, offered)| offered)
}

/// Returns what is offered for one media range, and how much the client wants it in thousandths.
fn offer(range: &str) -> Option<(u16, Representation)> {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next()?.to_ascii_lowercase();
    let mut quality = 1_000;
    let (mut version, mut escaping, mut message, mut encoding) = (None, None, None, None);
    for parameter in parts {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "q" => quality = thousandths(value)?,
            "version" => version = Some(value),
            "escaping" => escaping = known_escaping(value),
            "proto" => message = Some(value),
            "encoding" => encoding = Some(value),
            _ => {}
        }
    }
    let offered = match (media.as_str(), version) {
        ("*/*" | "text/*", None) | ("text/plain", None | Some("0.0.4")) => {
            Representation::Prometheus
        }
        ("text/plain", Some("1.0.0")) => {
            Representation::PrometheusEscaped(escaping.unwrap_or_default())
        }
        ("application/openmetrics-text", None | Some("1.0.0")) => {
            Representation::OpenMetrics(escaping)
        }
        (PROTOBUF, _)
            if message == Some("io.prometheus.client.MetricFamily")
                && encoding == Some("delimited") =>
        {
            Representation::Protobuf(escaping)
        }
        ("application/json", _) => Representation::Json,
        _ => return None,
    };
    Some((quality, offered))
}

fn known_escaping(value: &str) -> Option<Escaping> {
    let schemes = [Escaping::Utf8, Escaping::Underscores, Escaping::Dots, Escaping::Values];
    schemes.into_iter().find(|scheme| scheme.parameter() == value)
}

/// Reads a quality, 0 to 1 with up to three decimals.
fn thousandths(value: &str) -> Option<u16> {
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let is_number = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || !matches!(whole, "0" | "1") {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    let quality = if whole == "1" { 1_000 + decimals } else { decimals };
    (quality <= 1_000).then_some(quality)
}

#[cfg(test)]
mod tests {
    use super::{Representation, negotiate};
    use crate::exposition::Escaping;

    /// A server that guesses wrong makes Prometheus 3 refuse the scrape.
    #[test]
    fn real_clients_get_what_they_read() {
        use Representation::{Json, OpenMetrics, Prometheus, PrometheusEscaped, Protobuf};
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,\
            application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let native = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
            encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,\
            text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
            application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;\
            escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        let native_3 = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
            encoding=delimited;escaping=allow-utf-8;q=0.6,application/openmetrics-text;\
            version=1.0.0;escaping=allow-utf-8;q=0.5,*/*;q=0.1";
        let victoria = "text/plain;version=0.0.4;q=1,*/*;q=0.1";
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (label, accept, expected) in [
            ("nothing", None, Prometheus),
            ("empty", Some(""), Prometheus),
            ("Prometheus 2.42", Some(prometheus_2), OpenMetrics(None)),
            ("with native histograms", Some(native), Protobuf(None)),
            ("Prometheus 3 with them", Some(native_3), Protobuf(Some(Escaping::Utf8))),
            (
                "text 1",
                Some("text/plain;version=1.0.0;escaping=values"),
                PrometheusEscaped(Escaping::Values),
            ),
            (
                "text 1, plain",
                Some("text/plain;version=1.0.0"),
                PrometheusEscaped(Escaping::Underscores),
            ),
            (
                "other messages",
                Some("application/vnd.google.protobuf;proto=other;encoding=delimited"),
                Prometheus,
            ),
            (
                "unknown scheme",
                Some("application/openmetrics-text;escaping=runes"),
                OpenMetrics(None),
            ),
            ("Prometheus 3", Some(prometheus_3), OpenMetrics(Some(Escaping::Utf8))),
            ("VictoriaMetrics", Some(victoria), Prometheus),
            ("curl", Some("*/*"), Prometheus),
            ("browser", Some(browser), Prometheus),
            ("JSON", Some("application/json"), Json),
            ("upper case", Some("Application/JSON; Q=1"), Json),
            ("tie", Some("application/json,text/plain"), Json),
            ("tie the other way", Some("text/plain,application/json"), Prometheus),
            ("refused", Some("application/json;q=0"), Prometheus),
            ("higher quality", Some("text/plain;q=0.1,application/json;q=0.101"), Json),
            ("bad quality", Some("application/json;q=2,text/plain;q=0.1"), Prometheus),
            ("OpenMetrics 2", Some("application/openmetrics-text;version=2.0.0"), Prometheus),
            ("no parameter", Some("application/json;version"), Prometheus),
            ("garbage", Some(",;=,q=\u{e9}"), Prometheus),
        ] {
            assert_eq!(negotiate(accept), expected, "{label}");
        }
    }
}

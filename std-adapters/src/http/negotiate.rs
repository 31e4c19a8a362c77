//! Content negotiation: which of the formats a client gets.

/// A format of `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Representation {
    /// Prometheus text 0.0.4.
    Prometheus,
    /// OpenMetrics text 1.0.0.
    OpenMetrics(Escaping),
    /// The JSON tree.
    Json,
}

/// How names are escaped, as the client asked for it.
///
/// Names here never need escaping, so whatever it asked for is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Escaping {
    /// The client did not ask.
    Unsaid,
    /// `allow-utf-8`.
    AllowUtf8,
    /// `underscores`.
    Underscores,
    /// `dots`.
    Dots,
    /// `values`.
    Values,
}

impl Representation {
    /// Returns the value of the `Content-Type` header.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics(Escaping::Unsaid) => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
            Self::OpenMetrics(Escaping::AllowUtf8) => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
            }
            Self::OpenMetrics(Escaping::Underscores) => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
            }
            Self::OpenMetrics(Escaping::Dots) => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=dots"
            }
            Self::OpenMetrics(Escaping::Values) => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=values"
            }
            Self::Json => "application/json",
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
    let (mut quality, mut version, mut escaping) = (1_000, None, Escaping::Unsaid);
    for parameter in parts {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "q" => quality = thousandths(value)?,
            "version" => version = Some(value.to_owned()),
            "escaping" => escaping = known_escaping(value),
            _ => {}
        }
    }
    let offered = match (media.as_str(), version.as_deref()) {
        ("*/*" | "text/*", None) | ("text/plain", None | Some("0.0.4")) => {
            Representation::Prometheus
        }
        ("application/openmetrics-text", None | Some("1.0.0")) => {
            Representation::OpenMetrics(escaping)
        }
        ("application/json", _) => Representation::Json,
        _ => return None,
    };
    Some((quality, offered))
}

fn known_escaping(value: &str) -> Escaping {
    match value {
        "allow-utf-8" => Escaping::AllowUtf8,
        "underscores" => Escaping::Underscores,
        "dots" => Escaping::Dots,
        "values" => Escaping::Values,
        _ => Escaping::Unsaid,
    }
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
    use super::{Escaping, Representation, negotiate};

    /// A server that guesses wrong makes Prometheus 3 refuse the scrape.
    #[test]
    fn real_clients_get_what_they_read() {
        use Representation::{Json, OpenMetrics, Prometheus};
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,\
            application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let native = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
            encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,\
            text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
            application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;\
            escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        let victoria = "text/plain;version=0.0.4;q=1,*/*;q=0.1";
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (label, accept, expected) in [
            ("nothing", None, Prometheus),
            ("empty", Some(""), Prometheus),
            ("Prometheus 2.42", Some(prometheus_2), OpenMetrics(Escaping::Unsaid)),
            ("with native histograms", Some(native), OpenMetrics(Escaping::Unsaid)),
            ("Prometheus 3", Some(prometheus_3), OpenMetrics(Escaping::AllowUtf8)),
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

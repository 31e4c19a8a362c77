//! The service-discovery document: a scrape target for each device.

use std::fmt::{self, Write as _};

use tapes_core::text::json::TreeWriter;

/// Returns what Prometheus' `http_sd_configs` reads: for each device a target at `authority` with
/// the path of its page, and the device as `instance`; the scheme only if it is not plain HTTP.
pub(super) fn document(
    authority: &str,
    is_encrypted: bool,
    devices: &[String],
) -> Result<String, fmt::Error> {
    let mut out = String::from("[");
    for device in devices {
        let before = if out.len() == 1 { "" } else { "," };
        let mut labels = String::new();
        let mut tree = TreeWriter::new(&mut labels)?;
        tree.str("__metrics_path__", &format!("/metrics/devices/{device}"))?;
        if is_encrypted {
            tree.str("__scheme__", "https")?;
        }
        tree.str("instance", device)?;
        tree.finish()?;
        let mut target = String::new();
        // One string, quoted as JSON, is what an object of one has between its braces.
        let mut tree = TreeWriter::new(&mut target)?;
        tree.str("", authority)?;
        tree.finish()?;
        let target = target.strip_prefix("{\"\":").and_then(|rest| rest.strip_suffix('}'));
        let target = target.ok_or(fmt::Error)?;
        write!(out, "{before}{{\"targets\":[{target}],\"labels\":{labels}}}")?;
    }
    out.push(']');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::document;

    /// Prometheus keeps its old targets when it cannot read the document.
    #[test]
    fn devices_are_targets() {
        assert_eq!(document("localhost:9100", false, &[]).unwrap(), "[]");
        let devices = ["e6".to_owned(), "e7#1.2".to_owned()];
        let target = |device: &str| {
            format!(
                r#"{{"targets":["localhost:9100"],"labels":{{"__metrics_path__":"/metrics/devices/{device}","instance":"{device}"}}}}"#
            )
        };
        let expected = format!("[{},{}]", target("e6"), target("e7#1.2"));
        assert_eq!(document("localhost:9100", false, &devices).unwrap(), expected);
        let encrypted = document("localhost:9100", true, &devices).unwrap();
        assert_eq!(encrypted.matches(r#""__scheme__":"https""#).count(), 2, "{encrypted}");
    }
}

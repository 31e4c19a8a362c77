//! Quantiles, mean and deviation against the reference vectors of weighted snapshots.

use serde_json::Value;
use tapes_core::metric::{Buckets, Counts, Distribution, Unit};
use tapes_core::statistics::Summary;

const VECTORS: &str = include_str!("../vectors/vectors.json");

/// Up to 2^14, 16 buckets an octave.
const GEOMETRY: Buckets = Buckets { scale: 4, first: 0, len: 14 * 16 };

/// Half of such a bucket: `(2^(1/16) - 1) / (2^(1/16) + 1)`.
const HALF_BUCKET: f64 = 0.02167;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(|n| n.as_f64().expect("a number")).collect()
}

/// A quantile of another rank than the reference's, off by more than half a bucket, is wrong.
#[test]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small whole numbers")]
fn weighted_quantiles() {
    let vectors: Value = serde_json::from_str(VECTORS).expect("valid JSON");
    let mut checked = 0;
    for vector in vectors["quantiles"].as_array().expect("an array") {
        let name = vector["name"].as_str().expect("a name");
        let (values, weights) = (numbers(&vector["values"]), numbers(&vector["weights"]));
        if weights.iter().any(|weight| weight.fract() != 0.0) {
            // Decayed weights are not counts.
            continue;
        }
        let mut buckets = vec![0u64; GEOMETRY.len as usize];
        let mut counts = Counts { min: Some(u64::MAX), max: Some(0), ..Counts::default() };
        for (value, weight) in values.iter().zip(&weights) {
            let (raw, weight) = (*value as u64, *weight as u64);
            counts.sum += raw * weight;
            counts.min = counts.min.min(Some(raw));
            counts.max = counts.max.max(Some(raw));
            match (0..GEOMETRY.len).find(|i| *value <= GEOMETRY.upper(*i)) {
                _ if *value <= GEOMETRY.lower(0) => counts.zero += weight,
                Some(i) => buckets[i as usize] += weight,
                None => counts.overflow += weight,
            }
        }
        let counts = Counts { buckets: &buckets, ..counts };
        let summary = Summary::of(&Distribution::new(GEOMETRY, counts), Unit::NONE);
        let mean = vector["weighted_mean"].as_f64().expect("a number");
        let deviation = vector["weighted_sd"].as_f64().expect("a number");
        assert!((summary.mean / mean - 1.0).abs() < 1e-15, "{name}: {}", summary.mean);
        let off = (summary.stddev - deviation).abs();
        assert!(off <= mean * HALF_BUCKET, "{name}: {} {deviation}", summary.stddev);
        for (p, expected) in numbers(&vector["q"]).into_iter().zip(numbers(&vector["weighted"])) {
            let estimate = match p {
                0.0 => summary.min,
                0.5 => summary.q50,
                0.75 => summary.q75,
                0.95 => summary.q95,
                0.98 => summary.q98,
                0.99 => summary.q99,
                0.999 => summary.q999,
                1.0 => summary.max,
                _ => continue,
            };
            let error = (estimate / expected - 1.0).abs();
            assert!(error <= HALF_BUCKET, "{name} {p}: {estimate} instead of {expected}");
            checked += 1;
        }
    }
    assert_eq!(checked, 7 * 8, "vectors were skipped");
}

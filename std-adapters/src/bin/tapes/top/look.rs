//! One look at everything: the document of the live page, read.

use std::collections::HashMap;

use serde_json::{Map, Value};
use tapes_core::metric::{BUCKETS_MAX, Buckets, SCALE_MAX};

use crate::terminal::shown;

/// Everything at one moment. Texts are safe to show.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Seconds, of a clock that only moves forward.
    pub(super) time: f64,
    pub(super) sections: Vec<Section>,
    pub(super) metrics: Vec<Metric>,
}

/// Where metrics come from.
#[derive(Debug, Clone, Default)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) is_up: bool,
    /// Seconds, where they are known.
    pub(super) silence: Option<f64>,
    pub(super) uptime: Option<f64>,
    pub(super) boots: u64,
    pub(super) frames: u64,
    pub(super) lost: u64,
}

/// One metric of a section.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) section: String,
    /// Name and labels.
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) unit: String,
    pub(super) help: String,
    /// What `/stats` shows of it.
    pub(super) stats: Map<String, Value>,
    pub(super) is_fresh: bool,
    pub(super) counts: Option<Counts>,
}

/// The counts of a histogram or timer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Counts {
    pub(super) geometry: Buckets,
    pub(super) zero: u64,
    pub(super) overflow: u64,
    /// By index.
    pub(super) buckets: Vec<u64>,
}

impl Counts {
    /// Returns how many values there are.
    pub(super) fn total(&self) -> u64 {
        let all = [self.zero, self.overflow];
        all.iter().chain(&self.buckets).fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Returns what was added since `before`; nothing if that is of another geometry.
    pub(super) fn since(&self, before: &Self) -> Option<Self> {
        (self.geometry == before.geometry).then(|| Self {
            geometry: self.geometry,
            zero: self.zero.saturating_sub(before.zero),
            overflow: self.overflow.saturating_sub(before.overflow),
            buckets: (self.buckets.iter().zip(&before.buckets))
                .map(|(now, before)| now.saturating_sub(*before))
                .collect(),
        })
    }

    /// Returns a quantile, in the base unit: the harmonic middle of its bucket.
    pub(super) fn quantile(&self, q: f64) -> Option<f64> {
        let total = self.total();
        if total == 0 {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank off by one in 2^53 is in the same bucket"
        )]
        let rank = ((q * total as f64).ceil() as u64).max(1);
        let mut seen = self.zero;
        if seen >= rank {
            return Some(self.geometry.lower(0));
        }
        for (i, count) in (0..).zip(&self.buckets) {
            seen = seen.saturating_add(*count);
            if seen >= rank {
                let (low, high) = (self.geometry.lower(i), self.geometry.upper(i));
                return Some(2.0 * low * high / (low + high));
            }
        }
        Some(self.geometry.upper(self.geometry.len.saturating_sub(1)))
    }
}

impl Metric {
    /// Returns the number that the metric is about: a value or a count.
    pub(super) fn number(&self) -> Option<f64> {
        self.stats.get("value").or_else(|| self.stats.get("count"))?.as_f64()
    }

    /// Returns whether it counts events, so that it has a rate.
    pub(super) fn counts_events(&self) -> bool {
        matches!(self.kind.as_str(), "counter" | "meter" | "histogram" | "timer")
    }

    /// Returns a quantile of the last moments or, if nothing came then, of all time.
    pub(super) fn quantile(&self, name: &str) -> Option<f64> {
        self.statistic(name).or_else(|| self.lifetime(name))
    }

    /// Returns a quantile of all time.
    pub(super) fn lifetime(&self, name: &str) -> Option<f64> {
        match self.stats.get(&format!("lifetime_{name}")) {
            Some(value) => value.as_f64(),
            // Who keeps no windows has only one kind.
            None => self.statistic(name),
        }
    }

    /// Returns a statistic.
    pub(super) fn statistic(&self, name: &str) -> Option<f64> {
        self.stats.get(name)?.as_f64()
    }
}

/// Reads a document that is everything; `None` if it is none.
pub(super) fn read(text: &str) -> Option<Look> {
    let document: Value = serde_json::from_str(text).ok()?;
    let sections = document.get("sections")?.as_array()?.iter().map(section).collect();
    let mut values: HashMap<u64, &Vec<Value>> = HashMap::new();
    for value in document.get("values")?.as_array()? {
        let value = value.as_array()?;
        values.insert(value.first()?.as_u64()?, value);
    }
    let series = document.get("series")?.as_array()?.iter();
    let metrics = series.filter_map(|about| {
        let about = about.as_array()?;
        metric(about, values.get(&about.first()?.as_u64()?)?)
    });
    let mut metrics: Vec<_> = metrics.collect();
    metrics.sort_by(|a, b| (&a.section, &a.name).cmp(&(&b.section, &b.name)));
    Some(Look { time: document.get("time")?.as_f64()? / 1_000.0, sections, metrics })
}

fn section(value: &Value) -> Section {
    let text = |key: &str| value.get(key).and_then(Value::as_str).map_or(String::new(), shown);
    let count = |key: &str| value.get(key).and_then(Value::as_u64).unwrap_or(0);
    Section {
        name: text("name"),
        kind: text("kind"),
        is_up: value.get("up").and_then(Value::as_bool).unwrap_or(true),
        silence: value.get("silence").and_then(Value::as_f64),
        uptime: value.get("uptime").and_then(Value::as_f64),
        boots: count("boots"),
        frames: count("frames"),
        lost: count("lost"),
    }
}

fn metric(about: &[Value], value: &[Value]) -> Option<Metric> {
    let [_, section, name, labels, kind, unit, help, geometry] = about else { return None };
    let labels: Vec<_> = (labels.as_object()?.iter())
        .map(|(name, value)| format!("{}={}", shown(name), shown(value.as_str().unwrap_or(""))))
        .collect();
    let mut name = shown(name.as_str()?);
    if !labels.is_empty() {
        name.extend(["{", &labels.join(","), "}"]);
    }
    Some(Metric {
        section: shown(section.as_str()?),
        name,
        kind: shown(kind.as_str()?),
        unit: shown(unit.as_str()?),
        help: shown(help.as_str()?),
        stats: value.get(1)?.as_object()?.clone(),
        is_fresh: value.get(2)?.as_bool()?,
        counts: value.get(3).and_then(|buckets| counts(geometry, buckets)),
    })
}

fn counts(geometry: &Value, value: &Value) -> Option<Counts> {
    let number = |i: usize| geometry.get(i)?.as_i64();
    let scale = u8::try_from(number(0)?).ok().filter(|scale| *scale <= SCALE_MAX)?;
    let len = u32::try_from(number(2)?).ok().filter(|len| (1..=BUCKETS_MAX).contains(len))?;
    let geometry = Buckets { scale, first: i32::try_from(number(1)?).ok()?, len };
    let (head, pairs) = value.as_array()?.split_at_checked(2)?;
    let mut buckets = vec![0; usize::try_from(len).ok()?];
    for pair in pairs.chunks_exact(2) {
        let index = usize::try_from(pair.first()?.as_u64()?).ok()?;
        *buckets.get_mut(index)? = pair.get(1)?.as_u64()?;
    }
    let (zero, overflow) = (head.first()?.as_u64()?, head.get(1)?.as_u64()?);
    Some(Counts { geometry, zero, overflow, buckets })
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::{Look, read};

    /// A document of two devices, one of which is silent, `seconds` after the start.
    pub(in crate::top) fn document(seconds: u64) -> String {
        let loops = seconds * 1_000;
        let timer = json!({"count": loops, "sum": 0.5, "q50": 24.6e-6, "q99": 1.1e-3,
            "window_seconds": 57, "lifetime_q50": 25.1e-6, "lifetime_q99": 1.3e-3,
            "max": 1.5e-3, "m1": 1_000.0});
        let mut values: Vec<Value> = vec![
            json!([0, {"value": loops}, true]),
            json!([1, timer, true, [0, 1, 16, loops, 36, seconds]]),
            json!([2, {"value": 36.5}, true]),
            json!([3, {"value": null}, false]),
        ];
        values.push(json!([4, {"value": 7}, true]));
        json!({
            "version": seconds, "since": null, "time": seconds * 1_000,
            "sections": [
                {"kind": "merged", "name": "merged"},
                {"kind": "device", "name": "e601", "up": true, "silence": 0.2, "uptime": seconds,
                 "boots": 2, "frames": 12_000, "lost": 3},
                {"kind": "device", "name": "e602", "up": false, "silence": 75.0, "uptime": 12.0,
                 "boots": 1, "frames": 7, "lost": 0},
            ],
            "series": [
                [0, "e601", "motor.loops", {}, "counter", "", "Passes.", null],
                [1, "e601", "motor.loop_time", {}, "timer", "seconds", "", [2, -80, 54]],
                [2, "e601", "motor.heat", {"axis": "x\u{1b}[2J"}, "gauge", "celsius", "", null],
                [3, "e602", "motor.heat", {}, "gauge", "celsius", "", null],
                [4, "merged", "motor.loops", {}, "counter", "", "Passes.", null],
            ],
            "values": values, "gone": [],
        })
        .to_string()
    }

    /// Returns a look at that document.
    pub(in crate::top) fn look(seconds: u64) -> Look {
        read(&document(seconds)).unwrap()
    }

    /// Another program may answer at the address, or a later version.
    #[test]
    fn what_is_no_document_is_refused() {
        assert_eq!(look(3).metrics.len(), 5);
        for text in ["", "{}", "[]", "404", r#"{"sections":[],"values":[],"series":[]}"#] {
            assert!(read(text).is_none(), "{text}");
        }
        let odd = document(1).replace("[2,-80,54]", "[200,-80,4000000000]");
        assert!(read(&odd).unwrap().metrics.iter().all(|metric| metric.counts.is_none()));
    }

    /// Quantiles of a moment are what the chart is for.
    #[test]
    fn quantiles_are_of_what_was_added() {
        let at = |seconds: u64| {
            let look = look(seconds);
            let timer = look.metrics.into_iter().find(|metric| metric.counts.is_some());
            timer.unwrap().counts.unwrap()
        };
        let added = at(5).since(&at(4)).unwrap();
        assert_eq!((added.total(), added.overflow), (1_001, 0));
        let bucket = |i| (added.geometry.lower(i), added.geometry.upper(i));
        let median = added.quantile(0.5).unwrap();
        assert!(bucket(16).0 < median && median < bucket(16).1, "{median}");
        assert!(added.quantile(1.0).unwrap() > bucket(36).0);
        assert_eq!(at(4).since(&at(4)).unwrap().quantile(0.5), None);
    }
}

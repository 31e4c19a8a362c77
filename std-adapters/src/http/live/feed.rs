//! What was shown last, and what has changed since: one look at the numbers serves all who watch.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use hyper::body::Bytes;

use super::document::{Entries, Entry};
use crate::exposition::Exposition;

/// A look serves all who ask within this time; a little less than the interval of the streams.
const AGE_MAX: Duration = Duration::from_millis(900);

/// Everything that is being watched.
#[derive(Debug, Default)]
pub(super) struct Feed {
    /// Number of the last look; 0 before the first.
    version: u64,
    /// When that was; `None` if nothing is kept of it.
    made: Option<Duration>,
    /// The last look's sections, as JSON.
    sections: String,
    /// By what describes them.
    series: HashMap<String, Known>,
    next_id: u64,
    /// The last look's changes, as a document.
    changes: Bytes,
}

/// A series that was seen in the last look.
#[derive(Debug)]
struct Known {
    id: u64,
    value: String,
    seen: u64,
}

impl Feed {
    /// Looks again if the last look is old, and returns the number of the newest one with what
    /// somebody needs who has seen `have`: nothing, the changes, or everything.
    pub(super) fn next(
        &mut self,
        exposition: &dyn Exposition,
        have: Option<u64>,
        now: Duration,
    ) -> Result<(u64, Option<Bytes>), fmt::Error> {
        if self.made.is_none_or(|made| now.saturating_sub(made) > AGE_MAX) {
            self.look(exposition, now)?;
        }
        let text = match have {
            Some(have) if have == self.version => None,
            Some(have) if have + 1 == self.version => Some(self.changes.clone()),
            _ => Some(self.everything()?.into()),
        };
        Ok((self.version, text))
    }

    /// Gives the memory back. Whoever has seen something is sent everything next time.
    pub(super) fn clear(&mut self) {
        *self = Self { version: self.version + 1, next_id: self.next_id, ..Self::default() };
    }

    fn look(&mut self, exposition: &dyn Exposition, now: Duration) -> fmt::Result {
        let entries = Entries::read(exposition)?;
        let version = self.version + 1;
        let (mut series, mut values) = (String::new(), String::new());
        for Entry { about, value } in entries.entries {
            let known = self.series.get_mut(&about);
            let is_same = known.as_ref().is_some_and(|known| known.value == value);
            let id = known.as_ref().map_or(self.next_id, |known| known.id);
            if !is_same {
                write!(values, "{}[{id},{value}]", comma(&values))?;
            }
            if let Some(known) = known {
                (known.value, known.seen) = (value, version);
            } else {
                write!(series, "{}[{id},{about}]", comma(&series))?;
                self.next_id += 1;
                self.series.insert(about, Known { id, value, seen: version });
            }
        }
        let mut gone = String::new();
        for known in self.series.values().filter(|known| known.seen != version) {
            write!(gone, "{}{}", comma(&gone), known.id)?;
        }
        self.series.retain(|_, known| known.seen == version);
        (self.version, self.made, self.sections) = (version, Some(now), entries.sections);
        self.changes = self.text(Some(version - 1), &series, &values, &gone)?.into();
        Ok(())
    }

    fn everything(&self) -> Result<String, fmt::Error> {
        let (mut series, mut values) = (String::new(), String::new());
        for (about, known) in &self.series {
            write!(series, "{}[{},{about}]", comma(&series), known.id)?;
            write!(values, "{}[{},{}]", comma(&values), known.id, known.value)?;
        }
        self.text(None, &series, &values, "")
    }

    fn text(
        &self,
        since: Option<u64>,
        series: &str,
        values: &str,
        gone: &str,
    ) -> Result<String, fmt::Error> {
        let Self { version, made, sections, .. } = self;
        let since = since.map_or("null".to_owned(), |since| since.to_string());
        let mut text = String::with_capacity(series.len() + values.len() + sections.len() + 128);
        write!(
            text,
            "{{\"version\":{version},\"since\":{since},\"time\":{},\"sections\":[{sections}],\
             \"series\":[{series}],\"values\":[{values}],\"gone\":[{gone}]}}",
            made.unwrap_or_default().as_millis()
        )?;
        Ok(text)
    }
}

const fn comma(before: &str) -> &'static str {
    if before.is_empty() { "" } else { "," }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};
    use tapes_core::Registry;

    use super::Feed;
    use crate::local::Local;

    fn next(feed: &mut Feed, local: &Local<Registry<8, 64>>, have: Option<u64>, ms: u64) -> Value {
        let (_, text) = feed.next(local, have, Duration::from_millis(ms)).unwrap();
        text.map_or(Value::Null, |text| serde_json::from_slice(&text).unwrap())
    }

    /// Who misses a change shows an old number for ever; who gets all each time is a burden.
    #[test]
    fn changes_follow_upon_everything() {
        static REGISTRY: Registry<8, 64> = Registry::new();
        let local = Local::new(&REGISTRY);
        let mut feed = Feed::default();
        let a = REGISTRY.counter("a").unwrap();
        a.add(1);
        REGISTRY.gauge::<u32>("b").unwrap().set(2);
        let all = next(&mut feed, &local, None, 0);
        assert_eq!((&all["since"], &all["version"]), (&Value::Null, &json!(1)));
        assert_eq!(all["series"].as_array().map(Vec::len), Some(2), "{all}");
        a.add(1);
        assert_eq!(next(&mut feed, &local, Some(1), 900), Value::Null, "not yet");
        let changes = next(&mut feed, &local, Some(1), 901);
        assert_eq!((&changes["since"], &changes["series"]), (&json!(1), &json!([])));
        assert_eq!(changes["values"], json!([[0, {"value": 2}, true]]));
        assert_eq!(next(&mut feed, &local, Some(2), 902), Value::Null);
        REGISTRY.counter("c").unwrap().add(1);
        let changes = next(&mut feed, &local, Some(2), 2_000);
        assert_eq!(changes["series"][0][0], 2, "{changes}");
        assert_eq!(next(&mut feed, &local, Some(1), 2_001)["since"], Value::Null, "too late");
        feed.clear();
        let all = next(&mut feed, &local, Some(3), 2_002);
        assert_eq!(
            (&all["since"], all["series"].as_array().map(Vec::len)),
            (&Value::Null, Some(3))
        );
    }
}

//! One rendering for all who ask at the same time, compressed once.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;

use super::negotiate::Representation;

/// Renderings that are kept at the same time; the oldest goes.
const RENDERINGS_MAX: usize = 16;

/// Bodies below this length are sent as they are.
const COMPRESSED_LEN_MIN: usize = 1_024;

/// What was rendered: the path and the format.
pub(super) type Key = (String, Representation);

/// A body, and its compressed form once somebody asked for that.
#[derive(Debug, Clone)]
struct Rendering {
    made: Duration,
    body: Bytes,
    compressed: Option<Bytes>,
}

/// The renderings of the last moments.
///
/// Rendering happens under the lock, one at a time: however many ask, the memory is that of one
/// rendering and of those that are kept.
#[derive(Debug, Default)]
pub(super) struct Cache {
    renderings: Mutex<HashMap<Key, Rendering>>,
}

impl Cache {
    /// Returns the body for a key, and whether it is compressed, made by `render` unless there is
    /// one that was made at most `age_max` before `now`; `None` if `render` makes none.
    pub(super) fn get<E>(
        &self,
        key: Key,
        now: Duration,
        age_max: Duration,
        gzip: bool,
        render: impl FnOnce() -> Result<Option<Vec<u8>>, E>,
    ) -> Result<Option<(Bytes, bool)>, E> {
        let mut renderings = self.renderings.lock().unwrap_or_else(PoisonError::into_inner);
        renderings.retain(|_, kept| now.saturating_sub(kept.made) <= age_max && !age_max.is_zero());
        if !renderings.contains_key(&key) {
            let Some(body) = render()? else { return Ok(None) };
            make_room(&mut renderings);
            let rendering = Rendering { made: now, body: body.into(), compressed: None };
            renderings.insert(key.clone(), rendering);
        }
        let Some(rendering) = renderings.get_mut(&key) else { return Ok(None) };
        if !gzip || rendering.body.len() < COMPRESSED_LEN_MIN {
            return Ok(Some((rendering.body.clone(), false)));
        }
        let body = &rendering.body;
        let compressed = rendering.compressed.get_or_insert_with(|| compressed(body));
        Ok(Some((compressed.clone(), true)))
    }
}

fn make_room(renderings: &mut HashMap<Key, Rendering>) {
    if renderings.len() < RENDERINGS_MAX {
        return;
    }
    let oldest = renderings.iter().min_by_key(|(_, kept)| kept.made).map(|(key, _)| key.clone());
    if let Some(oldest) = oldest {
        renderings.remove(&oldest);
    }
}

fn compressed(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::fast());
    // Writing to a vector does not fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default().into()
}

/// Returns whether an `Accept-Encoding` header asks for gzip.
pub(super) fn wants_gzip(accept_encoding: Option<&str>) -> bool {
    accept_encoding.unwrap_or("").split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let is_refused = parts.any(|parameter| {
            let quality = parameter.strip_prefix("q=").or(parameter.strip_prefix("Q="));
            quality.is_some_and(|q| q.parse() == Ok(0.0f32))
        });
        is_gzip && !is_refused
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io::Read as _;
    use std::time::Duration;

    use flate2::read::GzDecoder;

    use super::{Cache, Representation, wants_gzip};

    /// A hundred dashboards must not cost a hundred renderings, and none may see old numbers.
    #[test]
    fn a_rendering_serves_its_moment() {
        let cache = Cache::default();
        let mut rendered = 0;
        let age = Duration::from_millis(100);
        for (millis, path, expected) in
            [(0, "a", 1), (100, "a", 1), (100, "b", 2), (101, "a", 3), (150, "b", 3)]
        {
            let key = (path.to_owned(), Representation::Prometheus);
            let render = || {
                rendered += 1;
                Ok::<_, Infallible>(Some(vec![b'x'; 2_000]))
            };
            let body = cache.get(key, Duration::from_millis(millis), age, true, render);
            let Ok(Some((body, true))) = body else { panic!("compressed") };
            let mut plain = Vec::new();
            GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap();
            assert_eq!((plain.len(), rendered), (2_000, expected), "{millis} {path}");
        }
    }

    /// A client that cannot read gzip gets nothing out of it.
    #[test]
    fn gzip_is_for_those_who_ask() {
        for (header, expected) in [
            (Some("gzip"), true),
            (Some("deflate, GZIP;q=0.5"), true),
            (Some("gzip;q=0"), false),
            (Some("gzip; q=0.0"), false),
            (Some("br"), false),
            (Some(""), false),
            (None, false),
        ] {
            assert_eq!(wants_gzip(header), expected, "{header:?}");
        }
    }
}

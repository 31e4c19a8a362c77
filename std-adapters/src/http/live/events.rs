//! Streams of server-sent events: everything first, then each second what has changed.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::feed::Feed;
use crate::clock::TimeSource;
use crate::exposition::Exposition;
use crate::http::server::Progress;

/// From one event to the next.
const INTERVAL: Duration = Duration::from_secs(1);

/// What is sent when nothing has changed, so that both ends know of each other.
const NOTHING: Bytes = Bytes::from_static(b":\n\n");

/// The streams of a server.
#[derive(Debug)]
pub(in crate::http) struct Streams {
    feed: Arc<Mutex<Feed>>,
    places: Arc<Semaphore>,
    places_max: usize,
    stop: watch::Sender<bool>,
}

impl Streams {
    pub(in crate::http) fn new(places_max: usize) -> Self {
        let places = Arc::new(Semaphore::new(places_max));
        Self { feed: Arc::default(), places, places_max, stop: watch::Sender::new(false) }
    }

    /// Opens a stream; `None` if there are as many as may be.
    ///
    /// Needs a tokio runtime with timers.
    pub(in crate::http) fn open(
        &self,
        exposition: Arc<dyn Exposition>,
        time: Arc<dyn TimeSource>,
        progress: Progress,
    ) -> Option<EventBody> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let (sender, events) = mpsc::channel(1);
        let watcher = Watcher {
            feed: Arc::clone(&self.feed),
            exposition,
            time,
            place,
            places: (Arc::clone(&self.places), self.places_max),
            stop: self.stop.subscribe(),
        };
        tokio::spawn(watcher.run(sender));
        Some(EventBody { events, progress })
    }

    /// Ends all streams, and those that open later.
    pub(in crate::http) fn close(&self) {
        self.stop.send_replace(true);
    }
}

/// What feeds one stream.
#[derive(Debug)]
struct Watcher {
    feed: Arc<Mutex<Feed>>,
    exposition: Arc<dyn Exposition>,
    time: Arc<dyn TimeSource>,
    place: OwnedSemaphorePermit,
    places: (Arc<Semaphore>, usize),
    stop: watch::Receiver<bool>,
}

impl Watcher {
    async fn run(mut self, events: mpsc::Sender<Bytes>) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut have = None;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = events.closed() => break,
                // An error is the end of the server.
                _ = self.stop.wait_for(|stop| *stop) => break,
            }
            let (feed, exposition) = (Arc::clone(&self.feed), Arc::clone(&self.exposition));
            let now = self.time.monotonic();
            let look = move || {
                let mut feed = feed.lock().unwrap_or_else(PoisonError::into_inner);
                feed.next(&*exposition, have, now)
            };
            // A look that panics or fails ends the stream; the page asks again.
            let Ok(Ok((version, text))) = tokio::task::spawn_blocking(look).await else { break };
            have = Some(version);
            let event = text.map_or(NOTHING, |text| event(&text));
            if events.send(event).await.is_err() {
                break;
            }
        }
        let (places, max) = self.places;
        drop(self.place);
        if places.available_permits() == max {
            // Nobody watches: the memory goes back.
            self.feed.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

/// Returns an event with a document, which has no line feeds.
fn event(text: &[u8]) -> Bytes {
    [b"data: ", text, b"\n\n"].concat().into()
}

/// The body of a stream.
#[derive(Debug)]
pub(in crate::http) struct EventBody {
    events: mpsc::Receiver<Bytes>,
    progress: Progress,
}

impl Body for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let event = std::task::ready!(self.events.poll_recv(context));
        // What is asked for the next event has sent the last one, or has room for it.
        self.progress.made();
        Poll::Ready(event.map(|event| Ok(Frame::data(event))))
    }
}

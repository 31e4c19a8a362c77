//! Publishing: frames to a broker, through its restarts.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{LastWill, Packet, PubAckReason};
use rumqttc::v5::{AsyncClient, Event, EventLoop};
use tapes_core::wire::{Address, Epoch, Frame, Origin};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::broker::{Broker, BrokerError, INFLIGHT};
use super::dictionary::Gathered;
use super::queue::{Message, Queue};
use super::readdress::readdressed;
use super::topic::{is_level, level};
use crate::fleet::{OutputCounts, SharedFleet};

/// Pauses between attempts to connect: from the first to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Time for the last message, and for the broker to close the connection.
const DEPARTURE: Duration = Duration::from_millis(500);

/// Devices whose dictionaries are remembered; those beyond have none retained.
const DEVICES_MAX: usize = 16_384;

/// What producers and the connection share.
#[derive(Debug, Default)]
struct State {
    queue: Queue,
    devices: HashMap<Origin, Gathered>,
    sent: u64,
    failures: u64,
    refused: u64,
    /// Whether the broker has said yes.
    is_connected: bool,
    /// When the connection is to end, at the latest.
    closing: Option<Instant>,
}

#[derive(Debug)]
struct Shared {
    prefix: String,
    client: String,
    state: Mutex<State>,
    news: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn message(&self, below: &str, payload: Vec<u8>, is_retained: bool) -> Message {
        Message { topic: format!("{}/{below}", self.prefix), payload, is_retained }
    }

    /// Says that a client is there, or not, for good.
    fn state_message(&self, who: &str, text: &str) -> Message {
        self.message(&format!("{who}/state"), text.as_bytes().to_vec(), true)
    }

    fn here(&self) -> String {
        format!("here {}", self.client)
    }

    /// Adds what a frame with a full address means.
    fn publish(&self, frame: &[u8]) -> bool {
        let Ok(parsed) = Frame::parse(frame) else { return false };
        let Address::Full { origin, .. } = parsed.header.address else { return false };
        let Ok(origin) = Origin::new(origin) else { return false };
        let who = level(&origin);
        let mut state = self.lock();
        let State { queue, devices, .. } = &mut *state;
        if devices.len() < DEVICES_MAX || devices.contains_key(&origin) {
            let is_new = !devices.contains_key(&origin);
            let gathered = devices.entry(origin).or_default();
            if is_new {
                queue.push(self.state_message(&who, &self.here()));
            }
            if gathered.take_in(frame) {
                let stream = gathered.stream();
                queue.push(self.message(&format!("{who}/dictionary"), stream, true));
            }
        }
        queue.push(self.message(&who, frame.to_vec(), false));
        drop(state);
        self.news.notify_one();
        true
    }

    /// Says once more what a broker retains: it may be another one than before.
    fn renew(&self) {
        let mut state = self.lock();
        let State { queue, devices, is_connected, .. } = &mut *state;
        queue.again();
        *is_connected = true;
        queue.push(self.state_message(&self.client, "here"));
        for (origin, gathered) in devices {
            queue.push(self.state_message(&level(origin), &self.here()));
            gathered.renew();
        }
    }
}

/// Publishes frames while it [runs](Self::run).
#[derive(Debug)]
#[must_use = "nothing is published before this runs"]
pub struct Publisher {
    broker: Broker,
    shared: Arc<Shared>,
}

/// Hands frames to a [`Publisher`]; clones share it.
#[derive(Debug, Clone)]
pub struct PublisherHandle {
    shared: Arc<Shared>,
}

impl Publisher {
    /// Returns a publisher and what hands frames to it. `client` is its name at the broker, and in
    /// the states of the devices that it speaks for: no two may have the same.
    ///
    /// # Errors
    ///
    /// [`BrokerError::Client`] if `client` cannot be a name.
    pub fn new(broker: Broker, client: &str) -> Result<(Self, PublisherHandle), BrokerError> {
        if !is_level(client) {
            return Err(BrokerError::Client);
        }
        let shared = Arc::new(Shared {
            prefix: broker.prefix().to_owned(),
            client: client.to_owned(),
            state: Mutex::default(),
            news: Notify::new(),
        });
        let handle = PublisherHandle { shared: Arc::clone(&shared) };
        Ok((Self { broker, shared }, handle))
    }

    /// Publishes every frame that a fleet takes in from byte streams, whoever sent it; call it once
    /// for a fleet, before its inputs are read.
    pub fn of_fleet(self, fleet: &SharedFleet) -> Self {
        let shared = Arc::clone(&self.shared);
        fleet.tap(move |origin: &Origin, epoch: Epoch, frame: &[u8]| {
            let is_full = |frame: &Frame<'_>| matches!(frame.header.address, Address::Full { .. });
            let is_full = Frame::parse(frame).as_ref().is_ok_and(is_full);
            let taken = if is_full {
                shared.publish(frame)
            } else {
                readdressed(frame, origin, epoch).is_some_and(|frame| shared.publish(&frame))
            };
            if !taken {
                shared.lock().queue.dropped += 1;
            }
        });
        self
    }

    /// Connects, publishes what is handed over, and connects again whenever the connection is lost;
    /// until it is [closed](PublisherHandle::close).
    ///
    /// Needs a tokio runtime with timers and sockets.
    pub async fn run(self) {
        let shared = self.shared;
        let mut options = self.broker.options(&format!("{}-out", shared.client));
        // Whatever the broker did not acknowledge is in our own queue.
        options.set_clean_start(true);
        options.set_session_expiry_interval(None);
        let topic = format!("{}/{}/state", shared.prefix, shared.client);
        options.set_last_will(LastWill::new(topic, "gone", QoS::AtLeastOnce, true, None));
        let (client, mut events) = AsyncClient::new(options, usize::from(INFLIGHT));
        let mut pause = PAUSES.0;
        loop {
            if serve(&shared, &client, &mut events, &mut pause).await {
                return;
            }
            shared.lock().failures += 1;
            let again = Instant::now() + pause;
            pause = (pause * 2).min(PAUSES.1);
            while Instant::now() < again {
                let end = shared.lock().closing;
                if end.is_some_and(|end| end <= Instant::now()) {
                    return;
                }
                tokio::select! {
                    () = sleep_until(again) => {}
                    () = until(end) => {}
                    // Perhaps it is to be closed.
                    () = shared.news.notified() => {}
                }
            }
        }
    }
}

/// Serves one connection. Returns whether all is done; else the connection was lost.
async fn serve(
    shared: &Shared,
    client: &AsyncClient,
    events: &mut EventLoop,
    pause: &mut Duration,
) -> bool {
    // What the library kept of the connection before is in our queue, too.
    events.clean();
    events.pending.clear();
    {
        let mut state = shared.lock();
        state.queue.again();
        state.is_connected = false;
    }
    // Giving up a poll could lose a message half way, so nothing does while all is well.
    let is_over = tokio::select! {
        is_over = poll(shared, client, events, pause) => is_over,
        () = feed(shared, client) => true,
    };
    if is_over && shared.lock().is_connected {
        depart(shared, client, events).await;
    }
    is_over
}

/// Does what the connection says. Returns true when there is nothing left to do, false when it is
/// lost.
async fn poll(
    shared: &Shared,
    client: &AsyncClient,
    events: &mut EventLoop,
    pause: &mut Duration,
) -> bool {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                *pause = PAUSES.0;
                shared.renew();
                shared.news.notify_one();
            }
            Ok(Event::Incoming(Packet::PubAck(ack))) => {
                use PubAckReason::{NoMatchingSubscribers, Success};
                let mut state = shared.lock();
                let was_ours = state.queue.acknowledged();
                let is_taken = matches!(ack.reason, Success | NoMatchingSubscribers);
                state.sent += u64::from(was_ours && is_taken);
                state.refused += u64::from(was_ours && !is_taken);
                send(&mut state, client);
                if state.closing.is_some() && state.queue.len() == 0 {
                    return true;
                }
            }
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

/// Hands over what producers bring; until the end, or until it is due and all is acknowledged.
async fn feed(shared: &Shared, client: &AsyncClient) {
    loop {
        let end = {
            let mut state = shared.lock();
            if state.is_connected {
                send(&mut state, client);
                if state.closing.is_some() && state.queue.len() == 0 {
                    return;
                }
            }
            state.closing
        };
        tokio::select! {
            () = shared.news.notified() => {}
            () = until(end) => return,
        }
    }
}

/// Waits for a time, for ever if there is none.
async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// Hands waiting messages to the connection, as many as may be under way.
fn send(state: &mut State, client: &AsyncClient) {
    while let Some(message) = state.queue.next(usize::from(INFLIGHT)) {
        let Message { topic, payload, is_retained } = message;
        let (qos, payload) = (QoS::AtLeastOnce, payload.clone());
        if client.try_publish(topic, qos, *is_retained, payload).is_err() {
            state.queue.put_back();
            return;
        }
    }
}

/// Says that this client goes, and disconnects: an orderly end takes back the will.
async fn depart(shared: &Shared, client: &AsyncClient, events: &mut EventLoop) {
    let Message { topic, payload, .. } = shared.state_message(&shared.client, "gone");
    let is_asked = client.try_publish(topic, QoS::AtLeastOnce, true, payload).is_ok();
    // A moment for it, however late it is.
    let end = Instant::now() + DEPARTURE;
    while let Ok(Ok(event)) = timeout_at(end, events.poll()).await {
        if is_asked && matches!(event, Event::Incoming(Packet::PubAck(_))) {
            break;
        }
    }
    if client.try_disconnect().is_ok() {
        // The library ends with an error once it is disconnected.
        while let Ok(Ok(_)) = timeout_at(end, events.poll()).await {}
    }
}

impl PublisherHandle {
    /// Publishes a bare frame with a full address, in order; anything else is dropped and counted.
    ///
    /// Never waits: a queue that is full drops its oldest message.
    pub fn publish(&self, frame: &[u8]) {
        if !self.shared.publish(frame) {
            self.shared.lock().queue.dropped += 1;
        }
    }

    /// Lets the publisher end when everything is acknowledged, or after this time; it says that it
    /// is gone, and so are the devices that it spoke for.
    pub fn close(&self, linger: Duration) {
        self.shared.lock().closing = Some(Instant::now() + linger);
        self.shared.news.notify_one();
    }

    /// Returns what became of the messages: frames, dictionaries and states.
    #[must_use]
    pub fn stats(&self) -> OutputCounts {
        let state = self.shared.lock();
        OutputCounts {
            sent: state.sent,
            dropped: state.queue.dropped + state.refused,
            failures: state.failures,
            queued: state.queue.len() as u64,
            queued_bytes: state.queue.bytes() as u64,
        }
    }
}

impl fmt::Display for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.broker.fmt(f)
    }
}

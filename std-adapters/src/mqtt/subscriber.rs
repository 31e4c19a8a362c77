//! Subscribing: frames from a broker into a fleet.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet, Publish, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event};
use tapes_core::wire::{Address, Deframer, FRAME_LEN_MAX, Feed, Frame, Origin};
use tokio::time::sleep;

use super::broker::{Broker, BrokerError};
use super::topic::{Topic, is_level, origin};
use crate::fleet::{LinkId, LinkKind, Refusal, SharedFleet};

/// Name under which what comes in is counted.
const LINK_NAME: &str = "mqtt";

/// Pauses between attempts to connect: from the first to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Dictionaries that wait for the first frame of their device, and their bytes.
const DICTIONARIES_MAX: (usize, usize) = (16_384, 16 << 20);

/// Devices of which it is remembered who speaks for them.
const VIAS_MAX: usize = 65_536;

/// Takes frames from a broker while it [runs](Self::run).
#[derive(Debug)]
#[must_use = "nothing is received before this runs"]
pub struct Subscriber {
    broker: Broker,
    client: String,
}

/// What happens to the connection, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    Up,
    Down(String),
}

impl Subscriber {
    /// Returns a subscriber. `client` is its name at the broker, which keeps for it what is
    /// published while it is away for up to an hour: no two may have the same.
    ///
    /// # Errors
    ///
    /// [`BrokerError::Client`] if `client` cannot be a name.
    pub fn new(broker: Broker, client: &str) -> Result<Self, BrokerError> {
        if !is_level(client) {
            return Err(BrokerError::Client);
        }
        Ok(Self { broker, client: client.to_owned() })
    }

    /// Feeds what is published to a fleet until `stop` is ready; connects again whenever the
    /// connection is lost. `on_change` is told when it is there, and once when it is lost and why.
    ///
    /// Needs a tokio runtime with timers and sockets.
    pub async fn run(
        self,
        fleet: SharedFleet,
        on_change: impl Fn(Result<(), &str>),
        stop: impl Future<Output = ()>,
    ) {
        let prefix = self.broker.prefix().to_owned();
        let Some(mut intake) = Intake::open(fleet, prefix.clone()) else {
            on_change(Err("too many inputs are open"));
            return stop.await;
        };
        let mut options = self.broker.options(&format!("{}-in", self.client));
        options.set_clean_start(false);
        let (client, mut events) = AsyncClient::new(options, 16);
        let filters = ["+", "+/dictionary", "+/state"]
            .map(|below| Filter::new(format!("{prefix}/{below}"), QoS::AtLeastOnce));
        let mut stop = std::pin::pin!(stop);
        let (mut pause, mut line) = (PAUSES.0, None);
        loop {
            let event = tokio::select! {
                () = &mut stop => break,
                event = events.poll() => event,
            };
            let now = match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    pause = PAUSES.0;
                    // A broker that was restarted may have forgotten it.
                    let _ = client.try_subscribe_many(filters.clone());
                    continue;
                }
                Ok(Event::Incoming(Packet::SubAck(ack))) => {
                    let is_granted = |code| matches!(code, &SubscribeReasonCode::Success(_));
                    if ack.return_codes.iter().all(is_granted) {
                        Line::Up
                    } else {
                        Line::Down("the broker does not let it subscribe".to_owned())
                    }
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    intake.take_in(&publish);
                    continue;
                }
                Ok(_) => continue,
                Err(error) => {
                    tokio::select! {
                        () = &mut stop => break,
                        () = sleep(pause) => pause = (pause * 2).min(PAUSES.1),
                    }
                    Line::Down(error.to_string())
                }
            };
            // Attempts that fail one after the other are one change.
            let is_news = match (&line, &now) {
                (Some(Line::Down(_)), Line::Down(_)) => false,
                (before, now) => before.as_ref() != Some(now),
            };
            if is_news {
                on_change(match &now {
                    Line::Up => Ok(()),
                    Line::Down(why) => Err(why),
                });
            }
            line = Some(now);
        }
        let _ = client.try_disconnect();
    }
}

/// What messages mean to a fleet.
struct Intake {
    fleet: SharedFleet,
    link: LinkId,
    prefix: String,
    /// Retained dictionaries of devices that were not heard since: their frames are older than
    /// those to come, which would look lost.
    dictionaries: BTreeMap<Origin, Vec<u8>>,
    dictionaries_len: usize,
    /// Which client speaks for a device.
    vias: BTreeMap<Origin, String>,
}

impl Intake {
    fn open(fleet: SharedFleet, prefix: String) -> Option<Self> {
        let link = fleet.lock().open_link(LINK_NAME, LinkKind::Shared)?;
        let (dictionaries, vias) = (BTreeMap::new(), BTreeMap::new());
        Some(Self { fleet, link, prefix, dictionaries, dictionaries_len: 0, vias })
    }

    fn take_in(&mut self, publish: &Publish) {
        let Publish { topic, payload, .. } = publish;
        let prefix = self.prefix.clone();
        let topic = std::str::from_utf8(topic).ok();
        match topic.and_then(|topic| Topic::parse(&prefix, topic)) {
            Some(Topic::Frame(origin)) => {
                self.frame(&origin, payload);
                self.introduce(&origin, payload);
            }
            Some(Topic::Dictionary(origin)) => self.dictionary(origin, payload),
            Some(Topic::State(who)) => self.state(who, payload),
            None => self.fleet.lock().refuse(self.link, Refusal::Parts),
        }
        self.fleet.lock().count_bytes(self.link, payload.len() as u64);
    }

    /// Takes in a frame that must be of the device whose topic it was on: who may publish what is
    /// decided by topics.
    fn frame(&self, expected: &Origin, bytes: &[u8]) {
        let now = self.fleet.now();
        let address = Frame::parse(bytes).map(|frame| frame.header.address);
        let refusal = match address {
            Ok(Address::Full { origin, .. }) if origin == expected.as_bytes() => {
                // What it refuses it counts.
                let _ = self.fleet.lock().ingest(self.link, bytes, now);
                return;
            }
            Ok(Address::Full { .. }) => Refusal::Forbidden,
            Ok(_) => Refusal::Unaddressed,
            Err(error) => error.into(),
        };
        self.fleet.lock().refuse(self.link, refusal);
    }

    /// Keeps a dictionary until its device is heard.
    fn dictionary(&mut self, origin: Origin, stream: &[u8]) {
        if let Some(before) = self.dictionaries.remove(&origin) {
            self.dictionaries_len -= before.len();
        }
        let (count_max, len_max) = DICTIONARIES_MAX;
        let fits =
            self.dictionaries.len() < count_max && self.dictionaries_len + stream.len() <= len_max;
        // What does not fit comes round with the frames.
        if fits && !stream.is_empty() {
            self.dictionaries_len += stream.len();
            self.dictionaries.insert(origin, stream.to_vec());
        }
    }

    /// Takes in the dictionary of a device that was just heard, if it is of the same epoch.
    fn introduce(&mut self, origin: &Origin, heard: &[u8]) {
        let Ok(heard) = Frame::parse(heard) else { return };
        let Some(stream) = self.dictionaries.remove(origin) else { return };
        self.dictionaries_len -= stream.len();
        let mut deframer = Box::new(Deframer::<FRAME_LEN_MAX>::new());
        let mut rest = stream.as_slice();
        loop {
            match deframer.feed(rest) {
                Feed::Frame { frame: bytes, rest: more } => {
                    rest = more;
                    let frame = Frame::parse(bytes);
                    if frame.is_ok_and(|frame| frame.header.address == heard.header.address) {
                        self.fleet.lock().learn(self.link, bytes, self.fleet.now());
                    }
                }
                Feed::Oversize { rest: more } | Feed::Cobs { rest: more } => rest = more,
                _ => return,
            }
        }
    }

    /// Notes who speaks for a device, or that a device or a client is gone.
    fn state(&mut self, who: &str, payload: &[u8]) {
        let device = origin(who);
        let text = std::str::from_utf8(payload).unwrap_or_default();
        if text == "gone" {
            let mut fleet = self.fleet.lock();
            if let Some(device) = device {
                fleet.leave(device);
            }
            for (device, _) in self.vias.iter().filter(|(_, via)| via.as_str() == who) {
                fleet.leave(*device);
            }
            return;
        }
        let via = text.strip_prefix("here ").filter(|via| is_level(via));
        if let (Some(device), Some(via)) = (device, via)
            && (self.vias.len() < VIAS_MAX || self.vias.contains_key(&device))
        {
            self.vias.insert(device, via.to_owned());
        }
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.fleet.lock().close_link(self.link);
    }
}

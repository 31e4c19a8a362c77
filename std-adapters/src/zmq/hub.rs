//! The receiving end: takes messages in, and says what of them is kept.
//!
//! A sender numbers its frames, and its batches of records, one after the other. The hub knows for
//! each sender from which number on it has all of them without a gap, and answers with that run
//! once everything in it is saved. The sender sees by it whether something is missing: the hub
//! need not know what it does not know.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tapes_core::wire::{Address, Flags, Frame, FrameType, Origin};

use super::keys::{AllowList, PublicKey};
use super::message::{MARK, Message};
use super::transport::{Inbox, Incoming, PeerId};
use crate::fleet::{LinkId, LinkKind, NodeId, Refusal, SharedFleet};

/// Devices of one sender whose frames are acknowledged; further ones are taken in without.
const RUNS_MAX: usize = 4_096;

/// Messages taken in before answers are given, if more of them wait.
const DRAIN_MAX: usize = 1_024;

/// Name under which what comes in is counted, where senders are answered and where not.
const NAMES: (&str, &str) = ("zmq", "zmq-pull");

/// Frames that came without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    first: u64,
    last: u64,
}

/// One sender.
#[derive(Debug)]
struct Peer {
    link: LinkId,
    runs: BTreeMap<(Origin, u64), Run>,
    /// The session of records, and the number of the next message of it.
    records: Option<(u64, u64)>,
}

/// What is to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Frames(PeerId, Origin, u64),
    Records(PeerId),
    Again(PeerId, u64),
}

/// Takes in what one socket receives.
#[derive(Debug)]
pub(super) struct Hub {
    fleet: SharedFleet,
    allowed: Option<AllowList>,
    peers: BTreeMap<PeerId, Peer>,
    /// The input of senders that cannot be told apart.
    shared: Option<LinkId>,
    due: BTreeSet<Due>,
}

impl Hub {
    pub(super) fn new(fleet: SharedFleet, allowed: Option<AllowList>) -> Self {
        let due = BTreeSet::new();
        Self { fleet, allowed, peers: BTreeMap::new(), shared: None, due }
    }

    /// Takes in what has come, waiting for the first of it for at most `patience`, and answers.
    pub(super) fn turn(&mut self, inbox: &mut impl Inbox, patience: Duration) {
        let mut incoming = inbox.receive(patience);
        for _ in 0..DRAIN_MAX {
            let Some(message) = incoming else { break };
            self.take(message);
            incoming = inbox.receive(Duration::ZERO);
        }
        if let Some(message) = incoming {
            self.take(message);
        }
        self.settle(inbox);
        for peer in inbox.gone() {
            self.forget(peer);
        }
    }

    /// Forgets a sender that went away; what it said stays.
    fn forget(&mut self, peer: PeerId) {
        if let Some(gone) = self.peers.remove(&peer) {
            self.fleet.lock().close_link(gone.link);
        }
    }

    /// Saves everything, and says so to those who wait for it.
    fn settle(&mut self, inbox: &mut impl Inbox) {
        if self.due.is_empty() {
            return;
        }
        self.fleet.save();
        if self.fleet.trouble().is_some() {
            // Who waits asks again.
            return;
        }
        let node = self.fleet.lock().node().0;
        for due in std::mem::take(&mut self.due) {
            let (peer, answer) = match due {
                Due::Frames(peer, origin, epoch) => {
                    let run = self.peers.get(&peer).and_then(|p| p.runs.get(&(origin, epoch)));
                    let Some(Run { first, last }) = run.copied() else { continue };
                    let origin = origin.as_bytes();
                    let kept = Message::FramesKept { node, origin, epoch, first, last };
                    (peer, kept.to_bytes())
                }
                Due::Records(peer) => {
                    let records = self.peers.get(&peer).and_then(|p| p.records);
                    let Some((session, number)) = records else { continue };
                    (peer, Message::RecordsKept { node, session, number }.to_bytes())
                }
                Due::Again(peer, session) => (peer, Message::Again { session }.to_bytes()),
            };
            inbox.answer(peer, &answer);
        }
    }

    /// Returns the input of a sender, `None` if there are too many.
    fn link(&mut self, peer: Option<PeerId>) -> Option<LinkId> {
        let mut fleet = self.fleet.lock();
        let Some(peer) = peer else {
            if self.shared.is_none() {
                self.shared = fleet.open_link(NAMES.1, LinkKind::Shared);
            }
            return self.shared;
        };
        if let Some(known) = self.peers.get(&peer) {
            return Some(known.link);
        }
        let link = fleet.open_link(NAMES.0, LinkKind::Socket)?;
        self.peers.insert(peer, Peer { link, runs: BTreeMap::new(), records: None });
        Some(link)
    }

    fn take(&mut self, incoming: Incoming) {
        let Incoming { peer, key, content } = incoming;
        let Some(link) = self.link(peer) else {
            self.fleet.lock().refuse_by_name(NAMES.0, Refusal::Connections);
            return;
        };
        let Some(content) = content else {
            self.fleet.lock().refuse(link, Refusal::Parts);
            return;
        };
        match content.first() {
            Some(&MARK) => self.take_records(link, (peer, key), &content),
            _ => self.take_frame(link, (peer, key), &content),
        }
        // Last, so that who sees the bytes counted sees what they said, too.
        self.fleet.lock().count_bytes(link, content.len() as u64);
    }

    fn may_speak_for(&self, peer: Option<PeerId>, key: Option<PublicKey>, origin: Origin) -> bool {
        match (&self.allowed, key) {
            // Where senders cannot be told apart, only keys for everything were let in.
            (None, _) => true,
            (Some(_), None) => peer.is_none(),
            (Some(allowed), Some(key)) => allowed.may_speak_for(key, origin),
        }
    }

    fn take_frame(
        &mut self,
        link: LinkId,
        (peer, key): (Option<PeerId>, Option<PublicKey>),
        bytes: &[u8],
    ) {
        let parsed = Frame::parse(bytes).map(|frame| frame.header);
        let address = parsed.as_ref().ok().map(|header| header.address);
        let refused = match address {
            // What is wrong with it is found out, and counted, where it is taken in.
            None => None,
            Some(Address::Full { origin, .. }) => Origin::new(origin)
                .ok()
                .filter(|origin| !self.may_speak_for(peer, key, *origin))
                .map(|_| Refusal::Forbidden),
            Some(_) => Some(Refusal::Unaddressed),
        };
        let now = self.fleet.now();
        let mut fleet = self.fleet.lock();
        if let Some(refusal) = refused {
            return fleet.refuse(link, refusal);
        }
        let (Ok(header), Some(Address::Full { origin, epoch })) = (parsed, address) else {
            // It is counted.
            let _ = fleet.ingest(link, bytes, now);
            return;
        };
        let Ok(origin) = Origin::new(origin) else { return };
        let before = fleet.device_counts(origin).full;
        let is_used = fleet.ingest(link, bytes, now).is_ok();
        let is_kept = is_used && fleet.device_counts(origin).full == before;
        drop(fleet);
        let Some((peer, known)) = peer.and_then(|id| Some((id, self.peers.get_mut(&id)?))) else {
            return;
        };
        let id = (origin, epoch.to_u64());
        if !is_kept {
            known.runs.remove(&id);
            return;
        }
        let seq = header.seq;
        let is_full = known.runs.len() >= RUNS_MAX;
        match known.runs.get_mut(&id) {
            Some(run) if run.last.checked_add(1) == Some(seq) => run.last = seq,
            Some(run) => *run = Run { first: seq, last: seq },
            None if !is_full => {
                known.runs.insert(id, Run { first: seq, last: seq });
            }
            None => return,
        }
        if header.frame_type == FrameType::Data && header.flags.contains(Flags::LAST) {
            self.due.insert(Due::Frames(peer, id.0, id.1));
        }
    }

    fn take_records(
        &mut self,
        link: LinkId,
        (peer, key): (Option<PeerId>, Option<PublicKey>),
        bytes: &[u8],
    ) {
        let message = Message::parse(bytes);
        let (Some(Message::Records { node, session, number, content }), Some(id)) = (message, peer)
        else {
            return self.fleet.lock().refuse(link, Refusal::Records);
        };
        let Some(known) = self.peers.get_mut(&id) else { return };
        let expected = known.records.filter(|(known, _)| *known == session);
        let expected = expected.map_or(0, |(_, next)| next);
        if number != expected {
            self.due.insert(Due::Again(id, session));
            return;
        }
        let now = self.fleet.now();
        let result = self.fleet.lock().receive_records(
            link,
            (content, NodeId(node)),
            |origin| self.may_speak_for(peer, key, origin),
            now,
        );
        // What one key may not say is no reason to keep it from saying the rest.
        let is_kept = matches!(result, Ok(()) | Err(Refusal::Forbidden));
        let Some(known) = self.peers.get_mut(&id) else { return };
        if is_kept {
            known.records = Some((session, number + 1));
            self.due.insert(Due::Records(id));
        } else {
            // The sender tries again, less and less often.
            known.records = None;
            self.due.insert(Due::Again(id, session));
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let mut fleet = self.fleet.lock();
        let links = self.peers.values().map(|peer| peer.link).chain(self.shared);
        links.for_each(|link| fleet.close_link(link));
    }
}

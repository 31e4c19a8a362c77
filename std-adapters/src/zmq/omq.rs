//! The transport over omq, a ZeroMQ in Rust.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use omq_tokio::blocking::Socket;
use omq_tokio::{
    Context, CurveServerOptions, Identity, Message, Options, PeerPublicKey, ReconnectPolicy,
    SocketType, TrySendError,
};

use super::endpoint::Endpoint;
use super::keys::PublicKey;
use super::settings::{
    ClientKeys, HANDSHAKE, HANDSHAKES_MAX, HEARTBEAT, HWM, MESSAGE_LEN_MAX, RECONNECT, ServerKeys,
    SocketError,
};
use super::transport::{Inbox, Incoming, PeerId, Uplink};

fn options() -> Options {
    Options::new()
        .linger(Duration::ZERO)
        .send_hwm(HWM)
        .recv_hwm(HWM)
        .max_message_size(MESSAGE_LEN_MAX)
        .handshake_timeout(HANDSHAKE)
        .max_pending_handshakes(HANDSHAKES_MAX)
        .heartbeat_interval(HEARTBEAT.0)
        .heartbeat_ttl(HEARTBEAT.1)
        .heartbeat_timeout(HEARTBEAT.1)
        .reconnect(ReconnectPolicy::Exponential { min: RECONNECT.0, max: RECONNECT.1 })
}

/// A DEALER socket.
pub(super) struct OmqUplink {
    context: Context,
    endpoint: String,
    options: Options,
    socket: Option<Socket>,
    generation: u64,
}

impl fmt::Debug for OmqUplink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OmqUplink").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl OmqUplink {
    /// Begins to connect. Call it on the thread that uses it, outside of any runtime.
    pub(super) fn connect(endpoint: &Endpoint, keys: Option<&ClientKeys>) -> Self {
        let mut options = options();
        if let Some(keys) = keys {
            options = options.curve_client(keys.own.curve(), keys.server.curve());
        }
        let context = Context::new();
        let endpoint = endpoint.to_string();
        let mut uplink = Self { context, endpoint, options, socket: None, generation: 0 };
        uplink.reconnect();
        uplink
    }
}

impl Uplink for OmqUplink {
    fn try_send(&mut self, message: Vec<u8>) -> Result<(), Vec<u8>> {
        let Some(socket) = &self.socket else { return Err(message) };
        match socket.try_send(Message::single(message)) {
            Err(TrySendError::Full(message)) => Err(part(&message, 0).unwrap_or_default()),
            // What it refuses for other reasons would be refused again: say that it was lost.
            _ => Ok(()),
        }
    }

    fn receive(&mut self, timeout: Duration) -> Option<Vec<u8>> {
        let Some(socket) = &self.socket else {
            std::thread::sleep(timeout);
            return None;
        };
        let message =
            if timeout.is_zero() { socket.try_recv() } else { socket.recv_timeout(timeout) };
        part(&message.ok()?, 0)
    }

    fn reconnect(&mut self) {
        self.generation += 1;
        if let Some(socket) = self.socket.take() {
            // What it held is said again; how it ends does not matter.
            let _ = socket.close_with_linger(Some(Duration::ZERO));
        }
        let socket = self.context.blocking_socket(SocketType::Dealer, self.options.clone());
        self.socket = socket.connect(self.endpoint.as_str()).is_ok().then_some(socket);
    }

    fn generation(&self) -> u64 {
        self.generation
    }

    fn is_connected(&self) -> bool {
        let connections = self.socket.as_ref().and_then(|socket| socket.connections().ok());
        connections.is_some_and(|all| all.iter().any(|one| one.peer_info.is_some()))
    }
}

impl Drop for OmqUplink {
    fn drop(&mut self) {
        if let Some(socket) = self.socket.take() {
            let _ = socket.close_with_linger(Some(Duration::ZERO));
        }
    }
}

fn part(message: &Message, index: usize) -> Option<Vec<u8>> {
    message.part_slice(index).map(<[u8]>::to_vec)
}

/// A ROUTER socket, which can answer, or a PULL socket.
pub(super) struct OmqInbox {
    _context: Context,
    socket: Option<Socket>,
    answers: bool,
    /// What answers are addressed to.
    peers: BTreeMap<PeerId, Identity>,
    generation: u64,
}

impl fmt::Debug for OmqInbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OmqInbox").field("peers", &self.peers.len()).finish_non_exhaustive()
    }
}

impl OmqInbox {
    /// Binds a socket and returns it with its endpoint, whose port is the one that was taken. Call
    /// it on the thread that uses it, outside of any runtime.
    pub(super) fn bind(
        endpoint: &Endpoint,
        answers: bool,
        keys: Option<&ServerKeys>,
    ) -> Result<(Self, Endpoint), SocketError> {
        let wrong = |why: String| SocketError::Endpoint(endpoint.clone(), why);
        endpoint.prepare().map_err(wrong)?;
        let mut options = options();
        if let Some(keys) = keys {
            let allowed = keys.allowed.clone();
            let curve = CurveServerOptions::new().authenticator(move |peer| {
                let key = PublicKey::from_bytes(peer.public_key);
                // Who sent what is not known on a PULL socket.
                if answers { allowed.admits(key) } else { allowed.admits_for_all(key) }
            });
            options = options.curve_server_with_options(keys.own.curve(), curve);
        }
        let context = Context::new();
        let kind = if answers { SocketType::Router } else { SocketType::Pull };
        let socket = context.blocking_socket(kind, options);
        let bound = socket.bind(endpoint.to_string().as_str());
        let bound = bound.map_err(|error| wrong(error.to_string()))?;
        let bound = bound.to_string().parse().unwrap_or_else(|_| endpoint.clone());
        let inbox = Self {
            _context: context,
            socket: Some(socket),
            answers,
            peers: BTreeMap::new(),
            generation: 0,
        };
        Ok((inbox, bound))
    }

    fn incoming(&mut self, message: &Message) -> Incoming {
        if !self.answers {
            let content = if message.len() == 1 { part(message, 0) } else { None };
            return Incoming { peer: None, key: None, content };
        }
        let content = if message.len() == 2 { part(message, 1) } else { None };
        let Some(identity) = message.sender_identity() else {
            return Incoming { peer: None, key: None, content };
        };
        let info = identity.peer_info();
        let key = key_of(info.authentication.public_key.as_ref());
        let peer = PeerId(info.connection_id);
        self.peers.entry(peer).or_insert_with(|| identity.clone());
        Incoming { peer: Some(peer), key, content }
    }
}

fn key_of(key: Option<&PeerPublicKey>) -> Option<PublicKey> {
    match key {
        Some(PeerPublicKey::Curve(key)) => Some(PublicKey::from_bytes(*key)),
        _ => None,
    }
}

impl Inbox for OmqInbox {
    fn receive(&mut self, timeout: Duration) -> Option<Incoming> {
        let socket = self.socket.as_ref()?;
        let message =
            if timeout.is_zero() { socket.try_recv() } else { socket.recv_timeout(timeout) };
        Some(self.incoming(&message.ok()?))
    }

    fn answer(&mut self, peer: PeerId, message: &[u8]) -> bool {
        let (Some(socket), Some(identity)) = (&self.socket, self.peers.get(&peer)) else {
            return false;
        };
        let parts = [identity.as_ref().to_vec(), message.to_vec()];
        socket.try_send(Message::multipart(parts)).is_ok()
    }

    fn gone(&mut self) -> Vec<PeerId> {
        let Some(socket) = &self.socket else { return Vec::new() };
        let generation = socket.connections_generation();
        if generation == self.generation {
            return Vec::new();
        }
        let Ok(connections) = socket.connections() else { return Vec::new() };
        self.generation = generation;
        let live: BTreeSet<u64> = connections.iter().map(|one| one.connection_id).collect();
        let gone = self.peers.keys().copied().filter(|peer| !live.contains(&peer.0));
        let gone: Vec<PeerId> = gone.collect();
        gone.iter().for_each(|peer| drop(self.peers.remove(peer)));
        gone
    }

    fn disconnect_unless(&mut self, is_good: &dyn Fn(Option<PublicKey>) -> bool) {
        let Some(socket) = &self.socket else { return };
        for connection in socket.connections().unwrap_or_default() {
            let Some(info) = &connection.peer_info else { continue };
            if !is_good(key_of(info.authentication.public_key.as_ref())) {
                // It may have gone by itself.
                let _ = socket.disconnect_peer(connection.connection_id);
            }
        }
    }
}

impl Drop for OmqInbox {
    fn drop(&mut self) {
        if let Some(socket) = self.socket.take() {
            // The last answers may be on their way; who misses one asks again.
            let _ = socket.close_with_linger(Some(Duration::from_millis(200)));
        }
    }
}

//! The connections of a server: how many, whose, and which one gives way.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::AbortHandle;

/// One connection.
#[derive(Debug)]
struct Connection {
    /// Grows with each connection, so that the smallest is the oldest.
    id: u64,
    peer: IpAddr,
    /// Whether the request head is complete.
    is_answering: Arc<AtomicBool>,
    /// `None` until the task has been started.
    task: Option<AbortHandle>,
}

/// The connections that are open.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    open: Arc<Mutex<(u64, Vec<Connection>)>>,
    max: usize,
}

/// A place among the connections; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    connections: Connections,
    id: u64,
    is_answering: Arc<AtomicBool>,
}

impl Connections {
    pub(super) fn new(max: usize) -> Self {
        Self { open: Arc::default(), max }
    }

    /// Takes a place for a connection. When there is none, the oldest connection of the busiest
    /// peer that has not sent its request head is cut; `None` if all have.
    pub(super) fn take(&self, peer: IpAddr) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, connections) = &mut *open;
        if connections.len() >= self.max {
            let victim = victim(connections)?;
            let connection = connections.remove(victim);
            if let Some(task) = connection.task {
                task.abort();
            }
        }
        let id = *next;
        *next += 1;
        let is_answering = Arc::new(AtomicBool::new(false));
        connections.push(Connection {
            id,
            peer,
            is_answering: Arc::clone(&is_answering),
            task: None,
        });
        Some(Place { connections: self.clone(), id, is_answering })
    }

    /// Tells which task serves a connection, so that it can be cut.
    pub(super) fn started(&self, id: u64, task: AbortHandle) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = open.1.iter_mut().find(|connection| connection.id == id) {
            connection.task = Some(task);
        }
    }

    /// Cuts all connections.
    pub(super) fn cut(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for task in open.1.drain(..).filter_map(|connection| connection.task) {
            task.abort();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).1.is_empty()
    }
}

/// Returns the position of the connection that gives way.
fn victim(connections: &[Connection]) -> Option<usize> {
    // Relaxed: nothing else is read by what it says.
    let reading = |c: &&Connection| !c.is_answering.load(Ordering::Relaxed);
    let mut busy: HashMap<IpAddr, usize> = HashMap::new();
    connections.iter().for_each(|connection| *busy.entry(connection.peer).or_default() += 1);
    let candidates = connections.iter().filter(reading);
    let victim = candidates.max_by_key(|connection| {
        (busy.get(&connection.peer).copied(), std::cmp::Reverse(connection.id))
    })?;
    connections.iter().position(|connection| connection.id == victim.id)
}

impl Place {
    pub(super) const fn id(&self) -> u64 {
        self.id
    }

    /// Notes that the request head is complete.
    pub(super) fn answering(&self) {
        // Relaxed: see `victim`.
        self.is_answering.store(true, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.1.retain(|connection| connection.id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::Connections;

    /// Three hundred idle sockets of one peer must not keep a scraper out.
    #[test]
    fn the_oldest_reader_of_the_busiest_peer_gives_way() {
        let peer = |n: u8| IpAddr::from([10, 0, 0, n]);
        let connections = Connections::new(4);
        let quiet = connections.take(peer(1)).unwrap();
        let busy: Vec<_> = (0..3).map(|_| connections.take(peer(2)).unwrap()).collect();
        busy[0].answering();
        let _new = connections.take(peer(3)).unwrap();
        let left = |connections: &Connections| -> Vec<u64> {
            connections.open.lock().unwrap().1.iter().map(|connection| connection.id).collect()
        };
        assert_eq!(left(&connections), [quiet.id, busy[0].id, busy[2].id, 4]);
        drop(quiet);
        assert_eq!(left(&connections), [busy[0].id, busy[2].id, 4]);
    }

    /// Answers under way are not cut for a newcomer.
    #[test]
    fn nobody_gives_way_while_all_are_answered() {
        let connections = Connections::new(1);
        let place = connections.take(IpAddr::from([10, 0, 0, 1])).unwrap();
        place.answering();
        assert!(connections.take(IpAddr::from([10, 0, 0, 2])).is_none());
        drop(place);
        assert!(connections.is_empty());
    }
}

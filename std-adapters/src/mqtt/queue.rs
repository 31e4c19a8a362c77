//! What waits for the broker: bounded, in order, and gone only when it is acknowledged.

use std::collections::VecDeque;

/// Messages that wait, at most.
const MESSAGES_MAX: usize = 8_192;

/// Bytes of those.
const BYTES_MAX: usize = 16 << 20;

/// A message to a topic below the prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) is_retained: bool,
}

impl Message {
    const fn len(&self) -> usize {
        self.topic.len() + self.payload.len()
    }
}

/// Messages in the order in which they are published.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Handed to the connection and not acknowledged; the broker does so in order.
    sent: VecDeque<Message>,
    waiting: VecDeque<Message>,
    bytes: usize,
    pub(super) dropped: u64,
}

impl Queue {
    /// Adds a message; the oldest that was not sent gives way.
    pub(super) fn push(&mut self, message: Message) {
        self.bytes += message.len();
        self.waiting.push_back(message);
        while self.len() > MESSAGES_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.waiting.pop_front() else { return };
            self.bytes -= oldest.len();
            self.dropped += 1;
        }
    }

    /// Returns the next message to send; `None` if there is none, or too many are under way.
    pub(super) fn next(&mut self, under_way_max: usize) -> Option<&Message> {
        if self.sent.len() >= under_way_max {
            return None;
        }
        let message = self.waiting.pop_front()?;
        self.sent.push_back(message);
        self.sent.back()
    }

    /// Takes the last message back, which could not be sent after all.
    pub(super) fn put_back(&mut self) {
        if let Some(message) = self.sent.pop_back() {
            self.waiting.push_front(message);
        }
    }

    /// Notes that the oldest message that was sent is the broker's. Returns whether there was one.
    pub(super) fn acknowledged(&mut self) -> bool {
        let Some(message) = self.sent.pop_front() else { return false };
        self.bytes -= message.len();
        true
    }

    /// Notes that the connection is gone: whatever was not acknowledged is sent again.
    pub(super) fn again(&mut self) {
        while !self.sent.is_empty() {
            self.put_back();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.sent.len() + self.waiting.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES_MAX, MESSAGES_MAX, Message, Queue};

    fn message(number: usize, len: usize) -> Message {
        Message { topic: number.to_string(), payload: vec![0; len], is_retained: false }
    }

    /// A broker that is away for long must not take all memory, and one that comes back must not
    /// miss what it did not acknowledge.
    #[test]
    fn it_is_bounded_and_nothing_is_forgotten_before_it_is_acknowledged() {
        let mut queue = Queue::default();
        (0..5).for_each(|n| queue.push(message(n, 1)));
        let next = |queue: &mut Queue| queue.next(2).map(|message| message.topic.clone());
        assert_eq!(next(&mut queue).as_deref(), Some("0"));
        assert_eq!(next(&mut queue).as_deref(), Some("1"));
        assert_eq!(next(&mut queue), None, "two are under way");
        assert!(queue.acknowledged());
        assert_eq!(next(&mut queue).as_deref(), Some("2"));
        queue.again();
        assert_eq!((queue.len(), queue.acknowledged()), (4, false));
        assert_eq!(next(&mut queue).as_deref(), Some("1"), "again, in order");

        (5..MESSAGES_MAX + 5).for_each(|n| queue.push(message(n, 1)));
        assert_eq!((queue.len(), queue.dropped), (MESSAGES_MAX, 4));
        let mut queue = Queue::default();
        (0..5).for_each(|n| queue.push(message(n, BYTES_MAX / 4)));
        assert_eq!((queue.len(), queue.dropped), (3, 2));
        assert!(queue.bytes() <= BYTES_MAX);
    }
}

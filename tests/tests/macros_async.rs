//! The attributes on `async fn`, polled by hand.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tapes_core::clock::ManualClock;
use tapes_core::{Counter, counted, errors, metered, metrics, timed};

/// A clock and metrics for one test.
macro_rules! own {
    () => {
        static CLOCK: ManualClock<1_000_000> = ManualClock::new();
        metrics! {
            static OWN: Own = "own" {
                time: Timer,
                cancelled: Counter,
                calls: Counter,
                rate: Meter,
                errors: Counter,
            }
        }
    };
}

/// Is pending `times` times.
async fn suspend(times: u32) {
    let mut left = times;
    poll_fn(|_| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        Poll::Pending
    })
    .await;
}

/// Polls `future` up to `polls` times, `tick` in between, and drops it.
fn poll<T>(polls: u32, tick: impl Fn(), future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        tick();
    }
    None
}

/// The time that a future is suspended, or the time before it is first polled, would be wrong.
#[test]
fn time_runs_from_the_first_poll_to_completion() {
    own!();

    #[timed(OWN.time, clock = &CLOCK, cancelled = OWN.cancelled)]
    async fn work() -> u32 {
        CLOCK.advance(5);
        suspend(3).await;
        CLOCK.advance(5);
        9
    }

    let future = work();
    CLOCK.advance(1_000);
    assert_eq!(poll(10, || CLOCK.advance(100), future), Some(9));
    let time = OWN.time.distribution();
    assert_eq!((time.count(), time.sum(), OWN.cancelled.value()), (1, 310, 0));
}

/// A future that was given up would look like a short call.
#[test]
fn cancellation_is_counted_and_not_timed() {
    own!();

    #[timed(OWN.time, clock = &CLOCK, cancelled = OWN.cancelled)]
    async fn work(suspensions: u32) {
        suspend(suspensions).await;
    }

    assert_eq!(poll(2, || CLOCK.advance(100), work(3)), None);
    assert_eq!((OWN.time.distribution().count(), OWN.cancelled.value()), (0, 1));
    // Dropped before it is polled: it never began.
    drop(work(0));
    assert_eq!((OWN.time.distribution().count(), OWN.cancelled.value()), (0, 1));
    assert_eq!(poll(4, || CLOCK.advance(100), work(3)), Some(()));
    assert_eq!((OWN.time.distribution().sum(), OWN.cancelled.value()), (300, 1));
}

/// An early return or a `?` would look like a cancellation.
#[test]
fn early_returns_complete() {
    own!();

    #[timed(OWN.time, clock = &CLOCK, cancelled = OWN.cancelled)]
    #[counted(OWN.calls)]
    #[metered(OWN.rate)]
    #[errors(OWN.errors)]
    async fn work(n: Option<u32>) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
        CLOCK.advance(10);
        if n == Some(0) {
            return Ok(0);
        }
        let n = n.ok_or("nothing")?;
        suspend(1).await;
        if n > 9 {
            return Err(Box::new(std::fmt::Error));
        }
        Ok(n)
    }

    let outputs = [None, Some(0), Some(1), Some(10)].map(|n| poll(2, || {}, work(n)).unwrap().ok());
    assert_eq!(outputs, [None, Some(0), Some(1), None]);
    assert_eq!((OWN.time.distribution().count(), OWN.cancelled.value()), (4, 0));
    assert_eq!((OWN.calls.value(), OWN.rate.count(), OWN.errors.value()), (4, 4, 2));
    // Given up: a call, but neither a completion nor an error.
    assert!(poll(1, || {}, work(Some(1))).is_none());
    assert_eq!((OWN.time.distribution().count(), OWN.cancelled.value()), (4, 1));
    assert_eq!((OWN.calls.value(), OWN.errors.value()), (5, 2));
}

/// A task that runs for ever would not compile, or would count as completed when it is dropped.
#[test]
fn a_task_that_never_ends_can_only_be_cancelled() {
    own!();

    #[timed(OWN.time, clock = &CLOCK, cancelled = OWN.cancelled)]
    #[counted(OWN.calls)]
    async fn task(wait: u32) -> ! {
        loop {
            suspend(wait).await;
        }
    }

    assert!(poll(5, || CLOCK.advance(1), task(1)).is_none());
    assert_eq!((OWN.time.distribution().count(), OWN.cancelled.value()), (0, 1));
    assert_eq!(OWN.calls.value(), 1);
}

/// A panic would look like a completion.
#[test]
fn a_panic_is_no_completion() {
    own!();

    #[timed(OWN.time, clock = &CLOCK, cancelled = OWN.cancelled)]
    async fn fails() {
        panic!("on purpose")
    }

    assert!(std::panic::catch_unwind(|| poll(1, || {}, fails())).is_err());
    assert_eq!((OWN.time.distribution().count(), OWN.cancelled.value()), (0, 1));
}

struct Radio<T> {
    sent: Vec<T>,
    cancelled: Counter<'static>,
}

metrics! {
    static RADIO: RadioMetrics = "radio" { errors: Counter, time: Timer }
}
static CLOCK: ManualClock<1_000_000> = ManualClock::new();

impl<T: Copy + PartialEq> Radio<T> {
    #[timed(RADIO.time, clock = &CLOCK, cancelled = self.cancelled)]
    #[errors(RADIO.errors)]
    async fn send<'a>(&'a mut self, packet: &[T]) -> Result<&'a mut [T], &'static str> {
        if packet.is_empty() {
            return Err("empty");
        }
        self.sent.extend_from_slice(packet);
        suspend(1).await;
        Ok(&mut self.sent)
    }

    #[timed(RADIO.time, clock = &CLOCK)]
    async fn find(&self, mut wanted: impl FnMut(&T) -> bool) -> Option<impl Copy + PartialEq<T>> {
        suspend(1).await;
        self.sent.iter().copied().find(|item| wanted(item))
    }

    #[timed("radio.close" [max = 1 s], clock = &CLOCK)]
    async fn close(self) -> usize {
        self.sent.len()
    }
}

/// An attribute would change what an `async` method may borrow, move or return.
#[test]
fn methods_keep_their_signatures() {
    let mut radio = Radio { sent: Vec::new(), cancelled: Counter::noop() };
    assert_eq!(poll(1, || {}, radio.send(&[])), Some(Err("empty")));
    poll(2, || {}, radio.send(&[1, 2])).unwrap().unwrap()[0] = 7;
    assert!(poll(2, || {}, radio.find(|&item| item == 2)).unwrap().is_some_and(|item| item == 2));
    assert_eq!(poll(2, || {}, radio.close()), Some(2));
    assert_eq!((RADIO.errors.value(), RADIO.time.distribution().count()), (1, 3));
    assert_eq!(Radio::<u8>::CLOSE_TIMED.distribution().count(), 1);
}

/// A future could no longer be spawned on an executor of several threads.
#[test]
fn futures_stay_send() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    own!();

    #[timed(OWN.time, clock = &CLOCK)]
    #[errors(OWN.errors)]
    async fn work(cell: Cell<u32>) -> Result<u32, String> {
        suspend(1).await;
        Ok(cell.get())
    }

    assert_eq!(poll(2, || {}, is_send(work(Cell::new(3)))), Some(Ok(3)));
}

/// The documented price of an attribute would be out of date.
#[test]
fn the_future_holds_its_arguments_twice() {
    own!();

    #[timed(OWN.time, clock = &CLOCK)]
    async fn work(argument: [u8; 1000]) -> u8 {
        suspend(1).await;
        argument[0]
    }

    let size = size_of_val(&work([0; 1000]));
    assert!((2_000..2_200).contains(&size), "{size}");
}

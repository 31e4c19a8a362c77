//! Measurements that can be given up.

use crate::clock::Clock;
use crate::metric::{Counter, Timer, TimerGuard};

/// A running measurement of something that can be dropped before it ends, such as a future.
///
/// [`complete`](Self::complete) records the time; dropping it before counts a cancellation and
/// records nothing. A panic counts as a cancellation. Costs what a [`TimerGuard`] costs, and the
/// handle of the counter in memory.
///
/// ```
/// use tapes_core::{clock::ManualClock, instrument::Attempt, metrics};
///
/// metrics! {
///     /// A radio.
///     static RADIO: Radio = "radio" {
///         /// Time from a request to its answer, suspension included.
///         exchange: Timer [max = 10 s],
///         /// Exchanges given up.
///         cancelled: Counter,
///     }
/// }
///
/// static CLOCK: ManualClock<1_000_000> = ManualClock::new();
///
/// async fn exchange(request: &[u8]) -> usize {
///     let attempt = Attempt::start(&RADIO.exchange, &CLOCK, RADIO.cancelled);
///     let answer = async move {
///         // Sends, and waits for the answer.
///         request.len()
///     };
///     let answer = answer.await;
///     attempt.complete();
///     answer
/// }
/// # use core::{future::Future, pin::pin, task::{Context, Poll, Waker}};
/// # let answer = pin!(exchange(b"ping")).poll(&mut Context::from_waker(Waker::noop()));
/// # assert_eq!(answer, Poll::Ready(4));
/// # assert_eq!(RADIO.exchange.distribution().count(), 1);
/// ```
#[derive(Debug)]
#[must_use = "dropping an attempt counts a cancellation; complete it"]
pub struct Attempt<'r, C: Clock, const HZ: u32> {
    /// `None` once completed.
    running: Option<TimerGuard<'r, C, HZ>>,
    cancelled: Counter<'r>,
}

impl<'r, C: Clock, const HZ: u32> Attempt<'r, C, HZ> {
    /// Starts a measurement; [`Counter::noop`] stands for no counter.
    ///
    /// Does not compile with a clock of another rate.
    #[inline]
    pub fn start(timer: &Timer<'r, HZ>, clock: C, cancelled: Counter<'r>) -> Self {
        Self { running: Some(timer.start(clock)), cancelled }
    }

    /// Records the time since the start, in ticks, and returns it.
    #[inline]
    pub fn complete(mut self) -> u32 {
        self.running.take().map_or(0, TimerGuard::stop)
    }
}

impl<C: Clock, const HZ: u32> Drop for Attempt<'_, C, HZ> {
    #[inline]
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.cancel();
            self.cancelled.increment();
        }
    }
}

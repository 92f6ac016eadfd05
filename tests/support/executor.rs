//! The least executor: it polls a future as often as it is told, and drops it then.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};

/// Polls `future` at most `polls` times, then drops it.
pub fn poll_times<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..polls).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

/// Polls `future` until it is ready.
pub fn block_on<F: Future>(future: F) -> F::Output {
    poll_times(future, 1 << 20).unwrap()
}

/// Is not ready the first time.
pub async fn pause() {
    let mut paused = false;
    poll_fn(|_| {
        let ready = paused;
        paused = true;
        if ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

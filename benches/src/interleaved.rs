//! Costs that can be compared on a machine that is not quiet: every variant takes its turn, round after round in one process,
//! and the medians are told.

use std::time::{Duration, Instant};

/// Something whose cost is measured.
pub type Work = Box<dyn FnMut()>;

/// How long a variant runs in a round, if one run is not longer.
const TURN: Duration = Duration::from_micros(100);

/// The median cost of each over so many rounds, in nanoseconds.
#[must_use]
pub fn medians<const N: usize>(rounds: usize, mut works: [Work; N]) -> [f64; N] {
    let runs: [u32; N] = std::array::from_fn(|i| {
        // The first runs warm up; the fastest tells how many fit a turn.
        let fastest = (0..10).map(|_| time(&mut works[i], 1)).fold(f64::INFINITY, f64::min);
        (TURN.as_nanos() as f64 / fastest).clamp(1.0, 1000.0) as u32
    });
    let mut times = [const { Vec::new() }; N];
    for _ in 0..rounds {
        for (i, times) in times.iter_mut().enumerate() {
            // Takes back the caches that the others took.
            works[i]();
            times.push(time(&mut works[i], runs[i]));
        }
    }
    times.map(|mut times| *times.select_nth_unstable_by(rounds / 2, f64::total_cmp).1)
}

/// Nanoseconds of one run, out of `runs`.
fn time(work: &mut Work, runs: u32) -> f64 {
    let start = Instant::now();
    (0..runs).for_each(|_| work());
    start.elapsed().as_nanos() as f64 / f64::from(runs)
}

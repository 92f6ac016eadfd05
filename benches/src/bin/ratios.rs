//! Holds the cost of a sealed message to its ceiling, without trust in absolute times: every variant runs in turn, round
//! after round in one process, and only ratios of their medians count.
//!
//! Exits with 1 where sealing then opening 1 KiB costs more than [`MOST_OF_BARE`] times the bare primitives, or the plain
//! composition costs less than [`LEAST_OF_PLAIN`] times ours.

use dynamic_key::crypto::software::{Software, TrafficKey};
use dynamic_key::session::Mode;
use dynamic_key_benches::bare::{self, Codec, Expanded, Key, Ours, Peer, Raw};
use dynamic_key_benches::{LENGTHS, Peers, peers::Rng, plain, text};
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The length that is held to the limits, in bytes.
const HELD: usize = 1024;
/// How many times the bare primitives our message may cost.
const MOST_OF_BARE: f64 = 1.5;
/// How many times our message the plain composition has to cost.
const LEAST_OF_PLAIN: f64 = 4.0;
/// Rounds of one attempt.
const ROUNDS: usize = 301;
/// How long a variant runs in a round.
const TURN: Duration = Duration::from_micros(100);
/// Attempts before a limit counts as missed: a noisy machine may spoil some.
const ATTEMPTS: usize = 5;

/// Something whose cost is measured.
type Work = Box<dyn FnMut()>;

fn bare<K: Key + 'static, C: Codec + 'static>(len: usize) -> Work {
    let (mut channel, text) = (bare::Channel::<K, C>::new(len), text(len));
    Box::new(move || _ = black_box(channel.seal_and_open(black_box(&text))))
}

fn plain<K: Key + 'static>(len: usize) -> Work {
    let (mut channel, text) = (plain::channel::<K>(len), text(len));
    Box::new(move || channel.seal_and_open(black_box(&text), &mut |message| _ = black_box(message)))
}

fn ours<K: TrafficKey + 'static>(provider: fn(Rng) -> Software<Rng, K>, len: usize) -> Work {
    let (mut peers, text) = (Peers::new(Mode::Pinned, provider, len), text(len));
    Box::new(move || _ = black_box(peers.request(black_box(&text))))
}

/// How one kind of key fares: nanoseconds for sealing then opening one message.
struct Costs {
    ours: f64,
    bare: f64,
    bare_peer: f64,
    plain: f64,
}

impl Costs {
    fn of_bare(&self) -> f64 {
        self.ours / self.bare
    }

    fn of_plain(&self) -> f64 {
        self.plain / self.ours
    }

    fn hold(&self) -> bool {
        self.of_bare() <= MOST_OF_BARE && self.of_plain() >= LEAST_OF_PLAIN
    }
}

/// Raw keys, then expanded ones.
fn measure(len: usize) -> [Costs; 2] {
    let [ours_raw, bare_raw, peer_raw, plain_raw, ours_ready, bare_ready, peer_ready, plain_ready] =
        medians([
            ours(Software::new, len),
            bare::<Raw, Ours>(len),
            bare::<Raw, Peer>(len),
            plain::<Raw>(len),
            ours(Software::expanded, len),
            bare::<Expanded, Ours>(len),
            bare::<Expanded, Peer>(len),
            plain::<Expanded>(len),
        ]);
    [
        Costs { ours: ours_raw, bare: bare_raw, bare_peer: peer_raw, plain: plain_raw },
        Costs { ours: ours_ready, bare: bare_ready, bare_peer: peer_ready, plain: plain_ready },
    ]
}

/// The median cost of each, in nanoseconds.
fn medians<const N: usize>(mut works: [Work; N]) -> [f64; N] {
    let turns: [u32; N] = std::array::from_fn(|i| {
        // The first run warms up; the fastest of some tells how many fit a turn.
        let fastest = (0..20).map(|_| time(&mut works[i], 1)).fold(f64::INFINITY, f64::min);
        (TURN.as_nanos() as f64 / fastest).clamp(1.0, 1000.0) as u32
    });
    let mut times = [const { Vec::new() }; N];
    for _ in 0..ROUNDS {
        for (i, times) in times.iter_mut().enumerate() {
            times.push(time(&mut works[i], turns[i]));
        }
    }
    times.map(|mut times| *times.select_nth_unstable_by(ROUNDS / 2, f64::total_cmp).1)
}

/// Nanoseconds of one run, out of `runs`.
fn time(work: &mut Work, runs: u32) -> f64 {
    let start = Instant::now();
    (0..runs).for_each(|_| work());
    start.elapsed().as_nanos() as f64 / f64::from(runs)
}

fn print(len: usize, costs: &[Costs; 2]) {
    for (key, costs) in ["raw", "expanded"].iter().zip(costs) {
        println!(
            "{len:>6}  {key:<8}  {:>9.2}  {:>9.2}  {:>9.2} {:>9.0} {:>9.0} {:>9.0} {:>9.0}",
            costs.of_bare(),
            costs.ours / costs.bare_peer,
            costs.of_plain(),
            costs.ours,
            costs.bare,
            costs.bare_peer,
            costs.plain,
        );
    }
}

fn main() -> ExitCode {
    println!(
        "Seal then open one message with AES-256-GCM; bare is the cipher and base64 of ours or of base64ct alone.\n"
    );
    println!(" bytes  key        ours/bare  …/base64ct  plain/ours   ours ns   bare ns  base64ct  plain ns");
    for len in LENGTHS.into_iter().filter(|len| *len != HELD) {
        print(len, &measure(len));
    }
    for attempt in 1..=ATTEMPTS {
        let costs = measure(HELD);
        print(HELD, &costs);
        if costs.iter().all(Costs::hold) {
            println!("\nheld at {HELD} bytes: ours/bare ≤ {MOST_OF_BARE}, plain/ours ≥ {LEAST_OF_PLAIN}");
            return ExitCode::SUCCESS;
        }
        eprintln!("attempt {attempt} of {ATTEMPTS}: over the limits");
    }
    eprintln!("\nmissed at {HELD} bytes: ours/bare ≤ {MOST_OF_BARE}, plain/ours ≥ {LEAST_OF_PLAIN}");
    ExitCode::FAILURE
}

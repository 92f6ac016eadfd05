//! Holds the cost of a sealed message to its ceiling, without trust in absolute times: only ratios of costs that were measured
//! together count.
//!
//! Exits with 1 where sealing then opening 1 KiB costs more than [`MOST_OF_BARE`] times the bare primitives, or the plain
//! composition costs less than [`LEAST_OF_PLAIN`] times ours, by the median of [`ATTEMPTS`] attempts.

use dynamic_key::codec::{base64, json};
use dynamic_key::crypto::software::{Software, TrafficKey};
use dynamic_key::session::Mode;
use dynamic_key_benches::bare::{self, Codec, Expanded, Identity, Key, Ours, Peer, Raw};
use dynamic_key_benches::interleaved::{Work, medians};
use dynamic_key_benches::peers::{Party, Rng};
use dynamic_key_benches::{LENGTHS, Peers, plain, text};
use std::hint::black_box;
use std::process::ExitCode;

/// The length that is held to the limits, in bytes.
const HELD: usize = 1024;
/// How many times the bare primitives our message may cost.
const MOST_OF_BARE: f64 = 1.5;
/// How many times our message the plain composition has to cost.
const LEAST_OF_PLAIN: f64 = 4.0;
/// Rounds of one attempt.
const ROUNDS: usize = 301;
/// Attempts, all of which are made and count: the median decides, so that no lucky one does.
const ATTEMPTS: usize = 5;

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
}

/// Raw keys, then expanded ones.
fn seal_and_open(len: usize) -> [Costs; 2] {
    let works = [
        ours(Software::new, len),
        bare::<Raw, Ours>(len),
        bare::<Raw, Peer>(len),
        plain::<Raw>(len),
        ours(Software::expanded, len),
        bare::<Expanded, Ours>(len),
        bare::<Expanded, Peer>(len),
        plain::<Expanded>(len),
    ];
    let [raw @ .., ours, bare, bare_peer, plain] = medians(ROUNDS, works);
    let expanded = Costs { ours, bare, bare_peer, plain };
    let [ours, bare, bare_peer, plain] = raw;
    [Costs { ours, bare, bare_peer, plain }, expanded]
}

fn print(len: usize, costs: &[Costs; 2]) {
    for (key, costs) in ["raw", "expanded"].iter().zip(costs) {
        println!(
            "{len:>6}  {key:<8}  {:>9.2}  {:>9.2}  {:>10.2} {:>9.0} {:>9.0} {:>9.0} {:>9.0}",
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

fn encode<C: Codec>(len: usize) -> Work {
    let (bytes, mut out) = (text(len), vec![0; base64::encoded_len(len)]);
    Box::new(move || _ = black_box(C::encode(black_box(&bytes), &mut out)))
}

fn decode<C: Codec>(len: usize) -> Work {
    let (mut encoded, mut out) = (vec![0; base64::encoded_len(len)], vec![0; len]);
    let encoded = Ours::encode(&text(len), &mut encoded).to_owned();
    Box::new(move || _ = black_box(C::decode(black_box(&encoded), &mut out)))
}

fn print_codec(len: usize) {
    let envelope = plain::envelope(len);
    let (for_ours, for_peer) = (envelope.clone(), envelope);
    let [ours_encode, peer_encode, ours_decode, peer_decode, ours_json, peer_json] = medians(
        ROUNDS,
        [
            encode::<Ours>(len),
            encode::<Peer>(len),
            decode::<Ours>(len),
            decode::<Peer>(len),
            Box::new(move || _ = black_box(json::object(black_box(for_ours.as_bytes()), &["nonce", "data"]))),
            Box::new(move || plain::scan(black_box(&for_peer))),
        ],
    );
    println!(
        "\n{len} bytes in the codecs              peer/ours   ours ns   peer ns\n\
         base64 encoded, peer base64ct            {:>5.2} {ours_encode:>9.0} {peer_encode:>9.0}\n\
         base64 decoded, peer base64ct            {:>5.2} {ours_decode:>9.0} {peer_decode:>9.0}\n\
         JSON envelope read, peer serde-json-core {:>5.2} {ours_json:>9.0} {peer_json:>9.0}",
        peer_encode / ours_encode,
        peer_decode / ours_decode,
        peer_json / ours_json,
    );
}

fn handshake(mode: Mode) -> Work {
    let mut party = Party::new(Software::new);
    Box::new(move || _ = black_box(party.handshake(mode)))
}

fn print_handshakes() {
    let (mut rng, mut other) = (Rng(4), Rng(5));
    let identity = Identity::new(&mut other);
    let [plain, confirmed, pinned, agreed, signed] = medians(
        ROUNDS / 3,
        [
            handshake(Mode::Plain),
            handshake(Mode::Confirmed),
            handshake(Mode::Pinned),
            Box::new(move || bare::agree(&mut rng)),
            Box::new(move || {
                bare::agree(&mut other);
                identity.sign_and_verify();
            }),
        ],
    );
    println!("\nhandshake, both ends   ours/bare   ours µs   bare µs");
    for (mode, ours, bare) in
        [(Mode::Plain, plain, agreed), (Mode::Confirmed, confirmed, agreed), (Mode::Pinned, pinned, signed)]
    {
        println!("{:<20} {:>11.2} {:>9.0} {:>9.0}", mode.name(), ours / bare, ours / 1000.0, bare / 1000.0);
    }
}

fn main() -> ExitCode {
    print_handshakes();
    print_codec(HELD);
    println!("\nseal then open a message\n");
    println!(" bytes  key       ours/bare  …base64ct  plain/ours   ours ns   bare ns …base64ct  plain ns");
    for len in LENGTHS.into_iter().filter(|len| *len != HELD) {
        print(len, &seal_and_open(len));
    }
    let attempts: [[Costs; 2]; ATTEMPTS] = std::array::from_fn(|_| {
        let costs = seal_and_open(HELD);
        print(HELD, &costs);
        costs
    });
    println!("\nthe median of {ATTEMPTS} attempts at {HELD} bytes");
    let mut holds = true;
    for (kind, name) in ["raw", "expanded"].into_iter().enumerate() {
        let bare = median(attempts.each_ref().map(|costs| costs[kind].of_bare()));
        let plain = median(attempts.each_ref().map(|costs| costs[kind].of_plain()));
        println!(
            "{name} keys: ours/bare {bare:.2} (at most {MOST_OF_BARE}), plain/ours {plain:.2} (at least {LEAST_OF_PLAIN})"
        );
        holds &= bare <= MOST_OF_BARE && plain >= LEAST_OF_PLAIN;
    }
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn median(mut ratios: [f64; ATTEMPTS]) -> f64 {
    *ratios.select_nth_unstable_by(ATTEMPTS / 2, f64::total_cmp).1
}

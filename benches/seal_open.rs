//! Sealing then opening one message, beside the bare primitives and the plain composition.

use criterion::{Bencher, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dynamic_key::crypto::software::{Software, TrafficKey};
use dynamic_key::session::Mode;
use dynamic_key_benches::bare::{self, Codec, Expanded, Key, Ours, Peer, Raw};
use dynamic_key_benches::peers::Rng;
use dynamic_key_benches::{LENGTHS, Peers, plain, text};
use std::hint::black_box;

fn request<K: TrafficKey>(b: &mut Bencher<'_>, provider: fn(Rng) -> Software<Rng, K>, len: usize) {
    let (mut peers, text) = (Peers::new(Mode::Pinned, provider, len), text(len));
    b.iter(|| peers.request(black_box(&text)).len());
}

/// There and back: two messages.
fn exchange<K: TrafficKey>(b: &mut Bencher<'_>, provider: fn(Rng) -> Software<Rng, K>, len: usize) {
    let (mut peers, text) = (Peers::new(Mode::Pinned, provider, len), text(len));
    b.iter(|| peers.exchange(black_box(&text)).len());
}

fn bare<K: Key, C: Codec>(b: &mut Bencher<'_>, len: usize) {
    let (mut channel, text) = (bare::Channel::<K, C>::new(len), text(len));
    b.iter(|| channel.seal_and_open(black_box(&text)).len());
}

fn plain<K: Key + 'static>(b: &mut Bencher<'_>, len: usize) {
    let (mut channel, text) = (plain::channel::<K>(len), text(len));
    b.iter(|| channel.seal_and_open(black_box(&text), &mut |message| _ = black_box(message)));
}

fn seal_open(c: &mut Criterion) {
    let mut group = c.benchmark_group("seal_open");
    for len in LENGTHS {
        group.throughput(Throughput::Bytes(len as u64));
        let mut add = |name: &str, f: &mut dyn FnMut(&mut Bencher<'_>)| {
            group.bench_function(BenchmarkId::new(name, len), |b| f(b));
        };
        add("ours/raw key", &mut |b| request(b, Software::new, len));
        add("ours/expanded key", &mut |b| request(b, Software::expanded, len));
        add("bare/raw key", &mut |b| bare::<Raw, Ours>(b, len));
        add("bare/expanded key", &mut |b| bare::<Expanded, Ours>(b, len));
        add("bare, base64ct/raw key", &mut |b| bare::<Raw, Peer>(b, len));
        add("bare, base64ct/expanded key", &mut |b| bare::<Expanded, Peer>(b, len));
        add("plain/raw key", &mut |b| plain::<Raw>(b, len));
        add("plain/expanded key", &mut |b| plain::<Expanded>(b, len));
        add("ours, there and back/raw key", &mut |b| exchange(b, Software::new, len));
        add("ours, there and back/expanded key", &mut |b| exchange(b, Software::expanded, len));
    }
}

criterion_group!(benches, seal_open);
criterion_main!(benches);

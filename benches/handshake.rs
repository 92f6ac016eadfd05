//! A whole handshake, both ends, beside the operations on the curve that it cannot do without.

use criterion::{Criterion, criterion_group, criterion_main};
use dynamic_key::crypto::software::Software;
use dynamic_key::session::Mode;
use dynamic_key_benches::bare::{Identity, agree};
use dynamic_key_benches::peers::{Party, Rng};

fn handshake(c: &mut Criterion) {
    let mut group = c.benchmark_group("handshake");
    for mode in [Mode::Plain, Mode::Confirmed, Mode::Pinned] {
        let mut party = Party::new(Software::new);
        group.bench_function(mode.name(), |b| b.iter(|| party.handshake(mode)));
    }
    let mut rng = Rng(4);
    group.bench_function("bare: 2 keys, 2 agreements", |b| b.iter(|| agree(&mut rng)));
    let identity = Identity::new(&mut rng);
    group.bench_function("bare: 2 keys, 2 agreements, a signature made and verified", |b| {
        b.iter(|| {
            agree(&mut rng);
            identity.sign_and_verify();
        });
    });
}

criterion_group!(benches, handshake);
criterion_main!(benches);

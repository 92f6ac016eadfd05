//! A whole handshake, both ends, beside the curve operations that it cannot do without.

use criterion::{Criterion, criterion_group, criterion_main};
use dynamic_key::codec::spki::Group;
use dynamic_key::crypto::software::{Identity, Software};
use dynamic_key::crypto::{Provider, Signer};
use dynamic_key::session::Mode;
use dynamic_key_benches::peers::{Party, Rng};
use std::hint::black_box;

/// Two key pairs and two agreements.
fn agreements(provider: &mut Software<Rng>) {
    let (one, one_public) = provider.generate(Group::P256).expect("the generator does not fail");
    let (other, other_public) = provider.generate(Group::P256).expect("the generator does not fail");
    let z = [provider.agree(one, &other_public), provider.agree(other, &one_public)];
    black_box(z.map(|z| z.expect("both keys are valid")));
}

fn handshake(c: &mut Criterion) {
    let mut group = c.benchmark_group("handshake");
    group.sample_size(20);
    for mode in [Mode::Plain, Mode::Confirmed, Mode::Pinned] {
        let mut party = Party::new(Software::new);
        group.bench_function(mode.name(), |b| b.iter(|| party.handshake(mode)));
    }
    let mut provider = Software::new(Rng(1));
    group.bench_function("bare: 2 key pairs, 2 agreements", |b| b.iter(|| agreements(&mut provider)));
    let mut identity = Identity::generate(&mut Rng(2)).expect("the generator does not fail");
    let pin = identity.public().expect("a generated key is valid");
    group.bench_function("bare: the same, signing and verifying", |b| {
        b.iter(|| {
            agreements(&mut provider);
            let signature = identity.sign(b"statement").expect("a key in memory signs");
            pin.verify(b"statement", &signature).expect("it is its own signature")
        });
    });
    group.finish();
}

criterion_group!(benches, handshake);
criterion_main!(benches);

//! A whole handshake, both ends, beside the operations on the curve that it cannot do without.

use criterion::{Criterion, criterion_group, criterion_main};
use dynamic_key::crypto::software::Software;
use dynamic_key::session::Mode;
use dynamic_key_benches::peers::{Party, Rng};
use p256::ecdh::EphemeralSecret;
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::Generate;
use std::hint::black_box;

/// Two ephemeral keys, and the agreement of each with the other's public key.
fn agree(rng: &mut Rng) {
    let [ours, theirs] = [(); 2].map(|()| EphemeralSecret::generate_from_rng(rng));
    black_box(ours.diffie_hellman(&theirs.public_key()));
    black_box(theirs.diffie_hellman(&ours.public_key()));
}

fn handshake(c: &mut Criterion) {
    let mut group = c.benchmark_group("handshake");
    for mode in [Mode::Plain, Mode::Confirmed, Mode::Pinned] {
        let mut party = Party::new(Software::new);
        group.bench_function(mode.name(), |b| b.iter(|| party.handshake(mode)));
    }
    let mut rng = Rng(4);
    group.bench_function("bare: 2 keys, 2 agreements", |b| b.iter(|| agree(&mut rng)));
    let key = SigningKey::generate_from_rng(&mut rng);
    let message = [7; 54];
    group.bench_function("bare: 2 keys, 2 agreements, 1 signature, signed and verified", |b| {
        b.iter(|| {
            agree(&mut rng);
            let signature: Signature = key.sign(black_box(&message));
            key.verifying_key().verify(black_box(&message), &signature).expect("it is authentic");
        });
    });
}

criterion_group!(benches, handshake);
criterion_main!(benches);

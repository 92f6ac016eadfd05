//! Base64 and JSON by themselves: the codec's beside `base64ct` and `serde-json-core`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dynamic_key::codec::{base64, json};
use dynamic_key_benches::bare::{Codec, Ours, Peer};
use dynamic_key_benches::{LENGTHS, plain, text};
use std::hint::black_box;

fn codec<C: Codec>(c: &mut Criterion, name: &str) {
    let mut group = c.benchmark_group("base64");
    for len in LENGTHS {
        let bytes = text(len);
        let mut encoded = vec![0; base64::encoded_len(len)];
        let mut decoded = vec![0; len];
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(BenchmarkId::new(format!("{name}/encode"), len), |b| {
            b.iter(|| C::encode(black_box(&bytes), &mut encoded).len());
        });
        let encoded = C::encode(&bytes, &mut encoded);
        group.bench_function(BenchmarkId::new(format!("{name}/decode"), len), |b| {
            b.iter(|| C::decode(black_box(encoded), &mut decoded).len());
        });
    }
}

fn in_place(c: &mut Criterion) {
    let mut group = c.benchmark_group("base64");
    for len in LENGTHS {
        let mut buffer = vec![0; 40 + base64::encoded_len(len)];
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(BenchmarkId::new("in place/encode and decode", len), |b| {
            b.iter(|| {
                base64::encode_in_place(black_box(&mut buffer), len, 40).expect("it fits");
                base64::decode_in_place(&mut buffer[40..]).expect("it is base64")
            });
        });
    }
}

fn scan(c: &mut Criterion) {
    let mut group = c.benchmark_group("json");
    for len in LENGTHS {
        let envelope = plain::envelope(len);
        group.throughput(Throughput::Bytes(envelope.len() as u64));
        group.bench_function(BenchmarkId::new("ours/envelope", len), |b| {
            b.iter(|| json::object(black_box(envelope.as_bytes()), &["nonce", "data"]).map(|_| ()));
        });
        group.bench_function(BenchmarkId::new("serde-json-core/envelope", len), |b| {
            b.iter(|| plain::scan(black_box(&envelope)));
        });
    }
}

fn all(c: &mut Criterion) {
    codec::<Ours>(c, "ours");
    codec::<Peer>(c, "base64ct");
    in_place(c);
    scan(c);
}

criterion_group!(benches, all);
criterion_main!(benches);

//! Performs the calls of the provider with the finite-field schemes, and `crypto-bigint`'s own power beside them, and prints what
//! each costs.
#![no_std]
#![no_main]

use board::cost::Report;
use board::random::Repeatable;
use board::semihosting::exit;
use board::timer;
use core::hint::black_box;
use crypto_bigint::modular::{ConstMontyForm, ConstMontyParams};
use crypto_bigint::{U320, U2048, U3072, const_monty_params};
use dynamic_key::codec::spki::Group;
use dynamic_key::crypto::Provider as _;
use dynamic_key::crypto::software::Software;
use dynamic_key::scheme::Scheme;

const_monty_params!(
    P2048,
    U2048,
    "ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695a9e13641146433fbcc939dce249b3ef97d2fe363630c75d8f681b202aec4617ad3df1ed5d5fd65612433f51f5f066ed0856365553ded1af3b557135e7f57c935984f0c70e0e68b77e2a689daf3efe8721df158a136ade73530acca4f483a797abc0ab182b324fb61d108a94bb2c8e3fbb96adab760d7f4681d4f42a3de394df4ae56ede76372bb190b07a7c8ee0a6d709e02fce1cdf7e2ecc03404cd28342f619172fe9ce98583ff8e4f1232eef28183c3fe3b1b4c6fad733bb5fcbc2ec22005c58ef1837d1683b2c6f34a26c1b2effa886b423861285c97ffffffffffffffff"
);
const_monty_params!(
    P3072,
    U3072,
    "ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695a9e13641146433fbcc939dce249b3ef97d2fe363630c75d8f681b202aec4617ad3df1ed5d5fd65612433f51f5f066ed0856365553ded1af3b557135e7f57c935984f0c70e0e68b77e2a689daf3efe8721df158a136ade73530acca4f483a797abc0ab182b324fb61d108a94bb2c8e3fbb96adab760d7f4681d4f42a3de394df4ae56ede76372bb190b07a7c8ee0a6d709e02fce1cdf7e2ecc03404cd28342f619172fe9ce98583ff8e4f1232eef28183c3fe3b1b4c6fad733bb5fcbc2ec22005c58ef1837d1683b2c6f34a26c1b2effa886b4238611fcfdcde355b3b6519035bbc34f4def99c023861b46fc9d6e6c9077ad91d2691f7f7ee598cb0fac186d91caefe130985139270b4130c93bc437944f4fd4452e2d74dd364f2e21e71f54bff5cae82ab9c9df69ee86d2bc522363a0dabc521979b0deada1dbf9a42d5c4484e0abcd06bfa53ddef3c1b20ee3fd59d7c25e41d2b66c62e37ffffffffffffffff"
);

#[cortex_m_rt::entry]
fn main() -> ! {
    timer::start();
    bare::<P2048, { U2048::LIMBS }>(Scheme::Aes1, 225);
    bare::<P3072, { U3072::LIMBS }>(Scheme::Aes2, 275);
    for scheme in [Scheme::Aes1, Scheme::Aes2] {
        ours(scheme);
    }
    exit(0)
}

/// One power of `crypto-bigint`, with an exponent of the least length that RFC 7919 names.
fn bare<M: ConstMontyParams<L>, const L: usize>(scheme: Scheme, bits: u32) {
    let report = Report { scheme: scheme.name(), mode: "-", role: "bare" };
    let exponent = black_box(U320::MAX);
    let base = black_box(ConstMontyForm::<M, L>::ONE.double());
    report.call("power", || base.pow_bounded_exp(&exponent, bits));
    let exponent = black_box(exponent.resize());
    report.call("power-amm", || base.pow_amm_bounded_exp(&exponent, bits));
}

fn ours(scheme: Scheme) {
    let report = Report { scheme: scheme.name(), mode: "-", role: "provider" };
    let group: Group = scheme.group();
    let (mut one, mut other) = (Software::new(Repeatable::new(1)), Software::new(Repeatable::new(2)));
    let (key, public) = report.call("generate", || one.generate(group)).unwrap();
    let (peer_key, peer) = other.generate(group).unwrap();
    report.call("validate", || one.validate(&peer)).unwrap();
    let z = report.call("agree", || one.agree(key, &peer)).unwrap();
    assert_eq!(other.agree(peer_key, &public).unwrap().as_bytes(), z.as_bytes());
}

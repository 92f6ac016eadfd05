//! Chains of keys in any order, with any link missing, repeated, forked or changed: a walk ends well if and only if every key
//! is named as its own by the one before it, none comes twice, and the trusted one is among them.
//!
//! Input: the trusted key, then for each link its signer, its key and a flaw; or, where the first byte is odd, a chain as text.
#![no_main]

use dynamic_key::codec::json;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Verified;
use dynamic_key::crypto::software::Software;
use dynamic_key::identity::profile::Pin;
use dynamic_key::identity::rotation::{Current, Walk};
use dynamic_key::identity::{ChainError, IdentityError};
use dynamic_key::jose::KeyRef;
use dynamic_key::jose::jwk::Use;
use dynamic_key_fuzz::input::Input;
use dynamic_key_fuzz::member;
use dynamic_key_fuzz::seeded::Seeded;
use libfuzzer_sys::fuzz_target;

const ADDRESS: &str = "igQQD";
const TARGET: &str = "/v1/identity/me/sigPubKey#sigPubKey";
const ROOM: usize = 5;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let first = input.byte();
    let trusted = 1 + first / 2 % 6;
    if first & 1 == 1 {
        let _ = walk(input.rest(), trusted);
        return;
    }
    let root = 1 + input.below(6) as u8;
    let (mut chain, mut keys) = (vec![member::text(&member::key(root, Use::Signature))], vec![root]);
    let mut expected = Ok(());
    for _ in 0..input.below(8) {
        let (flaw, signer, next) = (input.below(12), 1 + input.below(6) as u8, 1 + input.below(6) as u8);
        // Most links are right.
        let signer = if flaw < 8 { *keys.last().unwrap() } else { signer };
        let (address, target) = match flaw {
            9 => ("igQQ", TARGET),
            10 => (ADDRESS, "/v1/identity/me/encPubKey#encPubKey"),
            _ => (ADDRESS, TARGET),
        };
        let usage = if flaw == 11 { Use::Encryption } else { Use::Signature };
        let payload = member::text(&member::key(next, usage));
        let link =
            member::signed(address, &member::key(signer, Use::Signature), target, 1, payload.as_bytes());
        chain.push(format!("\"{link}\""));
        if expected.is_ok() {
            expected = judge(&keys, flaw, signer, next);
            keys.push(next);
        }
    }
    if expected.is_ok() && !keys.contains(&trusted) {
        expected = Err(Some(ChainError::Rollback));
    }
    let ours = walk(format!("[{}]", chain.join(",")).as_bytes(), trusted);
    match (ours, expected) {
        (Ok(current), Ok(())) => {
            assert_eq!(*current.key(), member::key(*keys.last().unwrap(), Use::Signature));
        }
        (Err(IdentityError::Chain(error)), Err(Some(expected))) => assert_eq!(error, expected),
        (Err(_), Err(None)) => {}
        (ours, expected) => panic!("{ours:?} for {expected:?}"),
    }
});

/// What is wrong with one more link behind `keys`.
fn judge(keys: &[u8], flaw: usize, signer: u8, next: u8) -> Result<(), Option<ChainError>> {
    if (9..=10).contains(&flaw) {
        return Err(None);
    }
    if *keys.last().unwrap() != signer {
        return Err(Some(if keys.contains(&signer) { ChainError::Fork } else { ChainError::Gap }));
    }
    if flaw == 11 {
        return Err(None);
    }
    if keys.contains(&next) {
        return Err(Some(ChainError::Repeated));
    }
    if keys.len() == ROOM { Err(Some(ChainError::TooLong)) } else { Ok(()) }
}

fn walk(chain: &[u8], trusted: u8) -> Result<Current, IdentityError> {
    let mut provider = Software::new(Seeded(1));
    let kid = member::key(trusted, Use::Signature).kid();
    let pin = Pin { key: KeyRef::new(ADDRESS, kid).unwrap(), since: Timestamp::from_unix_secs(0) };
    let mut walk = Walk::<ROOM>::begin(&mut provider, json::value(chain)?, &pin)?;
    let mut steps = 0;
    while let Some((_, message, _)) = walk.statement() {
        assert!(chain.windows(message.len()).any(|window| window == message));
        walk.verified(&mut provider, Verified::vouch())?;
        steps += 1;
        assert!(steps <= ROOM);
    }
    walk.finish()
}

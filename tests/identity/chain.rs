//! Chains of keys, by whoever owns one of them and by the relay that hands them out.

use crate::support::{
    ADDRESS, NOW, Party, answer, encryption, jwk, link, party, profile, provider, public, signed_as, verify,
};
use dynamic_key::crypto::Signer;
use dynamic_key::identity::profile::{Pin, Profile};
use dynamic_key::identity::response::Response;
use dynamic_key::identity::{ChainError, IdentityError};
use dynamic_key::jose::JoseError;
use dynamic_key::jose::jwk::Jwk;
use serde_json::{Value, json};

fn parties() -> [Party; 5] {
    [1, 2, 3, 4, 5].map(|seed| party(ADDRESS, seed))
}

fn pin(party: &Party) -> Pin {
    Pin::new(party.signs_as())
}

/// The profile of which these are the links, whatever they are, published by `last`.
fn with_chain(links: &[Value], last: &Party) -> Value {
    let mut profile = profile(&[last]);
    profile["sigChain"] = links.into();
    profile
}

fn refused(profile: &Value, pin: &Pin) -> IdentityError {
    verify(profile, pin).unwrap_err()
}

#[test]
fn a_chain_leads_from_any_key_that_is_trusted_to_its_end() {
    let [a, b, c, d, _] = parties();
    let all = [&a, &b, &c, &d];
    for length in 1..=all.len() {
        let profile = profile(&all[..length]);
        let last = all[length - 1];
        for trusted in &all[..length] {
            let known = verify(&profile, &pin(trusted)).unwrap();
            assert_eq!(*known.pin(), Pin { key: last.signs_as(), since: NOW });
            assert_eq!(
                (known.signing(), known.encryption()),
                (&public(&last.signer), &last.encryption_key())
            );
            assert_eq!((known.signs_as(), known.reached_as()), (&last.signs_as(), &last.reached_as()));
        }
        assert_eq!(verify(&profile, &pin(&party(ADDRESS, 9))).unwrap_err(), ChainError::Rollback.into());
    }
    // Without a chain the key is the registered one.
    let mut alone = profile(&[&a]);
    alone.as_object_mut().unwrap().remove("sigChain");
    assert_eq!(*verify(&alone, &pin(&a)).unwrap().pin(), Pin { key: a.signs_as(), since: NOW });
    assert_eq!(refused(&alone, &pin(&b)), ChainError::Rollback.into());
}

#[test]
fn a_rollback_is_noticed_by_whoever_has_seen_more() {
    let [a, b, c, d, _] = parties();
    let all = [&a, &b, &c, &d];
    for seen in 1..all.len() {
        for shown in 1..=seen {
            assert_eq!(refused(&profile(&all[..shown]), &pin(all[seen])), ChainError::Rollback.into());
        }
    }
}

#[test]
fn a_fork_is_noticed_within_one_chain_and_from_one_to_the_next() {
    let [a, b, c, d, e] = parties();
    let root = jwk(&public(&a.signer));
    // Two successors of `a`, and of `b`, in one chain.
    let forked = with_chain(&[root.clone(), link(&a, &b), link(&a, &c)], &c);
    assert_eq!(refused(&forked, &pin(&a)), ChainError::Fork.into());
    let forked = with_chain(&[root, link(&a, &b), link(&b, &c), link(&b, &d)], &d);
    assert_eq!(refused(&forked, &pin(&a)), ChainError::Fork.into());
    // `b` was seen; `a`, stolen, signs `d` instead, and it goes on from there.
    let pin_b = verify(&profile(&[&a, &b]), &pin(&a)).unwrap().pin().clone();
    assert_eq!(refused(&profile(&[&a, &d]), &pin_b), ChainError::Rollback.into());
    assert_eq!(refused(&profile(&[&a, &d, &e]), &pin_b), ChainError::Rollback.into());
    // The same links, one of them twice.
    let links = profile(&[&a, &b, &c])["sigChain"].as_array().unwrap().clone();
    for at in 1..links.len() {
        let mut twice = links.clone();
        twice.insert(at, links[at].clone());
        assert_eq!(refused(&with_chain(&twice, &c), &pin(&a)), ChainError::Fork.into());
    }
}

#[test]
fn gaps_and_other_orders_are_refused() {
    let [a, b, c, d, _] = parties();
    let links = profile(&[&a, &b, &c, &d])["sigChain"].as_array().unwrap().clone();
    // Any link left out, but the last one.
    for at in 1..links.len() - 1 {
        let mut gap = links.clone();
        gap.remove(at);
        assert_eq!(refused(&with_chain(&gap, &d), &pin(&a)), ChainError::Gap.into(), "without {at}");
    }
    // The first one left out: it does not begin with a key; and the registered key of someone else.
    assert_eq!(refused(&with_chain(&links[1..], &d), &pin(&a)), IdentityError::Malformed);
    let mut other_root = links.clone();
    other_root[0] = jwk(&public(&party(ADDRESS, 9).signer));
    assert_eq!(refused(&with_chain(&other_root, &d), &pin(&d)), ChainError::Gap.into());
    // Any two links exchanged.
    for first in 1..links.len() {
        for second in first + 1..links.len() {
            let mut order = links.clone();
            order.swap(first, second);
            assert_eq!(refused(&with_chain(&order, &d), &pin(&a)), ChainError::Gap.into());
        }
    }
    let mut reversed = links.clone();
    reversed[1..].reverse();
    assert_eq!(refused(&with_chain(&reversed, &d), &pin(&a)), ChainError::Gap.into());
}

#[test]
fn a_key_that_comes_back_is_refused() {
    let [a, b, c, ..] = parties();
    for keys in [[&a, &b, &a].as_slice(), &[&a, &a], &[&a, &b, &c, &b], &[&a, &b, &b]] {
        assert_eq!(refused(&profile(keys), &pin(&a)), ChainError::Repeated.into());
    }
}

#[test]
fn the_chain_ends_with_the_key_that_is_published() {
    let [a, b, c, ..] = parties();
    let chain = profile(&[&a, &b])["sigChain"].as_array().unwrap().clone();
    // What `b` signs, but another key on top.
    let mut other = with_chain(&chain, &b);
    other["sigPubKey"] = jwk(&public(&c.signer));
    assert_eq!(refused(&other, &pin(&a)), ChainError::End.into());
    // A key on top that is not in the chain, and signs for itself.
    assert_eq!(refused(&with_chain(&chain, &c), &pin(&a)), IdentityError::Stale);
    // The chain goes on, but the old key and what it signed are published still.
    let longer = profile(&[&a, &b, &c])["sigChain"].as_array().unwrap().clone();
    assert_eq!(refused(&with_chain(&longer, &b), &pin(&a)), IdentityError::Stale);
}

#[test]
fn a_chain_has_no_more_keys_than_there_is_room_for() {
    let parties = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(|seed| party(ADDRESS, seed));
    let all: Vec<&Party> = parties.iter().collect();
    assert!(verify(&profile(&all[..8]), &pin(all[0])).is_ok());
    assert_eq!(refused(&profile(&all), &pin(all[0])), ChainError::TooLong.into());
}

#[test]
fn only_the_key_before_signs_and_only_for_this_identity_and_this_end() {
    let [a, b, c, ..] = parties();
    let root = jwk(&public(&a.signer));
    let mut key = [0; Jwk::LEN];
    public(&b.signer).write(&mut key).unwrap();
    let iat = NOW.as_unix_secs();
    let target = "/v1/identity/me/sigPubKey#sigPubKey";
    let mut signer = a.signer.clone();
    let mut with = |address: &str, target: &str, payload: &[u8]| {
        let link = signed_as(&mut signer, address, iat, target, payload).into();
        verify(&with_chain(&[root.clone(), link], &b), &pin(&a)).map(|_| ())
    };
    assert_eq!(with(ADDRESS, target, &key), Ok(()));
    assert_eq!(with("other", target, &key), Err(IdentityError::Address));
    assert_eq!(with("", target, &key), Err(IdentityError::Address));
    for target in
        ["", "/v1/identity#encPubKey", "/v1/identity/me/encPubKey#encPubKey", "/v1/identity/me/sigPubKey"]
    {
        assert_eq!(with(ADDRESS, target, &key), Err(JoseError::Header.into()), "{target}");
    }
    for payload in ["", "{}", "null", "[]"] {
        assert!(with(ADDRESS, target, payload.as_bytes()).is_err(), "{payload}");
    }
    let text = String::from_utf8(key.to_vec()).unwrap();
    let other_id = text.replace(b.signer.kid().as_str(), c.signer.kid().as_str());
    assert_eq!(with(ADDRESS, target, other_id.as_bytes()), Err(JoseError::Key.into()));
    let other_use = text.replace(r#""use":"sig""#, r#""use":"enc""#);
    assert_eq!(with(ADDRESS, target, other_use.as_bytes()), Err(JoseError::Key.into()));
    // Another key signs in the name of `a`.
    let forged = link(&c, &b).as_str().unwrap().rsplit_once('.').unwrap().1.to_owned();
    let forged = format!("{}.{forged}", link(&a, &b).as_str().unwrap().rsplit_once('.').unwrap().0);
    let forged = with_chain(&[root.clone(), forged.into()], &b);
    assert_eq!(refused(&forged, &pin(&a)), JoseError::Authentication.into());
    for not_a_chain in [
        json!([]),
        json!({}),
        json!("x"),
        json!(null),
        json!([root, null]),
        json!([root, root]),
        json!([root, 7]),
    ] {
        let mut profile = profile(&[&a]);
        profile["sigChain"] = not_a_chain;
        assert_eq!(refused(&profile, &pin(&a)), IdentityError::Malformed);
    }
}

#[test]
fn no_flipped_bit_of_a_link_is_valid() {
    let [a, b, ..] = parties();
    let root = jwk(&public(&a.signer));
    let link = link(&a, &b);
    let link = link.as_str().unwrap();
    for at in 0..link.len() {
        for bit in [1, 4] {
            let mut changed = link.as_bytes().to_vec();
            changed[at] ^= bit;
            let Ok(changed) = String::from_utf8(changed) else { continue };
            let profile = with_chain(&[root.clone(), changed.into()], &b);
            assert!(verify(&profile, &pin(&a)).is_err(), "bit {bit} of byte {at}");
        }
    }
}

/// The steps by which an asynchronous driver goes.
#[test]
fn the_walk_takes_one_proof_for_each_link() {
    let [a, b, c, ..] = parties();
    let answer = answer(&profile(&[&a, &b, &c]));
    let pin = pin(&a);
    let mut provider = provider();
    let response = Response::parse(&answer).unwrap();
    let profile = Profile::parse(&response).unwrap();
    let mut walk = profile.walk::<_, 4>(&mut provider, &pin).unwrap();
    for signer in [&a, &b] {
        let (key, message, signature) = walk.statement().unwrap();
        assert_eq!(key.kid(), signer.signer.kid());
        let verified = key.verify(message, signature).unwrap();
        let early = profile.walk::<_, 4>(&mut provider, &pin).unwrap();
        assert_eq!(early.finish().map(|_| ()), Err(IdentityError::WrongTurn));
        walk.verified(&mut provider, verified).unwrap();
    }
    assert!(walk.statement().is_none());
    let spare = dynamic_key::crypto::Verified::vouch();
    assert_eq!(walk.verified(&mut provider, spare), Err(IdentityError::WrongTurn));
    let current = walk.finish().unwrap();
    assert_eq!(*current.key(), public(&c.signer));
    let (message, signature) = profile.encryption(&current, &pin).unwrap().statement();
    let verified = current.key().pinned().unwrap().verify(message, signature).unwrap();
    let known = profile.verified(&mut provider, &pin, &current, &verified).unwrap();
    assert_eq!(*known.encryption(), c.encryption_key());
    assert_eq!(encryption(&c, &c, 0).as_str().unwrap().split('.').count(), 3);
}

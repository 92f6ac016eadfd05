//! Keys after keys: one chain, whoever else would like another.

use crate::support::{Party, Relay, Told, Written, call, now, request, settings};
use dynamic_key::crypto::Signer;
use dynamic_key::identity::profile::Pin;
use dynamic_key::identity::{ChainError, IdentityError, me, rotation};
use dynamic_key_gateway::relay::Settings;
use serde_json::{Value, json};
use std::sync::Barrier;

/// Rotates `party`, which is the next one from then on.
fn rotate(relay: &Relay, party: &mut Party) -> Written {
    let mut next = Party::new();
    let body = party.rotation(&mut next, now());
    relay.call(&request(&body)).ok(20_014);
    *party = next;
    body
}

#[test]
fn a_chain_grows_from_the_registered_key_and_verifiers_follow_it() {
    let relay = Relay::start();
    let first = relay.join();
    let (mut party, mut pin) = (first.clone(), Pin::new(first.me.clone()));
    for links in 1..=5 {
        rotate(&relay, &mut party);
        let profile = relay.published(party.me.address());
        assert_eq!(profile["sigChain"].as_array().unwrap().len(), links + 1);
        let known = Party::verify(&profile, &pin).unwrap();
        assert_eq!((known.signing(), known.encryption()), (&party.signing(), &party.encryption()));
        pin = known.pin().clone();
        // From the registered key, too.
        Party::verify(&profile, &Pin::new(first.me.clone())).unwrap();
    }
    relay.call(&request(&party.ask(now(), me))).ok(20_012);
    relay.call(&request(&first.clone().ask(now(), me))).refused(409, 40_901);
    relay.call(&request(&first.clone().registration(now()))).refused(409, 40_902);
}

#[test]
fn a_rotation_is_signed_by_the_current_key_and_by_the_new_one() {
    let relay = Relay::start();
    let (mut party, mut next) = (relay.join(), Party::new());
    let good = party.rotation(&mut next, now());
    let body: Value = serde_json::from_str(&good.body).unwrap();
    let with = |member: &str, jws: &str| {
        let mut body = body.clone();
        body[member] = jws.into();
        relay.post(&good.target, &body.to_string())
    };
    for member in ["sigPubKey", "encPubKey"] {
        let text = body[member].as_str().unwrap();
        let (front, last) = text.split_at(text.len() - 20);
        let flipped = if last.starts_with('A') { 'B' } else { 'A' };
        with(member, &format!("{front}{flipped}{}", &last[1..])).refused(403, 40_301);
        with(member, "").refused(400, 40_001);
    }
    let payload = |member: &str| {
        let text = body[member].as_str().unwrap();
        crate::support::unurl(text.split('.').nth(1).unwrap())
    };
    let (link, encryption) = (payload("sigPubKey"), payload("encPubKey"));
    let (current, new) = (party.me.to_string(), next.me.to_string());
    let target = |member: &str| format!("/v1/identity/me/sigPubKey#{member}");
    let (to_link, to_key) = (target("sigPubKey"), target("encPubKey"));
    // By the new key itself, to another end, at another time, by the old key.
    with("sigPubKey", &next.jws(&new, now(), &to_link, &link)).refused(409, 40_901);
    with("sigPubKey", &next.jws(&current, now(), &to_link, &link)).refused(403, 40_301);
    with("sigPubKey", &party.jws(&current, now(), &to_key, &link)).refused(400, 40_002);
    with("sigPubKey", &party.jws(&current, now() - 400, &to_link, &link)).refused(400, 40_003);
    with("sigPubKey", &party.jws(&current, now() + 400, &to_link, &link)).refused(400, 40_003);
    with("sigPubKey", &party.jws(&current, now(), &to_link, b"{}")).refused(400, 40_004);
    with("sigPubKey", &party.jws(&current, now(), &to_link, &encryption)).refused(400, 40_004);
    with("encPubKey", &party.jws(&current, now(), &to_key, &encryption)).refused(400, 40_004);
    with("encPubKey", &party.jws(&new, now(), &to_key, &encryption)).refused(403, 40_301);
    with("encPubKey", &next.jws(&new, now(), &to_link, &encryption)).refused(400, 40_002);
    with("encPubKey", &next.jws(&new, now() - 400, &to_key, &encryption)).refused(400, 40_003);
    let elsewhere = format!("x{new}");
    with("encPubKey", &next.jws(&elsewhere, now(), &to_key, &encryption)).refused(400, 40_004);
    // An encryption key older than the one that is there.
    with("encPubKey", &next.jws(&new, now() - 100, &to_key, &encryption)).refused(409, 40_903);
    relay.send("POST", &good.target, Some(&relay.other), &good.body).refused(403, 40_302);
    for text in ["", "{}", "[]", r#"{"sigPubKey":"a.b.c"}"#] {
        relay.post(&good.target, text).refused(400, 40_001);
    }
    assert_eq!(relay.published(party.me.address())["sigChain"].as_array().unwrap().len(), 1);
    relay.call(&request(&good)).ok(20_014);
}

#[test]
fn no_fork_no_way_back_no_key_twice() {
    let relay = Relay::start();
    let first = relay.join();
    let mut party = first.clone();
    let taken = rotate(&relay, &mut party);
    // A lost answer: the same again, as long as nothing has followed.
    relay.call(&request(&taken)).ok(20_014);
    relay.send("POST", &taken.target, Some(&relay.other), &taken.body).refused(403, 40_302);
    let mut fork = Party::new();
    relay.call(&request(&first.clone().rotation(&mut fork, now()))).refused(409, 40_901);
    // Back to a key that was, to the same key, to somebody else's.
    let mut back = first.clone();
    relay.call(&request(&party.rotation(&mut back, now()))).refused(409, 40_902);
    let mut theirs = relay.join();
    relay.call(&request(&party.rotation(&mut theirs, now()))).refused(409, 40_902);
    let mut same = party.clone();
    let author_kid = party.me.clone();
    let link = {
        let mut room = vec![0; dynamic_key::jose::jwk::Jwk::LEN];
        party.signing().write(&mut room).unwrap();
        party.jws(&author_kid.to_string(), now(), "/v1/identity/me/sigPubKey#sigPubKey", &room)
    };
    let mut room = vec![0; dynamic_key::jose::jwk::Jwk::LEN];
    same.encryption().write(&mut room).unwrap();
    let key = same.jws(&author_kid.to_string(), now(), "/v1/identity/me/sigPubKey#encPubKey", &room);
    relay.post(&taken.target, &json!({"sigPubKey": link, "encPubKey": key}).to_string()).refused(409, 40_902);
    rotate(&relay, &mut party);
    relay.call(&request(&taken)).refused(409, 40_901);
    assert_eq!(relay.published(party.me.address())["sigChain"].as_array().unwrap().len(), 3);
    // What a relay that rolls back would be told.
    let mut rolled = relay.published(party.me.address());
    rolled["sigChain"].as_array_mut().unwrap().pop();
    let error = Party::verify(&rolled, &Pin::new(party.me.clone())).unwrap_err();
    assert_eq!(error, IdentityError::Chain(ChainError::Rollback));
}

#[test]
fn of_two_rotations_at_once_one_wins() {
    const RIVALS: usize = 8;
    let relay = Relay::start();
    let mut party = relay.join();
    for _ in 0..3 {
        let mut rivals: Vec<Party> = (0..RIVALS).map(|_| Party::new()).collect();
        let bodies: Vec<Written> = rivals.iter_mut().map(|next| party.rotation(next, now())).collect();
        let start = Barrier::new(RIVALS);
        let told: Vec<Told> = std::thread::scope(|scope| {
            let threads: Vec<_> = bodies
                .iter()
                .map(|body| {
                    let (start, relay) = (&start, &relay);
                    scope.spawn(move || {
                        start.wait();
                        call(relay.address(), &relay.one, &request(body))
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let won: Vec<usize> = (0..RIVALS).filter(|rival| told[*rival].status == 200).collect();
        assert_eq!(won.len(), 1, "{told:?}");
        told.iter().filter(|told| told.status != 200).for_each(|told| told.refused(409, 40_901));
        let profile = relay.published(party.me.address());
        let known = Party::verify(&profile, &Pin::new(party.me.clone())).unwrap();
        party = rivals.swap_remove(won[0]);
        assert_eq!(known.signing(), &party.signing());
    }
}

#[test]
fn an_identity_has_so_many_keys_and_no_more() {
    let relay = Relay::with(Settings { keys_per_identity: 3, ..settings() });
    let mut party = relay.join();
    rotate(&relay, &mut party);
    rotate(&relay, &mut party);
    let mut next = Party::new();
    relay.call(&request(&party.rotation(&mut next, now()))).refused(409, 40_906);
    // The key that was refused is not taken by that.
    next.me = dynamic_key::jose::KeyRef::new("", next.signer.kid()).unwrap();
    let told = relay.call(&request(&next.registration(now())));
    next.registered(&told);
    let encryption = Party::new().encryption();
    let update = party.ask(now() + 1, |author, out| rotation::encryption_key(author, &encryption, out));
    relay.call(&request(&update)).ok(20_015);
}

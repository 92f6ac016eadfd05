//! The server of Key Agreement (§3) reads a request and chooses. Its judgement is held against a second reading, and must not
//! depend on how the JSON is written; a request that is accepted leads to a response with the right proof.
//!
//! Input: one byte of policy, then the request.
#![no_main]

use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Signer;
use dynamic_key::handshake::{
    KeyAgreementFacts, KeyAgreementPolicy, KeyAgreementServer, ServerError, ServerNeed,
};
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::{Error, Misuse};
use dynamic_key_fuzz::identity::Identity;
use dynamic_key_fuzz::json::{NoJson, Node, parse};
use dynamic_key_fuzz::oracle::{self, key_agreement};
use dynamic_key_fuzz::provider::{Provider, agree, public_key};
use libfuzzer_sys::fuzz_target;

const PRIVATE: u8 = 5;

fuzz_target!(|input: &[u8]| {
    let Some((choice, request)) = input.split_first() else { return };
    let (first, second) = Scheme::ELLIPTIC.split_at(1);
    let policy = KeyAgreementPolicy {
        schemes: [&Scheme::ELLIPTIC, first, second, &[]][usize::from(choice & 3)],
        preference: if choice & 4 == 0 { Preference::Client } else { Preference::Strongest },
    };
    let signs = choice & 8 != 0;
    let ours = judge(&policy, signs, request);
    let message = match parse(request) {
        Ok(message) => message,
        Err(NoJson::Malformed) => return assert_eq!(ours, None),
        Err(NoJson::NumberTooLarge) => return,
    };
    assert_eq!(ours, expected(&policy, &message));
    assert_eq!(ours, judge(&policy, signs, message.foreign().as_bytes()), "the writing matters");
});

/// The same judgement by the second reading.
fn expected(policy: &KeyAgreementPolicy<'_>, message: &Node) -> Option<Scheme> {
    let (_, offered) = key_agreement::request(message)?;
    let common = |scheme: &Scheme| offered.contains(&scheme.name()) && policy.schemes.contains(scheme);
    match policy.preference {
        Preference::Client => offered
            .iter()
            .find_map(|name| Scheme::ELLIPTIC.into_iter().find(|s| s.name() == *name && common(s))),
        Preference::Strongest => Scheme::ELLIPTIC.into_iter().find(common),
    }
}

/// The scheme that is chosen, if any is.
fn judge(policy: &KeyAgreementPolicy<'_>, signs: bool, request: &[u8]) -> Option<Scheme> {
    let mut provider = Provider::with_keys(1, &[PRIVATE]);
    let mut server = KeyAgreementServer::<Provider>::new();
    let mut buffer = request.to_vec();
    let outcome = server.hello(policy, &mut buffer).and_then(|()| server.compute(&mut provider));
    match outcome {
        Ok(need) => assert_eq!(need, ServerNeed::Answer),
        Err(ServerError::Refuse(refusal)) => {
            assert_eq!((server.need(), refusal.code.status()), (ServerNeed::Nothing, 400));
            let failed = ServerError::Misuse(Error::Misuse(Misuse::HandshakeFailed));
            assert_eq!(server.hello(policy, &mut buffer), Err(failed));
            assert!(server.finish().is_err());
            return None;
        }
        Err(ServerError::Misuse(error)) => panic!("{error}"),
    }
    let mut identity = Identity(1);
    let facts = KeyAgreementFacts {
        client_reference_id: "opaque-reference-id",
        identifier: b"Broker",
        ends: Timestamp::from_unix_secs(1_780_531_200),
        expires_in: signs.then_some(300),
        instance: 7,
        identity: signs.then(|| identity.kid()),
    };
    let Err(ServerError::Misuse(Error::BufferTooSmall { needed })) =
        server.answer(&mut provider, &facts, &mut [])
    else {
        panic!("no response is empty");
    };
    let mut out = vec![0; needed];
    assert!(server.answer(&mut provider, &facts, &mut out[..needed - 1]).is_err());
    assert_eq!(server.answer(&mut provider, &facts, &mut out), Ok(needed));
    if signs {
        server.sign(&mut identity, &mut out).unwrap();
    }
    let agreement = server.finish().unwrap();
    let Ok(request) = parse(request) else { return Some(agreement.scheme()) };
    let written = parse(&out).unwrap();
    let response = key_agreement::Response::read(&written).unwrap();
    let transcript = key_agreement::transcript(&request, &written).unwrap();
    let (peer, _) = key_agreement::request(&request).unwrap();
    let z = agree(PRIVATE, &oracle::public_key(&peer).unwrap()).unwrap();
    let mut der = [0; 91];
    assert_eq!(response.key, public_key(PRIVATE).write_spki(&mut der).unwrap());
    assert_eq!((response.id, response.scheme), (facts.client_reference_id, agreement.scheme().name()));
    assert_eq!(response.proof, oracle::proof(&transcript, &z));
    assert_eq!(oracle::base64(request.string("identifier").unwrap()).unwrap(), agreement.identifier());
    let signature = identity.sign(&oracle::statement(&transcript)).unwrap();
    let signed = signs.then(|| (identity.kid().as_str().to_owned(), signature.to_vec()));
    assert_eq!(response.identity.map(|(kid, signature)| (kid.to_owned(), signature)), signed);
    Some(agreement.scheme())
}

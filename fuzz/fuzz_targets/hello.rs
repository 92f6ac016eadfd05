//! The gateway reads a hello and chooses. Its judgement is held against a second reading, and must not depend on how the
//! JSON is written; a hello that is accepted leads to an answer with the right proof.
//!
//! Input: one byte of policy, then the hello.
#![no_main]

use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Signer;
use dynamic_key::handshake::{
    Claims, ClientPolicy, ServerError, ServerFacts, ServerHandshake, ServerNeed, ServerPolicy,
};
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::Mode;
use dynamic_key::{Code, Error, Misuse};
use dynamic_key_fuzz::identity::Identity;
use dynamic_key_fuzz::json::{NoJson, Node, parse};
use dynamic_key_fuzz::oracle;
use dynamic_key_fuzz::provider::{Provider, agree, public_key};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;

/// The client that the gateway knows, as in the vectors.
const KNOWN: (&str, &str) = ("internal", "internal-web-client");
const PRIVATE: u8 = 5;

struct Policy {
    schemes: &'static [Scheme],
    preference: Preference,
    least_mode: Mode,
    /// What the hello claimed: device.id and platform.
    claimed: RefCell<Option<(String, String)>>,
}

impl Policy {
    fn new(choice: u8) -> Self {
        let (first, second) = Scheme::ELLIPTIC.split_at(1);
        Self {
            schemes: [&Scheme::ELLIPTIC, first, second, &[]][usize::from(choice & 3)],
            preference: if choice & 4 == 0 { Preference::Client } else { Preference::Strongest },
            least_mode: if choice & 8 == 0 { Mode::Plain } else { Mode::Confirmed },
            claimed: RefCell::new(None),
        }
    }
}

impl ServerPolicy for Policy {
    fn client(&self, claims: &Claims<'_>) -> Option<ClientPolicy<'_>> {
        let Self { schemes, preference, least_mode, ref claimed } = *self;
        *claimed.borrow_mut() = Some((claims.device_id.into(), claims.platform.into()));
        // No identity is registered.
        let known = claims.kid.is_none() && (claims.client_type.name(), claims.client_id) == KNOWN;
        known.then_some(ClientPolicy { schemes, preference, least_mode })
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((choice, hello)) = input.split_first() else { return };
    let policy = Policy::new(*choice);
    let ours = judge(&policy, hello);
    let message = match parse(hello) {
        Ok(message) => message,
        Err(NoJson::Malformed) => return assert_eq!(ours, Err(Code::MalformedRequest)),
        Err(NoJson::NumberTooLarge) => return,
    };
    assert_eq!(ours, expected(&policy, &message));
    assert_eq!(ours, judge(&policy, message.foreign().as_bytes()), "the writing matters");
});

/// The scheme that is chosen, or the code of the refusal.
fn judge(policy: &Policy, hello: &[u8]) -> Result<Scheme, Code> {
    let mut provider = Provider::with_keys(1, &[PRIVATE]);
    let mut handshake = ServerHandshake::new();
    let mut buffer = hello.to_vec();
    let outcome =
        handshake.hello(&mut provider, policy, &mut buffer).and_then(|()| handshake.compute(&mut provider));
    match outcome {
        Ok(need) => {
            assert_eq!(need, ServerNeed::Answer);
            Ok(answer(handshake, &mut provider, policy, hello))
        }
        Err(ServerError::Refuse(refusal)) => {
            assert_eq!(handshake.need(), ServerNeed::Nothing);
            let failed = ServerError::Misuse(Error::Misuse(Misuse::HandshakeFailed));
            assert_eq!(handshake.hello(&mut provider, policy, &mut buffer), Err(failed));
            assert!(handshake.finish().is_err());
            let mut out = vec![0; refusal.body_len()];
            assert_eq!(refusal.write(&mut out), Ok(refusal.body_len()));
            let error = parse(&out).unwrap();
            assert_eq!(error.string("code"), Some(refusal.code.name()));
            Err(refusal.code)
        }
        Err(ServerError::Misuse(error)) => panic!("{error}"),
    }
}

/// Ends the handshake of a hello that was accepted.
fn answer(
    mut handshake: ServerHandshake<Provider>,
    provider: &mut Provider,
    policy: &Policy,
    hello: &[u8],
) -> Scheme {
    let hello = parse(hello);
    let mut identity = Identity(1);
    let client = handshake.client().unwrap().clone();
    let facts = ServerFacts {
        session_id: "opaque-session-id",
        token: "e30.e30.c2ln",
        expire_token: 0,
        expires_at: Timestamp::from_unix_secs(1_780_531_200),
        expires_in: 3600,
        instance: 7,
        identity: Some(identity.kid()),
        plain: Default::default(),
    };
    let Err(ServerError::Misuse(Error::BufferTooSmall { needed })) =
        handshake.answer(provider, &facts, &mut [])
    else {
        panic!("no answer is empty");
    };
    let mut out = vec![0; needed];
    assert!(handshake.answer(provider, &facts, &mut out[..needed - 1]).is_err());
    assert_eq!(handshake.answer(provider, &facts, &mut out), Ok(needed));
    let is_plain = handshake.need() == ServerNeed::Finish;
    if !is_plain {
        handshake.sign(&mut identity, &mut out).unwrap();
    }
    let session = handshake.finish().unwrap();
    assert_eq!(session.mode(), if is_plain { Mode::Plain } else { Mode::Confirmed });

    let Ok(hello) = hello else { return session.scheme() };
    let read = oracle::Hello::read(&hello).unwrap();
    let claims = (client.client_type.name(), &*client.client_id, &*client.device_id);
    assert_eq!(claims, (read.client_type, read.client_id, read.device_id));
    assert_eq!(policy.claimed.borrow().as_ref().unwrap(), &(read.device_id.into(), read.platform.into()));
    assert_eq!(read.offer.is_none(), is_plain);
    let written = parse(&out).unwrap();
    let answer = oracle::Answer::read(&written, is_plain, 0).unwrap();
    let mut der = [0; 91];
    assert_eq!(answer.key, public_key(PRIVATE).write_spki(&mut der).unwrap());
    assert_eq!((answer.session_id, answer.token), (facts.session_id, facts.token));
    if let Some(choice) = answer.choice {
        let transcript = oracle::transcript(&hello, &written).unwrap();
        let z = agree(PRIVATE, &oracle::public_key(&read.key).unwrap()).unwrap();
        assert_eq!(choice.scheme, session.scheme().name());
        assert_eq!(choice.proof, oracle::proof(&transcript, &z));
        let signature = identity.sign(&oracle::statement(&transcript)).unwrap();
        assert_eq!(choice.identity, Some((identity.kid().as_str(), signature.to_vec())));
    }
    session.scheme()
}

/// The same judgement by the second reading.
fn expected(policy: &Policy, hello: &Node) -> Result<Scheme, Code> {
    let hello = oracle::Hello::read(hello).ok_or(Code::MalformedRequest)?;
    hello.choose(KNOWN, policy.least_mode > Mode::Plain, policy.schemes, policy.preference)
}

//! A client takes an answer to its hello. Whether a session comes of it is held against a second reading and a proof that
//! is computed again, and must not depend on how the JSON is written.
//!
//! Input: the client (0 plain, 1 confirmed, 2 and 3 pinned, 3 with one scheme), plus 4 to have the answer proven and signed
//! over whatever it says, plus 8 to have somebody else sign; a status; then the answer.
#![no_main]

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::{CryptoError, KeyId, Signature, Signer, Verified, Verifier};
use dynamic_key::handshake::{ClientConfig, ClientHandshake, ClientNeed};
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{ClientType, Mode, Now, Session};
use dynamic_key::{Code, Error, Misuse, Peer};
use dynamic_key_fuzz::identity::Identity;
use dynamic_key_fuzz::json::{NoJson, Node, parse};
use dynamic_key_fuzz::oracle;
use dynamic_key_fuzz::provider::{Provider, agree};
use libfuzzer_sys::fuzz_target;

const PRIVATE: u8 = 3;
const PINNED: Identity = Identity(1);
/// Room for the token.
const TOKEN: usize = 128;
/// 2026-06-03T23:00:00Z, an hour before the answers of the vectors end.
const SENT: u64 = 1_780_527_600_000;
const STATUSES: [u16; 12] = [200, 409, 400, 401, 403, 404, 429, 502, 503, 204, 302, 500];

fuzz_target!(|input: &[u8]| {
    let [client, status, answer @ ..] = input else { return };
    let status = STATUSES[usize::from(*status) % STATUSES.len()];
    let mut config =
        ClientConfig::new(ClientType::Internal, "internal-web-client", "browser-uuid-v4", "browser");
    config.mode = [Mode::Plain, Mode::Confirmed, Mode::Pinned, Mode::Pinned][usize::from(client & 3)];
    config.schemes = &Scheme::ELLIPTIC[usize::from(client & 3 == 3)..];
    let (hello, ours) = judge(&config, status, answer);
    let mut message = match parse(answer) {
        Ok(message) => message,
        Err(NoJson::Malformed) => return assert_eq!(ours, Err(malformed(status))),
        Err(NoJson::NumberTooLarge) => return,
    };
    assert_eq!(ours.is_ok(), status == 200 && accepts(&config, &hello, &message), "{ours:?}");
    let (_, foreign) = judge(&config, status, message.foreign().as_bytes());
    assert_eq!(settled(ours), settled(foreign), "the writing matters");
    if client & 4 != 0 && prove(&hello, &mut message, Identity(1 + (client >> 3 & 1))).is_some() {
        let (_, ours) = judge(&config, status, message.plain().as_bytes());
        assert_eq!(
            ours.is_ok(),
            status == 200 && accepts(&config, &hello, &message),
            "{ours:?} {}",
            message.plain()
        );
    }
});

/// What is not JSON at all.
fn malformed(status: u16) -> Error {
    if status == 200 { Peer::Malformed.into() } else { Peer::UnexpectedStatus(status).into() }
}

/// Of a key that is too long to be decoded it is not settled whether its text is malformed or the key is invalid.
fn settled(outcome: Result<Facts, Error>) -> Result<Facts, Error> {
    outcome
        .map_err(|error| if error == Peer::InvalidPublicKey.into() { Peer::Malformed.into() } else { error })
}

/// What a session is: its id, token and scheme.
type Facts = (String, String, Scheme);

/// The hello, and what the client makes of the answer.
fn judge(config: &ClientConfig<'_>, status: u16, answer: &[u8]) -> (Node, Result<Facts, Error>) {
    let mut provider = Provider::with_keys(1, &[PRIVATE]);
    let mut handshake = ClientHandshake::<Provider, TOKEN>::new(config).unwrap();
    let mut verifier = Watched(false);
    assert_eq!(handshake.compute(&mut provider, &mut verifier), Ok(ClientNeed::Hello));
    let mut hello = [0; 512];
    let now = Now::wall(Timestamp::from_unix_millis(SENT));
    let length = handshake.hello(&mut provider, now, &mut hello).unwrap();
    let hello = parse(&hello[..length]).unwrap();
    let outcome =
        handshake.reply(status, answer).and_then(|()| handshake.compute(&mut provider, &mut verifier));
    match outcome {
        Ok(need) => {
            assert_eq!(need, ClientNeed::Finish);
            assert_eq!(verifier.0, config.mode == Mode::Pinned, "pinned is verified");
            let mut session = handshake.finish().unwrap();
            works(&mut session, &mut provider, now);
            let facts = session.facts();
            assert_eq!(facts.mode(), config.mode);
            (hello, Ok((facts.id().into(), facts.token().into(), facts.scheme())))
        }
        Err(error) => {
            assert!(
                !matches!(error, Error::Misuse(_) | Error::BufferTooSmall { .. } | Error::Crypto(_)),
                "{error:?}"
            );
            if let Error::Refused(code) = error {
                assert!(code.status() == status && code != Code::RetryWithScheme);
            }
            assert_eq!(handshake.need(), ClientNeed::Nothing);
            let failed = Err(Error::Misuse(Misuse::HandshakeFailed));
            assert_eq!(handshake.reply(status, answer), failed);
            assert_eq!(handshake.finish().map(drop), failed);
            (hello, Err(error))
        }
    }
}

/// A new session seals.
fn works(session: &mut Session<Provider, TOKEN>, provider: &mut Provider, now: Now) {
    let mut buffer = [0; 128];
    let (length, exchange) = session.seal(provider, now, &mut buffer, 2).unwrap();
    assert_eq!(length, dynamic_key::envelope::sealed_len(2));
    assert_eq!(exchange.nonce().counter(), 0);
}

/// Whether the second reading says that this client must accept, and only then.
fn accepts(config: &ClientConfig<'_>, hello: &Node, message: &Node) -> bool {
    let Some(answer) = oracle::Answer::read(message, config.mode == Mode::Plain, SENT) else { return false };
    let Some(key) = oracle::public_key(&answer.key) else { return false };
    if answer.token.len() > TOKEN || answer.ends <= SENT {
        return false;
    }
    let Some(choice) = &answer.choice else { return config.mode == Mode::Plain };
    let offered = config.schemes.iter().any(|scheme| scheme.name() == choice.scheme);
    let (Some(transcript), Some(z)) = (oracle::transcript(hello, message), agree(PRIVATE, &key)) else {
        return false;
    };
    let proven = choice.proof == oracle::proof(&transcript, &z);
    let signed = || {
        let expected = { PINNED }.sign(&oracle::statement(&transcript)).unwrap();
        choice.identity == Some((PINNED.kid().as_str(), expected.to_vec()))
    };
    offered && choice.features.is_empty() && proven && (config.mode == Mode::Confirmed || signed())
}

/// Puts the right proof into an answer, whatever else it says, and where it has an identity the pinned kid and the signature
/// of `signer`.
fn prove(hello: &Node, answer: &mut Node, mut signer: Identity) -> Option<()> {
    let choice = answer.get_mut("keyAgreement")?;
    if let Some(identity) = choice.get_mut("identity") {
        identity.set("kid", Node::String(PINNED.kid().as_str().into()));
    }
    let transcript = oracle::transcript(hello, answer)?;
    let key = oracle::public_key(&oracle::base64(answer.string("serverPublicKey")?)?)?;
    let proof = oracle::proof(&transcript, &agree(PRIVATE, &key)?);
    let choice = answer.get_mut("keyAgreement")?;
    choice.set("proof", Node::String(Base64::encode_string(&proof)));
    if let Some(identity) = choice.get_mut("identity") {
        let signature = signer.sign(&oracle::statement(&transcript)).unwrap();
        identity.set("signature", Node::String(Base64UrlUnpadded::encode_string(&signature)));
    }
    Some(())
}

/// Verifies for the pinned identity, and remembers that it did.
struct Watched(bool);

impl Verifier for Watched {
    fn verify(
        &mut self,
        kid: &KeyId,
        message: &[u8],
        signature: &Signature,
    ) -> Result<Verified, CryptoError> {
        let verified = { PINNED }.verify(kid, message, signature)?;
        self.0 = true;
        Ok(verified)
    }
}

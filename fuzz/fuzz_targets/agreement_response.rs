//! A client of Key Agreement (§3) takes a response to its request. Whether an agreement comes of it is held against a second
//! reading and a proof that is computed again, and must not depend on how the JSON is written.
//!
//! Input: the client (0 confirmed, 1 pinned), plus 2 for one scheme, plus 4 to have the response proven and signed over
//! whatever it says, plus 8 to have somebody else sign; then the response.
#![no_main]

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Signer;
use dynamic_key::field::{Call, sealed_len};
use dynamic_key::handshake::{ClientNeed, KeyAgreementClient, KeyAgreementConfig};
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{Mode, Now};
use dynamic_key::{Error, Misuse};
use dynamic_key_fuzz::identity::Identity;
use dynamic_key_fuzz::json::{NoJson, Node, parse};
use dynamic_key_fuzz::oracle::{self, key_agreement};
use dynamic_key_fuzz::provider::{Provider, agree};
use libfuzzer_sys::fuzz_target;

const PRIVATE: u8 = 3;
const PINNED: Identity = Identity(1);

fuzz_target!(|input: &[u8]| {
    let Some((choice, response)) = input.split_first() else { return };
    let config = KeyAgreementConfig {
        mode: if choice & 1 == 0 { Mode::Confirmed } else { Mode::Pinned },
        schemes: &Scheme::ELLIPTIC[usize::from(choice & 2 != 0)..],
        ..KeyAgreementConfig::new(b"a device")
    };
    let (request, ours) = judge(&config, response);
    let mut message = match parse(response) {
        Ok(message) => message,
        Err(NoJson::Malformed) => return assert!(ours.is_none()),
        Err(NoJson::NumberTooLarge) => return,
    };
    assert_eq!(ours.is_some(), accepts(&config, &request, &message), "{ours:?}");
    let (_, foreign) = judge(&config, message.foreign().as_bytes());
    assert_eq!(ours, foreign, "the writing matters");
    if choice & 4 != 0 && prove(&request, &mut message, Identity(1 + (choice >> 3 & 1))).is_some() {
        let (_, ours) = judge(&config, message.plain().as_bytes());
        assert_eq!(ours.is_some(), accepts(&config, &request, &message), "{ours:?} {}", message.plain());
    }
});

/// The request, and what the client makes of the response: the agreement's id and scheme.
fn judge(config: &KeyAgreementConfig<'_>, response: &[u8]) -> (Node, Option<(String, Scheme)>) {
    let mut provider = Provider::with_keys(1, &[PRIVATE]);
    let mut client = KeyAgreementClient::<Provider>::new(config).unwrap();
    assert_eq!(client.compute(&mut provider, &mut { PINNED }), Ok(ClientNeed::Hello));
    let (mut text, now) = ([0; 512], Now::wall(Timestamp::from_unix_secs(1_780_531_200)));
    let length = client.hello(&mut provider, now, &mut text).unwrap();
    let request = parse(&text[..length]).unwrap();
    let outcome = client.reply(200, response).and_then(|()| client.compute(&mut provider, &mut { PINNED }));
    match outcome {
        Ok(need) => {
            assert_eq!(need, ClientNeed::Finish);
            let mut agreement = client.finish().unwrap();
            let mut call = Call::new("POST", "/rest/login").unwrap();
            let mut buffer = [0; sealed_len(4)];
            let length = agreement.seal(&mut provider, now, &mut call, "password", &mut buffer, 4);
            assert_eq!((length, agreement.mode()), (Ok(buffer.len()), config.mode));
            (request, Some((agreement.id().into(), agreement.scheme())))
        }
        Err(error) => {
            assert!(matches!(error, Error::Peer(_) | Error::Incompatible(_)), "{error:?}");
            assert_eq!(client.need(), ClientNeed::Nothing);
            let failed = Err(Error::Misuse(Misuse::HandshakeFailed));
            assert_eq!(client.reply(200, response), failed);
            assert_eq!(client.finish().map(drop), failed);
            (request, None)
        }
    }
}

/// Whether the second reading says that this client must accept, and only then.
fn accepts(config: &KeyAgreementConfig<'_>, request: &Node, message: &Node) -> bool {
    let Some(response) = key_agreement::Response::read(message) else { return false };
    let Some(key) = oracle::public_key(&response.key) else { return false };
    let (Some(transcript), Some(z)) = (key_agreement::transcript(request, message), agree(PRIVATE, &key))
    else {
        return false;
    };
    let offered = config.schemes.iter().any(|scheme| scheme.name() == response.scheme);
    let signed = || {
        let expected = { PINNED }.sign(&oracle::statement(&transcript)).unwrap();
        response.identity == Some((PINNED.kid().as_str(), expected.to_vec()))
    };
    let proven = response.proof == oracle::proof(&transcript, &z);
    offered && proven && response.expires_in != Some(0) && (config.mode == Mode::Confirmed || signed())
}

/// Puts the right proof into a response, whatever else it says, and where it has an identity the pinned kid and the signature
/// of `signer`.
fn prove(request: &Node, response: &mut Node, mut signer: Identity) -> Option<()> {
    if let Some(identity) = response.get_mut("identity") {
        identity.set("kid", Node::String(PINNED.kid().as_str().into()));
    }
    let transcript = key_agreement::transcript(request, response)?;
    let key = oracle::public_key(&oracle::base64(response.string("public_key")?)?)?;
    let proof = oracle::proof(&transcript, &agree(PRIVATE, &key)?);
    response.set("proof", Node::String(Base64::encode_string(&proof)));
    if let Some(identity) = response.get_mut("identity") {
        let signature = signer.sign(&oracle::statement(&transcript)).unwrap();
        identity.set("signature", Node::String(Base64UrlUnpadded::encode_string(&signature)));
    }
    Some(())
}

//! Registrations: valid if and only if a second reading finds a key, another for encryption and two objects, each signed to its end
//! by that key; and what is valid is written again as it was.
//!
//! Input: a flaw; then the payloads of the three signed members, the first two behind their lengths, or a body as text.
#![no_main]

use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Verified;
use dynamic_key::crypto::software::Software;
use dynamic_key::identity::IdentityError;
use dynamic_key::identity::registration::{Received, Registered, Registration};
use dynamic_key::jose::jwk::Use;
use dynamic_key_fuzz::input::Input;
use dynamic_key_fuzz::json::{NoJson, parse};
use dynamic_key_fuzz::member;
use dynamic_key_fuzz::seeded::Seeded;
use libfuzzer_sys::fuzz_target;

const MEMBERS: [&str; 3] = ["encPubKey", "metaPublic", "metaPrivate"];

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let flaw = input.below(16);
    if flaw == 15 {
        let mut scratch = vec![0; bytes.len()];
        if let Ok(registered) = read(input.rest(), &mut scratch) {
            is_written_again(&registered);
        }
        return;
    }
    let (signing, encryption) = (member::key(2, Use::Signature), member::key(3, Use::Encryption));
    let encryption_text = member::text(&encryption);
    // Without bytes of its own the encryption key is the right one.
    let own = input.some();
    let first = if own.is_empty() { encryption_text.as_bytes() } else { own };
    let payloads = [first, input.some(), input.rest()];
    let flawed = |at: usize| flaw >= 1 && (flaw - 1) % 3 == at;
    let mut body = format!("{{\"sigPubKey\":{}", member::text(&signing));
    for (at, (name, payload)) in MEMBERS.into_iter().zip(payloads).enumerate() {
        let address = if flawed(at) && flaw <= 3 { "igQQD" } else { "" };
        let target = if flawed(at) && (4..=6).contains(&flaw) { "/v1/identity" } else { "/v1/identity#" };
        let key =
            if flawed(at) && (7..=9).contains(&flaw) { member::key(4, Use::Signature) } else { signing };
        let name_written = if flawed(at) && (10..=12).contains(&flaw) { "other" } else { name };
        let token = member::signed(address, &key, &format!("{target}{name}"), 7 + at as u64, payload);
        body.push_str(&format!(",\"{name_written}\":\"{token}\""));
    }
    body.push('}');
    let flawed = (1..=12).contains(&flaw);

    let needed = payloads[1].len() + payloads[2].len();
    let mut scratch = vec![0; needed];
    let metadata = [payloads[1], payloads[2]].map(|text| match parse(text) {
        Ok(node) => Some(node.members().is_some() && node.depth() <= 16),
        Err(NoJson::Malformed) => Some(false),
        Err(NoJson::NumberTooLarge) => None,
    });
    let outcome = read(body.as_bytes(), &mut scratch);
    match outcome {
        Ok(registered) => {
            assert!(!flawed && metadata.iter().all(|is_valid| *is_valid != Some(false)));
            assert_eq!((registered.signing, registered.issued_at), (signing, Timestamp::from_unix_secs(7)));
            assert_eq!((registered.public, registered.private), (payloads[1], payloads[2]));
            assert!(!own.is_empty() || registered.encryption == encryption);
            is_written_again(&registered);
        }
        Err(_) => {
            let are_valid = metadata.iter().all(|is_valid| *is_valid == Some(true));
            assert!(flawed || !own.is_empty() || !are_valid, "{body}");
        }
    }
    if !flawed && needed > 0 {
        let short = read(body.as_bytes(), &mut scratch[..needed - 1]).map(|_| ());
        assert_eq!(short, Err(IdentityError::BufferTooSmall { needed }));
    }
});

fn read<'b>(body: &[u8], scratch: &'b mut [u8]) -> Result<Registered<'b>, IdentityError> {
    let mut provider = Software::new(Seeded(1));
    let received = Received::parse(&mut provider, body)?;
    let proofs = [Verified::vouch(), Verified::vouch(), Verified::vouch()];
    received.verified(&mut provider, &proofs, scratch)
}

fn is_written_again(registered: &Registered<'_>) {
    let registration = Registration {
        issued_at: registered.issued_at,
        signing: &registered.signing,
        encryption: &registered.encryption,
        public: registered.public,
        private: registered.private,
    };
    let Err(IdentityError::BufferTooSmall { needed }) = registration.begin(&mut []).map(|_| ()) else {
        panic!("no room is enough")
    };
    let mut out = vec![0; needed];
    let short = registration.begin(&mut out[1..]).map(|_| ());
    assert_eq!(short, Err(IdentityError::BufferTooSmall { needed }));
    let draft = registration.begin(&mut out).unwrap();
    let request = draft.finish(&[[7; 64]; 3]).unwrap();
    let mut scratch = vec![0; needed];
    let again = read(request.body, &mut scratch).unwrap();
    assert_eq!((again.signing, again.encryption), (registered.signing, registered.encryption));
    assert_eq!((again.public, again.private), (registered.public, registered.private));
    assert_eq!(again.issued_at, registered.issued_at);
}

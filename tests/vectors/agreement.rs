//! Transcript, key schedule, proof, signatures and envelopes of every mode, scheme and binding, given Z.

use crate::support::{Glass, Script};
use crate::vector::{Members, draw_of, identities, key_of, load, unhex};
use dynamic_key::agreement::proof::{self, Role, Statement};
use dynamic_key::agreement::schedule::{Label, Schedule};
use dynamic_key::agreement::transcript::{Binding, ClientFields, ServerFields, Transcript, TranscriptHash};
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::software::{Identity, Software};
use dynamic_key::crypto::{KeyId, Provider, Signature, Signer};
use dynamic_key::envelope::{self, Aad, Envelope, Traffic};
use dynamic_key::nonce::WireNonce;
use dynamic_key::scheme::{NameList, Scheme};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

const LABELS: [Label; 9] = [
    Label::ClientWrite,
    Label::ServerWrite,
    Label::ClientIv,
    Label::ServerIv,
    Label::ServerProof,
    Label::Exporter,
    Label::Resumption,
    Label::ClientUpdate,
    Label::ServerUpdate,
];

/// The 21 fields of a case.
struct Fields(Vec<Vec<u8>>);

impl Fields {
    fn of(case: &Value) -> Self {
        let fields: Vec<_> = (1..=21).map(|number| unhex(case["fields"].text(&number.to_string()))).collect();
        assert_eq!(case["fields"].as_object().unwrap().len(), fields.len());
        Self(fields)
    }

    fn bytes(&self, number: usize) -> &[u8] {
        &self.0[number - 1]
    }

    fn text(&self, number: usize) -> &str {
        str::from_utf8(self.bytes(number)).unwrap()
    }

    fn scheme(&self) -> Scheme {
        Scheme::from_name(self.text(12)).unwrap()
    }

    fn kid(&self, number: usize) -> Option<KeyId> {
        (!self.bytes(number).is_empty()).then(|| KeyId::parse(self.text(number)).unwrap())
    }

    /// The list of a field, put together name by name.
    fn names(&self, number: usize) -> Option<NameList> {
        let (_, mut rest) = self.bytes(number).split_first()?;
        let mut list = NameList::new();
        while let Some((length, after)) = rest.split_first() {
            let (name, after) = after.split_at(usize::from(*length));
            list.push(str::from_utf8(name).unwrap()).unwrap();
            rest = after;
        }
        assert_eq!(list.as_bytes(), self.bytes(number));
        Some(list)
    }

    fn transcript(&self) -> TranscriptHash {
        let binding = [Binding::DynamicKeyV2, Binding::KeyAgreement];
        let client = Transcript::begin(&ClientFields {
            binding: binding.into_iter().find(|binding| binding.name() == self.text(1)).unwrap(),
            public_key: self.bytes(2),
            nonce: self.bytes(3),
            schemes: self.names(4).unwrap().as_bytes(),
            device_id: self.bytes(5),
            platform: self.text(6),
            client_type: self.text(7),
            client_id: self.text(8),
            kid: self.kid(9).as_ref(),
        });
        let (kid, offered, selected) = (self.kid(17), self.names(20), self.names(21));
        let server = ServerFields {
            public_key: self.bytes(10),
            nonce: self.bytes(11),
            scheme: self.scheme(),
            session_id: self.text(13),
            expires_at: self.text(14),
            token: self.text(15),
            identifier: self.bytes(16),
            kid: kid.as_ref(),
            expires_in: self.text(18),
            expire_token: self.text(19),
            offered_features: offered.as_ref().map_or(&[], NameList::as_bytes),
            selected_features: selected.as_ref().map_or(&[], NameList::as_bytes),
        };
        client.unwrap().finish(&server).unwrap()
    }
}

/// All that a case says. Returns how many envelopes it has.
fn check(case: &Value, identities: &HashMap<String, Identity>) -> usize {
    let name = case.text("name");
    println!("{name}");
    let fields = Fields::of(case);
    let transcript = fields.transcript();
    assert_eq!(transcript, case.array("T"), "{name}");
    assert_eq!(Sha256::digest(case.hex("transcriptInput")), transcript, "{name}");
    if cfg!(feature = "ffdhe") || fields.scheme().group() == Group::P256 {
        check_agreement(case, fields.scheme().group(), fields.bytes(2), fields.bytes(10));
    }

    let glass = &mut Glass::new();
    let prk = glass.extract(&transcript, case.hex("Z")).unwrap();
    assert_eq!(prk.as_bytes(), &case.array("PRK"), "{name}");
    let schedule = Schedule::new(glass, &transcript, case.hex("Z")).unwrap();
    assert_eq!(case["keys"].as_object().unwrap().len(), LABELS.len());
    for label in LABELS {
        let expected = case["keys"].hex(label.text());
        let drawn = match label {
            Label::ClientWrite | Label::ServerWrite => {
                let (aead, key) = schedule.key(glass, label, fields.scheme().aead()).unwrap();
                assert_eq!(aead.key_len(), key.len());
                key
            }
            Label::ClientIv | Label::ServerIv => schedule.iv(glass, label).unwrap().to_vec(),
            _ => schedule.secret(glass, label).unwrap().as_bytes().to_vec(),
        };
        assert_eq!(drawn, expected, "{name}: {}", label.text());
    }
    let drawn = schedule.proof(glass, &transcript).unwrap();
    assert!(proof::matches(&drawn, &case.base64("proof").try_into().unwrap()), "{name}: proof");
    for (role, prefix, field) in [(Role::Server, "server", 17), (Role::Client, "client", 9)] {
        if case.has(&format!("{prefix}Signature")) {
            check_signature(case, prefix, &Statement::new(role, &transcript), identities);
            assert_eq!(key_of(&case[format!("{prefix}Jwk")]).kid().as_str(), fields.text(field), "{name}");
        } else {
            assert!(fields.bytes(field).is_empty(), "{name}");
        }
    }

    let mut traffic = |write, iv| Traffic {
        key: schedule.key(glass, write, fields.scheme().aead()).unwrap(),
        iv: schedule.iv(glass, iv).unwrap(),
    };
    let requests = traffic(Label::ClientWrite, Label::ClientIv);
    let responses = traffic(Label::ServerWrite, Label::ServerIv);
    let envelopes = case["envelopes"].as_array().map_or(&[][..], Vec::as_slice);
    for sealed in envelopes {
        let (id, counter, response) = (fields.text(13), sealed.number("counter"), &sealed["response"]);
        let nonce = WireNonce::new([0; 4], counter);
        check_envelope(&requests, nonce, &Aad::session(id), sealed);
        let instance = u32::try_from(response.number("instance")).unwrap();
        let status = u16::try_from(response.number("status")).unwrap();
        let answer = WireNonce::new(instance.to_be_bytes(), counter);
        check_envelope(&responses, answer, &Aad::response(id, nonce, status), response);
    }
    envelopes.len()
}

/// Z, from either end with its own private key.
fn check_agreement(case: &Value, group: Group, client: &[u8], server: &[u8]) {
    for (private, own, peer) in [("clientPrivate", client, server), ("serverPrivate", server, client)] {
        let mut provider = Software::new(Script::new([&draw_of(group, &case.hex(private))]));
        let (key, public) = provider.generate(group).unwrap();
        assert_eq!(PublicKey::from_spki(own), Ok(public));
        // Of the three forms of a finite-field key we write one.
        let ours = !case.text("name").contains("privateValueLength") && !case.text("name").contains("X9.42");
        if ours || private == "serverPrivate" {
            assert_eq!(public.write_spki(&mut [0; Group::MAX_OWN_SPKI_LEN]).unwrap(), own);
        }
        let z = provider.agree(key, &PublicKey::from_spki(peer).unwrap()).unwrap();
        assert_eq!(z.as_bytes(), case.hex("Z"));
    }
}

/// The signature verifies, and is the one of RFC 6979 where the private key is known.
fn check_signature(case: &Value, prefix: &str, statement: &Statement, known: &HashMap<String, Identity>) {
    let signature: Signature = case.base64url(&format!("{prefix}Signature")).try_into().unwrap();
    let key = key_of(&case[format!("{prefix}Jwk")]);
    let _ = key.verify(statement.as_bytes(), &signature).unwrap();
    let kid = key.kid();
    if case.has(&format!("{prefix}Kid")) {
        assert_eq!(kid.as_str(), case.text(&format!("{prefix}Kid")));
        let mut identity = known[kid.as_str()].clone();
        assert_eq!(identity.sign(statement.as_bytes()), Ok(signature));
    }
}

/// An envelope, sealed and opened.
pub(crate) fn check_envelope<K>(traffic: &Traffic<K>, nonce: WireNonce, aad: &Aad, expected: &Value)
where
    Glass: Provider<TrafficKey = K>,
{
    let glass = &mut Glass::new();
    let plaintext = expected.bytes("plaintext");
    assert_eq!(aad.as_bytes(), expected.text("aad").as_bytes());
    let mut text = vec![0; envelope::sealed_len(plaintext.len())];
    text[..plaintext.len()].copy_from_slice(&plaintext);
    let length = envelope::seal(glass, traffic, nonce, aad, &mut text, plaintext.len()).unwrap();
    assert_eq!(length, text.len());
    let written: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&written["nonce"], &written["data"]), (&expected["nonce"], &expected["data"]));
    let parsed = Envelope::parse(&mut text).unwrap();
    assert_eq!(parsed.nonce(), nonce);
    assert_eq!(parsed.open(glass, traffic, aad, &mut text).unwrap(), plaintext);
}

/// Checks the cases of a file and returns how many they are and how many envelopes they have.
fn run(file: &str) -> (usize, usize) {
    let (vectors, identities) = (load(file), identities());
    let cases = vectors.list("cases");
    (cases.len(), cases.iter().map(|case| check(case, &identities)).sum())
}

#[test]
fn the_worked_examples_that_two_implementations_share() {
    assert_eq!(run("confirmed.json"), (3, 4));
}

#[test]
fn dynamic_key_v2_with_the_elliptic_schemes() {
    assert_eq!(run("dynamic-key-v2.json"), (7, 29));
}

#[test]
fn dynamic_key_v2_with_the_finite_field_schemes() {
    assert_eq!(run("dynamic-key-v2-ffdhe.json"), (4, 8));
}

#[test]
fn key_agreement_given_its_fields() {
    assert_eq!(run("key-agreement.json"), (7, 0));
}

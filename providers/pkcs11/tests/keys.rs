//! Opening a token, finding keys in it, and what a key may do.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should panic"
)]

mod rig;

use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::conformance;
use dynamic_key::crypto::software::{Identity, Software};
use dynamic_key::crypto::{Aead, CryptoError, KeyId, Provider, Signer};
use dynamic_key_pkcs11::{Hsm, Mechanism, OpenError, Pin, Token, Which};
use getrandom::SysRng;
use rig::{Beside, alone, label, module, open, other_identity, pin};

#[test]
fn a_token_is_opened_or_it_is_said_why() {
    let _alone = alone();
    let (module, label, secret) = (module(), label(), std::env::var("PKCS11_PIN").unwrap());
    let which = Which::Label(&label);
    let open = |module: &str, which, pin: &str| {
        Token::open(module.as_ref(), which, Some(&Pin::new(pin.into()))).map(drop)
    };
    let path = module.to_str().unwrap();
    assert_eq!(open("/nowhere/libnone.so", which, &secret), Err(OpenError::Module));
    assert_eq!(open("libm.so.6", which, &secret), Err(OpenError::Module), "a library, and no module");
    assert_eq!(open(path, Which::Label("another"), &secret), Err(OpenError::NoToken));
    assert_eq!(open(path, Which::Serial("0"), &secret), Err(OpenError::NoToken));
    assert_eq!(open(path, Which::Slot(u64::MAX), &secret), Err(OpenError::NoToken));
    assert_eq!(open(path, which, "0000"), Err(OpenError::PinIncorrect));
    assert_eq!(open(path, which, ""), Err(OpenError::PinIncorrect));
    assert_eq!(Token::open(&module, which, None).map(drop), Err(OpenError::Token), "it asks nobody");
    assert_eq!(open(path, which, &secret), Ok(()));
}

#[test]
fn nothing_prints_a_secret() {
    let _alone = alone();
    let (secret, token) = (std::env::var("PKCS11_PIN").unwrap(), open());
    let mut hsm = Hsm::with_host_kdf(&token).unwrap();
    let (key, _) = hsm.generate(Group::P256).unwrap();
    assert_eq!(format!("{:?} {key:?}", pin()), "… …");
    let printed = format!("{token:?} {hsm:?} {:?}", token.create_identity("printed").unwrap());
    // The slot's number is whatever it is.
    let without_slot: String = printed.split(|c: char| c.is_ascii_digit()).collect();
    assert!(without_slot.contains("Token") && !printed.contains(&format!(": {secret}")), "{printed}");
}

#[test]
fn without_opt_in_a_token_that_lacks_hkdf_is_refused_before_any_key_is_made() {
    let _alone = alone();
    let (token, beside) = (open(), Beside::open());
    assert!(!token.has(Mechanism::HkdfDerive), "SoftHSM has learned it: this test wants another token");
    let refused = Hsm::new(&token).map(drop).unwrap_err();
    assert_eq!(refused, OpenError::MissingMechanism(Mechanism::HkdfDerive));
    assert_eq!(refused.to_string(), "the token lacks CKM_HKDF_DERIVE");
    assert_eq!(CryptoError::from(refused), CryptoError::Unsupported);
    assert_eq!(beside.objects(), 0);
}

#[test]
fn keys_cannot_be_read_and_go_with_their_handles() {
    let _alone = alone();
    let (token, beside) = (open(), Beside::open());
    let mut hsm = Hsm::with_host_kdf(&token).unwrap();
    let (_, peer) = Software::<_>::new(SysRng).generate(Group::P256).unwrap();
    let (key, _) = hsm.generate(Group::P256).unwrap();
    assert_eq!(beside.objects(), 1, "the private key alone");
    let z = hsm.agree(key, &peer).unwrap();
    assert_eq!(beside.objects(), 0, "Z has been read");
    let prk = hsm.extract(b"salt", z).unwrap();
    let traffic = hsm.expand_key(&prk, &[b"key"], Aead::Aes256Gcm).unwrap();
    let (key, _) = hsm.generate(Group::P256).unwrap();
    assert_eq!(beside.objects(), 2);
    for object in beside.session.find_objects(&[Attribute::Token(false)]).unwrap() {
        unreadable(&beside, object);
    }
    drop((hsm, prk, token));
    assert_eq!(beside.objects(), 2, "a handle keeps the session open");
    drop(traffic);
    assert_eq!(beside.objects(), 1);
    drop(key);
    assert_eq!(beside.objects(), 0);
}

fn unreadable(beside: &Beside, object: ObjectHandle) {
    let asked = [AttributeType::Sensitive, AttributeType::Extractable, AttributeType::Value];
    let attributes = beside.session.get_attributes(object, &asked).unwrap();
    let [Attribute::Sensitive(true), Attribute::Extractable(false)] = attributes[..] else {
        panic!("{attributes:?}");
    };
}

#[test]
fn an_identity_is_found_by_the_thumbprint_of_its_public_key() {
    let _alone = alone();
    let (token, beside) = (open(), Beside::open());
    let (mut first, mut second) =
        (token.create_identity("one").unwrap(), token.create_identity("another").unwrap());
    for created in [&mut first, &mut second] {
        let mut found = token.identity(&created.kid()).unwrap();
        assert_eq!(found.kid(), KeyId::of_point(created.public().point()));
        conformance::signing(&mut found, created.public().point()).unwrap();
        unreadable(&beside, private_keys(&beside, &id_of(&beside, created.public().point()))[0]);
    }
    let nobody = other_identity().kid();
    assert_eq!(token.identity(&nobody).map(drop), Err(OpenError::NoKey));
    assert_eq!(token.agreement_key(&first.kid()).map(drop), Err(OpenError::NoKey), "it signs");

    // The private keys change places: neither signs for the public key beside it.
    let ids = [&first, &second].map(|identity| id_of(&beside, identity.public().point()));
    let privates = [0, 1].map(|at| private_keys(&beside, &ids[at])[0]);
    for (private, id) in privates.into_iter().zip(ids.iter().rev()) {
        beside.session.update_attributes(private, &[Attribute::Id(id.clone())]).unwrap();
    }
    for identity in [&first, &second] {
        assert_eq!(token.identity(&identity.kid()).map(drop), Err(OpenError::NoKey));
    }
    // Both stand beside one public key: the right one is found.
    beside.session.update_attributes(privates[0], &[Attribute::Id(ids[0].clone())]).unwrap();
    let mut found = token.identity(&first.kid()).unwrap();
    conformance::signing(&mut found, first.public().point()).unwrap();
    // The private key is gone.
    beside.session.destroy_object(privates[0]).unwrap();
    assert_eq!(token.identity(&first.kid()).map(drop), Err(OpenError::NoKey));
    assert_eq!(found.sign(b"message"), Err(CryptoError::Failed));
}

#[test]
fn a_key_that_wants_the_pin_at_each_use_is_not_used() {
    let _alone = alone();
    let (token, beside) = (open(), Beside::open());
    for (asks, found) in [(true, Err(OpenError::NoKey)), (false, Ok(()))] {
        let scalar = [if asks { 0x51 } else { 0x52 }; 32];
        let public = Identity::from_bytes(&scalar.into()).unwrap().public().unwrap();
        let uses = [Attribute::Sign(true), Attribute::AlwaysAuthenticate(asks)];
        beside.import(&scalar, &uses);
        assert_eq!(token.identity(&public.kid()).map(drop), found);
        assert_eq!(Hsm::with_host_kdf(&token).unwrap().fill(&mut [0; 8]), Ok(()), "nothing was tried");
    }
}

#[test]
fn an_agreement_key_agrees_and_does_not_sign() {
    let _alone = alone();
    let token = open();
    let created = token.create_agreement_key("agreement").unwrap();
    let key = token.agreement_key(&created.kid()).unwrap();
    assert_eq!(token.identity(&key.kid()).map(drop), Err(OpenError::NoKey), "it agrees");
    let public = PublicKey::p256(*key.public().point()).unwrap();
    let (mut hsm, mut software) = (Hsm::with_host_kdf(&token).unwrap(), Software::<_>::new(SysRng));
    // Until Z begins with a zero, which CKD_NULL must keep.
    for tries in 0.. {
        assert!(tries < 10_000);
        let (private, peer) = software.generate(Group::P256).unwrap();
        let expected = software.agree(private, &public).unwrap();
        if tries > 4 && expected.as_bytes()[0] != 0 {
            continue;
        }
        assert_eq!(hsm.agree_with(&key, &peer).unwrap().as_bytes(), expected.as_bytes());
        if expected.as_bytes()[0] == 0 {
            break;
        }
    }
    let mut off = *key.public().point();
    off[64] ^= 1;
    let off = PublicKey::p256(off).unwrap();
    assert_eq!(hsm.agree_with(&key, &off).map(drop), Err(CryptoError::InvalidPublicKey));
}

/// Threads work side by side in sessions of their own, and in turn in one.
#[test]
fn threads_share_a_module_and_a_session() {
    fn is_shared<T: Send + Sync>(_: &T) {}
    let _alone = alone();
    let (shared, beside) = (open(), Beside::open());
    let identity = shared.create_identity("threads").unwrap();
    is_shared(&(&shared, &identity, Hsm::with_host_kdf(&shared).unwrap()));
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (shared, mut identity) = (&shared, identity.clone());
            scope.spawn(move || {
                let token = if number % 2 == 0 { open() } else { shared.clone() };
                let (mut hsm, mut software) =
                    (Hsm::with_host_kdf(&token).unwrap(), Software::<_>::new(SysRng));
                for round in 0..16_u8 {
                    let (key, public) = hsm.generate(Group::P256).unwrap();
                    let (other, peer) = software.generate(Group::P256).unwrap();
                    let z = hsm.agree(key, &peer).unwrap();
                    assert_eq!(z.as_bytes(), software.agree(other, &public).unwrap().as_bytes());
                    let prk = hsm.extract(b"salt", z).unwrap();
                    let key = hsm.expand_key(&prk, &[b"key"], Aead::Aes128Gcm).unwrap();
                    let mut text = [round; 40];
                    let tag = hsm.seal(&key, &[round; 12], b"aad", &mut text).unwrap();
                    hsm.open(&key, &[round; 12], b"aad", &mut text, &tag).unwrap();
                    assert_eq!(text, [round; 40]);
                    let signature = identity.sign(&text).unwrap();
                    let _ = identity.public().verify(&text, &signature).unwrap();
                }
            });
        }
    });
    assert_eq!(beside.objects(), 0);
}

/// The `CKA_ID` of the public key with this point.
fn id_of(beside: &Beside, point: &[u8; 65]) -> Vec<u8> {
    let der = [&[0x04, 0x41], point.as_slice()].concat();
    let template = [Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::EcPoint(der)];
    let [public] = beside.session.find_objects(&template).unwrap()[..] else { panic!("one public key") };
    match beside.session.get_attributes(public, &[AttributeType::Id]).unwrap().remove(0) {
        Attribute::Id(id) => id,
        other => panic!("{other:?}"),
    }
}

fn private_keys(beside: &Beside, id: &[u8]) -> Vec<ObjectHandle> {
    let template = [
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::KeyType(KeyType::EC),
        Attribute::Id(id.to_vec()),
    ];
    beside.session.find_objects(&template).unwrap()
}

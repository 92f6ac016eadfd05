//! The token that `check` has made, and what the tests share.
#![allow(dead_code, unreachable_pub, reason = "not every test uses all of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should panic"
)]

pub mod steps;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::Session;
use dynamic_key::crypto::software::{Identity, PinnedKey, Pins};
use dynamic_key::crypto::{CryptoError, KeyId, Signature, Verified, Verifier};
use dynamic_key_pkcs11::{Pin, Token, Which};
use std::env;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// `CKA_EC_PARAMS` of P-256.
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// One test at a time: objects are counted, and the login is the process's.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run ./check, which makes a token"))
}

pub fn module() -> PathBuf {
    variable("PKCS11_MODULE").into()
}

pub fn label() -> String {
    variable("PKCS11_TOKEN")
}

pub fn pin() -> Pin {
    Pin::new(variable("PKCS11_PIN"))
}

pub fn open() -> Token {
    Token::open(&module(), Which::Label(&label()), Some(&pin())).expect("the token opens")
}

/// As a client pins.
pub fn verify(
    point: &[u8; 65],
    kid: &KeyId,
    message: &[u8],
    signature: &Signature,
) -> Result<Verified, CryptoError> {
    Pins(&[PinnedKey::from_point(point)?]).verify(kid, message, signature)
}

/// An identity that is in no token.
pub fn other_identity() -> Identity {
    Identity::from_bytes(&[0x77; 32].into()).unwrap()
}

/// The module behind the crate's back: the same library, and so the same sessions.
pub struct Beside {
    pub module: Pkcs11,
    pub session: Session,
}

impl Beside {
    /// A session of our own with the same token.
    pub fn open() -> Self {
        let module = Pkcs11::new(module()).unwrap();
        let _ = module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
        let slots = module.get_slots_with_token().unwrap();
        let slot = slots.into_iter().find(|slot| module.get_token_info(*slot).unwrap().label() == label());
        let session = module.open_rw_session(slot.unwrap()).unwrap();
        Self { module, session }
    }

    /// Stores a key pair whose private key is known, with these uses of it.
    pub fn import(&self, scalar: &[u8; 32], uses: &[Attribute]) {
        let public = Identity::from_bytes(&(*scalar).into()).unwrap().public().unwrap();
        let half = |class, own: &[Attribute]| {
            let common = [
                Attribute::Class(class),
                Attribute::KeyType(KeyType::EC),
                Attribute::Token(true),
                Attribute::EcParams(P256.to_vec()),
                Attribute::Id(scalar.to_vec()),
            ];
            self.session.create_object(&[&common, own].concat()).unwrap();
        };
        let point = [&[0x04, 0x41], public.point().as_slice()].concat();
        half(ObjectClass::PUBLIC_KEY, &[Attribute::EcPoint(point)]);
        let secret =
            [Attribute::Private(true), Attribute::Sensitive(true), Attribute::Value(scalar.to_vec())];
        half(ObjectClass::PRIVATE_KEY, &[&secret, uses].concat());
    }

    /// How many session objects there are, of all sessions of this process.
    pub fn objects(&self) -> usize {
        self.session.find_objects(&[Attribute::Token(false)]).unwrap().len()
    }
}

//! Identities, and messages made without the crate's writers.

use dynamic_key::Secret;
use dynamic_key::codec::base64;
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::software::{Identity, Kek, PinnedKey, RecipientKey, Software};
use dynamic_key::crypto::{KeyWrap, Provider as _, Recipient, Signer};
use dynamic_key::jose::jwk::{Jwk, Use};
use dynamic_key::jose::{JoseError, KeyRef};
use serde_json::Value;
use std::path::Path;

/// SplitMix64: reproducible, and no generator for anything but tests.
#[derive(Clone, Debug)]
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl rand_core::TryRng for Seeded {
    type Error = core::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(self.next() as u32)
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.next())
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        out.iter_mut().for_each(|byte| *byte = self.next() as u8);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Seeded {}

pub(crate) type Provider = Software<Seeded>;

pub(crate) fn provider() -> Provider {
    Software::new(Seeded(7))
}

pub(crate) const ADDRESS: &str = "igQQD@api.example";
pub(crate) const NOW: Timestamp = Timestamp::from_unix_secs(1_569_116_334);

/// An identity with both its keys.
pub(crate) struct Party {
    pub(crate) signer: Identity,
    pub(crate) recipient: RecipientKey,
    pub(crate) address: &'static str,
}

pub(crate) fn party(address: &'static str, seed: u8) -> Party {
    Party {
        signer: Identity::from_bytes(&Secret::new([seed; 32])).unwrap(),
        recipient: RecipientKey::from_bytes(&Secret::new([seed ^ 0x55; 32])).unwrap(),
        address,
    }
}

impl Party {
    pub(crate) fn signs_as(&self) -> KeyRef {
        KeyRef::new(self.address, self.signer.kid()).unwrap()
    }
    pub(crate) fn reached_as(&self) -> KeyRef {
        KeyRef::new(self.address, self.recipient.kid()).unwrap()
    }
    pub(crate) fn pinned(&self) -> PinnedKey {
        self.signer.public().unwrap()
    }
    pub(crate) fn encryption_key(&self) -> Jwk {
        let point = self.recipient.public().unwrap().as_bytes().try_into().unwrap();
        Jwk::new(point, Use::Encryption).unwrap()
    }
}

pub(crate) fn url(bytes: &[u8]) -> String {
    let mut out = vec![0; base64::url_encoded_len(bytes.len())];
    base64::url_encode(bytes, &mut out).unwrap().to_string()
}

pub(crate) fn unurl(text: &str) -> Vec<u8> {
    let mut out = vec![0; text.len()];
    base64::url_decode(text.as_bytes(), &mut out).unwrap().to_vec()
}

/// A file of `test-vectors/`.
pub(crate) fn load(name: &str) -> Value {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("test-vectors").join(name))
}

/// A file of JSON.
pub(crate) fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// A JWS with any header and any payload, and the right signature.
pub(crate) fn signed(signer: &mut Identity, header: &str, payload: &[u8]) -> String {
    let input = format!("{}.{}", url(header.as_bytes()), url(payload));
    let signature = signer.sign(input.as_bytes()).unwrap();
    format!("{input}.{}", url(&signature))
}

/// The error of `result`, whatever it is of.
pub(crate) fn error<T>(result: Result<T, JoseError>) -> JoseError {
    match result {
        Ok(_) => panic!("accepted"),
        Err(error) => error,
    }
}

/// The JWK of an ephemeral key.
pub(crate) fn epk_json(epk: &PublicKey) -> String {
    let (x, y) = epk.as_bytes()[1..].split_at(32);
    format!(r#"{{"kty":"EC","crv":"P-256","x":"{}","y":"{}"}}"#, url(x), url(y))
}

/// A JWE with any header, `EPK` in it replaced by the ephemeral key, and everything else right; `apu` and `apv` are what the
/// header's decode to.
pub(crate) fn encrypted(to: &Party, header: &str, [apu, apv]: [&[u8]; 2], plaintext: &[u8]) -> Vec<u8> {
    let mut provider = provider();
    let (ephemeral, epk) = provider.generate(Group::P256).unwrap();
    let z = provider.agree(ephemeral, &to.recipient.public().unwrap()).unwrap();
    let length = |bytes: &[u8]| (bytes.len() as u32).to_be_bytes();
    let alg = b"ECDH-ES+A256KW";
    let other_info: [&[u8]; 7] = [&length(alg), alg, &length(apu), apu, &length(apv), apv, &[0, 0, 1, 0]];
    let kek = provider.concat_kdf(z, &other_info).unwrap();
    wrapped(&mut provider, kek, &header.replace("EPK", &epk_json(&epk)), plaintext)
}

/// A JWE under a password with any header and everything else right, for these salt and count.
pub(crate) fn under_password(header: &str, password: &[u8], salt: &[u8], count: u32) -> Vec<u8> {
    let mut provider = provider();
    let salt = [b"PBES2-HS256+A128KW\0", salt].concat();
    let kek = provider.pbkdf2(password, &salt, count.try_into().unwrap()).unwrap();
    wrapped(&mut provider, kek, header, b"text")
}

fn wrapped(provider: &mut Provider, kek: Kek, header: &str, plaintext: &[u8]) -> Vec<u8> {
    let (key, wrapped) = provider.wrap(kek).unwrap();
    let (header, iv, mut text) = (url(header.as_bytes()), [9; 12], plaintext.to_vec());
    let tag = provider.seal(&key, &iv, header.as_bytes(), &mut text).unwrap();
    [header, url(&wrapped), url(&iv), url(&text), url(&tag)].join(".").into_bytes()
}

//! P-256 key pairs that stay in the token: identities, which sign, and keys that agree.

use crate::error::{Mechanism, OpenError};
use crate::object::read;
use crate::token::{Token, TokenRng};
use core::fmt;
use cryptoki::mechanism::Mechanism as Call;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use dynamic_key::crypto::software::PinnedKey;
use dynamic_key::crypto::{CryptoError, KeyId, Signature, Signer};
use rand_core::TryRng;
use sha2::{Digest, Sha256};

/// The curve as `CKA_EC_PARAMS` names it: the OID 1.2.840.10045.3.1.7.
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// What a key pair signs when it is opened, to show that its halves belong together. No statement of the protocol begins so.
const PROBE: &[u8] = b"dynamic-key pkcs11 key pair";

/// A P-256 identity whose private key is in a token: signs ES256.
///
/// # Security
/// The nonce of a signature is the token's to choose. Statements are hashed here and signed there (`CKM_ECDSA`), so whoever is logged
/// in to the token can have anything signed.
#[derive(Clone)]
pub struct Identity(KeyPair);

/// A P-256 key pair whose private key is in a token and agrees there: see [`Hsm::agree_with`](crate::Hsm::agree_with).
#[derive(Clone)]
pub struct AgreementKey(KeyPair);

#[derive(Clone)]
struct KeyPair {
    token: Token,
    private: ObjectHandle,
    public: PinnedKey,
}

/// What a key pair is for; each is for one thing only.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Sign,
    Agree,
}

impl Token {
    /// The identity with this key id, which is recomputed from the public key in the token.
    ///
    /// # Errors
    /// [`OpenError::NoKey`], also where the private key that stands beside this public one does not sign for it, or wants the PIN at
    /// each use;
    /// [`OpenError::MissingMechanism`]; [`OpenError::Token`].
    pub fn identity(&self, kid: &KeyId) -> Result<Identity, OpenError> {
        self.require(&[Mechanism::Ecdsa])?;
        let candidates = self.key_pairs(kid, Use::Sign)?;
        candidates.into_iter().map(Identity).find(Identity::is_whole).ok_or(OpenError::NoKey)
    }

    /// Generates an identity in the token, which stays there and never leaves it. `label` is for people.
    ///
    /// # Errors
    /// [`OpenError::MissingMechanism`]; [`OpenError::Token`], also where the token is write-protected.
    pub fn create_identity(&self, label: &str) -> Result<Identity, OpenError> {
        self.require(&[Mechanism::EcKeyPairGen, Mechanism::Ecdsa])?;
        let identity = Identity(self.create(label, Use::Sign)?);
        if identity.is_whole() { Ok(identity) } else { Err(OpenError::Token) }
    }

    /// The agreement key with this key id, which is recomputed from the public key in the token.
    ///
    /// # Errors
    /// [`OpenError::NoKey`], also where several private keys stand beside this public one; [`OpenError::MissingMechanism`];
    /// [`OpenError::Token`].
    pub fn agreement_key(&self, kid: &KeyId) -> Result<AgreementKey, OpenError> {
        self.require(&[Mechanism::Ecdh1Derive])?;
        match <[_; 1]>::try_from(self.key_pairs(kid, Use::Agree)?) {
            Ok([pair]) => Ok(AgreementKey(pair)),
            Err(_) => Err(OpenError::NoKey),
        }
    }

    /// Generates an agreement key in the token, which stays there and never leaves it. `label` is for people.
    ///
    /// # Errors
    /// [`OpenError::MissingMechanism`]; [`OpenError::Token`], also where the token is write-protected.
    pub fn create_agreement_key(&self, label: &str) -> Result<AgreementKey, OpenError> {
        self.require(&[Mechanism::EcKeyPairGen, Mechanism::Ecdh1Derive])?;
        self.create(label, Use::Agree).map(AgreementKey)
    }

    /// The key pairs with this key id: every private key that has the `CKA_ID` of a public one with this thumbprint.
    fn key_pairs(&self, kid: &KeyId, usage: Use) -> Result<Vec<KeyPair>, OpenError> {
        let mut pairs = Vec::new();
        let publics = self.find(&[
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::KeyType(KeyType::EC),
            Attribute::Token(true),
            Attribute::EcParams(P256.to_vec()),
        ])?;
        for public in publics {
            let Ok(point) = point_of(self, public) else { continue };
            let Ok(public_key) = PinnedKey::from_point(&point) else { continue };
            let id = self.with(|session| session.get_attributes(public, &[AttributeType::Id]));
            let Some(Attribute::Id(id)) = id.map_err(|_| OpenError::Token)?.into_iter().next() else {
                continue;
            };
            if public_key.kid() != *kid || id.is_empty() {
                continue;
            }
            let privates = self.find(&[
                Attribute::Class(ObjectClass::PRIVATE_KEY),
                Attribute::KeyType(KeyType::EC),
                Attribute::Token(true),
                Attribute::Id(id),
                usage.attribute(true),
            ])?;
            let usable = privates.into_iter().filter(|private| !self.asks_each_time(*private));
            pairs.extend(usable.map(|private| KeyPair { token: self.clone(), private, public: public_key }));
        }
        Ok(pairs)
    }

    /// Whether a private key wants the PIN at each use: nobody is there to give it.
    fn asks_each_time(&self, private: ObjectHandle) -> bool {
        let asked = [AttributeType::AlwaysAuthenticate];
        let attributes = self.with(|session| session.get_attributes(private, &asked));
        matches!(attributes.as_deref(), Ok([Attribute::AlwaysAuthenticate(true)]))
    }

    fn find(&self, template: &[Attribute]) -> Result<Vec<ObjectHandle>, OpenError> {
        self.with(|session| session.find_objects(template)).map_err(|_| OpenError::Token)
    }

    fn create(&self, label: &str, usage: Use) -> Result<KeyPair, OpenError> {
        let mut id = vec![0; 16];
        TokenRng(self.clone()).try_fill_bytes(&mut id).map_err(|_| OpenError::Token)?;
        let label = Attribute::Label(label.into());
        let mut public = public_half(true);
        public.extend([label.clone(), Attribute::Id(id.clone())]);
        let mut private = private_half(true, usage);
        private.extend([label, Attribute::Id(id)]);
        let writing = self.writing()?;
        let (public, private) = writing.generate_key_pair(&Call::EccKeyPairGen, &public, &private)?;
        let point = point_of(self, public).map_err(|_| OpenError::Token)?;
        let public = PinnedKey::from_point(&point).map_err(|_| OpenError::Token)?;
        Ok(KeyPair { token: self.clone(), private, public })
    }
}

impl Identity {
    /// The public half, as peers pin it.
    #[must_use]
    pub const fn public(&self) -> PinnedKey {
        self.0.public
    }

    /// Whether the private key signs for the public one.
    fn is_whole(&self) -> bool {
        let signature = self.clone().sign(PROBE);
        signature.and_then(|signature| self.0.public.verify(PROBE, &signature)).is_ok()
    }
}

impl Signer for Identity {
    fn kid(&self) -> KeyId {
        self.0.public.kid()
    }

    fn sign(&mut self, message: &[u8]) -> Result<Signature, CryptoError> {
        let hash = Sha256::digest(message);
        let KeyPair { token, private, .. } = &self.0;
        let signature = token.with(|session| session.sign(&Call::Ecdsa, *private, &hash))?;
        signature.try_into().map_err(|_| CryptoError::Failed)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("kid", &self.kid()).finish_non_exhaustive()
    }
}

impl AgreementKey {
    /// The public half.
    #[must_use]
    pub const fn public(&self) -> PinnedKey {
        self.0.public
    }

    /// The key's id.
    #[must_use]
    pub const fn kid(&self) -> KeyId {
        self.0.public.kid()
    }

    pub(crate) const fn token(&self) -> &Token {
        &self.0.token
    }

    pub(crate) const fn private(&self) -> ObjectHandle {
        self.0.private
    }
}

impl fmt::Debug for AgreementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgreementKey").field("kid", &self.kid()).finish_non_exhaustive()
    }
}

impl Use {
    const fn attribute(self, is: bool) -> Attribute {
        match self {
            Self::Sign => Attribute::Sign(is),
            Self::Agree => Attribute::Derive(is),
        }
    }
}

/// Generates a key pair for one agreement: its private key, and its point.
pub(crate) fn generate(token: &Token) -> Result<(crate::Handle, [u8; 65]), CryptoError> {
    let (public, private) = (public_half(false), private_half(false, Use::Agree));
    let (public, private) =
        token.with(|session| session.generate_key_pair(&Call::EccKeyPairGen, &public, &private))?;
    let [public, private] = [public, private].map(|handle| crate::Handle::new(token, handle));
    Ok((private, point_of(token, public.object())?))
}

fn public_half(stays: bool) -> Vec<Attribute> {
    vec![Attribute::Token(stays), Attribute::Private(false), Attribute::EcParams(P256.to_vec())]
}

fn private_half(stays: bool, usage: Use) -> Vec<Attribute> {
    vec![
        Attribute::Token(stays),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(usage == Use::Sign),
        Attribute::Derive(usage == Use::Agree),
    ]
}

/// The point of a public key, 0x04 ‖ x ‖ y: PKCS #11 wraps it in a DER octet string, and some tokens forget to.
fn point_of(token: &Token, public: ObjectHandle) -> Result<[u8; 65], CryptoError> {
    let bytes = read(token, public, AttributeType::EcPoint)?;
    match bytes.as_slice() {
        [0x04, 0x41, point @ ..] if point.len() == 65 => point.try_into(),
        point => point.try_into(),
    }
    .map_err(|_| CryptoError::Failed)
}

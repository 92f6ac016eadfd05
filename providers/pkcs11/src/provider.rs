//! The provider.

use crate::derivation::{Derivation, HostKdf, InToken};
use crate::error::{Mechanism, OpenError, crypto, is_vague};
use crate::key::{self, AgreementKey};
use crate::object::Handle;
use crate::token::{Token, TokenRng};
use core::fmt;
use core::marker::PhantomData;
use cryptoki::mechanism::Mechanism as Call;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::ObjectHandle;
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::provider::{Aead, CryptoError, HASH_LEN, NONCE_LEN, Provider, TAG_LEN};
use dynamic_key::crypto::software::Software;
use rand_core::TryRng;
use zeroize::Zeroizing;

/// What every provider needs of its token.
const NEEDS: [Mechanism; 3] = [Mechanism::EcKeyPairGen, Mechanism::Ecdh1Derive, Mechanism::AesGcm];

/// The provider whose keys are in a token: P-256, AES-GCM and randomness are the token's, and keys are derived where `D` says. Clones
/// share the token's session.
#[derive(Clone)]
pub struct Hsm<D = InToken> {
    token: Token,
    derivation: PhantomData<D>,
}

impl Hsm<InToken> {
    /// A provider of which no secret leaves the token. It needs `CKM_EC_KEY_PAIR_GEN`, `CKM_ECDH1_DERIVE`, `CKM_HKDF_DERIVE`,
    /// `CKM_SHA256_HMAC` and `CKM_AES_GCM`.
    ///
    /// # Errors
    /// [`OpenError::MissingMechanism`], which as a [`CryptoError`] is [`CryptoError::Unsupported`]: no key has been made.
    pub fn new(token: &Token) -> Result<Self, OpenError> {
        Self::over(token)
    }
}

impl Hsm<HostKdf> {
    /// A provider that derives keys in this process. It needs `CKM_EC_KEY_PAIR_GEN`, `CKM_ECDH1_DERIVE` and `CKM_AES_GCM`.
    ///
    /// # Errors
    /// [`OpenError::MissingMechanism`]: no key has been made.
    ///
    /// # Security
    /// **This gives up what a token is for, for the time of each handshake.** Z is made extractable, read, and destroyed in the token;
    /// here it, the PRK and what is expanded from it are in memory until the handshake is done, and the exporter's secret as long as
    /// the session. All of them are erased, but the buffers through which the wrapper `cryptoki` reads Z are freed as they are.
    /// Whoever reads this process's memory in that time has the session. Ephemeral private keys and identities do not leave the
    /// token; traffic keys are imported into it, for two reasons: they do not lie in this process as long as the session lives,
    /// and a token that gains `CKM_HKDF_DERIVE` changes one line. A token that refuses secret keys in the clear (FIPS 140
    /// mode) fails.
    pub fn with_host_kdf(token: &Token) -> Result<Self, OpenError> {
        Self::over(token)
    }
}

impl<D: Derivation> Hsm<D> {
    fn over(token: &Token) -> Result<Self, OpenError> {
        token.require(&NEEDS)?;
        token.require(D::NEEDS)?;
        Ok(Self { token: token.clone(), derivation: PhantomData })
    }

    /// Validates `peer`, then agrees on Z with a key pair that stays. Slow.
    ///
    /// # Errors
    /// As [`Provider::agree`].
    pub fn agree_with(
        &mut self,
        key: &AgreementKey,
        peer: &PublicKey,
    ) -> Result<D::SharedSecret, CryptoError> {
        self.agreed(key.token(), key.private(), peer)
    }

    fn agreed(
        &mut self,
        token: &Token,
        key: ObjectHandle,
        peer: &PublicKey,
    ) -> Result<D::SharedSecret, CryptoError> {
        if peer.group() != Group::P256 {
            return Err(CryptoError::InvalidPublicKey);
        }
        // Some tokens check the point, and some do not.
        self.validate(peer)?;
        D::agree(token, key, peer.as_bytes())
    }
}

impl<D> fmt::Debug for Hsm<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hsm").field("token", &self.token).finish_non_exhaustive()
    }
}

impl<D: Derivation> Provider for Hsm<D> {
    type EphemeralKey = Handle;
    type SharedSecret = D::SharedSecret;
    type Prk = D::Prk;
    type Secret = D::Secret;
    type TrafficKey = Handle;

    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        TokenRng(self.token.clone()).try_fill_bytes(out)
    }

    fn generate(&mut self, group: Group) -> Result<(Handle, PublicKey), CryptoError> {
        if group != Group::P256 {
            return Err(CryptoError::Unsupported);
        }
        let (private, point) = key::generate(&self.token)?;
        let public = PublicKey::p256(point).map_err(|_| CryptoError::Failed)?;
        Ok((private, public))
    }

    fn validate(&mut self, peer: &PublicKey) -> Result<(), CryptoError> {
        Software::<_>::new(TokenRng(self.token.clone())).validate(peer)
    }

    fn agree(&mut self, key: Handle, peer: &PublicKey) -> Result<D::SharedSecret, CryptoError> {
        self.agreed(key.token(), key.object(), peer)
    }

    fn extract(&mut self, salt: &[u8], z: D::SharedSecret) -> Result<D::Prk, CryptoError> {
        D::extract(&self.token, salt, z)
    }

    fn prk(&mut self, secret: &D::Secret) -> Result<D::Prk, CryptoError> {
        D::prk(&self.token, secret)
    }

    fn expand(&mut self, prk: &D::Prk, info: &[&[u8]]) -> Result<D::Secret, CryptoError> {
        D::expand(&self.token, prk, info)
    }

    fn expand_key(&mut self, prk: &D::Prk, info: &[&[u8]], aead: Aead) -> Result<Handle, CryptoError> {
        D::expand_key(&self.token, prk, info, aead)
    }

    fn expand_bytes(&mut self, prk: &D::Prk, info: &[&[u8]], out: &mut [u8]) -> Result<(), CryptoError> {
        D::expand_bytes(&self.token, prk, info, out)
    }

    fn mac(&mut self, key: &D::Secret, message: &[&[u8]]) -> Result<[u8; HASH_LEN], CryptoError> {
        D::mac(&self.token, key, message)
    }

    fn seal(
        &mut self,
        key: &Handle,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        let mut nonce = *nonce;
        let sealed = key.token().with(|session| {
            let params = GcmParams::new(&mut nonce, aad, TAG_BITS.into())?;
            session.encrypt(&Call::AesGcm(params), key.object(), text)
        })?;
        match sealed.split_last_chunk() {
            Some((sealed, tag)) if sealed.len() == text.len() => {
                text.copy_from_slice(sealed);
                Ok(*tag)
            }
            _ => Err(CryptoError::Failed),
        }
    }

    fn open(
        &mut self,
        key: &Handle,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        let (mut nonce, sealed) = (*nonce, [&*text, tag].concat());
        let act = |session: &cryptoki::session::Session| {
            let params = GcmParams::new(&mut nonce, aad, TAG_BITS.into())?;
            session.decrypt(&Call::AesGcm(params), key.object(), &sealed)
        };
        let opened = key.token().with_or(act, |error, session| {
            // A token that is still there, and could begin, has found a wrong tag.
            if is_vague(error) && session.get_session_info().is_ok() {
                return CryptoError::Authentication;
            }
            crypto(error)
        });
        let opened = Zeroizing::new(opened?);
        if opened.len() != text.len() {
            return Err(CryptoError::Failed);
        }
        text.copy_from_slice(&opened);
        Ok(())
    }
}

const TAG_BITS: u64 = 128;

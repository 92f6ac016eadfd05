//! The key schedule (§2.3).
//!
//! ```text
//! PRK         = HKDF-Extract(salt = T, IKM = Z)
//! k(label, L) = HKDF-Expand(PRK, "dynamic-key v2 " ‖ label, L)
//! plain mode:   key = HKDF-SHA256(IKM = Z, salt = UTF-8(sessionId), info = "dynamic-key-v2", L = 32)
//! ```

use super::transcript::TranscriptHash;
use crate::crypto::provider::{Aead, CryptoError, HASH_LEN, NONCE_LEN, Provider};

/// What a secret drawn from the PRK is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Label {
    /// AEAD key of the requests.
    ClientWrite,
    /// AEAD key of the responses.
    ServerWrite,
    /// 12 bytes that mask the nonces of the requests.
    ClientIv,
    /// 12 bytes that mask the nonces of the responses.
    ServerIv,
    /// 32 bytes: the HMAC key of the proof.
    ServerProof,
    /// 32 bytes, of which applications derive keys of their own.
    Exporter,
    /// 32 bytes: the resumption secret (§2.9).
    Resumption,
    /// 32 bytes: the first update secret of the requests (§2.10).
    ClientUpdate,
    /// 32 bytes: the first update secret of the responses (§2.10).
    ServerUpdate,
}

impl Label {
    /// The key and the iv of what the client seals.
    pub(crate) const CLIENT: (Self, Self) = (Self::ClientWrite, Self::ClientIv);
    /// The key and the iv of what the server seals.
    pub(crate) const SERVER: (Self, Self) = (Self::ServerWrite, Self::ServerIv);

    /// The label's text.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::ClientWrite => "client write",
            Self::ServerWrite => "server write",
            Self::ClientIv => "client iv",
            Self::ServerIv => "server iv",
            Self::ServerProof => "server proof",
            Self::Exporter => "exporter",
            Self::Resumption => "resumption",
            Self::ClientUpdate => "client update",
            Self::ServerUpdate => "server update",
        }
    }
}

const PREFIX: &[u8] = b"dynamic-key v2 ";

/// The PRK of a handshake. Dropped, hence erased, when all labels are drawn.
#[expect(missing_debug_implementations, reason = "there is nothing to show but a secret")]
pub struct Schedule<'i, K> {
    prk: K,
    /// The `info` of plain mode.
    plain: Option<&'i [u8]>,
}

impl<'i, K> Schedule<'i, K> {
    /// HKDF-Extract(T, Z). Z is erased.
    ///
    /// # Errors
    /// Those of [`Provider::extract`].
    pub fn new<P: Provider<Prk = K>>(
        provider: &mut P,
        transcript: &TranscriptHash,
        z: P::SharedSecret,
    ) -> Result<Self, CryptoError> {
        Self::salted(provider, transcript, None, z)
    }

    /// The schedule of plain mode, which has one key for both directions, no ivs and no other secrets. Z is erased.
    ///
    /// # Errors
    /// Those of [`Provider::extract`].
    pub fn plain<P: Provider<Prk = K>>(
        provider: &mut P,
        kdf: &PlainKdf<'i>,
        session_id: &str,
        z: P::SharedSecret,
    ) -> Result<Self, CryptoError> {
        Self::salted(provider, kdf.salt_of(session_id), Some(kdf.info), z)
    }

    /// HKDF-Extract(salt, Z), for plain mode with its `info`.
    pub(crate) fn salted<P: Provider<Prk = K>>(
        provider: &mut P,
        salt: &[u8],
        plain: Option<&'i [u8]>,
        z: P::SharedSecret,
    ) -> Result<Self, CryptoError> {
        provider.extract(salt, z).map(|prk| Self { prk, plain })
    }

    /// Whether it is that of plain mode, in which nothing is proven.
    pub(crate) const fn is_plain(&self) -> bool {
        self.plain.is_some()
    }

    /// Draws a 32-byte secret. Plain mode has none: of its PRK nobody draws one.
    ///
    /// # Errors
    /// Those of [`Provider::expand`].
    pub fn secret<P: Provider<Prk = K>>(
        &self,
        provider: &mut P,
        label: Label,
    ) -> Result<P::Secret, CryptoError> {
        provider.expand(&self.prk, &[PREFIX, label.text().as_bytes()])
    }

    /// Draws the exporter's secret: `None` in plain mode.
    pub(crate) fn exporter<P: Provider<Prk = K>>(
        &self,
        provider: &mut P,
    ) -> Result<Option<P::Secret>, CryptoError> {
        if self.is_plain() { Ok(None) } else { self.secret(provider, Label::Exporter).map(Some) }
    }

    /// Draws an AEAD key: in plain mode the same for every label.
    ///
    /// # Errors
    /// Those of [`Provider::expand_key`].
    pub fn key<P: Provider<Prk = K>>(
        &self,
        provider: &mut P,
        label: Label,
        aead: Aead,
    ) -> Result<P::TrafficKey, CryptoError> {
        let info = self.plain.map_or([PREFIX, label.text().as_bytes()], |info| [info, b""]);
        provider.expand_key(&self.prk, &info, aead)
    }

    /// Draws an iv of 12 bytes: in plain mode zero.
    ///
    /// # Errors
    /// Those of [`Provider::expand_bytes`].
    pub fn iv<P: Provider<Prk = K>>(
        &self,
        provider: &mut P,
        label: Label,
    ) -> Result<[u8; NONCE_LEN], CryptoError> {
        let mut iv = [0; NONCE_LEN];
        if !self.is_plain() {
            provider.expand_bytes(&self.prk, &[PREFIX, label.text().as_bytes()], &mut iv)?;
        }
        Ok(iv)
    }

    /// HMAC-SHA256(k("server proof", 32), T), 32 bytes: see [`super::proof`].
    ///
    /// # Errors
    /// Those of [`Provider::expand`] and [`Provider::mac`].
    pub fn proof<P: Provider<Prk = K>>(
        &self,
        provider: &mut P,
        transcript: &TranscriptHash,
    ) -> Result<[u8; HASH_LEN], CryptoError> {
        let key = self.secret(provider, Label::ServerProof)?;
        provider.mac(&key, &[transcript])
    }
}

/// How plain mode derives its key, so that an existing gateway's choice can be matched (§2.3).
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PlainKdf<'a> {
    /// The HKDF salt; `None` is the session id in UTF-8.
    pub salt: Option<&'a [u8]>,
    /// The HKDF info.
    pub info: &'a [u8],
}

impl Default for PlainKdf<'_> {
    fn default() -> Self {
        Self { salt: None, info: b"dynamic-key-v2" }
    }
}

impl<'a> PlainKdf<'a> {
    /// The cipher of plain mode (§2.3).
    pub(crate) const AEAD: Aead = Aead::Aes256Gcm;

    /// The salt of a session: its id, where none is configured.
    pub(crate) fn salt_of<'s>(&self, session_id: &'s str) -> &'s [u8]
    where
        'a: 's,
    {
        self.salt.unwrap_or(session_id.as_bytes())
    }
}

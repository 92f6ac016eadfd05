//! SHA-256, HMAC-SHA256 and HKDF-SHA256 in calls of their own: their users share one copy of the code, which generic ones
//! would inline into each.

use super::provider::{CryptoError, HASH_LEN};
use crate::log::format_as;
use crate::secret::Secret;
use core::fmt;
use hkdf::{GenericHkdf, HmacImpl};
use hmac::digest::{FixedOutput, Output, OutputSizeUser, Update};
use hmac::{Hmac, KeyInit};
use sha2::Digest;

/// A SHA-256 that has begun. Erased on drop.
#[derive(Clone, Debug)]
pub(crate) struct Sha256(sha2::Sha256);

impl Sha256 {
    /// Begins with `bytes`.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut hash = Self(sha2::Sha256::new());
        hash.update(bytes);
        hash
    }

    /// Takes more bytes.
    #[inline(never)]
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        Digest::update(&mut self.0, bytes);
    }

    /// The hash.
    #[inline(never)]
    pub(crate) fn finish(self) -> [u8; HASH_LEN] {
        self.0.finalize().into()
    }
}

/// An HMAC-SHA256 that has begun. Erased on drop.
#[derive(Clone)]
pub(crate) struct HmacSha256(Hmac<sha2::Sha256>);

impl HmacSha256 {
    /// HMAC-SHA256(key, message), RFC 2104. `message` is joined.
    pub(crate) fn mac(key: &[u8], message: &[&[u8]]) -> [u8; HASH_LEN] {
        let mut hmac = Self::new_from_slice(key);
        message.iter().for_each(|part| hmac.update(part));
        hmac.finalize().into()
    }
}

impl OutputSizeUser for HmacSha256 {
    type OutputSize = <Hmac<sha2::Sha256> as OutputSizeUser>::OutputSize;
}

impl HmacImpl for HmacSha256 {
    #[inline(never)]
    #[expect(
        clippy::expect_used,
        reason = "the trait has no error, and HMAC no key that it refuses (RFC 2104 §2)"
    )]
    fn new_from_slice(key: &[u8]) -> Self {
        Self(KeyInit::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    #[inline(never)]
    fn update(&mut self, data: &[u8]) {
        Update::update(&mut self.0, data);
    }

    #[inline(never)]
    fn finalize(self) -> Output<Self> {
        self.0.finalize_fixed()
    }
}

/// A PRK of HKDF-SHA256 (RFC 5869), as the HMAC that begins with it: what is common to its expansions is hashed once. Erased on
/// drop.
#[derive(Clone)]
pub struct Prk(GenericHkdf<HmacSha256>);

impl Prk {
    /// HKDF-Extract(salt, ikm), RFC 5869 §2.2.
    pub(crate) fn extract(salt: &[u8], ikm: &[u8]) -> Result<Self, CryptoError> {
        let prk = Secret::new(HmacSha256::mac(salt, &[ikm]));
        Self::new(&prk)
    }

    /// Takes `secret` as PRK, RFC 5869 §3.3.
    pub(crate) fn new(secret: &Secret<HASH_LEN>) -> Result<Self, CryptoError> {
        GenericHkdf::from_prk(secret.as_bytes()).map(Self).map_err(|_| CryptoError::Failed)
    }

    /// HKDF-Expand(PRK, info, `out.len()`), RFC 5869 §2.3. `info` is joined.
    #[inline(never)]
    pub(crate) fn expand(&self, info: &[&[u8]], out: &mut [u8]) -> Result<(), CryptoError> {
        self.0.expand_multi_info(info, out).map_err(|_| CryptoError::Failed)
    }
}

impl fmt::Debug for Prk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

format_as! { [] Prk, _ => "…" }

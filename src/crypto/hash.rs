//! SHA-256, HMAC-SHA256 and HKDF-SHA256 in calls of their own: their users share one copy of the code, which generic ones
//! would inline into each.

use super::provider::{CryptoError, HASH_LEN};
use crate::log::format_as;
use crate::secret::Secret;
use core::fmt;
use hkdf::{GenericHkdf, HmacImpl};
use hmac::digest::block_api::{
    Block, BlockSizeUser, Buffer, BufferKindUser, CtOutWrapper, FixedOutputCore, UpdateCore,
};
use hmac::digest::typenum::{U32, U64};
use hmac::digest::{FixedOutput, HashMarker, Output, OutputSizeUser, Reset, Update, buffer_fixed};
use hmac::{Hmac, KeyInit};
use sha2::block_api::Sha256VarCore;

/// The blocks of SHA-256, ended in a call of its own, by hashes and by both hashes of an HMAC.
#[derive(Clone, Default)]
#[expect(unreachable_pub, reason = "only this file knows it")]
pub struct Blocks(CtOutWrapper<Sha256VarCore, U32>);

impl HashMarker for Blocks {}

impl BlockSizeUser for Blocks {
    type BlockSize = U64;
}

impl OutputSizeUser for Blocks {
    type OutputSize = U32;
}

impl BufferKindUser for Blocks {
    type BufferKind = <Sha256VarCore as BufferKindUser>::BufferKind;
}

impl UpdateCore for Blocks {
    fn update_blocks(&mut self, blocks: &[Block<Self>]) {
        self.0.update_blocks(blocks);
    }
}

impl FixedOutputCore for Blocks {
    #[inline(never)]
    fn finalize_fixed_core(&mut self, buffer: &mut Buffer<Self>, out: &mut Output<Self>) {
        self.0.finalize_fixed_core(buffer, out);
    }
}

impl Reset for Blocks {
    fn reset(&mut self) {
        self.0.reset();
    }
}

buffer_fixed!(
    /// SHA-256 of `sha2` over [`Blocks`].
    pub struct Buffered(Blocks);
    impl: BaseFixedTraits Default Clone HashMarker Reset FixedOutputReset;
);

/// A SHA-256 that has begun. Erased on drop.
#[derive(Clone, Debug)]
pub(crate) struct Sha256(Buffered);

impl Sha256 {
    /// Begins with `bytes`.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut hash = Self(Buffered::default());
        hash.update(bytes);
        hash
    }

    /// Takes more bytes.
    #[inline(never)]
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        Update::update(&mut self.0, bytes);
    }

    /// The hash.
    #[inline(never)]
    pub(crate) fn finish(self) -> [u8; HASH_LEN] {
        self.0.finalize_fixed().into()
    }
}

/// An HMAC-SHA256 that has begun. Erased on drop.
#[derive(Clone)]
pub(crate) struct HmacSha256(Hmac<Buffered>);

impl HmacSha256 {
    /// HMAC-SHA256(key, message), RFC 2104. `message` is joined.
    pub(crate) fn mac(key: &[u8], message: &[&[u8]]) -> [u8; HASH_LEN] {
        let mut hmac = Self::new_from_slice(key);
        message.iter().for_each(|part| hmac.update(part));
        hmac.finalize().into()
    }
}

impl OutputSizeUser for HmacSha256 {
    type OutputSize = U32;
}

impl HmacImpl for HmacSha256 {
    /// The key is filled up to a block, and hashed before where it is longer (RFC 2104 §2).
    #[inline(never)]
    fn new_from_slice(key: &[u8]) -> Self {
        let mut block = Secret::<64>::zero();
        if let Some(head) = block.as_mut_bytes().get_mut(..key.len()) {
            head.copy_from_slice(key);
        } else if let Some(head) = block.as_mut_bytes().first_chunk_mut() {
            *head = Sha256::new(key).finish();
        }
        Self(KeyInit::new(block.as_bytes().into()))
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

//! SHA-256, HMAC-SHA256 and HKDF-SHA256 in calls of their own: their users share one copy of the code, which generic ones
//! would inline into each.

use super::provider::{CryptoError, HASH_LEN};
use crate::log::format_as;
use crate::secret::Secret;
use core::fmt;
use hkdf::{GenericHkdf, HmacImpl};
use hmac::KeyInit;
use hmac::block_api::HmacCore;
use hmac::digest::block_api::{
    Block, BlockSizeUser, Buffer, BufferKindUser, CtOutWrapper, FixedOutputCore, UpdateCore,
};
use hmac::digest::typenum::{U32, U64};
use hmac::digest::{HashMarker, Output, OutputSizeUser, Reset, buffer_fixed};
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

/// What is hashed until a block of it is full.
type Pending = Buffer<Blocks>;

/// A SHA-256 that has begun. Erased on drop.
#[derive(Clone)]
pub(crate) struct Sha256 {
    core: Blocks,
    pending: Pending,
}

impl Sha256 {
    /// Begins with `bytes`.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut hash = Self { core: Blocks::default(), pending: Pending::default() };
        hash.update(bytes);
        hash
    }

    /// The hash of `bytes`.
    #[inline(never)] // one frame less in its caller's
    pub(crate) fn digest(bytes: &[u8]) -> [u8; HASH_LEN] {
        let mut hash = Self { core: Blocks::default(), pending: Pending::default() };
        hash.update(bytes);
        hash.end()
    }

    /// Takes more bytes.
    #[inline(never)]
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.pending.digest_blocks(bytes, |blocks| self.core.update_blocks(blocks));
    }

    /// The hash.
    pub(crate) fn finish(mut self) -> [u8; HASH_LEN] {
        self.end()
    }

    /// The hash, where it stands: what is moved leaves a copy behind.
    #[inline(never)]
    fn end(&mut self) -> [u8; HASH_LEN] {
        let mut hash = Output::<Blocks>::default();
        self.core.finalize_fixed_core(&mut self.pending, &mut hash);
        hash.into()
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// An HMAC-SHA256 that has begun. Erased on drop.
pub(crate) struct HmacSha256 {
    core: HmacCore<Buffered>,
    pending: Pending,
}

impl HmacSha256 {
    /// HMAC-SHA256(key, message), RFC 2104. `message` is joined.
    pub(crate) fn mac(key: &[u8], message: &[&[u8]]) -> [u8; HASH_LEN] {
        let mut hmac = Self::new_from_slice(key);
        message.iter().for_each(|part| hmac.update(part));
        hmac.end().into()
    }

    /// The MAC, where it stands: what is moved leaves a copy behind, of the key and of what is pending.
    #[inline(never)]
    fn end(&mut self) -> Output<Self> {
        let mut mac = Output::<Self>::default();
        self.core.finalize_fixed_core(&mut self.pending, &mut mac);
        mac
    }
}

impl Clone for HmacSha256 {
    #[inline(never)] // one frame less in its caller's
    fn clone(&self) -> Self {
        Self { core: self.core.clone(), pending: self.pending.clone() }
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
            *head = Sha256::digest(key);
        }
        Self { core: HmacCore::new(block.as_bytes().into()), pending: Pending::default() }
    }

    #[inline(never)]
    fn update(&mut self, data: &[u8]) {
        self.pending.digest_blocks(data, |blocks| self.core.update_blocks(blocks));
    }

    fn finalize(mut self) -> Output<Self> {
        self.end()
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

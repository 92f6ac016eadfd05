//! A block cipher that computes single blocks the way it computes many: the code of one way is all that is linked.

use aes_gcm::KeyInit;
use aes_gcm::aes::cipher::inout::InOut;
use aes_gcm::aes::cipher::{
    Block, BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, Key, KeySizeUser,
    ParBlocks, ParBlocksSizeUser,
};

/// The cipher `C`, whose single blocks take the place of a batch. In bit-sliced software a batch of two costs as much as a
/// block, so that a small processor loses nothing and saves the second form of the cipher.
#[derive(Clone, Debug)]
#[cfg_attr(target_pointer_width = "64", expect(unreachable_pub, reason = "only its tests know it here"))]
pub struct Batched<C>(C);

struct Closure<F>(F);

struct Backend<'b, B>(&'b B);

impl<C: KeySizeUser> KeySizeUser for Batched<C> {
    type KeySize = C::KeySize;
}

impl<C: KeyInit> KeyInit for Batched<C> {
    fn new(key: &Key<Self>) -> Self {
        Self(C::new(key))
    }
}

impl<C: BlockSizeUser> BlockSizeUser for Batched<C> {
    type BlockSize = C::BlockSize;
}

impl<C: BlockCipherEncrypt> BlockCipherEncrypt for Batched<C> {
    fn encrypt_with_backend(&self, f: impl BlockCipherEncClosure<BlockSize = Self::BlockSize>) {
        self.0.encrypt_with_backend(Closure(f));
    }

    #[inline(never)] // one frame less in its caller's
    fn encrypt_block(&self, block: &mut Block<Self>) {
        self.encrypt_block_inout(block.into());
    }
}

impl<F: BlockSizeUser> BlockSizeUser for Closure<F> {
    type BlockSize = F::BlockSize;
}

impl<F: BlockCipherEncClosure> BlockCipherEncClosure for Closure<F> {
    fn call<B: BlockCipherEncBackend<BlockSize = Self::BlockSize>>(self, backend: &B) {
        self.0.call(&Backend(backend));
    }
}

impl<B: BlockSizeUser> BlockSizeUser for Backend<'_, B> {
    type BlockSize = B::BlockSize;
}

impl<B: ParBlocksSizeUser> ParBlocksSizeUser for Backend<'_, B> {
    type ParBlocksSize = B::ParBlocksSize;
}

impl<B: BlockCipherEncBackend> BlockCipherEncBackend for Backend<'_, B> {
    fn encrypt_block(&self, mut block: InOut<'_, '_, Block<Self>>) {
        let mut batch = ParBlocks::<B>::default();
        if let Some(first) = batch.first_mut() {
            *first = block.clone_in();
        }
        self.encrypt_par_blocks((&mut batch).into());
        if let Some(first) = batch.first() {
            *block.get_out() = first.clone();
        }
    }

    #[inline(always)]
    fn encrypt_par_blocks(&self, blocks: InOut<'_, '_, ParBlocks<Self>>) {
        self.0.encrypt_par_blocks(blocks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aes_gcm::aes::Aes256Enc;

    #[test]
    fn every_number_of_blocks_becomes_what_it_would() {
        let (plain, batched) = (Aes256Enc::new(&[7; 32].into()), Batched::<Aes256Enc>::new(&[7; 32].into()));
        for count in 0..40_u8 {
            let blocks: std::vec::Vec<_> = (0..count).map(|at| [at; 16].into()).collect();
            let (mut expected, mut found) = (blocks.clone(), blocks);
            plain.encrypt_blocks(&mut expected);
            batched.encrypt_blocks(&mut found);
            assert_eq!(found, expected);
        }
        let mut block = [9; 16].into();
        batched.encrypt_block(&mut block);
        let mut expected = [9; 16].into();
        plain.encrypt_block(&mut expected);
        assert_eq!(block, expected);
    }
}

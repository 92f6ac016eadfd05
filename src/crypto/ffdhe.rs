//! Agreement in the finite-field groups of RFC 7919, for SCHEME-AES1 and SCHEME-AES2 (§1): exponentiation over the Montgomery
//! arithmetic of `crypto-bigint`, on a stack that a microcontroller has.
//!
//! A provider of its own hands its finite-field keys to this module, as the software provider does.

use super::provider::CryptoError;
use crate::codec::spki::{FFDHE2048_P, FFDHE3072_P, Group, PublicKey};
use crate::log::format_as;
use crate::secret::Secret;
use core::fmt;
use crypto_bigint::modular::{ConstMontyForm, ConstMontyParams, FixedMontyParams};
use crypto_bigint::{Choice, CtAssign, CtEq, CtLt, Limb, U2048, U3072, Uint, Word};
use rand_core::TryCryptoRng;
use zeroize::Zeroize;

/// The most bytes of Z: those of ffdhe3072.
const MAX_SECRET_LEN: usize = Group::Ffdhe3072.public_len();

/// Bits of an exponent that are looked up at once. Tables of 3 bits are half as large as those of 4, which `crypto-bigint`
/// has, and cost 4 % more multiplications.
const WINDOW: usize = 3;
/// The powers that a table holds: from the first to this one.
const POWERS: usize = (1 << WINDOW) - 1;

/// Bytes of the longest exponent.
const MAX_EXPONENT_LEN: usize = exponent_bits(Group::Ffdhe3072).div_ceil(8);

/// Bits of an exponent: whole windows, and no fewer than RFC 7919 §5.2 names, 225 and 275. No other group has exponents.
const fn exponent_bits(group: Group) -> usize {
    match group {
        Group::P256 => 0,
        Group::Ffdhe2048 => 76 * WINDOW,
        Group::Ffdhe3072 => 92 * WINDOW,
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ffdhe2048;

impl ConstMontyParams<{ U2048::LIMBS }> for Ffdhe2048 {
    const LIMBS: usize = U2048::LIMBS;
    const PARAMS: FixedMontyParams<{ U2048::LIMBS }> =
        FixedMontyParams::new_vartime(U2048::from_be_slice(&FFDHE2048_P).to_odd().expect_copied("p is odd"));
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ffdhe3072;

impl ConstMontyParams<{ U3072::LIMBS }> for Ffdhe3072 {
    const LIMBS: usize = U3072::LIMBS;
    const PARAMS: FixedMontyParams<{ U3072::LIMBS }> =
        FixedMontyParams::new_vartime(U3072::from_be_slice(&FFDHE3072_P).to_odd().expect_copied("p is odd"));
}

/// A private exponent for one agreement, erased on drop.
pub struct PrivateKey {
    group: Group,
    /// Big-endian, at the end of its room.
    exponent: Secret<MAX_EXPONENT_LEN>,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

format_as! { [] PrivateKey, _ => "…" }

impl PrivateKey {
    /// Draws an exponent: of 228 bits for ffdhe2048, of 276 for ffdhe3072.
    ///
    /// # Errors
    /// [`CryptoError::Random`] when the generator fails, [`CryptoError::Unsupported`] for P-256.
    pub fn generate<R: TryCryptoRng>(group: Group, rng: &mut R) -> Result<Self, CryptoError> {
        if group == Group::P256 {
            return Err(CryptoError::Unsupported);
        }
        let mut key = Self { group, exponent: Secret::zero() };
        let bits = exponent_bits(group);
        let unused = MAX_EXPONENT_LEN.saturating_sub(bits.div_ceil(8));
        let exponent = key.exponent.as_mut_bytes().get_mut(unused..).ok_or(CryptoError::Failed)?;
        rng.try_fill_bytes(exponent).map_err(|_| CryptoError::Random)?;
        if let Some(first) = exponent.first_mut() {
            *first &= 0xff >> (bits.next_multiple_of(8).wrapping_sub(bits));
        }
        Ok(key)
    }

    /// Computes the public half. Slow.
    ///
    /// # Errors
    /// [`CryptoError::Random`] for an exponent of 0: its generator is broken.
    pub fn public_key(&self) -> Result<PublicKey, CryptoError> {
        let mut public = PublicKey::zero(self.group);
        match self.group {
            Group::P256 => return Err(CryptoError::Unsupported),
            Group::Ffdhe2048 => power_of_two::<Ffdhe2048, _>(self, public.as_mut_bytes()),
            Group::Ffdhe3072 => power_of_two::<Ffdhe3072, _>(self, public.as_mut_bytes()),
        }
        validate(&public).map_err(|_| CryptoError::Random)?;
        Ok(public)
    }

    /// Validates `peer`, then agrees on Z, of the length of p, and hands it to `take`. Slow.
    ///
    /// # Errors
    /// [`CryptoError::InvalidPublicKey`] when `peer` is invalid or of another group, or Z is 0, 1 or p−1 (§1).
    pub fn agree<T>(self, peer: &PublicKey, take: impl FnOnce(&[u8]) -> T) -> Result<T, CryptoError> {
        if peer.group() != self.group {
            return Err(CryptoError::InvalidPublicKey);
        }
        validate(peer)?;
        match self.group {
            Group::P256 => Err(CryptoError::Unsupported),
            Group::Ffdhe2048 => power::<Ffdhe2048, _, _>(peer, &self, take),
            Group::Ffdhe3072 => power::<Ffdhe3072, _, _>(peer, &self, take),
        }
    }

    /// `WIDTH` bits of the exponent, of which the lowest is number `at`.
    fn bits<const WIDTH: usize>(&self, at: usize) -> u8 {
        let mut bytes = self.exponent.as_bytes().iter().rev().skip(at / 8);
        let low = bytes.next().copied().unwrap_or_default();
        let high = bytes.next().copied().unwrap_or_default();
        (u16::from_be_bytes([high, low]) >> (at % 8)) as u8
            & (u8::MAX >> (u8::BITS as usize).saturating_sub(WIDTH))
    }
}

/// p, big-endian.
fn prime(group: Group) -> Result<&'static [u8], CryptoError> {
    match group {
        Group::P256 => Err(CryptoError::Unsupported),
        Group::Ffdhe2048 => Ok(&FFDHE2048_P),
        Group::Ffdhe3072 => Ok(&FFDHE3072_P),
    }
}

/// Checks that 2 ≤ y ≤ p−2 (§1).
///
/// # Errors
/// [`CryptoError::InvalidPublicKey`] where it does not hold, [`CryptoError::Unsupported`] for P-256.
pub fn validate(peer: &PublicKey) -> Result<(), CryptoError> {
    let p = prime(peer.group())?;
    if is_inside(peer.as_bytes(), p).to_bool() { Ok(()) } else { Err(CryptoError::InvalidPublicKey) }
}

/// Whether 2 ≤ `value` ≤ p−2. Its time depends on the length alone.
fn is_inside(value: &[u8], p: &[u8]) -> Choice {
    let last = value.len().saturating_sub(1);
    // From the lowest byte up: what is left of value and of p−1 but for the lowest bit, and whether value < p−1.
    let (mut high_bits, mut is_below) = (0, Choice::FALSE);
    for (at, (value, p)) in value.iter().zip(p).enumerate().rev() {
        let (mask, p) = if at == last { (0xfe, p & 0xfe) } else { (0xff, *p) }; // p is odd
        high_bits |= value & mask;
        is_below = value.ct_lt(&p) | value.ct_eq(&p) & is_below;
    }
    high_bits.ct_ne(&0) & is_below
}

/// Reads big-endian bytes, as many as the number has.
fn read<const L: usize>(bytes: &[u8], number: &mut Uint<L>) {
    for (limb, bytes) in number.as_mut_limbs().iter_mut().zip(bytes.rchunks_exact(Limb::BYTES)) {
        *limb = Limb(bytes.iter().fold(0, |word: Word, byte| word << 8 | Word::from(*byte)));
    }
}

/// Writes a power's big-endian bytes, as many as it has.
#[inline(never)] // one frame less in its caller's
fn write<M: ConstMontyParams<L>, const L: usize>(power: &ConstMontyForm<M, L>, bytes: &mut [u8]) {
    let mut number = power.retrieve();
    for (limb, bytes) in number.as_limbs().iter().zip(bytes.rchunks_exact_mut(Limb::BYTES)) {
        bytes.copy_from_slice(&limb.0.to_be_bytes());
    }
    number.as_mut_limbs().zeroize();
}

/// a ← a · b. One copy of the code, and one frame, for all that multiply.
#[inline(never)]
fn multiply<M: ConstMontyParams<L>, const L: usize>(a: &mut ConstMontyForm<M, L>, b: &ConstMontyForm<M, L>) {
    *a = a.mul(b);
}

/// a ← a².
#[inline(never)]
fn square<M: ConstMontyParams<L>, const L: usize>(a: &mut ConstMontyForm<M, L>) {
    *a = a.mul(a); // not `square`, which would be the same code again
}

/// Writes 2^x: a doubling for each bit that is set, so without a table. Time and memory depend on the group alone.
#[inline(never)]
fn power_of_two<M: ConstMontyParams<L>, const L: usize>(x: &PrivateKey, out: &mut [u8]) {
    let mut power = ConstMontyForm::<M, L>::ONE;
    for at in (0..exponent_bits(x.group)).rev() {
        square(&mut power);
        double_if(&mut power, x.bits::<1>(at).ct_eq(&1));
    }
    write(&power, out);
    power.as_montgomery_mut().as_mut_limbs().zeroize();
}

/// a ← 2a, or a.
#[inline(never)] // one frame less in its caller's
fn double_if<M: ConstMontyParams<L>, const L: usize>(a: &mut ConstMontyForm<M, L>, choice: Choice) {
    let mut doubled = a.double();
    a.ct_assign(&doubled, choice);
    doubled.as_montgomery_mut().as_mut_limbs().zeroize();
}

/// Hands y^x to `take`. Time and memory depend on the group alone.
#[inline(never)]
fn power<M: ConstMontyParams<L>, const L: usize, T>(
    y: &PublicKey,
    x: &PrivateKey,
    take: impl FnOnce(&[u8]) -> T,
) -> Result<T, CryptoError> {
    let mut powers = [ConstMontyForm::<M, L>::ONE; POWERS];
    fill(&mut powers, y.as_bytes());
    let mut power = ConstMontyForm::<M, L>::ONE;
    let mut factor = ConstMontyForm::<M, L>::ONE;
    for window in (0..exponent_bits(x.group) / WINDOW).rev() {
        for _ in 0..WINDOW {
            square(&mut power);
        }
        let bits = x.bits::<WINDOW>(window.wrapping_mul(WINDOW));
        factor = ConstMontyForm::ONE;
        // Every entry is read, whichever it is.
        for (exponent, entry) in (1..).zip(&powers) {
            factor.ct_assign(entry, bits.ct_eq(&exponent));
        }
        multiply(&mut power, &factor);
    }
    factor.as_montgomery_mut().as_mut_limbs().zeroize();
    finish(&mut power, x.group, take)
}

/// Hands the bytes of `z` to `take`, if it is none of 0, 1 and p−1, and erases it.
#[inline(never)] // one frame less in its caller's
fn finish<M: ConstMontyParams<L>, const L: usize, T>(
    z: &mut ConstMontyForm<M, L>,
    group: Group,
    take: impl FnOnce(&[u8]) -> T,
) -> Result<T, CryptoError> {
    let mut bytes = Secret::<MAX_SECRET_LEN>::zero();
    let bytes = bytes.as_mut_bytes().get_mut(..group.public_len()).ok_or(CryptoError::Failed)?;
    write(z, bytes);
    z.as_montgomery_mut().as_mut_limbs().zeroize();
    if is_inside(bytes, prime(group)?).to_bool() {
        Ok(take(bytes))
    } else {
        Err(CryptoError::InvalidPublicKey)
    }
}

/// Fills a table with y, y², y³ and so on: nothing secret.
#[inline(never)] // one frame less in its caller's
fn fill<M: ConstMontyParams<L>, const L: usize>(powers: &mut [ConstMontyForm<M, L>; POWERS], y: &[u8]) {
    let [first, rest @ ..] = powers;
    read(y, first.as_montgomery_mut());
    *first = ConstMontyForm::new(first.as_montgomery());
    let mut last = &*first;
    for power in rest {
        *power = *last;
        multiply(power, first);
        last = power;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::convert::Infallible;
    use rand_core::TryRng;
    use std::{format, vec, vec::Vec};

    const GROUPS: [Group; 2] = [Group::Ffdhe2048, Group::Ffdhe3072];

    /// The same byte always.
    struct Constant(u8);

    impl TryRng for Constant {
        type Error = Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(u32::from_ne_bytes([self.0; 4]))
        }
        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(u64::from_ne_bytes([self.0; 8]))
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
            out.fill(self.0);
            Ok(())
        }
    }

    impl TryCryptoRng for Constant {}

    fn key(group: Group, byte: u8) -> PrivateKey {
        PrivateKey::generate(group, &mut Constant(byte)).unwrap()
    }

    fn peer(group: Group, y: &[u8]) -> PublicKey {
        let zeros = vec![0; group.public_len() - y.len()];
        PublicKey::finite_field(group, &[&zeros[..], y].concat()).unwrap()
    }

    #[test]
    fn exponents_have_the_lengths_of_rfc_7919() {
        for (group, least) in GROUPS.into_iter().zip([225, 275]) {
            let bits = exponent_bits(group);
            assert!((least..least + WINDOW + 1).contains(&bits) && bits.is_multiple_of(WINDOW));
            let drawn = key(group, 0xff);
            let ones: u32 = drawn.exponent.as_bytes().iter().map(|byte| byte.count_ones()).sum();
            assert_eq!(ones as usize, bits);
            assert_eq!(drawn.bits::<1>(bits - 1), 1);
            assert_eq!(drawn.bits::<1>(bits), 0);
        }
    }

    #[test]
    fn windows_and_bits_are_those_of_the_exponent() {
        let mut key = key(Group::Ffdhe3072, 0);
        for (at, byte) in key.exponent.as_mut_bytes().iter_mut().enumerate() {
            *byte = (at * 37 + 11) as u8;
        }
        let bytes = key.exponent.as_bytes();
        for at in 0..exponent_bits(Group::Ffdhe3072) {
            let bit = bytes[bytes.len() - 1 - at / 8] >> (at % 8) & 1;
            assert_eq!(key.bits::<1>(at), bit);
            assert_eq!(key.bits::<WINDOW>(at) & 1, bit);
        }
        assert_eq!(key.bits::<WINDOW>(6), bytes[34] >> 6 | bytes[33] << 2 & 4);
    }

    #[test]
    fn the_two_powers_are_one_and_both_ends_agree() {
        for group in GROUPS {
            let (one, other) = (key(group, 0xa5), key(group, 0x3c));
            let (one_public, other_public) = (one.public_key().unwrap(), other.public_key().unwrap());
            // 2^x by the table is 2^x by doublings.
            let two = peer(group, &[2]);
            let z = key(group, 0xa5).agree(&two, <[u8]>::to_vec).unwrap();
            assert_eq!(z, one_public.as_bytes());
            let z = one.agree(&other_public, <[u8]>::to_vec).unwrap();
            assert_eq!(other.agree(&one_public, <[u8]>::to_vec).unwrap(), z);
            assert_eq!(z.len(), group.public_len());
        }
    }

    #[test]
    fn only_what_is_inside_is_valid() {
        for (group, p) in GROUPS.into_iter().zip([&FFDHE2048_P[..], &FFDHE3072_P]) {
            let near = |last: u8| -> Vec<u8> { [&p[..p.len() - 1], &[last]].concat() };
            let below_in_front = [&[0xfe], &p[1..]].concat();
            for (y, inside) in [
                (vec![0], false),
                (vec![1], false),
                (vec![2], true),
                (vec![3], true),
                (vec![1, 0], true),
                (near(0xfd), true),
                (near(0xfe), false),
                (near(0xff), false),
                (vec![0xff; p.len()], false),
                (below_in_front, true),
            ] {
                let expected = if inside { Ok(()) } else { Err(CryptoError::InvalidPublicKey) };
                assert_eq!(validate(&peer(group, &y)), expected, "{y:02x?}");
                if !inside {
                    let refused = key(group, 0xff).agree(&peer(group, &y), |_| ());
                    assert_eq!(refused, Err(CryptoError::InvalidPublicKey));
                }
            }
        }
    }

    #[test]
    fn degenerate_secrets_and_exponents_are_refused() {
        for group in GROUPS {
            let valid = peer(group, &[5]);
            // An exponent of 0 makes Z 1.
            let zero = PrivateKey { group, exponent: Secret::zero() };
            assert_eq!(zero.public_key().map(drop), Err(CryptoError::Random));
            assert_eq!(zero.agree(&valid, |_| ()), Err(CryptoError::InvalidPublicKey));
            let other = GROUPS.into_iter().find(|other| *other != group).unwrap();
            assert_eq!(key(other, 7).agree(&valid, |_| ()), Err(CryptoError::InvalidPublicKey));
        }
        let refused = PrivateKey::generate(Group::P256, &mut Constant(1)).map(drop);
        assert_eq!(refused, Err(CryptoError::Unsupported));
        assert_eq!(format!("{:?}", key(Group::Ffdhe2048, 0xaa)), "…");
    }
}

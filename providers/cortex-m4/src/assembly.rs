//! P256-Cortex-M4 behind safe functions: all `unsafe` is here.
//!
//! Its conventions: numbers are eight words, the least significant first; the functions read and write through the pointers for
//! the length of the call, keep none, and have no state. Arrays of the right length are all that they ask for.

use dynamic_key::Secret;
use p256_cortex_m4_sys as sys;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A number of 256 bits, the least significant word first.
type Words = [u32; 8];

/// A private key or an ECDSA nonce: a scalar in 1 … n−1. Erased on drop; a move would leave a copy behind, so that it is cloned
/// instead where it matters, and the original dropped.
#[derive(Clone)]
pub(crate) struct Scalar(Words);

impl Drop for Scalar {
    #[inline(never)] // scalars are dropped in many places
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Scalar {}

/// What may be a point on the curve: each use says whether it is one, for the C code checks it each time.
pub(crate) struct Point {
    x: Words,
    y: Words,
}

/// How deep the C code reaches below its caller, in words, as GCC 12 compiles it with `-Os`: no deeper, for that would be paid
/// with stack.
mod depth {
    pub(super) const BASE: usize = 396;
    pub(super) const AGREE: usize = 384;
    pub(super) const SIGN: usize = 440;
}

impl Scalar {
    /// Takes a scalar from 32 bytes, big-endian; `None` where it is not in 1 … n−1.
    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let scalar = Self(words(bytes));
        // SAFETY: it reads eight words.
        let in_range = unsafe { sys::P256_check_range_n(scalar.0.as_ptr()) };
        in_range.then(|| scalar.clone())
    }

    /// The 32 bytes, big-endian.
    pub(crate) fn to_bytes(&self) -> Secret<32> {
        let mut secret = Secret::zero();
        write(&self.0, secret.as_mut_bytes());
        secret
    }

    /// The public key of this private one, 0x04 ‖ x ‖ y.
    pub(crate) fn public_key(&self) -> Option<[u8; 65]> {
        let (mut x, mut y) = (Words::default(), Words::default());
        // SAFETY: it writes eight words each to x and y, and reads eight of the scalar.
        let done = unsafe { sys::p256_keygen(x.as_mut_ptr(), y.as_mut_ptr(), self.0.as_ptr()) };
        erase_stack::<{ depth::BASE }>();
        let mut point = [4; 65];
        let (_, coordinates) = point.split_first_chunk_mut::<1>()?;
        let (to_x, to_y) = coordinates.split_first_chunk_mut()?;
        write(&x, to_x);
        write(&y, to_y.first_chunk_mut()?);
        done.then_some(point)
    }

    /// Z: the x-coordinate of this scalar times the point; `None` where that is not on the curve or not below p.
    pub(crate) fn agree(&self, peer: &Point) -> Option<Secret<32>> {
        let mut z = Secret::<32>::zero();
        let (to, scalar) = (z.as_mut_bytes().as_mut_ptr(), self.0.as_ptr());
        // SAFETY: it writes 32 bytes to Z, and reads eight words each of the scalar, x and y.
        let done = unsafe { sys::p256_ecdh_calc_shared_secret(to, scalar, peer.x.as_ptr(), peer.y.as_ptr()) };
        erase_stack::<{ depth::AGREE }>();
        done.then_some(z)
    }

    /// ECDSA over a hash with this private key, r ‖ s; `None` for a nonce that leads to an r or s of 0.
    pub(crate) fn sign(&self, hash: &[u8; 32], nonce: &Self) -> Option<[u8; 64]> {
        let (mut r, mut s) = (Words::default(), Words::default());
        let (to_r, to_s) = (r.as_mut_ptr(), s.as_mut_ptr());
        // SAFETY: it writes eight words each to r and s, and reads 32 bytes of the hash, which is how long it is told that it
        // is, and eight words each of the key and the nonce.
        let done =
            unsafe { sys::p256_sign(to_r, to_s, hash.as_ptr(), 32, self.0.as_ptr(), nonce.0.as_ptr()) };
        erase_stack::<{ depth::SIGN }>();
        let mut signature = [0; 64];
        let (first, second) = signature.split_first_chunk_mut()?;
        write(&r, first);
        write(&s, second.first_chunk_mut()?);
        done.then_some(signature)
    }
}

impl Point {
    /// Takes 0x04 ‖ x ‖ y; `None` for another first byte.
    pub(crate) fn from_bytes(bytes: &[u8; 65]) -> Option<Self> {
        let (&[4], coordinates) = bytes.split_first_chunk()? else { return None };
        Some(Self { x: words(coordinates.first_chunk()?), y: words(coordinates.last_chunk()?) })
    }

    /// Whether it is on the curve, its coordinates below p.
    pub(crate) fn is_on_curve(bytes: &[u8; 65]) -> bool {
        let (mut x, mut y) = (Words::default(), Words::default());
        // SAFETY: it reads 65 bytes, which is how many it is told that there are, and writes eight words each to x and y.
        let on_curve =
            unsafe { sys::p256_octet_string_to_point(x.as_mut_ptr(), y.as_mut_ptr(), bytes.as_ptr(), 65) };
        // The C code takes the hybrid form, too, which begins with 6 or 7.
        on_curve && bytes.first() == Some(&4)
    }

    /// Whether r ‖ s is an ECDSA signature over the hash by this public key. Refuses r and s outside of 1 … n−1, and a key that
    /// is not on the curve.
    pub(crate) fn verifies(&self, hash: &[u8; 32], signature: &[u8; 64]) -> bool {
        let (Some(r), Some(s)) = (signature.first_chunk(), signature.last_chunk()) else { return false };
        let (r, s) = (words(r), words(s));
        let (x, y) = (self.x.as_ptr(), self.y.as_ptr());
        // SAFETY: it reads 32 bytes of the hash, which is how long it is told that it is, and eight words each of x, y, r and s.
        unsafe { sys::p256_verify(x, y, hash.as_ptr(), 32, r.as_ptr(), s.as_ptr()) }
    }
}

/// From big-endian bytes.
#[inline(never)] // small: there are many numbers
fn words(bytes: &[u8; 32]) -> Words {
    let mut words = Words::default();
    // SAFETY: it reads the 32 bytes and writes as many, in reverse order.
    unsafe { sys::p256_convert_endianness(words.as_mut_ptr().cast(), bytes.as_ptr().cast(), 32) };
    words
}

/// To big-endian bytes.
fn write(words: &Words, bytes: &mut [u8; 32]) {
    // SAFETY: it reads the eight words and writes their 32 bytes, in reverse order.
    unsafe { sys::p256_convert_endianness(bytes.as_mut_ptr().cast(), words.as_ptr().cast(), 32) };
}

/// Overwrites what a call before left of its secrets below the stack pointer: the C code erases nothing.
#[inline(never)]
fn erase_stack<const WORDS: usize>() {
    let mut below = [0_u32; WORDS];
    below.zeroize();
}

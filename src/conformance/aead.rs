//! AEAD.

use super::derivation::prks;
use super::{Bench, Failure, Property, ROOM};
use crate::crypto::provider::{NONCE_LEN, TAG_LEN};
use crate::crypto::software::{RawKey, Software};
use crate::crypto::{Aead, CryptoError, Provider};
use rand_core::TryCryptoRng;

const ALGORITHMS: [Aead; 2] = [Aead::Aes128Gcm, Aead::Aes256Gcm];
/// Two directions.
const INFOS: [&[&[u8]]; 2] =
    [&[b"dynamic-key conformance ", b"one"], &[b"dynamic-key conformance ", b"another"]];
const NONCE: [u8; NONCE_LEN] = [0x17; NONCE_LEN];
const AAD: &[u8] = b"v2:dynamic-key-conformance";
/// The length of the text of which every byte is changed once: two blocks and a byte.
const CHANGED: usize = 33;
/// The longest text.
const LONGEST: usize = 1024;
/// A piece of plaintext that is no accident.
const PIECE: usize = 8;

/// [`Provider::expand_key`], [`Provider::seal`] and [`Provider::open`]: texts of many lengths are sealed as the software
/// provider seals them and opened from it, and what was changed is refused without a plaintext.
///
/// # Errors
/// The first property that does not hold.
pub fn aead<P: Provider, R: TryCryptoRng>(provider: &mut P, bench: &mut Bench<'_, R>) -> Result<(), Failure> {
    let mut supported = 0_usize;
    for (case, aead) in ALGORITHMS.into_iter().enumerate() {
        if supports(provider, bench, aead, case)? {
            supported = supported.saturating_add(1);
            let keys = Keys::new(provider, &mut bench.software, aead)?;
            keys.cross(provider, bench)?;
            keys.changed(provider, bench)?;
        }
    }
    Property::Algorithms.require(ALGORITHMS.len(), supported > 0)
}

/// Whether the provider has the algorithm: it has to say the same each time.
pub(super) fn supports<P: Provider, R: TryCryptoRng>(
    provider: &mut P,
    bench: &mut Bench<'_, R>,
    aead: Aead,
    case: usize,
) -> Result<bool, Failure> {
    let (prk, _) = prks(provider, &mut bench.software, AAD)?;
    let mut said = [false; 3];
    for said in &mut said {
        *said = match provider.expand_key(&prk, &[AAD], aead) {
            Ok(_) => true,
            Err(CryptoError::Unsupported) => false,
            Err(error) => return Property::Algorithms.succeeds(case, Err(error)),
        };
    }
    let [first, rest @ ..] = said;
    Property::Algorithms.require(case, rest.iter().all(|said| *said == first))?;
    Ok(first)
}

/// The same two keys, at both ends, all alive at once.
struct Keys<P: Provider> {
    ours: [P::TrafficKey; 2],
    theirs: [RawKey; 2],
}

impl<P: Provider> Keys<P> {
    fn new<R: TryCryptoRng>(
        provider: &mut P,
        software: &mut Software<R>,
        aead: Aead,
    ) -> Result<Self, Failure> {
        let (our_prk, their_prk) = prks(provider, software, AAD)?;
        let mut ours = |info| Property::Seal.succeeds(0, provider.expand_key(&our_prk, info, aead));
        let mut theirs = |info| Property::Reference.succeeds(0, software.expand_key(&their_prk, info, aead));
        let [first, second] = INFOS;
        Ok(Self { ours: [ours(first)?, ours(second)?], theirs: [theirs(first)?, theirs(second)?] })
    }

    /// Each end opens what the other sealed, with both keys in turn.
    #[inline(never)]
    fn cross<R: TryCryptoRng>(&self, provider: &mut P, bench: &mut Bench<'_, R>) -> Result<(), Failure> {
        let Bench { software, room } = bench;
        for length in (0..=48).chain([256, 1000, LONGEST]) {
            let aad = AAD.get(..length % 27).unwrap_or_default();
            let mut nonce = NONCE;
            nonce[11] = nonce[11].wrapping_add(length.to_le_bytes()[0]);
            for (key, other) in self.ours.iter().zip(&self.theirs) {
                let [plain, sealed, theirs] = texts(room, length);
                let tag = Property::Seal.succeeds(length, provider.seal(key, &nonce, aad, sealed))?;
                let their_tag =
                    Property::Reference.succeeds(length, software.seal(other, &nonce, aad, theirs))?;
                Property::Seal.require(length, sealed == theirs && tag == their_tag)?;
                Property::Open.succeeds(length, provider.open(key, &nonce, aad, sealed, &tag))?;
                Property::Open.require(length, sealed == plain)?;
            }
        }
        Ok(())
    }

    /// Everything that goes into an open is changed, one after the other.
    #[inline(never)]
    fn changed<R: TryCryptoRng>(&self, provider: &mut P, bench: &mut Bench<'_, R>) -> Result<(), Failure> {
        let [key, other] = &self.ours;
        let [their_key, _] = &self.theirs;
        for length in [0, 1, 16, CHANGED, 256] {
            let [plain, sealed, opened] = texts(bench.room, length);
            let tag =
                Property::Reference.succeeds(length, bench.software.seal(their_key, &NONCE, AAD, sealed))?;
            let mut attempt = Attempt { provider: &mut *provider, plain, sealed, opened };

            for bit in 0..TAG_LEN.saturating_mul(8) {
                attempt.refused(Property::WrongTag, bit, key, &NONCE, AAD, &flipped(tag, bit), None)?;
            }
            for bit in 0..NONCE_LEN.saturating_mul(8) {
                attempt.refused(Property::WrongNonce, bit, key, &flipped(NONCE, bit), AAD, &tag, None)?;
            }
            let (shorter, other_start) = (AAD.get(1..).unwrap_or_default(), b"v1:dynamic-key-conformance");
            let shortened = AAD.get(..25).unwrap_or_default();
            let longer = b"v2:dynamic-key-conformance\0";
            let other_end = b"v2:dynamic-key-conformancf";
            for (case, aad) in
                [b"", shorter, shortened, other_start, other_end, longer].into_iter().enumerate()
            {
                attempt.refused(Property::WrongAad, case, key, &NONCE, aad, &tag, None)?;
            }
            for at in 0..length.min(CHANGED) {
                attempt.refused(Property::WrongText, at, key, &NONCE, AAD, &tag, Some(at))?;
            }
            attempt.refused(Property::WrongKey, length, other, &NONCE, AAD, &tag, None)?;

            // What was refused has changed nothing.
            attempt.opened.copy_from_slice(attempt.sealed);
            let outcome = attempt.provider.open(key, &NONCE, AAD, attempt.opened, &tag);
            Property::Open.succeeds(length, outcome)?;
            Property::Open.require(length, attempt.opened == attempt.plain)?;
        }
        Ok(())
    }
}

/// One text, opened again and again.
struct Attempt<'a, P> {
    provider: &'a mut P,
    plain: &'a [u8],
    sealed: &'a [u8],
    opened: &'a mut [u8],
}

impl<P: Provider> Attempt<'_, P> {
    #[expect(clippy::too_many_arguments, reason = "those of open, of which one is wrong")]
    fn refused(
        &mut self,
        property: Property,
        case: usize,
        key: &P::TrafficKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        tag: &[u8; TAG_LEN],
        changed: Option<usize>,
    ) -> Result<(), Failure> {
        self.opened.copy_from_slice(self.sealed);
        if let Some(byte) = changed.and_then(|at| self.opened.get_mut(at)) {
            *byte ^= 0x80;
        }
        let outcome = self.provider.open(key, nonce, aad, self.opened, tag);
        property.refuses(case, outcome, CryptoError::Authentication)?;
        let mut pieces = self.opened.chunks_exact(PIECE).zip(self.plain.chunks_exact(PIECE));
        Property::PlaintextReleased.require(case, pieces.all(|(opened, plain)| opened != plain))
    }
}

/// Three times the same text of `length` bytes.
fn texts(room: &mut [u8; ROOM], length: usize) -> [&mut [u8]; 3] {
    let (first, rest) = room.split_at_mut(ROOM / 4);
    let (second, third) = rest.split_at_mut(ROOM / 4);
    [first, second, third].map(|text| {
        let text = text.get_mut(..length).unwrap_or_default();
        for (at, byte) in text.iter_mut().enumerate() {
            *byte = at.to_le_bytes()[0] ^ 0x5c;
        }
        text
    })
}

fn flipped<const N: usize>(mut bytes: [u8; N], bit: usize) -> [u8; N] {
    if let Some(byte) = bytes.get_mut(bit >> 3) {
        *byte ^= 1 << (bit & 7);
    }
    bytes
}

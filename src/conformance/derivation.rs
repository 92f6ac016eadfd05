//! Key derivation and MACs.

use super::{Bench, Failure, Property, ROOM};
use crate::codec::spki::Group;
use crate::crypto::hash::Sha256;
use crate::crypto::software::{Prk, Software};
use crate::crypto::{CryptoError, Provider};
use rand_core::TryCryptoRng;

/// What HKDF-Expand gives at the most (RFC 5869 §2.3).
const LIMIT: usize = 255 * 32;
const LENGTHS: [usize; 12] = [0, 1, 12, 16, 31, 32, 33, 64, 65, 100, 1000, LIMIT];

/// One text in parts, in every way that could go wrong.
pub(super) const SPLITS: [&[&[u8]]; 7] = [
    &[TEXT],
    &[b"dynamic", b"-key conformance"],
    &[b"", b"dynamic-key ", b"", b"conformance", b""],
    &[b"d", b"y", b"n", b"a", b"m", b"i", b"c", b"-key conformance"],
    &[],
    &[b""],
    &[LONG, TEXT, LONG, TEXT],
];
const TEXT: &[u8] = b"dynamic-key conformance";
/// More than a block of SHA-256.
const LONG: &[u8] = &[0x5a; 150];

/// [`Provider::extract`], [`Provider::prk`], [`Provider::expand`], [`Provider::expand_bytes`] and [`Provider::mac`] give what
/// the software provider gives.
///
/// # Errors
/// The first property that does not hold.
pub fn derivation<P: Provider, R: TryCryptoRng>(
    provider: &mut P,
    bench: &mut Bench<'_, R>,
) -> Result<(), Failure> {
    for (case, salt) in [b"", TEXT, &[7; 32], &[7; 64], &[7; 65], LONG].into_iter().enumerate() {
        let (ours, theirs) = prks(provider, &mut bench.software, salt)?;
        let (mut our_image, mut their_image) = ([0; 32], [0; 32]);
        Property::Extract.succeeds(case, provider.expand_bytes(&ours, &[TEXT], &mut our_image))?;
        Property::Reference.succeeds(case, theirs.expand(&[TEXT], &mut their_image))?;
        Property::Extract.require(case, our_image == their_image)?;
    }
    let (ours, theirs) = prks(provider, &mut bench.software, TEXT)?;
    expand_bytes(provider, &ours, &theirs, bench.room)?;
    joined_info(provider, &ours, &theirs)?;
    secrets(provider, &ours, &theirs, &mut bench.software)
}

/// The PRKs of both ends of an agreement.
pub(super) fn prks<P: Provider, R: TryCryptoRng>(
    provider: &mut P,
    software: &mut Software<R>,
    salt: &[u8],
) -> Result<(P::Prk, Prk), Failure> {
    let (key, public) = Property::PublicKey.succeeds(0, provider.generate(Group::P256))?;
    let (other, peer) = Property::Reference.succeeds(0, software.generate(Group::P256))?;
    let z = Property::Agreement.succeeds(0, provider.agree(key, &peer))?;
    let ours = Property::Extract.succeeds(0, provider.extract(salt, z))?;
    let z = Property::Reference.succeeds(0, software.agree(other, &public))?;
    let theirs = Property::Reference.succeeds(0, software.extract(salt, z))?;
    Ok((ours, theirs))
}

/// The lengths from none to the limit, and past it.
#[inline(never)]
fn expand_bytes<P: Provider>(
    provider: &mut P,
    ours: &P::Prk,
    theirs: &Prk,
    room: &mut [u8; ROOM],
) -> Result<(), Failure> {
    let mut out = |length: usize, expand: &mut dyn FnMut(&mut [u8]) -> Result<(), CryptoError>| {
        room.fill(0xa5);
        let (out, rest) = room.split_at_mut_checked(length).ok_or(CryptoError::Failed)?;
        expand(out)?;
        // What lies behind is not to be touched.
        Ok((Sha256::new(out).finish(), rest.iter().all(|byte| *byte == 0xa5)))
    };
    let mut check = |property: Property, length: usize| {
        let outcome = out(length, &mut |out| provider.expand_bytes(ours, &[TEXT], out));
        let ours: ([u8; 32], bool) = property.succeeds(length, outcome)?;
        let outcome: Result<_, CryptoError> = out(length, &mut |out| theirs.expand(&[TEXT], out));
        let theirs = Property::Reference.succeeds(length, outcome)?;
        property.require(length, ours == theirs)
    };
    for length in LENGTHS {
        check(Property::ExpandBytes, length)?;
    }
    for length in [LIMIT.saturating_add(1), ROOM] {
        let too_long = room.get_mut(..length).unwrap_or_default();
        let outcome = provider.expand_bytes(ours, &[TEXT], too_long);
        Property::ExpandLimit.refuses(length, outcome, CryptoError::Failed)?;
    }
    Ok(())
}

#[inline(never)]
fn joined_info<P: Provider>(provider: &mut P, ours: &P::Prk, theirs: &Prk) -> Result<(), Failure> {
    for (case, info) in SPLITS.into_iter().enumerate() {
        let (mut our_image, mut their_image) = ([0; 80], [0; 80]);
        Property::JoinedInfo.succeeds(case, provider.expand_bytes(ours, info, &mut our_image))?;
        Property::Reference.succeeds(case, theirs.expand(info, &mut their_image))?;
        Property::JoinedInfo.require(case, our_image == their_image)?;
    }
    Ok(())
}

/// Secrets, which show as PRKs and as keys of MACs: where both are wrong, it is the secret.
#[inline(never)]
fn secrets<P: Provider, R: TryCryptoRng>(
    provider: &mut P,
    ours: &P::Prk,
    theirs: &Prk,
    software: &mut Software<R>,
) -> Result<(), Failure> {
    for (case, info) in SPLITS.into_iter().enumerate() {
        let our_secret = Property::Expand.succeeds(case, provider.expand(ours, info))?;
        let their_secret = Property::Reference.succeeds(case, software.expand(theirs, info))?;

        let our_prk = Property::SecretAsPrk.succeeds(case, provider.prk(&our_secret))?;
        let their_prk = Property::Reference.succeeds(case, software.prk(&their_secret))?;
        let (mut our_image, mut their_image) = ([0; 32], [0; 32]);
        Property::SecretAsPrk.succeeds(case, provider.expand_bytes(&our_prk, &[TEXT], &mut our_image))?;
        Property::Reference.succeeds(case, their_prk.expand(&[TEXT], &mut their_image))?;

        let mut mac = |property: Property, message: &[&[u8]]| {
            let ours = property.succeeds(case, provider.mac(&our_secret, message))?;
            Ok(ours == Property::Reference.succeeds(case, software.mac(&their_secret, message))?)
        };
        let (as_prk, as_key) = (our_image == their_image, mac(Property::Mac, &[TEXT])?);
        Property::Expand.require(case, as_prk || as_key)?;
        Property::SecretAsPrk.require(case, as_prk)?;
        Property::Mac.require(case, as_key)?;
        for message in SPLITS {
            let joined = mac(Property::JoinedMessage, message)?;
            Property::JoinedMessage.require(case, joined)?;
        }
    }
    Ok(())
}

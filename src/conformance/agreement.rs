//! Key agreement.

use super::keys::{GENERATOR, INVALID, Point, UNUSUAL};
use super::{Bench, Failure, Property};
use crate::codec::spki::{Group, PublicKey};
use crate::crypto::{Aead, CryptoError, Provider};
use rand_core::TryCryptoRng;

const GROUPS: [Group; 3] = [Group::P256, Group::Ffdhe2048, Group::Ffdhe3072];
/// How many keys are dropped: more than a chip has slots.
const DROPPED: usize = 20;
const SALT: &[u8] = b"dynamic-key conformance";

/// What is expanded from Z, so that it can be compared.
pub(super) type Image = [u8; 32];

/// [`Provider::generate`], [`Provider::validate`] and [`Provider::agree`]: both ends agree, keys are fresh and independent, and
/// what is no valid public key is refused as such.
///
/// # Errors
/// The first property that does not hold.
pub fn agreement<P: Provider, R: TryCryptoRng>(
    provider: &mut P,
    bench: &mut Bench<'_, R>,
) -> Result<(), Failure> {
    for case in 0..4 {
        both_ways(provider, bench, case)?;
    }
    side_by_side(provider)?;
    room(provider)?;
    unusual_keys(provider, bench)?;
    invalid_keys(provider)?;
    both_ways(provider, bench, 4)?;
    groups(provider, bench)
}

fn generate<P: Provider>(provider: &mut P, case: usize) -> Result<(P::EphemeralKey, PublicKey), Failure> {
    Property::PublicKey.succeeds(case, provider.generate(Group::P256))
}

/// Agrees, extracts and expands.
pub(super) fn image<P: Provider>(
    provider: &mut P,
    key: P::EphemeralKey,
    peer: &PublicKey,
) -> Result<Image, CryptoError> {
    let z = provider.agree(key, peer)?;
    let prk = provider.extract(SALT, z)?;
    let mut image = Image::default();
    provider.expand_bytes(&prk, &[b"image"], &mut image)?;
    Ok(image)
}

#[inline(never)]
fn both_ways<P: Provider, R: TryCryptoRng>(
    provider: &mut P,
    bench: &mut Bench<'_, R>,
    case: usize,
) -> Result<(), Failure> {
    let software = &mut bench.software;
    let (key, public) = generate(provider, case)?;
    Property::PublicKey.require(case, public.group() == Group::P256)?;
    Property::PublicKey.succeeds(case, software.validate(&public))?;
    let (other, peer) = Property::Reference.succeeds(case, software.generate(Group::P256))?;
    let expected = Property::Reference.succeeds(case, image(software, other, &public))?;
    Property::Agreement.succeeds(case, provider.validate(&peer))?;
    let image = Property::Agreement.succeeds(case, image(provider, key, &peer))?;
    Property::Agreement.require(case, image == expected)
}

#[inline(never)]
fn side_by_side<P: Provider>(provider: &mut P) -> Result<(), Failure> {
    let ((first, first_public), (second, second_public)) = (generate(provider, 0)?, generate(provider, 1)?);
    Property::FreshKey.require(0, first_public != second_public)?;
    let unused = generate(provider, 2)?;
    let there = Property::SideBySide.succeeds(0, image(provider, second, &first_public))?;
    let back = Property::SideBySide.succeeds(1, image(provider, first, &second_public))?;
    drop(unused);
    Property::SideBySide.require(2, there == back)
}

/// Drops everything that there is, used once or never.
#[inline(never)]
fn room<P: Provider>(provider: &mut P) -> Result<(), Failure> {
    let peer =
        Property::Reference.succeeds(0, PublicKey::p256(GENERATOR).map_err(|_| CryptoError::Failed))?;
    for case in 0..DROPPED {
        let used = |provider: &mut P| {
            let (_unused, _) = provider.generate(Group::P256)?;
            let (key, _) = provider.generate(Group::P256)?;
            let z = provider.agree(key, &peer)?;
            let prk = provider.extract(SALT, z)?;
            let secret = provider.expand(&prk, &[b"secret"])?;
            let _prk = provider.prk(&secret)?;
            match provider.expand_key(&prk, &[b"key"], Aead::Aes256Gcm) {
                Ok(_) | Err(CryptoError::Unsupported) => Ok(()),
                Err(error) => Err(error),
            }
        };
        Property::Room.succeeds(case, used(provider))?;
    }
    Ok(())
}

pub(super) fn key_of(point: &Point) -> Result<PublicKey, Failure> {
    Property::Reference.succeeds(0, PublicKey::p256(*point).map_err(|_| CryptoError::Failed))
}

/// Nobody has the private keys of these, so that no other end can tell Z: [`super::known_answer`] does.
#[inline(never)]
fn unusual_keys<P: Provider, R: TryCryptoRng>(
    provider: &mut P,
    bench: &mut Bench<'_, R>,
) -> Result<(), Failure> {
    for (case, point) in UNUSUAL.iter().enumerate() {
        let peer = key_of(point)?;
        Property::Reference.succeeds(case, bench.software.validate(&peer))?;
        Property::UnusualKey.succeeds(case, provider.validate(&peer))?;
        let ((first, _), (second, _)) = (generate(provider, case)?, generate(provider, case)?);
        let first = Property::UnusualKey.succeeds(case, image(provider, first, &peer))?;
        let second = Property::UnusualKey.succeeds(case, image(provider, second, &peer))?;
        Property::UnusualKey.require(case, first != second)?;
    }
    Ok(())
}

#[inline(never)]
fn invalid_keys<P: Provider>(provider: &mut P) -> Result<(), Failure> {
    for (case, point) in INVALID.iter().enumerate() {
        let peer = key_of(point)?;
        let outcome = provider.validate(&peer);
        Property::InvalidKeyValidated.refuses(case, outcome, CryptoError::InvalidPublicKey)?;
        let (key, _) = generate(provider, case)?;
        let outcome = provider.agree(key, &peer);
        Property::InvalidKeyAgreed.refuses(case, outcome, CryptoError::InvalidPublicKey)?;
    }
    Ok(())
}

/// Which groups there are, and whether a key of one is kept from another.
#[inline(never)]
fn groups<P: Provider, R: TryCryptoRng>(provider: &mut P, bench: &mut Bench<'_, R>) -> Result<(), Failure> {
    for (case, group) in GROUPS.into_iter().enumerate() {
        match provider.generate(group) {
            Ok((key, public)) => {
                Property::Groups.require(case, public.group() == group)?;
                Property::Groups.succeeds(case, provider.validate(&public))?;
                let (other, peer) = Property::Groups.succeeds(case, provider.generate(group))?;
                let there = Property::Groups.succeeds(case, image(provider, key, &peer))?;
                let back = Property::Groups.succeeds(case, image(provider, other, &public))?;
                Property::Groups.require(case, there == back)?;
            }
            Err(error) => {
                Property::Groups.refuses(case, Err::<(), _>(error), CryptoError::Unsupported)?;
                Property::Groups.refuses(case, provider.generate(group), CryptoError::Unsupported)?;
                Property::Groups.require(case, group != Group::P256)?;
                // A key of it is none that is known to be wrong.
                if let Ok((_, foreign)) = bench.software.generate(group) {
                    Property::Groups.refuses(case, provider.validate(&foreign), CryptoError::Unsupported)?;
                }
            }
        }
        // A peer's key of another group than ours, where somebody can make one.
        let others = GROUPS.into_iter().filter(|other| *other != group);
        for other in others {
            let foreign = bench.software.generate(other).map(|(_, public)| public);
            if let (Ok((key, _)), Ok(foreign)) = (provider.generate(group), foreign) {
                let outcome = provider.agree(key, &foreign);
                Property::Groups.refuses(case, outcome, CryptoError::InvalidPublicKey)?;
            }
        }
    }
    Ok(())
}

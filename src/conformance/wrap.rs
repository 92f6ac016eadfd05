//! Keys that are encrypted to, key derivation for key wrap, key wrap.

use super::agreement::{Image, key_of};
use super::derivation::SPLITS;
use super::keys::{GENERATOR, INVALID, UNUSUAL};
use super::{Bench, Draws, Failure, Property};
use crate::codec::spki::{Group, PublicKey};
use crate::crypto::software::{Kek, RawKey};
use crate::crypto::wrap::WRAPPED_LEN;
use crate::crypto::{CryptoError, KeyId, KeyWrap, Provider, Recipient};
use core::num::NonZeroU32;
use rand_core::TryCryptoRng;

/// How many keys are dropped: more than a chip has slots.
const DROPPED: usize = 20;
const SALT: &[u8] = b"dynamic-key conformance";
/// Passwords and salts, on both sides of a block of SHA-256, with numbers of iterations.
const PASSWORDS: [(&[u8], &[u8], u32); 6] = [
    (b"password", b"PBES2-HS256+A128KW\0sixteen bytes of", 1),
    (b"password", b"PBES2-HS256+A128KW\0sixteen bytes of", 2),
    (b"", SALT, 3),
    (b"another password, and a salt of its own", &[0x5a; 83], 1000),
    (&[0x70; 64], SALT, 1),
    (&[0x70; 65], SALT, 1),
];
const NONCE: [u8; 12] = [0x17; 12];
const TEXT: [u8; 33] = [0x5c; 33];

/// [`Recipient`], and [`KeyWrap`] with the software provider at the other end: who encrypts to whom, under keys that were agreed on
/// or derived from a password; what was changed is refused. The `recipient` has the public key `point`, 0x04 ‖ x ‖ y.
///
/// # Errors
/// The first property that does not hold.
pub fn key_wrap<P, R, G>(
    provider: &mut P,
    recipient: &mut R,
    point: &[u8; 65],
    bench: &mut Bench<'_, G>,
) -> Result<(), Failure>
where
    P: KeyWrap,
    R: Recipient<SharedSecret = P::SharedSecret>,
    G: TryCryptoRng,
{
    super::reference::key_wrap()?;
    let public = key_of(point)?;
    Property::RecipientKeyId.require(0, recipient.kid() == KeyId::of_point(point))?;
    received(provider, recipient, &public, bench)?;
    invalid_keys(recipient, bench)?;
    keks(provider, bench)?;
    for (case, info) in SPLITS.into_iter().enumerate() {
        let (ours, theirs) = agreed(provider, bench, case, info)?;
        Property::ConcatKdf.holds(case, unwraps(provider, bench, ours, theirs))?;
    }
    passwords(provider, bench)?;
    side_by_side(provider, bench)?;
    changed(provider, bench)?;
    room(provider, recipient, bench)?;
    received(provider, recipient, &public, bench)
}

/// What a provider does when its generator fails before it has drawn a content key: `make` makes one over this generator, which
/// takes a scalar as [`super::known_answer`] says.
///
/// # Errors
/// [`Property::FailingGenerator`].
pub fn failing_wrap<P: KeyWrap>(mut make: impl FnMut(Draws) -> P) -> Result<(), Failure> {
    let property = Property::FailingGenerator;
    let mut provider = make(Draws::new(&[[0x51; 32]]));
    let peer = key_of(&GENERATOR)?;
    let mut kek = || {
        let (key, _) = provider.generate(Group::P256)?;
        let z = provider.agree(key, &peer)?;
        provider.concat_kdf(z, &[SALT])
    };
    let kek = property.succeeds(3, kek())?;
    property.refuses(3, provider.wrap(kek), CryptoError::Random)
}

/// What is expanded from Z, so that it can be compared.
fn image<P: Provider>(provider: &mut P, z: P::SharedSecret) -> Result<Image, CryptoError> {
    let prk = provider.extract(SALT, z)?;
    let mut image = Image::default();
    provider.expand_bytes(&prk, &[b"image"], &mut image)?;
    Ok(image)
}

/// The recipient's key is there to stay: each peer, and each once more.
#[inline(never)]
fn received<P, R, G>(
    provider: &mut P,
    recipient: &mut R,
    public: &PublicKey,
    bench: &mut Bench<'_, G>,
) -> Result<(), Failure>
where
    P: KeyWrap,
    R: Recipient<SharedSecret = P::SharedSecret>,
    G: TryCryptoRng,
{
    for case in 0..3 {
        let property = Property::Received;
        let (key, peer) = Property::Reference.succeeds(case, bench.software.generate(Group::P256))?;
        let z = Property::Reference.succeeds(case, bench.software.agree(key, public))?;
        let expected = Property::Reference.succeeds(case, image(&mut bench.software, z))?;
        for _ in 0..2 {
            let z = property.succeeds(case, recipient.agree(&peer))?;
            let image = property.succeeds(case, image(provider, z))?;
            property.require(case, image == expected)?;
        }
    }
    Ok(())
}

#[inline(never)]
fn invalid_keys<R: Recipient, G: TryCryptoRng>(
    recipient: &mut R,
    bench: &mut Bench<'_, G>,
) -> Result<(), Failure> {
    for (case, point) in UNUSUAL.iter().enumerate() {
        Property::UnusualKey.succeeds(case, recipient.agree(&key_of(point)?))?;
    }
    let property = Property::InvalidKeyReceived;
    for (case, point) in INVALID.iter().enumerate() {
        property.refuses(case, recipient.agree(&key_of(point)?), CryptoError::InvalidPublicKey)?;
    }
    // Of another group, where somebody can make one.
    for group in [Group::Ffdhe2048, Group::Ffdhe3072] {
        if let Ok((_, foreign)) = bench.software.generate(group) {
            property.refuses(INVALID.len(), recipient.agree(&foreign), CryptoError::InvalidPublicKey)?;
        }
    }
    Ok(())
}

/// The same key-encryption key at both ends, of a fresh agreement.
fn agreed<P: KeyWrap, G: TryCryptoRng>(
    provider: &mut P,
    bench: &mut Bench<'_, G>,
    case: usize,
    info: &[&[u8]],
) -> Result<(P::Kek, Kek), Failure> {
    let software = &mut bench.software;
    let (key, public) = Property::PublicKey.succeeds(case, provider.generate(Group::P256))?;
    let (other, peer) = Property::Reference.succeeds(case, software.generate(Group::P256))?;
    let z = Property::Agreement.succeeds(case, provider.agree(key, &peer))?;
    let ours = Property::ConcatKdf.succeeds(case, provider.concat_kdf(z, info))?;
    let z = Property::Reference.succeeds(case, software.agree(other, &public))?;
    Ok((ours, Property::Reference.succeeds(case, software.concat_kdf(z, info))?))
}

/// The same key-encryption key at both ends, of a password; `None` where the provider has none.
fn derived<P: KeyWrap, G: TryCryptoRng>(
    provider: &mut P,
    bench: &mut Bench<'_, G>,
    case: usize,
    (password, salt, iterations): (&[u8], &[u8], u32),
) -> Result<Option<(P::Kek, Kek)>, Failure> {
    let iterations = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
    let ours = match provider.pbkdf2(password, salt, iterations) {
        Err(CryptoError::Unsupported) => return Ok(None),
        ours => Property::Pbkdf2.succeeds(case, ours)?,
    };
    let theirs = bench.software.pbkdf2(password, salt, iterations);
    Ok(Some((ours, Property::Reference.succeeds(case, theirs)?)))
}

/// Whether two content keys are the same one.
fn is_same<P: Provider, G: TryCryptoRng>(
    provider: &mut P,
    key: &P::TrafficKey,
    bench: &mut Bench<'_, G>,
    other: &RawKey,
) -> Result<bool, CryptoError> {
    let (mut ours, mut theirs) = (TEXT, TEXT);
    let tag = provider.seal(key, &NONCE, SALT, &mut ours)?;
    let expected = bench.software.seal(other, &NONCE, SALT, &mut theirs)?;
    Ok(ours == theirs && tag == expected)
}

/// Whether the other end unwraps what the provider wrapped.
#[inline(never)]
fn wraps<P: KeyWrap, G: TryCryptoRng>(
    provider: &mut P,
    bench: &mut Bench<'_, G>,
    ours: P::Kek,
    theirs: Kek,
) -> Result<bool, CryptoError> {
    let (key, wrapped) = provider.wrap(ours)?;
    match bench.software.unwrap(theirs, &wrapped) {
        Ok(other) => is_same(provider, &key, bench, &other),
        Err(_) => Ok(false),
    }
}

/// Whether the provider unwraps what the other end wrapped.
#[inline(never)]
fn unwraps<P: KeyWrap, G: TryCryptoRng>(
    provider: &mut P,
    bench: &mut Bench<'_, G>,
    ours: P::Kek,
    theirs: Kek,
) -> Result<bool, CryptoError> {
    let (other, wrapped) = bench.software.wrap(theirs)?;
    match provider.unwrap(ours, &wrapped) {
        Ok(key) => is_same(provider, &key, bench, &other),
        Err(CryptoError::Authentication) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Key-encryption keys of both kinds, both ways: where all is wrong, it is the wrap or its inverse; else the derivation.
#[inline(never)]
fn keks<P: KeyWrap, G: TryCryptoRng>(provider: &mut P, bench: &mut Bench<'_, G>) -> Result<(), Failure> {
    let [password, ..] = PASSWORDS;
    for (property, other_way) in [(Property::Wrap, false), (Property::Unwrap, true)] {
        let cross = if other_way { unwraps } else { wraps };
        let (ours, theirs) = agreed(provider, bench, 0, &[SALT])?;
        let of_agreement = property.succeeds(0, cross(provider, bench, ours, theirs))?;
        let of_password = match derived(provider, bench, 0, password)? {
            Some((ours, theirs)) => property.succeeds(1, cross(provider, bench, ours, theirs))?,
            None => of_agreement,
        };
        property.require(0, of_agreement || of_password)?;
        Property::ConcatKdf.require(0, of_agreement)?;
        Property::Pbkdf2.require(0, of_password)?;
    }
    Ok(())
}

/// Passwords: a provider has them, or says each time that it has not.
#[inline(never)]
fn passwords<P: KeyWrap, G: TryCryptoRng>(provider: &mut P, bench: &mut Bench<'_, G>) -> Result<(), Failure> {
    let property = Property::Pbkdf2;
    let mut supported = None;
    for (case, password) in PASSWORDS.into_iter().enumerate() {
        let keks = derived(provider, bench, case, password)?;
        property.require(case, *supported.get_or_insert(keks.is_some()) == keks.is_some())?;
        if let Some((ours, theirs)) = keks {
            property.holds(case, unwraps(provider, bench, ours, theirs))?;
        }
    }
    Ok(())
}

/// Content keys are other ones each time, and live side by side with each other and with keys that are to be used.
#[inline(never)]
fn side_by_side<P: KeyWrap, G: TryCryptoRng>(
    provider: &mut P,
    bench: &mut Bench<'_, G>,
) -> Result<(), Failure> {
    let ((first, their_first), (second, their_second)) =
        (agreed(provider, bench, 0, &[SALT])?, agreed(provider, bench, 1, &[SALT])?);
    let (second, second_wrapped) = Property::Wrap.succeeds(0, provider.wrap(second))?;
    let (first, first_wrapped) = Property::Wrap.succeeds(1, provider.wrap(first))?;
    for (case, key, kek, wrapped) in
        [(0, &first, their_first, first_wrapped), (1, &second, their_second, second_wrapped)]
    {
        let other = Property::SideBySide.succeeds(case, bench.software.unwrap(kek, &wrapped))?;
        Property::SideBySide.holds(case, is_same(provider, key, bench, &other))?;
    }
    let mut sealed = |key| {
        let mut text = TEXT;
        Property::SideBySide.succeeds(2, provider.seal(key, &NONCE, SALT, &mut text)).map(|tag| (text, tag))
    };
    let (first, second) = (sealed(&first)?, sealed(&second)?);
    Property::FreshContentKey.require(0, first != second)
}

/// A wrapped key in which a bit is another, or which was wrapped with another key.
#[inline(never)]
fn changed<P: KeyWrap, G: TryCryptoRng>(provider: &mut P, bench: &mut Bench<'_, G>) -> Result<(), Failure> {
    let property = Property::WrongWrap;
    for bit in (0..WRAPPED_LEN.saturating_mul(8)).step_by(29) {
        let (ours, theirs) = agreed(provider, bench, bit, &[SALT])?;
        let (_, mut wrapped) = Property::Reference.succeeds(bit, bench.software.wrap(theirs))?;
        if let Some(byte) = wrapped.get_mut(bit >> 3) {
            *byte ^= 1 << (bit & 7);
        }
        property.refuses(bit, provider.unwrap(ours, &wrapped), CryptoError::Authentication)?;
    }
    let (ours, _) = agreed(provider, bench, 0, &[SALT])?;
    let (_, theirs) = agreed(provider, bench, 1, &[SALT])?;
    let (_, wrapped) = Property::Reference.succeeds(0, bench.software.wrap(theirs))?;
    property.refuses(
        WRAPPED_LEN.saturating_mul(8),
        provider.unwrap(ours, &wrapped),
        CryptoError::Authentication,
    )
}

/// Drops everything that there is, used once or never.
#[inline(never)]
fn room<P, R, G>(provider: &mut P, recipient: &mut R, bench: &mut Bench<'_, G>) -> Result<(), Failure>
where
    P: KeyWrap,
    R: Recipient<SharedSecret = P::SharedSecret>,
    G: TryCryptoRng,
{
    let (_, peer) = Property::Reference.succeeds(0, bench.software.generate(Group::P256))?;
    for case in 0..DROPPED {
        let mut used = || {
            let _unused = recipient.agree(&peer)?;
            let (z, other) = (recipient.agree(&peer)?, recipient.agree(&peer)?);
            let (kek, _unused) = (provider.concat_kdf(z, &[])?, provider.concat_kdf(other, &[SALT])?);
            provider.wrap(kek).map(drop)
        };
        Property::Room.succeeds(case, used())?;
    }
    Ok(())
}

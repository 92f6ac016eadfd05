//! A provider with one defect.

use std::cell::RefCell;
use std::rc::Rc;

use dynamic_key::Secret;
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::provider::{Aead, CryptoError, HASH_LEN, NONCE_LEN, Provider, TAG_LEN};
use dynamic_key::crypto::software::{EphemeralKey, Prk, RawKey, SharedSecret, Software, TrafficKey};
use rand_core::TryCryptoRng;

use super::support::Seeded;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    FillsNothing,
    FillsConstant,
    FillsWholeWordsOnly,
    PublicKeyOffTheCurve,
    SameKeyEachTime,
    PublicKeyOfAnother,
    OtherZ,
    OneSlotForKeys,
    DroppedKeysStay,
    RefusesXOfZero,
    AgreesNotWithXOfZero,
    ValidatesNothing,
    ValidatesWithAnotherError,
    ReducesCoordinates,
    ReducesWhenAgreeing,
    TakesZerosForInfinity,
    AgreesWithAnything,
    AgreesWithAnotherError,
    OtherGroupsFail,
    OtherGroupsAreP256,
    #[cfg(feature = "ffdhe")]
    OtherGroupsAreInvalid,
    ExtractsWithoutSalt,
    ExtractsWithCutSalt,
    ExpandsOtherSecrets,
    ExpandsNoMoreThan255,
    ExpandsOneBlockOnly,
    ExpandsPastTheLimit,
    ExpandsFirstPartOnly,
    ExpandsPartsApart,
    PrkOfZeros,
    MacOfAnotherKey,
    MacOfTheFirstPart,
    Aes128Fails,
    Aes128Sometimes,
    NoAlgorithm,
    KeyOfTheFirstPart,
    SealsWithShortNonce,
    SealsWithoutAad,
    SealsWithShortTag,
    SealsNoEmptyText,
    OpensNoEmptyText,
    OpensWithShortTag,
    OpensWithAnyTag,
    OpensWithAnotherError,
    TriesAnotherNonce,
    TriesAnotherAad,
    CorrectsTheText,
    TriesEveryKey,
    ReleasesPlaintext,
    ReleasesTheSecondBlock,
    OtherExporter,
    AgreesFourTimes,
    SealsFourTimes,
    OtherMacs,
    OtherTags,
    LittleEndian,
    NoScalarIsAnError,
    WithoutGenerator,
}

use Defect as D;

/// The software provider with a defect. Ephemeral keys are in slots.
pub(crate) struct Broken<R> {
    inner: Software<R>,
    defect: Defect,
    slots: Rc<RefCell<Vec<Option<EphemeralKey>>>>,
    keys: Vec<RawKey>,
    calls: usize,
}

/// A key in a slot, which is free again when this is dropped.
pub(crate) struct Slot(usize, Option<Rc<RefCell<Vec<Option<EphemeralKey>>>>>);

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(slots) = &self.1 {
            slots.borrow_mut()[self.0] = None;
        }
    }
}

impl<R: TryCryptoRng> Broken<R> {
    pub(crate) fn new(rng: R, defect: Defect) -> Self {
        Self {
            inner: Software::new(rng),
            defect,
            slots: Rc::new(RefCell::new(Vec::new())),
            keys: Vec::new(),
            calls: 0,
        }
    }

    fn store(&mut self, key: EphemeralKey) -> Result<Slot, CryptoError> {
        let mut slots = self.slots.borrow_mut();
        let free = slots.iter().position(Option::is_none).unwrap_or(slots.len());
        let free = if self.defect == D::OneSlotForKeys { 0 } else { free };
        if free == 8 {
            return Err(CryptoError::Failed);
        }
        if free == slots.len() {
            slots.push(None);
        }
        slots[free] = Some(key);
        let kept = matches!(self.defect, D::DroppedKeysStay | D::OneSlotForKeys);
        Ok(Slot(free, (!kept).then(|| self.slots.clone())))
    }

    fn is(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    /// The call with this number, counted from now on.
    fn nth(&mut self, defect: Defect, number: usize) -> bool {
        self.calls += usize::from(self.is(defect));
        self.is(defect) && self.calls == number
    }
}

/// The point with coordinates mod p.
fn reduced(peer: &PublicKey) -> PublicKey {
    const P: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    ];
    let mut point: [u8; 65] = peer.as_bytes().try_into().unwrap();
    for coordinate in point[1..].chunks_mut(32) {
        if *coordinate >= P[..] {
            let mut borrow = 0;
            for (byte, p) in coordinate.iter_mut().zip(P).rev() {
                let difference = i16::from(*byte) - i16::from(p) - borrow;
                borrow = i16::from(difference < 0);
                *byte = difference.rem_euclid(256) as u8;
            }
        }
    }
    PublicKey::p256(point).unwrap()
}

fn has_x_of_zero(peer: &PublicKey) -> bool {
    peer.as_bytes()[1..33] == [0; 32]
}

fn is_zeros(peer: &PublicKey) -> bool {
    peer.as_bytes()[1..] == [0; 64]
}

impl<R: TryCryptoRng> Provider for Broken<R> {
    type EphemeralKey = Slot;
    type SharedSecret = SharedSecret;
    type Prk = Prk;
    type Secret = Secret<HASH_LEN>;
    type TrafficKey = RawKey;

    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        match self.defect {
            D::FillsNothing => Ok(()),
            D::FillsConstant => {
                out.fill(0x7e);
                Ok(())
            }
            D::FillsWholeWordsOnly => {
                let whole = out.len() / 4 * 4;
                self.inner.fill(&mut out[..whole])
            }
            D::WithoutGenerator => {
                let _ = self.inner.fill(out);
                Ok(())
            }
            _ => self.inner.fill(out),
        }
    }

    fn generate(&mut self, group: Group) -> Result<(Slot, PublicKey), CryptoError> {
        let asked = group;
        #[cfg(feature = "ffdhe")]
        if asked != Group::P256 && self.is(D::OtherGroupsAreInvalid) {
            return Err(CryptoError::Unsupported);
        }
        let group = if self.is(D::OtherGroupsAreP256) { Group::P256 } else { group };
        if asked != Group::P256 && self.is(D::OtherGroupsFail) {
            return Err(CryptoError::Failed);
        }
        let (key, mut public) = match self.defect {
            D::SameKeyEachTime => Software::new(Seeded(9)).generate(group)?,
            D::WithoutGenerator => {
                self.inner.generate(group).or_else(|_| Software::new(Seeded(9)).generate(group))?
            }
            D::NoScalarIsAnError if group == Group::P256 => {
                let mut scalar = [0; 32];
                self.inner.fill(&mut scalar)?;
                if scalar == [0; 32] {
                    return Err(CryptoError::Failed);
                }
                Software::new(super::support::Script::new([&scalar])).generate(group)?
            }
            D::LittleEndian if group == Group::P256 => {
                let mut scalar = [0; 32];
                self.inner.fill(&mut scalar)?;
                scalar.reverse();
                Software::new(super::support::Script::new([&scalar])).generate(group)?
            }
            _ => self.inner.generate(group)?,
        };
        if self.is(D::PublicKeyOffTheCurve) {
            let mut point: [u8; 65] = public.as_bytes().try_into().unwrap();
            point[64] ^= 1;
            public = PublicKey::p256(point).unwrap();
        }
        if self.is(D::PublicKeyOfAnother) {
            public = self.inner.generate(group)?.1;
        }
        Ok((self.store(key)?, public))
    }

    fn validate(&mut self, peer: &PublicKey) -> Result<(), CryptoError> {
        match self.defect {
            D::ValidatesNothing => Ok(()),
            #[cfg(feature = "ffdhe")]
            D::OtherGroupsAreInvalid if peer.group() != Group::P256 => Err(CryptoError::InvalidPublicKey),
            D::ValidatesWithAnotherError => self.inner.validate(peer).map_err(|_| CryptoError::Failed),
            D::ReducesCoordinates => self.inner.validate(&reduced(peer)),
            D::TakesZerosForInfinity if is_zeros(peer) => Ok(()),
            D::RefusesXOfZero if has_x_of_zero(peer) => Err(CryptoError::InvalidPublicKey),
            _ => self.inner.validate(peer),
        }
    }

    fn agree(&mut self, key: Slot, peer: &PublicKey) -> Result<SharedSecret, CryptoError> {
        let key = self.slots.borrow_mut()[key.0].take().ok_or(CryptoError::Failed)?;
        if self.is(D::AgreesNotWithXOfZero) && has_x_of_zero(peer) {
            return Err(CryptoError::InvalidPublicKey);
        }
        let reduces = matches!(self.defect, D::ReducesCoordinates | D::ReducesWhenAgreeing);
        let peer = if reduces { &reduced(peer) } else { peer };
        let z = self.inner.agree(key, peer);
        // One for which algorithm there is, two in plain mode, one as a client: the fifth is that of a gateway.
        if self.nth(D::AgreesFourTimes, 5) {
            return Ok(Secret::zero().into());
        }
        match self.defect {
            D::OtherZ => z.map(|z| {
                let mut other = Secret::<32>::zero();
                other.as_mut_bytes().iter_mut().zip(z.as_bytes()).for_each(|(to, from)| *to = from ^ 1);
                other.into()
            }),
            D::AgreesWithAnything => z.or(Ok(Secret::new([1; 32]).into())),
            D::AgreesWithAnotherError => z.map_err(|_| CryptoError::Failed),
            D::TakesZerosForInfinity if is_zeros(peer) => Ok(Secret::zero().into()),
            _ => z,
        }
    }

    fn extract(&mut self, salt: &[u8], z: SharedSecret) -> Result<Prk, CryptoError> {
        match self.defect {
            D::ExtractsWithoutSalt => self.inner.extract(b"", z),
            D::ExtractsWithCutSalt => self.inner.extract(&salt[..salt.len().min(64)], z),
            _ => self.inner.extract(salt, z),
        }
    }

    fn prk(&mut self, secret: &Secret<HASH_LEN>) -> Result<Prk, CryptoError> {
        if self.is(D::PrkOfZeros) { self.inner.prk(&Secret::zero()) } else { self.inner.prk(secret) }
    }

    fn expand(&mut self, prk: &Prk, info: &[&[u8]]) -> Result<Secret<HASH_LEN>, CryptoError> {
        let exporter = info.concat().ends_with(b"exporter");
        if self.is(D::ExpandsOtherSecrets) || (self.is(D::OtherExporter) && exporter) {
            return self.inner.expand(prk, &[b"other"]);
        }
        self.inner.expand(prk, info)
    }

    fn expand_key(&mut self, prk: &Prk, info: &[&[u8]], aead: Aead) -> Result<RawKey, CryptoError> {
        let key = match (self.defect, aead) {
            (D::Aes128Fails, Aead::Aes128Gcm) => Err(CryptoError::Failed),
            (D::Aes128Sometimes, Aead::Aes128Gcm) if !self.nth(D::Aes128Sometimes, 1) => {
                Err(CryptoError::Unsupported)
            }
            (D::NoAlgorithm, _) => Err(CryptoError::Unsupported),
            (D::KeyOfTheFirstPart, _) => self.inner.expand_key(prk, &info[..1], aead),
            _ => self.inner.expand_key(prk, info, aead),
        }?;
        self.keys.push(key.clone());
        Ok(key)
    }

    fn expand_bytes(&mut self, prk: &Prk, info: &[&[u8]], out: &mut [u8]) -> Result<(), CryptoError> {
        match self.defect {
            D::ExpandsNoMoreThan255 if out.len() > 255 => Err(CryptoError::Failed),
            D::ExpandsOneBlockOnly => {
                let block = out.len().min(32);
                self.inner.expand_bytes(prk, info, &mut out[..block])
            }
            D::ExpandsPastTheLimit => {
                let limit = out.len().min(8160);
                self.inner.expand_bytes(prk, info, &mut out[..limit])
            }
            D::ExpandsFirstPartOnly => self.inner.expand_bytes(prk, &info[..info.len().min(1)], out),
            D::ExpandsPartsApart => self.inner.expand_bytes(prk, &[&info.join(&0)], out),
            _ => self.inner.expand_bytes(prk, info, out),
        }
    }

    fn mac(&mut self, key: &Secret<HASH_LEN>, message: &[&[u8]]) -> Result<[u8; HASH_LEN], CryptoError> {
        match self.defect {
            D::MacOfAnotherKey | D::OtherMacs => self.inner.mac(&Secret::zero(), message),
            D::MacOfTheFirstPart => self.inner.mac(key, &message[..message.len().min(1)]),
            _ => self.inner.mac(key, message),
        }
    }

    fn seal(
        &mut self,
        key: &RawKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        let (mut nonce, mut aad) = (*nonce, aad);
        match self.defect {
            D::SealsWithShortNonce => nonce[11] = 0,
            D::SealsWithoutAad => aad = b"",
            D::SealsNoEmptyText if text.is_empty() => return Err(CryptoError::Failed),
            _ => {}
        }
        let mut tag = key.seal(&nonce, aad, text)?;
        if self.is(D::SealsWithShortTag) {
            tag[12..].fill(0);
        }
        // As a client there are four requests.
        if self.is(D::OtherTags) || self.nth(D::SealsFourTimes, 5) {
            tag[0] ^= 1;
        }
        Ok(tag)
    }

    fn open(
        &mut self,
        key: &RawKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        if self.is(D::OpensNoEmptyText) && text.is_empty() {
            return Err(CryptoError::Authentication);
        }
        let sealed = text.to_vec();
        let outcome = key.open(nonce, aad, text, tag);
        if outcome.is_ok() {
            return outcome;
        }
        // Counter mode is its own inverse.
        let mut plain = sealed.clone();
        key.seal(nonce, aad, &mut plain)?;
        let right = key.seal(nonce, aad, &mut plain.clone())?;
        let mut other = *nonce;
        other[11] ^= 1;
        match self.defect {
            D::OpensWithAnyTag => {
                text.copy_from_slice(&plain);
                Ok(())
            }
            D::OpensWithShortTag if tag[..12] == right[..12] => {
                text.copy_from_slice(&plain);
                Ok(())
            }
            D::OpensWithAnotherError => Err(CryptoError::Failed),
            D::TriesAnotherNonce => key.open(&other, aad, text, tag),
            D::TriesAnotherAad if !aad.is_empty() => key.open(nonce, &aad[..aad.len() - 1], text, tag),
            D::CorrectsTheText if text.len() > 32 => {
                text[32] ^= 0x80;
                key.open(nonce, aad, text, tag)
            }
            D::TriesEveryKey => self
                .keys
                .iter()
                .find_map(|key| key.open(nonce, aad, text, tag).ok())
                .ok_or(CryptoError::Authentication),
            D::ReleasesPlaintext => {
                text.copy_from_slice(&plain);
                Err(CryptoError::Authentication)
            }
            D::ReleasesTheSecondBlock if text.len() >= 32 => {
                text[16..32].copy_from_slice(&plain[16..32]);
                Err(CryptoError::Authentication)
            }
            _ => outcome,
        }
    }
}

//! What the chip does with a command.

use super::Shared;
use super::slots::{Kind, Slots};
use crate::frame::{Crc, Derived, HEADER_LEN, Header, MAX_LEN, NO_SLOT, Opcode, RECIPIENT, SLOTS, Status};
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, Aes256Gcm, KeyInit};
use aes_kw::KwAes256;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::elliptic_curve::sec1::ToSec1Point;
use rand_core::TryCryptoRng;
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex};
use std::vec;
use std::vec::Vec;
use zeroize::{Zeroize, Zeroizing};

/// What HKDF-Expand gives at the most (RFC 5869 §2.3).
const EXPAND: usize = 255 * 32;

/// So many draws that are no scalar, each of which has a chance of 2⁻³², are the generator's fault.
const DRAWS: usize = 8;

/// Bytes of an answer's payload at the most.
const MOST: usize = MAX_LEN - HEADER_LEN - 1;

pub(super) struct Core<R> {
    slots: Slots,
    rng: R,
    sample: bool,
    /// The last answer to a command that was carried out, with its sequence number.
    last: Option<(u8, Zeroizing<Vec<u8>>)>,
}

/// A frame, with the checksum at its end.
fn frame(header: Header, status: Status, payload: &[u8]) -> Vec<u8> {
    let length = payload.len().saturating_add(HEADER_LEN).saturating_add(1);
    let mut frame = Vec::with_capacity(length.saturating_add(4));
    frame.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    frame.extend_from_slice(&header.to_bytes());
    frame.push(status as u8);
    frame.extend_from_slice(payload);
    let mut crc = Crc::new();
    crc.update(&frame);
    frame.extend_from_slice(&crc.to_bytes());
    frame
}

/// The header and the payload of a command; `None` where it is garbled.
fn parse(command: &[u8]) -> Option<(Header, &[u8])> {
    let (frame, checksum) = command.split_last_chunk::<2>()?;
    let mut crc = Crc::new();
    crc.update(frame);
    let (length, rest) = frame.split_first_chunk::<2>()?;
    let (header, payload) = rest.split_first_chunk::<HEADER_LEN>()?;
    let whole = *checksum == crc.to_bytes() && usize::from(u16::from_be_bytes(*length)) == rest.len();
    (whole && rest.len() <= MAX_LEN).then(|| (Header::from_bytes(*header), payload))
}

impl<R: TryCryptoRng> Core<R> {
    /// `None` where the identity is no scalar.
    pub(super) fn new(identity: [u8; 32], rng: R, sample: bool, shared: Arc<Mutex<Shared>>) -> Option<Self> {
        p256::SecretKey::from_slice(&identity).ok()?;
        Some(Self { slots: Slots::new(&identity, shared), rng, sample, last: None })
    }

    /// Forgets all but the identity.
    pub(super) fn lose_power(&mut self) {
        self.slots.clear();
        self.last = None;
    }

    /// The answer of a chip that does not take a command.
    pub(super) fn busy(command: &[u8]) -> Vec<u8> {
        match parse(command) {
            Some((header, _)) => frame(header, Status::Busy, &[]),
            None => Vec::new(),
        }
    }

    /// Carries a command out, on slots that are `shift` further than it was told: the answer, and whether it was slow.
    pub(super) fn execute(&mut self, command: &[u8], shift: u8) -> (Vec<u8>, bool) {
        let Some((mut header, payload)) = parse(command) else {
            return (frame(Header::from_bytes([0; HEADER_LEN]), Status::Garbled, &[]), false);
        };
        header.key = shifted(header.key, shift);
        header.to = shifted(header.to, shift);
        let opcode = match Opcode::from_byte(header.opcode) {
            Some(Opcode::Repeat) => {
                let last = self.last.as_ref().filter(|(sequence, _)| *sequence == header.sequence);
                let answer = last.map(|(_, answer)| answer.to_vec());
                return (answer.unwrap_or_else(|| frame(header, Status::Forgotten, &[])), false);
            }
            Some(Opcode::Dump) if !self.sample => None,
            opcode => opcode,
        };
        let outcome =
            opcode.ok_or(Status::Malformed).and_then(|opcode| self.perform(opcode, header, payload));
        let answer = match outcome {
            Ok(payload) if payload.len() > MOST => frame(header, Status::Malformed, &[]),
            Ok(payload) => frame(header, Status::Done, &Zeroizing::new(payload)),
            Err(status) => frame(header, status, &[]),
        };
        self.last = Some((header.sequence, Zeroizing::new(answer.clone())));
        let is_slow = matches!(
            opcode,
            Some(
                Opcode::Generate
                    | Opcode::Agree
                    | Opcode::Receive
                    | Opcode::Sign
                    | Opcode::Verify
                    | Opcode::Public
            )
        );
        (answer, is_slow)
    }

    fn perform(&mut self, opcode: Opcode, header: Header, payload: &[u8]) -> Result<Vec<u8>, Status> {
        let Header { key, to, .. } = header;
        match opcode {
            Opcode::Reset => {
                self.slots.clear();
                Ok(vec![])
            }
            Opcode::Random => {
                let mut bytes = vec![0; usize::from(number(payload).ok_or(Status::Malformed)?.0)];
                self.rng.try_fill_bytes(&mut bytes).map_err(|_| Status::Random)?;
                Ok(bytes)
            }
            Opcode::Generate => {
                self.slots.check_empty(to)?;
                let mut scalar = Zeroizing::new([0; 32]);
                let key = (0..DRAWS).find_map(|_| match self.rng.try_fill_bytes(&mut *scalar) {
                    Ok(()) => p256::SecretKey::from_slice(&*scalar).ok().map(Ok),
                    Err(_) => Some(Err(Status::Random)),
                });
                let key = key.ok_or(Status::Random)??;
                let kind = if to == RECIPIENT { Kind::Recipient } else { Kind::Private };
                self.slots.put(to, kind, &*scalar)?;
                Ok(public_point(&key))
            }
            Opcode::Validate => point(payload).map(|_| vec![]),
            Opcode::Agree => {
                let private = self.slots.take(key, Kind::Private)?;
                let private = p256::SecretKey::from_slice(&private.bytes).map_err(|_| Status::Failed)?;
                let peer = point(payload)?;
                let z = p256::ecdh::diffie_hellman(private.to_nonzero_scalar(), peer.as_affine());
                self.slots.replace(key, Kind::SharedSecret, z.raw_secret_bytes());
                Ok(vec![])
            }
            Opcode::Receive => {
                let private = self.slots.read(key, &[Kind::Recipient])?;
                let private = p256::SecretKey::from_slice(&private.bytes).map_err(|_| Status::Failed)?;
                let peer = point(payload)?;
                let z = p256::ecdh::diffie_hellman(private.to_nonzero_scalar(), peer.as_affine());
                self.slots.put(to, Kind::SharedSecret, z.raw_secret_bytes())?;
                Ok(vec![])
            }
            Opcode::ConcatKdf => {
                let z = self.slots.take(key, Kind::SharedSecret)?;
                let hash = Sha256::new().chain_update([0, 0, 0, 1]).chain_update(&*z.bytes);
                let kek = Zeroizing::new(<[u8; 32]>::from(hash.chain_update(payload).finalize()));
                self.slots.replace(key, Kind::Kek, &*kek);
                Ok(vec![])
            }
            Opcode::Wrap => {
                let kek = self.slots.take(key, Kind::Kek)?;
                let (mut content, mut wrapped) = (Zeroizing::new([0; 32]), vec![0; 40]);
                self.rng.try_fill_bytes(&mut *content).map_err(|_| Status::Random)?;
                let kek = KwAes256::new_from_slice(&kek.bytes).map_err(|_| Status::Failed)?;
                kek.wrap_key(&*content, &mut wrapped).map_err(|_| Status::Failed)?;
                self.slots.replace(key, Kind::Aes256, &*content);
                Ok(wrapped)
            }
            Opcode::Unwrap => {
                let kek = self.slots.take(key, Kind::Kek)?;
                let mut content = Zeroizing::new([0; 32]);
                let wrapped: &[u8; 40] = payload.try_into().map_err(|_| Status::Malformed)?;
                let kek = KwAes256::new_from_slice(&kek.bytes).map_err(|_| Status::Failed)?;
                kek.unwrap_key(wrapped, &mut *content).map_err(|_| Status::Authentication)?;
                self.slots.replace(key, Kind::Aes256, &*content);
                Ok(vec![])
            }
            Opcode::Extract => {
                let z = self.slots.take(key, Kind::SharedSecret)?;
                let (mut prk, _) = Hkdf::<Sha256>::extract(Some(payload), &z.bytes);
                self.slots.replace(key, Kind::Prk, &prk);
                prk.zeroize();
                Ok(vec![])
            }
            Opcode::AsPrk => {
                let secret = Zeroizing::new(self.slots.read(key, &[Kind::Secret])?.bytes.to_vec());
                self.slots.put(to, Kind::Prk, &secret)?;
                Ok(vec![])
            }
            Opcode::Expand => {
                let (kind, info) = payload.split_first().ok_or(Status::Malformed)?;
                let kind = Derived::from_byte(*kind).ok_or(Status::Malformed)?;
                let mut out = Zeroizing::new(vec![0; if kind == Derived::Aes128 { 16 } else { 32 }]);
                self.expand(key, info, &mut out)?;
                self.slots.put(to, kind.into(), &out)?;
                Ok(vec![])
            }
            Opcode::ExpandBytes => {
                let (length, info) = number(payload).ok_or(Status::Malformed)?;
                let mut out = vec![0; usize::from(length)];
                self.expand(key, info, &mut out)?;
                Ok(out)
            }
            Opcode::Mac => {
                let key = self.slots.read(key, &[Kind::Secret])?;
                let mut mac =
                    <Hmac<Sha256> as KeyInit>::new_from_slice(&key.bytes).map_err(|_| Status::Failed)?;
                mac.update(payload);
                Ok(mac.finalize().into_bytes().to_vec())
            }
            Opcode::Seal => self.seal(key, payload),
            Opcode::Open => self.open(key, payload),
            Opcode::Sign => {
                let key = self.slots.read(key, &[Kind::Identity])?;
                let key = p256::ecdsa::SigningKey::from_slice(&key.bytes).map_err(|_| Status::Failed)?;
                let signature: p256::ecdsa::Signature = key.try_sign(payload).map_err(|_| Status::Failed)?;
                Ok(signature.to_bytes().to_vec())
            }
            Opcode::Public => {
                let key = self.slots.read(key, &[Kind::Identity, Kind::Recipient])?;
                let key = p256::SecretKey::from_slice(&key.bytes).map_err(|_| Status::Failed)?;
                Ok(public_point(&key))
            }
            Opcode::Verify => {
                let (key, rest) = payload.split_at_checked(65).ok_or(Status::Malformed)?;
                let (signature, message) = rest.split_at_checked(64).ok_or(Status::Malformed)?;
                let key = p256::ecdsa::VerifyingKey::from(point(key)?);
                let signature =
                    p256::ecdsa::Signature::from_slice(signature).map_err(|_| Status::Authentication)?;
                key.verify(message, &signature).map_err(|_| Status::Authentication)?;
                Ok(vec![])
            }
            Opcode::Erase => self.slots.erase(key).map(|()| vec![]),
            Opcode::Dump => {
                use Kind::{Aes128, Aes256, Identity, Kek, Private, Prk, Recipient, Secret, SharedSecret};
                let all = [Identity, Recipient, Private, SharedSecret, Prk, Secret, Aes128, Aes256, Kek];
                Ok(self.slots.read(key, &all)?.bytes.to_vec())
            }
            Opcode::Repeat => Err(Status::Malformed),
        }
    }

    fn expand(&self, key: u8, info: &[u8], out: &mut [u8]) -> Result<(), Status> {
        let prk = self.slots.read(key, &[Kind::Prk])?;
        if out.len() > EXPAND {
            return Err(Status::Malformed);
        }
        let hkdf = Hkdf::<Sha256>::from_prk(&prk.bytes).map_err(|_| Status::Failed)?;
        hkdf.expand(info, out).map_err(|_| Status::Failed)
    }

    fn seal(&self, key: u8, payload: &[u8]) -> Result<Vec<u8>, Status> {
        let key = self.slots.read(key, &[Kind::Aes128, Kind::Aes256])?;
        let (nonce, rest) = payload.split_first_chunk::<12>().ok_or(Status::Malformed)?;
        let (aad, text) = counted(rest).ok_or(Status::Malformed)?;
        let mut text = text.to_vec();
        let nonce = nonce.into();
        let tag =
            match key.kind {
                Kind::Aes128 => Aes128Gcm::new_from_slice(&key.bytes)
                    .map_err(|_| Status::Failed)?
                    .encrypt_inout_detached(nonce, aad, text.as_mut_slice().into()),
                _ => Aes256Gcm::new_from_slice(&key.bytes)
                    .map_err(|_| Status::Failed)?
                    .encrypt_inout_detached(nonce, aad, text.as_mut_slice().into()),
            };
        let mut answer = tag.map_err(|_| Status::Failed)?.to_vec();
        answer.append(&mut text);
        Ok(answer)
    }

    fn open(&self, key: u8, payload: &[u8]) -> Result<Vec<u8>, Status> {
        let key = self.slots.read(key, &[Kind::Aes128, Kind::Aes256])?;
        let (nonce, rest) = payload.split_first_chunk::<12>().ok_or(Status::Malformed)?;
        let (tag, rest) = rest.split_first_chunk::<16>().ok_or(Status::Malformed)?;
        let (aad, text) = counted(rest).ok_or(Status::Malformed)?;
        let mut text = text.to_vec();
        let (nonce, tag) = (nonce.into(), tag.into());
        let opened =
            match key.kind {
                Kind::Aes128 => Aes128Gcm::new_from_slice(&key.bytes)
                    .map_err(|_| Status::Failed)?
                    .decrypt_inout_detached(nonce, aad, text.as_mut_slice().into(), tag),
                _ => Aes256Gcm::new_from_slice(&key.bytes)
                    .map_err(|_| Status::Failed)?
                    .decrypt_inout_detached(nonce, aad, text.as_mut_slice().into(), tag),
            };
        opened.map_err(|_| Status::Authentication)?;
        Ok(text)
    }
}

/// A slot as a chip takes it whose address is `shift` off: of those of the host's keys, round about.
fn shifted(slot: u8, shift: u8) -> u8 {
    if shift == 0 || slot == NO_SLOT || slot == 0 || slot == RECIPIENT {
        return slot;
    }
    let moved = u16::from(slot).saturating_sub(1).saturating_add(u16::from(shift));
    let moved = moved.checked_rem(u16::from(SLOTS)).unwrap_or_default().saturating_add(1);
    u8::try_from(moved).unwrap_or(slot)
}

/// A number of two bytes, and what is behind it.
fn number(payload: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = payload.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*number), rest))
}

/// Bytes behind their length, and what is behind them.
fn counted(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = number(payload)?;
    rest.split_at_checked(usize::from(length))
}

/// A point of the curve, 0x04 ‖ x ‖ y.
fn point(bytes: &[u8]) -> Result<p256::PublicKey, Status> {
    match bytes {
        [4, ..] if bytes.len() == 65 => {
            p256::PublicKey::from_sec1_bytes(bytes).map_err(|_| Status::InvalidPoint)
        }
        _ => Err(Status::InvalidPoint),
    }
}

fn public_point(key: &p256::SecretKey) -> Vec<u8> {
    key.public_key().to_sec1_point(false).as_bytes().to_vec()
}

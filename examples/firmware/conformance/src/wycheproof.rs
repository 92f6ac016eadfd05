//! Project Wycheproof: ECDH over P-256 with uncompressed points, and ES256 as r ‖ s.

use crate::{Chosen, holds, pin};
use dynamic_key::Secret;
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::conformance::{Draws, Failure, Property};
use dynamic_key::crypto::software::Software;
use dynamic_key::crypto::{CryptoError, Provider};

include!(concat!(env!("OUT_DIR"), "/wycheproof.rs"));

/// What is to come of a key pair and a peer.
pub(crate) struct Agreement {
    number: usize,
    private: [[u8; 32]; 1],
    public: [u8; 65],
    /// `None` where the peer's key is invalid.
    z: Option<&'static [u8; 32]>,
}

/// What is to come of a signature.
pub(crate) struct Signature {
    number: usize,
    point: [u8; 65],
    message: &'static [u8],
    signature: [u8; 64],
    valid: bool,
}

/// Each Z is the published one, seen through HKDF, and each invalid key is refused as such.
pub(crate) fn agreements<C: Chosen>() -> Result<usize, Failure> {
    for case in AGREEMENTS {
        let check = || {
            let Ok(peer) = PublicKey::p256(case.public) else { return Ok(case.z.is_none()) };
            let mut provider = C::told(Draws::new(&case.private));
            let (key, _) = provider.generate(Group::P256)?;
            let agreed = provider.agree(key, &peer);
            let Some(z) = case.z else {
                let refused = provider.validate(&peer);
                return Ok(agreed.err() == Some(CryptoError::InvalidPublicKey)
                    && refused == Err(CryptoError::InvalidPublicKey));
            };
            provider.validate(&peer)?;
            let (mut ours, mut theirs) = ([0; 32], [0; 32]);
            let prk = provider.extract(b"salt", agreed?)?;
            provider.expand_bytes(&prk, &[], &mut ours)?;
            let mut software = Software::new(Draws::NONE);
            let prk = software.extract(b"salt", Secret::new(*z).into())?;
            software.expand_bytes(&prk, &[], &mut theirs)?;
            Ok(ours == theirs)
        };
        holds(Property::KnownAgreement, case.number, check())?;
    }
    Ok(AGREEMENTS.len())
}

/// Each signature is accepted or refused as published.
pub(crate) fn signatures<C: Chosen>() -> Result<usize, Failure> {
    for case in SIGNATURES {
        let check = || {
            let kid = pin(&case.point)?.kid();
            match C::verify(&case.point, &kid, case.message, &case.signature) {
                Ok(_) => Ok(case.valid),
                Err(CryptoError::Authentication) => Ok(!case.valid),
                Err(error) => Err(error),
            }
        };
        holds(Property::Verify, case.number, check())?;
    }
    Ok(SIGNATURES.len())
}

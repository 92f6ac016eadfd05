//! Whether a private key is left on the stack.

use crate::Chosen;
use crate::vectors::CASES;
use board::stack;
use dynamic_key::Secret;
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::conformance::{Draws, Failure, Property};
use dynamic_key::crypto::{CryptoError, Provider, Signer};

/// The order n of the group, big-endian.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
/// So many bytes of a key are no accident.
const PIECE: usize = 8;

/// Private keys without a structure, even and odd: the C code negates one kind.
static KEYS: [[[u8; 32]; 1]; 4] = [
    [[
        0xa2, 0xb2, 0x8f, 0xa7, 0x74, 0x3e, 0xc3, 0x1d, 0x78, 0x56, 0x3d, 0xa2, 0x52, 0x55, 0xdb, 0x2b, 0xb5,
        0xbc, 0xce, 0x21, 0x0e, 0xc6, 0x37, 0x5d, 0xb7, 0x39, 0x6b, 0xe3, 0xe1, 0xa2, 0x84, 0x1c,
    ]],
    [[
        0x55, 0xdb, 0x89, 0xe4, 0xcb, 0xe5, 0xb7, 0x2c, 0x03, 0x8e, 0xf0, 0x4d, 0xdd, 0x9a, 0x6a, 0xb5, 0xeb,
        0x1f, 0x06, 0x14, 0x21, 0xd5, 0x69, 0x16, 0xfa, 0xbc, 0x2e, 0x73, 0xbd, 0xba, 0xbc, 0x47,
    ]],
    [[
        0x3d, 0x2b, 0x5f, 0x5a, 0x33, 0xb5, 0x3a, 0x8d, 0x03, 0x03, 0x2d, 0x17, 0x3c, 0x37, 0x26, 0xf0, 0x16,
        0x9f, 0xa0, 0xba, 0xdc, 0xcf, 0xa0, 0xc0, 0xb5, 0xad, 0x27, 0x51, 0x81, 0x89, 0x34, 0x84,
    ]],
    [[
        0xed, 0x50, 0x1a, 0xf7, 0x7e, 0xc1, 0x11, 0xbb, 0x06, 0x7b, 0x5f, 0x43, 0x6d, 0xf2, 0x88, 0x18, 0x4a,
        0x8d, 0x03, 0xa5, 0x21, 0x9b, 0x17, 0x43, 0xad, 0x07, 0xd5, 0xf6, 0xcf, 0x42, 0xbe, 0xfd,
    ]],
];

/// Generates, agrees and signs with known keys, each on a painted stack, and looks below the stack pointer for the keys: as
/// drawn, and as the words that arithmetic is done with, of the key and of its negative. Returns the number of traces.
pub(crate) fn traces<C: Chosen>() -> Result<usize, Failure> {
    let mut found = 0;
    for (number, key) in KEYS.iter().enumerate() {
        found += holds_traces::<C>(key).map_err(|error| Failure {
            property: Property::KnownAgreement,
            case: number,
            error: Some(error.into()),
        })?;
    }
    Ok(found)
}

#[inline(never)]
fn holds_traces<C: Chosen>(key: &'static [[u8; 32]; 1]) -> Result<usize, CryptoError> {
    let [private] = key;
    let peer = PublicKey::from_spki(&CASES[0].server.1).map_err(|_| CryptoError::Failed)?;
    let mut identity = C::identity(&Secret::new(*private))?;
    let (mut first, mut second) = (C::told(Draws::new(key)), C::told(Draws::new(key)));
    let mut ephemeral = Some(first.generate(Group::P256)?.0);

    stack::peak(|| identity.sign(b"a message").map(drop)).0?;
    let mut found = usize::from(is_found(private, false) || is_found(private, true));
    let generated = stack::peak(|| {
        // Dropped where it is: to move it would leave a copy of ours.
        let outcome = second.generate(Group::P256);
        outcome.is_ok()
    });
    found += usize::from(!generated.0 || is_found(private, false) || is_found(private, true));
    stack::peak(|| match ephemeral.take() {
        Some(ephemeral) => first.agree(ephemeral, &peer).map(drop),
        None => Err(CryptoError::Failed),
    })
    .0?;
    // The key was moved here, by us; the negative of an even one is what the arithmetic works with.
    Ok(found + usize::from(is_found(private, true)))
}

#[inline(never)]
fn is_found(private: &[u8; 32], negative: bool) -> bool {
    (0..=32 - PIECE).step_by(PIECE).any(|start| {
        let (mut piece, mut borrow) = ([0; PIECE], 0);
        for at in (0..32).rev() {
            let difference = i16::from(ORDER[at]) - i16::from(private[at]) - borrow;
            borrow = i16::from(difference < 0);
            let byte = if negative { difference as u8 } else { private[at] };
            if (start..start + PIECE).contains(&at) {
                piece[at - start] = byte;
            }
        }
        let big_endian = stack::holds(&piece);
        piece.reverse();
        big_endian || stack::holds(&piece)
    })
}

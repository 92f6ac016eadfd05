//! Proof Key for Code Exchange (RFC 7636), with S256 only.

use super::TokenError;
use super::text::Text;
use crate::codec::base64;
use crate::codec::percent::is_unreserved;
use crate::crypto::hash::Sha256;
use crate::log::format_as;
use crate::secret::Secret;
use core::fmt;

/// A `code_verifier` (RFC 7636 §4.1): 43 to 128 characters of `[A-Za-z0-9._~-]`. Erased on drop, never printed.
pub struct CodeVerifier(Text<{ Self::MAX_LEN }>);

impl CodeVerifier {
    /// The fewest characters.
    pub const MIN_LEN: usize = 43;
    /// The most characters.
    pub const MAX_LEN: usize = 128;

    /// The 43 characters of base64url of 32 random bytes, as RFC 7636 recommends.
    ///
    /// # Security
    /// The bytes must come from a generator that is fit for keys, and serve for nothing else.
    #[must_use]
    pub fn from_random(random: &Secret<32>) -> Self {
        let mut verifier = Text::new();
        encode(random.as_bytes(), &mut verifier);
        Self(verifier)
    }

    /// Takes over a verifier. The caller erases its own copy.
    ///
    /// # Errors
    /// [`TokenError::InvalidConfiguration`] for another length or character.
    pub fn new(verifier: &str) -> Result<Self, TokenError> {
        let mut copy = Text::new();
        let valid = verifier.len() >= Self::MIN_LEN
            && verifier.bytes().all(is_unreserved)
            && copy.set(verifier.bytes()).is_some();
        if valid { Ok(Self(copy)) } else { Err(TokenError::InvalidConfiguration) }
    }

    /// Its `code_challenge` by S256 (RFC 7636 §4.2).
    #[must_use]
    pub fn challenge(&self) -> Challenge {
        let mut challenge = Text::new();
        encode(&Sha256::new(self.as_str().as_bytes()).finish(), &mut challenge);
        Challenge(challenge)
    }

    /// The verifier as text.
    ///
    /// # Security
    /// Whoever has it and the code gets the token: not to be logged.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// A `code_challenge`, 43 characters of base64url. It is public.
pub struct Challenge(Text<43>);

impl Challenge {
    /// The challenge as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether `verifier` is the one behind this challenge: what an issuer asks. It takes a time that does not tell.
    #[must_use]
    pub fn verifies(&self, verifier: &CodeVerifier) -> bool {
        self.0.ct_eq(verifier.challenge().as_str().as_bytes())
    }

    /// Takes over a challenge, as an issuer does.
    ///
    /// # Errors
    /// [`TokenError::Malformed`] where it is not 43 characters of canonical base64url.
    pub fn new(challenge: &str) -> Result<Self, TokenError> {
        let mut copy = Text::new();
        let hash = base64::url_decode(challenge.as_bytes(), &mut [0; 32]).is_ok_and(|hash| hash.len() == 32);
        let valid = hash && copy.set(challenge.bytes()).is_some();
        if valid { Ok(Self(copy)) } else { Err(TokenError::Malformed) }
    }
}

impl fmt::Debug for CodeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeVerifier(…)")
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Challenge").field(&self.as_str()).finish()
    }
}

format_as! { [] CodeVerifier, _ => "CodeVerifier(…)" }
format_as! { [] Challenge, challenge => "Challenge({})", challenge.as_str() }

/// Writes 32 bytes in base64url, 43 characters.
pub(super) fn encode<const N: usize>(bytes: &[u8; 32], to: &mut Text<N>) {
    let mut room = Secret::<43>::zero();
    let text = base64::url_encode_secret(bytes, room.as_mut_bytes()).unwrap_or_default();
    // There is room for 43 characters wherever this is used.
    let _ = to.set(text.bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    /// RFC 7636 appendix B.
    #[test]
    fn the_example_of_the_rfc_comes_out() {
        let random = Secret::new([
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105,
            214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
        ]);
        let verifier = CodeVerifier::from_random(&random);
        assert_eq!(verifier.as_str(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(verifier.challenge().as_str(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        let same = CodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        assert!(verifier.challenge().verifies(&same));
        let challenge = Challenge::new("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
        assert!(challenge.verifies(&same));
        let other = CodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl").unwrap();
        assert!(!challenge.verifies(&other));
    }

    #[test]
    fn a_verifier_has_43_to_128_unreserved_characters() {
        for (length, valid) in [(0, false), (42, false), (43, true), (128, true), (129, false)] {
            assert_eq!(CodeVerifier::new(&"a".repeat(length)).is_ok(), valid, "{length}");
        }
        for character in (0..=0x17f).filter_map(char::from_u32) {
            let verifier = format!("{}{character}", "a".repeat(60));
            let unreserved = character.is_ascii_alphanumeric() || "-._~".contains(character);
            assert_eq!(CodeVerifier::new(&verifier).is_ok(), unreserved, "{character:?}");
        }
    }

    #[test]
    fn a_challenge_is_the_canonical_base64url_of_a_hash() {
        let good = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(Challenge::new(good).is_ok());
        for bad in [
            "",
            &good[1..],
            &format!("{good}A"),
            &format!("{good}="),
            &good.replace('-', "+"),
            &good.replace("cM", "cN"),
        ] {
            assert_eq!(Challenge::new(bad).err(), Some(TokenError::Malformed), "{bad}");
        }
    }

    #[test]
    fn the_verifier_is_not_printed() {
        let verifier = CodeVerifier::new(&"a".repeat(43)).unwrap();
        assert_eq!(format!("{verifier:?}"), "CodeVerifier(…)");
    }
}

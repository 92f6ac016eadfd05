//! What a provider owes, and what it says when it does not hold.

use crate::error::Error;
use core::fmt;

/// What a provider, a signer or a verifier owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Property {
    /// The software provider on this machine gives the published answers. It is not under test, but what it is held against.
    Reference,
    /// [`Provider::fill`](crate::crypto::Provider::fill) draws every byte of a slice of any length anew.
    Random,
    /// A generated public key is a valid element of the group that was asked for.
    PublicKey,
    /// Each key pair is another.
    FreshKey,
    /// Both ends agree on the same Z, whoever is who.
    Agreement,
    /// Keys live side by side: one that is generated, expanded or drawn does not disturb the others.
    SideBySide,
    /// What was dropped, used or not, makes room.
    Room,
    /// Unusual, yet valid public keys are accepted.
    UnusualKey,
    /// [`Provider::validate`](crate::crypto::Provider::validate) refuses what is no valid public key as such.
    InvalidKeyValidated,
    /// [`Provider::agree`](crate::crypto::Provider::agree) refuses what is no valid public key as such.
    InvalidKeyAgreed,
    /// A group is supported, or said to be unsupported; a key of another group is refused.
    Groups,
    /// [`Provider::extract`](crate::crypto::Provider::extract) is HKDF-Extract, for a salt of any length.
    Extract,
    /// [`Provider::expand`](crate::crypto::Provider::expand) is HKDF-Expand.
    Expand,
    /// [`Provider::expand_bytes`](crate::crypto::Provider::expand_bytes) is HKDF-Expand, of 0 to 8160 bytes.
    ExpandBytes,
    /// More than 8160 bytes are refused.
    ExpandLimit,
    /// The parts of an info are joined.
    JoinedInfo,
    /// [`Provider::prk`](crate::crypto::Provider::prk) takes a secret as PRK.
    SecretAsPrk,
    /// [`Provider::mac`](crate::crypto::Provider::mac) is HMAC-SHA256.
    Mac,
    /// The parts of a message are joined.
    JoinedMessage,
    /// An AEAD algorithm is supported, or said to be unsupported, each time; one at least is supported.
    Algorithms,
    /// [`Provider::expand_key`](crate::crypto::Provider::expand_key) and [`Provider::seal`](crate::crypto::Provider::seal)
    /// give the ciphertext and the tag of AES-GCM.
    Seal,
    /// [`Provider::open`](crate::crypto::Provider::open) opens what the other end sealed.
    Open,
    /// Another tag is refused.
    WrongTag,
    /// Another nonce is refused.
    WrongNonce,
    /// Other associated data are refused.
    WrongAad,
    /// Another ciphertext is refused.
    WrongText,
    /// Another key is refused.
    WrongKey,
    /// What was refused releases no plaintext.
    PlaintextReleased,
    /// [`Signer::kid`](crate::crypto::Signer::kid) is the thumbprint of the public key.
    KeyId,
    /// A signature verifies.
    Sign,
    /// No two messages are signed with the same ECDSA nonce.
    SignatureNonce,
    /// A right signature is accepted, whichever half its s is in.
    Verify,
    /// A signature of another message is refused.
    WrongMessage,
    /// A signature under the id of a key that is not trusted is refused.
    WrongKeyId,
    /// A signature by another key is refused.
    WrongSigner,
    /// A signature with another r or s, or with one outside of 1 … n−1, is refused.
    WrongSignature,
    /// A trusted key that is no valid public key verifies nothing.
    InvalidTrustedKey,
    /// As a client: whole handshakes in every mode and scheme with the software gateway.
    ClientHandshake,
    /// As a gateway: whole handshakes in every mode and scheme with the software client.
    GatewayHandshake,
    /// As a client: sealed messages both ways with the software gateway, and changed ones refused.
    ClientMessages,
    /// As a gateway: sealed messages both ways with the software client, and changed ones refused.
    GatewayMessages,
    /// Both ends of a session export the same keys.
    Export,
    /// `Recipient::kid` is the thumbprint of the public key.
    RecipientKeyId,
    /// `Recipient::agree` agrees on the same Z as the other end, as often as it is asked.
    Received,
    /// `Recipient::agree` refuses what is no valid public key as such.
    InvalidKeyReceived,
    /// `KeyWrap::concat_kdf` is Concat KDF, its parts joined.
    ConcatKdf,
    /// `KeyWrap::pbkdf2` is PBKDF2, or said to be unsupported each time.
    Pbkdf2,
    /// `KeyWrap::wrap` wraps the content key that it returns as RFC 3394 says.
    Wrap,
    /// `KeyWrap::unwrap` unwraps what the other end wrapped.
    Unwrap,
    /// Each content key is another.
    FreshContentKey,
    /// A wrapped key that was changed, or wrapped with another key, is refused.
    WrongWrap,
    /// As a sender: encrypted messages reach the software recipient, and changed ones are refused.
    SentMessages,
    /// As a recipient: encrypted messages of the software sender arrive, and changed ones are refused.
    ReceivedMessages,
    /// As a sender: content packages reach the software recipient.
    SentPackages,
    /// As a recipient: content packages of the software sender arrive, and changed ones are refused.
    ReceivedPackages,
    /// A generated key is the one that the generator drew, big-endian, and the agreement has the published outcome.
    KnownAgreement,
    /// A drawn scalar outside of 1 … n−1 is drawn again.
    ScalarRange,
    /// A failing generator is an error.
    FailingGenerator,
}

impl Property {
    /// All of them.
    pub const ALL: [Self; 58] = [
        Self::Reference,
        Self::Random,
        Self::PublicKey,
        Self::FreshKey,
        Self::Agreement,
        Self::SideBySide,
        Self::Room,
        Self::UnusualKey,
        Self::InvalidKeyValidated,
        Self::InvalidKeyAgreed,
        Self::Groups,
        Self::Extract,
        Self::Expand,
        Self::ExpandBytes,
        Self::ExpandLimit,
        Self::JoinedInfo,
        Self::SecretAsPrk,
        Self::Mac,
        Self::JoinedMessage,
        Self::Algorithms,
        Self::Seal,
        Self::Open,
        Self::WrongTag,
        Self::WrongNonce,
        Self::WrongAad,
        Self::WrongText,
        Self::WrongKey,
        Self::PlaintextReleased,
        Self::KeyId,
        Self::Sign,
        Self::SignatureNonce,
        Self::Verify,
        Self::WrongMessage,
        Self::WrongKeyId,
        Self::WrongSigner,
        Self::WrongSignature,
        Self::InvalidTrustedKey,
        Self::ClientHandshake,
        Self::GatewayHandshake,
        Self::ClientMessages,
        Self::GatewayMessages,
        Self::Export,
        Self::RecipientKeyId,
        Self::Received,
        Self::InvalidKeyReceived,
        Self::ConcatKdf,
        Self::Pbkdf2,
        Self::Wrap,
        Self::Unwrap,
        Self::FreshContentKey,
        Self::WrongWrap,
        Self::SentMessages,
        Self::ReceivedMessages,
        Self::SentPackages,
        Self::ReceivedPackages,
        Self::KnownAgreement,
        Self::ScalarRange,
        Self::FailingGenerator,
    ];

    /// What holds of a provider that has the property: a sentence for a person.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Reference => "the software provider gives the published answers on this machine",
            Self::Random => "every byte of a random fill is drawn anew",
            Self::PublicKey => "a generated public key is valid and of the group that was asked for",
            Self::FreshKey => "each key pair is another",
            Self::Agreement => "both ends agree on the same secret",
            Self::SideBySide => "keys live side by side",
            Self::Room => "what was dropped makes room",
            Self::UnusualKey => "unusual, yet valid public keys are accepted",
            Self::InvalidKeyValidated => "validate refuses what is no valid public key as such",
            Self::InvalidKeyAgreed => "agree refuses what is no valid public key as such",
            Self::Groups => "a group is supported or said to be unsupported, and keys of another are refused",
            Self::Extract => "extract is HKDF-Extract for a salt of any length",
            Self::Expand => "expand is HKDF-Expand",
            Self::ExpandBytes => "expand_bytes is HKDF-Expand of 0 to 8160 bytes",
            Self::ExpandLimit => "expand_bytes refuses more than 8160 bytes",
            Self::JoinedInfo => "the parts of an info are joined",
            Self::SecretAsPrk => "prk takes a secret as PRK",
            Self::Mac => "mac is HMAC-SHA256",
            Self::JoinedMessage => "the parts of a message are joined",
            Self::Algorithms => {
                "an AEAD algorithm is supported or said to be unsupported each time, and one is supported"
            }
            Self::Seal => "expand_key and seal give the ciphertext and the tag of AES-GCM",
            Self::Open => "open opens what the other end sealed",
            Self::WrongTag => "another tag is refused",
            Self::WrongNonce => "another nonce is refused",
            Self::WrongAad => "other associated data are refused",
            Self::WrongText => "another ciphertext is refused",
            Self::WrongKey => "another key is refused",
            Self::PlaintextReleased => "what was refused releases no plaintext",
            Self::KeyId => "the signer's key id is the thumbprint of its public key",
            Self::Sign => "a signature verifies",
            Self::SignatureNonce => "no two messages are signed with the same nonce",
            Self::Verify => "a right signature is accepted",
            Self::WrongMessage => "a signature of another message is refused",
            Self::WrongKeyId => "a signature under an id that is not trusted is refused",
            Self::WrongSigner => "a signature by another key is refused",
            Self::WrongSignature => "another signature, or one out of range, is refused",
            Self::InvalidTrustedKey => "a trusted key that is no valid public key verifies nothing",
            Self::ClientHandshake => "whole handshakes succeed as a client",
            Self::GatewayHandshake => "whole handshakes succeed as a gateway",
            Self::ClientMessages => "messages pass both ways as a client, and changed ones are refused",
            Self::GatewayMessages => "messages pass both ways as a gateway, and changed ones are refused",
            Self::Export => "both ends of a session export the same keys",
            Self::RecipientKeyId => "the recipient's key id is the thumbprint of its public key",
            Self::Received => "a recipient agrees on the same secret as often as it is asked",
            Self::InvalidKeyReceived => "a recipient refuses what is no valid public key as such",
            Self::ConcatKdf => "concat_kdf is Concat KDF, and its parts are joined",
            Self::Pbkdf2 => "pbkdf2 is PBKDF2, or said to be unsupported each time",
            Self::Wrap => "wrap wraps the content key that it returns",
            Self::Unwrap => "unwrap unwraps what the other end wrapped",
            Self::FreshContentKey => "each content key is another",
            Self::WrongWrap => "a wrapped key that was changed, or wrapped with another key, is refused",
            Self::SentMessages => "encrypted messages reach another recipient",
            Self::ReceivedMessages => "encrypted messages arrive, and changed ones are refused",
            Self::SentPackages => "content packages reach another recipient",
            Self::ReceivedPackages => "content packages arrive, and changed ones are refused",
            Self::KnownAgreement => "the agreement of a drawn key has the published outcome",
            Self::ScalarRange => "a drawn scalar out of range is drawn again",
            Self::FailingGenerator => "a failing generator is an error",
        }
    }

    /// The property holds only if `holds`.
    pub(super) fn require(self, case: usize, holds: bool) -> Result<(), Failure> {
        if holds { Ok(()) } else { Err(Failure { property: self, case, error: None }) }
    }

    /// The property holds only if `outcome` is no error.
    pub(super) fn succeeds<T>(self, case: usize, outcome: Result<T, impl Into<Error>>) -> Result<T, Failure> {
        outcome.map_err(|error| Failure { property: self, case, error: Some(error.into()) })
    }

    /// The property holds only if `outcome` is no error, and true.
    #[cfg(feature = "jwe")]
    pub(super) fn holds(self, case: usize, outcome: Result<bool, impl Into<Error>>) -> Result<(), Failure> {
        self.require(case, self.succeeds(case, outcome)?)
    }

    /// The property holds only if `outcome` is this error.
    pub(super) fn refuses<T, E: Into<Error>>(
        self,
        case: usize,
        outcome: Result<T, E>,
        expected: impl Into<Error>,
    ) -> Result<(), Failure> {
        match outcome.map_err(Into::into) {
            Err(error) if error == expected.into() => Ok(()),
            Err(error) => Err(Failure { property: self, case, error: Some(error) }),
            Ok(_) => self.require(case, false),
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// A property that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub struct Failure {
    /// Which.
    pub property: Property,
    /// In which of its cases: their number in the source, or the length in bytes where there is one for each.
    pub case: usize,
    /// What was answered, where it was an error: none, where one was due, or another one.
    pub error: Option<Error>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it does not hold that {}, in case {}", self.property, self.case)?;
        match self.error {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for Failure {}

//! What can go wrong, before there is a provider and after.

use core::fmt;
use cryptoki::context::Function;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::MechanismType;
use dynamic_key::crypto::CryptoError;

/// A mechanism that a token may list (PKCS #11 calls them `CKM_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mechanism {
    /// `CKM_EC_KEY_PAIR_GEN`.
    EcKeyPairGen,
    /// `CKM_ECDH1_DERIVE`.
    Ecdh1Derive,
    /// `CKM_ECDSA`.
    Ecdsa,
    /// `CKM_HKDF_DERIVE`, of PKCS #11 3.0.
    HkdfDerive,
    /// `CKM_HKDF_DATA`, of PKCS #11 3.0.
    HkdfData,
    /// `CKM_SHA256_HMAC`.
    Sha256Hmac,
    /// `CKM_AES_GCM`.
    AesGcm,
}

impl Mechanism {
    /// Its name in PKCS #11.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EcKeyPairGen => "CKM_EC_KEY_PAIR_GEN",
            Self::Ecdh1Derive => "CKM_ECDH1_DERIVE",
            Self::Ecdsa => "CKM_ECDSA",
            Self::HkdfDerive => "CKM_HKDF_DERIVE",
            Self::HkdfData => "CKM_HKDF_DATA",
            Self::Sha256Hmac => "CKM_SHA256_HMAC",
            Self::AesGcm => "CKM_AES_GCM",
        }
    }

    pub(crate) const fn number(self) -> MechanismType {
        match self {
            Self::EcKeyPairGen => MechanismType::ECC_KEY_PAIR_GEN,
            Self::Ecdh1Derive => MechanismType::ECDH1_DERIVE,
            Self::Ecdsa => MechanismType::ECDSA,
            Self::HkdfDerive => MechanismType::HKDF_DERIVE,
            Self::HkdfData => MechanismType::HKDF_DATA,
            Self::Sha256Hmac => MechanismType::SHA256_HMAC,
            Self::AesGcm => MechanismType::AES_GCM,
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a token, a key in it or a provider on it cannot be had. It holds nothing of the PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// The module is no PKCS #11 library, or refuses to start.
    Module,
    /// No slot holds this token.
    NoToken,
    /// Several slots hold a token of this name.
    AmbiguousToken,
    /// The token refuses the PIN.
    PinIncorrect,
    /// The token refuses every PIN: too many were wrong, or it has expired.
    PinLocked,
    /// The token does not list a mechanism that is needed.
    MissingMechanism(Mechanism),
    /// No key pair of this use has this id, or its halves do not belong together.
    NoKey,
    /// The token failed.
    Token,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Module => f.write_str("the PKCS #11 module cannot be loaded or started"),
            Self::NoToken => f.write_str("no slot holds this token"),
            Self::AmbiguousToken => f.write_str("several slots hold a token of this name"),
            Self::PinIncorrect => f.write_str("the token refuses the PIN"),
            Self::PinLocked => f.write_str("the token's PIN is locked or has expired"),
            Self::MissingMechanism(mechanism) => write!(f, "the token lacks {mechanism}"),
            Self::NoKey => f.write_str("the token holds no such key pair"),
            Self::Token => f.write_str("the token failed"),
        }
    }
}

impl core::error::Error for OpenError {}

impl From<OpenError> for CryptoError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::MissingMechanism(_) => Self::Unsupported,
            _ => Self::Failed,
        }
    }
}

impl From<Error> for OpenError {
    fn from(error: Error) -> Self {
        match error {
            Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => {
                Self::PinIncorrect
            }
            Error::Pkcs11(RvError::PinLocked | RvError::PinExpired, _) => Self::PinLocked,
            Error::LibraryLoading(_)
            | Error::MissingSymbol(_)
            | Error::Pkcs11(_, Function::Initialize | Function::GetInterface | Function::GetFunctionList) => {
                Self::Module
            }
            _ => Self::Token,
        }
    }
}

/// `CKR_AEAD_DECRYPT_FAILED`, of PKCS #11 3.0, whose name the wrapper does not know.
const AEAD_DECRYPT_FAILED: RvError = RvError::UnknownErrorCode(0x42);

/// An error of the token as one of the provider, which says nothing of the data.
pub(crate) fn crypto(error: &Error) -> CryptoError {
    let Error::Pkcs11(value, function) = error else { return CryptoError::Failed };
    match (value, function) {
        (_, Function::GenerateRandom) => CryptoError::Random,
        (RvError::EncryptedDataInvalid | RvError::SignatureInvalid, _) => CryptoError::Authentication,
        (value, _) if *value == AEAD_DECRYPT_FAILED => CryptoError::Authentication,
        (
            RvError::MechanismInvalid
            | RvError::FunctionNotSupported
            | RvError::CurveNotSupported
            | RvError::KeySizeRange,
            _,
        ) => CryptoError::Unsupported,
        _ => CryptoError::Failed,
    }
}

/// Whether the session, its login or an object that it made is gone: what else it made cannot be relied on then.
pub(crate) const fn is_loss(error: &Error) -> bool {
    matches!(
        error,
        Error::Pkcs11(
            RvError::SessionClosed
                | RvError::SessionHandleInvalid
                | RvError::TokenNotPresent
                | RvError::TokenNotRecognized
                | RvError::DeviceRemoved
                | RvError::DeviceError
                | RvError::UserNotLoggedIn
                | RvError::KeyHandleInvalid
                | RvError::ObjectHandleInvalid
                | RvError::CryptokiNotInitialized,
            _
        )
    )
}

/// Whether a decryption that failed so may have failed for its tag: some tokens say no more (SoftHSM2).
pub(crate) const fn is_vague(error: &Error) -> bool {
    matches!(
        error,
        Error::Pkcs11(
            RvError::GeneralError | RvError::FunctionFailed | RvError::DataInvalid,
            Function::Decrypt
        )
    )
}

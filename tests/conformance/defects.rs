//! Each planted defect is found, and found as what it is; each property finds one.

use std::cell::Cell;

use dynamic_key::Secret;
use dynamic_key::conformance::Property as P;
use dynamic_key::conformance::{failing_generator, failing_wrap, known_answer};
use dynamic_key::crypto::software::{Identity, Software};

use super::broken::{Broken, Defect as D};
use super::broken_identity::{BrokenSigner, SignerDefect as S, VerifierDefect as V, broken_verify};
use super::broken_wrap::{BrokenRecipient, BrokenWrap, WrapDefect as W};
use super::support::Seeded;
use super::{PRIVATE, decrypts, run, run_wrap, verify};

const PROVIDERS: &[(D, P)] = &[
    (D::FillsNothing, P::Random),
    (D::FillsConstant, P::Random),
    (D::FillsWholeWordsOnly, P::Random),
    (D::PublicKeyOffTheCurve, P::PublicKey),
    (D::SameKeyEachTime, P::FreshKey),
    (D::PublicKeyOfAnother, P::Agreement),
    (D::OtherZ, P::Agreement),
    (D::OneSlotForKeys, P::SideBySide),
    (D::DroppedKeysStay, P::Room),
    (D::RefusesXOfZero, P::UnusualKey),
    (D::AgreesNotWithXOfZero, P::UnusualKey),
    (D::ValidatesNothing, P::InvalidKeyValidated),
    (D::ValidatesWithAnotherError, P::InvalidKeyValidated),
    (D::ReducesCoordinates, P::InvalidKeyValidated),
    (D::ReducesWhenAgreeing, P::InvalidKeyAgreed),
    (D::TakesZerosForInfinity, P::InvalidKeyValidated),
    (D::AgreesWithAnything, P::InvalidKeyAgreed),
    (D::AgreesWithAnotherError, P::InvalidKeyAgreed),
    (D::OtherGroupsFail, P::Groups),
    (D::OtherGroupsAreP256, P::Groups),
    #[cfg(feature = "ffdhe")]
    (D::OtherGroupsAreInvalid, P::Groups),
    (D::ExtractsWithoutSalt, P::Agreement),
    (D::ExtractsWithCutSalt, P::Extract),
    (D::ExpandsOtherSecrets, P::Expand),
    (D::ExpandsNoMoreThan255, P::ExpandBytes),
    (D::ExpandsOneBlockOnly, P::ExpandBytes),
    (D::ExpandsPastTheLimit, P::ExpandLimit),
    (D::ExpandsFirstPartOnly, P::JoinedInfo),
    (D::ExpandsPartsApart, P::JoinedInfo),
    (D::PrkOfZeros, P::SecretAsPrk),
    (D::MacOfAnotherKey, P::Mac),
    (D::MacOfTheFirstPart, P::JoinedMessage),
    (D::Aes128Fails, P::Algorithms),
    (D::Aes128Sometimes, P::Algorithms),
    (D::NoAlgorithm, P::Algorithms),
    (D::KeyOfTheFirstPart, P::Seal),
    (D::SealsWithShortNonce, P::Seal),
    (D::SealsWithoutAad, P::Seal),
    (D::SealsWithShortTag, P::Seal),
    (D::SealsNoEmptyText, P::Seal),
    (D::OpensNoEmptyText, P::Open),
    (D::OpensWithShortTag, P::WrongTag),
    (D::OpensWithAnyTag, P::WrongTag),
    (D::OpensWithAnotherError, P::WrongTag),
    (D::TriesAnotherNonce, P::WrongNonce),
    (D::TriesAnotherAad, P::WrongAad),
    (D::CorrectsTheText, P::WrongText),
    (D::TriesEveryKey, P::WrongKey),
    (D::ReleasesPlaintext, P::PlaintextReleased),
    (D::ReleasesTheSecondBlock, P::PlaintextReleased),
    (D::OtherExporter, P::Export),
];

/// Defects that the groups before would find, seen by whole handshakes alone.
const HANDSHAKES: &[(D, P)] = &[
    (D::OtherZ, P::ClientMessages),
    (D::OtherMacs, P::ClientHandshake),
    (D::AgreesFourTimes, P::GatewayHandshake),
    (D::OtherTags, P::ClientMessages),
    (D::SealsFourTimes, P::GatewayMessages),
    (D::OpensWithAnyTag, P::ClientMessages),
];

const GENERATORS: &[(D, P)] = &[
    (D::OtherZ, P::KnownAgreement),
    (D::LittleEndian, P::KnownAgreement),
    (D::NoScalarIsAnError, P::ScalarRange),
    (D::WithoutGenerator, P::FailingGenerator),
];

const SIGNERS: &[(S, P)] = &[
    (S::OtherKeyId, P::KeyId),
    (S::OtherMessage, P::Sign),
    (S::CutMessage, P::Sign),
    (S::SameNonce, P::SignatureNonce),
    (S::OtherIntroduction, P::ClientHandshake),
];

const VERIFIERS: &[(V, P)] = &[
    (V::RefusesEverything, P::Verify),
    (V::RefusesUpperHalf, P::Verify),
    (V::AcceptsEverything, P::WrongMessage),
    (V::AcceptsOtherMessages, P::WrongMessage),
    (V::FailsInstead, P::WrongMessage),
    (V::ForgetsTheKeyId, P::WrongKeyId),
    (V::TriesOtherKeys, P::WrongSigner),
    (V::AcceptsZeros, P::WrongSignature),
    (V::AcceptsTheOrder, P::WrongSignature),
    (V::CorrectsTheSignature, P::WrongSignature),
    (V::AcceptsInfinity, P::InvalidTrustedKey),
    (V::RefusesIntroductions, P::GatewayHandshake),
];

const WRAPS: &[(W, P)] = &[
    (W::OtherKeyId, P::RecipientKeyId),
    (W::AgreesOnce, P::Received),
    (W::RefusesXOfZero, P::UnusualKey),
    (W::ReceivesAnything, P::InvalidKeyReceived),
    (W::ReceivesWithAnotherError, P::InvalidKeyReceived),
    (W::KdfWithoutInfo, P::ConcatKdf),
    (W::KdfOfTheFirstPart, P::ConcatKdf),
    (W::KdfOfPartsApart, P::ConcatKdf),
    (W::OtherIterations, P::Pbkdf2),
    (W::CutPasswords, P::Pbkdf2),
    (W::PasswordsSometimes, P::Pbkdf2),
    (W::WrapsAnotherKey, P::Wrap),
    (W::SameContentKey, P::FreshContentKey),
    (W::UnwrapsAnotherKey, P::Unwrap),
    (W::UnwrapsAnything, P::WrongWrap),
    (W::UnwrapsWithAnotherError, P::WrongWrap),
    (W::OneContentKey, P::SideBySide),
    (W::KeksStay, P::Room),
    (W::SealsFewMessages, P::SentMessages),
    (W::OpensFewMessages, P::ReceivedMessages),
    (W::SealsFewPackages, P::SentPackages),
    (W::OpensFewPackages, P::ReceivedPackages),
];

fn identity() -> Identity {
    Identity::from_bytes(&Secret::new(PRIVATE)).unwrap()
}

#[test]
fn every_defect_of_a_provider_is_named() {
    for (defect, property) in PROVIDERS {
        let outcome = run(Broken::new(Seeded(1), *defect), identity(), verify, false);
        assert_eq!(outcome.map_err(|failure| failure.property), Err(*property), "{defect:?}: {outcome:?}");
    }
    for (defect, property) in HANDSHAKES {
        let outcome = run(Broken::new(Seeded(1), *defect), identity(), verify, true);
        assert_eq!(outcome.map_err(|failure| failure.property), Err(*property), "{defect:?}: {outcome:?}");
    }
}

#[test]
fn every_defect_in_the_use_of_a_generator_is_named() {
    for (defect, property) in GENERATORS {
        let make = |draws| Broken::new(draws, *defect);
        let outcome = known_answer(make).and_then(|()| failing_generator(make));
        assert_eq!(outcome.map_err(|failure| failure.property), Err(*property), "{defect:?}: {outcome:?}");
    }
}

#[test]
fn every_defect_of_a_key_wrap_or_a_recipient_is_named() {
    for (defect, property) in WRAPS {
        let recipient = BrokenRecipient(decrypts(), *defect, Cell::new(0));
        let outcome = run_wrap(BrokenWrap::new(Seeded(1), *defect), identity(), recipient);
        assert_eq!(outcome.map_err(|failure| failure.property), Err(*property), "{defect:?}: {outcome:?}");
    }
    let outcome = failing_wrap(|draws| BrokenWrap::new(draws, W::WrapsWithoutGenerator));
    assert_eq!(outcome.map_err(|failure| failure.property), Err(P::FailingGenerator));
}

#[test]
fn every_defect_of_a_signer_or_a_verifier_is_named() {
    for (defect, property) in SIGNERS {
        let outcome = run(Software::new(Seeded(1)), BrokenSigner(identity(), *defect), verify, false);
        assert_eq!(outcome.map_err(|failure| failure.property), Err(*property), "{defect:?}: {outcome:?}");
    }
    for (defect, property) in VERIFIERS {
        let verify = |point: &_, kid: &_, message: &[u8], signature: &_| {
            broken_verify(*defect, point, kid, message, signature)
        };
        let outcome = run(Software::new(Seeded(1)), identity(), verify, false);
        assert_eq!(outcome.map_err(|failure| failure.property), Err(*property), "{defect:?}: {outcome:?}");
    }
}

#[test]
fn every_property_has_a_defect_that_it_names() {
    let named = [PROVIDERS, HANDSHAKES, GENERATORS].concat();
    let named = named.iter().map(|(_, property)| *property);
    let named = named.chain(WRAPS.iter().map(|(_, property)| *property));
    let named = named.chain(SIGNERS.iter().map(|(_, property)| *property));
    let named: Vec<_> = named.chain(VERIFIERS.iter().map(|(_, property)| *property)).collect();
    // The software provider cannot be broken from here.
    let all = P::ALL.into_iter().filter(|property| *property != P::Reference);
    let without: Vec<_> = all.filter(|property| !named.contains(property)).collect();
    assert!(without.is_empty(), "{without:?}");
}

//! The conformance kit and the vectors on the microcontroller: one image for each provider, which says what it ran and exits
//! with 0 when all of it holds.
#![no_std]
#![forbid(unsafe_code)]

mod erasure;
mod table;
mod vectors;
mod wycheproof;

use board::random::Repeatable;
use board::semihosting::{print, print_number};
use dynamic_key::Secret;
use dynamic_key::conformance::{
    self, Bench, Draws, Failure, Property, ROOM, Subject, failing_generator, failing_wrap, known_answer,
};
use dynamic_key::crypto::software::{self, PinnedKey};
use dynamic_key::crypto::{CryptoError, KeyId, KeyWrap, Recipient, Signature, Signer, Verified};

/// What has to be made of a provider to test it.
pub trait Chosen {
    /// The provider, over two generators.
    type Provider: KeyWrap<SharedSecret = <Self::Recipient as Recipient>::SharedSecret>;
    /// The same over a generator that says what it is told.
    type Told: KeyWrap;
    /// The provider that knows one AEAD algorithm only.
    type Narrow: KeyWrap<SharedSecret = <Self::Recipient as Recipient>::SharedSecret>;
    /// An identity.
    type Identity: Signer;
    /// A key that is encrypted to.
    type Recipient: Recipient;

    /// Its name.
    const NAME: &'static str;
    /// How many traces of keys it may leave on the stack.
    const TRACES: usize;

    /// A provider.
    fn provider(rng: Repeatable) -> Self::Provider;
    /// A provider over what it is told.
    fn told(draws: Draws) -> Self::Told;
    /// A provider of one AEAD algorithm.
    fn narrow(rng: Repeatable) -> Self::Narrow;
    /// The identity with this private key.
    ///
    /// # Errors
    /// [`CryptoError::Failed`] when it is out of range.
    fn identity(private: &Secret<32>) -> Result<Self::Identity, CryptoError>;
    /// The key that is encrypted to with this private key.
    ///
    /// # Errors
    /// As [`Chosen::identity`].
    fn recipient(private: &Secret<32>) -> Result<Self::Recipient, CryptoError>;
    /// Verifies by the one key that is trusted.
    ///
    /// # Errors
    /// [`CryptoError::Authentication`].
    fn verify(
        point: &[u8; 65],
        kid: &KeyId,
        message: &[u8],
        signature: &Signature,
    ) -> Result<Verified, CryptoError>;
}

/// Runs all, prints what failed, and returns the exit code.
#[must_use]
pub fn run<C: Chosen>() -> u32 {
    print(C::NAME);
    print("\n");
    let mut failed = 0;
    let mut report = |name: &str, outcome: Result<usize, Failure>| {
        print(name);
        match outcome {
            Ok(count) => {
                print(": ");
                print_number(count as u64);
                print("\n");
            }
            Err(failure) => {
                failed += 1;
                print(": FAILED: it does not hold that ");
                print(failure.property.text());
                print(", in case ");
                print_number(failure.case as u64);
                print("\n");
            }
        }
    };
    let all = |outcome: Result<(), Failure>| outcome.map(|()| 1);
    // Before the stack has other things.
    let traces = erasure::traces::<C>();
    report("traces of keys on the stack", traces);

    report("the conformance kit", all(kit::<C, _>(C::provider(Repeatable::new(1)))));
    report("the conformance kit, one algorithm", all(kit::<C, _>(C::narrow(Repeatable::new(1)))));
    report("known answers", all(known_answer(C::told)));
    report("a failing generator", all(failing_generator(C::told).and_then(|()| failing_wrap(C::told))));
    report("the same signatures as software", same_signatures::<C>());
    report("cases of the table", table::play::<C>());
    report("agreements of the vectors", vectors::agreements::<C>());
    report("signatures of the vectors", vectors::signatures::<C>());
    report("agreements of Wycheproof", wycheproof::agreements::<C>());
    report("signatures of Wycheproof", wycheproof::signatures::<C>());
    if traces.is_ok_and(|found| found > C::TRACES) {
        print("FAILED: keys are left on the stack\n");
        failed += 1;
    }
    failed
}

fn kit<C, P>(mut provider: P) -> Result<(), Failure>
where
    C: Chosen,
    P: KeyWrap<SharedSecret = <C::Recipient as Recipient>::SharedSecret>,
{
    let private = Secret::new([0x51; 32]);
    let property = Property::Sign;
    let failure = |error: CryptoError| Failure { property, case: 0, error: Some(error.into()) };
    let mut signer = C::identity(&private).map_err(failure)?;
    let software = software::Identity::from_bytes(&private).map_err(failure)?;
    let point = *software.public().map_err(failure)?.point();
    let mut subject = Subject { provider: &mut provider, signer: &mut signer, point, verify: C::verify };
    let mut room = [0; ROOM];
    let mut bench = Bench::new(Repeatable::new(2), &mut room);
    conformance::run_all(&mut subject, &mut bench)?;

    let private = Secret::new([0x52; 32]);
    let mut recipient = C::recipient(&private).map_err(failure)?;
    let software =
        software::RecipientKey::from_bytes(&private).and_then(|key| key.public()).map_err(failure)?;
    let point = software.as_bytes().try_into().map_err(|_| failure(CryptoError::Failed))?;
    conformance::key_wrap(subject.provider, &mut recipient, &point, &mut bench)?;
    conformance::packages(&mut subject, &mut recipient, &point, &mut bench)
}

/// RFC 6979 leaves no choice: byte for byte what the software signs, with keys all over the range.
fn same_signatures<C: Chosen>() -> Result<usize, Failure> {
    const KEYS: usize = 16;
    let mut keys = Repeatable::new(3);
    for case in 0..KEYS {
        let mut signed = || {
            let mut private = Secret::<32>::zero();
            let Ok(()) = rand_core::TryRng::try_fill_bytes(&mut keys, private.as_mut_bytes());
            let (mut ours, mut theirs) = (C::identity(&private)?, software::Identity::from_bytes(&private)?);
            let message = &[0x24; 64][..case * 4];
            let (signature, expected) = (ours.sign(message)?, theirs.sign(message)?);
            Ok::<_, CryptoError>(ours.kid() == theirs.kid() && signature == expected)
        };
        holds(Property::Sign, case, signed())?;
    }
    Ok(KEYS)
}

/// A check that is not one of the kit's own.
fn holds(property: Property, case: usize, outcome: Result<bool, CryptoError>) -> Result<(), Failure> {
    match outcome {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure { property, case, error: None }),
        Err(error) => Err(Failure { property, case, error: Some(error.into()) }),
    }
}

/// The pinned key with this point.
fn pin(point: &[u8; 65]) -> Result<PinnedKey, CryptoError> {
    PinnedKey::from_point(point)
}

/// The image that tests the provider of this name in a module with an `Identity` and `Pins`.
#[macro_export]
macro_rules! image {
    ($name:literal, $provider:ident, $module:path, traces: $traces:expr) => {
        use $module as chosen;

        struct Image;

        impl conformance::Chosen for Image {
            type Provider = chosen::$provider<board::random::Repeatable>;
            type Told = chosen::$provider<dynamic_key::conformance::Draws>;
            type Narrow =
                chosen::$provider<board::random::Repeatable, dynamic_key::crypto::software::RawAes256Key>;
            type Identity = chosen::Identity;
            type Recipient = chosen::RecipientKey;

            const NAME: &'static str = $name;
            const TRACES: usize = $traces;

            fn provider(rng: board::random::Repeatable) -> Self::Provider {
                chosen::$provider::new(rng)
            }
            fn told(draws: dynamic_key::conformance::Draws) -> Self::Told {
                chosen::$provider::new(draws)
            }
            fn narrow(rng: board::random::Repeatable) -> Self::Narrow {
                chosen::$provider::aes256(rng)
            }
            fn identity(
                private: &dynamic_key::Secret<32>,
            ) -> Result<Self::Identity, dynamic_key::crypto::CryptoError> {
                chosen::Identity::from_bytes(private)
            }
            fn recipient(
                private: &dynamic_key::Secret<32>,
            ) -> Result<Self::Recipient, dynamic_key::crypto::CryptoError> {
                chosen::RecipientKey::from_bytes(private)
            }
            fn verify(
                point: &[u8; 65],
                kid: &dynamic_key::crypto::KeyId,
                message: &[u8],
                signature: &dynamic_key::crypto::Signature,
            ) -> Result<dynamic_key::crypto::Verified, dynamic_key::crypto::CryptoError> {
                let pins = [dynamic_key::crypto::software::PinnedKey::from_point(point)?];
                dynamic_key::crypto::Verifier::verify(&mut chosen::Pins(&pins), kid, message, signature)
            }
        }

        #[cortex_m_rt::entry]
        fn main() -> ! {
            board::semihosting::exit(conformance::run::<Image>())
        }
    };
}

//! Chips on the bench.

use crate::rows::End;
use crate::support::{Guest, House, Seeded, Soft};
use dynamic_key::crypto::software::{Identity, PinnedKey, Pins, Software};
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use dynamic_key_secure_element::chip::{Bus, BusError, Chip, Make};
use dynamic_key_secure_element::frame::{Crc, Header, SLOTS, Status};
use dynamic_key_secure_element::{ElementProvider, ElementSigner, ElementVerifier, SecureElement};
use embedded_io::{ErrorType, Read, Write};
use rand_core::TryCryptoRng;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// The private key of the chips' identity, as their maker knows it.
pub(crate) fn scalar() -> [u8; 32] {
    *Identity::generate(&mut Seeded(0x5ca1a4)).unwrap().to_bytes().as_bytes()
}

pub(crate) type Element = SecureElement<Bus>;
pub(crate) type ChipGuest =
    Guest<ElementProvider<'static, Bus>, ElementVerifier<'static, Bus>, ElementSigner<'static, Bus>>;
pub(crate) type ChipHouse = House<ElementProvider<'static, Bus>, ElementSigner<'static, Bus>>;

/// A chip, and the host's end, which lives as long as the test.
pub(crate) fn chip_over<R: TryCryptoRng + Send + 'static>(rng: R, make: Make) -> (Chip, &'static Element) {
    let (chip, bus) = Chip::power_on(scalar(), rng, make).unwrap();
    (chip, Box::leak(Box::new(SecureElement::new(bus).unwrap())))
}

pub(crate) fn chip(seed: u64) -> (Chip, &'static Element) {
    chip_over(Seeded(seed), Make::default())
}

/// The chip as one end.
pub(crate) struct InChip {
    pub(crate) chip: Chip,
    pub(crate) element: &'static Element,
}

impl InChip {
    pub(crate) fn new(seed: u64) -> Self {
        let (chip, element) = chip(seed);
        Self { chip, element }
    }

    /// Nothing is left in the chip.
    pub(crate) fn check_empty(&self, case: &dyn fmt::Debug) {
        assert_eq!(self.element.tidy(), Ok(()), "{case:?}");
        assert_eq!((self.chip.occupied(), self.element.free_slots()), (0, SLOTS), "{case:?}");
    }

    /// A device whose keys are in the chip.
    pub(crate) fn guest(&self, mode: Mode, scheme: Scheme, pin: PinnedKey) -> ChipGuest {
        let verifier = self.verifier(Vec::leak(vec![pin]));
        Guest::new(mode, scheme, self.provider(), verifier, Some(self.signer().0))
    }

    /// A gateway whose keys are in the chip.
    pub(crate) fn house(&self) -> ChipHouse {
        House::new(self.provider(), Some(self.signer()))
    }
}

impl End for InChip {
    type Provider = ElementProvider<'static, Bus>;
    type Signer = ElementSigner<'static, Bus>;
    type Verifier = ElementVerifier<'static, Bus>;

    fn provider(&self) -> Self::Provider {
        self.element.provider()
    }
    fn signer(&self) -> (Self::Signer, PinnedKey) {
        let signer = self.element.signer().unwrap();
        (signer, signer.public())
    }
    fn verifier(&self, pins: &'static [PinnedKey]) -> Self::Verifier {
        self.element.verifier(pins)
    }
    fn has(&self, scheme: Scheme) -> bool {
        Scheme::ELLIPTIC.contains(&scheme)
    }
    fn check(&self, case: &dyn fmt::Debug) {
        self.check_empty(case);
    }
}

/// The software provider as the other end, with an identity of this seed.
pub(crate) struct InSoftware(pub(crate) u64);

impl InSoftware {
    pub(crate) fn house(&self) -> House<Soft, Identity> {
        House::new(self.provider(), Some(self.signer()))
    }

    pub(crate) fn guest(
        &self,
        mode: Mode,
        scheme: Scheme,
        pin: PinnedKey,
    ) -> Guest<Soft, Pins<'static>, Identity> {
        let verifier = self.verifier(Vec::leak(vec![pin]));
        Guest::new(mode, scheme, self.provider(), verifier, Some(self.signer().0))
    }
}

impl End for InSoftware {
    type Provider = Soft;
    type Signer = Identity;
    type Verifier = Pins<'static>;

    fn provider(&self) -> Soft {
        Software::new(Seeded(self.0))
    }
    fn signer(&self) -> (Identity, PinnedKey) {
        let identity = Identity::generate(&mut Seeded(!self.0)).unwrap();
        let key = identity.public().unwrap();
        (identity, key)
    }
    fn verifier(&self, pins: &'static [PinnedKey]) -> Pins<'static> {
        Pins(pins)
    }
    fn has(&self, scheme: Scheme) -> bool {
        Scheme::SOFTWARE.contains(&scheme)
    }
    fn check(&self, _: &dyn fmt::Debug) {}
}

/// The modes and schemes of whole sessions.
pub(crate) fn all() -> impl Iterator<Item = (Mode, Scheme)> {
    [
        (Mode::Plain, Scheme::EcAes2),
        (Mode::Confirmed, Scheme::EcAes1),
        (Mode::Confirmed, Scheme::EcAes2),
        (Mode::Pinned, Scheme::EcAes1),
        (Mode::Pinned, Scheme::EcAes2),
        (Mode::Mutual, Scheme::EcAes1),
        (Mode::Mutual, Scheme::EcAes2),
    ]
    .into_iter()
}

/// A bus that the test may speak on, too.
#[derive(Clone)]
pub(crate) struct Tapped(Rc<RefCell<Bus>>);

impl ErrorType for Tapped {
    type Error = BusError;
}

impl Read for Tapped {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, BusError> {
        self.0.borrow_mut().read(out)
    }
}

impl Write for Tapped {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, BusError> {
        self.0.borrow_mut().write(bytes)
    }
    fn flush(&mut self) -> Result<(), BusError> {
        self.0.borrow_mut().flush()
    }
}

impl Tapped {
    pub(crate) fn new(bus: Bus) -> Self {
        Self(Rc::new(RefCell::new(bus)))
    }

    /// Sends these bytes as one frame: what comes back.
    pub(crate) fn send(&mut self, frame: &[u8]) -> Vec<u8> {
        self.write_all(frame).unwrap();
        self.flush().unwrap();
        let mut answer = vec![0; 20_000];
        let length = self.read(&mut answer).unwrap_or_default();
        answer.truncate(length);
        answer
    }

    /// Sends a command: the status of the answer, and its payload.
    pub(crate) fn ask(&mut self, opcode: u8, key: u8, to: u8, payload: &[u8]) -> (Status, Vec<u8>) {
        let header = Header { sequence: 0xee, opcode, key, to }.to_bytes();
        let length = u16::try_from(header.len() + payload.len()).unwrap().to_be_bytes();
        let mut frame = [&length[..], &header, payload].concat();
        let mut crc = Crc::new();
        crc.update(&frame);
        frame.extend_from_slice(&crc.to_bytes());
        let answer = self.send(&frame);
        assert_eq!(answer[2..6], header);
        (Status::from_byte(answer[6]).unwrap(), answer[7..answer.len() - 2].to_vec())
    }
}

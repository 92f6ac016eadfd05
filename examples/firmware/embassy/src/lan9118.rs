//! The board's Ethernet controller, an SMSC LAN9118, as a driver of `embassy-net`.

use crate::interrupts::{self, Interrupt};
use crate::register::Register;
use core::task::Context;
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;

const BASE: usize = 0x4020_0000;
const RX_DATA: Register = Register(BASE);
const TX_DATA: Register = Register(BASE + 0x20);
const RX_STATUS: Register = Register(BASE + 0x40);
const TX_STATUS: Register = Register(BASE + 0x48);
const IRQ_CFG: Register = Register(BASE + 0x54);
const INT_STS: Register = Register(BASE + 0x58);
const INT_EN: Register = Register(BASE + 0x5C);
const BYTE_TEST: Register = Register(BASE + 0x64);
const FIFO_INT: Register = Register(BASE + 0x68);
const RX_CFG: Register = Register(BASE + 0x6C);
const TX_CFG: Register = Register(BASE + 0x70);
const HW_CFG: Register = Register(BASE + 0x74);
const RX_FIFO_INF: Register = Register(BASE + 0x7C);
const TX_FIFO_INF: Register = Register(BASE + 0x80);
const MAC_CSR_CMD: Register = Register(BASE + 0xA4);
const MAC_CSR_DATA: Register = Register(BASE + 0xA8);

/// Registers behind `MAC_CSR_CMD`.
const MAC_CR: u32 = 1;
const ADDRH: u32 = 2;
const ADDRL: u32 = 3;

const MAC_BUSY: u32 = 1 << 31;
const MAC_RECEIVE: u32 = 1 << 2;
const MAC_TRANSMIT: u32 = 1 << 3;
const SOFT_RESET: u32 = 1;
const MUST_BE_ONE: u32 = 1 << 20;
const TX_ON: u32 = 1 << 1;
/// On, active high, push-pull.
const IRQ_ON: u32 = 0x111;
/// More entries in the status FIFO of received frames than its level, which is none.
const RECEIVED: u32 = 1 << 3;
const RX_ERROR: u32 = 1 << 15;
const FIRST_AND_LAST: u32 = 0b11 << 12;

/// The longest frame, without its CRC, and the room for one.
const FRAME: usize = 1514;
const ROOM: usize = 1536;

static WAKER: AtomicWaker = AtomicWaker::new();

pub(crate) extern "C" fn interrupted() {
    // Until its reader has emptied it.
    INT_EN.write(0);
    WAKER.wake();
}

/// The controller. There is one.
pub struct Lan9118 {
    address: [u8; 6],
    incoming: [u8; ROOM],
    outgoing: [u8; ROOM],
}

impl Lan9118 {
    /// Resets the controller and gives it this address; `None` if it is not there.
    #[must_use]
    pub fn start(address: [u8; 6]) -> Option<Self> {
        if BYTE_TEST.read() != 0x8765_4321 {
            return None;
        }
        HW_CFG.write(SOFT_RESET);
        while HW_CFG.read() & SOFT_RESET != 0 {}
        HW_CFG.write(MUST_BE_ONE | 5 << 16);
        let [a, b, c, d, e, f] = address;
        mac(ADDRL, u32::from_le_bytes([a, b, c, d]));
        mac(ADDRH, u32::from_le_bytes([e, f, 0, 0]));
        RX_CFG.write(0);
        TX_CFG.write(TX_ON);
        mac(MAC_CR, MAC_RECEIVE | MAC_TRANSMIT);
        FIFO_INT.write(0);
        INT_STS.write(u32::MAX);
        IRQ_CFG.write(IRQ_ON);
        interrupts::enable(Interrupt::Ethernet);
        Some(Self { address, incoming: [0; ROOM], outgoing: [0; ROOM] })
    }

    /// Reads the next frame that is sound, and says how long it is.
    fn read(&mut self) -> Option<usize> {
        while RX_FIFO_INF.read() >> 16 & 0xFF > 0 {
            let status = RX_STATUS.read();
            let with_crc = (status >> 16 & 0x3FFF) as usize;
            for at in 0..with_crc.div_ceil(4) {
                let word = RX_DATA.read().to_le_bytes();
                if let Some(place) = self.incoming.get_mut(4 * at..4 * at + 4) {
                    place.copy_from_slice(&word);
                }
            }
            let length = with_crc.saturating_sub(4);
            if status & RX_ERROR == 0 && length <= FRAME {
                return Some(length);
            }
        }
        None
    }

    fn has_room() -> bool {
        while TX_FIFO_INF.read() >> 16 & 0xFF > 0 {
            // How a frame fared is of no interest: who misses it will say so.
            TX_STATUS.read();
        }
        TX_FIFO_INF.read() & 0xFFFF >= ROOM as u32
    }
}

/// Writes a register of the MAC.
fn mac(register: u32, value: u32) {
    MAC_CSR_DATA.write(value);
    MAC_CSR_CMD.write(MAC_BUSY | register);
    while MAC_CSR_CMD.read() & MAC_BUSY != 0 {}
}

impl Driver for Lan9118 {
    type RxToken<'a> = Incoming<'a>;
    type TxToken<'a> = Outgoing<'a>;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Incoming<'_>, Outgoing<'_>)> {
        if !Self::has_room() {
            context.waker().wake_by_ref();
            return None;
        }
        WAKER.register(context.waker());
        let length = self.read().or_else(|| {
            // What comes between the look and this interrupts at once.
            INT_STS.write(RECEIVED);
            INT_EN.write(RECEIVED);
            self.read()
        })?;
        Some((Incoming(self.incoming.get_mut(..length)?), Outgoing(&mut self.outgoing)))
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> Option<Outgoing<'_>> {
        if !Self::has_room() {
            context.waker().wake_by_ref();
            return None;
        }
        Some(Outgoing(&mut self.outgoing))
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = FRAME;
        capabilities.max_burst_size = Some(1);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.address)
    }
}

/// A frame that has come.
pub struct Incoming<'a>(&'a mut [u8]);

impl RxToken for Incoming<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, take: F) -> R {
        take(self.0)
    }
}

/// Room for a frame that goes.
pub struct Outgoing<'a>(&'a mut [u8; ROOM]);

impl TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let length = length.min(FRAME);
        let result = fill(&mut self.0[..length]);
        TX_DATA.write(FIRST_AND_LAST | length as u32);
        TX_DATA.write(length as u32);
        for word in self.0[..length.next_multiple_of(4)].as_chunks().0 {
            TX_DATA.write(u32::from_le_bytes(*word));
        }
        result
    }
}

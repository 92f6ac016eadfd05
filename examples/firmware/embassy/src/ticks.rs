//! Time: the CMSDK timer 1 interrupts ten thousand times a second.

use crate::interrupts::{self, Interrupt};
use crate::register::Register;
use core::cell::{Cell, RefCell};
use core::task::Waker;
use critical_section::Mutex;
use embassy_time::TICK_HZ;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

const CONTROL: Register = Register(0x4000_1000);
const VALUE: Register = Register(0x4000_1004);
const RELOAD: Register = Register(0x4000_1008);
const INTERRUPT: Register = Register(0x4000_100C);

const ENABLE: u32 = 1;
const ENABLE_INTERRUPT: u32 = 1 << 3;

struct Ticks {
    now: Mutex<Cell<u64>>,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static TICKS: Ticks = Ticks {
    now: Mutex::new(Cell::new(0)),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl Driver for Ticks {
    fn now(&self) -> u64 {
        critical_section::with(|cs| self.now.borrow(cs).get())
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| self.queue.borrow(cs).borrow_mut().schedule_wake(at, waker));
    }
}

/// Starts time.
pub fn start() {
    let reload = board::timer::FREQUENCY / TICK_HZ as u32 - 1;
    RELOAD.write(reload);
    VALUE.write(reload);
    CONTROL.write(ENABLE | ENABLE_INTERRUPT);
    interrupts::enable(Interrupt::Tick);
}

pub(crate) extern "C" fn tick() {
    INTERRUPT.write(1);
    critical_section::with(|cs| {
        let now = TICKS.now.borrow(cs).get() + 1;
        TICKS.now.borrow(cs).set(now);
        // What has expired is woken. Each tick looks again, so when the next will is of no interest.
        TICKS.queue.borrow(cs).borrow_mut().next_expiration(now);
    });
}

//! A device and its life with a gateway that it pins: each step is checked, logged, and an exit code if it fails.
//!
//! Its host tells it `host=`, `pin=`, `client=` and `seed=` when it starts, and follows its log.
#![no_std]
#![forbid(unsafe_code)]

mod checks;
mod pin;
mod story;

use board::semihosting::exit;
use board::uart::Uart;
use core::cell::RefCell;
use defmt::{error, info};
use kit::{Clock, Line, Settings, random};
use story::Device;

/// How long an answer may take to begin: the peer may be a Cortex-M0 that is emulated on a busy machine.
const TIMEOUT_MILLIS: u32 = 8000;

/// The exit code of a step that failed.
const FAILED: u32 = 1;

/// Something to do with the token of a session and the body of an answer: nothing, or what must not be done.
pub type Leak = fn(&str, &[u8]);

/// Lives the life that the host tells, and ends.
pub fn live(leak: Leak) -> ! {
    match run(leak) {
        Ok(()) => {
            info!("done");
            exit(0)
        }
        Err(failed) => {
            error!("failed: {}", failed);
            exit(FAILED)
        }
    }
}

/// Why the device gives up.
#[derive(Clone, Copy, defmt::Format)]
enum Failed {
    /// A setting is missing or is none.
    Setting(&'static str),
    /// The gateway does not publish the pinned key.
    NotPublished,
    /// What should have succeeded has not.
    Client(story::Error),
    /// A check of what came.
    Check(&'static str),
}

impl From<story::Error> for Failed {
    fn from(error: story::Error) -> Self {
        Self::Client(error)
    }
}

fn run(leak: Leak) -> Result<(), Failed> {
    let settings = Settings::read();
    let setting = |name| settings.get(name).ok_or(Failed::Setting(name));
    let uart = RefCell::new(Uart::new(TIMEOUT_MILLIS));
    let random = random(setting("seed")?).ok_or(Failed::Setting("seed"))?;
    let mut device = Device {
        line: Line::new(&uart),
        clock: Clock::start(),
        random,
        host: setting("host")?,
        client_id: setting("client")?,
        buffer: [0; story::BUFFER],
    };
    let pin = dynamic_key::crypto::KeyId::parse(setting("pin")?).ok_or(Failed::Setting("pin"))?;
    info!("pin {}", pin);
    let key = pin::fetch(&mut device, pin)?;
    for chapter in setting("story")?.split('+') {
        match chapter {
            "calls" => story::calls(&mut device, &key)?,
            "impostor" => story::impostor(&mut device)?,
            "restart" => story::restart(&mut device, &key)?,
            "expiry" => story::expiry(&mut device, &key)?,
            "logout" => story::logout(&mut device, &key)?,
            "show" => story::show(&mut device, &key, leak)?,
            _ => return Err(Failed::Setting("story")),
        }
    }
    Ok(())
}

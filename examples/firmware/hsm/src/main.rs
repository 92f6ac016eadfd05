//! A gateway on a microcontroller: it keeps its identity and the keys of its sessions, and opens and seals over its UART,
//! for one peer at a time.
//!
//! Its host tells it when it starts: `identity=`, the file with its private key, in the place of provisioned flash; `seed=`;
//! `sessions=`, after how many seconds they end. Its upstream is a function.
#![no_std]
#![no_main]

mod upstream;

use board::semihosting::{exit, read_file};
use board::uart::Uart;
use core::cell::RefCell;
use core::convert::Infallible;
use defmt::{debug, error, info};
use dynamic_key::crypto::CryptoError;
use dynamic_key::crypto::software::{Identity, Software};
use dynamic_key::gateway::serve::Service;
use dynamic_key::gateway::{Allowlist, Clients, FixedStore, Gateway, KnownClient, TokenKey};
use dynamic_key::session::{ClientType, Mode};
use dynamic_key::transport::http1::{Server, ServerError};
use dynamic_key::{Error, Secret};
use kit::{Line, Random, Settings, random, wall};
use rand_core::Rng;

/// How long the line may be silent within a request.
const TIMEOUT_MILLIS: u32 = 2000;
/// How many sessions there may be at a time.
const SESSIONS: usize = 16;
/// One buffer for all that is received and sent: a head, an envelope, and behind it the answer.
const BUFFER: usize = 4096;

/// Who may come: nobody below confirmed mode.
const CLIENTS: &[KnownClient<'static>] = &[KnownClient {
    client_type: ClientType::Internal,
    client_id: "internal-web-client",
    least_mode: Mode::Confirmed,
}];

#[cortex_m_rt::entry]
fn main() -> ! {
    let Err(failed) = serve();
    error!("failed: {}", failed);
    exit(1)
}

/// Why the gateway gives up. Nothing that a peer does is a reason.
#[derive(Clone, Copy, defmt::Format)]
enum Failed {
    /// A setting is missing or is none.
    Setting(&'static str),
    /// A rule of the allowlist is none.
    Rule,
    /// The gateway cannot be as it is configured.
    Core(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl From<CryptoError> for Failed {
    fn from(error: CryptoError) -> Self {
        Self::Core(error.into())
    }
}

fn serve() -> Result<Infallible, Failed> {
    let settings = Settings::read();
    let setting = |name| settings.get(name).ok_or(Failed::Setting(name));
    let mut random = random(setting("seed")?).ok_or(Failed::Setting("seed"))?;
    let session_seconds = setting("sessions")?.parse().map_err(|_| Failed::Setting("sessions"))?;
    let uart = RefCell::new(Uart::new(TIMEOUT_MILLIS));
    let line = Line::new(&uart);

    let mut key = Secret::zero();
    if !read_file(setting("identity")?, key.as_mut_bytes()) {
        return Err(Failed::Setting("identity"));
    }
    let mut identity = Identity::from_bytes(&key)?;
    drop(key);
    let public = identity.public()?;
    let mut secret = Secret::<32>::zero();
    random.fill_bytes(secret.as_mut_bytes());
    let gateway = Gateway {
        clients: Clients::new(CLIENTS),
        allowlist: Allowlist::new(upstream::RULES).map_err(|_| Failed::Rule)?,
        audience: "http://hsm",
        tokens: TokenKey::hs256(secret.as_bytes())?,
        identity: Some(public),
        session_seconds,
        instance: 0,
        plain: Default::default(),
    };
    let mut provider = Software::<Random>::new(random);
    let mut store = FixedStore::<_, SESSIONS>::new();
    let mut service = Service {
        gateway: &gateway,
        provider: &mut provider,
        identity: Some(&mut identity),
        store: &mut store,
    };
    let mut buffer = [0; BUFFER];
    let mut server = Server::new(line.begin());
    info!("serving, identity {}", public.kid());
    debug!("{} {} {}", gateway, gateway.tokens, service);
    loop {
        while server.is_open() {
            match service.serve(&mut server, &mut buffer, wall, upstream::answer) {
                Ok(Some(served)) => {
                    info!("{}", served);
                    debug!("{} {}", server, service.store);
                }
                Ok(None) | Err(ServerError::Idle(_)) => {}
                Err(error) => info!("line: {}", error),
            }
        }
        server = Server::new(line.begin());
    }
}

//! A gateway whose identity and session keys are in a token, on a free loopback port, for one connection at a time.
//!
//! ```console
//! PKCS11_PIN=… gateway /usr/lib/softhsm/libsofthsm2.so my-token KID
//! ```
//!
//! It prints its URL, and then what it serves. Keys are derived in the token where that can, and else here: it says which.

use dynamic_key::Secret;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::provider::Provider;
use dynamic_key::crypto::{KeyId, Signer};
use dynamic_key::gateway::allowlist::DEFAULT_RULES;
use dynamic_key::gateway::serve::{Forwarded, Service};
use dynamic_key::gateway::{Admitted, Allowlist, Clients, FixedStore, Gateway, KnownClient, TokenKey};
use dynamic_key::session::{ClientType, Mode};
use dynamic_key::transport::http1::{Server, ServerError};
use dynamic_key_pkcs11::{Hsm, Identity, OpenError, Pin, Token, Which};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::SystemTime;

/// Who may come: nobody below confirmed mode.
const CLIENTS: &[KnownClient<'static>] = &[KnownClient {
    client_type: ClientType::Internal,
    client_id: "internal-web-client",
    least_mode: Mode::Confirmed,
}];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [module, token, kid] = arguments.as_slice() else {
        return Err("usage: PKCS11_PIN=… gateway MODULE TOKEN KID".into());
    };
    let pin = std::env::var("PKCS11_PIN").ok().map(Pin::new);
    let token = Token::open(Path::new(module), Which::Label(token), pin.as_ref())?;
    let identity = token.identity(&KeyId::parse(kid).ok_or("KID has 43 characters")?)?;
    match Hsm::new(&token) {
        Ok(hsm) => serve(hsm, identity),
        Err(missing @ OpenError::MissingMechanism(_)) => {
            eprintln!("{missing}: keys are derived in this process");
            serve(Hsm::with_host_kdf(&token)?, identity)
        }
        Err(error) => Err(error.into()),
    }
}

fn serve<P: Provider>(mut provider: P, mut identity: Identity) -> Result<(), Box<dyn Error>> {
    let mut secret = Secret::<32>::zero();
    provider.fill(secret.as_mut_bytes())?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let origin = format!("http://{}", listener.local_addr()?);
    let gateway = Gateway {
        clients: Clients::new(CLIENTS),
        allowlist: Allowlist::new(DEFAULT_RULES)?,
        audience: &origin,
        tokens: TokenKey::hs256(secret.as_bytes())?,
        identity: Some(identity.public()),
        session_seconds: 3600,
        instance: 0,
        plain: Default::default(),
    };
    let mut store = Box::new(FixedStore::<P, 16>::new());
    let signer: &mut dyn Signer = &mut identity;
    let mut service =
        Service { gateway: &gateway, provider: &mut provider, identity: Some(signer), store: &mut *store };
    println!("{origin}");
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let (stream, _) = listener.accept()?;
        let mut server = Server::new(Tcp(stream));
        while server.is_open() {
            match service.serve(&mut server, &mut buffer, now, upstream) {
                Ok(Some(served)) => println!("{:?} {}", served.endpoint, served.status),
                Ok(None) => break,
                Err(ServerError::Idle(_)) => {}
                Err(error) => eprintln!("{error}"),
            }
        }
    }
}

/// Stands for the service behind the gateway.
fn upstream<H>(_: &Admitted<'_, '_, H>, room: &mut [u8]) -> Forwarded {
    let answer = br#"{"countries":["UY","PT"]}"#;
    room.get_mut(..answer.len())?.copy_from_slice(answer);
    Some((200, answer.len()))
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_secs(since.as_secs())
}

/// A stream of std as `embedded-io` wants it.
struct Tcp(TcpStream);

impl embedded_io::ErrorType for Tcp {
    type Error = std::io::Error;
}

impl embedded_io::Read for Tcp {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, std::io::Error> {
        self.0.read(buffer)
    }
}

impl embedded_io::Write for Tcp {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, std::io::Error> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> Result<(), std::io::Error> {
        self.0.flush()
    }
}

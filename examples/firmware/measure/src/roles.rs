//! One role from its first message to a sealed exchange, as a firmware runs it: what the flash images hold.

use crate::provider::{Identity, Provider};
use crate::{Open, TOKEN, bare, config, facts};
use aes_gcm::Aes256Gcm;
use board::random::Repeatable;
use core::convert::Infallible;
use core::hint::black_box;
use dynamic_key::client::{Client, ClientError};
use dynamic_key::crypto::software::{PinnedKey, TrafficKey};
use dynamic_key::crypto::{Signer, Verifier};
use dynamic_key::envelope::Envelope;
use dynamic_key::handshake::{ClientHandshake, ClientNeed, ServerError, ServerHandshake, ServerNeed};
use dynamic_key::request::Request;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{Mode, Now};
use dynamic_key::transport::http1::Http1;
use dynamic_key::{Error, Secret};

/// Stands for a transport: it takes the message at the front of the buffer away and leaves another in its place, of which
/// the optimiser knows nothing.
#[inline(never)]
fn exchange(buffer: &mut [u8], length: usize) -> (u16, usize) {
    black_box((&mut *buffer, length));
    (black_box(200), black_box(length).min(buffer.len()))
}

/// A client of one scheme: a handshake, one sealed request, its response.
///
/// # Errors
/// Those of the steps.
pub fn client<K: TrafficKey>(
    mut provider: Provider<K>,
    mode: Mode,
    scheme: Scheme,
    verifier: &mut impl Verifier,
) -> Result<(), Error> {
    let (mut buffer, mut status, mut length) = ([0; 1024], 0, 0);
    let schemes = [scheme];
    let mut handshake = ClientHandshake::<_, TOKEN>::new(&config(mode, &schemes))?;
    loop {
        match handshake.compute(&mut provider, verifier)? {
            ClientNeed::Hello => {
                let hello = handshake.hello(&mut provider, Now::UNKNOWN, &mut buffer)?;
                (status, length) = exchange(&mut buffer, hello);
            }
            ClientNeed::Reply => {
                handshake.reply(status, buffer.get(..length).unwrap_or_default())?;
            }
            _ => break,
        }
    }
    let mut session = handshake.finish()?;
    let (sealed, _) = session.seal(&mut provider, Now::UNKNOWN, &mut buffer, 256)?;
    let (status, length) = exchange(&mut buffer, sealed);
    let response = buffer.get_mut(..length).unwrap_or_default();
    black_box(session.open(&mut provider, status, response)?);
    Ok(())
}

/// A client as most are: the driver, over HTTP, over a stream.
///
/// # Errors
/// Those of the steps.
pub fn driver<K: TrafficKey>(
    provider: Provider<K>,
    mode: Mode,
    verifier: impl Verifier,
) -> Result<(), ClientError<()>> {
    let http = Http1::over(Line, "gateway.example").map_err(|_| ClientError::Transport(()))?;
    let mut client =
        Client::<_, _, _, TOKEN>::new(config(mode, &[Scheme::EcAes2]), provider, verifier, http)?;
    let mut buffer = [0; 1024];
    let request = Request::get("/countries/get");
    let response =
        client.request(Now::UNKNOWN, &request, &mut buffer).map_err(|_| ClientError::Transport(()))?;
    black_box(response.body);
    Ok(())
}

/// A stream of whose bytes the optimiser knows nothing.
pub struct Line;

impl embedded_io::ErrorType for Line {
    type Error = Infallible;
}

impl embedded_io::Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        Ok(exchange(buffer, buffer.len()).1)
    }
}

impl embedded_io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(black_box(bytes).len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A gateway without a store: it answers one hello and one request, of any scheme.
///
/// # Errors
/// Those of the steps.
pub fn gateway<K: TrafficKey>(
    mut provider: Provider<K>,
    identity: Option<&mut impl Signer>,
) -> Result<(), ServerError> {
    let mut buffer = [0; 1024];
    let facts = facts(identity.as_ref().map(|identity| identity.kid()));
    let mut handshake = ServerHandshake::new();
    let (_, length) = exchange(&mut buffer, 0);
    handshake.hello(&mut provider, &Open, buffer.get_mut(..length).unwrap_or_default())?;
    handshake.compute(&mut provider)?;
    let length = handshake.answer(&mut provider, &facts, &mut buffer)?;
    if let (ServerNeed::Sign, Some(identity)) = (handshake.need(), identity) {
        handshake.sign(identity, buffer.get_mut(..length).unwrap_or_default())?;
    }
    let session = handshake.finish()?;
    let (_, length) = exchange(&mut buffer, length);
    let request = buffer.get_mut(..length).unwrap_or_default();
    let envelope = Envelope::parse(request)?;
    let request = session.open(&mut provider, envelope, request)?.committed();
    let length = session.seal(&mut provider, request, 200, &mut buffer, 256).map_err(|(error, _)| error)?;
    exchange(&mut buffer, length);
    Ok(())
}

/// The key of a gateway, as a device is provisioned with it.
///
/// # Errors
/// Never.
pub fn pin() -> Result<PinnedKey, Error> {
    Ok(PinnedKey::from_point(&black_box([4; 65]))?)
}

/// The identity of a gateway, as it is provisioned with it.
///
/// # Errors
/// Never.
pub fn identity() -> Result<Identity, ServerError> {
    Ok(Identity::from_bytes(&Secret::new(black_box([7; 32])))?)
}

/// The primitives that a client needs, called directly: what no protocol can do without.
#[must_use]
pub fn bare(signature: Option<&[u8; 64]>) -> Option<()> {
    let (key, point) = bare::generate(&mut Repeatable::new(1))?;
    black_box(point);
    let z = bare::agree(&key, &black_box([4; 65]))?;
    let key = bare::derive(&black_box([0; 32]), &z)?;
    if let Some(signature) = signature {
        bare::verify(&black_box([4; 65]), &black_box([0; 54]), signature)?;
    }
    let mut text = black_box([0; 256]);
    let tag = bare::seal::<Aes256Gcm>(&key, &[0; 12], b"", &mut text)?;
    bare::open::<Aes256Gcm>(&key, &[0; 12], b"", black_box(&mut text), &black_box(tag))
}

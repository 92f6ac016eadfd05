//! One role from its first message to a sealed exchange, as a firmware runs it: what the flash images hold.

use crate::{Open, Provider, TOKEN, config, facts};
use core::hint::black_box;
use dynamic_key::Error;
use dynamic_key::crypto::software::TrafficKey;
use dynamic_key::crypto::{Signer, Verifier};
use dynamic_key::envelope::Envelope;
use dynamic_key::handshake::{ClientHandshake, ClientNeed, ServerError, ServerHandshake, ServerNeed};
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{Mode, Now};

/// Stands for a transport: it takes the message at the front of the buffer away and leaves another in its place, of which
/// the optimiser knows nothing.
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

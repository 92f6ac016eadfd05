//! The table of every scheme × mode × identity policy, played with the provider at both ends: a device, and a gateway with its store.

#[path = "../../../../tests/table/cases.rs"]
mod cases;

use crate::Chosen;
use board::random::Repeatable;
use cases::{Case, Outcome, Pinned, ROWS, Registered, cases};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::conformance::{Failure, Property};
use dynamic_key::crypto::software::{self, PinnedKey};
use dynamic_key::crypto::{CryptoError, KeyId, Signature, Signer, Verified, Verifier};
use dynamic_key::envelope::introduce;
use dynamic_key::gateway::allowlist::DEFAULT_RULES;
use dynamic_key::gateway::{Allowlist, FixedStore, Gateway, Head, Opened, Reply, TokenKey};
use dynamic_key::handshake::{Claims, ClientConfig, ClientHandshake, ClientNeed, ClientPolicy, ServerPolicy};
use dynamic_key::request::Request;
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{ClientType, Mode, Now, Session};
use dynamic_key::{Error, Misuse, Secret};

const NOW: Timestamp = Timestamp::from_unix_secs(1_780_531_200);
const DEVICE: &str = "device-1";
const ANSWER: &[u8] = br#"{"countries":["UY","PT"]}"#;

type Store<P> = FixedStore<P, 2, 2, 4>;
type Buffer = [u8; 3072];

/// The whole product: plain mode has one scheme; nobody looks at pins below pinned mode, nor at registrations below mutual mode.
const PLAYED: usize = 16 + 2 * (16 + 48 + 144);

/// Plays every case of the elliptic-curve schemes. Returns how many.
pub(crate) fn play<C: Chosen>() -> Result<usize, Failure> {
    let mut played = 0;
    for scheme in Scheme::ELLIPTIC {
        for case in cases(scheme) {
            let mut rows = ROWS.iter().filter(|row| row.has(&case));
            let fails = |error| Failure { property: Property::GatewayHandshake, case: played, error };
            let (Some(row), None) = (rows.next(), rows.next()) else { return Err(fails(None)) };
            let outcome = outcome::<C>(&case).map_err(|error| fails(Some(error)))?;
            if outcome != row.outcome {
                return Err(fails(None));
            }
            played += 1;
        }
    }
    let all = played == PLAYED;
    all.then_some(played).ok_or(Failure { property: Property::GatewayHandshake, case: played, error: None })
}

/// An identity and its public key.
fn identity<C: Chosen>(byte: u8) -> Result<(C::Identity, PinnedKey), CryptoError> {
    let private = Secret::new([byte; 32]);
    Ok((C::identity(&private)?, software::Identity::from_bytes(&private)?.public()?))
}

/// Verifies by these keys, the way the provider does.
struct Trusting<'k, C> {
    keys: &'k [PinnedKey],
    chosen: core::marker::PhantomData<C>,
}

impl<'k, C: Chosen> Trusting<'k, C> {
    const fn new(keys: &'k [PinnedKey]) -> Self {
        Self { keys, chosen: core::marker::PhantomData }
    }

    fn by(&self, kid: &KeyId, message: &[u8], signature: &Signature) -> Result<Verified, CryptoError> {
        let key = self.keys.iter().find(|key| key.kid() == *kid).ok_or(CryptoError::Authentication)?;
        C::verify(key.point(), kid, message, signature)
    }
}

impl<C: Chosen> Verifier for Trusting<'_, C> {
    fn verify(
        &mut self,
        kid: &KeyId,
        message: &[u8],
        signature: &Signature,
    ) -> Result<Verified, CryptoError> {
        self.by(kid, message, signature)
    }
}

/// What the gateway grants: one scheme or the other, a least mode, and one identity at the most.
struct Policy<'k, C> {
    schemes: [Scheme; 1],
    least: Mode,
    registered: Option<(&'k str, Trusting<'k, C>)>,
}

impl<C: Chosen> ServerPolicy for Policy<'_, C> {
    fn client(&self, claims: &Claims<'_>) -> Option<ClientPolicy<'_>> {
        if let Some(kid) = claims.kid {
            let (device, trusting) = self.registered.as_ref()?;
            if claims.device_id != *device || !trusting.keys.iter().any(|key| key.kid() == *kid) {
                return None;
            }
        }
        let preference = Preference::Client;
        Some(ClientPolicy { schemes: &self.schemes, preference, least_mode: self.least })
    }

    fn verify(&self, kid: &KeyId, message: &[u8], signature: &Signature) -> Result<Verified, CryptoError> {
        let (_, trusting) = self.registered.as_ref().ok_or(CryptoError::Authentication)?;
        trusting.by(kid, message, signature)
    }
}

/// The gateway's end.
struct House<'k, C: Chosen> {
    gateway: Gateway<'k, Policy<'k, C>>,
    provider: C::Provider,
    signer: Option<C::Identity>,
    store: Store<C::Provider>,
    forwarded: usize,
}

impl<C: Chosen> House<'_, C> {
    fn accept(&mut self, head: &Head<'_>, buffer: &mut Buffer, length: usize) -> Result<Reply, Error> {
        let signer = self.signer.as_mut().map(|signer| signer as &mut dyn Signer);
        self.gateway.accept(&mut self.provider, signer, &mut self.store, NOW, head, buffer, length)
    }

    fn serve(&mut self, head: &Head<'_>, buffer: &mut Buffer, length: usize) -> Result<Reply, Error> {
        let (provider, store) = (&mut self.provider, &mut self.store);
        match self.gateway.open_request(provider, store, NOW, head, buffer, length)? {
            Opened::Reply(reply) => Ok(reply),
            Opened::Admitted(admitted) => {
                self.forwarded += 1;
                let responder = admitted.responder;
                if let Some(place) = buffer.get_mut(..ANSWER.len()) {
                    place.copy_from_slice(ANSWER);
                }
                let sealed =
                    self.gateway.seal_response(provider, store, responder, 200, buffer, ANSWER.len());
                sealed.map_err(|(error, _)| error)
            }
        }
    }
}

fn head<'h>() -> Head<'h> {
    let mut head = Head::new();
    head.add("x-dynamic-key-version", b"2");
    head.add("content-type", b"application/json");
    head
}

#[inline(never)]
fn outcome<C: Chosen>(case: &Case) -> Result<Outcome, Error> {
    let (signer, key) = identity::<C>(0x51)?;
    let (mut own, own_key) = identity::<C>(0x52)?;
    let (_, stranger) = identity::<C>(0x53)?;
    let (pins, registered) = ([stranger, key], [own_key]);
    let pins = match case.pinned {
        Pinned::Nobody => &[],
        Pinned::Another => &pins[..1],
        Pinned::TheGateway => &pins[..],
    };
    let device = match case.registered {
        Registered::Not => None,
        Registered::ForAnother => Some("device-2"),
        Registered::ForIt => Some(DEVICE),
    };
    let other = if case.scheme == Scheme::EcAes1 { Scheme::EcAes2 } else { Scheme::EcAes1 };
    let mut house = House::<C> {
        gateway: Gateway {
            clients: Policy {
                schemes: [if case.accepted { case.scheme } else { other }],
                least: case.least,
                registered: device.map(|device| (device, Trusting::new(&registered))),
            },
            allowlist: Allowlist::new(DEFAULT_RULES).map_err(|_| Misuse::InvalidConfiguration)?,
            audience: "https://gateway.example",
            tokens: TokenKey::hs256(&[7; 32])?,
            identity: case.identity.then_some(key),
            session_seconds: 3600,
            instance: 7,
            plain: Default::default(),
        },
        provider: C::provider(Repeatable::new(7)),
        signer: case.identity.then_some(signer),
        store: Store::new(),
        forwarded: 0,
    };

    let (mut provider, mut buffer): (_, Buffer) = (C::provider(Repeatable::new(8)), [0; 3072]);
    let schemes = [case.scheme];
    let config = ClientConfig {
        mode: case.mode,
        schemes: &schemes,
        identity: (case.mode == Mode::Mutual).then(|| own.kid()),
        ..ClientConfig::new(ClientType::Internal, "internal-web-client", DEVICE, "server")
    };
    let mut verifier = Trusting::<C>::new(pins);
    let mut handshake = ClientHandshake::<C::Provider, 1024>::new(&config)?;
    handshake.compute(&mut provider, &mut verifier)?;
    let length = handshake.hello(&mut provider, Now::UNKNOWN, &mut buffer)?;
    let reply = house.accept(&head(), &mut buffer, length)?;
    let body = buffer.get(..reply.length).unwrap_or_default();
    let need =
        handshake.reply(reply.status, body).and_then(|()| handshake.compute(&mut provider, &mut verifier));
    match need {
        Ok(ClientNeed::Sign) => handshake.sign(&mut own)?,
        Ok(_) => {}
        Err(Error::Refused(code)) => return Ok(Outcome::Refused(code)),
        Err(Error::Peer(peer)) => return Ok(Outcome::Refuses(peer)),
        Err(error) => return Err(error),
    }
    let introduction = handshake.introduction().copied();
    let mut session = handshake.finish()?;
    if session.facts().scheme() != case.scheme || session.facts().mode() != case.mode {
        return Err(Misuse::InvalidConfiguration.into());
    }
    for call in 1..=2 {
        visit(
            &mut house,
            &mut provider,
            &mut session,
            introduction.as_ref().filter(|_| call == 1),
            &mut buffer,
        )?;
        if house.forwarded != call {
            return Err(Misuse::InvalidRequest.into());
        }
    }
    Ok(Outcome::Session)
}

/// One request, introduced where there is an introduction, and its answer.
#[inline(never)]
fn visit<C: Chosen>(
    house: &mut House<'_, C>,
    provider: &mut C::Provider,
    session: &mut Session<C::Provider, 1024>,
    introduction: Option<&Signature>,
    buffer: &mut Buffer,
) -> Result<(), Error> {
    let length = Request::get("/countries/get").write(buffer)?;
    let (mut length, _) = session.seal(provider, Now::UNKNOWN, buffer, length)?;
    if let Some(signature) = introduction {
        length = introduce(buffer, length, signature)?;
    }
    let (mut bearer, token) = ([0; 1100], session.facts().token());
    let authorization = bearer.get_mut(..token.len() + 7).ok_or(Misuse::InvalidRequest)?;
    let (scheme, rest) = authorization.split_at_mut(7);
    scheme.copy_from_slice(b"Bearer ");
    rest.copy_from_slice(token.as_bytes());
    let mut head = head();
    head.add("x-session-id", session.facts().id().as_bytes());
    head.add("authorization", authorization);
    let reply = house.serve(&head, buffer, length)?;
    let opened = session.open(provider, reply.status, buffer.get_mut(..reply.length).unwrap_or_default())?;
    if reply.status == 200 && opened == ANSWER { Ok(()) } else { Err(Misuse::InvalidRequest.into()) }
}

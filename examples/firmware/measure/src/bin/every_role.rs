//! Calls every public function of Key Agreement, in both roles, of a client that stores its session, and of a gateway with its
//! store: an image in which panics and frames are looked for.
#![no_std]
#![no_main]

use board::random::Repeatable;
use core::convert::Infallible;
use core::hint::black_box;
use dynamic_key::client::Client;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Provider as _;
use dynamic_key::crypto::software::{PinnedKey, RawKey, TrafficKey};
use dynamic_key::crypto::{Aead, Signer};
use dynamic_key::field::{Call, sealed_len};
use dynamic_key::gateway::allowlist::DEFAULT_RULES;
use dynamic_key::gateway::key_agreement::{KeyAgreementGateway, Opened as OpenedFields};
use dynamic_key::gateway::{
    AgreementStore, Allowlist, FixedAgreements, FixedStore, Gateway, Head, Opened, Reply, TokenKey,
};
use dynamic_key::handshake::{
    ClientNeed, KeyAgreementClient, KeyAgreementConfig, KeyAgreementFacts, KeyAgreementPolicy,
    KeyAgreementServer, ServerNeed,
};
use dynamic_key::request::Request;
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{Agreement, FieldCounters, Mode, Now, ServerAgreement, SessionStorage, Vault};
use dynamic_key::transport::http1::Http1;
use dynamic_key::{Error, Misuse, Secret};
use measure::provider::{Chosen, Identity, Pins, Provider};
use measure::roles::{Line, pin};
use measure::{Open, TOKEN, config};

type Soft = Provider<RawKey>;

/// Any error of a gateway.
const FAILED: Error = Error::Misuse(Misuse::InvalidRequest);

fn identity() -> Result<Identity, Error> {
    Ok(Identity::from_bytes(&Secret::new(black_box([7; 32])))?)
}

fn now() -> Timestamp {
    Timestamp::from_unix_secs(black_box(1_780_527_600))
}

/// What a stream has brought, of which the optimiser knows nothing.
fn exchange(buffer: &mut [u8], length: usize) -> usize {
    black_box((&mut *buffer, length));
    black_box(length).min(buffer.len())
}

/// The client of Key Agreement, step by step.
#[inline(never)]
fn key_agreement(
    provider: &mut Soft,
    pins: &[PinnedKey],
    buffer: &mut [u8],
) -> Result<Agreement<Soft>, Error> {
    let config = KeyAgreementConfig { mode: black_box(Mode::Pinned), ..KeyAgreementConfig::new(b"device-1") };
    let mut machine = KeyAgreementClient::<Soft>::new(black_box(&config))?;
    loop {
        match machine.need() {
            ClientNeed::Generate(group) => {
                black_box(config.hello_len(group));
                machine.generated(provider.generate(group))?;
            }
            ClientNeed::Hello => {
                let length = machine.hello(provider, Now::UNKNOWN, buffer)?;
                let length = exchange(buffer, length);
                machine.reply(black_box(200), buffer.get(..length).unwrap_or_default())?;
            }
            ClientNeed::Agree => {
                let (private, peer) = machine.agreement()?;
                machine.agreed(provider, provider.clone().agree(private, &peer))?;
            }
            ClientNeed::Verify => {
                let verification = machine.verification()?;
                machine.verified(verification.run(&mut Pins(pins)))?;
            }
            ClientNeed::Finish if black_box(true) => return machine.finish(),
            _ => black_box(machine.compute(provider, &mut Pins(pins))).map(drop)?,
        }
    }
}

/// A call with sealed fields, and its response.
#[inline(never)]
fn fields(provider: &mut Soft, mut agreement: Agreement<Soft>, buffer: &mut [u8]) -> Result<(), Error> {
    black_box((agreement.id(), agreement.mode(), agreement.scheme(), agreement.remaining()));
    let mut call = Call::new(black_box("POST"), black_box("/rest/login"))?;
    black_box(sealed_len(black_box(13)));
    let length =
        agreement.seal(provider, Now::UNKNOWN, &mut call, black_box("password"), buffer, black_box(13))?;
    let length = exchange(buffer, length);
    let body = buffer.get_mut(..length).unwrap_or_default();
    black_box(agreement.open(provider, &mut call, black_box(200), &black_box(["password", "name"]), body)?);
    Ok(())
}

/// The server of Key Agreement, step by step.
#[inline(never)]
fn agreement_server(
    provider: &mut Soft,
    identity: &mut Identity,
    buffer: &mut [u8],
) -> Result<ServerAgreement<Soft>, Error> {
    let mut server = KeyAgreementServer::<Soft>::new();
    let policy = KeyAgreementPolicy { schemes: &Scheme::ELLIPTIC, preference: Preference::Client };
    let facts = KeyAgreementFacts {
        client_reference_id: black_box("reference"),
        identifier: black_box(b"gateway"),
        ends: now(),
        expires_in: black_box(None),
        instance: 7,
        identity: Some(identity.kid()),
    };
    let length = exchange(buffer, 0);
    server.hello(&policy, buffer.get_mut(..length).unwrap_or_default()).map_err(|_| FAILED)?;
    if let ServerNeed::Generate(group) = server.need() {
        server.generated(provider.generate(group)).map_err(|_| FAILED)?;
        let (private, peer) = server.agreement().map_err(|_| FAILED)?;
        server.agreed(provider.agree(private, &peer)).map_err(|_| FAILED)?;
    }
    server.compute(provider).map_err(|_| FAILED)?;
    let length = server.answer(provider, &facts, buffer).map_err(|_| FAILED)?;
    let answer = buffer.get_mut(..length).unwrap_or_default();
    if server.need() == ServerNeed::Sign {
        let statement = server.statement().map_err(|_| FAILED)?;
        server.signed(identity.sign(statement.as_bytes()), answer).map_err(|_| FAILED)?;
    }
    server.finish().map_err(|_| FAILED)
}

/// A call's fields opened, and those of its response sealed.
#[inline(never)]
fn served(provider: &mut Soft, agreement: &ServerAgreement<Soft>, buffer: &mut [u8]) -> Result<(), Error> {
    black_box((agreement.id(), agreement.identifier(), agreement.scheme(), agreement.ends()));
    let mut call = Call::new(black_box("POST"), black_box("/rest/login"))?;
    let length = exchange(buffer, 0);
    let body = buffer.get_mut(..length).unwrap_or_default();
    let opened = agreement.open(provider, &call, &black_box(["password", "name"]), body)?;
    black_box(opened.counters());
    black_box(opened.committed(&mut call));
    let mut counters = FieldCounters::new(black_box(0), black_box(1));
    black_box(agreement.seal(provider, &mut counters, &call, 200, black_box("password"), buffer, 13)?);
    Ok(())
}

/// The gateway of Key Agreement with its store.
#[inline(never)]
fn agreement_gateway(
    provider: &mut Soft,
    identity: &mut Identity,
    store: &mut FixedAgreements<Soft, 2>,
    buffer: &mut [u8],
) -> Result<(), Error> {
    let policy = KeyAgreementPolicy { schemes: &Scheme::ELLIPTIC, preference: Preference::Client };
    let gateway =
        KeyAgreementGateway { policy, identifier: b"gateway", seconds: 300, instance: black_box(7) };
    let mut head = Head::new();
    head.add(black_box("content-type"), black_box(b"application/json"));
    let length = exchange(buffer, 0);
    black_box(gateway.accept(provider, Some(identity), store, now(), &head, buffer, length)?);
    let mut call = Call::new(black_box("POST"), black_box("/rest/login"))?;
    let length = exchange(buffer, 0);
    let body = buffer.get_mut(..length).unwrap_or_default();
    let names = black_box(["password"]);
    let id = black_box("reference");
    let opened = gateway.open(provider, store, now(), &head, id, &mut call, &names, body)?;
    if let OpenedFields::Open(handle, places) = opened {
        black_box(places);
        let mut counters = store.reserve(&handle, black_box(1), black_box(4)).map_err(|_| FAILED)?;
        let agreement = store.agreement(&handle).ok_or(FAILED)?;
        black_box(agreement.seal(provider, &mut counters, &call, 200, "password", buffer, black_box(13))?);
    }
    AgreementStore::<Soft>::end(store, id);
    Ok(())
}

/// The gateway of sessions with its store.
#[inline(never)]
fn gateway(
    provider: &mut Soft,
    identity: &mut Identity,
    store: &mut FixedStore<Soft, 2, 2, 4>,
    buffer: &mut [u8],
) -> Result<(), Error> {
    let gateway = Gateway {
        clients: Open,
        allowlist: Allowlist::new(DEFAULT_RULES).map_err(|_| FAILED)?,
        audience: black_box("https://gateway.example"),
        tokens: TokenKey::hs256(&black_box([7; 32]))?,
        identity: Some(identity.public()?),
        session_seconds: 3600,
        instance: 7,
        plain: Default::default(),
    };
    let mut head = Head::new();
    for (name, value) in black_box([("x-session-id", "id"), ("authorization", "Bearer t")]) {
        head.add(name, value.as_bytes());
    }
    let length = exchange(buffer, 0);
    let signer: &mut dyn Signer = identity;
    black_box(gateway.accept(provider, Some(signer), store, now(), &head, buffer, length)?);
    let length = exchange(buffer, 0);
    match gateway.open_request(provider, store, now(), &head, buffer, length)? {
        Opened::Reply(Reply { status, length, .. }) => drop(black_box((status, length))),
        Opened::Admitted(admitted) => {
            black_box(admitted.forwarded_headers().count());
            black_box(admitted.write_query(&mut [0; 64])).map_err(|_| FAILED)?;
            let responder = admitted.responder;
            black_box(gateway.seal_response(provider, store, responder, 200, buffer, 256))
                .map_err(|(error, _)| error)?;
        }
    }
    Ok(())
}

/// Flash of which the optimiser knows nothing.
struct Flash;

impl SessionStorage for Flash {
    type Error = Infallible;

    fn load(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        Ok(exchange(buffer, buffer.len()))
    }
    fn save(&mut self, sealed: &[u8]) -> Result<(), Infallible> {
        black_box(sealed);
        Ok(())
    }
    fn erase(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A client that keeps its session when the power goes.
#[inline(never)]
fn stored(provider: Soft, pins: &[PinnedKey], buffer: &mut [u8]) -> Result<(), Error> {
    let http = Http1::over(Line, black_box("gateway.example")).map_err(|_| FAILED)?;
    let root = RawKey::new(Aead::Aes256Gcm, &black_box([9; 32]))?;
    let vault = Vault::new(Flash, root).with_block(black_box(64));
    let config = config(black_box(Mode::Pinned), &Scheme::ELLIPTIC);
    let client = Client::<_, _, _, TOKEN>::new(config, provider, Pins(pins), http)?;
    let mut client = client.with_storage(vault);
    client.ensure_session(Now::UNKNOWN, buffer).map_err(|_| FAILED)?;
    let request = Request::get("/countries/get");
    black_box(client.request(Now::UNKNOWN, &request, buffer).map_err(|_| FAILED)?.body);
    black_box(client.vault().failure().is_some());
    let Ok(()) = client.logout();
    Ok(())
}

fn run() -> Result<(), Error> {
    let (mut provider, pins) = (Chosen::new(Repeatable::new(1)), [pin()?]);
    let (mut identity, mut buffer) = (identity()?, [0; 2048]);
    let agreement = key_agreement(&mut provider, &pins, &mut buffer)?;
    fields(&mut provider, agreement, &mut buffer)?;
    let agreement = agreement_server(&mut provider, &mut identity, &mut buffer)?;
    served(&mut provider, &agreement, &mut buffer)?;
    agreement_gateway(&mut provider, &mut identity, &mut FixedAgreements::new(), &mut buffer)?;
    gateway(&mut provider, &mut identity, &mut FixedStore::new(), &mut buffer)?;
    stored(provider, &pins, &mut buffer)
}

measure::image!(run());

//! Calls every public function of the client, in all modes, and of a token's lifecycle: the image in which panics are looked for.
#![no_std]
#![no_main]

use board::random::Repeatable;
use core::hint::black_box;
use dynamic_key::client::{Client, TokenClient};
use dynamic_key::codec::retry_after::RetryAfter;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::software::{PinnedKey, RawKey};
use dynamic_key::crypto::{KeyId, Provider as _};
use dynamic_key::envelope::introduce;
use dynamic_key::handshake::{ClientConfig, ClientHandshake, ClientNeed};
use dynamic_key::request::Request;
use dynamic_key::session::{ClientType, Expiry, Mode, Now, Session, Uptime};
use dynamic_key::token::{
    Answer, Challenge, CodeVerifier, Config, Credentials, Lifecycle, TokenError, login, oauth,
};
use dynamic_key::transport::http1::Http1;
use dynamic_key::{Error, Misuse, Secret};
use measure::TOKEN;
use measure::provider::{Chosen, Identity, Pins, Provider};
use measure::roles::{Line, pin};

type Soft = Provider<RawKey>;

fn now() -> Now {
    let (wall, uptime) = black_box((Timestamp::from_unix_secs(1), Uptime::from_millis(1)));
    *black_box(&[Now::UNKNOWN, Now::wall(wall), Now::uptime(uptime), Now::both(wall, uptime)])
        .last()
        .unwrap_or(&Now::UNKNOWN)
}

fn config() -> ClientConfig<'static> {
    let [id, device, platform] = black_box(["sensor-fleet", "5f0c7a52", "cortex-m"]);
    let mut config = ClientConfig::new(black_box(ClientType::External), id, device, platform);
    config.mode = black_box(Mode::Mutual);
    config.identity = black_box(None);
    config.schemes = black_box(config.schemes);
    config.plain.salt = black_box(None);
    config
}

/// The device's own identity.
fn device() -> Result<Identity, Error> {
    Ok(Identity::from_bytes(&Secret::new(black_box([7; 32])))?)
}

/// The handshake, step by step.
fn handshake(provider: &mut Soft, pins: &[PinnedKey]) -> Result<Session<Soft, TOKEN>, Error> {
    let (config, mut buffer) = (config(), [0; 1024]);
    let mut machine = ClientHandshake::<Soft, TOKEN>::new(&config)?;
    loop {
        match machine.need() {
            ClientNeed::Generate(group) => {
                black_box(config.hello_len(group));
                machine.generated(provider.generate(group))?;
            }
            ClientNeed::Hello => {
                black_box(machine.hello(provider, now(), &mut buffer)?);
            }
            ClientNeed::Reply => machine.reply(black_box(200), black_box(&buffer))?,
            ClientNeed::Agree => {
                let (private, peer) = machine.agreement()?;
                machine.agreed(provider, provider.clone().agree(private, &peer))?;
            }
            ClientNeed::Verify => {
                let verification = machine.verification()?;
                black_box((verification.kid().as_str(), verification.message(), verification.signature()));
                machine.verified(verification.run(&mut Pins(pins)))?;
            }
            ClientNeed::Sign => {
                black_box(machine.statement()?.as_bytes());
                machine.sign(&mut device()?)?;
                let introduction = machine.introduction().copied().unwrap_or([0; 64]);
                black_box(introduce(black_box(&mut buffer), black_box(256), &introduction)?);
            }
            ClientNeed::Finish if black_box(true) => return machine.finish(),
            _ => black_box(machine.compute(provider, &mut Pins(pins))).map(drop)?,
        }
    }
}

/// The session, whole and in parts.
fn session(provider: &mut Soft, mut session: Session<Soft, TOKEN>) -> Result<(), Error> {
    let mut buffer = [0; 1024];
    let facts = session.facts();
    black_box((facts.id(), facts.token(), facts.mode(), facts.scheme()));
    black_box((session.is_over(now()), session.remaining()));
    let (length, exchange) = session.seal(provider, now(), &mut buffer, black_box(256))?;
    black_box(length);
    black_box(session.open(provider, black_box(200), black_box(&mut buffer))?);
    session.abandon(&exchange);
    session.export(provider, black_box("label"), black_box(b"context"), black_box(&mut [0; 48]))?;

    let (mut facts, mut sealer, mut opener) = session.into_parts();
    black_box((facts.is_over(now()), sealer.remaining()));
    opener.check_room()?;
    let (length, exchange) = sealer.seal(provider, facts.id(), &mut buffer, black_box(256))?;
    black_box((length, exchange.nonce().as_bytes()));
    opener.expect(&exchange)?;
    black_box(opener.open(provider, facts.id(), black_box(200), black_box(&mut buffer))?);
    opener.abandon(&exchange);
    Ok(())
}

/// The driver over HTTP.
fn client(provider: Soft, pins: &[PinnedKey]) -> Result<(), Error> {
    let host = black_box("gateway.example:8080");
    let http = Http1::over(Line, host).map_err(|_| Misuse::InvalidConfiguration)?;
    let mut client = Client::<_, _, _, TOKEN, _>::mutual(config(), provider, Pins(pins), device()?, http)?;
    let mut buffer = [0; 1024];
    let failed = Error::from(Misuse::InvalidRequest);
    client.ensure_session(now(), &mut buffer).map_err(|_| failed)?;
    for request in black_box([
        Request::get("/countries/get"),
        Request::post("/users/login", b"{}"),
        Request::new("PUT", "/users/update"),
    ]) {
        black_box((request.is_idempotent(), request.plaintext_len(), request.write(&mut buffer)?));
        let response = client.request(now(), &request, &mut buffer).map_err(|_| failed)?;
        black_box((response.status, response.retry_after, response.gateway_code(), response.body));
    }
    black_box(client.facts().map(|facts| facts.id()));
    client.transport_mut().disconnect();
    client.logout();
    Ok(())
}

/// The tokens of a user, step by step, and those of a client over HTTP.
fn tokens() -> Result<(), TokenError> {
    let mut buffer = [0; 1024];
    let (app, redirect_uri) = (Credentials::public(black_box("app"))?, black_box(Some("http://127.0.0.1/")));
    let config =
        Config { redirect_uri, scope: black_box(None), ..Config::new(black_box(&oauth::RFC6749), &app) };
    let mut user = Lifecycle::<TOKEN>::new(config)?;
    let random = Secret::new(black_box([7; 64]));
    black_box(user.authorize(black_box("https://issuer.example"), &random, &mut buffer)?);
    user.authorized(black_box("code=c&state=s"))?;
    user.restore(black_box("refresh"))?;
    let (request, pending) = user.request(now(), &mut buffer)?;
    black_box((request.target, request.api_key, request.bearer, request.body));
    if black_box(true) {
        let retry_after = RetryAfter::parse(black_box(b"Sun, 06 Nov 1994 08:49:37 GMT"));
        let answer = Answer { status: black_box(200), retry_after, body: black_box(&buffer) };
        user.answer(pending, now(), black_box(7), answer)?;
    } else {
        user.failed(pending, now(), black_box(7))?;
    }
    user.give_up(now(), black_box(7));
    user.waited(black_box(1));
    black_box((user.need(now()), user.refresh_token()));
    if let Some(access) = user.access(now()) {
        let generation = black_box(access.generation);
        user.used(generation, black_box(401));
    }
    user.revoke();
    user.restart();
    let verifier = CodeVerifier::new(black_box("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"))?;
    black_box(Challenge::new(black_box("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"))?.verifies(&verifier));

    let [id, secret, key] = black_box(["device", "secret", "key"]);
    let device = Credentials::confidential(id, secret)?.with_api_key(key)?;
    let http =
        Http1::over(Line, black_box("issuer.example")).map_err(|_| TokenError::InvalidConfiguration)?;
    let mut client = TokenClient::<_, TOKEN>::new(Config::new(black_box(&login::NILO), &device), http)?;
    black_box(client.access(now(), black_box(7), &mut buffer).is_ok());
    black_box(client.send_due(now(), black_box(7), &mut buffer).is_ok());
    client.tokens_mut().revoke();
    client.transport_mut().disconnect();
    Ok(())
}

fn run() -> Result<(), Error> {
    let (mut provider, pins) = (Chosen::new(Repeatable::new(1)), [pin()?]);
    black_box(KeyId::parse(black_box("IizO3eZ4OcYzY0Z5cyqpOfpQJ-bIzdryoUjZGP-WuBA")));
    black_box(
        Expiry::new(now(), black_box(Timestamp::from_unix_secs(2)), black_box(Some(3600))).is_over(now()),
    );
    let established = handshake(&mut provider, &pins)?;
    session(&mut provider, established)?;
    client(provider, &pins)?;
    tokens().map_err(|_| Misuse::InvalidConfiguration.into())
}

measure::image!(run());

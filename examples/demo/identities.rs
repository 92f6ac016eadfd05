//! Devices that have identities of their own, one of them in a chip, before a gateway that has registered them.

use crate::calls::COUNTRIES;
use crate::stage::{Gateway, Stage, Wire, line};
use crate::story::Story;
use crate::support::Clock;
use crate::support::tap::Tapped;
use dynamic_key::client::{Client, ClientError};
use dynamic_key::codec::base64;
use dynamic_key::crypto::software::{Identity, PinnedKey, Pins, Software};
use dynamic_key::crypto::{Provider, Signer, Verifier};
use dynamic_key::handshake::ClientConfig;
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{ClientType, Mode};
use dynamic_key::transport::http1::Http1;
use dynamic_key::{Code, Error};
use dynamic_key_gateway::{Config, config};
use dynamic_key_secure_element::SecureElement;
use dynamic_key_secure_element::chip::{Bus, Chip, Make, search};
use getrandom::SysRng;
use std::path::{Path, PathBuf};

const METER: &str = "meter-1";
const METER_WITH_CHIP: &str = "meter-2";
const CLIENT: &str = "internal-web-client";

/// A gateway that chooses the strongest scheme and keeps a route for devices whose identity it knows.
struct Strict {
    gateway: Gateway,
    meter: Identity,
    chip: Chip,
    element: SecureElement<Bus>,
}

/// A folder of this run's own, gone with it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Strict {
    fn open(stage: &Stage) -> Result<Self, String> {
        let meter = Identity::generate(&mut SysRng).map_err(line)?;
        let mut scalar = [0; 32];
        getrandom::fill(&mut scalar).map_err(line)?;
        scalar[0] &= 0x7f; // below the order of the group
        let (chip, bus) = Chip::power_on(scalar, SysRng, Make::default()).map_err(line)?;
        let element = SecureElement::new(bus).map_err(|trouble| format!("{trouble:?}"))?;
        let in_chip = element.signer().map_err(|trouble| format!("{trouble:?}"))?.public();

        let folder = Folder(std::env::temp_dir().join(format!("dynamic-key-demo-{}", std::process::id())));
        std::fs::create_dir_all(&folder.0).map_err(line)?;
        let registered = [(METER, meter.public().map_err(line)?), (METER_WITH_CHIP, in_chip)];
        let identities = registered
            .iter()
            .map(|(device, key)| {
                Ok(config::Identity {
                    key: write_jwk(&folder.0, device, key)?,
                    client_type: ClientType::Internal,
                    client: CLIENT.into(),
                    device: (*device).into(),
                })
            })
            .collect::<Result<_, String>>()?;
        let mut config = Config { preference: Preference::Strongest, identities, ..Config::demo() };
        for route in &mut config.routes {
            route.least_mode = Some(Mode::Mutual).filter(|_| route.path == COUNTRIES.path);
        }
        let gateway = stage.gateway_with(config)?;
        Ok(Self { gateway, meter, chip, element })
    }

    fn wire(&self) -> Result<Wire<'_>, String> {
        let connector = Tapped { connector: self.gateway.origin.dial().map_err(line)?, tape: None };
        Http1::new(connector, self.gateway.origin.host()).map_err(line)
    }
}

/// Writes a public key where a gateway's configuration can name it.
fn write_jwk(folder: &Path, device: &str, key: &PinnedKey) -> Result<PathBuf, String> {
    let (x, y) = key.point()[1..].split_at(32);
    let text = |coordinate| -> Result<String, String> {
        Ok(base64::url_encode(coordinate, &mut [0; 43]).map_err(line)?.into())
    };
    let jwk = serde_json::json!({ "kty": "EC", "crv": "P-256", "x": text(x)?, "y": text(y)? });
    let path = folder.join(format!("{device}.jwk"));
    std::fs::write(&path, jwk.to_string()).map_err(line)?;
    Ok(path)
}

pub(crate) fn identities(stage: &Stage, story: &mut Story) -> Result<(), String> {
    let mut strict = Strict::open(stage)?;
    retry(&strict, story)?;
    let meter = strict.meter.kid();
    story.scene(
        "A device's identity",
        "It signs the transcript until the first answer opens: the gateway knows whom it talks to.",
    );
    story.say(&format!("{METER}, identity {meter}"));
    let mut stranger = Identity::generate(&mut SysRng).map_err(line)?;
    for (device, signer, holds) in [(METER, true, true), ("meter-7", true, false), (METER, false, false)] {
        let signer = if signer { &mut strict.meter } else { &mut stranger };
        let kid = signer.kid();
        let outcome =
            call(&strict.gateway, device, Software::new(SysRng), Pins(&strict.gateway.keys), signer)?;
        let told = told(&outcome);
        match (holds, &outcome) {
            (true, _) => story.check(outcome == Ok((200, Mode::Mutual)), format_args!("{device}: {told}")),
            (false, _) => {
                let refused = Err(Error::Refused(Code::ClientNotAllowed));
                let whose = if kid == meter { "its identity" } else { "an identity that nobody registered" };
                story.refusal(outcome == refused, &format!("{device} with {whose}: {told}"));
            }
        }
    }
    without_identity(&strict, story)?;
    in_a_chip(&strict, story)
}

/// A 409 that the client follows, once, and only to what it offered.
fn retry(strict: &Strict, story: &mut Story) -> Result<(), String> {
    story.scene(
        "A gateway that prefers strength",
        "The device lists SCHEME-EC-AES1 first and sends a key for it; the gateway wants SCHEME-AES2, and says so.",
    );
    let config = ClientConfig {
        schemes: &[Scheme::EcAes1, Scheme::Aes2],
        ..ClientConfig::new(ClientType::Internal, CLIENT, METER, "server")
    };
    let middle = crate::middle::Middle::idle(strict.wire()?);
    let mut client: Client<'_, _, _, _> =
        Client::new(config, Software::new(SysRng), Pins(&strict.gateway.keys), middle).map_err(line)?;
    client.ensure_session(Clock::start().now(), &mut vec![0; 1 << 16]).map_err(line)?;
    let scheme = client.facts().map(|facts| facts.scheme());
    let seen = &client.transport_mut().seen;
    let statuses: Vec<_> = seen.iter().filter_map(|exchange| Some(exchange.answer.as_ref()?.0)).collect();
    story.check(
        statuses == [409, 200] && scheme == Some(Scheme::Aes2),
        format_args!("answers {statuses:?}, then a session of {}", scheme.map_or("no scheme", Scheme::name)),
    );
    Ok(())
}

/// The same route, the same device, without its identity.
fn without_identity(strict: &Strict, story: &mut Story) -> Result<(), String> {
    story.scene(
        "Claims without a key",
        "A session in which the gateway is pinned and the device merely claims its name.",
    );
    let config = ClientConfig::new(ClientType::Internal, CLIENT, METER, "server");
    let mut client: Client<'_, _, _, _> =
        Client::new(config, Software::new(SysRng), Pins(&strict.gateway.keys), strict.wire()?)
            .map_err(line)?;
    let mut buffer = vec![0; 1 << 16];
    let answer = client.request(Clock::start().now(), &COUNTRIES, &mut buffer).map_err(line)?;
    let (status, code) = (answer.status, answer.gateway_code());
    let observed = format!("{status} {}, sealed", code.map_or("no code", Code::name));
    story.refusal(code == Some(Code::ConfirmationRequired), &observed);
    Ok(())
}

/// Agreement, derivation, sealing and signing on the other side of a bus.
fn in_a_chip(strict: &Strict, story: &mut Story) -> Result<(), String> {
    story.scene(
        "A device whose keys are in a chip",
        "A simulated secure element: it generates, agrees, derives, seals and signs; keys are its slots.",
    );
    let trouble = |trouble| format!("{trouble:?}");
    let signer = strict.element.signer().map_err(trouble)?;
    story.say(&format!("{METER_WITH_CHIP}, identity {}", signer.kid()));
    let (provider, verifier) = (strict.element.provider(), strict.element.verifier(&strict.gateway.keys));
    let outcome = call(&strict.gateway, METER_WITH_CHIP, provider, verifier, signer)?;
    let told = told(&outcome);
    story.check(outcome == Ok((200, Mode::Mutual)), format_args!("{METER_WITH_CHIP}: {told}"));
    let (log, secrets) = (strict.chip.log(), strict.chip.sightings());
    let bytes = log.iter().fold(0_usize, |sum, entry| sum.saturating_add(entry.bytes.len()));
    story.check(
        !secrets.is_empty() && search(&log, &secrets).is_empty(),
        format_args!(
            "{bytes} bytes went over its bus, and none of the {} secrets in its slots",
            secrets.len()
        ),
    );
    Ok(())
}

/// One call in mutual mode: its status and what the session was worth, or why there was none.
fn call<'s, P: Provider, V: Verifier>(
    gateway: &'s Gateway,
    device: &'s str,
    provider: P,
    verifier: V,
    signer: impl Signer,
) -> Result<Result<(u16, Mode), Error>, String> {
    let connector = Tapped { connector: gateway.origin.dial().map_err(line)?, tape: None };
    let http = Http1::new(connector, gateway.origin.host()).map_err(line)?;
    let config = ClientConfig::new(ClientType::Internal, CLIENT, device, "server");
    let mut client: Client<'_, _, _, _, 1024, _> =
        Client::mutual(config, provider, verifier, signer, http).map_err(line)?;
    let mut buffer = vec![0; 1 << 16];
    let answer = client.request(Clock::start().now(), &COUNTRIES, &mut buffer).map(|answer| answer.status);
    match answer {
        Ok(status) => {
            let mode = client.facts().map(|facts| facts.mode()).ok_or("there is no session")?;
            Ok(Ok((status, mode)))
        }
        Err(ClientError::Core(error)) => Ok(Err(error)),
        Err(ClientError::Refused { code, .. }) => Ok(Err(Error::Refused(code))),
        Err(other) => Err(line(other)),
    }
}

fn told(outcome: &Result<(u16, Mode), Error>) -> String {
    match outcome {
        Ok((status, mode)) => format!("{} session, {status}", mode.name()),
        Err(Error::Refused(code)) => format!("{} {}", code.status(), code.name()),
        Err(error) => line(error),
    }
}

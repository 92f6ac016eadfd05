//! The chapters.

use crate::checks::says;
use crate::{Failed, Leak};
use core::convert::Infallible;
use defmt::{info, warn};
use dynamic_key::Code;
use dynamic_key::client::{Client, ClientError};
use dynamic_key::crypto::software::{Identity, PinnedKey, Pins, Software};
use dynamic_key::handshake::ClientConfig;
use dynamic_key::request::Request;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{ClientType, Now};
use dynamic_key::transport::http1::{self, Http1};
use dynamic_key::transport::{self, Header};
use dynamic_key::{Error as CoreError, Peer};
use kit::{Clock, Line, Random, WireError};
use rand_core::Rng;

/// One buffer for all that is sent and received.
pub(crate) const BUFFER: usize = 2048;
/// The room for a token.
const TOKEN: usize = if cfg!(frames) { 0 } else { 640 };

/// The user that the sample upstream knows.
const LOGIN: &[u8] = br#"{"user":"demo","password":"demo"}"#;
/// One that it does not know.
const WRONG_LOGIN: &[u8] = br#"{"user":"demo","password":"guessed"}"#;

/// Why a call failed.
pub(crate) type Error = ClientError<http1::Error<Infallible, WireError>>;

/// The machine and what it was told.
pub(crate) struct Device<'u, 's> {
    pub(crate) line: Line<'u>,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) host: &'s str,
    pub(crate) client_id: &'s str,
    pub(crate) buffer: [u8; BUFFER],
}

/// A client over the line.
type UartClient<'s, 'u> = Client<'s, Software<&'s mut Random>, Pins<'s>, Http1<'s, Line<'u>>, TOKEN>;

/// What the chapters do all the time.
struct Chapter<'s, 'u> {
    client: UartClient<'s, 'u>,
    clock: &'s mut Clock,
    buffer: &'s mut [u8; BUFFER],
}

impl<'u> Device<'u, '_> {
    /// Opens a chapter: a client without a session that pins `keys` and offers `schemes`.
    fn open<'s>(
        &'s mut self,
        keys: &'s [PinnedKey],
        schemes: &'s [Scheme],
    ) -> Result<Chapter<'s, 'u>, Failed> {
        let config = ClientConfig {
            schemes,
            ..ClientConfig::new(ClientType::Internal, self.client_id, "device-0001", "cortex-m")
        };
        let transport = Http1::new(self.line, self.host).map_err(|_| Failed::Setting("host"))?;
        let client = Client::new(config, Software::new(&mut self.random), Pins(keys), transport);
        let client = client.map_err(|error| Failed::Client(error.into()))?;
        Ok(Chapter { client, clock: &mut self.clock, buffer: &mut self.buffer })
    }
}

impl Chapter<'_, '_> {
    /// Whether the session is another than that with the id whose hash is `before`.
    fn session(&self) -> u32 {
        // Ids are public, but not short: their hash will do.
        let id = self.client.facts().map_or("", |facts| facts.id());
        id.bytes().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }

    fn countries(&mut self, now: Now) -> Result<(), Failed> {
        let answer = self.client.request(now, &Request::get("/countries/get"), self.buffer)?;
        check(answer.status == 200 && answer.body.starts_with(br#"{"countries":["#), "countries")
    }
}

fn check(holds: bool, name: &'static str) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(Failed::Check(name)) }
}

/// Sealed requests with both schemes, in pinned sessions.
pub(crate) fn calls(device: &mut Device<'_, '_>, key: &PinnedKey) -> Result<(), Failed> {
    for scheme in Scheme::ELLIPTIC {
        let (keys, schemes) = ([*key], [scheme]);
        let mut number = [0; 8];
        digits(device.random.next_u32(), &mut number);
        let mut chapter = device.open(&keys, &schemes)?;
        let now = chapter.clock.now();
        chapter.client.ensure_session(now, chapter.buffer)?;
        let facts = chapter.client.facts().ok_or(Failed::Check("facts"))?;
        check(facts.scheme() == scheme, "scheme")?;
        info!("session: {}, {}", facts.scheme(), facts.mode());
        chapter.countries(now)?;
        let mut path = *b"/users/getbyid/00000000";
        path[15..].copy_from_slice(&number);
        let (path, number) = (text(&path)?, text(&number)?);
        let answer = chapter.client.request(now, &Request::get(path), chapter.buffer)?;
        check(says(&answer, 200, "id", number), "id")?;
        let answer = chapter.client.request(now, &Request::post("/users/login", LOGIN), chapter.buffer)?;
        check(says(&answer, 200, "user", "demo"), "login")?;
        let answer =
            chapter.client.request(now, &Request::post("/users/login", WRONG_LOGIN), chapter.buffer)?;
        check(answer.status == 401 && answer.gateway_code().is_none(), "wrong login")?;
        let answer = chapter.client.request(now, &Request::get("/secrets"), chapter.buffer)?;
        check(answer.gateway_code() == Some(Code::RouteNotAllowed), "forbidden route")?;
        info!("calls: {} requests answered as they should be", 5);
    }
    Ok(())
}

/// A gateway that is not the pinned one is refused.
pub(crate) fn impostor(device: &mut Device<'_, '_>) -> Result<(), Failed> {
    let other = Identity::generate(&mut device.random).and_then(|identity| identity.public());
    let keys = [other.map_err(|_| Failed::Check("generator"))?];
    let mut chapter = device.open(&keys, &Scheme::ELLIPTIC)?;
    let now = chapter.clock.now();
    let outcome = chapter.client.ensure_session(now, chapter.buffer);
    check(outcome == Err(ClientError::Core(CoreError::Peer(Peer::Authentication))), "impostor")?;
    info!("impostor: refused, for it is not pinned");
    Ok(())
}

/// The gateway is restarted meanwhile: its sessions are gone, and the line is cut and comes back.
pub(crate) fn restart(device: &mut Device<'_, '_>, key: &PinnedKey) -> Result<(), Failed> {
    let keys = [*key];
    let mut chapter = device.open(&keys, &Scheme::ELLIPTIC)?;
    let now = chapter.clock.now();
    chapter.countries(now)?;
    let before = chapter.session();
    info!("restart: a session stands, restart the gateway");
    let end = chapter.clock.millis() + 60_000;
    while chapter.session() == before {
        check(chapter.clock.millis() < end, "the gateway was not restarted")?;
        chapter.clock.sleep(200);
        let now = chapter.clock.now();
        if let Err(failed) = chapter.countries(now) {
            warn!("restart: {}", failed);
        }
    }
    let now = chapter.clock.now();
    chapter.countries(now)?;
    info!("restart: survived, with another session");
    Ok(())
}

/// Sessions end: by the device's clock, and by the gateway's word where the device has none.
pub(crate) fn expiry(device: &mut Device<'_, '_>, key: &PinnedKey) -> Result<(), Failed> {
    let keys = [*key];
    for with_clock in [true, false] {
        let mut chapter = device.open(&keys, &Scheme::ELLIPTIC)?;
        let now = |clock: &mut Clock| if with_clock { clock.now() } else { Now::UNKNOWN };
        let at = now(chapter.clock);
        chapter.countries(at)?;
        let before = chapter.session();
        let start = chapter.clock.millis();
        while chapter.session() == before {
            check(chapter.clock.millis() - start < 30_000, "the session did not end")?;
            chapter.clock.sleep(500);
            let at = now(chapter.clock);
            chapter.countries(at)?;
        }
        let seconds = (chapter.clock.millis() - start) / 1000;
        if with_clock {
            info!("expiry: renewed by its own clock after {} s", seconds);
        } else {
            info!("expiry: renewed by the gateway's word after {} s", seconds);
        }
    }
    Ok(())
}

/// After a logout nothing is left of the session.
pub(crate) fn logout(device: &mut Device<'_, '_>, key: &PinnedKey) -> Result<(), Failed> {
    let keys = [*key];
    let mut chapter = device.open(&keys, &Scheme::ELLIPTIC)?;
    let now = chapter.clock.now();
    chapter.countries(now)?;
    let before = chapter.session();
    chapter.client.logout();
    check(chapter.client.facts().is_none(), "logout")?;
    chapter.countries(now)?;
    check(chapter.session() != before, "session after a logout")?;
    chapter.client.logout();
    info!("logout: forgotten, and shaken hands anew");
    Ok(())
}

/// Shows all that can be shown of what holds secrets. The generator gives the handshake its first numbers, so that the
/// host, which knows the seed, can compute the session's keys and search the log for them.
pub(crate) fn show(device: &mut Device<'_, '_>, key: &PinnedKey, leak: Leak) -> Result<(), Failed> {
    let keys = [*key];
    let mut chapter = device.open(&keys, &Scheme::ELLIPTIC)?;
    let now = chapter.clock.now();
    chapter.client.ensure_session(now, chapter.buffer)?;
    info!("show: {}", chapter.client);
    info!("show: {}", chapter.client.transport_mut());
    let facts = chapter.client.facts().ok_or(Failed::Check("facts"))?;
    let headers = [Header::bearer(facts.token()).map_err(|_| Failed::Check("token"))?];
    info!(
        "show: {} {}",
        facts,
        transport::Request { method: "POST", target: "/", headers: &headers, body: LOGIN }
    );
    let requests =
        [Request::post("/users/login", LOGIN), Request::get("/users/getbyid/a-name-that-nobody-may-see")];
    for request in requests {
        let answer = chapter.client.request(now, &request, chapter.buffer)?;
        info!("show: {} {}", request, answer);
        check(answer.status == 200, "show")?;
        leak(chapter.client.facts().map_or("", |facts| facts.token()), answer.body);
    }
    Ok(())
}

/// Eight digits of a number.
fn digits(mut number: u32, out: &mut [u8; 8]) {
    for digit in out {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn text(bytes: &[u8]) -> Result<&str, Failed> {
    core::str::from_utf8(bytes).map_err(|_| Failed::Check("text"))
}

//! The client from every state: any calls in any order, with honest, altered and foreign inputs, a provider that fails and
//! clocks that come and go.
//!
//! - A call at the wrong turn changes nothing; any other error of a handshake but a short buffer ends it.
//! - A session comes of an answer that an honest server gave to this hello, proven and, when pinned, verified.
//! - Counters never repeat, a response opens once, for its request, unaltered, and a session that is over stays so.
//!
//! Input: a client, then calls. The call 0 is the honest next step.
#![no_main]

mod handshake;
mod session;

use dynamic_key::codec::spki::PublicKey;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::handshake::{Claims, ClientConfig, ClientHandshake, ClientNeed, ClientPolicy, ServerPolicy};
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{ClientType, Exchange, Mode, Now, ServerSession, Session, Uptime};
use dynamic_key_fuzz::identity::Identity;
use dynamic_key_fuzz::input::Input;
use dynamic_key_fuzz::provider::{Provider, Scalar};
use libfuzzer_sys::fuzz_target;

const TOKEN: usize = 64;
const OUTSTANDING: usize = 3;
const IDENTITY: Identity = Identity(1);
/// When virtual time begins, and how long a session lasts.
const START: u64 = 1_780_531_200_000;
const LASTS: u64 = 3_600_000;
/// The most calls of one run.
const CALLS: usize = 64;

const SCHEMES: [&[Scheme]; 4] = [
    &[Scheme::EcAes2, Scheme::EcAes1],
    &[Scheme::EcAes1],
    &[Scheme::EcAes1, Scheme::EcAes2],
    &[Scheme::EcAes2],
];

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let choice = input.byte();
    let config = ClientConfig {
        mode: [Mode::Plain, Mode::Confirmed, Mode::Pinned, Mode::Pinned][usize::from(choice & 3)],
        schemes: SCHEMES[usize::from(choice >> 2 & 3)],
        ..ClientConfig::new(ClientType::External, "partner", "a \"quoted\\ id", "ios")
    };
    let mut run = Run::new(config);
    for _ in 0..CALLS {
        if input.is_empty() {
            break;
        }
        run.call(&mut input);
    }
});

/// An honest server's half of a handshake.
struct Honest {
    answer: Vec<u8>,
    session: ServerSession<Provider>,
    /// When its session ends, in milliseconds from the start.
    ends: u64,
    handshake: usize,
}

/// A session and what is known of it.
struct Established {
    session: Session<Provider, TOKEN, OUTSTANDING>,
    /// The server at its other end; there may be none in plain mode, where nothing is proven.
    honest: Option<usize>,
    /// The counter that comes next.
    next: u64,
    prefix: Option<[u8; 4]>,
    sent: Vec<Sent>,
    was_over: bool,
}

/// A request.
struct Sent {
    exchange: Exchange,
    envelope: Vec<u8>,
    /// Whether its response is awaited.
    is_outstanding: bool,
    /// Status, envelope and plaintext of its one response.
    response: Option<(u16, Vec<u8>, Vec<u8>)>,
}

struct Run<'c> {
    config: ClientConfig<'c>,
    provider: Provider,
    /// Milliseconds since the start.
    time: u64,
    handshake: ClientHandshake<'c, Provider, TOKEN, OUTSTANDING>,
    /// How many handshakes have begun.
    begun: usize,
    /// The hello that was sent last.
    hello: Vec<u8>,
    /// Private and public key that were handed out for agreement.
    agreeing: Option<(Scalar, PublicKey)>,
    /// The honest server whose answer the handshake took as it was, and whether Z is what it should be.
    taken: Option<usize>,
    is_true_z: bool,
    servers: Vec<Honest>,
    established: Option<Established>,
}

/// Knows the client and accepts its schemes.
struct Everybody;

impl ServerPolicy for Everybody {
    fn client(&self, _: &Claims<'_>) -> Option<ClientPolicy<'_>> {
        Some(ClientPolicy {
            schemes: &Scheme::ELLIPTIC,
            preference: Preference::Client,
            least_mode: Mode::Plain,
        })
    }
}

impl<'c> Run<'c> {
    fn new(config: ClientConfig<'c>) -> Self {
        Self {
            handshake: ClientHandshake::new(&config).unwrap(),
            config,
            provider: Provider::new(1),
            time: 0,
            begun: 1,
            hello: Vec::new(),
            agreeing: None,
            taken: None,
            is_true_z: true,
            servers: Vec::new(),
            established: None,
        }
    }

    fn now(&self, clocks: u8) -> Now {
        let wall = Timestamp::from_unix_millis(START + self.time);
        let uptime = Uptime::from_millis(5000 + self.time);
        [Now::both(wall, uptime), Now::wall(wall), Now::uptime(uptime), Now::UNKNOWN][usize::from(clocks & 3)]
    }

    fn call(&mut self, input: &mut Input<'_>) {
        self.provider.has_failed = false;
        match input.byte() % 24 {
            0 => self.honest_step(),
            1 => self.reply_raw(input),
            2 => self.begin(),
            3 => self.generated(input),
            4 => self.send_hello(input),
            5 => self.reply_altered(input),
            6 => self.reply_honest(input),
            7 => self.agreement(),
            8 => self.agreed(input),
            9 => self.verified(input),
            10 => self.finish(),
            11 => self.compute(),
            12 => self.provider.fails_after = Some(input.byte() & 31),
            13 => self.time += u64::from(input.short()) * 100,
            14 => self.seal(input),
            15 => self.respond(input),
            16 => self.open_honest(input),
            17 => self.open_altered(input),
            18 => self.open_raw(input),
            19 => self.reflect(input),
            20 => self.abandon(input),
            21 => self.export(input),
            22 => self.expires(input),
            _ => self.established = None,
        }
    }

    fn honest_step(&mut self) {
        if self.established.is_some() {
            let mut zero = Input::new(&[]);
            let latest = self.established.as_ref().and_then(|established| established.sent.last());
            match latest.map(|sent| (sent.is_outstanding, sent.response.is_some())) {
                Some((true, false)) => self.respond_to(usize::MAX, 200, 2),
                Some((true, true)) => self.open(usize::MAX),
                _ => self.seal(&mut zero),
            }
            return;
        }
        match self.handshake.need() {
            ClientNeed::Hello => self.hello(0, 1024),
            ClientNeed::Reply => {
                let which = self.servers.len() - 1;
                let answer = self.servers[which].answer.clone();
                self.reply(200, &answer, Some(which));
            }
            ClientNeed::Finish => self.finish(),
            ClientNeed::Nothing => self.begin(),
            _ => self.compute(),
        }
    }
}

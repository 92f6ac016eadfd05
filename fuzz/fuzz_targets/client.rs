//! The client from every state: any calls in any order, with honest, altered and foreign inputs, a provider that fails and
//! clocks that come and go.
//!
//! - A call at the wrong turn changes nothing; any other error of a handshake but a short buffer ends it.
//! - A session comes of an answer that an honest server gave to this hello, proven and, when pinned, verified.
//! - Counters never repeat, a response opens once, for its request, unaltered, and a session that is over stays so.
//!
//! Input: a client, then calls. The call 0 is the honest next step.
#![no_main]

use dynamic_key::codec::spki::PublicKey;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::{CryptoError, Provider as _, Signer};
use dynamic_key::envelope::{Envelope, sealed_len};
use dynamic_key::handshake::{
    Claims, ClientConfig, ClientHandshake, ClientNeed, ClientPolicy, ServerFacts, ServerHandshake,
    ServerNeed, ServerPolicy,
};
use dynamic_key::nonce::limit;
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{ClientType, Exchange, Mode, Now, ServerSession, Session, Uptime};
use dynamic_key::{Error, Misuse, Peer, Secret};
use dynamic_key_fuzz::identity::Identity;
use dynamic_key_fuzz::input::{Input, alter};
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

type Outcome = Result<(), Error>;

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

    /// Checks what a call of the handshake has done: `turn` says whether it was its turn, `after` what may come then.
    fn judge(&mut self, before: ClientNeed, outcome: Outcome, turn: bool, after: &[ClientNeed]) -> Outcome {
        let need = self.handshake.need();
        match outcome {
            _ if !turn => {
                let failed = before == ClientNeed::Nothing;
                let expected = if failed { Misuse::HandshakeFailed } else { Misuse::WrongTurn };
                assert_eq!((outcome, need), (Err(expected.into()), before));
            }
            Ok(()) => assert!(after.contains(&need), "{before:?} to {need:?}"),
            Err(Error::BufferTooSmall { .. }) => assert_eq!((before, need), (ClientNeed::Hello, before)),
            Err(error) => {
                assert_eq!(need, ClientNeed::Nothing, "{error:?}");
                assert!(!matches!(error, Error::Misuse(_)));
                assert!(self.provider.has_failed || !matches!(error, Error::Crypto(_)), "{error:?}");
            }
        }
        outcome
    }

    fn begin(&mut self) {
        self.handshake = ClientHandshake::new(&self.config).unwrap();
        self.begun += 1;
        self.agreeing = None;
        self.taken = None;
        self.is_true_z = true;
    }

    fn generated(&mut self, input: &mut Input<'_>) {
        let before = self.handshake.need();
        let turn = matches!(before, ClientNeed::Generate(_));
        let outcome = match input.below(3) {
            0 => Err(CryptoError::Random),
            1 => Err(CryptoError::Failed),
            _ => self.provider.generate(dynamic_key::codec::spki::Group::P256),
        };
        self.provider.has_failed |= outcome.is_err();
        let outcome = self.handshake.generated(outcome);
        let _ = self.judge(before, outcome, turn, &[ClientNeed::Hello]);
    }

    fn send_hello(&mut self, input: &mut Input<'_>) {
        let (clocks, room) = (input.byte(), usize::from(input.byte()) * 4);
        self.hello(clocks, room);
    }

    fn hello(&mut self, clocks: u8, room: usize) {
        let (before, now) = (self.handshake.need(), self.now(clocks));
        let turn = before == ClientNeed::Hello;
        let mut buffer = vec![0; room];
        let written = self.handshake.hello(&mut self.provider, now, &mut buffer);
        if self.judge(before, written.map(drop), turn, &[ClientNeed::Reply]).is_err() {
            if let Err(Error::BufferTooSmall { needed }) = written {
                assert!(
                    room < needed && needed == self.config.hello_len(dynamic_key::codec::spki::Group::P256)
                );
            }
            return;
        }
        buffer.truncate(written.unwrap());
        self.hello = buffer;
        self.taken = None;
        self.answer();
    }

    /// An honest server answers the hello.
    fn answer(&mut self) {
        let mut provider = self.provider.peer(self.servers.len() as u64 + 2);
        let mut identity = IDENTITY;
        let mut server = ServerHandshake::new();
        server.hello(&mut provider, &Everybody, &mut self.hello.clone()).unwrap();
        assert_eq!(server.compute(&mut provider), Ok(ServerNeed::Answer));
        let facts = ServerFacts {
            session_id: &format!("session-{}", self.servers.len()),
            token: "e30.e30.c2ln",
            expire_token: 0,
            expires_at: Timestamp::from_unix_millis(START + self.time + LASTS),
            expires_in: LASTS / 1000,
            instance: 7,
            identity: Some(identity.kid()),
            plain: Default::default(),
        };
        let mut answer = vec![0; 1024];
        let length = server.answer(&mut provider, &facts, &mut answer).unwrap();
        answer.truncate(length);
        if server.need() == ServerNeed::Sign {
            server.sign(&mut identity, &mut answer).unwrap();
        }
        let (session, ends) = (server.finish().unwrap(), self.time + LASTS);
        self.servers.push(Honest { answer, session, ends, handshake: self.begun });
    }

    fn reply(&mut self, status: u16, body: &[u8], from: Option<usize>) {
        let before = self.handshake.need();
        let outcome = self.handshake.reply(status, body);
        let outcome = self.judge(before, outcome, before == ClientNeed::Reply, &[ClientNeed::Agree]);
        if outcome.is_ok() {
            self.taken = from;
        }
    }

    fn reply_raw(&mut self, input: &mut Input<'_>) {
        // Everything that comes before a reply, so that whole messages of the vectors are seeds.
        if !matches!(self.handshake.need(), ClientNeed::Reply) && input.flag() {
            self.begin();
            self.compute();
            self.hello(0, 1024);
        }
        let status = input.short();
        let body = input.many();
        self.reply(status, body, None);
    }

    fn reply_honest(&mut self, input: &mut Input<'_>) {
        let which = input.below(self.servers.len());
        let Some(server) = self.servers.get(which) else { return };
        let answer = server.answer.clone();
        self.reply(200, &answer, Some(which));
    }

    fn reply_altered(&mut self, input: &mut Input<'_>) {
        let Some(server) = self.servers.last() else { return };
        let mut answer = server.answer.clone();
        alter(&mut answer, input);
        self.reply(200, &answer, None);
    }

    fn agreement(&mut self) {
        let (before, was_handed_out) = (self.handshake.need(), self.agreeing.is_some());
        let turn = before == ClientNeed::Agree && !was_handed_out;
        let keys = self.handshake.agreement();
        let _ =
            self.judge(before, keys.as_ref().map(drop).map_err(|error| *error), turn, &[ClientNeed::Agree]);
        if let Ok(keys) = keys {
            self.agreeing = Some(keys);
        }
    }

    fn agreed(&mut self, input: &mut Input<'_>) {
        let before = self.handshake.need();
        let turn = before == ClientNeed::Agree && self.agreeing.is_some();
        let outcome = match (input.below(4), self.agreeing.take()) {
            (0, _) | (_, None) => Err(CryptoError::Failed),
            (1, _) => {
                self.is_true_z = false;
                Ok(Secret::new([input.byte(); 32]))
            }
            (_, Some((private, peer))) => {
                self.is_true_z = true;
                self.provider.agree(private, &peer)
            }
        };
        self.provider.has_failed |= outcome.is_err();
        let outcome = self.handshake.agreed(&mut self.provider, outcome);
        let after = if self.config.mode == Mode::Pinned { ClientNeed::Verify } else { ClientNeed::Finish };
        let _ = self.judge(before, outcome, turn, &[after]);
    }

    fn verified(&mut self, input: &mut Input<'_>) {
        let before = self.handshake.need();
        let turn = before == ClientNeed::Verify;
        let verification = self.handshake.verification();
        let _ = self.judge(before, verification.map(drop), turn, &[before]);
        let outcome = match verification {
            Ok(verification) => verification.run(&mut Identity(1 + input.byte() % 2)),
            Err(_) => Err(CryptoError::Authentication),
        };
        let is_right = outcome.is_ok();
        let outcome = self.handshake.verified(outcome);
        let outcome = self.judge(before, outcome, turn, &[ClientNeed::Finish]);
        assert!(is_right || outcome.is_err());
    }

    fn compute(&mut self) {
        let (before, agreeing) = (self.handshake.need(), self.agreeing.is_some());
        let outcome = self.handshake.compute(&mut self.provider, &mut { IDENTITY });
        let waits = matches!(
            before,
            ClientNeed::Hello | ClientNeed::Reply | ClientNeed::Finish | ClientNeed::Nothing
        );
        if waits {
            assert_eq!(outcome, Ok(before));
        } else {
            let after = [ClientNeed::Hello, ClientNeed::Finish];
            let turn = before != ClientNeed::Agree || !agreeing;
            self.is_true_z |= before == ClientNeed::Agree && turn;
            let _ = self.judge(before, outcome.map(drop), turn, &after);
        }
    }

    fn finish(&mut self) {
        let (before, agreeing) = (self.handshake.need(), self.agreeing.is_some());
        let fresh = ClientHandshake::new(&self.config).unwrap();
        let handshake = core::mem::replace(&mut self.handshake, fresh);
        match handshake.finish() {
            Ok(session) => {
                assert_eq!(before, ClientNeed::Finish);
                assert!(!agreeing);
                self.establish(session);
            }
            Err(error) => {
                let failed = before == ClientNeed::Nothing;
                let expected = if failed { Misuse::HandshakeFailed } else { Misuse::WrongTurn };
                assert_eq!(error, expected.into());
                assert_ne!(before, ClientNeed::Finish);
            }
        }
        self.begin();
    }

    /// Whose session it is. Outside plain mode there must be somebody, and it must be in answer to this hello.
    fn establish(&mut self, session: Session<Provider, TOKEN, OUTSTANDING>) {
        self.provider.fails_after = None;
        let mut provider = self.provider.peer(0);
        let mut exported = [0; 32];
        let honest = if self.config.mode == Mode::Plain {
            let unsupported = session.export(&mut provider, "label", b"", &mut exported);
            assert_eq!(unsupported, Err(CryptoError::Unsupported));
            self.taken.filter(|which| self.is_true_z && self.servers[*which].handshake == self.begun)
        } else {
            session.export(&mut provider, "label", b"context", &mut exported).unwrap();
            let is_peer = |server: &Honest| {
                let mut theirs = [0; 32];
                server.session.export(&mut provider, "label", b"context", &mut theirs).unwrap();
                theirs == exported
            };
            let which = self.servers.iter().position(is_peer).expect("a session without proof");
            let server = &self.servers[which];
            assert_eq!(server.handshake, self.begun, "an answer to another hello");
            assert_eq!(session.facts().scheme(), server.session.scheme());
            Some(which)
        };
        assert_eq!(session.facts().mode(), self.config.mode);
        assert_eq!(
            honest.map(|which| self.servers[which].session.id()).unwrap_or(session.facts().id()),
            session.facts().id()
        );
        self.established =
            Some(Established { session, honest, next: 0, prefix: None, sent: Vec::new(), was_over: false });
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

    fn seal(&mut self, input: &mut Input<'_>) {
        let (clocks, length, short) =
            (input.byte(), usize::from(input.byte()), usize::from(input.byte() & 1));
        let now = self.now(clocks);
        let ends = self.ends();
        let Some(established) = &mut self.established else { return };
        let needed = sealed_len(length);
        let mut buffer = vec![b'x'; needed - short];
        let is_plain = self.config.mode == Mode::Plain;
        let awaited = established.sent.iter().filter(|sent| sent.is_outstanding).count();
        let is_full = awaited >= if is_plain { 1 } else { OUTSTANDING };
        let most = if is_plain { limit::PLAIN_REQUESTS } else { limit::MESSAGES };
        assert_eq!(established.session.remaining(), most - established.next);
        let sealed = established.session.seal(&mut self.provider, now, &mut buffer, length);
        assert_eq!(sealed == Err(Error::SessionExpired), is_over(established, now, ends));
        match sealed {
            Ok((written, exchange)) => {
                assert!(!is_full && short == 0 && written == needed);
                let nonce = exchange.nonce();
                assert_eq!(nonce.counter(), established.next, "counters never repeat");
                assert_eq!(*established.prefix.get_or_insert(nonce.prefix()), nonce.prefix());
                assert!(if is_plain { nonce.prefix()[0] < 0x80 } else { nonce.prefix() == [0; 4] });
                established.next += 1;
                let (is_outstanding, response) = (true, None);
                established.sent.push(Sent { exchange, envelope: buffer, is_outstanding, response });
            }
            Err(Error::SessionExpired) => {}
            Err(Error::Misuse(Misuse::TooManyOutstanding)) => assert!(is_full),
            Err(Error::BufferTooSmall { needed: said }) => assert!(!is_full && short == 1 && said == needed),
            Err(error) => {
                assert!(self.provider.has_failed, "{error:?}");
                established.next += 1;
            }
        }
        assert_eq!(established.session.remaining(), most - established.next);
    }

    fn ends(&self) -> Option<u64> {
        self.established.as_ref()?.honest.map(|which| self.servers[which].ends)
    }

    fn expires(&mut self, input: &mut Input<'_>) {
        let (now, ends) = (self.now(input.byte()), self.ends());
        let Some(established) = &mut self.established else { return };
        let over = established.session.is_over(now);
        assert_eq!(over, is_over(established, now, ends));
    }

    /// The server opens a request and answers it, once.
    fn respond(&mut self, input: &mut Input<'_>) {
        let (which, status, length) =
            (input.below(256), 200 + input.short() % 400, usize::from(input.byte()));
        self.respond_to(which, status, length);
    }

    fn respond_to(&mut self, which: usize, status: u16, length: usize) {
        let Some(established) = &mut self.established else { return };
        let which = if which == usize::MAX {
            established.sent.len().wrapping_sub(1)
        } else {
            which % established.sent.len().max(1)
        };
        let (Some(server), Some(sent)) = (established.honest, established.sent.get_mut(which)) else {
            return;
        };
        if sent.response.is_some() {
            return;
        }
        let server = &self.servers[server].session;
        let mut provider = self.provider.peer(100 + which as u64);
        let mut buffer = sent.envelope.clone();
        let envelope = Envelope::parse(&mut buffer).unwrap();
        assert_eq!(envelope.nonce(), sent.exchange.nonce());
        let opened = server.open(&mut provider, envelope, &mut buffer).unwrap().committed();
        assert!(buffer[opened.plaintext()].iter().all(|byte| *byte == b'x'));
        let plaintext = vec![b'a' + (which % 26) as u8; length];
        let mut buffer = plaintext.clone();
        buffer.resize(sealed_len(length), 0);
        server.seal(&mut provider, opened, status, &mut buffer, length).map_err(|(error, _)| error).unwrap();
        sent.response = Some((status, buffer, plaintext));
    }

    fn open_honest(&mut self, input: &mut Input<'_>) {
        let which = input.below(256);
        self.open(which);
    }

    /// A response as it was sent.
    fn open(&mut self, which: usize) {
        let Some(established) = &mut self.established else { return };
        let which = if which == usize::MAX {
            established.sent.len().wrapping_sub(1)
        } else {
            which % established.sent.len().max(1)
        };
        let is_plain = self.config.mode == Mode::Plain;
        let Some((status, envelope, plaintext)) =
            established.sent.get(which).and_then(|sent| sent.response.clone())
        else {
            return;
        };
        // In plain mode nothing ties a response to its request.
        let answered =
            if is_plain { established.sent.iter().position(|sent| sent.is_outstanding) } else { Some(which) };
        let awaited = answered.filter(|which| established.sent[*which].is_outstanding);
        let mut buffer = envelope;
        match established.session.open(&mut self.provider, status, &mut buffer) {
            Ok(opened) => {
                assert_eq!(opened, plaintext);
                established.sent[awaited.expect("nothing was awaited")].is_outstanding = false;
            }
            Err(error) if self.provider.has_failed => assert_eq!(error, CryptoError::Failed.into()),
            Err(error) => {
                assert_eq!(error, Peer::Authentication.into());
                assert_eq!(awaited, None, "the response was refused");
            }
        }
    }

    /// A response with another status, or altered.
    fn open_altered(&mut self, input: &mut Input<'_>) {
        let Some(established) = &mut self.established else { return };
        let is_plain = self.config.mode == Mode::Plain;
        let Some(sent) = established.sent.get(input.below(established.sent.len())) else { return };
        let Some((mut status, mut buffer, _)) = sent.response.clone() else { return };
        if input.flag() && !is_plain {
            status = status % 599 + 1;
        } else {
            alter(&mut buffer, input);
        }
        assert!(established.session.open(&mut self.provider, status, &mut buffer).is_err());
    }

    fn open_raw(&mut self, input: &mut Input<'_>) {
        let (status, mut body) = (input.short(), input.many().to_vec());
        let Some(established) = &mut self.established else { return };
        assert!(established.session.open(&mut self.provider, status, &mut body).is_err());
    }

    /// The client's own request comes back.
    fn reflect(&mut self, input: &mut Input<'_>) {
        let Some(established) = &mut self.established else { return };
        let Some(sent) = established.sent.get(input.below(established.sent.len())) else { return };
        let mut request = sent.envelope.clone();
        let refused = established.session.open(&mut self.provider, 200, &mut request);
        assert!(self.provider.has_failed || refused == Err(Peer::Authentication.into()));
    }

    fn abandon(&mut self, input: &mut Input<'_>) {
        let Some(established) = &mut self.established else { return };
        let which = input.below(established.sent.len());
        let Some(sent) = established.sent.get_mut(which) else { return };
        established.session.abandon(&sent.exchange);
        sent.is_outstanding = false;
    }

    fn export(&mut self, input: &mut Input<'_>) {
        let Some(established) = &mut self.established else { return };
        let (label, context) = (input.text(), input.some());
        let mut out = vec![0; usize::from(input.byte())];
        let exported = established.session.export(&mut self.provider, &label, context, &mut out);
        let Some(server) = established.honest.filter(|_| exported.is_ok()) else { return };
        let mut theirs = vec![0; out.len()];
        let mut provider = self.provider.peer(0);
        self.servers[server].session.export(&mut provider, &label, context, &mut theirs).unwrap();
        assert_eq!(theirs, out);
    }
}

/// Whether the session is over, as far as it can be told from outside: it is when a clock that shows shows it, and stays so.
fn is_over(established: &mut Established, now: Now, ends: Option<u64>) -> bool {
    let over = established.session.is_over(now);
    assert!(over || !established.was_over, "a session that was over is not any more");
    established.was_over = over;
    if let (Some(ends), Some(wall)) = (ends, now.wall) {
        assert!(over || wall.as_unix_millis() - START < ends, "past its end");
    }
    over
}

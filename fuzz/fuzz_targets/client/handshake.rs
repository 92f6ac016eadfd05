//! Calls of the handshake.

use super::{Established, Everybody, Honest, IDENTITY, LASTS, OUTSTANDING, Run, START, TOKEN};
use dynamic_key::codec::spki::Group;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::{CryptoError, Provider as _, Signer};
use dynamic_key::handshake::{ClientHandshake, ClientNeed, ServerFacts, ServerHandshake, ServerNeed};
use dynamic_key::session::{Mode, Session};
use dynamic_key::{Error, Misuse, Secret};
use dynamic_key_fuzz::identity::Identity;
use dynamic_key_fuzz::input::{Input, alter};
use dynamic_key_fuzz::provider::Provider;

type Outcome = Result<(), Error>;

impl Run<'_> {
    /// Checks what a call of the handshake has done: `turn` says whether it was its turn, `after` what may come then.
    pub(super) fn judge(
        &mut self,
        before: ClientNeed,
        outcome: Outcome,
        turn: bool,
        after: &[ClientNeed],
    ) -> Outcome {
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

    pub(super) fn begin(&mut self) {
        self.handshake = ClientHandshake::new(&self.config).unwrap();
        self.begun += 1;
        self.agreeing = None;
        self.taken = None;
        self.is_true_z = true;
    }

    pub(super) fn generated(&mut self, input: &mut Input<'_>) {
        let before = self.handshake.need();
        let turn = matches!(before, ClientNeed::Generate(_));
        let outcome = match input.below(3) {
            0 => Err(CryptoError::Random),
            1 => Err(CryptoError::Failed),
            _ => self.provider.generate(Group::P256),
        };
        self.provider.has_failed |= outcome.is_err();
        let outcome = self.handshake.generated(outcome);
        let _ = self.judge(before, outcome, turn, &[ClientNeed::Hello]);
    }

    pub(super) fn send_hello(&mut self, input: &mut Input<'_>) {
        let (clocks, room) = (input.byte(), usize::from(input.byte()) * 4);
        self.hello(clocks, room);
    }

    pub(super) fn hello(&mut self, clocks: u8, room: usize) {
        let (before, now) = (self.handshake.need(), self.now(clocks));
        let turn = before == ClientNeed::Hello;
        let mut buffer = vec![0; room];
        let written = self.handshake.hello(&mut self.provider, now, &mut buffer);
        if self.judge(before, written.map(drop), turn, &[ClientNeed::Reply]).is_err() {
            if let Err(Error::BufferTooSmall { needed }) = written {
                assert!(room < needed && needed == self.config.hello_len(Group::P256));
            }
            return;
        }
        buffer.truncate(written.unwrap());
        self.hello = buffer;
        self.taken = None;
        self.answer();
    }

    /// An honest server answers the hello.
    pub(super) fn answer(&mut self) {
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

    pub(super) fn reply(&mut self, status: u16, body: &[u8], from: Option<usize>) {
        let before = self.handshake.need();
        let outcome = self.handshake.reply(status, body);
        let outcome = self.judge(before, outcome, before == ClientNeed::Reply, &[ClientNeed::Agree]);
        if outcome.is_ok() {
            self.taken = from;
        }
    }

    pub(super) fn reply_raw(&mut self, input: &mut Input<'_>) {
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

    pub(super) fn reply_honest(&mut self, input: &mut Input<'_>) {
        let which = input.below(self.servers.len());
        let Some(server) = self.servers.get(which) else { return };
        let answer = server.answer.clone();
        self.reply(200, &answer, Some(which));
    }

    pub(super) fn reply_altered(&mut self, input: &mut Input<'_>) {
        let Some(server) = self.servers.last() else { return };
        let mut answer = server.answer.clone();
        alter(&mut answer, input);
        self.reply(200, &answer, None);
    }

    pub(super) fn agreement(&mut self) {
        let (before, was_handed_out) = (self.handshake.need(), self.agreeing.is_some());
        let turn = before == ClientNeed::Agree && !was_handed_out;
        let keys = self.handshake.agreement();
        let _ =
            self.judge(before, keys.as_ref().map(drop).map_err(|error| *error), turn, &[ClientNeed::Agree]);
        if let Ok(keys) = keys {
            self.agreeing = Some(keys);
        }
    }

    pub(super) fn agreed(&mut self, input: &mut Input<'_>) {
        let before = self.handshake.need();
        let turn = before == ClientNeed::Agree && self.agreeing.is_some();
        let outcome = match (input.below(4), self.agreeing.take()) {
            (0, _) | (_, None) => Err(CryptoError::Failed),
            (1, _) => {
                self.is_true_z = false;
                Ok(Secret::new([input.byte(); 32]).into())
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

    pub(super) fn verified(&mut self, input: &mut Input<'_>) {
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

    pub(super) fn compute(&mut self) {
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

    pub(super) fn finish(&mut self) {
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
    pub(super) fn establish(&mut self, session: Session<Provider, TOKEN, OUTSTANDING>) {
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
}

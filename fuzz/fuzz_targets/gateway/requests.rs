//! Requests and their responses.

use super::device::{Client, Fate, Kind, Sent};
use super::{OUTSTANDING, Open, PLAIN, ROOM, Run, WINDOW, head, is_error};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::envelope::sealed_len;
use dynamic_key::gateway::{ERROR_ROOM, Head, Opened, Reply};
use dynamic_key::session::{Mode, Now};
use dynamic_key::{Code, Error, Peer};
use dynamic_key_fuzz::input::{Input, alter};
use dynamic_key_fuzz::json;

impl Run {
    pub(super) fn seal(&mut self, client: usize, kind: Kind) -> Option<usize> {
        let client = self.clients.get_mut(client)?;
        let mut device = self.provider.peer(0);
        let mut buffer = kind.plaintext();
        let length = buffer.len();
        buffer.resize(sealed_len(length), 0);
        let awaited = client.sent.iter().filter(|sent| sent.is_awaited).count();
        if awaited >= if client.mode == Mode::Plain { 1 } else { OUTSTANDING } {
            client.gives_up();
        }
        let now = Now::wall(Timestamp::from_unix_millis(self.now));
        let (_, exchange) = match client.session.seal(&mut device, now, &mut buffer, length) {
            Ok(sealed) => sealed,
            Err(error) => {
                assert_eq!(error, Error::SessionExpired);
                assert!(self.now >= client.ends);
                return None;
            }
        };
        client.sent.push(Sent { exchange, envelope: buffer, kind, fate: Fate::Fresh, is_awaited: true });
        Some(client.sent.len() - 1)
    }

    pub(super) fn credentials(&self, client: usize) -> (String, String) {
        let facts = self.clients[client].session.facts();
        (facts.id().into(), format!("Bearer {}", facts.token()))
    }

    /// A request as it was sealed, whatever became of it before.
    pub(super) fn deliver(&mut self, client: usize, sent: usize, room: usize) {
        let (id, token) = self.credentials(client);
        let head = head(0, Some((&id, &token)));
        let lives = self.lives(client);
        let envelope = self.clients[client].sent[sent].envelope.clone();
        let mut buffer = envelope.clone();
        buffer.resize(room.max(envelope.len()), 0);
        let now = self.now();
        let opened = self.gateway.open_request(
            &mut self.provider,
            &mut self.store,
            now,
            &head,
            &mut buffer,
            envelope.len(),
        );
        let failed = self.provider.has_failed;

        let Client { mode, sent: all, committed, uncertain, top, possible_top, .. } =
            &mut self.clients[client];
        let (is_plain, counter) = (*mode == Mode::Plain, all[sent].exchange.nonce().counter());
        let (fate, kind) = (all[sent].fate, all[sent].kind);
        // What must be said of it, and what else may be said where a failure has left that open.
        let is_replay = fate == Fate::Committed || (!is_plain && counter + WINDOW < *top);
        let may_be_replay = fate != Fate::Fresh || (!is_plain && counter + WINDOW < *possible_top);
        let is_full = is_plain && *committed == PLAIN;
        let may_be_full = is_plain && *committed + *uncertain >= PLAIN;
        match opened {
            Ok(Opened::Admitted(admitted)) => {
                assert!(lives && !is_replay && !is_full, "it must not be admitted");
                let plaintext = kind.plaintext();
                let wanted = json::parse(&plaintext).unwrap();
                assert_eq!(Some(admitted.request.method()), wanted.string("method"));
                assert_eq!(Some(admitted.request.path()), wanted.string("path"));
                assert_eq!(admitted.request.body(), (kind == Kind::Login).then_some(&b"{\"n\":1}"[..]));
                assert_eq!(admitted.forwarded_headers().count(), 1);
                let mut query = [0; 16];
                let length = admitted.write_query(&mut query).unwrap();
                assert_eq!(&query[..length], b"q=a%20b");
                assert_eq!(admitted.rule.method, admitted.request.method());
                let responder = admitted.responder;
                self.commit(client, sent);
                assert_eq!(kind.refusal(&self.clients[client]), None);
                self.open.push(Open { responder, client, sent });
            }
            Ok(Opened::Reply(reply)) => {
                buffer.truncate(reply.length);
                let code = reply.code.expect("an error");
                if failed {
                    if fate == Fate::Fresh {
                        all[sent].fate = Fate::Uncertain;
                        *uncertain += 1;
                        *possible_top = (*possible_top).max(counter + 1);
                    }
                    return;
                }
                if !lives {
                    assert!(matches!(code, Code::SessionExpired | Code::InvalidSession), "{code}");
                    return is_error(&reply, &buffer);
                }
                let refusal = kind.refusal(&self.clients[client]);
                if !is_replay && !is_full && Some(code) == refusal {
                    self.commit(client, sent);
                    return self.receive(client, sent, &reply, &buffer);
                }
                is_error(&reply, &buffer);
                match code {
                    Code::EncryptionError => assert!(is_replay || may_be_replay),
                    Code::InvalidSession => {
                        assert!(!is_replay && may_be_full);
                        self.clients[client].lives = false;
                    }
                    code => panic!("{code} instead of {refusal:?}"),
                }
            }
            // Found before anything has happened: the same request passes with more room.
            Err(error) => {
                assert_eq!(error, Error::BufferTooSmall { needed: ERROR_ROOM });
                assert!(room.max(envelope.len()) < ERROR_ROOM);
            }
        }
    }

    pub(super) fn commit(&mut self, client: usize, sent: usize) {
        let client = &mut self.clients[client];
        let sent = &mut client.sent[sent];
        if sent.fate == Fate::Uncertain {
            client.uncertain -= 1;
        }
        sent.fate = Fate::Committed;
        client.committed += 1;
        client.top = client.top.max(sent.exchange.nonce().counter() + 1);
        client.possible_top = client.possible_top.max(client.top);
    }

    /// The client gets the gateway's own error: sealed, but in plain mode.
    pub(super) fn receive(&mut self, client: usize, sent: usize, reply: &Reply, body: &[u8]) {
        let code = reply.code.unwrap();
        assert_eq!(reply.status, code.status());
        if self.clients[client].mode == Mode::Plain {
            return is_error(reply, body);
        }
        let Some(opened) = self.open_at_client(client, sent, reply.status, body) else { return };
        let error = json::parse(&opened).unwrap();
        assert_eq!(error.string("code"), Some(code.name()));
    }

    /// The plaintext of a response, unless the client awaits it no more.
    pub(super) fn open_at_client(
        &mut self,
        client: usize,
        sent: usize,
        status: u16,
        body: &[u8],
    ) -> Option<Vec<u8>> {
        let mut device = self.provider.peer(0);
        let mut buffer = body.to_vec();
        let client = &mut self.clients[client];
        // In plain mode nothing ties a response to its request.
        let answered = if client.mode == Mode::Plain {
            client.sent.iter().position(|sent| sent.is_awaited)
        } else {
            Some(sent)
        };
        let awaited = answered.filter(|sent| client.sent[*sent].is_awaited);
        match client.session.open(&mut device, status, &mut buffer) {
            Ok(opened) => {
                client.sent[awaited.expect("nothing was awaited")].is_awaited = false;
                Some(opened.to_vec())
            }
            Err(error) => {
                assert_eq!((error, awaited), (Peer::Authentication.into(), None));
                None
            }
        }
    }

    /// Never admitted, never an end: an envelope that is not as it was sealed.
    pub(super) fn altered(&mut self, input: &mut Input<'_>) {
        let Some((client, sent)) = self.any_sent(input) else { return };
        let (id, token) = self.credentials(client);
        let mut envelope = self.clients[client].sent[sent].envelope.clone();
        alter(&mut envelope, input);
        self.refused(&head(0, Some((&id, &token))), &envelope);
    }

    /// An envelope under the wrong head.
    pub(super) fn misaddressed(&mut self, input: &mut Input<'_>) {
        let Some((client, sent)) = self.any_sent(input) else { return };
        let other = input.below(self.clients.len());
        let ((id, token), (other_id, other_token)) = (self.credentials(client), self.credentials(other));
        let choice = input.byte();
        let head = match choice % 4 {
            0 => head(1 + choice / 4 % 7, Some((&id, &token))),
            _ if other == client => return,
            1 => head(0, Some((&other_id, &other_token))),
            2 => head(0, Some((&id, &other_token))),
            _ => head(0, Some((&other_id, &token))),
        };
        let envelope = self.clients[client].sent[sent].envelope.clone();
        self.refused(&head, &envelope);
    }

    /// A response comes back as a request.
    pub(super) fn reflected(&mut self, input: &mut Input<'_>) {
        let which = input.below(self.responses.len());
        let Some((client, response)) = self.responses.get(which).cloned() else { return };
        let (id, token) = self.credentials(client);
        let code = self.refused(&head(0, Some((&id, &token))), &response);
        let is_over = matches!(code, Code::SessionExpired | Code::InvalidSession) && !self.lives(client);
        assert!(is_over || code == Code::EncryptionError || self.provider.has_failed, "{code}");
    }

    pub(super) fn raw_request(&mut self, input: &mut Input<'_>) {
        let client = input.below(self.clients.len());
        let choice = input.byte();
        let envelope = input.many();
        if client < self.clients.len() {
            let (id, token) = self.credentials(client);
            self.refused(&head(choice, Some((&id, &token))), envelope);
        } else {
            self.refused(&head(choice, None), envelope);
        }
    }

    pub(super) fn refused(&mut self, head: &Head<'_>, envelope: &[u8]) -> Code {
        let mut buffer = envelope.to_vec();
        buffer.resize(envelope.len().max(ROOM), 0);
        let now = self.now();
        let opened = self.gateway.open_request(
            &mut self.provider,
            &mut self.store,
            now,
            head,
            &mut buffer,
            envelope.len(),
        );
        let Ok(Opened::Reply(reply)) = opened else { panic!("{opened:?}") };
        is_error(&reply, &buffer[..reply.length]);
        let code = reply.code.unwrap();
        assert!(
            code != Code::RouteNotAllowed && (code != Code::StoreUnavailable || self.provider.has_failed),
            "{code}"
        );
        code
    }

    pub(super) fn take_open(&mut self, input: &mut Input<'_>) -> Option<Open> {
        let which = input.below(self.open.len());
        (which < self.open.len()).then(|| self.open.swap_remove(which))
    }

    pub(super) fn answer(&mut self, input: &mut Input<'_>) {
        let status = input.choose(&[200, 204, 304, 101, 404, 500, 599, 600]);
        let (length, room) = (usize::from(input.byte()) * 2, input.short());
        let room = if room & 1 == 0 { ROOM } else { usize::from(room) % 1024 };
        if let Some(open) = self.take_open(input) {
            self.seal_response(open, status, length, room);
        }
    }

    pub(super) fn seal_response(&mut self, open: Open, status: u16, length: usize, room: usize) {
        let Open { responder, client, sent } = open;
        let lives = self.clients[client].lives;
        let body = vec![b'u'; length];
        let mut buffer = body.clone();
        buffer.resize(room.max(length), 0);
        let sealed = self.gateway.seal_response(
            &mut self.provider,
            &mut self.store,
            responder,
            status,
            &mut buffer,
            length,
        );
        let reply = match sealed {
            Ok(reply) => reply,
            Err((Error::BufferTooSmall { needed }, Some(responder))) => {
                assert!(buffer.len() < needed);
                return self.seal_response(Open { responder, client, sent }, status, length, needed);
            }
            Err((error, _)) => panic!("{error}: the right to answer is lost"),
        };
        buffer.truncate(reply.length);
        if self.provider.has_failed || !lives {
            return;
        }
        if let Some(code) = reply.code {
            // The session has expired meanwhile, or the upstream's answer is none.
            if !self.lives(client) {
                assert!(matches!(code, Code::SessionExpired | Code::UpstreamUnavailable));
                return;
            }
            assert_eq!(code, Code::UpstreamUnavailable);
            assert!(matches!(status, 304 | 101 | 600));
            return self.receive(client, sent, &reply, &buffer);
        }
        let (status, body) = if status == 204 { (200, vec![]) } else { (status, body) };
        assert_eq!(reply.status, status);
        self.responses.push((client, buffer.clone()));
        if let Some(opened) = self.open_at_client(client, sent, reply.status, &buffer) {
            assert_eq!(opened, body);
        }
    }

    pub(super) fn answer_with_error(&mut self, input: &mut Input<'_>) {
        let code = input.choose(&Code::ALL);
        let Some(Open { responder, client, sent }) = self.take_open(input) else { return };
        let lives = self.clients[client].lives;
        let mut buffer = vec![0; ERROR_ROOM];
        let reply = self
            .gateway
            .seal_error(&mut self.provider, &mut self.store, responder, code, &mut buffer)
            .unwrap();
        buffer.truncate(reply.length);
        if lives && self.lives(client) && !self.provider.has_failed {
            assert_eq!(reply.code, Some(code));
            self.receive(client, sent, &reply, &buffer);
        }
    }
}

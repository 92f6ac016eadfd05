//! Calls of the session.

use super::{Established, OUTSTANDING, Run, START, Sent};
use dynamic_key::crypto::CryptoError;
use dynamic_key::envelope::{Envelope, sealed_len};
use dynamic_key::nonce::limit;
use dynamic_key::session::{Mode, Now};
use dynamic_key::{Error, Misuse, Peer};
use dynamic_key_fuzz::input::{Input, alter};

impl Run<'_> {
    pub(super) fn seal(&mut self, input: &mut Input<'_>) {
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

    pub(super) fn ends(&self) -> Option<u64> {
        self.established.as_ref()?.honest.map(|which| self.servers[which].ends)
    }

    pub(super) fn expires(&mut self, input: &mut Input<'_>) {
        let (now, ends) = (self.now(input.byte()), self.ends());
        let Some(established) = &mut self.established else { return };
        let over = established.session.is_over(now);
        assert_eq!(over, is_over(established, now, ends));
    }

    /// The server opens a request and answers it, once.
    pub(super) fn respond(&mut self, input: &mut Input<'_>) {
        let (which, status, length) =
            (input.below(256), 200 + input.short() % 400, usize::from(input.byte()));
        self.respond_to(which, status, length);
    }

    pub(super) fn respond_to(&mut self, which: usize, status: u16, length: usize) {
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

    pub(super) fn open_honest(&mut self, input: &mut Input<'_>) {
        let which = input.below(256);
        self.open(which);
    }

    /// A response as it was sent.
    pub(super) fn open(&mut self, which: usize) {
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
    pub(super) fn open_altered(&mut self, input: &mut Input<'_>) {
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

    pub(super) fn open_raw(&mut self, input: &mut Input<'_>) {
        let (status, mut body) = (input.short(), input.many().to_vec());
        let Some(established) = &mut self.established else { return };
        assert!(established.session.open(&mut self.provider, status, &mut body).is_err());
    }

    /// The client's own request comes back.
    pub(super) fn reflect(&mut self, input: &mut Input<'_>) {
        let Some(established) = &mut self.established else { return };
        let Some(sent) = established.sent.get(input.below(established.sent.len())) else { return };
        let mut request = sent.envelope.clone();
        let refused = established.session.open(&mut self.provider, 200, &mut request);
        assert!(self.provider.has_failed || refused == Err(Peer::Authentication.into()));
    }

    pub(super) fn abandon(&mut self, input: &mut Input<'_>) {
        let Some(established) = &mut self.established else { return };
        let which = input.below(established.sent.len());
        let Some(sent) = established.sent.get_mut(which) else { return };
        established.session.abandon(&sent.exchange);
        sent.is_outstanding = false;
    }

    pub(super) fn export(&mut self, input: &mut Input<'_>) {
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

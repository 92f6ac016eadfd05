//! An identity on a device: its keys, what it has taken, and its way to the relay.

use crate::services::{Services, Wire};
use crate::support::Clock;
use dynamic_key::client::relay;
use dynamic_key::codec::base64;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::software::{Identity, PinnedKey, RecipientKey, Software};
use dynamic_key::crypto::{CryptoError, Signer};
use dynamic_key::identity::message::{self, Ask, Message, Messages};
use dynamic_key::identity::package::{self, Action, Package};
use dynamic_key::identity::profile::{Known, Pin, Profile};
use dynamic_key::identity::recovery::{self, Keys, Recovery};
use dynamic_key::identity::registration::{self, Registration};
use dynamic_key::identity::response::{Cursor, Pages, Response};
use dynamic_key::identity::{Author, Duplicates, IdentityError, Request, get, rotation};
use dynamic_key::jose::jwe::pbes2::Iterations;
use dynamic_key::jose::jwk::{Jwk, Use};
use dynamic_key::jose::{JoseError, KeyRef};
use getrandom::SysRng;
use std::fmt;

/// Room for a request or an answer.
const ROOM: usize = 1 << 16;
/// Where a new signing key goes.
pub(crate) const ROTATE: &str = "/v1/identity/me/sigPubKey";
/// How long the relay keeps a message, in seconds.
const KEEP: u64 = 600;

/// Why something did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The relay was not reached, or is none.
    Relay(String),
    /// It, or this device, refuses.
    Refused(IdentityError),
}

impl From<IdentityError> for Trouble {
    fn from(error: IdentityError) -> Self {
        Self::Refused(error)
    }
}

impl From<JoseError> for Trouble {
    fn from(error: JoseError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<CryptoError> for Trouble {
    fn from(error: CryptoError) -> Self {
        Self::Refused(error.into())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relay(why) => f.write_str(why),
            Self::Refused(error) => error.fmt(f),
        }
    }
}

/// A content package that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) action: Action,
    pub(crate) package: String,
    pub(crate) content: Option<String>,
}

/// A page of messages as the relay handed it out.
pub(crate) struct Page {
    /// An array of JSON.
    pub(crate) messages: String,
    pub(crate) first: Option<Cursor>,
}

/// An identity whose signing key is wherever `S` has it; its encryption key is in memory.
pub(crate) struct Device<'s, S> {
    pub(crate) signer: S,
    pub(crate) recipient: RecipientKey,
    /// Its address, and the key with which it signs.
    pub(crate) me: KeyRef,
    taken: Duplicates<64>,
    services: &'s Services,
    wire: Wire<'s>,
}

impl<'s, S: Signer> Device<'s, S> {
    /// Registers an identity with the key of `signer`, whose public half is `public`, and a new encryption key.
    pub(crate) fn register(
        services: &'s Services,
        mut signer: S,
        public: &PinnedKey,
        identity_type: &str,
    ) -> Result<Self, Trouble> {
        let recipient = RecipientKey::generate(&mut SysRng)?;
        let signing = Jwk::new(*public.point(), Use::Signature)?;
        let public = format!(r#"{{"identityType":"{identity_type}"}}"#);
        let registration = Registration {
            issued_at: now(),
            signing: &signing,
            encryption: &encryption_key(&recipient)?,
            public: public.as_bytes(),
            private: b"{}",
        };
        let mut out = vec![0; ROOM];
        let request = registration.begin(&mut out)?.sign([&mut signer])?;
        let mut wire = wire(services)?;
        let address = |answer: &Response<'_>| registration::address(&mut provider(), answer, &signing);
        let me = ask(services, &mut wire, &request, address)?;
        Ok(Self { signer, recipient, me, taken: Duplicates::new(), services, wire })
    }

    /// Sends a request, and reads the answer.
    pub(crate) fn ask<T>(
        &mut self,
        request: &Request<'_>,
        read: impl FnOnce(&Response<'_>) -> Result<T, IdentityError>,
    ) -> Result<T, Trouble> {
        ask(self.services, &mut self.wire, request, read)
    }

    /// What the relay says of an identity, verified from what is known of it.
    pub(crate) fn look_up(&mut self, pin: &Pin) -> Result<Known, Trouble> {
        look_up(self.services, &mut self.wire, pin)
    }

    /// The body of the relay's answer about an identity, as it came.
    pub(crate) fn profile(&mut self, address: &str) -> Result<String, Trouble> {
        let mut path = [0; 512];
        self.ask(&get(address, &mut path)?, |answer| Ok(answer.body()?.as_str().to_owned()))
    }

    /// Signs a package, seals it and sends it; returns the body of the message.
    pub(crate) fn send(&mut self, to: &Known, package: &Package<'_>) -> Result<String, Trouble> {
        let id = id()?;
        let author = Author { kid: &self.me, issued_at: now() };
        let recipient = (to.encryption(), to.reached_as());
        let mut sealed = vec![0; ROOM];
        let body =
            package.seal(&mut provider(), &mut self.signer, &author, recipient, &id, &mut sealed)?.to_owned();
        self.post(to.signs_as().address(), &id, &body)?;
        Ok(body)
    }

    /// Sends a message with this body.
    pub(crate) fn post(&mut self, to: &str, id: &str, body: &str) -> Result<(), Trouble> {
        let expires = now().saturating_add_secs(KEEP);
        let author = Author { kid: &self.me, issued_at: now() };
        let mut out = vec![0; ROOM];
        let request = Message { to, id, expires, body }.begin(&author, &mut out)?.sign([&mut self.signer])?;
        ask(self.services, &mut self.wire, &request, done)
    }

    /// A page of what the relay keeps for this identity.
    pub(crate) fn fetch(&mut self, asked: &Ask) -> Result<Page, Trouble> {
        let author = Author { kid: &self.me, issued_at: now() };
        let mut out = vec![0; ROOM];
        let request = message::fetch(&author, asked, &mut out)?.sign([&mut self.signer])?;
        ask(self.services, &mut self.wire, &request, page)
    }

    /// The next page, at most so many messages.
    pub(crate) fn turn(&mut self, pages: &mut Pages, limit: u32) -> Result<Page, Trouble> {
        let asked = Ask { last: pages.next().copied(), limit: Some(limit), ..Ask::default() };
        let author = Author { kid: &self.me, issued_at: now() };
        let mut out = vec![0; ROOM];
        let request = message::fetch(&author, &asked, &mut out)?.sign([&mut self.signer])?;
        ask(self.services, &mut self.wire, &request, |answer| {
            pages.turn(answer)?;
            page(answer)
        })
    }

    /// As [`Device::fetch`], but the relay waits for a message where there is none.
    pub(crate) fn listen(&mut self, asked: &Ask) -> Result<Page, Trouble> {
        let author = Author { kid: &self.me, issued_at: now() };
        let mut out = vec![0; ROOM];
        let request = message::listen(&author, asked, &mut out)?.sign([&mut self.signer])?;
        ask(self.services, &mut self.wire, &request, page)
    }

    /// Takes the messages of a page that `sender` sent, each once, and opens them.
    pub(crate) fn take(
        &mut self,
        page: &Page,
        sender: &mut Known,
    ) -> Result<Vec<Result<Arrived, IdentityError>>, Trouble> {
        let answer = answer(&page.messages);
        let messages = Messages::of_page(&Response::parse(answer.as_bytes())?)?;
        Ok(messages.map(|message| self.open(&message?, sender)).collect())
    }

    fn open(
        &mut self,
        message: &dynamic_key::identity::Unverified<'_>,
        sender: &mut Known,
    ) -> Result<Arrived, IdentityError> {
        let (mut scratch, addresses) = (vec![0; ROOM], [self.me.address()]);
        let received =
            message::receive(message, sender, &addresses, Some(now()), &mut self.taken, &mut scratch)?;
        let opened = package::open(&mut provider(), &mut self.recipient, sender, received)?;
        let package = opened.package.bytes().map(char::from).collect();
        let content = opened.content.map(|content| content.as_str().to_owned());
        Ok(Arrived { action: opened.action, package, content })
    }
}

impl<'s> Device<'s, Identity> {
    /// Registers an identity whose keys are in memory.
    pub(crate) fn in_software(services: &'s Services, identity_type: &str) -> Result<Self, Trouble> {
        let signer = Identity::generate(&mut SysRng)?;
        let public = signer.public()?;
        Self::register(services, signer, &public, identity_type)
    }

    /// Replaces both keys. Those that it had are returned: from now on they are worth nothing.
    pub(crate) fn rotate(&mut self) -> Result<(KeyRef, Identity), Trouble> {
        let mut signer = Identity::generate(&mut SysRng)?;
        let recipient = RecipientKey::generate(&mut SysRng)?;
        let body = rotation(&self.me, &mut self.signer, &mut signer, &recipient)?;
        self.ask(&Request { method: "POST", target: ROTATE, body: &body }, done)?;
        let me = KeyRef::new(self.me.address(), signer.kid())?;
        self.recipient = recipient;
        Ok((std::mem::replace(&mut self.me, me), std::mem::replace(&mut self.signer, signer)))
    }

    /// Leaves the keys with the relay, under a password.
    pub(crate) fn leave_keys(&mut self, password: &str) -> Result<(), Trouble> {
        let keys = Keys { signing: self.signer.to_bytes(), encryption: self.recipient.to_bytes() };
        let (mut sealed, mut out) = (vec![0; ROOM], vec![0; ROOM]);
        let sealed = keys.seal(&mut provider(), password.as_bytes(), Iterations::DEFAULT, &mut sealed)?;
        let author = Author { kid: &self.me, issued_at: now() };
        let request = recovery::update(&author, sealed, &mut out)?.sign([&mut self.signer])?;
        ask(self.services, &mut self.wire, &request, done)
    }

    /// A device that has lost all but what it knows of itself, and a password.
    pub(crate) fn recover(services: &'s Services, pin: &Pin, password: &str) -> Result<Self, Trouble> {
        let mut wire = wire(services)?;
        let mut known = look_up(services, &mut wire, pin)?;
        let mut path = [0; 512];
        let request = recovery::get(pin.key.address(), &mut path)?;
        let me = known.signs_as().clone();
        let keys = ask(services, &mut wire, &request, |answer| {
            let mut scratch = vec![0; ROOM];
            let recovery = Recovery::parse(answer, &me)?;
            let most = Iterations::DEFAULT;
            Keys::take(recovery.open(&mut provider(), &mut known, password.as_bytes(), most, &mut scratch)?)
        })?;
        let signer = Identity::from_bytes(&keys.signing)?;
        let recipient = RecipientKey::from_bytes(&keys.encryption)?;
        Ok(Self { signer, recipient, me, taken: Duplicates::new(), services, wire })
    }
}

/// The body of a request that replaces the key of `me`.
pub(crate) fn rotation(
    me: &KeyRef,
    old: &mut Identity,
    new: &mut Identity,
    recipient: &RecipientKey,
) -> Result<Vec<u8>, Trouble> {
    let point = *new.public()?.point();
    let signing = Jwk::new(point, Use::Signature)?;
    let author = Author { kid: me, issued_at: now() };
    let mut out = vec![0; ROOM];
    let draft = rotation::signing_key(&author, &signing, &encryption_key(recipient)?, &mut out)?;
    Ok(draft.sign([old, new])?.body.to_vec())
}

/// Verifies what `body` says of an identity.
pub(crate) fn verify(body: &str, pin: &Pin) -> Result<Known, IdentityError> {
    let answer = answer(body);
    Profile::parse(&Response::parse(answer.as_bytes())?)?.verify::<_, 8>(&mut provider(), pin)
}

/// The provider of all devices here.
pub(crate) fn provider() -> Software<SysRng> {
    Software::new(SysRng)
}

/// A message id that was never used.
pub(crate) fn id() -> Result<String, Trouble> {
    let (mut random, mut text) = ([0; 16], [0; 22]);
    getrandom::fill(&mut random).map_err(|error| Trouble::Relay(error.to_string()))?;
    Ok(base64::url_encode(&random, &mut text).map_err(IdentityError::from)?.to_owned())
}

fn look_up(services: &Services, wire: &mut Wire<'_>, pin: &Pin) -> Result<Known, Trouble> {
    let mut path = [0; 512];
    ask(services, wire, &get(pin.key.address(), &mut path)?, |answer| {
        Profile::parse(answer)?.verify::<_, 8>(&mut provider(), pin)
    })
}

fn ask<T>(
    services: &Services,
    wire: &mut Wire<'_>,
    request: &Request<'_>,
    read: impl FnOnce(&Response<'_>) -> Result<T, IdentityError>,
) -> Result<T, Trouble> {
    let mut buffer = vec![0; ROOM];
    let token = services.api_token().map_err(Trouble::Relay)?;
    let answer = relay(wire, Some(&token), request, &mut buffer);
    Ok(read(&answer.map_err(|error| Trouble::Relay(error.to_string()))?)?)
}

/// Whether it was done is all that is asked.
pub(crate) fn done(answer: &Response<'_>) -> Result<(), IdentityError> {
    answer.check()
}

fn page(answer: &Response<'_>) -> Result<Page, IdentityError> {
    let messages = answer.body()?.as_str().to_owned();
    Ok(Page { messages, first: answer.first })
}

fn wire(services: &Services) -> Result<Wire<'_>, Trouble> {
    services.wire().map_err(Trouble::Relay)
}

/// An answer of a relay with this body.
fn answer(body: &str) -> String {
    format!(r#"{{"status":200,"code":20000,"body":{body}}}"#)
}

fn encryption_key(recipient: &RecipientKey) -> Result<Jwk, Trouble> {
    let public = recipient.public()?;
    let point = public.as_bytes().try_into().map_err(|_| JoseError::Key)?;
    Ok(Jwk::new(point, Use::Encryption)?)
}

fn now() -> Timestamp {
    Clock::start().now().wall.unwrap_or_else(|| Timestamp::from_unix_secs(0))
}

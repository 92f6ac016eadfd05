//! Calls every public function of JOSE, of content packages and of identities: an image in which panics and frames are looked for.
#![no_std]
#![no_main]

use board::random::Repeatable;
use core::hint::black_box;
use dynamic_key::Secret;
use dynamic_key::client::relay;
use dynamic_key::codec::json;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Recipient;
use dynamic_key::crypto::software::{PinnedKey, RawKey};
use dynamic_key::crypto::{CryptoError, Provider as _, Signer};

use dynamic_key::identity::message::{self, Ask, Message, Messages};
use dynamic_key::identity::package::{self as content, Action};
use dynamic_key::identity::profile::{Known, Pin, Profile};
use dynamic_key::identity::recovery::{self, Keys, Recovery};
use dynamic_key::identity::registration::{self, Registration};
use dynamic_key::identity::response::{Cursor, Pages, Response};
use dynamic_key::identity::{self, Author, Draft, Duplicates, IdentityError, metadata, rotation};
use dynamic_key::jose::jwe::pbes2::{self, Iterations};
use dynamic_key::jose::jwk::{self, Jwk, Use};
use dynamic_key::jose::jwt::Times;
use dynamic_key::jose::package::{self, Expected, Package};
use dynamic_key::jose::{Algorithm, Hs256Key, JoseError, KeyRef, VerifyingKey, api_key, jwe, jws, jwt};
use dynamic_key::transport::http1::Http1;
use measure::provider::{Chosen, Identity, Pins, Provider, RecipientKey};
use measure::roles::Line;

type Soft = Provider<RawKey>;
type Buffer = [u8; 2048];

const FAILED: IdentityError = IdentityError::Malformed;

fn at() -> Timestamp {
    Timestamp::from_unix_secs(black_box(1_780_527_600))
}

/// What has come, of which the optimiser knows nothing.
fn came(buffer: &mut Buffer) -> &mut [u8] {
    let length = black_box((&mut *buffer, 256)).1;
    buffer.get_mut(..length).unwrap_or_default()
}

fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or_default()
}

/// An identity as it is at home.
struct Home {
    provider: Soft,
    signer: Identity,
    recipient: RecipientKey,
    key: KeyRef,
    to: KeyRef,
    signing: Jwk,
    encryption: Jwk,
}

impl Home {
    fn new() -> Result<Self, JoseError> {
        let mut signer = Identity::from_bytes(&Secret::new(black_box([7; 32])))?;
        black_box(signer.sign(b"")?);
        let recipient = RecipientKey::from_bytes(&Secret::new(black_box([8; 32])))?;
        let point = recipient.public()?.as_bytes().try_into().map_err(|_| JoseError::Key)?;
        Ok(Self {
            provider: Chosen::new(Repeatable::new(1)),
            key: KeyRef::new(black_box("alice@nix"), signer.kid())?,
            to: KeyRef::parse(black_box("bob@nix/IizO3eZ4OcYzY0Z5cyqpOfpQJ-bIzdryoUjZGP-WuBA"))?,
            signing: Jwk::new(*signer.public()?.point(), Use::Signature)?,
            encryption: Jwk::new(point, Use::Encryption)?,
            signer,
            recipient,
        })
    }

    fn author(&self) -> Author<'_> {
        Author { kid: &self.key, issued_at: at() }
    }
}

#[inline(never)]
fn keys(home: &mut Home, buffer: &mut Buffer) -> Result<(), JoseError> {
    black_box((home.key.address(), home.key.kid(), home.signing.usage(), home.signing.point()));
    black_box(home.signing.write(buffer)?);
    let parsed = Jwk::parse(&mut home.provider, came(buffer), black_box(Use::Encryption))?;
    black_box((parsed.kid(), parsed.public_key()?, parsed.pinned()?));
    black_box(jwk::write_set(&home.signer.public()?, buffer)?);
    black_box(jwk::keys(came(buffer))?.count());
    Ok(())
}

#[inline(never)]
fn signed(home: &mut Home, buffer: &mut Buffer, scratch: &mut Buffer) -> Result<(), JoseError> {
    let header = jws::Header { issued_at: at(), kid: &home.key, target: black_box("/v1/messages/send") };
    black_box(jws::signed_len(&header, black_box(13)));
    black_box(jws::sign(&mut home.signer, &header, black_box(b"payload"), buffer)?);
    let unsigned = jws::begin(&header, black_box(b"payload"), buffer)?;
    let signature = home.signer.sign(unsigned.signing_input())?;
    black_box(unsigned.finish(&signature)?);
    let pins = [home.signer.public()?];
    let mut pins = Pins(black_box(&pins));
    black_box(jws::verify(&mut pins, &home.key, header.target, text(came(buffer)), scratch)?.payload);
    let unverified = jws::Unverified::parse(text(came(buffer)), scratch)?;
    black_box((unverified.issued_at(), unverified.kid().is_some(), unverified.target().is_some()));
    black_box((unverified.key()?, unverified.statement()));
    black_box(unverified.verify(&mut pins, &home.key.kid())?.payload(&mut [0; 256])?);
    Ok(())
}

#[inline(never)]
fn tokens(home: &mut Home, buffer: &mut Buffer, scratch: &mut Buffer) -> Result<(), JoseError> {
    let secret = Hs256Key::derive(&black_box([7; 40]), black_box(b"info"))?;
    let key = Hs256Key::from_secret(black_box(&[7; 70]))?;
    black_box(Hs256Key::from_bytes(Secret::new(black_box([7; 32]))));
    let times = Times { issued_at: at(), not_before: at(), expires: at() };
    let claims = api_key::Claims { key_id: black_box("key"), audience: black_box("gateway"), times };
    black_box(api_key::signed_len(&claims));
    black_box(api_key::sign(&key, &claims, buffer)?);
    api_key::verify(&key, claims.key_id, claims.audience, text(came(buffer)), at(), 30, scratch)?;
    let unverified = api_key::Unverified::parse(text(came(buffer)), scratch)?;
    black_box(unverified.kid().is_some());
    black_box(unverified.verify(&secret)?.claims(&mut [0; 256])?);

    let verifying = VerifyingKey::Hs256(&key);
    let claims = jwt::verify(verifying, black_box("at+jwt"), text(came(buffer)), scratch)?;
    let [iss, aud, iat, nbf, exp] = json::object(claims, &["iss", "aud", "iat", "nbf", "exp"])?;
    jwt::expect(iss, black_box("issuer"))?;
    jwt::expect_audience(aud, black_box("gateway"))?;
    Times::read([iat, nbf, exp])?.check(at(), black_box(30))?;
    let token = jwt::Unverified::parse(text(came(buffer)), black_box(Algorithm::Es256), "at+jwt", scratch)?;
    if let Some((message, signature)) = token.statement() {
        let pins = [home.signer.public()?];
        let verified =
            dynamic_key::crypto::Verifier::verify(&mut Pins(&pins), &home.key.kid(), message, signature);
        black_box(token.verified(verified?)?.claims(scratch)?);
    }
    Ok(())
}

#[inline(never)]
fn encrypted(home: &mut Home, buffer: &mut Buffer) -> Result<(), JoseError> {
    let header = jwe::Header { kid: &home.to, content_type: black_box(Some("JWS")) };
    black_box(jwe::sealed_len(&header, black_box(256)));
    black_box(jwe::encrypt(&mut home.provider, &home.encryption, &header, buffer, black_box(256))?);
    black_box(jwe::decrypt(&mut home.provider, &mut home.recipient, came(buffer))?);
    let encrypted = jwe::Encrypted::parse(came(buffer))?;
    black_box((encrypted.kid()?.is_some(), encrypted.content_type()?.is_some(), encrypted.key()?));
    let z = home.recipient.agree(&encrypted.epk()?)?;
    black_box(encrypted.open(&mut home.provider, z)?);
    Ok(())
}

#[inline(never)]
fn password(home: &mut Home, buffer: &mut Buffer) -> Result<(), JoseError> {
    let iterations = Iterations::new(black_box(600_000)).ok_or(JoseError::WeakKey)?;
    let parameters = pbes2::Parameters::draw(&mut home.provider, iterations)?;
    black_box(pbes2::sealed_len(&parameters, black_box(Some("JSON")), black_box(256)));
    let kek = parameters.derive(&mut home.provider, black_box(b"password"))?;
    black_box(pbes2::seal(&mut home.provider, kek, &parameters, black_box(None), buffer, black_box(256))?);
    black_box(pbes2::encrypt(&mut home.provider, black_box(b"password"), iterations, None, buffer, 256)?);
    black_box(pbes2::decrypt(&mut home.provider, black_box(b"password"), iterations, came(buffer))?);
    let encrypted = pbes2::Encrypted::parse(came(buffer), iterations)?;
    black_box(encrypted.content_type()?.is_some());
    let kek = encrypted.parameters().derive(&mut home.provider, black_box(b"password"))?;
    black_box(encrypted.open(&mut home.provider, kek)?);
    Ok(())
}

#[inline(never)]
fn packed(home: &mut Home, buffer: &mut Buffer) -> Result<(), JoseError> {
    let header = jws::Header { issued_at: at(), kid: &home.key, target: black_box("/v1/messages/send") };
    let package = Package { header, recipient: &home.to, id: black_box("1"), body: black_box(b"{}") };
    black_box(package::pack(&mut home.provider, &mut home.signer, &home.encryption, &package, buffer)?);
    let unsigned = package::begin(&package, buffer)?;
    let signature = home.signer.sign(unsigned.signing_input())?;
    black_box(unsigned.finish(&signature)?);
    let pins = [home.signer.public()?];
    let expected = Expected { sender: &home.key, recipient: black_box("bob@nix"), id: black_box("1") };
    let (provider, recipient) = (&mut home.provider, &mut home.recipient);
    black_box(package::unpack(provider, recipient, &mut Pins(&pins), &expected, came(buffer))?.body.raw());
    let encrypted = jwe::Encrypted::parse(came(buffer))?;
    let z = home.recipient.agree(&encrypted.epk()?)?;
    black_box(package::open(&mut home.provider, encrypted, z)?.sender());
    Ok(())
}

/// Signs a request, sends it, and hands its answer out.
fn ask<'b, const N: usize>(
    draft: Draft<'_, N>,
    signer: &mut Identity,
    buffer: &'b mut Buffer,
) -> Result<Response<'b>, IdentityError> {
    black_box(draft.statements());
    let request = draft.sign([signer])?;
    let mut http = Http1::over(Line, black_box("relay.example")).map_err(|_| FAILED)?;
    relay(&mut http, black_box(Some("token")), &request, buffer).map_err(|_| FAILED)
}

#[inline(never)]
fn registered(home: &mut Home, buffer: &mut Buffer, scratch: &mut Buffer) -> Result<(), IdentityError> {
    let registration = Registration {
        issued_at: at(),
        signing: &home.signing,
        encryption: &home.encryption,
        public: black_box(br#"{"identityType":"user"}"#),
        private: black_box(b"{}"),
    };
    let response = ask(registration.begin(buffer)?, &mut home.signer, scratch)?;
    black_box(registration::address(&mut home.provider, &response, &home.signing)?);
    black_box(registration::verify(&mut home.provider, came(buffer), scratch)?);
    Ok(())
}

#[inline(never)]
fn known(home: &mut Home, buffer: &mut Buffer, scratch: &mut Buffer) -> Result<Known, IdentityError> {
    black_box(identity::get(black_box("bob@nix"), buffer)?);
    let response = ask(identity::me(&home.author(), buffer)?, &mut home.signer, scratch)?;
    let pin = Pin::new(home.key.clone());
    let profile = Profile::parse(&response)?;
    black_box((profile.public().is_some(), profile.private().is_some()));
    if black_box(true) {
        return profile.verify::<_, 4>(&mut home.provider, &pin);
    }
    let mut walk = profile.walk::<_, 4>(&mut home.provider, &pin)?;
    while let Some((key, message, signature)) = walk.statement() {
        let verified = key.verify(message, signature).map_err(JoseError::from)?;
        walk.verified(&mut home.provider, verified)?;
    }
    let current = walk.finish()?;
    let (message, signature) = profile.encryption(&current, &pin)?.statement();
    let verified = current.key().pinned()?.verify(message, signature).map_err(JoseError::from)?;
    profile.verified(&mut home.provider, &pin, &current, &verified)
}

#[inline(never)]
fn rotated(home: &mut Home, buffer: &mut Buffer, scratch: &mut Buffer) -> Result<(), IdentityError> {
    let author = Author { kid: &home.to, issued_at: at() };
    let draft = rotation::signing_key(&author, &home.signing, &home.encryption, buffer)?;
    black_box(ask(draft, &mut home.signer, scratch)?.check()?);
    black_box(rotation::verify(&mut home.provider, black_box("bob@nix"), &home.signing, came(buffer))?);
    let draft = rotation::encryption_key(&author, &home.encryption, buffer)?;
    black_box(ask(draft, &mut home.signer, scratch)?.is_success());
    black_box(rotation::parse_encryption(came(buffer))?.signer());
    let draft = metadata::update(&author, black_box(b"{}"), buffer)?;
    black_box(ask(draft, &mut home.signer, scratch)?.code.get());
    black_box(metadata::parse(came(buffer))?.issued_at());
    Ok(())
}

#[inline(never)]
fn recovered(
    home: &mut Home,
    known: &mut Known,
    buffer: &mut Buffer,
    scratch: &mut Buffer,
) -> Result<(), IdentityError> {
    let iterations = Iterations::new(black_box(600_000)).ok_or(FAILED)?;
    let keys = Keys { signing: Secret::new(black_box([7; 32])), encryption: Secret::new(black_box([8; 32])) };
    let sealed = keys.seal(&mut home.provider, black_box(b"password"), iterations, scratch)?;
    let draft = recovery::update(&home.author(), sealed, buffer)?;
    let request = draft.sign([&mut home.signer])?;
    black_box(request.body);
    black_box(recovery::parse(came(buffer))?.payload_len());
    black_box(recovery::get(black_box("alice@nix"), buffer)?.target);
    let response = Response::parse(came(buffer))?;
    let recovery = Recovery::parse(&response, &home.key)?;
    let password = black_box(b"password");
    let opened = recovery.open(&mut home.provider, known, password, iterations, scratch)?;
    black_box(Keys::take(opened)?.signing.as_bytes());
    Ok(())
}

#[inline(never)]
fn messages(
    home: &mut Home,
    known: &mut Known,
    buffer: &mut Buffer,
    scratch: &mut Buffer,
) -> Result<(), IdentityError> {
    let body = text(black_box(b"a.b.c.d.e"));
    let message = Message { to: black_box("bob@nix"), id: black_box("1"), expires: at(), body };
    let response = ask(message.begin(&home.author(), buffer)?, &mut home.signer, scratch)?;
    black_box((response.transaction, response.err, response.msg));
    let (mut pages, mut window) = (Pages::new(), Duplicates::<8>::new());
    black_box(window.contains(black_box("alice@nix"), black_box("1")));
    while !pages.is_done() {
        let ask_for = Ask { last: pages.next().copied(), limit: black_box(Some(10)), ..Ask::default() };
        let draft = if black_box(true) {
            message::fetch(&home.author(), &ask_for, buffer)?
        } else {
            message::listen(&home.author(), &ask_for, buffer)?
        };
        let page = ask(draft, &mut home.signer, scratch)?;
        pages.turn(&page)?;
        for unverified in Messages::of_page(&page)? {
            let addresses = black_box(["alice@nix"]);
            let received =
                message::receive(&unverified?, known, &addresses, Some(at()), &mut window, buffer)?;
            let opened = content::open(&mut home.provider, &mut home.recipient, known, received)?;
            black_box((opened.action.target(), opened.package, opened.content.is_some()));
        }
    }
    black_box(Cursor::new(black_box("cursor"))?.as_str());
    for unverified in Messages::sent(came(buffer))? {
        black_box(unverified?.signer());
    }
    let path = black_box("/v1/messages/fetch");
    black_box(message::parse_request(path, came(buffer))?.signer());
    black_box(Ask::read(came(buffer))?);
    let package = content::Package {
        action: black_box(Action::Publish),
        package: black_box("p"),
        content: Some(b"{}"),
    };
    let author = Author { kid: &home.key, issued_at: at() };
    let to = (known.encryption(), known.reached_as());
    black_box(package.seal(&mut home.provider, &mut home.signer, &author, to, black_box("1"), buffer)?);
    Ok(())
}

/// What takes keys of another provider is called with those of this one.
fn run() -> Result<(), IdentityError> {
    let (mut buffer, mut scratch) = ([0; 2048], [0; 2048]);
    let mut home = Home::new()?;
    black_box(PinnedKey::from_point(&black_box([4; 65]))).map_err(|_: CryptoError| FAILED)?;
    black_box(home.provider.fill(&mut scratch)).map_err(|_| FAILED)?;
    keys(&mut home, &mut buffer)?;
    signed(&mut home, &mut buffer, &mut scratch)?;
    tokens(&mut home, &mut buffer, &mut scratch)?;
    encrypted(&mut home, &mut buffer)?;
    password(&mut home, &mut buffer)?;
    packed(&mut home, &mut buffer)?;
    registered(&mut home, &mut buffer, &mut scratch)?;
    let mut known = known(&mut home, &mut buffer, &mut scratch)?;
    rotated(&mut home, &mut buffer, &mut scratch)?;
    recovered(&mut home, &mut known, &mut buffer, &mut scratch)?;
    messages(&mut home, &mut known, &mut buffer, &mut scratch)
}

measure::image!(run());

//! Whole handshakes and sealed messages, the subject at either end.

use super::aead::supports;
use super::signature::identity;
use super::{Bench, Failure, Property, ROOM, Subject};
use crate::agreement::schedule::PlainKdf;
use crate::codec::timestamp::Timestamp;
use crate::crypto::software::{Identity, PinnedKey, Pins};
use crate::crypto::{CryptoError, KeyId, Provider, Signature, Signer, Verified, Verifier};
use crate::envelope::{Envelope, introduce};
use crate::error::{Error, Peer};
use crate::handshake::{
    Claims, ClientConfig, ClientHandshake, ClientNeed, ClientPolicy, ServerError, ServerFacts,
    ServerHandshake, ServerNeed, ServerPolicy,
};
use crate::scheme::{Preference, Scheme};
use crate::session::{ClientType, Committed, Mode, Now, ServerSession, Session};
use rand_core::TryCryptoRng;

const MODES: [Mode; 4] = [Mode::Plain, Mode::Confirmed, Mode::Pinned, Mode::Mutual];
const TOKEN: usize = 16;
/// Lengths of messages.
const LENGTHS: [usize; 4] = [0, 1, 256, 1024];

/// The subject as client and as gateway, in every mode and scheme that its algorithms allow, with the software provider at the
/// other end: handshake, messages both ways, changed ones refused, keys exported.
///
/// # Errors
/// The first property that does not hold.
pub fn handshakes<P, S, V, R>(
    subject: &mut Subject<'_, P, S, V>,
    bench: &mut Bench<'_, R>,
) -> Result<(), Failure>
where
    P: Provider,
    S: Signer,
    V: FnMut(&[u8; 65], &KeyId, &[u8], &Signature) -> Result<Verified, CryptoError>,
    R: TryCryptoRng,
{
    let mut other = Other::of(&subject.point)?;
    for (row, scheme) in Scheme::ELLIPTIC.into_iter().enumerate() {
        if !supports(subject.provider, bench, scheme.aead(), row)? {
            continue;
        }
        for (column, mode) in MODES.into_iter().enumerate() {
            if mode == Mode::Plain && scheme != Scheme::EcAes2 {
                continue; // plain mode knows one scheme
            }
            let case = Case { mode, scheme, number: row.wrapping_mul(MODES.len()).wrapping_add(column) };
            as_client(subject, bench, &mut other, case)?;
            as_gateway(subject, bench, &mut other, case)?;
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Case {
    mode: Mode,
    scheme: Scheme,
    number: usize,
}

#[inline(never)]
fn as_client<P, S, V, R>(
    subject: &mut Subject<'_, P, S, V>,
    bench: &mut Bench<'_, R>,
    other: &mut Other,
    case: Case,
) -> Result<(), Failure>
where
    P: Provider,
    S: Signer,
    V: FnMut(&[u8; 65], &KeyId, &[u8], &Signature) -> Result<Verified, CryptoError>,
    R: TryCryptoRng,
{
    let mut verifier = Trusting { point: other.point, verify: &mut subject.verify };
    let signers = Signers::of(case.mode, &mut *subject.signer, &mut other.identity);
    let mut pair = Pair { client: &mut *subject.provider, gateway: &mut bench.software };
    let properties = [Property::ClientHandshake, Property::ClientMessages];
    pair.meet(signers, &mut verifier, &mut Pins(&other.pins), bench.room, properties, case)
}

#[inline(never)]
fn as_gateway<P, S, V, R>(
    subject: &mut Subject<'_, P, S, V>,
    bench: &mut Bench<'_, R>,
    other: &mut Other,
    case: Case,
) -> Result<(), Failure>
where
    P: Provider,
    S: Signer,
    V: FnMut(&[u8; 65], &KeyId, &[u8], &Signature) -> Result<Verified, CryptoError>,
    R: TryCryptoRng,
{
    let mut verifier = Trusting { point: other.point, verify: &mut subject.verify };
    let signers = Signers::of(case.mode, &mut other.identity, &mut *subject.signer);
    let mut pair = Pair { client: &mut bench.software, gateway: &mut *subject.provider };
    let properties = [Property::GatewayHandshake, Property::GatewayMessages];
    pair.meet(signers, &mut Pins(&other.pins), &mut verifier, bench.room, properties, case)
}

/// The end that is not the subject.
struct Other {
    identity: Identity,
    /// Its public key.
    point: [u8; 65],
    /// The subject, whom it trusts.
    pins: [PinnedKey; 1],
}

impl Other {
    #[inline(never)]
    fn of(point: &[u8; 65]) -> Result<Self, Failure> {
        let identity = identity()?;
        let key = Property::Reference.succeeds(0, identity.public())?;
        let pins = [Property::ClientHandshake.succeeds(0, PinnedKey::from_point(point))?];
        Ok(Self { identity, point: *key.point(), pins })
    }
}

/// Who signs.
struct Signers<'s> {
    /// From mutual mode on.
    client: Option<&'s mut dyn Signer>,
    /// From pinned mode on.
    gateway: Option<&'s mut dyn Signer>,
}

impl<'s> Signers<'s> {
    fn of(mode: Mode, client: &'s mut dyn Signer, gateway: &'s mut dyn Signer) -> Self {
        Self {
            client: (mode >= Mode::Mutual).then_some(client),
            gateway: (mode >= Mode::Pinned).then_some(gateway),
        }
    }
}

/// The subject's way to verify, as a verifier that trusts one key.
pub(super) struct Trusting<'v, V> {
    pub(super) point: [u8; 65],
    pub(super) verify: &'v mut V,
}

impl<V> Verifier for Trusting<'_, V>
where
    V: FnMut(&[u8; 65], &KeyId, &[u8], &Signature) -> Result<Verified, CryptoError>,
{
    fn verify(
        &mut self,
        kid: &KeyId,
        message: &[u8],
        signature: &Signature,
    ) -> Result<Verified, CryptoError> {
        (self.verify)(&self.point, kid, message, signature)
    }
}

/// Admits everybody with the elliptic-curve schemes.
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

/// Two ends.
struct Pair<'p, C, G> {
    client: &'p mut C,
    gateway: &'p mut G,
}

type Sessions<C, G> = (Session<C, TOKEN>, ServerSession<G>);
/// The sessions of both ends, and the client's signature.
type Shaken<C, G> = (Sessions<C, G>, Option<Signature>);

impl<C: Provider, G: Provider> Pair<'_, C, G> {
    /// A handshake, the client's signature where it has one, and messages.
    #[inline(never)]
    fn meet(
        &mut self,
        signers: Signers<'_>,
        of_client: &mut impl Verifier,
        of_gateway: &mut impl Verifier,
        room: &mut [u8; ROOM],
        [handshake, messages]: [Property; 2],
        case: Case,
    ) -> Result<(), Failure> {
        let outcome = self.shake(signers, of_client, room, case);
        let (mut sessions, introduction) = handshake.succeeds(case.number, outcome)?;
        let introduced = self.introduce(&mut sessions, introduction, of_gateway, room);
        handshake.succeeds(case.number, introduced)?;
        self.talk(sessions, room, messages, case.number)
    }

    #[inline(never)]
    fn shake(
        &mut self,
        signers: Signers<'_>,
        verifier: &mut impl Verifier,
        buffer: &mut [u8],
        case: Case,
    ) -> Result<Shaken<C, G>, Error> {
        let schemes = [case.scheme];
        let mut config = ClientConfig::new(ClientType::Internal, "conformance", "subject", "server");
        (config.mode, config.schemes) = (case.mode, &schemes);
        config.identity = signers.client.as_ref().map(|signer| signer.kid());
        let mut client = ClientHandshake::<C, TOKEN>::new(&config)?;
        let mut gateway = ServerHandshake::<G>::new();

        client.compute(self.client, verifier)?;
        let length = client.hello(self.client, Now::UNKNOWN, buffer)?;
        gateway
            .hello(self.gateway, &Everybody, buffer.get_mut(..length).unwrap_or_default())
            .map_err(error)?;
        gateway.compute(self.gateway).map_err(error)?;
        let facts = ServerFacts {
            session_id: "dynamic-key-conformance",
            token: "e30.e30.c2ln",
            expire_token: 0,
            expires_at: Timestamp::from_unix_secs(1_780_531_200),
            expires_in: 3600,
            instance: 7,
            identity: signers.gateway.as_ref().map(|signer| signer.kid()),
            plain: PlainKdf::default(),
        };
        let length = gateway.answer(self.gateway, &facts, buffer).map_err(error)?;
        let answer = buffer.get_mut(..length).unwrap_or_default();
        if let (Some(mut signer), ServerNeed::Sign) = (signers.gateway, gateway.need()) {
            gateway.sign(&mut signer, answer).map_err(error)?;
        }
        client.reply(200, answer)?;
        let need = client.compute(self.client, verifier)?;
        if let (Some(mut signer), ClientNeed::Sign) = (signers.client, need) {
            client.sign(&mut signer)?;
        }
        let introduction = client.introduction().copied();
        Ok(((client.finish()?, gateway.finish().map_err(error)?), introduction))
    }

    /// A request with the client's signature, which the gateway verifies: in mutual mode, and only there.
    #[inline(never)]
    fn introduce(
        &mut self,
        (client, gateway): &mut Sessions<C, G>,
        introduction: Option<Signature>,
        verifier: &mut impl Verifier,
        buffer: &mut [u8],
    ) -> Result<(), Error> {
        let Some(signature) = introduction else {
            return if gateway.claimed().is_none() { Ok(()) } else { Err(Peer::Authentication.into()) };
        };
        let (length, _) = client.seal(self.client, Now::UNKNOWN, buffer, 0)?;
        let length = introduce(buffer, length, &signature)?;
        let text = buffer.get_mut(..length).unwrap_or_default();
        let envelope = Envelope::parse(text)?;
        let signature = envelope.introduction(text)?.ok_or(Peer::Authentication)?;
        let request = gateway.open(self.gateway, envelope, text)?.committed();
        let claimed = gateway.claimed().ok_or(Peer::Authentication)?;
        let _: Verified = verifier.verify(claimed.kid(), claimed.statement().as_bytes(), &signature)?;
        let sealed = gateway.seal(self.gateway, request, 200, buffer, 0).map_err(|(error, _)| error)?;
        client.open(self.client, 200, buffer.get_mut(..sealed).unwrap_or_default()).map(drop)
    }

    /// Messages both ways; a changed copy of each is refused first.
    #[inline(never)]
    fn talk(
        &mut self,
        (mut client, gateway): Sessions<C, G>,
        room: &mut [u8; ROOM],
        property: Property,
        case: usize,
    ) -> Result<(), Failure> {
        let (buffer, copy) = room.split_at_mut(ROOM / 2);
        for length in LENGTHS {
            fill(buffer, length);
            let sealed = client.seal(self.client, Now::UNKNOWN, buffer, length);
            let (sealed, _) = property.succeeds(case, sealed)?;
            let request = buffer.get_mut(..sealed).unwrap_or_default();
            let opened = open_request(self.gateway, &gateway, changed(request, copy));
            property.refuses(case, opened.map(drop), Peer::Authentication)?;
            let opened = property.succeeds(case, open_request(self.gateway, &gateway, request))?;
            property.require(case, is_filled(buffer.get(opened.plaintext()), length))?;

            fill(buffer, length);
            let sealed = gateway.seal(self.gateway, opened, 200, buffer, length);
            let sealed = property.succeeds(case, sealed.map_err(|(error, _)| error))?;
            let answer = buffer.get_mut(..sealed).unwrap_or_default();
            let opened = client.open(self.client, 200, changed(answer, copy)).map(drop);
            property.refuses(case, opened, Peer::Authentication)?;
            let opened = property.succeeds(case, client.open(self.client, 200, answer))?;
            property.require(case, is_filled(Some(opened), length))?;
        }
        self.export(&client, &gateway, case)
    }

    fn export(
        &mut self,
        client: &Session<C, TOKEN>,
        gateway: &ServerSession<G>,
        case: usize,
    ) -> Result<(), Failure> {
        let (mut here, mut there) = ([0; 40], [0; 40]);
        let exported = client.export(self.client, "conformance", b"context", &mut here);
        if client.facts().mode() == Mode::Plain {
            return Property::Export.refuses(case, exported, CryptoError::Unsupported);
        }
        Property::Export.succeeds(case, exported)?;
        let exported = gateway.export(self.gateway, "conformance", b"context", &mut there);
        Property::Export.succeeds(case, exported)?;
        Property::Export.require(case, here == there)
    }
}

/// Opens a request, which nobody has sent before.
fn open_request<G: Provider>(
    provider: &mut G,
    session: &ServerSession<G>,
    request: &mut [u8],
) -> Result<Committed, Error> {
    let envelope = Envelope::parse(request)?;
    Ok(session.open(provider, envelope, request)?.committed())
}

/// A refusal by the gateway as the error that it is.
fn error(error: ServerError) -> Error {
    match error {
        ServerError::Refuse(refusal) => Error::Refused(refusal.code),
        ServerError::Misuse(error) => error,
    }
}

fn fill(buffer: &mut [u8], length: usize) {
    buffer.iter_mut().take(length).for_each(|byte| *byte = 0x42);
}

fn is_filled(text: Option<&[u8]>, length: usize) -> bool {
    text.is_some_and(|text| text.len() == length && text.iter().all(|byte| *byte == 0x42))
}

/// A copy of an envelope whose data begin with another character.
fn changed<'c>(envelope: &[u8], copy: &'c mut [u8]) -> &'c mut [u8] {
    const BEFORE: &[u8] = br#""data":""#;
    let copy = copy.get_mut(..envelope.len()).unwrap_or_default();
    copy.copy_from_slice(envelope);
    let data = copy.windows(BEFORE.len()).position(|window| window == BEFORE);
    if let Some(first) = data.and_then(|at| copy.get_mut(at.saturating_add(BEFORE.len()))) {
        *first = if *first == b'A' { b'B' } else { b'A' };
    }
    copy
}

//! §2.1 to §2.3 once more, over [`Node`] and other crates: what a message must say, and what must have been proven.

pub mod key_agreement;

use crate::json::Node;
use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use dynamic_key::Code;
use dynamic_key::codec::spki::PublicKey;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::scheme::{Preference, Scheme};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use p256::pkcs8::DecodePublicKey;
use sha2::{Digest, Sha256};

/// The bytes of canonical base64 (RFC 4648 §4).
pub fn base64(text: &str) -> Option<Vec<u8>> {
    Base64::decode_vec(text).ok()
}

/// The bytes of canonical base64url (RFC 4648 §5, no padding).
pub fn base64url(text: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text).ok()
}

/// A P-256 key in its 91 bytes, on the curve or not: `Some(true)` is on it.
pub fn key(der: &[u8]) -> Option<bool> {
    let template = &p256_template()[..26];
    let point = der.strip_prefix(template)?;
    (point.len() == 65 && point[0] == 4).then(|| p256::PublicKey::from_public_key_der(der).is_ok())
}

fn p256_template() -> [u8; 91] {
    use p256::pkcs8::EncodePublicKey;
    let generator = p256::PublicKey::from_sec1_bytes(crate::provider::public_key(1).as_bytes()).unwrap();
    generator.to_public_key_der().unwrap().as_bytes().try_into().unwrap()
}

/// 1 to `max` characters of 0x20–0x7E.
pub fn is_claim(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

pub fn is_session_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "._~-".contains(c))
}

pub fn is_token(text: &str) -> bool {
    (1..=4096).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._~+/=-".contains(c))
}

/// A list of names that are what they must be.
fn names(list: &Node) -> Option<Vec<&str>> {
    let names: Vec<&str> = list.elements()?.iter().map(Node::as_str).collect::<Option<_>>()?;
    let is_name = |name: &&str| {
        (1..=32).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let distinct = names.iter().enumerate().all(|(place, name)| !names[..place].contains(name));
    (names.len() <= 8 && distinct && names.iter().all(is_name)).then_some(names)
}

fn handshake_nonce(message: &Node) -> Option<Vec<u8>> {
    base64(message.string("nonce")?).filter(|nonce| (16..=32).contains(&nonce.len()))
}

fn is_kid(text: &str) -> bool {
    base64url(text).is_some_and(|hash| hash.len() == 32)
}

/// A root object at most 16 levels deep.
fn is_root(message: &Node) -> bool {
    message.members().is_some() && message.depth() <= 16
}

/// What a hello says, where it is one.
#[derive(Debug, PartialEq)]
pub struct Hello<'a> {
    pub key: Vec<u8>,
    pub device_id: &'a str,
    pub platform: &'a str,
    pub client_type: &'a str,
    pub client_id: &'a str,
    /// Offered schemes, and whether a kid was claimed.
    pub offer: Option<(Vec<&'a str>, bool)>,
}

impl<'a> Hello<'a> {
    /// `None` is MALFORMED_REQUEST.
    pub fn read(message: &'a Node) -> Option<Self> {
        let (device, client) = (message.get("device")?, message.get("client")?);
        let offer = match message.get("keyAgreement") {
            None => None,
            Some(offer) => {
                offer.members()?;
                handshake_nonce(offer)?;
                offer.get("features").map_or(Some(vec![]), names)?;
                let schemes = names(offer.get("supportedSchemes")?).filter(|schemes| !schemes.is_empty())?;
                let identity =
                    offer.get("identity").map(|identity| identity.string("kid").filter(|kid| is_kid(kid)));
                Some((schemes, identity.map_or(Some(false), |kid| kid.map(|_| true))?))
            }
        };
        let hello = Self {
            key: base64(message.string("clientPublicKey")?)?,
            device_id: device.string("id")?,
            platform: device.string("platform")?,
            client_type: client.string("type")?,
            client_id: client.string("clientId")?,
            offer,
        };
        let claims = is_claim(hello.device_id, 64)
            && is_claim(hello.platform, 32)
            && is_claim(hello.client_type, 64)
            && is_claim(hello.client_id, 64);
        (is_root(message) && claims).then_some(hello)
    }

    /// The scheme that a gateway chooses which knows the client `known`, in the order of checks of §2.1.
    pub fn choose(
        &self,
        known: (&str, &str),
        demands_confirmation: bool,
        accepted: &[Scheme],
        preference: Preference,
    ) -> Result<Scheme, Code> {
        if (self.client_type, self.client_id) != known || self.offer.as_ref().is_some_and(|(_, kid)| *kid) {
            return Err(Code::ClientNotAllowed);
        }
        if self.offer.is_none() && demands_confirmation {
            return Err(Code::ConfirmationRequired);
        }
        let offered = match &self.offer {
            Some((schemes, _)) => schemes.clone(),
            None => vec![Scheme::EcAes2.name()],
        };
        let common =
            offered.iter().filter_map(|name| accepted.iter().copied().find(|scheme| scheme.name() == *name));
        let common: Vec<Scheme> = common.collect();
        let strongest =
            || [Scheme::EcAes2, Scheme::EcAes1].into_iter().find(|scheme| common.contains(scheme));
        let scheme = match preference {
            Preference::Client => common.first().copied(),
            Preference::Strongest => strongest(),
        };
        let scheme = scheme.ok_or(Code::NoCommonScheme)?;
        if key(&self.key) == Some(true) { Ok(scheme) } else { Err(Code::InvalidPublicKey) }
    }
}

/// What an answer says, where it is one that a client of `is_plain` mode reads.
#[derive(Debug)]
pub struct Answer<'a> {
    pub key: Vec<u8>,
    pub session_id: &'a str,
    pub token: &'a str,
    /// When the session ends, in milliseconds since the epoch, if it began at `now`.
    pub ends: u64,
    pub choice: Option<Choice<'a>>,
}

#[derive(Debug)]
pub struct Choice<'a> {
    pub scheme: &'a str,
    pub features: Vec<&'a str>,
    pub proof: Vec<u8>,
    pub identity: Option<(&'a str, Vec<u8>)>,
}

impl<'a> Answer<'a> {
    pub fn read(message: &'a Node, is_plain: bool, now: u64) -> Option<Self> {
        let expire_token = message.get("expireToken")?.integer()?;
        let mut ends = Timestamp::parse(message.string("expiresAt")?.as_bytes()).ok()?.as_unix_millis();
        if expire_token != 0 {
            ends = ends.min(expire_token.saturating_mul(1000));
        }
        let choice = match message.get("keyAgreement") {
            Some(choice) if !is_plain => {
                choice.members()?;
                handshake_nonce(choice)?;
                ends = ends.min(now.saturating_add(choice.get("expiresIn")?.integer()?.saturating_mul(1000)));
                let identity = match choice.get("identity") {
                    None => None,
                    Some(identity) => {
                        let kid = identity.string("kid").filter(|kid| is_kid(kid))?;
                        let signature = base64url(identity.string("signature")?)?;
                        Some((kid, signature)).filter(|(_, signature)| signature.len() == 64).map(Some)?
                    }
                };
                Some(Choice {
                    scheme: choice.string("scheme")?,
                    features: choice.get("features").map_or(Some(vec![]), names)?,
                    proof: base64(choice.string("proof")?).filter(|proof| proof.len() == 32)?,
                    identity,
                })
            }
            _ => None,
        };
        let answer = Self {
            key: base64(message.string("serverPublicKey")?)?,
            session_id: message.string("sessionId").filter(|id| is_session_id(id))?,
            token: message.string("token").filter(|token| is_token(token))?,
            ends,
            choice,
        };
        is_root(message).then_some(answer)
    }
}

/// T of the hello and the answer in which these keys agree, where both have every field.
pub fn transcript(hello: &Node, answer: &Node) -> Option<[u8; 32]> {
    let mut hash = Sha256::new_with_prefix(b"dynamic-key transcript v2\0");
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u16).to_be_bytes());
        hash.update(bytes);
    };
    let list = |message: &Node, name: &str| -> Option<Vec<u8>> {
        let names = message.get(name).map_or(Some(vec![]), names)?;
        let entries = names.iter().flat_map(|name| [&[name.len() as u8][..], name.as_bytes()].concat());
        Some(core::iter::once(names.len() as u8).chain(entries).collect())
    };
    let kid = |message: &Node| -> Option<Vec<u8>> {
        Some(message.get("identity").map_or(Some(""), |identity| identity.string("kid"))?.into())
    };
    let (device, client) = (hello.get("device")?, hello.get("client")?);
    let (offer, choice) = (hello.get("keyAgreement")?, answer.get("keyAgreement")?);
    field(b"dynamic-key-v2");
    field(&base64(hello.string("clientPublicKey")?)?);
    field(&base64(offer.string("nonce")?)?);
    field(&list(offer, "supportedSchemes")?);
    field(device.string("id")?.as_bytes());
    field(device.string("platform")?.as_bytes());
    field(client.string("type")?.as_bytes());
    field(client.string("clientId")?.as_bytes());
    field(&kid(offer)?);
    field(&base64(answer.string("serverPublicKey")?)?);
    field(&base64(choice.string("nonce")?)?);
    field(choice.string("scheme")?.as_bytes());
    field(answer.string("sessionId")?.as_bytes());
    field(answer.string("expiresAt")?.as_bytes());
    field(answer.string("token")?.as_bytes());
    field(b"");
    field(&kid(choice)?);
    field(choice.get("expiresIn")?.integer()?.to_string().as_bytes());
    field(answer.get("expireToken")?.integer()?.to_string().as_bytes());
    field(&list(offer, "features")?);
    field(&list(choice, "features")?);
    Some(hash.finalize().into())
}

/// The proof over T.
pub fn proof(transcript: &[u8; 32], z: &[u8; 32]) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(transcript), z).expand(b"dynamic-key v2 server proof", &mut key).unwrap();
    hs256(&key, transcript)
}

/// HMAC-SHA256.
pub fn hs256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut hmac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
    hmac.update(message);
    hmac.finalize().into_bytes().into()
}

/// What the server's identity signs.
pub fn statement(transcript: &[u8; 32]) -> Vec<u8> {
    [&b"dynamic-key v2 server\0"[..], transcript].concat()
}

/// The key in a SubjectPublicKeyInfo, if it is one.
pub fn public_key(der: &[u8]) -> Option<PublicKey> {
    key(der).filter(|on_curve| *on_curve)?;
    PublicKey::p256(der[26..].try_into().ok()?).ok()
}

/// Members that no header may have (§4).
const REFUSED: [&str; 9] = ["crit", "zip", "b64", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"];

/// Whether this is the header of a message with this `alg`, but for what the algorithm adds.
pub fn is_jose_header(header: &Node, alg: &str) -> bool {
    is_root(header)
        && header.string("alg") == Some(alg)
        && REFUSED.iter().all(|name| header.get(name).is_none())
}

/// The point of a public key of P-256, on its curve or not.
pub fn p256_jwk(key: &Node) -> Option<Vec<u8>> {
    key.members()?;
    let named = key.string("kty")? == "EC" && key.string("crv")? == "P-256" && key.get("d").is_none();
    let coordinate =
        |name| base64url(key.string(name)?).filter(|coordinate: &Vec<u8>| coordinate.len() == 32);
    let (x, y) = (coordinate("x")?, coordinate("y")?);
    named.then(|| [vec![4], x, y].concat())
}

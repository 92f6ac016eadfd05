//! §3 once more.

use super::{base64, base64url, handshake_nonce, is_kid, is_root, is_session_id, key, names};
use crate::json::Node;
use sha2::{Digest, Sha256};

fn identifier(message: &Node) -> Option<Vec<u8>> {
    base64(message.string("identifier")?).filter(|bytes| (1..=255).contains(&bytes.len()))
}

fn schemes(message: &Node) -> Option<Vec<&str>> {
    names(message.get("supported_schemes")?).filter(|schemes| !schemes.is_empty())
}

/// What a request says, where it is one: its key, on the curve, and its schemes.
pub fn request(message: &Node) -> Option<(Vec<u8>, Vec<&str>)> {
    identifier(message)?;
    handshake_nonce(message)?;
    let public = base64(message.string("public_key")?).filter(|der| key(der) == Some(true))?;
    is_root(message).then_some((public, schemes(message)?))
}

/// What a response says, where it is one.
#[derive(Debug)]
pub struct Response<'a> {
    pub key: Vec<u8>,
    pub id: &'a str,
    pub scheme: &'a str,
    pub proof: Vec<u8>,
    pub identity: Option<(&'a str, Vec<u8>)>,
    pub expires_in: Option<u64>,
}

impl<'a> Response<'a> {
    pub fn read(message: &'a Node) -> Option<Self> {
        identifier(message)?;
        let identity = match message.get("identity") {
            None => None,
            Some(identity) => {
                let kid = identity.string("kid").filter(|kid| is_kid(kid))?;
                let signature = base64url(identity.string("signature")?)?;
                Some((kid, signature)).filter(|(_, signature)| signature.len() == 64).map(Some)?
            }
        };
        let expires_in = match message.get("expires_in") {
            None => None,
            Some(seconds) => Some(seconds.integer()?),
        };
        let response = Self {
            key: base64(message.string("public_key")?)?,
            id: message.string("client_reference_id").filter(|id| is_session_id(id))?,
            scheme: message.string("scheme")?,
            proof: base64(message.string("proof")?).filter(|proof| proof.len() == 32)?,
            identity,
            expires_in,
        };
        is_root(message).then_some(response)
    }
}

/// T of the request and the response, where both have every field.
pub fn transcript(request: &Node, response: &Node) -> Option<[u8; 32]> {
    let mut hash = Sha256::new_with_prefix(b"dynamic-key transcript v2\0");
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u16).to_be_bytes());
        hash.update(bytes);
    };
    let offered = schemes(request)?;
    let mut list = vec![offered.len() as u8];
    for name in offered {
        list.push(name.len() as u8);
        list.extend_from_slice(name.as_bytes());
    }
    let kid = response.get("identity").map_or(Some(""), |identity| identity.string("kid"))?;
    field(b"key-agreement");
    field(&base64(request.string("public_key")?)?);
    field(&base64(request.string("nonce")?)?);
    field(&list);
    field(&identifier(request)?);
    (6..=9).for_each(|_| field(b""));
    field(&base64(response.string("public_key")?)?);
    field(b"");
    field(response.string("scheme")?.as_bytes());
    field(response.string("client_reference_id")?.as_bytes());
    field(b"");
    field(b"");
    field(&identifier(response)?);
    field(kid.as_bytes());
    (18..=21).for_each(|_| field(b""));
    Some(hash.finalize().into())
}

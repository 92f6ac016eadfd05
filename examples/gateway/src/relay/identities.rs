//! The endpoints of identities.
//!
//! A request that comes again changes nothing: a registration is answered with the identity as it is, a rotation as the first time
//! as long as nothing has followed it, and what replaces something must be signed later than what it replaces.

use super::access::Caller;
use super::event::Kind;
use super::reply::{Done, Refusal, Success};
use super::signed::{payload, provider};
use super::state::{Record, Signed};
use super::{Answer, Relay};
use dynamic_key::codec::base64;
use dynamic_key::identity::{message, metadata, recovery, registration, rotation};
use dynamic_key::jose::jwk::{Jwk, Use};

/// The most bytes of either kind of metadata.
const METADATA: usize = 4 * 1024;
/// The most bytes of recovery data, as it is signed.
const RECOVERY: usize = 8 * 1024;

/// `POST /v1/identity`.
pub(super) fn register(relay: &Relay, caller: &Caller, body: &[u8]) -> Answer {
    let mut scratch = vec![0; body.len()];
    let registered = registration::verify(&mut provider(), body, &mut scratch)?;
    if registered.public.len().max(registered.private.len()) > METADATA {
        return Err(Refusal::TooLarge);
    }
    let (encryption, _) = relay.member(body, "encPubKey")?;
    relay.member(body, "metaPublic")?;
    let (private, _) = relay.member(body, "metaPrivate")?;
    let signing = text(&registered.signing)?;
    let record = Record {
        application: caller.application.to_string(),
        registered: signing.clone(),
        successors: Vec::new(),
        signing,
        encryption,
        public: String::from_utf8_lossy(registered.public).into_owned(),
        private: Signed { text: String::from_utf8_lossy(registered.private).into_owned(), at: private.at },
        recovery: None,
    };
    let most = relay.settings.identities_per_application;
    let fresh = relay.address()?;
    let (address, is_new) = relay.state.register(&fresh, &registered.signing.kid(), &record, most)?;
    if is_new {
        relay.tell(caller, Kind::Registered { address: address.clone() });
        return Ok(Success::new(Done::REGISTERED, Some(profile(&address, &record, true))));
    }
    let known = relay.state.identity(&address)?.ok_or(Refusal::Internal)?;
    // Others encrypt to the key that is there: it must be the one that is asked for.
    if said(&known.encryption) != said(&record.encryption) {
        return Err(Refusal::Taken);
    }
    Ok(Success::new(Done::REGISTERED, Some(profile(&address, &known, true))))
}

/// `POST /v1/identity/me`.
pub(super) fn me(relay: &Relay, caller: &Caller, body: &[u8]) -> Answer {
    let request = message::parse_request("/v1/identity/me", body)?;
    let author = relay.author(caller, &request)?;
    metadata::check(&payload(&request, &author.verified)?)?;
    Ok(Success::new(Done::ME, Some(profile(&author.address, &author.record, true))))
}

/// `POST /v1/identity/me/sigPubKey`.
pub(super) fn rotate(relay: &Relay, caller: &Caller, body: &[u8]) -> Answer {
    let (link, signer) = relay.member(body, "sigPubKey")?;
    let (encryption, _) = relay.member(body, "encPubKey")?;
    let address = signer.address();
    let (record, current) = relay.own(caller, address)?;
    if record.successors.last() == Some(&link.text) && record.encryption == encryption {
        return Ok(Success::new(Done::SIGNING, Some(profile(address, &record, true))));
    }
    let rotated = rotation::verify(&mut provider(), address, &current, body)?;
    let signing = text(&rotated.signing)?;
    let record = relay.state.rotate(address, &current.kid(), &rotated.signing.kid(), |record| {
        if record.successors.len().saturating_add(1) >= relay.settings.keys_per_identity {
            return Err(Refusal::KeysExhausted);
        }
        if encryption.at < record.encryption.at {
            return Err(Refusal::Older);
        }
        record.successors.push(link.text);
        record.signing = signing;
        record.encryption = encryption;
        // The keys in it have been replaced.
        record.recovery = None;
        Ok(())
    })?;
    relay.tell(caller, Kind::SigningKey { address: address.to_owned() });
    Ok(Success::new(Done::SIGNING, Some(profile(address, &record, true))))
}

/// `POST /v1/identity/me/encPubKey`.
pub(super) fn encryption(relay: &Relay, caller: &Caller, body: &[u8]) -> Answer {
    let member = rotation::parse_encryption(body)?;
    let (next, _) = relay.member(body, "encPubKey")?;
    let author = relay.author(caller, &member)?;
    rotation::key_of(&mut provider(), &member, &author.verified, Use::Encryption)?;
    let (record, changed) =
        relay.state.update(&author.address, &author.kid, |record| replace(&mut record.encryption, next))?;
    if changed {
        relay.tell(caller, Kind::EncryptionKey { address: author.address.clone() });
    }
    Ok(Success::new(Done::ENCRYPTION, Some(profile(&author.address, &record, true))))
}

/// `POST /v1/identity/me/meta`.
pub(super) fn metadata(relay: &Relay, caller: &Caller, body: &[u8]) -> Answer {
    let member = metadata::parse(body)?;
    let author = relay.author(caller, &member)?;
    let text = payload(&member, &author.verified)?;
    metadata::check(&text)?;
    if text.len() > METADATA {
        return Err(Refusal::TooLarge);
    }
    let text = String::from_utf8(text).map_err(|_| Refusal::Malformed)?;
    let next = Signed { text, at: member.issued_at().as_unix_secs() };
    let (record, changed) =
        relay.state.update(&author.address, &author.kid, |record| replace(&mut record.private, next))?;
    if changed {
        relay.tell(caller, Kind::Metadata { address: author.address.clone() });
    }
    Ok(Success::new(Done::METADATA, Some(profile(&author.address, &record, true))))
}

/// `POST /v1/identity/me/recovery`.
pub(super) fn recovery(relay: &Relay, caller: &Caller, body: &[u8]) -> Answer {
    let member = recovery::parse(body)?;
    let (next, _) = relay.member(body, "recovery")?;
    if next.text.len() > RECOVERY {
        return Err(Refusal::TooLarge);
    }
    let author = relay.author(caller, &member)?;
    let sealed = payload(&member, &author.verified)?;
    if sealed.split(|byte| *byte == b'.').count() != 5 {
        return Err(Refusal::Malformed);
    }
    let (_, changed) =
        relay.state.update(&author.address, &author.kid, |record| match &mut record.recovery {
            Some(known) => replace(known, next),
            none => {
                *none = Some(next);
                Ok(true)
            }
        })?;
    if changed {
        relay.tell(caller, Kind::Recovery { address: author.address.clone() });
    }
    Ok(Success::new(Done::RECOVERY, None))
}

/// `GET /v1/identity/:id`, for every application.
pub(super) fn published(relay: &Relay, _: &Caller, id: &[u8]) -> Answer {
    let address = relay.canonical(std::str::from_utf8(id).map_err(|_| Refusal::Malformed)?);
    let record = relay.state.identity(&address)?.ok_or(Refusal::NoIdentity)?;
    Ok(Success::new(Done::FOUND, Some(profile(&address, &record, false))))
}

/// `GET /v1/identity/:id/recovery`, for the identity's application alone: whoever has it may try passwords.
pub(super) fn recovered(relay: &Relay, caller: &Caller, id: &[u8]) -> Answer {
    let address = relay.canonical(std::str::from_utf8(id).map_err(|_| Refusal::Malformed)?);
    let (record, _) = relay.own(caller, &address)?;
    let Signed { text, .. } = record.recovery.ok_or(Refusal::NoRecovery)?;
    Ok(Success::new(Done::RECOVERED, Some(format!(r#"{{"recovery":"{text}"}}"#))))
}

impl Relay {
    /// A new address: 96 random bits.
    fn address(&self) -> Result<String, Refusal> {
        let (mut bytes, mut room) = ([0; 12], [0; 16]);
        getrandom::fill(&mut bytes).map_err(|_| Refusal::Internal)?;
        let local = base64::url_encode(&bytes, &mut room).map_err(|_| Refusal::Internal)?;
        Ok(self.canonical(local).into_owned())
    }
}

/// Replaces what was signed before `next`, and tells whether it did: what comes again is there already.
fn replace(known: &mut Signed, next: Signed) -> Result<bool, Refusal> {
    if next == *known {
        return Ok(false);
    }
    if next.at <= known.at {
        return Err(Refusal::Older);
    }
    *known = next;
    Ok(true)
}

/// What is signed, still encoded.
fn said(signed: &Signed) -> Option<&str> {
    signed.text.split('.').nth(1)
}

fn text(key: &Jwk) -> Result<String, Refusal> {
    let mut room = vec![0; Jwk::LEN];
    key.write(&mut room).map_err(|_| Refusal::Internal)?;
    String::from_utf8(room).map_err(|_| Refusal::Internal)
}

/// A profile: all of it is JSON already, or base64url with dots.
fn profile(address: &str, record: &Record, private: bool) -> String {
    let Record { registered, successors, signing, encryption, public, .. } = record;
    let chain: String = successors.iter().map(|link| format!(r#","{link}""#)).collect();
    let private = if private { format!(r#","metaPrivate":{}"#, record.private.text) } else { String::new() };
    format!(
        r#"{{"address":"{address}","sigPubKey":{signing},"sigChain":[{registered}{chain}],"encPubKey":"{}","metaPublic":{public}{private}}}"#,
        encryption.text
    )
}

//! What identities sign, checked against what the database knows of them.

use super::access::Caller;
use super::reply::Refusal;
use super::state::{Record, Signed};
use super::{Relay, now};
use crate::Software;
use dynamic_key::codec::json;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::{KeyId, Verified};
use dynamic_key::identity::Unverified;
use dynamic_key::jose::jwk::{Jwk, Use};
use dynamic_key::jose::{KeyRef, jws};
use getrandom::SysRng;

/// An identity of the caller's that has signed just now, with its current key.
pub(super) struct Author {
    pub(super) address: String,
    pub(super) kid: KeyId,
    pub(super) record: Record,
    pub(super) verified: Verified,
}

impl Relay {
    /// Who signed `member`.
    pub(super) fn author(&self, caller: &Caller, member: &Unverified<'_>) -> Result<Author, Refusal> {
        self.check_clock(member.issued_at())?;
        let (address, kid) = (member.signer().address(), member.signer().kid());
        let (record, key) = self.own(caller, address)?;
        if key.kid() != kid {
            return Err(Refusal::NotCurrent);
        }
        let (message, signature) = member.statement();
        let verified = key.pinned()?.verify(message, signature).map_err(|_| Refusal::Signature)?;
        Ok(Author { address: address.to_owned(), kid, record, verified })
    }

    /// The caller's identity at this address, with its current key.
    pub(super) fn own(&self, caller: &Caller, address: &str) -> Result<(Record, Jwk), Refusal> {
        let record = self.state.identity(address)?.ok_or(Refusal::NoIdentity)?;
        if *record.application != *caller.application {
            return Err(Refusal::Foreign);
        }
        let key = Jwk::parse(&mut provider(), record.signing.as_bytes(), Use::Signature);
        let key = key.map_err(|_| Refusal::Internal)?;
        Ok((record, key))
    }

    /// Whether something was signed just now, give or take.
    pub(super) fn check_clock(&self, at: Timestamp) -> Result<(), Refusal> {
        let apart = at.as_unix_secs().abs_diff(now().as_unix_secs());
        if apart <= self.settings.clock_seconds { Ok(()) } else { Err(Refusal::Clock) }
    }

    /// The signed member `name` of a body as it was signed, just now, and with which key. Whether it was is not verified.
    pub(super) fn member(&self, body: &[u8], name: &str) -> Result<(Signed, KeyRef), Refusal> {
        let [member] = json::object(body, &[name]).map_err(|_| Refusal::Malformed)?;
        let text = member.and_then(|member| member.string().ok()?.as_plain()).ok_or(Refusal::Malformed)?;
        let mut scratch = vec![0; text.len()];
        let parsed = jws::Unverified::parse(text, &mut scratch)?;
        let at = parsed.issued_at().ok_or(Refusal::Header)?;
        self.check_clock(at)?;
        Ok((Signed { text: text.to_owned(), at: at.as_unix_secs() }, parsed.key()?))
    }
}

/// What a member says.
pub(super) fn payload(member: &Unverified<'_>, verified: &Verified) -> Result<Vec<u8>, Refusal> {
    let mut room = vec![0; member.payload_len()];
    let length = member.payload(verified, &mut room)?.len();
    room.truncate(length);
    Ok(room)
}

pub(super) fn provider() -> Software {
    Software::new(SysRng)
}

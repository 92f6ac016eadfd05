//! What is stored, byte by byte.
//!
//! ```text
//! nonce(12) ‖ AES-256-GCM(root key, nonce, state, "dynamic-key v2 storage" ‖ 0x00 ‖ device id) ‖ tag(16)
//!
//! state = version(1) = 1
//!       ‖ mode(1): confirmed 1, pinned 2, mutual 3 ‖ client.type(1): internal 0, external 1
//!       ‖ clientId ‖ kid, empty but in mutual mode                each behind its uint8 length
//!       ‖ scheme(1): AES1 1, AES2 2, EC-AES1 3, EC-AES2 4
//!       ‖ reserved(8): counters below may have been used, and 1,024 AES blocks for each
//!       ‖ ends(8), Unix milliseconds ‖ lasts(8), milliseconds from the save on, 2⁶⁴ − 1 where that is not known
//!       ‖ "client write" ‖ "client iv"(12) ‖ "server write" ‖ "server iv"(12)    each key as the provider lets it go, 1 to 64 bytes behind
//!                                                                  its uint8 length
//!       ‖ sessionId, behind its uint8 length ‖ token, behind its uint16 length
//! ```

use super::{Owner, StorageError};
use crate::codec::BufferTooSmall;
use crate::codec::cursor::{Reader, Writer};
use crate::codec::timestamp::Timestamp;
use crate::crypto::provider::{Aead, CryptoError, NONCE_LEN, TAG_LEN};
use crate::crypto::storable::STORED_KEY_LEN;
use crate::crypto::{KeyId, StorableKeys};
use crate::envelope::Traffic;
use crate::nonce::NonceSequence;
use crate::replay::Outstanding;
use crate::scheme::Scheme;
use crate::secret::Secret;
use crate::session::client::{Keys, ResponseBinding};
use crate::session::{
    ClientType, Expiry, Facts, Mode, Now, Opener, Sealer, Session, is_session_id, is_token,
};
use zeroize::Zeroize;

const VERSION: u8 = 1;
const LABEL: &[u8; 23] = b"dynamic-key v2 storage\0";
/// A device, client or session id at most.
const ID_LEN: usize = 64;

/// The most bytes that a session with a token of `token` bytes is stored in.
#[must_use]
pub const fn stored_len(token: usize) -> usize {
    const OWNER: usize = 2 + 1 + ID_LEN + 1 + KeyId::LEN;
    const KEYS: usize = 2 * (1 + STORED_KEY_LEN + NONCE_LEN);
    const STATE: usize = 1 + OWNER + 1 + 3 * 8 + KEYS + 1 + ID_LEN + 2;
    (NONCE_LEN + STATE + TAG_LEN).saturating_add(token)
}

/// Seals `session`, of which the counters below `end` may be used, into the front of `buffer`, which is erased after a failure.
#[inline(never)] // one frame less in its caller's
pub(super) fn seal<'b, P: StorableKeys, E, const TOKEN: usize, const OUTSTANDING: usize>(
    provider: &mut P,
    root: &P::TrafficKey,
    owner: &Owner<'_>,
    session: &Session<P, TOKEN, OUTSTANDING>,
    now: Now,
    end: u64,
    buffer: &'b mut [u8],
) -> Result<&'b [u8], StorageError<E>> {
    match seal_unerased(provider, root, owner, session, now, end, buffer) {
        Ok(length) => Ok(buffer.get(..length).unwrap_or_default()),
        Err(error) => {
            buffer.zeroize();
            Err(error)
        }
    }
}

#[inline(never)] // one frame less in its caller's
fn seal_unerased<P: StorableKeys, E, const TOKEN: usize, const OUTSTANDING: usize>(
    provider: &mut P,
    root: &P::TrafficKey,
    owner: &Owner<'_>,
    session: &Session<P, TOKEN, OUTSTANDING>,
    now: Now,
    end: u64,
    buffer: &mut [u8],
) -> Result<usize, StorageError<E>> {
    let mut out = Writer::new(buffer);
    let mut nonce = [0; NONCE_LEN];
    provider.fill(&mut nonce)?;
    out.put(&nonce);
    let facts = &session.facts;
    out.put(&[VERSION, mode(owner.mode), client_type(owner.client_type)]);
    put_short(&mut out, owner.client_id.as_bytes());
    put_short(&mut out, owner.kid.map_or("", KeyId::as_str).as_bytes());
    out.put(&[scheme(facts.scheme)]);
    let (ends, lasts) = facts.expiry.to_stored(now);
    for number in [end, ends.as_unix_millis(), lasts] {
        out.put(&number.to_be_bytes());
    }
    put_key(provider, &session.sealer.traffic, &mut out)?;
    put_key(provider, &session.opener.traffic, &mut out)?;
    put_short(&mut out, facts.id().as_bytes());
    let token = facts.token.as_str().as_bytes();
    out.put(&u16::try_from(token.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.put(token);
    if let Some(tag) = out.reserve(TAG_LEN) {
        tag.fill(0);
    }
    let length = out.finish()?;

    let too_small = BufferTooSmall { needed: length };
    let text = buffer.get_mut(NONCE_LEN..length).ok_or(too_small)?;
    let (text, place) = text.split_last_chunk_mut::<TAG_LEN>().ok_or(too_small)?;
    *place = provider.seal(root, &nonce, &aad(owner)?, text)?;
    Ok(length)
}

/// Opens what fills `sealed`, and puts the session into `place`: it can seal nothing until counters are reserved. `sealed` is erased.
#[inline(never)] // one frame less in its caller's
pub(super) fn open<'p, P: StorableKeys, E, const TOKEN: usize, const OUTSTANDING: usize>(
    provider: &mut P,
    root: &P::TrafficKey,
    owner: &Owner<'_>,
    now: Now,
    place: &'p mut Option<Session<P, TOKEN, OUTSTANDING>>,
    sealed: &mut [u8],
) -> Result<&'p mut Session<P, TOKEN, OUTSTANDING>, StorageError<E>> {
    let outcome = open_unerased(provider, root, owner, now, place, sealed);
    sealed.zeroize();
    if outcome.is_err() {
        *place = None;
    }
    outcome?;
    place.as_mut().ok_or(StorageError::Corrupt)
}

#[inline(never)] // one frame less in its caller's
fn open_unerased<P: StorableKeys, E, const TOKEN: usize, const OUTSTANDING: usize>(
    provider: &mut P,
    root: &P::TrafficKey,
    owner: &Owner<'_>,
    now: Now,
    place: &mut Option<Session<P, TOKEN, OUTSTANDING>>,
    sealed: &mut [u8],
) -> Result<(), StorageError<E>> {
    let (nonce, rest) = sealed.split_first_chunk_mut::<NONCE_LEN>().ok_or(StorageError::Corrupt)?;
    let (text, tag) = rest.split_last_chunk_mut::<TAG_LEN>().ok_or(StorageError::Corrupt)?;
    provider.open(root, nonce, &aad(owner)?, text, tag)?;
    let mut state = Reader::new(text);
    match state.byte() {
        Some(VERSION) => {}
        Some(version) => return Err(StorageError::Version(version)),
        None => return Err(StorageError::Corrupt),
    }
    let fields = Fields::read(&mut state).filter(|_| state.is_empty()).ok_or(StorageError::Corrupt)?;
    let kid = owner.kid.map_or("", KeyId::as_str);
    let ours = fields.mode == mode(owner.mode)
        && fields.client_type == client_type(owner.client_type)
        && fields.client_id == owner.client_id.as_bytes()
        && fields.kid == kid.as_bytes();
    let chosen = owner.schemes.iter().copied().find(|ours| scheme(*ours) == fields.scheme);
    let chosen = chosen.filter(|_| ours).ok_or(StorageError::Foreign)?;
    let mut expiry = Expiry::from_stored(now, Timestamp::from_unix_millis(fields.ends), fields.lasts);
    if expiry.is_over(now) {
        return Err(StorageError::Ended);
    }
    let keys = fields.keys(provider, chosen.aead())?;
    let facts = &mut place.insert(Session::new(Facts::none(owner.mode), keys)).facts;
    fields.put_names(facts).ok_or(StorageError::Corrupt)?;
    (facts.scheme, facts.expiry) = (chosen, expiry);
    Ok(())
}

/// The state, before anything of it is believed.
struct Fields<'a> {
    mode: u8,
    client_type: u8,
    client_id: &'a [u8],
    kid: &'a [u8],
    scheme: u8,
    reserved: u64,
    ends: u64,
    lasts: u64,
    client: (&'a [u8], [u8; NONCE_LEN]),
    server: (&'a [u8], [u8; NONCE_LEN]),
    id: &'a [u8],
    token: &'a [u8],
}

impl<'a> Fields<'a> {
    #[inline(never)] // one frame less in its caller's
    fn read(state: &mut Reader<'a>) -> Option<Self> {
        Some(Self {
            mode: state.byte()?,
            client_type: state.byte()?,
            client_id: short(state)?,
            kid: short(state)?,
            scheme: state.byte()?,
            reserved: u64::from_be_bytes(*state.array()?),
            ends: u64::from_be_bytes(*state.array()?),
            lasts: u64::from_be_bytes(*state.array()?),
            client: (short(state)?, *state.array()?),
            server: (short(state)?, *state.array()?),
            id: short(state)?,
            token: {
                let length = u16::from_be_bytes(*state.array()?);
                state.take(length.into())?
            },
        })
    }

    #[inline(never)] // one frame less in its caller's
    fn keys<P: StorableKeys, const OUTSTANDING: usize>(
        &self,
        provider: &mut P,
        aead: Aead,
    ) -> Result<Keys<P, OUTSTANDING>, CryptoError> {
        let (client, server) = (&self.client, &self.server);
        Ok(Keys {
            sealer: Sealer {
                traffic: Traffic { key: provider.restore_key(aead, client.0)?, iv: client.1 },
                nonces: NonceSequence::stored(self.reserved),
            },
            opener: Opener {
                traffic: Traffic { key: provider.restore_key(aead, server.0)?, iv: server.1 },
                binding: ResponseBinding::Request,
                outstanding: Outstanding::new(),
            },
            exporter: None,
        })
    }

    /// Copies id and token, which the next headers will be made of.
    fn put_names<const TOKEN: usize>(&self, facts: &mut Facts<TOKEN>) -> Option<()> {
        let id = core::str::from_utf8(self.id).ok().filter(|id| is_session_id(id))?;
        let token = core::str::from_utf8(self.token).ok().filter(|token| is_token(token))?;
        facts.id.take_id(id)?;
        facts.token.copy(token)
    }
}

/// What the bytes are bound to beyond themselves.
fn aad(owner: &Owner<'_>) -> Result<heapless::Vec<u8, { LABEL.len() + ID_LEN }, u8>, CryptoError> {
    let mut aad = heapless::Vec::new();
    let parts = aad.extend_from_slice(LABEL).and_then(|()| aad.extend_from_slice(owner.device_id.as_bytes()));
    parts.map(|()| aad).map_err(|_| CryptoError::Failed)
}

/// Puts at most 255 bytes behind their length.
fn put_short(out: &mut Writer<'_>, bytes: &[u8]) {
    out.put(&[u8::try_from(bytes.len()).unwrap_or(u8::MAX)]);
    out.put(bytes);
}

#[inline(never)] // one frame less in its caller's
fn put_key<P: StorableKeys>(
    provider: &mut P,
    traffic: &Traffic<P::TrafficKey>,
    out: &mut Writer<'_>,
) -> Result<(), CryptoError> {
    let mut room = Secret::<STORED_KEY_LEN>::zero();
    let length = provider.store_key(&traffic.key, room.as_mut_bytes())?;
    put_short(out, room.as_bytes().get(..length).ok_or(CryptoError::Failed)?);
    out.put(&traffic.iv);
    Ok(())
}

/// The bytes behind their length.
fn short<'a>(state: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = state.byte()?;
    state.take(length.into())
}

const fn mode(mode: Mode) -> u8 {
    match mode {
        Mode::Plain => 0,
        Mode::Confirmed => 1,
        Mode::Pinned => 2,
        Mode::Mutual => 3,
    }
}

const fn client_type(client_type: ClientType) -> u8 {
    match client_type {
        ClientType::Internal => 0,
        ClientType::External => 1,
    }
}

const fn scheme(scheme: Scheme) -> u8 {
    match scheme {
        Scheme::Aes1 => 1,
        Scheme::Aes2 => 2,
        Scheme::EcAes1 => 3,
        Scheme::EcAes2 => 4,
    }
}

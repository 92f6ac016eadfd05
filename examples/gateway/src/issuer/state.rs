//! What was issued, on disk: tokens by their hash, so that the file is of no use to who reads it.
//!
//! Tokens that come of one grant are a family, which is revoked as one. Of its refresh tokens the last one counts; one that
//! was replaced and comes again was copied, by whom cannot be known, and ends the family (RFC 9700 §4.14.2).

use super::reply::Refusal;
use super::settings::Settings;
use dynamic_key::codec::base64;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::token::{Challenge, CodeVerifier};
use getrandom::SysRng;
use getrandom::rand_core::TryRng;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

type Hash = [u8; 32];
type Family = [u8; 16];

/// A family's client, the hash of the refresh token that counts, and when it ends.
const FAMILIES: TableDefinition<'_, &Family, (&str, &Hash, u64)> = TableDefinition::new("families");
/// A refresh token's family, also of those that were replaced.
const REFRESH: TableDefinition<'_, &Hash, &Family> = TableDefinition::new("refresh");
/// An access token's family, and when it ends.
const ACCESS: TableDefinition<'_, &Hash, (&Family, u64)> = TableDefinition::new("access");
/// A code's client, challenge and end, and the family that came of it, once one has.
const CODES: TableDefinition<'_, &Hash, (&str, &str, u64, Option<&Family>)> = TableDefinition::new("codes");

/// How long a code may take to be exchanged, in seconds.
const CODE_SECONDS: u64 = 60;
/// After so many that were issued what has ended is removed.
const PRUNE: u32 = 1_024;
/// The refresh token of a family that has none: no text is known that has this hash.
const NONE: Hash = [0; 32];

/// What a client gets.
pub(super) struct Tokens {
    pub(super) access: String,
    pub(super) refresh: Option<String>,
}

pub(super) struct State {
    database: Database,
    issued: AtomicU32,
}

impl State {
    pub(super) fn open(path: &Path, now: Timestamp) -> Result<Self, redb::Error> {
        let state = Self { database: Database::create(path)?, issued: AtomicU32::new(0) };
        state.prune(now)?;
        Ok(state)
    }

    /// Begins a family.
    pub(super) fn issue(
        &self,
        client: &str,
        renewable: bool,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Tokens, Refusal> {
        let write = self.begin()?;
        let tokens = Self::add(&write, &random()?, client, renewable, settings, now)?;
        self.commit(write, now)?;
        Ok(tokens)
    }

    /// Replaces a refresh token.
    pub(super) fn refresh(
        &self,
        token: &str,
        client: &str,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Tokens, Refusal> {
        let (hash, write) = (hash(token), self.begin()?);
        let family = refresh_family(&write, &hash)?.ok_or(Refusal::Grant)?;
        let (owner, current, ends) = row(&write, &family)?.ok_or(Refusal::Grant)?;
        if owner != client || ends <= now.as_unix_secs() {
            return Err(Refusal::Grant);
        }
        if current != hash {
            end(&write, &family)?;
            self.commit(write, now)?;
            return Err(Refusal::Grant);
        }
        let tokens = Self::add(&write, &family, client, true, settings, now)?;
        self.commit(write, now)?;
        Ok(tokens)
    }

    /// A code for who proves to know the verifier behind `challenge`.
    pub(super) fn authorize(
        &self,
        client: &str,
        challenge: &Challenge,
        now: Timestamp,
    ) -> Result<String, Refusal> {
        let (code, write) = (token()?, self.begin()?);
        let ends = now.as_unix_secs().saturating_add(CODE_SECONDS);
        let insert = || {
            write.open_table(CODES)?.insert(&hash(&code), (client, challenge.as_str(), ends, None))?;
            Ok::<_, redb::Error>(())
        };
        insert()?;
        self.commit(write, now)?;
        Ok(code)
    }

    /// A code for tokens, once. A code that comes again was copied: what came of it ends.
    pub(super) fn exchange(
        &self,
        code: &str,
        client: &str,
        verifier: &CodeVerifier,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Tokens, Refusal> {
        let (hash, write) = (hash(code), self.begin()?);
        let Code { owner, challenge, ends, family } = code_row(&write, &hash)?.ok_or(Refusal::Grant)?;
        if owner != client {
            return Err(Refusal::Grant);
        }
        let proven = Challenge::new(&challenge).is_ok_and(|challenge| challenge.verifies(verifier));
        let fresh: Family = random()?;
        let used = family.unwrap_or(fresh);
        mark(&write, &hash, &Code { owner, challenge, ends, family: Some(used) })?;
        if family.is_some() || !proven || ends <= now.as_unix_secs() {
            end(&write, &used)?;
            self.commit(write, now)?;
            return Err(Refusal::Grant);
        }
        let tokens = Self::add(&write, &used, client, true, settings, now)?;
        self.commit(write, now)?;
        Ok(tokens)
    }

    /// Ends the family of a token of `client`.
    pub(super) fn revoke(&self, token: &str, client: &str) -> Result<(), Refusal> {
        let (hash, write) = (hash(token), self.begin()?);
        let family = match refresh_family(&write, &hash)? {
            Some(family) => Some(family),
            None => access_family(&write, &hash)?,
        };
        if let Some(family) = family
            && row(&write, &family)?.is_some_and(|(owner, ..)| owner == client)
        {
            end(&write, &family)?;
        }
        write.commit().map_err(redb::Error::from)?;
        Ok(())
    }

    /// Whose access token this is, while it lasts.
    pub(super) fn holder(&self, token: &str, now: Timestamp) -> Result<Option<String>, Refusal> {
        Ok(self.held(&hash(token), now.as_unix_secs())?)
    }

    fn held(&self, hash: &Hash, now: u64) -> Result<Option<String>, redb::Error> {
        let read = self.database.begin_read()?;
        let Some(access) = read.open_table(ACCESS)?.get(hash)? else { return Ok(None) };
        let (family, ends) = access.value();
        let families = read.open_table(FAMILIES)?;
        let family = families.get(family)?.filter(|_| now < ends);
        Ok(family.map(|family| family.value().0.to_owned()))
    }

    fn begin(&self) -> Result<WriteTransaction, redb::Error> {
        Ok(self.database.begin_write()?)
    }

    /// What was written is on the disk when this returns, and only then may anybody be told.
    fn commit(&self, write: WriteTransaction, now: Timestamp) -> Result<(), redb::Error> {
        write.commit()?;
        if self.issued.fetch_add(1, Ordering::Relaxed) % PRUNE == PRUNE.wrapping_sub(1) {
            self.prune(now)?;
        }
        Ok(())
    }

    fn add(
        write: &WriteTransaction,
        family: &Family,
        client: &str,
        renewable: bool,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Tokens, Refusal> {
        let tokens = Tokens { access: token()?, refresh: renewable.then(token).transpose()? };
        let lasts = if renewable {
            settings.refresh_seconds.max(settings.access_seconds)
        } else {
            settings.access_seconds
        };
        let after = |seconds| now.as_unix_secs().saturating_add(seconds);
        let insert = || {
            let refresh = tokens.refresh.as_deref().map_or(NONE, hash);
            write.open_table(FAMILIES)?.insert(family, (client, &refresh, after(lasts)))?;
            write
                .open_table(ACCESS)?
                .insert(&hash(&tokens.access), (family, after(settings.access_seconds)))?;
            if renewable {
                write.open_table(REFRESH)?.insert(&refresh, family)?;
            }
            Ok::<_, redb::Error>(())
        };
        insert()?;
        Ok(tokens)
    }

    /// Removes what has ended, and makes the tables where there are none.
    fn prune(&self, now: Timestamp) -> Result<(), redb::Error> {
        let (now, write) = (now.as_unix_secs(), self.database.begin_write()?);
        {
            let mut families = write.open_table(FAMILIES)?;
            families.retain(|_, (_, _, ends)| now < ends)?;
            let lives = |family: &Family| families.get(family).is_ok_and(|row| row.is_some());
            write.open_table(REFRESH)?.retain(|_, family| lives(family))?;
            write.open_table(ACCESS)?.retain(|_, (family, ends)| now < ends && lives(family))?;
            // A code is remembered as long as what came of it.
            write
                .open_table(CODES)?
                .retain(|_, (_, _, ends, family)| now < ends || family.is_some_and(lives))?;
        }
        Ok(write.commit()?)
    }
}

struct Code {
    owner: String,
    challenge: String,
    ends: u64,
    family: Option<Family>,
}

fn refresh_family(write: &WriteTransaction, hash: &Hash) -> Result<Option<Family>, redb::Error> {
    Ok(write.open_table(REFRESH)?.get(hash)?.map(|family| *family.value()))
}

fn access_family(write: &WriteTransaction, hash: &Hash) -> Result<Option<Family>, redb::Error> {
    Ok(write.open_table(ACCESS)?.get(hash)?.map(|access| *access.value().0))
}

fn row(write: &WriteTransaction, family: &Family) -> Result<Option<(String, Hash, u64)>, redb::Error> {
    Ok(write.open_table(FAMILIES)?.get(family)?.map(|row| {
        let (client, refresh, ends) = row.value();
        (client.to_owned(), *refresh, ends)
    }))
}

fn code_row(write: &WriteTransaction, hash: &Hash) -> Result<Option<Code>, redb::Error> {
    Ok(write.open_table(CODES)?.get(hash)?.map(|row| {
        let (owner, challenge, ends, family) = row.value();
        Code { owner: owner.to_owned(), challenge: challenge.to_owned(), ends, family: family.copied() }
    }))
}

fn mark(write: &WriteTransaction, hash: &Hash, code: &Code) -> Result<(), redb::Error> {
    let row = (code.owner.as_str(), code.challenge.as_str(), code.ends, code.family.as_ref());
    write.open_table(CODES)?.insert(hash, row)?;
    Ok(())
}

fn end(write: &WriteTransaction, family: &Family) -> Result<(), redb::Error> {
    write.open_table(FAMILIES)?.remove(family)?;
    Ok(())
}

fn hash(token: &str) -> Hash {
    Sha256::digest(token).into()
}

fn random<const N: usize>() -> Result<[u8; N], Refusal> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).map_err(|_| Refusal::Internal)?;
    Ok(bytes)
}

/// 256 random bits in base64url.
fn token() -> Result<String, Refusal> {
    let mut room = [0; 43];
    base64::url_encode(&random::<32>()?, &mut room).map(str::to_owned).map_err(|_| Refusal::Internal)
}

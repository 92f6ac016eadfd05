//! Identities on disk, and in [`mailbox`] their messages.
//!
//! What decides is read and written in one transaction, and what was written is on the disk before anybody is told. Signatures are
//! verified before, against a key that the transaction then finds to be still the current one, or refuses.

pub(super) mod mailbox;

use super::reply::Refusal;
use dynamic_key::crypto::KeyId;
use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// An identity's current key, and its [`Record`] in JSON, by its address.
const IDENTITIES: TableDefinition<'_, &str, (&str, &str)> = TableDefinition::new("identities");
/// Whose a signing key is or was.
const KEYS: TableDefinition<'_, &str, &str> = TableDefinition::new("keys");
/// How many identities an application has.
const APPLICATIONS: TableDefinition<'_, &str, u64> = TableDefinition::new("applications");

/// What is kept of an identity. Keys and metadata are JSON; what is signed is as it was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) application: String,
    /// The key that was registered.
    pub(super) registered: String,
    /// Its successors, each signed by the one before it.
    pub(super) successors: Vec<String>,
    /// The current key: the last of them.
    pub(super) signing: String,
    /// Signed by the current key.
    pub(super) encryption: Signed,
    pub(super) public: String,
    pub(super) private: Signed,
    /// Signed by the current key, too: it goes with the key.
    pub(super) recovery: Option<Signed>,
}

/// Something that was signed, and when, as its signer says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Signed {
    pub(super) text: String,
    pub(super) at: u64,
}

pub(super) struct State {
    database: Database,
}

impl State {
    /// Opens the file, which is made where there is none; without one all is in memory.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, redb::Error> {
        let database = match path {
            Some(path) => Database::create(path)?,
            None => Database::builder().create_with_backend(InMemoryBackend::new())?,
        };
        let write = database.begin_write()?;
        write.open_table(IDENTITIES)?;
        write.open_table(KEYS)?;
        write.open_table(APPLICATIONS)?;
        mailbox::make(&write)?;
        write.commit()?;
        Ok(Self { database })
    }

    /// Whether the database answers.
    pub(super) fn probe(&self) -> Result<(), Refusal> {
        self.database.begin_read()?.open_table(IDENTITIES)?;
        Ok(())
    }

    /// The identity at this address.
    pub(super) fn identity(&self, address: &str) -> Result<Option<Record>, Refusal> {
        let table = self.database.begin_read()?.open_table(IDENTITIES)?;
        let row = table.get(address)?;
        row.map(|row| record(row.value().1)).transpose()
    }

    /// Whether the current key of the identity at this address still is `signer`.
    pub(super) fn still(&self, address: &str, signer: &KeyId) -> Result<(), Refusal> {
        let table = self.database.begin_read()?.open_table(IDENTITIES)?;
        let row = table.get(address)?.ok_or(Refusal::NoIdentity)?;
        if row.value().0 == signer.as_str() { Ok(()) } else { Err(Refusal::NotCurrent) }
    }

    /// Registers an identity with its first key. The address is whatever this key was registered as before, and else `address`;
    /// whether it is new is told, too.
    pub(super) fn register(
        &self,
        address: &str,
        kid: &KeyId,
        registered: &Record,
        most: u64,
    ) -> Result<(String, bool), Refusal> {
        let write = self.database.begin_write()?;
        {
            let mut keys = write.open_table(KEYS)?;
            if let Some(owner) = keys.get(kid.as_str())?.map(|owner| owner.value().to_owned()) {
                let (current, known) = row(&write, &owner)?.ok_or(Refusal::Internal)?;
                if current != kid.as_str() || known.application != registered.application {
                    return Err(Refusal::Taken);
                }
                return Ok((owner, false));
            }
            keys.insert(kid.as_str(), address)?;
            if row(&write, address)?.is_some() {
                return Err(Refusal::Unavailable);
            }
            put(&write, address, kid.as_str(), registered)?;
            let mut counts = write.open_table(APPLICATIONS)?;
            let application = registered.application.as_str();
            let count = counts.get(application)?.map_or(0, |count| count.value());
            if count >= most {
                return Err(Refusal::TooManyIdentities);
            }
            counts.insert(application, count.saturating_add(1))?;
        }
        write.commit()?;
        Ok((address.to_owned(), true))
    }

    /// Changes an identity whose current key still is `signer`, and tells whether it did: `change` may have found all as it is to
    /// be. What it refuses changes nothing.
    pub(super) fn update(
        &self,
        address: &str,
        signer: &KeyId,
        change: impl FnOnce(&mut Record) -> Result<bool, Refusal>,
    ) -> Result<(Record, bool), Refusal> {
        let write = self.database.begin_write()?;
        let mut record = current(&write, address, signer)?;
        let changed = change(&mut record)?;
        if changed {
            put(&write, address, signer.as_str(), &record)?;
            write.commit()?;
        }
        Ok((record, changed))
    }

    /// Gives an identity whose current key still is `signer` another signing key: of two successors of a key one comes first, and the other is none.
    pub(super) fn rotate(
        &self,
        address: &str,
        signer: &KeyId,
        next: &KeyId,
        change: impl FnOnce(&mut Record) -> Result<(), Refusal>,
    ) -> Result<Record, Refusal> {
        let write = self.database.begin_write()?;
        let mut record = current(&write, address, signer)?;
        if write.open_table(KEYS)?.insert(next.as_str(), address)?.is_some() {
            return Err(Refusal::Taken);
        }
        change(&mut record)?;
        put(&write, address, next.as_str(), &record)?;
        write.commit()?;
        Ok(record)
    }
}

fn record(text: &str) -> Result<Record, Refusal> {
    serde_json::from_str(text).map_err(|_| Refusal::Internal)
}

/// The current key at an address, and the record.
fn row(write: &WriteTransaction, address: &str) -> Result<Option<(String, Record)>, Refusal> {
    let table = write.open_table(IDENTITIES)?;
    let row = table.get(address)?;
    row.map(|row| Ok((row.value().0.to_owned(), record(row.value().1)?))).transpose()
}

fn current(write: &WriteTransaction, address: &str, signer: &KeyId) -> Result<Record, Refusal> {
    let (kid, record) = row(write, address)?.ok_or(Refusal::NoIdentity)?;
    if kid == signer.as_str() { Ok(record) } else { Err(Refusal::NotCurrent) }
}

fn put(write: &WriteTransaction, address: &str, kid: &str, record: &Record) -> Result<(), Refusal> {
    let text = serde_json::to_string(record).map_err(|_| Refusal::Internal)?;
    write.open_table(IDENTITIES)?.insert(address, (kid, text.as_str()))?;
    Ok(())
}

#[cfg(test)]
mod tests;

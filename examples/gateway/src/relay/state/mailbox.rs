//! Messages on disk: for each recipient in the order in which they came, each once, until they expire.

use super::{IDENTITIES, State, current};
use crate::relay::reply::Refusal;
use crate::relay::settings::Settings;
use dynamic_key::crypto::KeyId;
use redb::{ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

/// A recipient's next place, and how many messages and bytes are kept for it.
const MAILBOXES: TableDefinition<'_, &str, (u64, u64, u64)> = TableDefinition::new("mailboxes");
/// A message as it was signed, and when it expires, by its recipient and place.
const MESSAGES: TableDefinition<'_, (&str, u64), (&str, u64)> = TableDefinition::new("messages");
/// A message's sender and id, by expiry, recipient and place.
const EXPIRIES: TableDefinition<'_, (u64, &str, u64), (&str, &str)> = TableDefinition::new("expiries");
/// The hash of what was signed, by sender and id: for as long as the message is kept.
const SENT: TableDefinition<'_, (&str, &str), &[u8; 32]> = TableDefinition::new("sent");

/// The most messages that one transaction removes.
const SWEEP: usize = 256;
/// The most bytes of a page, give or take its last message.
const PAGE: usize = 256 * 1024;

/// A message that was verified.
#[derive(Clone, Debug)]
pub(in crate::relay) struct Incoming {
    pub(in crate::relay) sender: String,
    /// The key that signed it.
    pub(in crate::relay) signer: KeyId,
    pub(in crate::relay) recipient: String,
    pub(in crate::relay) id: String,
    /// Seconds since 1970.
    pub(in crate::relay) expires: u64,
    /// Of what was signed.
    pub(in crate::relay) hash: [u8; 32],
    /// As it was signed.
    pub(in crate::relay) text: String,
}

/// A part of a mailbox: the places before `last` and behind `first`, at most `limit` of them.
#[derive(Clone, Copy, Debug)]
pub(in crate::relay) struct Part {
    pub(in crate::relay) last: Option<u64>,
    pub(in crate::relay) first: Option<u64>,
    pub(in crate::relay) limit: usize,
}

/// Messages with their places, most recent first.
#[derive(Debug, Default)]
pub(in crate::relay) struct Page {
    pub(in crate::relay) messages: Vec<(u64, String)>,
    /// Whether there are others behind the last one.
    pub(in crate::relay) more: bool,
}

pub(super) fn make(write: &WriteTransaction) -> Result<(), redb::Error> {
    write.open_table(MAILBOXES)?;
    write.open_table(MESSAGES)?;
    write.open_table(EXPIRIES)?;
    write.open_table(SENT)?;
    Ok(())
}

impl State {
    /// Keeps messages, all or none; for each its place, or `None` where it has come before.
    pub(in crate::relay) fn keep(
        &self,
        messages: &[Incoming],
        settings: &Settings,
        now: u64,
    ) -> Result<Vec<Option<u64>>, Refusal> {
        let write = self.database.begin_write()?;
        sweep(&write, now)?;
        let places = messages.iter().map(|message| {
            current(&write, &message.sender, &message.signer)?;
            insert(&write, message, settings)
        });
        let places = places.collect::<Result<_, _>>()?;
        write.commit()?;
        Ok(places)
    }

    /// What is kept for `recipient` and has not expired.
    pub(in crate::relay) fn page(&self, recipient: &str, part: &Part, now: u64) -> Result<Page, Refusal> {
        let table = self.database.begin_read()?.open_table(MESSAGES)?;
        let from = part.first.map_or(0, |first| first.saturating_add(1));
        let to = part.last.unwrap_or(u64::MAX).max(from);
        let (mut page, mut bytes) = (Page::default(), 0_usize);
        for row in table.range((recipient, from)..(recipient, to))?.rev() {
            let (key, value) = row?;
            let (text, expires) = value.value();
            if expires <= now {
                continue;
            }
            if page.messages.len() == part.limit || bytes >= PAGE {
                page.more = true;
                break;
            }
            bytes = bytes.saturating_add(text.len());
            page.messages.push((key.value().1, text.to_owned()));
        }
        Ok(page)
    }

    /// Removes some of what has expired; whether there may be more.
    pub(in crate::relay) fn sweep(&self, now: u64) -> Result<bool, Refusal> {
        let due = self.database.begin_read()?.open_table(EXPIRIES)?;
        if due.first()?.is_none_or(|(key, _)| key.value().0 > now) {
            return Ok(false);
        }
        let write = self.database.begin_write()?;
        let removed = sweep(&write, now)?;
        write.commit()?;
        Ok(removed == SWEEP)
    }
}

fn insert(write: &WriteTransaction, message: &Incoming, settings: &Settings) -> Result<Option<u64>, Refusal> {
    let Incoming { sender, recipient, id, expires, hash, text, .. } = message;
    let (sender, recipient, id) = (sender.as_str(), recipient.as_str(), id.as_str());
    let mut sent = write.open_table(SENT)?;
    if let Some(known) = sent.get((sender, id))?.map(|known| *known.value()) {
        return if known == *hash { Ok(None) } else { Err(Refusal::Reused) };
    }
    if write.open_table(IDENTITIES)?.get(recipient)?.is_none() {
        return Err(Refusal::NoRecipient);
    }
    let mut mailboxes = write.open_table(MAILBOXES)?;
    let (place, count, bytes) = mailboxes.get(recipient)?.map_or((0, 0, 0), |row| row.value());
    let (count, bytes) = (count.saturating_add(1), bytes.saturating_add(text.len() as u64));
    if count > settings.messages_per_identity || bytes > settings.bytes_per_identity {
        return Err(Refusal::Full);
    }
    mailboxes.insert(recipient, (place.saturating_add(1), count, bytes))?;
    sent.insert((sender, id), hash)?;
    write.open_table(MESSAGES)?.insert((recipient, place), (text.as_str(), *expires))?;
    write.open_table(EXPIRIES)?.insert((*expires, recipient, place), (sender, id))?;
    Ok(Some(place))
}

/// How many messages were removed.
fn sweep(write: &WriteTransaction, now: u64) -> Result<usize, Refusal> {
    let mut expiries = write.open_table(EXPIRIES)?;
    let ended = expiries.range(..(now.saturating_add(1), "", 0))?.take(SWEEP).map(|row| {
        let (key, value) = row?;
        let ((expires, recipient, place), (sender, id)) = (key.value(), value.value());
        Ok((expires, recipient.to_owned(), place, sender.to_owned(), id.to_owned()))
    });
    let ended = ended.collect::<Result<Vec<_>, redb::StorageError>>()?;
    let (mut messages, mut sent) = (write.open_table(MESSAGES)?, write.open_table(SENT)?);
    let mut mailboxes = write.open_table(MAILBOXES)?;
    for (expires, recipient, place, sender, id) in &ended {
        let (recipient, place) = (recipient.as_str(), *place);
        expiries.remove((*expires, recipient, place))?;
        sent.remove((sender.as_str(), id.as_str()))?;
        let length = messages.remove((recipient, place))?.map_or(0, |row| row.value().0.len() as u64);
        let (next, count, bytes) = mailboxes.get(recipient)?.map_or((0, 0, 0), |row| row.value());
        mailboxes.insert(recipient, (next, count.saturating_sub(1), bytes.saturating_sub(length)))?;
    }
    Ok(ended.len())
}

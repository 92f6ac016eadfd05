//! The stored bytes, as an attacker and as another client would have them.

use crate::memory::{Broken, Fault, Memory};
use crate::support::{START, World};
use crate::watched::Watched;
use crate::{ROOT, boot, call, config, handshakes, provider, root};
use dynamic_key::crypto::provider::Aead;
use dynamic_key::crypto::software::TrafficKey;
use dynamic_key::handshake::ClientConfig;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::storage::stored_len;
use dynamic_key::session::{ClientType, Mode, Now, Session, StorageError, Vault};

type Outcome = Result<bool, StorageError<Broken>>;

/// A session of an hour, as it is stored.
fn stored() -> (World, Memory) {
    let (mut world, memory) = (World::new(1), Memory::default());
    let pins = [world.pin()];
    call(&mut boot(&mut world, &pins, memory.clone(), 4, 1));
    (world, memory)
}

/// What comes of loading `bytes` under `key`, now.
fn load(config: &ClientConfig<'_>, key: Watched, bytes: &[u8], now: Now) -> Outcome {
    let memory = Memory::default();
    memory.put(bytes);
    let mut session: Option<Session<_, 512>> = None;
    let mut buffer = [0xee; stored_len(512)];
    let owner = config.owner().unwrap();
    let outcome =
        Vault::new(memory.clone(), key).load(&mut provider(9), &owner, now, &mut session, &mut buffer);
    assert_eq!(session.is_some(), outcome == Ok(true));
    if outcome != Ok(true) {
        assert_eq!(memory.saves(), 0);
        let erased = buffer.iter().take(bytes.len()).all(|byte| *byte == 0);
        assert!(erased || outcome == Err(StorageError::Plain), "what was opened is left behind");
    }
    outcome
}

fn load_pinned(bytes: &[u8]) -> Outcome {
    load(&config(Mode::Pinned), root(), bytes, Now::UNKNOWN)
}

/// The state of `bytes`, which `edit` changes, sealed again by who has the root key.
fn resealed(bytes: &[u8], edit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let aad = b"dynamic-key v2 storage\0device-1";
    let key = Watched::new(Aead::Aes256Gcm, &ROOT).unwrap();
    let (nonce, rest) = bytes.split_first_chunk::<12>().unwrap();
    let (text, tag) = rest.split_last_chunk::<16>().unwrap();
    let mut text = text.to_vec();
    key.open(nonce, aad, &mut text, tag).unwrap();
    edit(&mut text);
    let tag = key.seal(nonce, aad, &mut text).unwrap();
    [&nonce[..], &text, &tag].concat()
}

#[test]
fn every_bit_and_every_length() {
    let bytes = stored().1.bytes();
    assert_eq!(load_pinned(&bytes), Ok(true));
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            assert_eq!(load_pinned(&flipped), Err(StorageError::Corrupt), "{at}.{bit}");
        }
        let outcome = load_pinned(&bytes[..at]);
        assert_eq!(outcome, if at == 0 { Ok(false) } else { Err(StorageError::Corrupt) }, "{at}");
    }
    assert_eq!(load_pinned(&[&bytes[..], &[0]].concat()), Err(StorageError::Corrupt));
    for erased in [0x00, 0xff] {
        assert_eq!(load_pinned(&vec![erased; bytes.len()]), Err(StorageError::Corrupt));
    }
}

/// Whatever authentic bytes say, they make a session or a typed error.
#[test]
fn every_byte_of_the_state() {
    let bytes = stored().1.bytes();
    assert_eq!(load_pinned(&resealed(&bytes, |_| ())), Ok(true));
    let length = bytes.len() - 28;
    for at in 0..length {
        for value in [0, 1, 0x7f, 0xff] {
            let _ = load_pinned(&resealed(&bytes, |state| state[at] = value));
        }
        let cut = load_pinned(&resealed(&bytes, |state| state.truncate(at)));
        assert_eq!(cut, Err(StorageError::Corrupt), "{at}");
    }
    assert_eq!(load_pinned(&resealed(&bytes, |state| state.push(0))), Err(StorageError::Corrupt));
    assert_eq!(load_pinned(&resealed(&bytes, |state| state[0] = 2)), Err(StorageError::Version(2)));
    // The counters: behind version, mode, type, "internal-web-client", no kid and the scheme.
    let place = 3 + 1 + config(Mode::Pinned).client_id.len() + 1 + 1;
    for (reserved, outcome) in [
        (0, Ok(true)),
        ((1 << 24) - 2, Ok(true)),
        ((1 << 24) - 1, Err(StorageError::Ended)),
        (1 << 24, Err(StorageError::Ended)),
        (u64::MAX, Err(StorageError::Ended)),
    ] {
        let bytes =
            resealed(&bytes, |state| state[place..place + 8].copy_from_slice(&u64::to_be_bytes(reserved)));
        assert_eq!(load_pinned(&bytes), outcome, "{reserved}");
    }
}

#[test]
fn others_sessions_are_refused() {
    let bytes = stored().1.bytes();
    let own = config(Mode::Pinned);
    let other = |config: ClientConfig<'_>| load(&config, root(), &bytes, Now::UNKNOWN);
    assert_eq!(other(own), Ok(true));
    assert_eq!(other(ClientConfig { device_id: "device-2", ..own }), Err(StorageError::Corrupt));
    let another = Watched::new(Aead::Aes256Gcm, &[0x5b; 32]).unwrap();
    assert_eq!(load(&own, another, &bytes, Now::UNKNOWN), Err(StorageError::Corrupt));
    for foreign in [
        ClientConfig { client_id: "internal-web-clienu", ..own },
        ClientConfig { client_id: "internal-web-clien", ..own },
        ClientConfig { client_type: ClientType::External, ..own },
        ClientConfig { mode: Mode::Confirmed, ..own },
        ClientConfig { mode: Mode::Mutual, identity: Some(World::new(1).pin().kid()), ..own },
        ClientConfig { schemes: &[Scheme::EcAes1], ..own },
    ] {
        assert_eq!(other(foreign), Err(StorageError::Foreign), "{foreign:?}");
    }
    assert_eq!(other(ClientConfig { mode: Mode::Plain, ..own }).unwrap_err(), StorageError::Plain);
    let end = Now::wall(START.saturating_add_millis(3_600_000));
    assert_eq!(load(&own, root(), &bytes, end), Err(StorageError::Ended));
}

/// Of whatever is in the storage, at worst a handshake comes, and what it leaves is stored.
#[test]
fn at_worst_a_handshake() {
    let (mut world, memory) = stored();
    let (pins, bytes) = ([world.pin()], memory.bytes());
    let mut flipped = bytes.clone();
    flipped[40] ^= 1;
    let cases = [
        (vec![], Fault::None, None),
        (flipped, Fault::None, Some(StorageError::Corrupt)),
        (vec![0xff; 4000], Fault::None, Some(StorageError::Corrupt)),
        (resealed(&bytes, |state| state[0] = 9), Fault::None, Some(StorageError::Version(9))),
        (bytes.clone(), Fault::Read, Some(StorageError::Storage(Broken))),
        (bytes.clone(), Fault::WriteLost, Some(StorageError::Storage(Broken))),
    ];
    for (seed, (bytes, fault, failure)) in cases.into_iter().enumerate() {
        memory.put(&bytes);
        memory.fails(fault);
        let config = config(Mode::Pinned);
        let mut vault = Vault::new(memory.clone(), root());
        let mut session: Option<Session<_, 512>> = None;
        let (owner, mut buffer) = (config.owner().unwrap(), [0; 1024]);
        let outcome =
            vault.load(&mut provider(100 + seed as u64), &owner, Now::UNKNOWN, &mut session, &mut buffer);
        assert_eq!((outcome.err(), session.is_none()), (failure, true));
        let mut device = boot(&mut world, &pins, memory.clone(), 4, 200 + seed as u64);
        call(&mut device);
        assert_eq!(handshakes(&mut device), 1);
        drop(device);
        memory.fails(Fault::None);
        if fault != Fault::WriteLost {
            let mut device = boot(&mut world, &pins, memory.clone(), 4, 300 + seed as u64);
            call(&mut device);
            assert_eq!(handshakes(&mut device), 0);
        }
    }
}

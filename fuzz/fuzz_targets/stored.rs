//! Stored sessions: whatever is in storage, a typed outcome comes of it. Bytes that nobody sealed are never a session; a state
//! that the root key has sealed is one or is refused, and the session goes on behind every counter that it says may have been used.
//!
//! Input: the clocks; whether the state is sealed, the call of the provider that fails; then the bytes or the state.
#![no_main]

use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Provider as _;
use dynamic_key::crypto::provider::Aead;
use dynamic_key::handshake::ClientConfig;
use dynamic_key::session::storage::stored_len;
use dynamic_key::session::{ClientType, Now, Session, SessionStorage, StorageError, Uptime, Vault};
use dynamic_key_fuzz::input::Input;
use dynamic_key_fuzz::provider::{Key, Provider};
use libfuzzer_sys::fuzz_target;

const TOKEN: usize = 64;
const ROOT: Key = Key { aead: Aead::Aes256Gcm, bytes: [7; 32] };
const AAD: &[u8] = b"dynamic-key v2 storage\0device-1";
/// Where the counters stand in a state of this client: behind version, mode, type, id, kid and scheme.
const RESERVED: usize = 3 + 1 + 6 + 1 + 1;

struct Memory(Vec<u8>);

impl SessionStorage for Memory {
    type Error = ();

    fn load(&mut self, buffer: &mut [u8]) -> Result<usize, ()> {
        let length = self.0.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.0[..length]);
        Ok(length)
    }
    fn save(&mut self, sealed: &[u8]) -> Result<(), ()> {
        self.0 = sealed.into();
        Ok(())
    }
    fn erase(&mut self) -> Result<(), ()> {
        self.0.clear();
        Ok(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let wall = input.flag().then(|| Timestamp::from_unix_millis(input.long() >> 16));
    let uptime = input.flag().then(|| Uptime::from_millis(input.long() >> 16));
    let (now, is_sealed) = (Now { wall, uptime }, input.flag());
    let fails_after = input.flag().then(|| input.byte() & 15);
    let state = input.rest();
    let mut provider = Provider::new(1);
    let stored = if is_sealed { seal(&mut provider, state) } else { state.to_vec() };
    provider.fails_after = fails_after;

    let config = ClientConfig::new(ClientType::Internal, "client", "device-1", "server");
    let owner = config.owner().unwrap();
    let mut vault = Vault::new(Memory(stored.clone()), ROOT).with_block(3);
    let mut session: Option<Session<_, TOKEN>> = None;
    let mut buffer = [0xee; stored_len(TOKEN)];
    let outcome = vault.load(&mut provider, &owner, now, &mut session, &mut buffer);
    assert_eq!(session.is_some(), outcome == Ok(true));
    if outcome != Ok(true) {
        assert_eq!(vault.storage_mut().0, stored, "what is refused stays as it is");
        assert_ne!(outcome, Err(StorageError::Plain));
        return;
    }
    assert!(is_sealed, "a session that nobody sealed");
    let reserved = u64::from_be_bytes(state[RESERVED..RESERVED + 8].try_into().unwrap());
    let mut session = session.unwrap();
    assert_eq!(session.remaining(), 3.min((1 << 24) - 1 - reserved));
    provider.fails_after = None;
    let mut text = [0; 128];
    let (_, exchange) = session.seal(&mut provider, now, &mut text, 5).unwrap();
    assert_eq!(exchange.nonce().counter(), reserved);

    // The next boot goes on behind what was reserved by this one.
    let end = reserved + session.remaining() + 1;
    let outcome = vault.load(&mut provider, &owner, now, &mut Some(session), &mut buffer);
    assert_eq!(outcome, if end == (1 << 24) - 1 { Err(StorageError::Ended) } else { Ok(true) });
});

fn seal(provider: &mut Provider, state: &[u8]) -> Vec<u8> {
    let (nonce, mut text) = ([9; 12], state.to_vec());
    let tag = provider.seal(&ROOT, &nonce, AAD, &mut text).unwrap();
    [&nonce[..], &text, &tag].concat()
}

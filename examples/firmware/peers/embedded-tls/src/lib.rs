//! TLS 1.3 (RFC 8446) by embedded-tls: a client that shares a key with the server (`psk_dhe_ke` on P-256,
//! TLS_AES_128_GCM_SHA256), so that it needs no certificate.
#![no_std]
#![forbid(unsafe_code)]

use embedded_tls::blocking::TlsConnection;
use embedded_tls::{Aes128GcmSha256, CryptoProvider, CryptoRngCore, TlsConfig, TlsContext, TlsError};
use peer_common::Rng;

/// The key that client and server share, and its name.
pub const SHARED: ([u8; 32], &[u8]) = ([7; 32], b"sensor-fleet");
/// The room for a record, of which there are two.
pub const RECORD: usize = 1024;

/// The connection over a stream.
pub type Connection<'b, S> = TlsConnection<'b, S, Aes128GcmSha256>;

/// Randomness and nothing else: no certificate comes, and none is asked for.
struct Provider(Rng);

impl CryptoProvider for Provider {
    type CipherSuite = Aes128GcmSha256;
    type Signature = [u8; 0];

    fn rng(&mut self) -> impl CryptoRngCore {
        &mut self.0
    }
}

/// Shakes hands.
///
/// # Errors
/// Those of the connection.
pub fn open<S: embedded_io::Read + embedded_io::Write>(
    connection: &mut Connection<'_, S>,
) -> Result<(), TlsError> {
    let config = TlsConfig::new().with_psk(&SHARED.0, &[SHARED.1]);
    connection.open(TlsContext::new(&config, Provider(Rng::new(1))))
}

//! The gateway's key, found by the kid that the device was provisioned with.

use crate::Failed;
use crate::story::Device;
use dynamic_key::crypto::KeyId;
use dynamic_key::crypto::software::PinnedKey;
use dynamic_key::jose::jwk;
use dynamic_key::transport::http1::Http1;
use dynamic_key::transport::{Request, Transport};

/// Fetches the key with this kid. It may travel in the clear: a kid is the thumbprint of its key, computed again here. A
/// device with 65 bytes of flash to spare is provisioned with the key itself and asks nobody.
pub(crate) fn fetch(device: &mut Device<'_, '_>, pin: KeyId) -> Result<PinnedKey, Failed> {
    let mut transport = Http1::new(device.line, device.host).map_err(|_| Failed::Setting("host"))?;
    let request = Request { method: "GET", target: "/.well-known/jwks.json", headers: &[], body: &[] };
    transport.send(&request).map_err(|_| Failed::NotPublished)?;
    let answer = transport.receive(&mut device.buffer).map_err(|_| Failed::NotPublished)?;
    let mut keys = jwk::keys(answer.body).map_err(|_| Failed::NotPublished)?;
    keys.find(|key| key.kid() == pin).ok_or(Failed::NotPublished)
}

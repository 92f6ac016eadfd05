//! Both ends.

use crate::support::{START, Seeded, Soft};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Signer;
use dynamic_key::crypto::software::{Identity, PinnedKey, Pins, Software};
use dynamic_key::field::{Call, sealed_len};
use dynamic_key::handshake::{
    ClientNeed, KeyAgreementClient, KeyAgreementConfig, KeyAgreementFacts, KeyAgreementPolicy,
    KeyAgreementServer, ServerError, ServerNeed,
};
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{Agreement, Mode, Now, ServerAgreement};
use dynamic_key::{Code, Error};

pub(crate) const MODES: [Mode; 2] = [Mode::Confirmed, Mode::Pinned];
pub(crate) const REFERENCE: &str = "855ea6c5-720a-41e1-96f4-958c90e6e424";

pub(crate) fn identity() -> Identity {
    Identity::generate(&mut Seeded(1)).unwrap()
}

pub(crate) fn pins() -> [PinnedKey; 1] {
    [identity().public().unwrap()]
}

pub(crate) const fn config(mode: Mode, schemes: &[Scheme]) -> KeyAgreementConfig<'_> {
    KeyAgreementConfig { mode, schemes, ..KeyAgreementConfig::new(b"a device") }
}

/// A request, and the client that awaits its response; the same for the same seed.
pub(crate) fn request<'c>(
    config: &KeyAgreementConfig<'c>,
    seed: u64,
) -> (KeyAgreementClient<'c, Soft>, Soft, Vec<u8>) {
    let mut provider = Software::new(Seeded(seed));
    let mut client = KeyAgreementClient::new(config).unwrap();
    assert_eq!(client.compute(&mut provider, &mut Pins(&[])), Ok(ClientNeed::Hello));
    let mut text = vec![0; 2048];
    let length = client.hello(&mut provider, Now::wall(START), &mut text).unwrap();
    assert!(length <= config.hello_len(config.schemes[0].group()));
    text.truncate(length);
    (client, provider, text)
}

/// The client's end of [`request`] with a response.
pub(crate) fn accept(
    config: &KeyAgreementConfig<'_>,
    seed: u64,
    response: &[u8],
) -> Result<(Agreement<Soft>, Soft), Error> {
    let (mut client, mut provider, _) = request(config, seed);
    let outcome =
        client.reply(200, response).and_then(|()| client.compute(&mut provider, &mut Pins(&pins())));
    match outcome {
        Ok(need) => {
            assert_eq!(need, ClientNeed::Finish);
            Ok((client.finish().unwrap(), provider))
        }
        Err(error) => {
            assert_eq!(client.need(), ClientNeed::Nothing);
            assert!(client.finish().is_err());
            Err(error)
        }
    }
}

/// A server.
#[derive(Clone)]
pub(crate) struct Host<'h> {
    pub(crate) schemes: &'h [Scheme],
    pub(crate) preference: Preference,
    pub(crate) identity: Option<Identity>,
    pub(crate) expires_in: Option<u64>,
    pub(crate) seed: u64,
}

impl Host<'_> {
    pub(crate) fn new(mode: Mode) -> Self {
        Self {
            schemes: Scheme::SOFTWARE,
            preference: Preference::Client,
            identity: (mode == Mode::Pinned).then(identity),
            expires_in: None,
            seed: 9,
        }
    }

    pub(crate) fn facts(&self) -> KeyAgreementFacts<'_> {
        KeyAgreementFacts {
            client_reference_id: REFERENCE,
            identifier: b"Broker",
            ends: START.saturating_add_secs(300),
            expires_in: self.expires_in,
            instance: 7,
            identity: self.identity.as_ref().map(Signer::kid),
        }
    }

    /// Answers a request; the status of a refusal, whose body is empty.
    pub(crate) fn answer(&self, request: &[u8]) -> Result<(Vec<u8>, ServerAgreement<Soft>, Soft), Code> {
        let refused = |error| match error {
            ServerError::Refuse(refusal) => refusal.code,
            ServerError::Misuse(error) => panic!("{error:?}"),
        };
        let mut provider = Software::new(Seeded(self.seed));
        let mut server = KeyAgreementServer::new();
        let policy = KeyAgreementPolicy { schemes: self.schemes, preference: self.preference };
        server.hello(&policy, &mut request.to_vec()).map_err(refused)?;
        assert_eq!(server.compute(&mut provider).map_err(refused)?, ServerNeed::Answer);
        let mut text = vec![0; 2048];
        let length = server.answer(&mut provider, &self.facts(), &mut text).map_err(refused)?;
        text.truncate(length);
        if let Some(mut identity) = self.identity.clone() {
            server.sign(&mut identity, &mut text).unwrap();
        }
        Ok((text, server.finish().unwrap(), provider))
    }
}

/// The client's end and the server's.
pub(crate) struct Pair {
    pub(crate) client: Agreement<Soft>,
    pub(crate) server: ServerAgreement<Soft>,
    pub(crate) device: Soft,
    pub(crate) host: Soft,
}

impl Pair {
    pub(crate) fn new(mode: Mode, scheme: Scheme) -> Self {
        let schemes = [scheme];
        let config = config(mode, &schemes);
        let (_, _, text) = request(&config, 5);
        let (response, server, host) = Host::new(mode).answer(&text).unwrap();
        let (client, device) = accept(&config, 5, &response).unwrap();
        Self { client, server, device, host }
    }

    /// Seals a field of a request.
    pub(crate) fn seal(&mut self, call: &mut Call<'_>, name: &str, value: &str) -> String {
        let mut text = vec![0; sealed_len(value.len())];
        text[..value.len()].copy_from_slice(value.as_bytes());
        let now = Now::wall(START);
        let length = self.client.seal(&mut self.device, now, call, name, &mut text, value.len()).unwrap();
        text.truncate(length);
        String::from_utf8(text).unwrap()
    }
}

pub(crate) const fn after(seconds: u64) -> Timestamp {
    START.saturating_add_secs(seconds)
}

//! Key Agreement (§3) over any two providers, in memory.

use dynamic_key::crypto::{Provider, Signer, Verifier};
use dynamic_key::field::{Call, sealed_len};
use dynamic_key::handshake::{
    ClientNeed, KeyAgreementClient, KeyAgreementConfig, KeyAgreementFacts, KeyAgreementPolicy,
    KeyAgreementServer, ServerError, ServerNeed,
};
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{Agreement, FieldCounters, Mode, Now, ServerAgreement};
use dynamic_key::{Error, Misuse};

use super::START;

/// What the two demand.
#[derive(Clone, Copy, Debug)]
pub struct Parley<'p> {
    /// The client's least mode.
    pub mode: Mode,
    /// The one scheme that it offers.
    pub scheme: Scheme,
    /// Those that the server accepts.
    pub accepted: &'p [Scheme],
}

/// An agreement, at both ends.
pub type Accord<P, G> = (Agreement<P>, ServerAgreement<G>);

impl Parley<'_> {
    pub fn policy(&self) -> KeyAgreementPolicy<'_> {
        KeyAgreementPolicy { schemes: self.accepted, preference: Preference::Client }
    }

    /// Agrees. A handshake that fails must leave no way back.
    pub fn agree<P: Provider, G: Provider>(
        &self,
        (device, verifier): (&mut P, &mut impl Verifier),
        (gateway, signer): (&mut G, Option<&mut dyn Signer>),
    ) -> Result<Accord<P, G>, Error> {
        let schemes = [self.scheme];
        let config =
            KeyAgreementConfig { mode: self.mode, schemes: &schemes, ..KeyAgreementConfig::new(b"device-1") };
        let mut client = KeyAgreementClient::<P>::new(&config).unwrap();
        let mut agreed = None;
        let outcome = (|| {
            let mut text = vec![0; 2048];
            client.compute(device, verifier)?;
            let length = client.hello(device, Now::UNKNOWN, &mut text)?;
            text.truncate(length);
            // A refusal says nothing but that it is one (§3).
            let answer = self.answer(gateway, signer, text, &mut agreed);
            let answer = answer.inspect_err(|_| assert!(client.reply(400, b"").is_err()))?;
            client.reply(200, &answer)?;
            client.compute(device, verifier)
        })();
        match outcome {
            Ok(need) => {
                assert_eq!(need, ClientNeed::Finish);
                Ok((client.finish().unwrap(), agreed.unwrap()))
            }
            Err(error) => {
                assert_eq!(client.need(), ClientNeed::Nothing, "no way back from {error:?}");
                assert_eq!(client.finish().err(), Some(Misuse::HandshakeFailed.into()));
                Err(error)
            }
        }
    }

    fn answer<G: Provider>(
        &self,
        gateway: &mut G,
        signer: Option<&mut dyn Signer>,
        mut text: Vec<u8>,
        agreed: &mut Option<ServerAgreement<G>>,
    ) -> Result<Vec<u8>, Error> {
        let mut server = KeyAgreementServer::new();
        let facts = facts(signer.as_ref().map(|signer| signer.kid()));
        server.hello(&self.policy(), &mut text).map_err(refused)?;
        server.compute(gateway).map_err(refused)?;
        text.resize(2048, 0);
        let length = server.answer(gateway, &facts, &mut text).map_err(refused)?;
        text.truncate(length);
        if let (ServerNeed::Sign, Some(mut signer)) = (server.need(), signer) {
            server.sign(&mut signer, &mut text).map_err(refused)?;
        }
        *agreed = Some(server.finish().map_err(refused)?);
        Ok(text)
    }
}

/// What a server gives an agreement.
pub fn facts(identity: Option<dynamic_key::crypto::KeyId>) -> KeyAgreementFacts<'static> {
    KeyAgreementFacts {
        client_reference_id: "reference-of-the-tests",
        identifier: b"gateway",
        ends: START.saturating_add_secs(300),
        expires_in: None,
        instance: 7,
        identity,
    }
}

/// What a client sees of a server's error.
fn refused(error: ServerError) -> Error {
    match error {
        ServerError::Refuse(refusal) => Error::Refused(refusal.code),
        ServerError::Misuse(error) => panic!("{error:?}"),
    }
}

/// A sealed field each way.
pub fn fields<P: Provider, G: Provider>(
    (here, there): &mut Accord<P, G>,
    device: &mut P,
    gateway: &mut G,
) -> Result<(), Error> {
    let mut call = Call::new("POST", "/rest/login").unwrap();
    let sealed = |seal: &mut dyn FnMut(&mut [u8]) -> Result<usize, Error>| {
        let mut buffer = b"correct horse".to_vec();
        buffer.resize(sealed_len(13), 0);
        let length = seal(&mut buffer)?;
        let value = String::from_utf8(buffer[..length].to_vec()).unwrap();
        Ok::<_, Error>(format!("{{\"password\":\"{value}\"}}").into_bytes())
    };
    let mut body = sealed(&mut |buffer| here.seal(device, Now::UNKNOWN, &mut call, "password", buffer, 13))?;
    let mut theirs = Call::new("POST", "/rest/login").unwrap();
    let opened = there.open(gateway, &theirs, &["password"], &mut body)?;
    let [plaintext] = opened.committed(&mut theirs);
    assert_eq!(&body[plaintext.unwrap()], b"correct horse");

    let mut counters = FieldCounters::new(0, 1);
    let mut body =
        sealed(&mut |buffer| there.seal(gateway, &mut counters, &theirs, 200, "password", buffer, 13))?;
    let [plaintext] = here.open(device, &mut call, 200, &["password"], &mut body)?;
    assert_eq!(&body[plaintext.unwrap()], b"correct horse");
    Ok(())
}

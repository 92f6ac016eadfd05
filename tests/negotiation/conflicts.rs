//! The 409, followed and not followed.

use crate::support::{Device, World};
use dynamic_key::handshake::ClientNeed;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use dynamic_key::{Error, Misuse, Peer};
use serde_json::json;

const PROVEN: [Mode; 2] = [Mode::Confirmed, Mode::Pinned];

fn conflict(name: &str) -> Vec<u8> {
    json!({"status": 409, "code": "DYNAMIC_KEY_V2_RETRY_WITH_SCHEME", "message": "", "scheme": name})
        .to_string()
        .into_bytes()
}

/// A 409 that the gateway did not send, to a client whose first key was a P-256 one.
#[test]
fn conflicts_that_end_the_handshake() {
    let world = World::new(1);
    for mode in PROVEN {
        let both: &[Scheme] = &[Scheme::EcAes2, Scheme::Aes2, Scheme::EcAes1];
        for schemes in [&Scheme::ELLIPTIC, both] {
            let device = Device::new(mode, schemes, &world);
            // Of the group that was sent; not offered; unknown.
            for name in ["SCHEME-EC-AES2", "SCHEME-EC-AES1", "SCHEME-AES1", "SCHEME-X", "scheme-aes2", ""] {
                let error = device.accept(409, &conflict(name)).unwrap_err();
                assert!(matches!(error, Error::Peer(Peer::Downgrade | Peer::Malformed)), "{name}: {error:?}");
            }
            let (mut handshake, _, _) = device.start();
            let followed = handshake.reply(409, &conflict("SCHEME-AES2"));
            if schemes.contains(&Scheme::Aes2) {
                assert_eq!(followed, Ok(()));
                assert_eq!(handshake.need(), ClientNeed::Generate(Scheme::Aes2.group()));
            } else {
                assert_eq!(followed, Err(Error::Peer(Peer::Downgrade)));
                let again = handshake.reply(409, &conflict("SCHEME-AES2"));
                assert_eq!(again, Err(Misuse::HandshakeFailed.into()));
            }
        }
    }
    let device = Device::new(Mode::Plain, &Scheme::ELLIPTIC, &world);
    let error = device.accept(409, &conflict("SCHEME-AES2")).unwrap_err();
    assert_eq!(error, Error::Peer(Peer::Downgrade), "plain mode knows one scheme");
}

/// A provider without the group ends it.
#[cfg(not(feature = "ffdhe"))]
#[test]
fn a_conflict_that_the_provider_cannot_follow() {
    use dynamic_key::crypto::{CryptoError, software::Pins};
    let device = Device::new(Mode::Pinned, &[Scheme::EcAes2, Scheme::Aes2], &World::new(1));
    let (mut handshake, mut provider, _) = device.start();
    handshake.reply(409, &conflict("SCHEME-AES2")).unwrap();
    let outcome = handshake.compute(&mut provider, &mut Pins(&device.pins));
    assert_eq!(outcome, Err(Error::Crypto(CryptoError::Unsupported)));
    assert_eq!(handshake.need(), ClientNeed::Nothing);
}

#[cfg(feature = "ffdhe")]
mod followed {
    use super::PROVEN;
    use crate::support::{Link, Seeded, World};
    use dynamic_key::client::Client;
    use dynamic_key::crypto::software::{Pins, Software};
    use dynamic_key::handshake::ClientConfig;
    use dynamic_key::request::Request;
    use dynamic_key::scheme::{Preference, Scheme};
    use dynamic_key::session::{ClientType, Now};

    /// What is offered, what is accepted, whose order decides, what is chosen, and in how many hellos.
    type Case = (&'static [Scheme], &'static [Scheme], Preference, Scheme, usize);

    /// The whole client and the whole gateway, with keys of their own, between all groups and in both directions.
    #[test]
    fn the_client_retries_and_its_session_works() {
        use Scheme::{Aes1, Aes2, EcAes1, EcAes2};
        let all: &'static [Scheme] = &Scheme::BY_STRENGTH;
        let cases: [Case; 10] = [
            (&[EcAes2, Aes1], &[Aes1], Preference::Client, Aes1, 2),
            (&[EcAes1, Aes2], &[Aes2, Aes1], Preference::Client, Aes2, 2),
            (&[Aes1, EcAes1], &Scheme::ELLIPTIC, Preference::Client, EcAes1, 2),
            (&[Aes2, EcAes2], all, Preference::Strongest, EcAes2, 2),
            (&[Aes1, Aes2], all, Preference::Strongest, Aes2, 2),
            (&[Aes2, Aes1], &[Aes1], Preference::Client, Aes1, 2),
            (&[Aes1, EcAes2, Aes2, EcAes1], all, Preference::Client, Aes1, 1),
            (&[Aes2, Aes1], all, Preference::Strongest, Aes2, 1),
            (&[EcAes1, Aes2], all, Preference::Client, EcAes1, 1),
            (&[EcAes1, EcAes2], all, Preference::Strongest, EcAes2, 1),
        ];
        for mode in PROVEN {
            for (offer, accepted, preference, chosen, hellos) in cases {
                let mut world = World::new(1);
                world.gateway.clients.schemes = accepted;
                world.gateway.clients.preference = preference;
                let pins = [world.pin()];
                let config = ClientConfig {
                    mode,
                    schemes: offer,
                    ..ClientConfig::new(ClientType::Internal, "internal-web-client", "device-1", "server")
                };
                let link = Link::honest(&mut world);
                let mut client: Client<_, _, _, 1024> =
                    Client::new(config, Software::new(Seeded(2)), Pins(&pins), link).unwrap();
                let mut buffer = [0; 4096];
                for _ in 0..2 {
                    let answer =
                        client.request(Now::UNKNOWN, &Request::get("/countries/get"), &mut buffer).unwrap();
                    assert_eq!((answer.status, &*answer.body), (200, &br#"{"countries":["UY","PT"]}"#[..]));
                }
                assert_eq!(client.facts().unwrap().scheme(), chosen, "{offer:?}");
                let seen = &client.transport_mut().seen;
                let statuses: Vec<_> = seen.iter().map(|wire| wire.answer.as_ref().unwrap().0).collect();
                assert_eq!(statuses, [&[409, 200, 200, 200][2 - hellos..]].concat(), "{offer:?}");
                let keys: Vec<&[u8]> = seen.iter().take(hellos).map(|wire| &wire.body[..]).collect();
                assert!(hellos == 1 || keys[0] != keys[1], "a fresh key and a fresh nonce");
            }
        }
    }
}

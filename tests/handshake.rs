//! Both machines against each other, in every mode and scheme.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Signer;
use dynamic_key::crypto::software::{Identity, Pins, Software};
use dynamic_key::envelope::{Envelope, sealed_len};
use dynamic_key::handshake::{
    Claims, ClientConfig, ClientHandshake, ClientNeed, ClientPolicy, ServerFacts, ServerHandshake,
    ServerNeed, ServerPolicy,
};
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{ClientType, Mode, Now, ServerSession, Session};
use support::{Seeded, Soft};

struct Policy;
impl ServerPolicy for Policy {
    fn client(&self, _: &Claims<'_>) -> Option<ClientPolicy<'_>> {
        Some(ClientPolicy {
            schemes: &Scheme::BY_STRENGTH,
            preference: Preference::Client,
            least_mode: Mode::Plain,
        })
    }
}

fn pair(mode: Mode, schemes: &[Scheme]) -> (Session<Soft, 64>, ServerSession<Soft>) {
    let (mut device, mut gateway) = (Software::new(Seeded(1)), Software::new(Seeded(2)));
    let mut identity = Identity::generate(&mut Seeded(3)).unwrap();
    let pins = [identity.public().unwrap()];
    let config = ClientConfig {
        mode,
        schemes,
        ..ClientConfig::new(ClientType::Internal, "web", "a \"quoted\\ id", "browser")
    };
    let mut client = ClientHandshake::<Soft, 64>::new(&config).unwrap();
    let mut server = ServerHandshake::<Soft>::new();
    let mut buffer = [0; 2048];

    assert_eq!(client.compute(&mut device, &mut Pins(&pins)), Ok(ClientNeed::Hello));
    let length = client.hello(&mut device, Now::UNKNOWN, &mut buffer).unwrap();
    server.hello(&mut gateway, &Policy, &mut buffer[..length]).unwrap();
    assert_eq!(server.compute(&mut gateway), Ok(ServerNeed::Answer));
    let facts = ServerFacts {
        session_id: "opaque-session-id",
        token: "e30.e30.c2ln",
        expire_token: 0,
        expires_at: Timestamp::from_unix_secs(1_780_531_200),
        expires_in: 3600,
        instance: 7,
        identity: Some(identity.kid()),
        plain: Default::default(),
    };
    let length = server.answer(&mut gateway, &facts, &mut buffer).unwrap();
    if mode != Mode::Plain {
        server.sign(&mut identity, &mut buffer[..length]).unwrap();
    }
    client.reply(200, &buffer[..length]).unwrap();
    assert_eq!(client.compute(&mut device, &mut Pins(&pins)), Ok(ClientNeed::Finish));
    (client.finish().unwrap(), server.finish().unwrap())
}

#[test]
fn every_mode_and_scheme_carries_messages_both_ways() {
    for mode in [Mode::Plain, Mode::Confirmed, Mode::Pinned] {
        let mut offers = vec![&Scheme::ELLIPTIC[..], &[Scheme::EcAes1], &[Scheme::EcAes1, Scheme::EcAes2]];
        if cfg!(feature = "ffdhe") && mode != Mode::Plain {
            offers.extend([
                &[Scheme::Aes1][..],
                &[Scheme::Aes2, Scheme::EcAes2],
                &[Scheme::Aes2, Scheme::Aes1],
            ]);
        }
        for schemes in offers {
            let (mut client, server) = pair(mode, schemes);
            let (mut device, mut gateway) = (Software::new(Seeded(4)), Software::new(Seeded(5)));
            let mut buffer = [0; 1024];
            for text in [&b"{}"[..], b"", &[0x42; 500]] {
                buffer[..text.len()].copy_from_slice(text);
                let (length, _) = client.seal(&mut device, Now::UNKNOWN, &mut buffer, text.len()).unwrap();
                assert_eq!(length, sealed_len(text.len()));
                let envelope = Envelope::parse(&mut buffer[..length]).unwrap();
                let opened = server.open(&mut gateway, envelope, &mut buffer[..length]).unwrap().committed();
                assert_eq!(&buffer[opened.plaintext()], text);
                buffer[..5].copy_from_slice(b"reply");
                let length = server.seal(&mut gateway, opened, 200, &mut buffer, 5).unwrap();
                assert_eq!(client.open(&mut device, 200, &mut buffer[..length]).unwrap(), b"reply");
            }
        }
    }
}

//! Both machines against each other, in every mode and scheme.

use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::software::{Identity, Pins, Software};
use dynamic_key::crypto::{Provider, Signer};
use dynamic_key::envelope::{Envelope, sealed_len};
use dynamic_key::handshake::{
    Claims, ClientConfig, ClientHandshake, ClientNeed, ClientPolicy, ServerFacts, ServerHandshake,
    ServerNeed, ServerPolicy,
};
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{ClientType, Mode, Now, ServerSession, Session};

#[derive(Clone)]
pub struct Rng(u64);

impl rand_core::TryRng for Rng {
    type Error = core::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|n| n as u32)
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(z ^ (z >> 31))
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.try_next_u64()?.to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}
impl rand_core::TryCryptoRng for Rng {}

type Soft = Software<Rng>;

struct Policy;
impl ServerPolicy for Policy {
    fn client(&self, _: &Claims<'_>) -> Option<ClientPolicy<'_>> {
        Some(ClientPolicy {
            schemes: &Scheme::ELLIPTIC,
            preference: Preference::Client,
            least_mode: Mode::Plain,
        })
    }
}

fn pair(mode: Mode, schemes: &[Scheme]) -> (Session<Soft, 64>, ServerSession<Soft>) {
    let (mut device, mut gateway) = (Software::new(Rng(1)), Software::new(Rng(2)));
    let mut identity = Identity::generate(&mut Rng(3)).unwrap();
    let pins = [identity.public().unwrap()];
    let config = ClientConfig {
        mode,
        schemes,
        ..ClientConfig::new(ClientType::Internal, "web", "a \"quoted\\ id", "browser")
    };
    let mut client = ClientHandshake::<Soft, 64>::new(&config).unwrap();
    let mut server = ServerHandshake::<Soft>::new();
    let mut buffer = [0; 1024];

    assert_eq!(client.compute(&mut device, &mut Pins(&pins)), Ok(ClientNeed::Hello));
    let length = client.hello(&mut device, Now::UNKNOWN, &mut buffer).unwrap();
    println!("{}", core::str::from_utf8(&buffer[..length]).unwrap());
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
    println!("{}", core::str::from_utf8(&buffer[..length]).unwrap());
    client.reply(200, &buffer[..length]).unwrap();
    assert_eq!(client.compute(&mut device, &mut Pins(&pins)), Ok(ClientNeed::Finish));
    (client.finish().unwrap(), server.finish().unwrap())
}

#[test]
fn every_mode_and_scheme_carries_messages_both_ways() {
    for mode in [Mode::Plain, Mode::Confirmed, Mode::Pinned] {
        for schemes in [&Scheme::ELLIPTIC[..], &[Scheme::EcAes1], &[Scheme::EcAes1, Scheme::EcAes2]] {
            let (mut client, server) = pair(mode, schemes);
            let (mut device, mut gateway) = (Software::new(Rng(4)), Software::new(Rng(5)));
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
            let mut random = [0; 8];
            device.fill(&mut random).unwrap();
        }
    }
}

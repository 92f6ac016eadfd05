//! Buffer contracts: for every call that writes, `needed` bytes work, one less gives `BufferTooSmall { needed }`, and then
//! nothing has changed. And what a session takes of memory.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    clippy::string_slice,
    reason = "a test that fails should panic"
)]

mod support;

use core::fmt::Debug;
use dynamic_key::agreement::schedule::PlainKdf;
use dynamic_key::codec::base64::{self, Base64Error};
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::codec::{BufferTooSmall, json, timestamp};
use dynamic_key::crypto::software::{Identity, Pins, Software};
use dynamic_key::crypto::{Provider, Signer};
use dynamic_key::envelope::{Envelope, sealed_len};
use dynamic_key::gateway::forward::encode_query;
use dynamic_key::gateway::token::{self, TokenClaims};
use dynamic_key::gateway::{Clients, ERROR_ROOM, Opened, TokenKey};
use dynamic_key::handshake::{
    ClientConfig, ClientHandshake, ClientNeed, Refusal, ServerError, ServerFacts, ServerHandshake,
};
use dynamic_key::jose::{Algorithm, JoseError};
use dynamic_key::request::Request;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Token;
use dynamic_key::session::{ClientType, Mode, Now, Session, SessionId};
use dynamic_key::{Code, Error};
use support::{
    AUDIENCE, Device, KNOWN, MODES, START, Seeded, Soft, World, call, head_of, request_headers, seal,
};

/// The ways in which a call says that its buffer is too small.
trait Needed {
    fn needed(self) -> Option<usize>;
}

impl Needed for Error {
    fn needed(self) -> Option<usize> {
        if let Self::BufferTooSmall { needed } = self { Some(needed) } else { None }
    }
}

impl Needed for BufferTooSmall {
    fn needed(self) -> Option<usize> {
        Some(self.needed)
    }
}

impl Needed for Base64Error {
    fn needed(self) -> Option<usize> {
        if let Self::BufferTooSmall(error) = self { Some(error.needed) } else { None }
    }
}

impl Needed for ServerError {
    fn needed(self) -> Option<usize> {
        if let Self::Misuse(error) = self { error.needed() } else { None }
    }
}

/// Calls with every length up to `needed`; only the last may work. Returns what it then wrote.
fn exact<T: Debug, E: Needed + Copy + Debug>(
    needed: usize,
    mut call: impl FnMut(&mut [u8]) -> Result<T, E>,
) -> (T, Vec<u8>) {
    let mut out = vec![0x55; needed];
    for length in 0..needed {
        let error = call(&mut out[..length]).unwrap_err();
        assert_eq!(error.needed(), Some(needed), "{error:?} for {length}");
    }
    out.fill(0x55);
    let value = call(&mut out).unwrap_or_else(|error| panic!("{error:?} for {needed}"));
    (value, out)
}

#[test]
fn base64_both_ways_and_in_place() {
    let bytes: Vec<u8> = (0..200).collect();
    for length in 0..bytes.len() {
        let bytes = &bytes[..length];
        let needed = base64::encoded_len(length);
        let (text, _) = exact(needed, |out| base64::encode(bytes, out).map(str::to_owned));
        let (decoded, _) = exact(length, |out| base64::decode(text.as_bytes(), out).map(<[u8]>::to_vec));
        assert_eq!(decoded, bytes);
        let needed = base64::url_encoded_len(length);
        let (text, _) = exact(needed, |out| base64::url_encode(bytes, out).map(str::to_owned));
        let (decoded, _) = exact(length, |out| base64::url_decode(text.as_bytes(), out).map(<[u8]>::to_vec));
        assert_eq!(decoded, bytes);
    }
    for (length, at) in (0..70).flat_map(|length| [0, 1, 3, 50].map(|at| (length, at))) {
        exact(at + base64::encoded_len(length).max(length.saturating_sub(at)), |out| {
            base64::encode_in_place(out, length, at)
        });
    }
}

#[test]
fn json_strings() {
    for text in ["", "plain", "q\"uote\\ \u{1}\n\u{7f}é🔑"] {
        let (escaped, _) = exact(json::escaped_len(text), |out| json::escape(text, out).map(str::to_owned));
        let object = format!("{{\"s\":\"{escaped}\"}}");
        let [value] = json::object(object.as_bytes(), &["s"]).unwrap();
        let string = value.unwrap().string().unwrap();
        let (read, _) = exact(text.len(), |out| string.copy_to(out).map(str::to_owned));
        assert_eq!(read, text);
    }
}

#[test]
fn keys_and_times() {
    let (_, key) = Software::new(Seeded(1)).generate(Group::P256).unwrap();
    let (der, _) = exact(key.spki_len(), |out| key.write_spki(out).map(<[u8]>::to_vec));
    assert_eq!(PublicKey::from_spki(&der).unwrap().as_bytes(), key.as_bytes());
    for time in [Timestamp::from_unix_millis(0), START, Timestamp::from_unix_millis(u64::MAX)] {
        exact(timestamp::LEN, |out| time.write(out).map(|_| ()));
    }
}

#[test]
fn queries() {
    for pairs in [&[][..], &[("", "")], &[("a", "b"), ("ä ö", "~&=%"), ("", "🔑")]] {
        let query = |out: &mut [u8]| {
            encode_query(pairs.iter().map(|(name, value)| (name.bytes(), value.bytes())), out)
        };
        let needed = query(&mut [0; 256]).unwrap();
        assert_eq!(exact(needed, query).0, needed);
    }
}

#[test]
fn errors_of_the_gateway() {
    for code in Code::ALL {
        for scheme in [None, Some(Scheme::EcAes1), Some(Scheme::Aes2)] {
            let refusal = Refusal { code, scheme };
            let (length, text) = exact(refusal.body_len(), |out| refusal.write(out));
            assert_eq!(length, text.len());
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&text).unwrap()["code"], code.name());
        }
    }
}

#[test]
fn tokens() {
    let mut identity = Identity::generate(&mut Seeded(3)).unwrap();
    let hs256 = TokenKey::hs256(&[1; 32]).unwrap();
    for (id, device, time) in [("s", "d", 0), (&"~".repeat(64)[..], &"\"\\".repeat(32)[..], 253_402_300_799)]
    {
        let claims = TokenClaims {
            session_id: id,
            client_id: "internal-web-client",
            device_id: device,
            audience: AUDIENCE,
            issued_at: START,
            expires: Timestamp::from_unix_secs(time),
        };
        let needed = token::issued_len(Algorithm::Hs256, &claims);
        assert!(needed <= token::MAX_LEN);
        exact(needed, |out| token::issue(hs256.signing(None)?, &claims, out).map(str::to_owned));
        let needed = token::issued_len(Algorithm::Es256, &claims);
        assert!(needed <= token::MAX_LEN);
        let (issued, _) = exact(needed, |out| {
            token::issue(TokenKey::Es256.signing(Some(&mut identity))?, &claims, out).map(str::to_owned)
        });
        // The same in two steps.
        let signature = {
            let mut out = vec![0; needed];
            let unsigned = token::begin(&claims, &mut out).unwrap();
            identity.sign(unsigned.signing_input()).unwrap()
        };
        let (again, _) = exact(needed, |out| {
            let unsigned = token::begin(&claims, out)?;
            let text: Result<_, JoseError> = unsigned.finish(&signature);
            Ok::<_, Error>(text?.to_owned())
        });
        assert_eq!(again, issued);
    }
}

#[test]
fn request_plaintexts() {
    let pairs: [&[(&str, &str)]; 3] = [&[], &[("accept", "*/*")], &[("a\"", "\\"), ("é", "\u{1}")]];
    for (headers, query) in pairs.into_iter().flat_map(|headers| pairs.map(|query| (headers, query))) {
        for body in [None, Some(&b"{}"[..])] {
            let request = Request { headers, query, body, ..Request::new("PUT", "/a/b%20c") };
            let (length, text) = exact(request.plaintext_len(), |out| request.write(out));
            assert_eq!(length, text.len());
            serde_json::from_slice::<serde_json::Value>(&text).unwrap();
        }
    }
}

#[test]
fn hellos() {
    let strings = [("c", "d", "p"), ("client-1", "a \"quoted\\ device", "server")];
    let longest = ("\"".repeat(64), "\\".repeat(64), "~".repeat(32));
    let offers: [&[Scheme]; 3] =
        [&[Scheme::EcAes1], &Scheme::ELLIPTIC, &[Scheme::EcAes2, Scheme::Aes1, Scheme::Aes2]];
    for (client, device, platform) in strings.into_iter().chain([(&*longest.0, &*longest.1, &*longest.2)]) {
        for (mode, schemes) in MODES.into_iter().flat_map(|mode| offers.map(|offer| (mode, offer))) {
            for client_type in [ClientType::Internal, ClientType::External] {
                let config = ClientConfig {
                    mode,
                    schemes,
                    ..ClientConfig::new(client_type, client, device, platform)
                };
                let mut provider = Software::new(Seeded(1));
                let mut handshake = ClientHandshake::<Soft, 64>::new(&config).unwrap();
                handshake.compute(&mut provider, &mut Pins(&[])).unwrap();
                let (length, text) = exact(config.hello_len(Group::P256), |out| {
                    assert_eq!(handshake.need(), ClientNeed::Hello);
                    handshake.hello(&mut provider, Now::UNKNOWN, out)
                });
                assert_eq!((length, handshake.need()), (text.len(), ClientNeed::Reply));
                serde_json::from_slice::<serde_json::Value>(&text).unwrap();
            }
        }
    }
}

/// Finite-field keys differ in length, and so do the hellos that hold them.
#[cfg(feature = "ffdhe")]
#[test]
fn hellos_with_finite_field_keys() {
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 0..16 {
        let config = ClientConfig {
            mode: Mode::Confirmed,
            schemes: &[Scheme::Aes1, Scheme::EcAes1],
            ..ClientConfig::new(ClientType::Internal, "client-1", "device-1", "server")
        };
        let mut provider = Software::new(Seeded(seed));
        let mut handshake = ClientHandshake::<Soft, 64>::new(&config).unwrap();
        handshake.compute(&mut provider, &mut Pins(&[])).unwrap();
        let Err(Error::BufferTooSmall { needed }) = handshake.hello(&mut provider, Now::UNKNOWN, &mut [])
        else {
            panic!("it wrote into nothing");
        };
        assert!(needed <= config.hello_len(Group::Ffdhe2048));
        let (length, text) = exact(needed, |out| handshake.hello(&mut provider, Now::UNKNOWN, out));
        assert_eq!(length, text.len());
        lengths.insert(length);
    }
    assert!(lengths.len() > 1, "{lengths:?}");
}

#[test]
fn answers() {
    let world = World::new(1);
    let identity = Identity::generate(&mut Seeded(4)).unwrap();
    for (mode, kid) in [
        (Mode::Plain, None),
        (Mode::Plain, Some(identity.kid())),
        (Mode::Confirmed, None),
        (Mode::Confirmed, Some(identity.kid())),
    ] {
        for (id, token, number) in [("s", "t", 0), (&"x".repeat(64)[..], &"y".repeat(900)[..], u64::MAX)] {
            let device = Device::new(mode, &Scheme::ELLIPTIC, &world);
            let mut provider = Software::new(Seeded(7));
            let mut server = ServerHandshake::new();
            server.hello(&mut provider, &Clients::new(KNOWN), &mut device.hello()).unwrap();
            server.compute(&mut provider).unwrap();
            let facts = ServerFacts {
                session_id: id,
                token,
                expire_token: number,
                expires_at: START,
                expires_in: number,
                instance: 7,
                identity: kid,
                plain: PlainKdf::default(),
            };
            // What is needed is known from the first refusal.
            let short = server.answer(&mut provider, &facts, &mut []).unwrap_err();
            let needed = short.needed().unwrap();
            let (length, mut text) = exact(needed, |out| server.answer(&mut provider, &facts, out));
            assert_eq!(length, needed);
            if kid.is_some() && mode != Mode::Plain {
                server.sign(&mut identity.clone(), &mut text).unwrap();
            }
            serde_json::from_slice::<serde_json::Value>(&text).unwrap();
            server.finish().unwrap();
        }
    }
}

/// Sealing in a buffer that is too short consumes no nonce and leaves the plaintext as it was.
#[test]
fn envelopes() {
    for mode in MODES {
        let mut world = World::new(1);
        let (mut session, mut provider) = Device::new(mode, &Scheme::ELLIPTIC, &world).shake(&mut world);
        for length in [0, 1, 2, 3, 15, 16, 17, 47, 48, 49, 333] {
            let plaintext: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let remaining = session.remaining();
            let ((sealed, exchange), _) = exact(sealed_len(length), |out| {
                let fits = length.min(out.len());
                out[..fits].copy_from_slice(&plaintext[..fits]);
                let sealed = session.seal(&mut provider, Now::UNKNOWN, out, length);
                if sealed.is_err() {
                    assert_eq!(out[..fits], plaintext[..fits]);
                }
                sealed
            });
            assert_eq!(sealed, sealed_len(length));
            assert_eq!(session.remaining(), remaining - 1, "one nonce for one envelope");
            session.abandon(&exchange);
        }
        call(&mut session, &mut provider, &mut world);
    }
}

/// A response that does not fit gives the right to answer back.
#[test]
fn responses() {
    for mode in MODES {
        let mut world = World::new(1);
        let (mut session, mut provider) = Device::new(mode, &Scheme::ELLIPTIC, &world).shake(&mut world);
        let (mut text, _) = seal(&mut session, &mut provider, &Request::get("/countries/get"));
        let id = session.facts().id().to_owned();
        let World { store, provider: gateway, .. } = &mut world;
        let store = &mut **store;
        let handle = dynamic_key::gateway::SessionStore::<Soft>::find(store, &id, START).unwrap();
        let server = dynamic_key::gateway::SessionStore::<Soft>::session(store, &handle).unwrap();
        let envelope = Envelope::parse(&mut text).unwrap();
        let opened = server.open(gateway, envelope, &mut text).unwrap().committed();
        let mut right = Some(opened);
        let (length, mut text) = exact(sealed_len(100), |out| {
            let committed = right.take().expect("the right to answer");
            server.seal(gateway, committed, 200, out, 100).map_err(|(error, committed)| {
                right = committed;
                error
            })
        });
        assert!(right.is_none());
        assert_eq!(session.open(&mut provider, 200, &mut text[..length]).unwrap(), [0x55; 100]);
    }
}

#[test]
fn responses_of_the_gateway() {
    for (mode, length) in MODES.into_iter().flat_map(|mode| [0, 50, 300].map(|length| (mode, length))) {
        let mut world = World::new(1);
        let (mut session, mut provider) = Device::new(mode, &Scheme::ELLIPTIC, &world).shake(&mut world);
        let (text, _) = seal(&mut session, &mut provider, &Request::get("/countries/get"));
        let headers = request_headers(session.facts().id(), session.facts().token());
        let mut buffer = text.clone();
        buffer.resize(1024, 0);
        let World { gateway, provider: own, store, now, .. } = &mut world;
        let store = &mut **store;
        let opened = gateway.open_request(own, store, *now, &head_of(&headers), &mut buffer, text.len());
        let Opened::Admitted(admitted) = opened.unwrap() else { panic!("it is admitted") };
        let mut right = Some(admitted.responder);
        let needed = sealed_len(length).max(ERROR_ROOM);
        let (reply, mut text) = exact(needed, |out| {
            let responder = right.take().expect("the right to answer");
            gateway.seal_response(own, store, responder, 200, out, length).map_err(|(error, responder)| {
                right = responder;
                error
            })
        });
        assert_eq!(session.open(&mut provider, 200, &mut text[..reply.length]).unwrap(), vec![0x55; length]);
    }
}

/// At most 256 bytes besides id and token (the room for them, and their lengths).
#[test]
fn a_session_of_the_client_is_small() {
    fn check<const TOKEN: usize>() {
        let whole = size_of::<Session<Soft, TOKEN>>();
        let facts = size_of::<SessionId>() + size_of::<Token<TOKEN>>();
        println!("{whole} bytes with a token of {TOKEN}: {} besides id and token", whole - facts);
        assert!(whole <= 256 + facts, "{} too many", whole - facts - 256);
    }
    check::<0>();
    check::<64>();
    check::<512>();
    check::<4096>();
}

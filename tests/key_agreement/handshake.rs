//! Every scheme and mode; what is offered, accepted and refused; what buffers need; when an agreement ends.

use crate::ends::{Host, MODES, Pair, REFERENCE, accept, after, config, identity, pins, request};
use crate::support::{START, Seeded, Soft};
use dynamic_key::crypto::Signer;
use dynamic_key::crypto::software::{Identity, Pins, Software};
use dynamic_key::field::Call;
use dynamic_key::gateway::{AgreementStore, FixedAgreements};
use dynamic_key::handshake::{
    ClientNeed, KeyAgreementClient, KeyAgreementConfig, KeyAgreementFacts, KeyAgreementPolicy,
    KeyAgreementServer, ServerError, ServerNeed,
};
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{Mode, Now, Uptime};
use dynamic_key::{Code, Error, Incompatible, Misuse, Peer};
use serde_json::{Value, json};

#[test]
fn every_scheme_in_every_mode() {
    for (mode, scheme) in MODES.into_iter().flat_map(|mode| Scheme::SOFTWARE.iter().map(move |s| (mode, *s)))
    {
        let mut pair = Pair::new(mode, scheme);
        assert_eq!((pair.client.mode(), pair.client.scheme(), pair.client.id()), (mode, scheme, REFERENCE));
        assert_eq!((pair.server.scheme(), pair.server.id()), (scheme, REFERENCE));
        assert_eq!((pair.server.identifier(), pair.server.ends()), (&b"a device"[..], after(300)));
        let mut call = Call::new("POST", "/rest/login").unwrap();
        let password = pair.seal(&mut call, "password", "pässword 🔑");
        let mut store = FixedAgreements::<Soft, 1>::new();
        store.insert(pair.server, START).unwrap();
        let handle = store.find(REFERENCE, START).unwrap();

        let mut body = json!({ "user": "demo", "password": password }).to_string().into_bytes();
        let mut received = Call::new("POST", "/rest/login").unwrap();
        let agreement = store.agreement(&handle).unwrap();
        let opened = agreement.open(&mut pair.host, &received, &["password"], &mut body).unwrap();
        store.commit(&handle, opened.counters()).unwrap();
        let [place] = opened.committed(&mut received);
        assert_eq!(&body[place.unwrap()], "pässword 🔑".as_bytes());

        let mut counters = store.reserve(&handle, 1, 2).unwrap();
        let mut token = [0; 64];
        token[..6].copy_from_slice(b"secret");
        let agreement = store.agreement(&handle).unwrap();
        let length =
            agreement.seal(&mut pair.host, &mut counters, &received, 200, "token", &mut token, 6).unwrap();
        let token = str::from_utf8(&token[..length]).unwrap();
        let mut body = json!({ "token": token }).to_string().into_bytes();
        let [place] = pair.client.open(&mut pair.device, &mut call, 200, &["token"], &mut body).unwrap();
        assert_eq!(&body[place.unwrap()], b"secret");
    }
}

/// A confirmed client takes a server that signs: the kid is in the transcript, the signature is not its concern.
#[test]
fn the_client_decides_what_it_demands() {
    let (confirmed, pinned) =
        (config(Mode::Confirmed, &Scheme::ELLIPTIC), config(Mode::Pinned, &Scheme::ELLIPTIC));
    assert_eq!(KeyAgreementConfig::new(b"x").mode, Mode::Pinned);
    let (_, _, text) = request(&confirmed, 5);
    let (signed, ..) = Host::new(Mode::Pinned).answer(&text).unwrap();
    let (bare, ..) = Host::new(Mode::Confirmed).answer(&text).unwrap();
    for response in [&signed, &bare] {
        assert!(accept(&confirmed, 5, response).is_ok());
    }
    assert!(accept(&pinned, 5, &signed).is_ok());
    assert_eq!(accept(&pinned, 5, &bare).err(), Some(Error::Peer(Peer::Downgrade)));
    // An impostor: another identity.
    let other = Host { identity: Identity::generate(&mut Seeded(2)).ok(), ..Host::new(Mode::Pinned) };
    let (impostor, ..) = other.answer(&text).unwrap();
    assert!(accept(&confirmed, 5, &impostor).is_ok());
    assert_eq!(accept(&pinned, 5, &impostor).err(), Some(Error::Peer(Peer::Authentication)));
    // A response to another request of the same client.
    assert_eq!(accept(&pinned, 6, &signed).err(), Some(Error::Peer(Peer::Authentication)));
}

#[test]
fn only_schemes_of_the_group_that_came_are_considered() {
    let all = Scheme::BY_STRENGTH;
    for first in Scheme::SOFTWARE {
        for second in all.into_iter().filter(|second| second != first) {
            let schemes = [*first, second];
            let (_, _, text) = request(&config(Mode::Confirmed, &schemes), 5);
            for accepted in [vec![*first], vec![second], all.to_vec(), vec![]] {
                for preference in [Preference::Client, Preference::Strongest] {
                    let host = Host { schemes: &accepted, preference, ..Host::new(Mode::Confirmed) };
                    let same = |scheme: &Scheme| scheme.group() == first.group() && accepted.contains(scheme);
                    let mut common: Vec<_> = schemes.into_iter().filter(same).collect();
                    if preference == Preference::Strongest {
                        common.sort_by_key(|scheme| all.iter().position(|other| other == scheme));
                    }
                    match (host.answer(&text), common.first()) {
                        (Ok((response, ..)), Some(expected)) => {
                            let response: Value = serde_json::from_slice(&response).unwrap();
                            assert_eq!(response["scheme"], expected.name());
                        }
                        (Err(code), None) => assert_eq!(code, Code::NoCommonScheme),
                        (outcome, expected) => panic!("{:?}, not {expected:?}", outcome.map(|_| ())),
                    }
                }
            }
        }
    }
}

#[test]
fn what_a_configuration_may_be() {
    let long = [7; 256];
    for length in [0, 256] {
        let config = KeyAgreementConfig::new(&long[..length]);
        let outcome = KeyAgreementClient::<Soft>::new(&config).map(|_| ());
        assert_eq!(outcome, Err(Misuse::InvalidConfiguration.into()));
    }
    for length in [1, 255] {
        let config = KeyAgreementConfig { mode: Mode::Confirmed, ..KeyAgreementConfig::new(&long[..length]) };
        let (_, _, text) = request(&config, 5);
        assert_eq!(text.len(), config.hello_len(config.schemes[0].group()));
        let (response, server, _) = Host::new(Mode::Confirmed).answer(&text).unwrap();
        assert_eq!(server.identifier(), &long[..length]);
        assert!(accept(&config, 5, &response).is_ok());
    }
    let twice = [Scheme::EcAes2, Scheme::EcAes1, Scheme::EcAes1];
    for (mode, schemes) in [
        (Mode::Plain, &Scheme::ELLIPTIC[..]),
        (Mode::Mutual, &Scheme::ELLIPTIC),
        (Mode::Pinned, &[]),
        (Mode::Pinned, &twice),
        (Mode::Pinned, &[Scheme::EcAes2, Scheme::EcAes2]),
    ] {
        let outcome = KeyAgreementClient::<Soft>::new(&config(mode, schemes)).map(|_| ());
        assert_eq!(outcome, Err(Misuse::InvalidConfiguration.into()), "{mode:?} {schemes:?}");
    }
}

#[test]
fn statuses_other_than_200_end_it() {
    for status in [201, 400, 409, 429, 503] {
        let (mut client, ..) = request(&config(Mode::Confirmed, &Scheme::ELLIPTIC), 5);
        let body = br#"{"status":409,"code":"DYNAMIC_KEY_V2_RETRY_WITH_SCHEME","scheme":"SCHEME-EC-AES1"}"#;
        assert_eq!(client.reply(status, body), Err(Peer::UnexpectedStatus(status).into()));
        assert_eq!(client.need(), ClientNeed::Nothing);
        assert_eq!(client.reply(200, b"{}"), Err(Misuse::HandshakeFailed.into()));
    }
}

/// A server that has come as far as its answer.
fn before_the_answer(text: &[u8]) -> (KeyAgreementServer<Soft>, Soft) {
    let (mut server, mut provider) = (KeyAgreementServer::new(), Software::new(Seeded(9)));
    let policy = KeyAgreementPolicy { schemes: Scheme::SOFTWARE, preference: Preference::Client };
    server.hello(&policy, &mut text.to_vec()).unwrap();
    assert_eq!(server.compute(&mut provider), Ok(ServerNeed::Answer));
    (server, provider)
}

#[test]
fn what_the_server_may_say() {
    let (_, _, text) = request(&config(Mode::Confirmed, &Scheme::ELLIPTIC), 5);
    let (mut server, mut provider) = before_the_answer(&text);
    let (host, long, mut out) = (Host::new(Mode::Confirmed), [7; 256], [0; 2048]);
    let right = host.facts();
    let id = "x".repeat(65);
    for wrong in [
        KeyAgreementFacts { client_reference_id: "", ..right },
        KeyAgreementFacts { client_reference_id: &id, ..right },
        KeyAgreementFacts { client_reference_id: "a b", ..right },
        KeyAgreementFacts { client_reference_id: "a&b", ..right },
        KeyAgreementFacts { identifier: &[], ..right },
        KeyAgreementFacts { identifier: &long, ..right },
        KeyAgreementFacts { expires_in: Some(1 << 53), ..right },
    ] {
        let outcome = server.answer(&mut provider, &wrong, &mut out);
        assert_eq!(outcome, Err(ServerError::Misuse(Misuse::InvalidConfiguration.into())));
        assert_eq!(server.need(), ServerNeed::Answer, "nothing has changed");
    }
    for most in [
        KeyAgreementFacts { identifier: &long[..255], client_reference_id: &id[..64], ..right },
        KeyAgreementFacts { identifier: &long[..1], expires_in: Some((1 << 53) - 1), ..right },
    ] {
        let (mut server, mut provider) = before_the_answer(&text);
        let length = server.answer(&mut provider, &most, &mut out).unwrap();
        assert!(accept(&config(Mode::Confirmed, &Scheme::ELLIPTIC), 5, &out[..length]).is_ok());
    }
}

#[test]
fn buffers_need_what_they_say() {
    for (mode, scheme) in MODES.into_iter().flat_map(|mode| Scheme::SOFTWARE.iter().map(move |s| (mode, *s)))
    {
        let schemes = [scheme];
        let config = config(mode, &schemes);
        let mut provider = Software::new(Seeded(5));
        let mut client = KeyAgreementClient::<Soft>::new(&config).unwrap();
        client.compute(&mut provider, &mut Pins(&[])).unwrap();
        let Err(Error::BufferTooSmall { needed }) = client.hello(&mut provider, Now::UNKNOWN, &mut []) else {
            panic!()
        };
        let mut out = vec![0; needed];
        let outcome = client.hello(&mut provider, Now::UNKNOWN, &mut out[..needed - 1]);
        assert_eq!(outcome, Err(Error::BufferTooSmall { needed }));
        assert_eq!(client.hello(&mut provider, Now::UNKNOWN, &mut out), Ok(needed));

        let host = Host { expires_in: Some(300), ..Host::new(mode) };
        let (mut server, mut provider) = before_the_answer(&out);
        let Err(ServerError::Misuse(Error::BufferTooSmall { needed })) =
            server.answer(&mut provider, &host.facts(), &mut [])
        else {
            panic!()
        };
        let mut out = vec![0; needed];
        let outcome = server.answer(&mut provider, &host.facts(), &mut out[..needed - 1]);
        assert_eq!(outcome, Err(ServerError::Misuse(Error::BufferTooSmall { needed })));
        assert_eq!(server.answer(&mut provider, &host.facts(), &mut out), Ok(needed));
        if mode == Mode::Pinned {
            server.sign(&mut identity(), &mut out).unwrap();
        }
        client.reply(200, &out).unwrap();
        assert_eq!(client.compute(&mut provider, &mut Pins(&pins())), Ok(ClientNeed::Finish));
    }
}

#[test]
fn a_signature_goes_into_its_own_response_only() {
    let (_, _, text) = request(&config(Mode::Pinned, &Scheme::ELLIPTIC), 5);
    let (mut server, mut provider) = before_the_answer(&text);
    let (host, mut out) = (Host::new(Mode::Pinned), [0; 2048]);
    let length = server.answer(&mut provider, &host.facts(), &mut out).unwrap();
    let outcome = server.sign(&mut identity(), &mut out[..length - 1]);
    assert_eq!(outcome, Err(ServerError::Misuse(Misuse::WrongTurn.into())));
    assert_eq!(server.need(), ServerNeed::Nothing);
    assert_eq!(identity().kid(), pins()[0].kid());
}

#[test]
fn it_ends_after_300_seconds_or_when_the_server_says() {
    let config = config(Mode::Confirmed, &Scheme::ELLIPTIC);
    let (_, _, text) = request(&config, 5);
    for (expires_in, seconds) in [(None, 300), (Some(60), 60), (Some(86_400), 86_400)] {
        let host = Host { expires_in, ..Host::new(Mode::Confirmed) };
        let (response, ..) = host.answer(&text).unwrap();
        let (mut agreement, mut provider) = accept(&config, 5, &response).unwrap();
        assert!(!agreement.is_over(Now::wall(after(seconds - 1))));
        assert!(
            !agreement.is_over(Now::uptime(Uptime::from_millis(u64::MAX >> 1))),
            "sent without this clock"
        );
        let mut call = Call::new("POST", "/rest/login").unwrap();
        let mut out = [0; 64];
        let outcome = agreement.seal(&mut provider, Now::wall(after(seconds)), &mut call, "pin", &mut out, 4);
        assert_eq!(outcome, Err(Error::SessionExpired));
        assert!(agreement.is_over(Now::wall(START)), "once over, always over");
    }
    let (response, ..) = Host { expires_in: Some(0), ..Host::new(Mode::Confirmed) }.answer(&text).unwrap();
    assert_eq!(accept(&config, 5, &response).err(), Some(Error::Incompatible(Incompatible::AlreadyExpired)));
}

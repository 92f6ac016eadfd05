//! Both roles' machines, computed by what is awaited.

use crate::slow::Slow;
use crate::support::{Counted, KNOWN, MODES, Seeded, block_on, poll_times};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Provider;
use dynamic_key::crypto::software::{Identity, Pins, Software};
use dynamic_key::gateway::Clients;
use dynamic_key::handshake::{
    ClientConfig, ClientHandshake, ClientNeed, ServerFacts, ServerHandshake, ServerNeed,
};
use dynamic_key::session::{ClientType, Mode, Now};

fn config(mode: Mode) -> ClientConfig<'static> {
    ClientConfig {
        mode,
        ..ClientConfig::new(ClientType::Internal, "internal-web-client", "device-1", "server")
    }
}

fn facts(identity: &Identity) -> ServerFacts<'static> {
    ServerFacts {
        session_id: "opaque-session-id",
        token: "e30.e30.c2ln",
        expire_token: 0,
        expires_at: Timestamp::from_unix_secs(1_780_531_200),
        expires_in: 3600,
        instance: 7,
        identity: Some(dynamic_key::crypto::Signer::kid(identity)),
        plain: Default::default(),
    }
}

fn hello<P: Provider>(mode: Mode, provider: &mut P) -> (ClientHandshake<'static, P, 64>, Vec<u8>) {
    let mut client = ClientHandshake::<P, 64>::new(&config(mode)).unwrap();
    assert_eq!(client.compute(provider, &mut Pins(&[])), Ok(ClientNeed::Hello));
    let mut hello = vec![0; 1024];
    let length = client.hello(provider, Now::UNKNOWN, &mut hello).unwrap();
    hello.truncate(length);
    (client, hello)
}

/// The same answer leaves as with a provider and a signer that block.
#[test]
fn a_server_that_awaits_answers_the_same() {
    for mode in MODES {
        let mut identity = Identity::generate(&mut Seeded(3)).unwrap();
        let pins = [identity.public().unwrap()];
        let facts = facts(&identity);
        let (mut client, hello) = hello(mode, &mut Software::new(Seeded(1)));
        let answer = |blocking: bool, identity: &mut Identity| {
            let mut gateway = Slow(Software::new(Seeded(2)));
            let mut server = ServerHandshake::new();
            server.hello(&mut gateway.0, &Clients::new(KNOWN), &mut hello.clone()).unwrap();
            let need = if blocking {
                server.compute(&mut gateway.0)
            } else {
                block_on(server.compute_async(&mut gateway))
            };
            assert_eq!(need, Ok(ServerNeed::Answer));
            let mut answer = vec![0; 1024];
            let length = server.answer(&mut gateway.0, &facts, &mut answer).unwrap();
            answer.truncate(length);
            if mode != Mode::Plain {
                assert_eq!(server.need(), ServerNeed::Sign);
                let signed = if blocking {
                    server.sign(identity, &mut answer)
                } else {
                    block_on(server.sign_async(&mut Slow(identity), &mut answer))
                };
                signed.unwrap();
            }
            server.finish().unwrap();
            answer
        };
        let answers = [answer(true, &mut identity), answer(false, &mut identity)];
        assert_eq!(answers[0], answers[1], "{mode:?}");

        client.reply(200, &answers[1]).unwrap();
        let mut device = Slow(Software::new(Seeded(1)));
        let computed = block_on(client.compute_async(&mut device, &mut Slow(Pins(&pins))));
        assert_eq!(computed, Ok(ClientNeed::Finish));
        client.finish().unwrap();
    }
}

/// Dropped anywhere in its computation, a server's handshake makes no session, and takes its secrets along.
#[test]
fn a_server_that_is_given_up_leaves_nothing() {
    for mode in MODES {
        let (_, hello) = hello(mode, &mut Software::new(Seeded(1)));
        for polls in 0.. {
            let (counted, live) = Counted::new(Software::new(Seeded(2)));
            let mut gateway = Slow(counted);
            let mut server = ServerHandshake::new();
            server.hello(&mut gateway.0, &Clients::new(KNOWN), &mut hello.clone()).unwrap();
            if poll_times(server.compute_async(&mut gateway), polls).is_some() {
                assert_eq!(polls, 5, "two operations of two pauses each");
                break;
            }
            assert!(server.finish().is_err());
            assert_eq!(live.get(), 0, "{mode:?} after {polls}");
        }
    }
}

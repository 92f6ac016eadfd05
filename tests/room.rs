//! A buffer of the gateway that is too short is found before anything has happened: the same call succeeds with a longer one.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

mod support;

use dynamic_key::gateway::{ERROR_ROOM, Opened};
use dynamic_key::request::Request;
use dynamic_key::scheme::Scheme;
use dynamic_key::{Code, Error};
use support::{Device, MODES, World, head_of, request_headers, seal};

#[test]
fn a_request_that_will_be_refused_is_not_committed_without_room_for_the_refusal() {
    for mode in MODES {
        let mut world = World::new(1);
        let (mut session, mut provider) = Device::new(mode, &[Scheme::EcAes2], &world).shake(&mut world);
        let (envelope, _) = seal(&mut session, &mut provider, &Request::get("/"));
        assert!(envelope.len() < ERROR_ROOM);
        let headers = request_headers(session.facts().id(), session.facts().token());
        let World { gateway, provider, store, now, .. } = &mut world;
        for (room, code) in [
            (envelope.len(), None),
            (ERROR_ROOM - 1, None),
            (ERROR_ROOM, Some(Code::RouteNotAllowed)),
            (ERROR_ROOM, Some(Code::EncryptionError)),
        ] {
            let mut buffer = envelope.clone();
            buffer.resize(room, 0);
            let head = head_of(&headers);
            let opened =
                gateway.open_request(provider, &mut **store, *now, &head, &mut buffer, envelope.len());
            match opened {
                Ok(Opened::Reply(reply)) => assert_eq!(reply.code, code, "{mode:?} {room}"),
                Ok(Opened::Admitted(_)) => panic!("no rule admits it"),
                Err(error) => {
                    assert_eq!(
                        (Some(error), code),
                        (Some(Error::BufferTooSmall { needed: ERROR_ROOM }), None)
                    );
                }
            }
        }
    }
}

#[test]
fn the_right_to_answer_comes_back_whatever_the_upstream_said() {
    for status in [200, 204, 304, 500] {
        let mut world = World::new(1);
        let (mut session, mut provider) = Device::new(MODES[1], &[Scheme::EcAes2], &world).shake(&mut world);
        let (envelope, _) = seal(&mut session, &mut provider, &Request::get("/countries/get"));
        let headers = request_headers(session.facts().id(), session.facts().token());
        let World { gateway, provider: gateways, store, now, .. } = &mut world;
        let mut buffer = envelope.clone();
        buffer.resize(ERROR_ROOM, 0);
        let head = head_of(&headers);
        let opened = gateway.open_request(gateways, &mut **store, *now, &head, &mut buffer, envelope.len());
        let Ok(Opened::Admitted(admitted)) = opened else { panic!("{opened:?}") };
        let responder = admitted.responder;
        let short = gateway.seal_response(gateways, &mut **store, responder, status, &mut buffer[..2], 2);
        let Err((error, Some(responder))) = short else { panic!("the right is lost: {status}") };
        assert_eq!(error, Error::BufferTooSmall { needed: ERROR_ROOM });
        let reply =
            gateway.seal_response(gateways, &mut **store, responder, status, &mut buffer, 2).ok().unwrap();
        session.open(&mut provider, reply.status, &mut buffer[..reply.length]).unwrap();
    }
}

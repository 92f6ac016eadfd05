//! The room that a gateway's answers need is exact and asked for before anything changes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use dynamic_key::Error;
use dynamic_key::crypto::software::Identity;
use dynamic_key::gateway::{ANSWER_ROOM, ERROR_ROOM};
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use support::{Device, START, Seeded, World, head_of, hello_headers};

#[test]
fn a_handshake_asks_for_its_room_before_it_begins() {
    let mut world = World::new(1);
    let hello = Device::new(Mode::Pinned, &Scheme::ELLIPTIC, &world).hello();
    let headers = hello_headers();
    let head = head_of(&headers);
    let mut identity = Identity::generate(&mut Seeded(5)).unwrap();
    let mut buffer = vec![0; ANSWER_ROOM];
    buffer[..hello.len()].copy_from_slice(&hello);
    let World { gateway, provider, store, .. } = &mut world;
    let store = &mut **store;
    for room in [0, hello.len(), ERROR_ROOM, ANSWER_ROOM - 1] {
        let short = &mut buffer[..room];
        let outcome = gateway.accept(provider, Some(&mut identity), store, START, &head, short, hello.len());
        assert_eq!(outcome.unwrap_err(), Error::BufferTooSmall { needed: ANSWER_ROOM });
    }
    // The hello is still there, and the room is enough.
    let reply =
        gateway.accept(provider, Some(&mut identity), store, START, &head, &mut buffer, hello.len()).unwrap();
    assert_eq!((reply.status, reply.code), (200, None));
    assert!(reply.length <= ANSWER_ROOM);
}

//! Storage that fails at any call, and storage that tells the past.

use crate::memory::{Fault, Memory};
use crate::support::{Seeded, World};
use crate::watched::{repeated, sealed};
use crate::{boot, call, handshakes};

/// Boots without end, with failures at any moment. A request is always answered, and no nonce comes twice.
#[test]
fn failures_cost_handshakes_and_nothing_else() {
    let (mut world, memory, mut dice) = (World::new(1), Memory::default(), Seeded(5));
    let pins = [world.pin()];
    let (mut requests, mut shaken) = (0, 0);
    for seed in 0..400 {
        if seed % 20 == 0 {
            world.end_all();
        }
        let mut device = boot(&mut world, &pins, memory.clone(), 1 + seed as u32 % 5, 1000 + seed);
        for _ in 0..dice.below(12) {
            memory.fails(match dice.below(8) {
                0 => Fault::Read,
                1 => Fault::WriteLost,
                2 => Fault::WriteDone,
                _ => Fault::None,
            });
            call(&mut device);
            requests += 1;
            if dice.once_in(40) {
                let _ = device.logout();
            }
        }
        shaken += handshakes(&mut device);
    }
    assert_eq!(repeated(), 0);
    assert!(sealed() > requests && shaken < requests / 2, "{} {requests} {shaken}", sealed());
}

/// While nothing can be saved, a session lasts as long as what might have been saved of it.
#[test]
fn without_its_storage_a_device_shakes_hands_once_in_a_block() {
    for (seed, fault) in [(1, Fault::WriteLost), (2, Fault::WriteDone)] {
        let (mut world, memory) = (World::new(seed), Memory::default());
        let pins = [world.pin()];
        memory.fails(fault);
        let mut device = boot(&mut world, &pins, memory.clone(), 4, 10 + seed);
        for requests in 1..=12 {
            call(&mut device);
            assert!(device.vault().failure().is_some());
            assert_eq!(handshakes(&mut device), (requests - 1) / 4 + 1, "{fault:?} {requests}");
        }
        drop(device);
        call(&mut boot(&mut world, &pins, memory.clone(), 4, 20 + seed));
        assert_eq!(repeated(), 0);
    }
}

/// What the format cannot tell: old bytes are authentic. A device whose storage is rolled back seals with nonces that it has
/// used, and only somebody who remembers them knows. Such storage must not hold a session.
#[test]
fn a_rollback_repeats_nonces() {
    let (mut world, memory) = (World::new(1), Memory::default());
    let pins = [world.pin()];
    call(&mut boot(&mut world, &pins, memory.clone(), 4, 1));
    let old = memory.bytes();
    call(&mut boot(&mut world, &pins, memory.clone(), 4, 2));
    assert_eq!(repeated(), 0);
    memory.put(&old);
    let mut device = boot(&mut world, &pins, memory.clone(), 4, 3);
    let mut buffer = [0; 2048];
    let get = dynamic_key::request::Request::get("/countries/get");
    let _ = device.request(dynamic_key::session::Now::UNKNOWN, &get, &mut buffer);
    assert_eq!(
        repeated(),
        1,
        "the gateway refuses the second message; who has both on the wire does not need it"
    );
}

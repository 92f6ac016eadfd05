//! The store of agreements: what it finds, commits and gives out.

use crate::ends::{Host, Pair, REFERENCE, after, config, request};
use crate::support::{START, Soft};
use dynamic_key::gateway::agreements::FieldRecord;
use dynamic_key::gateway::{AgreementStore, FixedAgreements, StoreError};
use dynamic_key::nonce::limit;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{Mode, ServerAgreement};

type Store<const N: usize> = FixedAgreements<Soft, N>;

fn agreement() -> ServerAgreement<Soft> {
    let (_, _, text) = request(&config(Mode::Confirmed, &Scheme::ELLIPTIC), 5);
    Host::new(Mode::Confirmed).answer(&text).unwrap().1
}

#[test]
fn it_keeps_what_lives_and_displaces_nothing() {
    let mut store = Store::<1>::new();
    assert_eq!(store.find(REFERENCE, START).err(), Some(StoreError::Unknown));
    store.insert(agreement(), START).unwrap();
    let handle = store.find(REFERENCE, after(299)).unwrap();
    assert_eq!(store.agreement(&handle).unwrap().id(), REFERENCE);
    assert_eq!(store.find(&REFERENCE[1..], START).err(), Some(StoreError::Unknown));
    assert_eq!(store.insert(agreement(), after(299)), Err(StoreError::Unavailable));
    // Its end has come: it is unknown, its place is free, and the old handle is nobody's.
    assert_eq!(store.find(REFERENCE, after(300)).err(), Some(StoreError::Unknown));
    assert!(store.agreement(&handle).is_none());
    store.insert(agreement(), after(200)).unwrap();
    assert!(store.agreement(&handle).is_none());
    assert_eq!(store.commit(&handle, &[0]), Err(StoreError::Ended));
    assert_eq!(store.reserve(&handle, 1, 1).err(), Some(StoreError::Ended));
    store.end("another");
    assert!(store.find(REFERENCE, START).is_ok());
    store.end(REFERENCE);
    assert_eq!(store.find(REFERENCE, START).err(), Some(StoreError::Unknown));
}

#[test]
fn counters_are_committed_together_or_not_at_all() {
    let mut store = Store::<2>::new();
    store.insert(Pair::new(Mode::Pinned, Scheme::EcAes2).server, START).unwrap();
    let handle = store.find(REFERENCE, START).unwrap();
    assert_eq!(store.commit(&handle, &[]), Ok(()));
    assert_eq!(store.commit(&handle, &[3, 1]), Ok(()));
    for replayed in [&[3][..], &[1], &[5, 3], &[1, 5], &[5, 5], &[200, 5, 200], &[u64::MAX]] {
        assert_eq!(store.commit(&handle, replayed), Err(StoreError::Replayed), "{replayed:?}");
    }
    assert_eq!(store.commit(&handle, &[5, 2, 200]), Ok(()), "none of those had taken one");
    // 200 moved the window on: 64 wide.
    assert_eq!(store.commit(&handle, &[136]), Err(StoreError::Replayed));
    assert_eq!(store.commit(&handle, &[137]), Ok(()));
}

#[test]
fn counters_and_blocks_end() {
    let mut record = FieldRecord::<2>::new();
    let most = u32::try_from(limit::MESSAGES).unwrap();
    assert_eq!(record.reserve(most + 1, 0).err(), Some(StoreError::Exhausted));
    assert!(record.reserve(most - 1, 0).is_ok());
    assert_eq!(record.reserve(2, 0).err(), Some(StoreError::Exhausted));
    assert!(record.reserve(1, 0).is_ok());
    assert_eq!(record.reserve(1, 0).err(), Some(StoreError::Exhausted));
    let mut record = FieldRecord::<2>::new();
    assert_eq!(record.reserve(1, limit::BLOCKS + 1).err(), Some(StoreError::Exhausted));
    assert!(record.reserve(1, limit::BLOCKS).is_ok());
    assert_eq!(record.reserve(1, 1).err(), Some(StoreError::Exhausted));
}

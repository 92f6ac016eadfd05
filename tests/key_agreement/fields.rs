//! Sealed fields: bound to their call and their name, each good for one call, all of a call or none.

use crate::ends::{Pair, REFERENCE};
use crate::support::{START, Soft};
use dynamic_key::field::{Call, is_field_name, sealed_len};
use dynamic_key::gateway::{AgreementStore, FixedAgreements, StoreError};
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{Agreement, FieldCounters, Mode, Now, ServerAgreement};
use dynamic_key::{Error, Misuse, Peer};
use serde_json::{Value, json};

fn login() -> Call<'static> {
    Call::new("POST", "/rest/login").unwrap()
}

#[derive(Debug, PartialEq)]
enum Failed {
    Open(Error),
    Store(StoreError),
}

const FORGED: Failed = Failed::Open(Error::Peer(Peer::Authentication));
const MALFORMED: Failed = Failed::Open(Error::Peer(Peer::Malformed));
const REPLAYED: Failed = Failed::Store(StoreError::Replayed);

/// A client, and a server with its store.
struct World {
    pair: Pair,
    store: FixedAgreements<Soft, 1>,
}

impl World {
    fn new() -> Self {
        let (pair, twin) = (Pair::new(Mode::Pinned, Scheme::EcAes2), Pair::new(Mode::Pinned, Scheme::EcAes2));
        let mut store = FixedAgreements::new();
        store.insert(twin.server, START).unwrap();
        Self { pair, store }
    }

    /// What a gateway does with a call: the plaintexts, all of them committed, or why there are none.
    fn serve<const N: usize>(
        &mut self,
        call: &mut Call<'_>,
        names: &[&str; N],
        body: &Value,
    ) -> Result<[Option<String>; N], Failed> {
        let mut body = body.to_string().into_bytes();
        let handle = self.store.find(REFERENCE, START).map_err(Failed::Store)?;
        let agreement = self.store.agreement(&handle).unwrap();
        let opened = agreement.open(&mut self.pair.host, call, names, &mut body).map_err(|error| {
            assert!(body.iter().all(|byte| *byte == 0), "erased");
            Failed::Open(error)
        })?;
        self.store.commit(&handle, opened.counters()).map_err(Failed::Store)?;
        let places = opened.committed(call);
        Ok(places.map(|place| place.map(|place| String::from_utf8(body[place].to_vec()).unwrap())))
    }

    fn seal(&mut self, call: &mut Call<'_>, name: &str, value: &str) -> String {
        self.pair.seal(call, name, value)
    }
}

#[test]
fn a_field_is_bound_to_all_that_it_belongs_to() {
    let mut world = World::new();
    let sealed = world.seal(&mut login(), "password", "secret");
    for (method, path, name) in [
        ("PUT", "/rest/login", "password"),
        ("POST", "/rest/login/", "password"),
        ("POST", "/rest/Login", "password"),
        ("POST", "/rest/login", "Password"),
        ("POST", "/rest/login", "pin"),
    ] {
        let mut call = Call::new(method, path).unwrap();
        assert_eq!(
            world.serve(&mut call, &[name], &json!({ name: sealed })),
            Err(FORGED),
            "{method} {path} {name}"
        );
    }
    // Not at the top level, or none at all.
    for body in [json!({}), json!({ "in": { "password": sealed } })] {
        assert_eq!(world.serve(&mut login(), &["password"], &body), Ok([None]));
    }
    for value in [
        json!(null),
        json!(1),
        json!([sealed]),
        json!(""),
        json!("secret"),
        json!(sealed.to_lowercase() + "!"),
    ] {
        let failed = world.serve(&mut login(), &["password"], &json!({ "password": value }));
        assert_eq!(failed, Err(MALFORMED), "{value}");
    }
    let opened = world.serve(&mut login(), &["password"], &json!({ "password": sealed }));
    assert_eq!(opened, Ok([Some("secret".into())]), "none of that took its counter");
}

#[test]
fn every_byte_of_a_field() {
    let mut world = World::new();
    let sealed = world.seal(&mut login(), "password", "secret");
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut altered = sealed.clone().into_bytes();
            altered[at] ^= 1 << bit;
            let Ok(altered) = String::from_utf8(altered) else { continue };
            let failed =
                world.serve(&mut login(), &["password"], &json!({ "password": altered })).unwrap_err();
            assert!(failed == FORGED || failed == MALFORMED, "{failed:?} at {at}");
        }
        let cut = &sealed[..at];
        let failed = world.serve(&mut login(), &["password"], &json!({ "password": cut })).unwrap_err();
        assert!(failed == FORGED || failed == MALFORMED, "{failed:?} at {at}");
    }
    let escaped =
        format!("{{\"p\\u0061ssword\":\"{}\"}}", sealed.replace('/', "\\/").replace('=', "\\u003d"));
    let body: Value = serde_json::from_str(&escaped).unwrap();
    assert_eq!(world.serve(&mut login(), &["password"], &body), Ok([Some("secret".into())]));
}

/// The text of the body may be escaped in any way.
#[test]
fn escapes_are_read() {
    let mut world = World::new();
    let sealed = world.seal(&mut login(), "password", "secret");
    let text: String = sealed.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let mut body = format!("{{ \"p\\u0061ssword\" : \"{text}\" }}").into_bytes();
    let opened = world.pair.server.open(&mut world.pair.host, &login(), &["password"], &mut body).unwrap();
    let [place] = opened.committed(&mut login());
    assert_eq!(&body[place.unwrap()], b"secret");
}

#[test]
fn a_field_is_good_for_one_call() {
    let mut world = World::new();
    let sealed = world.seal(&mut login(), "password", "secret");
    let body = json!({ "password": sealed });
    assert!(world.serve(&mut login(), &["password"], &body).is_ok());
    assert_eq!(world.serve(&mut login(), &["password"], &body), Err(REPLAYED));
    // Out of order within the window, each once.
    let sealed: Vec<_> = (0..64).map(|_| world.seal(&mut login(), "password", "x")).collect();
    for sealed in sealed.iter().rev() {
        assert!(world.serve(&mut login(), &["password"], &json!({ "password": sealed })).is_ok());
    }
    for sealed in &sealed {
        assert_eq!(world.serve(&mut login(), &["password"], &json!({ "password": sealed })), Err(REPLAYED));
    }
}

#[test]
fn all_fields_of_a_call_or_none() {
    let mut world = World::new();
    let mut call = login();
    let (password, pin) = (world.seal(&mut call, "password", "secret"), world.seal(&mut call, "pin", "0000"));
    let mut spoilt = pin.clone().into_bytes();
    spoilt[20] = if spoilt[20] == b'A' { b'B' } else { b'A' };
    let spoilt = String::from_utf8(spoilt).unwrap();
    let names = ["password", "pin"];
    for body in [
        json!({ "password": password, "pin": spoilt }),
        json!({ "password": password, "pin": "secret" }),
        json!({ "password": password, "pin": password }),
        json!({ "password": pin, "pin": password }),
        json!({ "password": password, "pin": null }),
    ] {
        let failed = world.serve(&mut login(), &names, &body).unwrap_err();
        assert!(failed == FORGED || failed == MALFORMED, "{failed:?} for {body}");
    }
    let both = json!({ "password": password, "pin": pin });
    let opened = world.serve(&mut login(), &names, &both);
    assert_eq!(opened, Ok([Some("secret".into()), Some("0000".into())]), "nothing was committed before");

    // One field is new and one is a replay: the new one is not committed.
    let mut call = login();
    let new = world.seal(&mut call, "password", "again");
    assert_eq!(world.serve(&mut login(), &names, &json!({ "password": new, "pin": pin })), Err(REPLAYED));
    assert_eq!(
        world.serve(&mut login(), &names, &json!({ "password": new })),
        Ok([Some("again".into()), None])
    );
}

/// A call has one field under a counter, whoever sealed it.
#[test]
fn one_counter_twice_in_one_call() {
    let mut world = World::new();
    let mut twin = Pair::new(Mode::Pinned, Scheme::EcAes2); // the same keys, and the same counter
    let (password, pin) =
        (world.seal(&mut login(), "password", "secret"), twin.seal(&mut login(), "pin", "0000"));
    let body = json!({ "password": password, "pin": pin });
    assert_eq!(world.serve(&mut login(), &["password", "pin"], &body), Err(REPLAYED));
    assert!(world.serve(&mut login(), &["password"], &body).is_ok());
}

/// Seals fields of a response.
fn answer(
    agreement: &ServerAgreement<Soft>,
    host: &mut Soft,
    counters: &mut FieldCounters,
    call: &Call<'_>,
    status: u16,
    fields: &[(&str, &str)],
) -> Value {
    let mut body = json!({});
    for (name, value) in fields {
        let mut text = vec![0; sealed_len(value.len())];
        text[..value.len()].copy_from_slice(value.as_bytes());
        let length = agreement.seal(host, counters, call, status, name, &mut text, value.len()).unwrap();
        assert_eq!(length, text.len());
        body[name] = json!(str::from_utf8(&text).unwrap());
    }
    body
}

fn open<const N: usize>(
    (client, device): (&mut Agreement<Soft>, &mut Soft),
    call: &mut Call<'_>,
    status: u16,
    names: &[&str; N],
    body: &Value,
) -> Result<[Option<String>; N], Error> {
    let mut body = body.to_string().into_bytes();
    let places = client.open(device, call, status, names, &mut body)?;
    Ok(places.map(|place| place.map(|place| String::from_utf8(body[place].to_vec()).unwrap())))
}

#[test]
fn a_response_answers_its_call() {
    let Pair { mut client, server, mut device, mut host } = Pair::new(Mode::Confirmed, Scheme::EcAes1);
    let mut counters = FieldCounters::new(0, 3);
    let mut sealed = |client: &mut Agreement<Soft>, device: &mut Soft| {
        let (mut call, mut text) = (login(), [0; 64]);
        let length = client.seal(device, Now::UNKNOWN, &mut call, "password", &mut text, 6).unwrap();
        let mut body =
            json!({ "password": str::from_utf8(&text[..length]).unwrap() }).to_string().into_bytes();
        let mut received = login();
        let opened = server.open(&mut host, &received, &["password"], &mut body).unwrap();
        let _ = opened.committed(&mut received);
        (call, received)
    };
    let (mut first, received) = sealed(&mut client, &mut device);
    let (mut second, _) = sealed(&mut client, &mut device);
    let fields = [("token", "s3cret"), ("hint", "")];
    let body = answer(&server, &mut host, &mut counters, &received, 200, &fields);

    let names = ["token", "hint"];
    let forged = Err(Error::Peer(Peer::Authentication));
    for status in [100, 199, 201, 401, 2000] {
        assert_eq!(open((&mut client, &mut device), &mut first, status, &names, &body), forged);
    }
    assert_eq!(open((&mut client, &mut device), &mut second, 200, &names, &body), forged, "another call's");
    assert_eq!(open((&mut client, &mut device), &mut login(), 200, &names, &body), forged, "no call's");
    let mut elsewhere = Call::new("GET", "/rest/login").unwrap();
    assert_eq!(open((&mut client, &mut device), &mut elsewhere, 200, &names, &body), forged);
    let swapped = json!({ "token": body["hint"], "hint": body["token"] });
    assert_eq!(open((&mut client, &mut device), &mut first, 200, &names, &swapped), forged);
    let half = json!({ "token": body["token"], "hint": body["token"] });
    assert_eq!(open((&mut client, &mut device), &mut first, 200, &names, &half), forged);

    let plain = ["s3cret", ""].map(|text| Some(text.to_owned()));
    assert_eq!(
        open((&mut client, &mut device), &mut first, 200, &names, &body),
        Ok(plain),
        "none took a counter"
    );
    assert_eq!(open((&mut client, &mut device), &mut first, 200, &names, &body), forged, "once");
    // A field of a request is none of a response.
    let own = Pair::new(Mode::Confirmed, Scheme::EcAes1).seal(&mut login(), "token", "s3cret");
    assert_eq!(
        open((&mut client, &mut device), &mut first, 200, &["token"], &json!({ "token": own })),
        Err(Peer::Authentication.into())
    );

    // A call without sealed fields can have an answer with some; the third counter is the last.
    let mut bare = Call::new("GET", "/rest/me").unwrap();
    let body = answer(&server, &mut host, &mut counters, &bare, 200, &[("token", "x")]);
    let opened = open((&mut client, &mut device), &mut bare, 200, &["token"], &body);
    assert_eq!(opened, Ok([Some("x".into())]));
    let outcome = server.seal(&mut host, &mut counters, &bare, 200, "token", &mut [0; 64], 1);
    assert_eq!(outcome, Err(Error::SessionExhausted));
    let mut past = FieldCounters::new(1 << 24, 1);
    let outcome = server.seal(&mut host, &mut past, &bare, 200, "token", &mut [0; 64], 1);
    assert_eq!(outcome, Err(Error::SessionExhausted));
}

#[test]
fn what_a_call_and_a_name_may_be() {
    let long = format!("/{}", "x".repeat(255));
    for (method, path) in [("GET", "/"), ("DELETE", "/a/b;c=1,%2F:~'()*+"), ("ABCDEFGHIJKLMNOP", &long)] {
        assert!(Call::new(method, path).is_ok());
    }
    let longer = format!("{long}x");
    for (method, path) in [
        ("", "/"),
        ("get", "/"),
        ("GET ", "/"),
        ("GE-T", "/"),
        ("ABCDEFGHIJKLMNOPQ", "/"),
        ("GET", ""),
        ("GET", "rest"),
        ("GET", "/a?b"),
        ("GET", "/a#b"),
        ("GET", "/a b"),
        ("GET", "/a\nb"),
        ("GET", "/ä"),
        ("GET", &longer),
    ] {
        assert_eq!(Call::new(method, path).map(|_| ()), Err(Misuse::InvalidRequest), "{method:?} {path:?}");
    }
    let name = "x".repeat(65);
    for name in ["", "a b", "a:b", "ä", "a/b", "a\0", &name] {
        assert!(!is_field_name(name), "{name:?}");
        let Pair { mut client, server, mut device, mut host } = Pair::new(Mode::Pinned, Scheme::EcAes2);
        let misuse = Error::Misuse(Misuse::InvalidRequest);
        let mut out = [0; 128];
        let now = Now::wall(START);
        assert_eq!(client.seal(&mut device, now, &mut login(), name, &mut out, 1), Err(misuse));
        assert_eq!(client.remaining(), 1 << 24, "nothing has changed");
        let mut counters = FieldCounters::new(0, 1);
        let outcome = server.seal(&mut host, &mut counters, &login(), 200, name, &mut out, 1);
        assert_eq!(outcome, Err(misuse));
        let mut body = b"{}".to_vec();
        assert_eq!(server.open(&mut host, &login(), &[name], &mut body).map(|_| ()), Err(misuse));
        assert_eq!(client.open(&mut device, &mut login(), 200, &[name], &mut body), Err(misuse));
        assert_eq!(body, b"{}");
    }
    for name in ["x", "A.b_c-9", &name[..64]] {
        assert!(is_field_name(name));
    }
}

#[test]
fn buffers_need_what_they_say() {
    let Pair { mut client, server, mut device, mut host } = Pair::new(Mode::Pinned, Scheme::EcAes2);
    let mut counters = FieldCounters::new(0, 100);
    for len in [0, 1, 2, 3, 11, 12, 13, 100] {
        let needed = sealed_len(len);
        let (mut out, now) = (vec![0; needed], Now::wall(START));
        let remaining = client.remaining();
        let outcome = client.seal(&mut device, now, &mut login(), "pin", &mut out[..needed - 1], len);
        assert_eq!((outcome, client.remaining()), (Err(Error::BufferTooSmall { needed }), remaining));
        assert_eq!(client.seal(&mut device, now, &mut login(), "pin", &mut out, len), Ok(needed));
        let outcome =
            server.seal(&mut host, &mut counters, &login(), 200, "pin", &mut out[..needed - 1], len);
        assert_eq!(outcome, Err(Error::BufferTooSmall { needed }));
        assert_eq!(server.seal(&mut host, &mut counters, &login(), 200, "pin", &mut out, len), Ok(needed));
    }
}

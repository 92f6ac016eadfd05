//! The client against a gateway in memory, over an honest link and over a hostile one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use dynamic_key::client::{Client, ClientError, NoAnswer};
use dynamic_key::crypto::software::{Pins, Software};
use dynamic_key::handshake::ClientConfig;
use dynamic_key::request::Request;
use dynamic_key::session::{ClientType, Mode, Now};
use dynamic_key::transport::{self, Response, Transport};
use dynamic_key::{Code, Error, Peer};
use support::{Link, Lost, Seeded, World};

fn config(mode: Mode) -> ClientConfig<'static> {
    ClientConfig {
        mode,
        ..ClientConfig::new(ClientType::Internal, "internal-web-client", "device-1", "server")
    }
}

#[test]
fn requests_are_answered_in_every_mode() {
    for mode in [Mode::Plain, Mode::Confirmed, Mode::Pinned] {
        let mut world = World::new(1);
        let pins = [world.pin()];
        let mut client: Client<_, _, _, 1024> =
            Client::new(config(mode), Software::new(Seeded(2)), Pins(&pins), Link::honest(&mut world))
                .unwrap();
        let mut buffer = [0; 4096];
        for _ in 0..3 {
            let request = Request { query: &[("q", "a b")], ..Request::get("/countries/get") };
            let answer = client.request(Now::UNKNOWN, &request, &mut buffer).unwrap();
            assert_eq!((answer.status, &*answer.body), (200, &br#"{"countries":["UY","PT"]}"#[..]));
        }
        let post = Request::post("/users/login", br#"{"user":"demo"}"#);
        assert_eq!(client.request(Now::UNKNOWN, &post, &mut buffer).unwrap().status, 200);
        assert_eq!(client.transport_mut().seen.len(), 5, "one handshake and four requests");
        drop(client);
        assert_eq!(world.upstream[0], ("GET".into(), "/countries/get?q=a%20b".into(), vec![]));
        assert_eq!(
            world.upstream[3],
            ("POST".into(), "/users/login?".into(), br#"{"user":"demo"}"#.to_vec())
        );
    }
}

#[test]
fn a_route_that_no_rule_admits_is_refused_sealed() {
    for mode in [Mode::Plain, Mode::Confirmed, Mode::Pinned] {
        let mut world = World::new(1);
        let pins = [world.pin()];
        let mut client: Client<_, _, _, 1024> =
            Client::new(config(mode), Software::new(Seeded(2)), Pins(&pins), Link::honest(&mut world))
                .unwrap();
        let mut buffer = [0; 4096];
        let outcome = client.request(Now::UNKNOWN, &Request::get("/admin"), &mut buffer);
        if mode == Mode::Plain {
            let refused = ClientError::Refused { code: Code::RouteNotAllowed, retry_after: None };
            assert_eq!(outcome.unwrap_err(), refused);
        } else {
            let answer = outcome.unwrap();
            assert_eq!((answer.status, answer.gateway_code()), (404, Some(Code::RouteNotAllowed)));
        }
        drop(client);
        assert!(world.upstream.is_empty());
    }
}

#[test]
fn a_gateway_that_lost_its_sessions_is_asked_anew() {
    let mut world = World::new(1);
    let pins = [world.pin()];
    let mut client: Client<_, _, _, 1024> =
        Client::new(config(Mode::Pinned), Software::new(Seeded(2)), Pins(&pins), Link::honest(&mut world))
            .unwrap();
    let mut buffer = [0; 4096];
    let get = Request::get("/countries/get");
    let post = Request::post("/users/login", b"{}");
    assert_eq!(client.request(Now::UNKNOWN, &get, &mut buffer).unwrap().status, 200);
    client.transport_mut().world.end_all();
    assert_eq!(client.request(Now::UNKNOWN, &get, &mut buffer).unwrap().status, 200);
    client.transport_mut().world.end_all();
    let unknown = ClientError::OutcomeUnknown { cause: NoAnswer::Unsealed(Code::InvalidSession) };
    assert_eq!(client.request(Now::UNKNOWN, &post, &mut buffer).unwrap_err(), unknown);
    assert_eq!(client.request(Now::UNKNOWN, &post, &mut buffer).unwrap().status, 200);
}

#[test]
fn an_impostor_is_refused_by_a_pinning_client() {
    let mut world = World::new(1);
    let pins = [World::new(99).pin()];
    let mut client: Client<_, _, _, 1024> =
        Client::new(config(Mode::Pinned), Software::new(Seeded(2)), Pins(&pins), Link::honest(&mut world))
            .unwrap();
    let outcome = client.ensure_session(Now::UNKNOWN, &mut [0; 4096]);
    assert_eq!(outcome.unwrap_err(), ClientError::Core(Error::Peer(Peer::Authentication)));
}

/// Answers from memory of its own, in the place of the caller's buffer.
struct Elsewhere<'w>(Link<'w>);

impl Transport for Elsewhere<'_> {
    type Error = Lost;

    fn send(&mut self, request: &transport::Request<'_>) -> Result<(), Lost> {
        self.0.send(request)
    }

    fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Response<'b>, Lost> {
        let response = self.0.receive(buffer)?;
        Ok(Response { body: response.body.to_vec().leak(), ..response })
    }
}

/// What was opened is handed out as a slice of the caller's buffer, so that it must stand there: nothing else is shown as an answer.
#[test]
fn an_answer_from_elsewhere_is_none() {
    for mode in [Mode::Plain, Mode::Confirmed] {
        let mut world = World::new(1);
        let link = Elsewhere(Link::honest(&mut world));
        let mut client: Client<_, _, _, 1024> =
            Client::new(config(mode), Software::new(Seeded(2)), Pins(&[]), link).unwrap();
        let mut buffer = [0; 4096];
        let get = client.request(Now::UNKNOWN, &Request::get("/countries/get"), &mut buffer);
        assert_eq!(get.unwrap_err(), ClientError::Core(Error::Peer(Peer::Authentication)));
        let post = client.request(Now::UNKNOWN, &Request::post("/users/login", b"{}"), &mut buffer);
        assert_eq!(post.unwrap_err(), ClientError::OutcomeUnknown { cause: NoAnswer::NotAuthentic });
    }
}

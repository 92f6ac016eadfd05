//! Messages over a WebSocket, with a client that is not ours.

use crate::listening::{PATIENCE, cursor, listen, patient, send, until, wait, with_limits};
use crate::server::demo;
use crate::support::{AUDIENCE, ONE, Party, Relay, Told, now, request, settings, token_at};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::identity::message::{self, Ask, Message as Sent};
use dynamic_key_gateway::config::Limits;
use dynamic_key_gateway::relay::Settings;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// A client, one step after another.
struct Socket {
    runtime: Runtime,
    stream: WebSocketStream<TcpStream>,
}

/// What came.
#[derive(Debug)]
enum Came {
    Answer(Told),
    /// With this code, or just so.
    Closed(Option<CloseCode>),
}

impl Socket {
    /// Opens one, or says with which status that was refused.
    fn open(relay: SocketAddr, token: Option<&str>) -> Result<Self, u16> {
        Self::open_with(relay, token, TcpSocket::new_v4().unwrap())
    }

    fn open_with(relay: SocketAddr, token: Option<&str>, socket: TcpSocket) -> Result<Self, u16> {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let mut request = "ws://relay/v1/messages/ws".into_client_request().unwrap();
        if let Some(token) = token {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let opened =
            runtime.block_on(async { client_async(request, socket.connect(relay).await.unwrap()).await });
        match opened {
            Ok((stream, response)) => {
                assert_eq!(response.status(), 101);
                Ok(Self { runtime, stream })
            }
            Err(Error::Http(response)) => {
                let text = response.body().as_deref().unwrap_or_default();
                let json: Value = serde_json::from_slice(text).unwrap();
                assert_eq!(json["status"], response.status().as_u16(), "the common answer");
                Err(response.status().as_u16())
            }
            Err(other) => panic!("{other}"),
        }
    }

    /// Opens one and says who listens.
    fn listen(relay: &Relay, party: &mut Party, ask: &Ask) -> Self {
        let mut socket = Self::open(relay.address(), Some(&relay.one)).unwrap();
        socket.say(listen(party, ask).body);
        socket
    }

    fn say(&mut self, text: impl Into<String>) {
        self.send(Message::text(text.into()));
    }

    fn send(&mut self, message: Message) {
        self.runtime.block_on(self.stream.send(message)).unwrap();
    }

    /// The next frame.
    fn frame(&mut self) -> Option<Result<Message, Error>> {
        let next = async { tokio::time::timeout(PATIENCE, self.stream.next()).await };
        self.runtime.block_on(next).expect("in time")
    }

    /// What comes next, but for pings, which are answered.
    fn next(&mut self) -> Came {
        loop {
            match self.frame() {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Text(text))) => {
                    let json: Value = serde_json::from_str(&text).unwrap();
                    let status = json["status"].as_u64().unwrap().try_into().unwrap();
                    return Came::Answer(Told { status, json, retry_after: None });
                }
                Some(Ok(Message::Close(frame))) => return Came::Closed(frame.map(|frame| frame.code)),
                None | Some(Err(_)) => return Came::Closed(None),
                Some(Ok(other)) => panic!("{other:?}"),
            }
        }
    }

    #[track_caller]
    fn answer(&mut self) -> Told {
        match self.next() {
            Came::Answer(told) => told,
            Came::Closed(code) => panic!("closed: {code:?}"),
        }
    }

    /// A page of messages.
    #[track_caller]
    fn page(&mut self) -> Told {
        let told = self.answer();
        told.ok(20_022);
        told
    }

    #[track_caller]
    fn is_closed(&mut self, code: CloseCode) {
        match self.next() {
            Came::Closed(closed) => assert_eq!(closed, Some(code)),
            Came::Answer(told) => panic!("{told:?}"),
        }
    }
}

/// Where there is one place to listen: whether it is taken.
fn is_taken(relay: &Relay) -> bool {
    match Socket::open(relay.address(), Some(&relay.one)) {
        Ok(_) => false,
        Err(status) => {
            assert_eq!(status, 503);
            true
        }
    }
}

#[test]
fn nobody_gets_one_without_a_token() {
    let relay = Relay::start();
    let open = |token| Socket::open(relay.address(), token).err();
    assert_eq!((open(None), open(Some("x")), open(Some("a.b.c"))), (Some(401), Some(401), Some(401)));
    let expired = token_at("one-key", ONE, AUDIENCE, now() - 1_000);
    assert_eq!((open(Some(&expired)), open(Some(&relay.one))), (Some(401), None));
    // What is no WebSocket's is refused as anything else.
    relay.send("GET", "/v1/messages/ws", Some(&relay.one), "").refused(400, 40_001);
    relay.send("GET", "/v1/messages/ws", None, "").refused(401, 40_101);
}

#[test]
fn first_an_identity_proves_itself() {
    let relay = Relay::start();
    let mut bob = relay.join();
    let none = Ask::default();
    let good = listen(&mut bob, &none).body;
    let fetch = bob.ask(now(), |author, out| message::fetch(author, &none, out)).body;
    let old = bob.ask(now() - 1_000, |author, out| message::listen(author, &none, out)).body;
    let cursor = dynamic_key::identity::response::Cursor::new("0000000000000001").unwrap();
    let back = listen(&mut bob, &Ask { last: Some(cursor), ..none }).body;
    let message = bob.message("somebody", "1").body;
    for (text, token, status, code) in [
        ("", &relay.one, 400, 40_001),
        ("{}", &relay.one, 400, 40_001),
        (&message, &relay.one, 400, 40_001),
        (&back, &relay.one, 400, 40_001),
        (&fetch, &relay.one, 400, 40_002),
        (&old, &relay.one, 400, 40_003),
        (&good, &relay.other, 403, 40_302),
        (&good.replace("\"}", "A\"}"), &relay.one, 400, 40_001),
    ] {
        let mut socket = Socket::open(relay.address(), Some(token)).unwrap();
        socket.say(text);
        socket.answer().refused(status, code);
        socket.is_closed(CloseCode::Policy);
    }
    let mut socket = Socket::open(relay.address(), Some(&relay.one)).unwrap();
    socket.say(good);
    assert!(socket.page().ids().is_empty(), "an empty page says that it has");
}

#[test]
fn who_does_not_say_who_it_is_is_sent_away() {
    let limits = Limits { request: Duration::from_secs(1), ..demo().limits };
    let relay = with_limits(settings(), limits);
    let mut socket = Socket::open(relay.address(), Some(&relay.one)).unwrap();
    // A pong is no answer.
    socket.send(Message::Pong(Vec::new().into()));
    socket.is_closed(CloseCode::Policy);
}

#[test]
fn what_is_kept_comes_page_by_page_and_then_what_comes() {
    let relay = Relay::start();
    let (mut alice, mut bob) = (relay.join(), relay.join());
    for id in ["1", "2", "3", "4", "5"] {
        send(&relay, &mut alice, &bob, id);
    }
    let mut socket = Socket::listen(&relay, &mut bob, &Ask { limit: Some(2), ..Ask::default() });
    for (ids, more) in [(vec!["5", "4"], true), (vec!["3", "2"], true), (vec!["1"], false)] {
        let page = socket.page();
        assert_eq!(
            (page.ids(), &page.json["continue"]),
            (ids.iter().map(ToString::to_string).collect(), &more.into())
        );
    }
    send(&relay, &mut bob, &alice, "other");
    for id in ["6", "7"] {
        send(&relay, &mut alice, &bob, id);
        let page = socket.page();
        assert_eq!(page.ids(), [id]);
        assert_eq!(page.json["first"], page.json["last"]);
    }
    drop(socket);
    // Another one goes on where that one was.
    let told = wait(&relay, &mut bob, None, 0);
    send(&relay, &mut alice, &bob, "8");
    let ask = Ask { first: cursor(&told, "first"), ..Ask::default() };
    assert_eq!(Socket::listen(&relay, &mut bob, &ask).page().ids(), ["8"]);
}

/// One sends as fast as it can while others come, each in the middle of it.
#[test]
fn none_is_lost_or_twice_between_what_is_kept_and_what_comes() {
    const COUNT: usize = 100;
    let relay = Relay::start();
    let (mut alice, bob) = (relay.join(), relay.join());
    thread::scope(|scope| {
        let (relay, to) = (&relay, &bob);
        let sender =
            scope.spawn(move || (0..COUNT).for_each(|id| send(relay, &mut alice, to, &id.to_string())));
        let listeners: Vec<_> = (0..6)
            .map(|number| {
                let mut bob = bob.clone();
                scope.spawn(move || {
                    // When so many are there; pages of three make what is kept take long.
                    until("some are there", || wait(relay, &mut bob, None, 1).ids().len() >= number * 5);
                    let mut socket =
                        Socket::listen(relay, &mut bob, &Ask { limit: Some(3), ..Ask::default() });
                    let mut ids: Vec<usize> = Vec::new();
                    while ids.len() < COUNT {
                        ids.extend(socket.page().ids().iter().map(|id| id.parse::<usize>().unwrap()));
                    }
                    ids.sort_unstable();
                    ids
                })
            })
            .collect();
        sender.join().unwrap();
        for listener in listeners {
            assert_eq!(listener.join().unwrap(), (0..COUNT).collect::<Vec<_>>());
        }
    });
}

#[test]
fn it_sends_too_and_every_answer_is_that_of_a_request() {
    let relay = Relay::start();
    let (mut alice, mut bob) = (relay.join(), relay.join());
    let mut to_bob = Socket::listen(&relay, &mut bob, &Ask::default());
    let mut from_alice = Socket::listen(&relay, &mut alice, &Ask::default());
    assert!(to_bob.page().ids().is_empty() && from_alice.page().ids().is_empty());
    let first = alice.message(bob.me.address(), "1").body;
    let late = alice.ask(now(), |author, out| {
        let expires = Timestamp::from_unix_secs(now() - 1);
        Sent { to: bob.me.address(), id: "x", expires, body: "a" }.begin(author, out)
    });
    let nobody = alice.message("nobody", "y").body;
    let second = alice.message(bob.me.address(), "2").body;
    for text in [&first, &late.body, &first, "{}", "", &nobody, r#"{"messages":[]}"#, &second] {
        from_alice.say(text);
    }
    let sent = 20_021;
    from_alice.answer().ok(sent);
    from_alice.answer().refused(400, 40_005);
    from_alice.answer().ok(sent);
    from_alice.answer().refused(400, 40_001);
    from_alice.answer().refused(400, 40_001);
    from_alice.answer().refused(404, 40_403);
    from_alice.answer().refused(400, 40_001);
    let told = from_alice.answer();
    assert!(told.ok(sent)["body"].is_null(), "what has a body is a page");
    assert_eq!((to_bob.page().ids(), to_bob.page().ids()), (vec!["1".into()], vec!["2".into()]));
    // To itself, too: the answer and the page come one after the other.
    let own = alice.me.address().to_owned();
    from_alice.say(alice.message(&own, "3").body);
    let came = [from_alice.answer(), from_alice.answer()];
    assert!(came.iter().any(|told| told.json["code"] == sent));
    assert!(came.iter().any(|told| told.json["code"] == 20_022 && told.ids() == ["3"]));
}

#[test]
fn what_is_no_text_or_too_large_ends_it() {
    let relay = Relay::with(Settings { body_bytes: 4096, ..settings() });
    let mut bob = relay.join();
    let mut open = || {
        let mut socket = Socket::listen(&relay, &mut bob, &Ask::default());
        socket.page();
        socket
    };
    let mut socket = open();
    socket.send(Message::binary(vec![1, 2, 3]));
    socket.is_closed(CloseCode::Unsupported);
    let mut socket = open();
    socket.say("x".repeat(4096));
    socket.answer().refused(400, 40_001);
    socket.say("x".repeat(4097));
    assert!(matches!(socket.next(), Came::Closed(_)));
    let mut socket = open();
    socket.runtime.block_on(socket.stream.close(None)).unwrap();
    assert!(matches!(socket.next(), Came::Closed(_)));
}

#[test]
fn pings_are_answered_and_sent() {
    let relay = Relay::with(Settings { ping_seconds: 1, listeners: 1, ..settings() });
    let mut bob = relay.join();
    let mut socket = Socket::listen(&relay, &mut bob, &Ask::default());
    socket.page();
    socket.send(Message::Ping(vec![7; 5].into()));
    let (mut pings, mut pongs) = (0, 0);
    while pings < 4 || pongs < 1 {
        match socket.frame().unwrap().unwrap() {
            Message::Ping(_) => pings += 1,
            Message::Pong(payload) => {
                assert_eq!(payload.as_ref(), [7; 5]);
                pongs += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(is_taken(&relay), "who answers stays");
}

#[test]
fn who_is_silent_loses_its_place_and_so_does_who_goes() {
    let relay = Relay::with(Settings { ping_seconds: 1, listeners: 1, ..settings() });
    let mut bob = relay.join();
    let mut socket = Socket::listen(&relay, &mut bob, &Ask::default());
    socket.page();
    assert!(is_taken(&relay));
    // It reads nothing any more, so that it answers no ping.
    until("it is closed", || !is_taken(&relay));
    assert!(matches!(socket.next(), Came::Closed(_)));
    let mut socket = None;
    until("there is a place", || {
        socket = Socket::open(relay.address(), Some(&relay.one)).ok();
        socket.is_some()
    });
    assert!(is_taken(&relay));
    drop(socket);
    until("it is gone", || !is_taken(&relay));
}

#[test]
fn who_does_not_read_is_cut_off_and_finds_everything_where_it_was() {
    const COUNT: usize = 160;
    let limits = Limits { request: Duration::from_secs(3), ..demo().limits };
    let relay = with_limits(Settings { ping_seconds: 3_600, listeners: 1, ..settings() }, limits);
    let (mut alice, mut bob) = (relay.join(), relay.join());
    let (body, expires) = ("x".repeat(40_000), Timestamp::from_unix_secs(now() + 600));
    for id in 0..COUNT {
        let (to, id) = (bob.me.address(), id.to_string());
        let room = Box::leak(vec![0; 1 << 17].into_boxed_slice());
        let author =
            dynamic_key::identity::Author { kid: &alice.me, issued_at: Timestamp::from_unix_secs(now()) };
        let message = Sent { to, id: &id, expires, body: &body };
        let sent = message.begin(&author, room).unwrap().sign([&mut alice.signer]).unwrap();
        relay.call(&sent).ok(20_021);
    }
    let ask = Ask { limit: Some(100), ..Ask::default() };
    let small = TcpSocket::new_v4().unwrap();
    // What is not read fills it soon.
    small.set_recv_buffer_size(4096).unwrap();
    let mut stuck = Socket::open_with(relay.address(), Some(&relay.one), small).unwrap();
    stuck.say(listen(&mut bob, &ask).body);
    assert!(is_taken(&relay));
    until("it has lost it", || !is_taken(&relay));
    drop(stuck);
    let mut socket = None;
    until("there is a place", || {
        socket = Socket::open(relay.address(), Some(&relay.one)).ok();
        socket.is_some()
    });
    let mut socket = socket.unwrap();
    socket.say(listen(&mut bob, &ask).body);
    let mut count = 0;
    while count < COUNT {
        count += socket.page().messages().len();
    }
    assert_eq!(count, COUNT);
}

#[test]
fn the_end_of_the_relay_is_its_end() {
    let mut relay = patient(settings());
    let (mut alice, mut bob) = (relay.join(), relay.join());
    let mut proven = Socket::listen(&relay, &mut bob, &Ask::default());
    proven.page();
    let mut unproven = Socket::open(relay.address(), Some(&relay.one)).unwrap();
    let mut other = Socket::listen(&relay, &mut alice, &Ask::default());
    other.page();
    let started = Instant::now();
    relay.gateway.stop();
    for socket in [&mut proven, &mut unproven, &mut other] {
        socket.is_closed(CloseCode::Away);
    }
    relay.gateway.join();
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
}

#[test]
fn a_key_that_is_replaced_and_a_time_that_is_over_end_it() {
    let relay = Relay::start();
    let mut bob = relay.join();
    let mut socket = Socket::listen(&relay, &mut bob, &Ask::default());
    socket.page();
    let mut next = Party::new();
    relay.call(&request(&bob.rotation(&mut next, now()))).ok(20_014);
    socket.answer().refused(409, 40_901);
    socket.is_closed(CloseCode::Policy);

    let relay = Relay::with(Settings { socket_seconds: 1, ..settings() });
    let mut bob = relay.join();
    let mut socket = Socket::listen(&relay, &mut bob, &Ask::default());
    socket.page();
    socket.is_closed(CloseCode::Away);
}

#[test]
fn what_it_is_told_is_no_secret_of_another() {
    let relay = Relay::start();
    let (mut alice, bob, mut carol) = (relay.join(), relay.join(), relay.join());
    let mut socket = Socket::listen(&relay, &mut carol, &Ask::default());
    socket.page();
    send(&relay, &mut alice, &bob, "to-bob");
    send(&relay, &mut alice, &carol, "to-carol");
    let page = socket.page();
    assert_eq!(page.ids(), ["to-carol"]);
    assert!(!page.json.to_string().contains(bob.me.address()));
    assert_eq!(page.json["body"].as_array().map(Vec::len), Some(1));
}

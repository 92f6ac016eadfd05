//! Whole exchanges as foreign peers spell them: handshakes through both machines, requests through the gateway.

use crate::door::Door;
use crate::peer::{Accepted, ClientEnd, Policy, nonce_of};
use crate::support::{AUDIENCE, START, Script, Seeded, head_of};
use crate::vector::{Members, key_of, load};
use dynamic_key::agreement::schedule::Schedule;
use dynamic_key::agreement::transcript::{Binding, ClientFields, ServerFields, Transcript};
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::Provider;
use dynamic_key::crypto::software::Software;
use dynamic_key::envelope::introduce;
use dynamic_key::gateway::{Allowlist, FixedStore, Gateway, TokenKey};
use dynamic_key::scheme::{NameList, Scheme};
use dynamic_key::session::{Mode, Now};
use serde_json::Value;

/// The data, nonce and identity of an envelope, however it is spelled.
fn parts(text: &[u8]) -> [Value; 3] {
    let mut envelope: Value = serde_json::from_slice(text).unwrap();
    ["nonce", "data", "identity"].map(|member| envelope[member].take())
}

/// The gateway shakes hands, opens every request in one session, and seals every response as the vector has it.
fn gateway_follows(exchange: &Value, policy: &Policy) {
    let plain = exchange.text("mode") == "plain";
    let mut session = Door::new(exchange, policy.clone(), 0, &[0; 8]);
    for request in exchange.list("requests") {
        let response = &request["response"];
        let status = u16::try_from(response.number("status")).unwrap();
        let (text, body) = (request.text("text").as_bytes(), response.bytes("plaintext"));
        let nonce = nonce_of(response.text("text"));
        let instance = u32::from_be_bytes(nonce.prefix());
        let mut door = Door::new(exchange, policy.clone(), instance, &nonce.counter().to_be_bytes());
        let (asked, reply) = door.ask(text, (status, &body));
        assert_eq!(asked.as_ref(), Some(&request["expect"]));
        assert_eq!((reply.status, reply.code), (status, None));
        assert_eq!(parts(&reply.body), parts(response.text("text").as_bytes()));
        if !plain {
            let (asked, _) = session.ask(text, (status, &body));
            assert_eq!(asked.as_ref(), Some(&request["expect"]), "all in one session");
        }
    }
}

/// The client shakes hands, seals every request as the vector has it where it comes to that counter, and opens every
/// response.
fn client_follows(exchange: &Value) -> Option<()> {
    let answer = &exchange["answer"];
    let pins = exchange.get("serverIdentity").map(|identity| key_of(&identity["jwk"]));
    let hello = exchange["hello"].text("text");
    let mode = exchange.text("mode");
    let end = ClientEnd::new(mode, exchange.hex("clientPrivate"), hello, pins.into_iter().collect())?;
    let Accepted { mut session, mut provider, introduction } =
        end.accept(200, answer.text("text").as_bytes()).unwrap();
    let expected = &answer["expect"];
    assert_eq!(session.facts().id(), expected.text("sessionId"));
    assert_eq!(session.facts().token(), expected.text("token"));
    let scheme = expected.get("scheme").map_or("SCHEME-EC-AES2", |scheme| scheme.as_str().unwrap());
    assert_eq!((session.facts().scheme().name(), session.facts().mode()), (scheme, end.mode()));
    for request in exchange.list("requests") {
        let (plaintext, text) = (request.bytes("plaintext"), request.text("text"));
        let mut buffer = vec![0; 8192];
        loop {
            buffer[..plaintext.len()].copy_from_slice(&plaintext);
            let (length, sealed) =
                session.seal(&mut provider, Now::UNKNOWN, &mut buffer, plaintext.len()).unwrap();
            if sealed.nonce() == nonce_of(text) {
                let length = match &introduction {
                    Some(signature) => introduce(&mut buffer, length, signature).unwrap(),
                    None => length,
                };
                assert_eq!(parts(&buffer[..length]), parts(text.as_bytes()));
                break;
            }
            // Foreign clients draw nonces of plain mode as they like, and nothing binds a response to one.
            if end.mode() == Mode::Plain {
                break;
            }
            session.abandon(&sealed);
            assert!(sealed.nonce() < nonce_of(text));
        }
        let response = &request["response"];
        let mut text = response.text("text").as_bytes().to_vec();
        let status = u16::try_from(response.number("status")).unwrap();
        assert_eq!(session.open(&mut provider, status, &mut text).unwrap(), response.bytes("plaintext"));
    }
    Some(())
}

#[test]
fn exchanges() {
    let vectors = load("messages.json");
    let policy = Policy::of(&vectors["gateway"], None);
    let mut clients = vec![];
    for exchange in vectors.list("exchanges") {
        println!("{}", exchange.text("name"));
        gateway_follows(exchange, &policy);
        if client_follows(exchange).is_none() {
            clients.push(exchange.text("name"));
        }
    }
    assert_eq!(vectors.list("exchanges").len(), 10);
    let others = [
        "confirmed, EC-AES1, reordered, escaped, spread over lines",
        "pinned, EC-AES2, unknown members to the deepest level",
        "confirmed, EC-AES2, everything at its limit",
    ];
    assert_eq!(clients, others, "whose hellos ours could not have sent: features, unknown names");
}

/// The proof that a gateway gives to a hello that says `expect`, from the client's end.
fn proof_for(expect: &Value, answer: &Value) -> Vec<u8> {
    let names = |names: Vec<&str>| {
        let mut list = NameList::new();
        names.into_iter().for_each(|name| list.push(name).unwrap());
        list
    };
    let choice = &answer["keyAgreement"];
    let (server_key, features) = (answer.base64("serverPublicKey"), names(expect.texts("features")));
    let schemes = names(expect.texts("supportedSchemes"));
    let client = ClientFields {
        binding: Binding::DynamicKeyV2,
        public_key: &expect.hex("clientPublicKey"),
        nonce: &expect.hex("nonce"),
        schemes: schemes.as_bytes(),
        device_id: expect.text("deviceId").as_bytes(),
        platform: expect.text("platform"),
        client_type: expect.text("clientType"),
        client_id: expect.text("clientId"),
        kid: None,
    };
    let server = ServerFields {
        public_key: &server_key,
        nonce: &choice.base64("nonce"),
        scheme: Scheme::from_name(choice.text("scheme")).unwrap(),
        session_id: answer.text("sessionId"),
        expires_at: answer.text("expiresAt"),
        token: answer.text("token"),
        identifier: &[],
        kid: None,
        expires_in: &choice["expiresIn"].to_string(),
        expire_token: &answer["expireToken"].to_string(),
        offered_features: features.as_bytes(),
        selected_features: NameList::NONE,
    };
    let transcript = Transcript::begin(&client).unwrap().finish(&server).unwrap();
    // The hellos are all of one client, whose private key is 3.
    let mut private = [0; 32];
    private[31] = 3;
    let mut provider = Software::new(Script::new([&private]));
    let (key, _) = provider.generate(Group::P256).unwrap();
    let z = provider.agree(key, &PublicKey::from_spki(&server_key).unwrap()).unwrap();
    let schedule = Schedule::new(&mut provider, &transcript, z).unwrap();
    schedule.proof(&mut provider, &transcript).unwrap().to_vec()
}

#[test]
fn hellos_that_an_over_strict_reader_would_refuse() {
    let vectors = load("messages.json");
    let gateway = Gateway {
        clients: Policy::of(&vectors["gateway"], None),
        allowlist: Allowlist::new(&[]).unwrap(),
        audience: AUDIENCE,
        tokens: TokenKey::hs256(&[3; 32]).unwrap(),
        identity: None,
        session_seconds: 60,
        instance: 1,
        plain: Default::default(),
    };
    for hello in vectors.list("hellos") {
        println!("{}", hello.text("name"));
        let headers = hello.get("headers").unwrap_or(&vectors["headers"]).as_array().unwrap();
        let headers: Vec<_> =
            headers.iter().map(|header| (header[0].as_str().unwrap(), header[1].as_str().unwrap())).collect();
        let mut buffer = vec![0; 8192];
        let text = hello.text("text").as_bytes();
        buffer[..text.len()].copy_from_slice(text);
        let mut store = FixedStore::<_, 1>::new();
        let (provider, head) = (&mut Software::new(Seeded(1)), head_of(&headers));
        let reply =
            gateway.accept(provider, None, &mut store, START, &head, &mut buffer, text.len()).unwrap();
        assert_eq!((reply.status, reply.code), (200, None));
        let answer: Value = serde_json::from_slice(&buffer[..reply.length]).unwrap();
        match answer.get("keyAgreement") {
            Some(choice) => {
                assert_eq!(choice["scheme"], hello["scheme"]);
                assert_eq!(
                    choice.base64("proof"),
                    proof_for(&hello["expect"], &answer),
                    "it read what was said"
                );
            }
            None => assert!(!hello["expect"].has("supportedSchemes")),
        }
    }
    assert_eq!(vectors.list("hellos").len(), 20);
}

//! Key Agreement (§3): both ends made to follow the vectors to the byte, and what each must refuse.

use crate::support::{START, Script};
use crate::vector::{Members, draw_of, identities, key_of, load};
use dynamic_key::codec::spki::PublicKey;
use dynamic_key::crypto::Signer;
use dynamic_key::crypto::software::{Identity, PinnedKey, Pins, Software};
use dynamic_key::field::{self, Call};
use dynamic_key::gateway::{AgreementStore, FixedAgreements};
use dynamic_key::handshake::{
    ClientNeed, KeyAgreementClient, KeyAgreementConfig, KeyAgreementFacts, KeyAgreementPolicy,
    KeyAgreementServer, ServerError, ServerNeed,
};
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{Agreement, FieldCounters, Mode, Now, ServerAgreement};
use dynamic_key::{Error, Peer};
use serde_json::{Value, json};

type Scripted = Software<Script>;

fn schemes(request: &Value) -> Option<Vec<Scheme>> {
    request.texts("supported_schemes").into_iter().map(Scheme::from_name).collect()
}

/// The client that sent a request.
struct ClientEnd {
    request: Value,
    mode: Mode,
    private: Vec<u8>,
    pins: Vec<PinnedKey>,
}

impl ClientEnd {
    /// Sends the request, which must be the vector's, and takes the response. `None` where ours could not have: it offers a
    /// scheme that it does not know, or a nonce of another length.
    fn accept(&self, response: &[u8]) -> Option<Result<(Agreement<Scripted>, Scripted), Error>> {
        let schemes = schemes(&self.request)?;
        let nonce = self.request.base64("nonce");
        let identifier = self.request.base64("identifier");
        let config =
            KeyAgreementConfig { mode: self.mode, schemes: &schemes, ..KeyAgreementConfig::new(&identifier) };
        // A vector's key may be of another group than the first scheme's: ours never is.
        let key = PublicKey::from_spki(&self.request.base64("public_key")).unwrap();
        if nonce.len() != 16 || key.group() != schemes[0].group() {
            return None;
        }
        let private = draw_of(key.group(), &self.private);
        let mut provider = Software::new(Script::new([&private, &nonce]));
        let mut client = KeyAgreementClient::new(&config).unwrap();
        assert_eq!(client.compute(&mut provider, &mut Pins(&self.pins)), Ok(ClientNeed::Hello));
        let mut text = vec![0; config.hello_len(schemes[0].group())];
        let length = client.hello(&mut provider, Now::UNKNOWN, &mut text).unwrap();
        let written: Value = serde_json::from_slice(&text[..length]).unwrap();
        assert_eq!(written, self.request);
        let outcome =
            client.reply(200, response).and_then(|()| client.compute(&mut provider, &mut Pins(&self.pins)));
        Some(match outcome {
            Ok(need) => {
                assert_eq!(need, ClientNeed::Finish);
                let agreement = client.finish().unwrap();
                assert_eq!(agreement.mode(), self.mode);
                Ok((agreement, provider))
            }
            Err(error) => {
                assert_eq!(client.need(), ClientNeed::Nothing, "no way back");
                assert!(client.finish().is_err());
                Err(error)
            }
        })
    }
}

fn client_of(case: &Value) -> ClientEnd {
    ClientEnd {
        request: serde_json::from_str(case["request"].text("text")).unwrap(),
        mode: Mode::from_name(case.text("mode")).unwrap(),
        private: case.hex("clientPrivate"),
        pins: case.get("serverJwk").map(key_of).into_iter().collect(),
    }
}

/// The server of a case, whose response must say what the vector's says.
fn shake(case: &Value, instance: u32, identity: Option<Identity>) -> (ServerAgreement<Scripted>, Scripted) {
    let expected = &case["response"]["expect"];
    let scheme = Scheme::from_name(expected.text("scheme")).unwrap();
    let private = draw_of(scheme.group(), &case.hex("serverPrivate"));
    let mut provider = Software::new(Script::new([&private]));
    let mut server = KeyAgreementServer::new();
    let mut request = case["request"].text("text").as_bytes().to_vec();
    let policy = KeyAgreementPolicy { schemes: &Scheme::BY_STRENGTH, preference: Preference::Client };
    server.hello(&policy, &mut request).unwrap();
    assert_eq!(server.compute(&mut provider), Ok(ServerNeed::Answer));
    let identifier = expected.hex("identifier");
    let facts = KeyAgreementFacts {
        client_reference_id: expected.text("referenceId"),
        identifier: &identifier,
        ends: START.saturating_add_secs(300),
        expires_in: None,
        instance,
        identity: identity.as_ref().map(Signer::kid),
    };
    let mut text = vec![0; 2048];
    let length = server.answer(&mut provider, &facts, &mut text).unwrap();
    if let Some(mut identity) = identity {
        server.sign(&mut identity, &mut text[..length]).unwrap();
    }
    let written: Value = serde_json::from_slice(&text[..length]).unwrap();
    let mut vector: Value = serde_json::from_str(case["response"].text("text")).unwrap();
    vector.as_object_mut().unwrap().retain(|name, _| !["future", "expires_in"].contains(&name.as_str()));
    assert_eq!(written, vector);
    let agreement = server.finish().unwrap();
    assert_eq!(agreement.identifier(), case["request"]["expect"].hex("identifier"));
    (agreement, provider)
}

/// A body whose top-level members are the sealed fields.
fn body_of(fields: &[Value]) -> Vec<u8> {
    let members = fields.iter().map(|field| format!("{}:{}", field["name"], field["value"]));
    format!("{{\"user\":\"u\",{}\"z\":1}}", members.map(|member| member + ",").collect::<String>())
        .into_bytes()
}

/// Names for a fixed number of fields: those that there are, and others that are absent.
fn names(fields: &[Value]) -> [&str; 3] {
    let mut names = ["absent-0", "absent-1", "absent-2"];
    for (name, field) in names.iter_mut().zip(fields) {
        *name = field.text("name");
    }
    names
}

fn check_plaintexts(body: &[u8], places: &[Option<std::ops::Range<usize>>], fields: &[Value]) {
    for (at, place) in places.iter().enumerate() {
        let plaintext = fields.get(at).map(|field| field.text("plaintext").as_bytes());
        assert_eq!(place.clone().map(|place| &body[place]), plaintext);
    }
}

/// The sealed fields of a case, with our client where it could be the vector's. Returns how many there were.
fn check_calls(
    case: &Value,
    mut client: Option<(Agreement<Scripted>, Scripted)>,
    identity: Option<&Identity>,
) -> usize {
    let mut count = 0;
    let mut store = FixedAgreements::<Scripted, 1>::new();
    for (at, vector) in case.list("calls").iter().enumerate() {
        let (method, path, response) = (vector.text("method"), vector.text("path"), &vector["response"]);
        let (instance, status) = (response.number("instance"), response.number("status"));
        let (instance, status) = (u32::try_from(instance).unwrap(), u16::try_from(status).unwrap());
        let (fields, answers) = (vector.list("fields"), response.list("fields"));
        let mut call = Call::new(method, path).unwrap();
        if let Some((agreement, provider)) = &mut client {
            for field in fields {
                let plaintext = field.text("plaintext").as_bytes();
                let mut text = vec![0; field::sealed_len(plaintext.len())];
                text[..plaintext.len()].copy_from_slice(plaintext);
                let (name, length) = (field.text("name"), plaintext.len());
                let length =
                    agreement.seal(provider, Now::UNKNOWN, &mut call, name, &mut text, length).unwrap();
                assert_eq!(&text[..length], field.text("value").as_bytes());
            }
        }

        let (agreement, mut provider) = shake(case, instance, identity.cloned());
        let id = agreement.id().to_owned();
        if at == 0 {
            store.insert(agreement, START).unwrap();
        }
        let handle = store.find(&id, START).unwrap();
        let mut body = body_of(fields);
        let mut received = Call::new(method, path).unwrap();
        let agreement = store.agreement(&handle).unwrap();
        let opened = agreement.open(&mut provider, &received, &names(fields), &mut body).unwrap();
        let counters: Vec<_> = fields.iter().map(|field| field.number("counter")).collect();
        assert_eq!(opened.counters(), counters);
        store.commit(&handle, opened.counters()).unwrap();
        let places = opened.committed(&mut received);
        check_plaintexts(&body, &places, fields);

        let (agreement, mut provider) = shake(case, instance, identity.cloned());
        for field in answers {
            let plaintext = field.text("plaintext").as_bytes();
            let mut text = vec![0; field::sealed_len(plaintext.len())];
            text[..plaintext.len()].copy_from_slice(plaintext);
            let mut counters = FieldCounters::new(field.number("counter"), 1);
            let (name, len) = (field.text("name"), plaintext.len());
            agreement.seal(&mut provider, &mut counters, &received, status, name, &mut text, len).unwrap();
            assert_eq!(text, field.text("value").as_bytes());
            count += 1;
        }
        if let Some((agreement, provider)) = &mut client {
            let mut body = body_of(answers);
            let places = agreement.open(provider, &mut call, status, &names(answers), &mut body).unwrap();
            check_plaintexts(&body, &places, answers);
        }
        count += fields.len();
    }
    count
}

#[test]
fn agreements_and_their_fields() {
    let (vectors, identities) = (load("key-agreement.json"), identities());
    let (mut ran, mut ours, mut fields) = (0, 0, 0);
    for case in vectors.list("cases") {
        println!("{}", case.text("name"));
        if case.has("requires") && cfg!(not(feature = "ffdhe")) {
            continue;
        }
        let identity = case.has("serverKid").then(|| &identities[case.text("serverKid")]);
        let client = client_of(case).accept(case["response"].text("text").as_bytes());
        ours += usize::from(client.is_some());
        fields += check_calls(case, client.map(Result::unwrap), identity);
        ran += 1;
    }
    // One peer has other habits, and two have a key of another group than that of their first scheme.
    let expected = if cfg!(feature = "ffdhe") { (7, 4, 35) } else { (5, 3, 21) };
    assert_eq!((ran, ours, fields), expected);
}

#[test]
fn requests_that_a_server_refuses() {
    let vectors = load("key-agreement.json");
    let schemes: Vec<_> =
        vectors.texts("schemes").into_iter().map(|name| Scheme::from_name(name).unwrap()).collect();
    let policy = KeyAgreementPolicy { schemes: &schemes, preference: Preference::Client };
    for case in vectors.list("refusedRequests") {
        let mut server = KeyAgreementServer::<Scripted>::new();
        let mut provider = Software::new(Script::new([&[7; 32]]));
        let outcome = server.hello(&policy, &mut case.text("text").as_bytes().to_vec());
        match outcome.and_then(|()| server.compute(&mut provider).map(|_| ())) {
            Err(ServerError::Refuse(refusal)) => assert_eq!(refusal.code.status(), 400, "{case}"),
            other => panic!("{other:?} for {case}"),
        }
        assert_eq!(server.need(), ServerNeed::Nothing);
    }
    assert_eq!(vectors.list("refusedRequests").len(), 48);
}

#[test]
fn responses_that_a_client_refuses() {
    use Peer::{Authentication, Downgrade, InvalidPublicKey, Malformed};
    let vectors = load("key-agreement.json");
    let refused = &vectors["refusedResponses"];
    let client = ClientEnd {
        request: serde_json::from_str(refused.text("request")).unwrap(),
        mode: Mode::Pinned,
        private: refused.hex("clientPrivate"),
        pins: refused.list("pins").iter().map(key_of).collect(),
    };
    assert!(client.accept(refused.text("accepted").as_bytes()).unwrap().is_ok());
    for case in refused.list("cases") {
        match client.accept(case.text("text").as_bytes()).unwrap().map(|_| ()) {
            Err(Error::Peer(peer)) => match (case.text("reason"), peer) {
                ("malformed", Malformed)
                | ("below mode" | "not offered", Downgrade)
                | ("public key", InvalidPublicKey)
                | ("proof" | "identity", Authentication) => {}
                (_, other) => panic!("{other:?} for {case}"),
            },
            other => panic!("{other:?} for {case}"),
        }
    }
    assert_eq!(refused.list("cases").len(), 65);
}

#[test]
fn fields_that_a_server_refuses() {
    let (vectors, identities) = (load("key-agreement.json"), identities());
    let refused = &vectors["refusedFields"];
    let case = vectors.list("cases").iter().find(|case| case["name"] == refused["agreement"]).unwrap();
    let identity = &identities[case.text("serverKid")];
    let (agreement, mut provider) = shake(case, 7, Some(identity.clone()));
    let call = Call::new(refused.text("method"), refused.text("path")).unwrap();
    let mut open = |value: &str| {
        let mut body = json!({ refused.text("name"): value }).to_string().into_bytes();
        let opened = agreement.open(&mut provider, &call, &[refused.text("name")], &mut body);
        if opened.is_err() {
            assert!(body.iter().all(|byte| *byte == 0), "erased");
        }
        opened.map(|opened| opened.counters().to_vec())
    };
    for case in refused.list("cases") {
        match open(case.text("value")) {
            Err(Error::Peer(Peer::Malformed | Peer::Authentication)) => {}
            other => panic!("{other:?} for {case}"),
        }
    }
    assert_eq!(refused.list("cases").len(), 17);
    assert_eq!(open(refused.text("accepted")), Ok(vec![0]));
}

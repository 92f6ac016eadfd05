//! The QA tables of the Dynamic Key V2 documentation, each case in each mode with its exact status and code.

use crate::support::{Answer, Device, HEADERS, MODES, Running, client, client_of, demo, exchange, folder};
use dynamic_key::Code;
use dynamic_key::client::ClientError;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::gateway::TokenKey;
use dynamic_key::gateway::token::{self, TokenClaims};
use dynamic_key::handshake::ClientConfig;
use dynamic_key::request::Request;
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{Mode, Now};
use dynamic_key_gateway::config::{Client, Config, TypePolicy};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const COUNTRIES: &[u8] = br#"{"countries":["UY","PT"]}"#;

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.into())
}

fn hello(gateway: &Running, mode: Mode, headers: &[(&str, &str)], edit: impl Fn(String) -> String) -> Answer {
    let (_, hello) = Device::hello(&Device::internal(mode));
    let hello = edit(String::from_utf8(hello).unwrap());
    exchange(gateway.address, "POST", "/api/info/v2", headers, hello.as_bytes())
}

#[test]
fn the_library_s_client_in_every_mode_and_scheme() {
    let gateway = Running::start(demo());
    let pins = [gateway.pin];
    let mut buffer = vec![0; 8192];
    for mode in MODES {
        let mut client = client(gateway.address, &pins, mode);
        for _ in 0..3 {
            let get = Request::get("/countries/get");
            let answer = client.request(Now::UNKNOWN, &get, &mut buffer).unwrap();
            assert_eq!((answer.status, &*answer.body), (200, COUNTRIES));
        }
        for (body, status) in
            [(r#"{"user":"demo","password":"demo"}"#, 200), (r#"{"user":"demo","password":"no"}"#, 401)]
        {
            let login = Request::post("/users/login", body.as_bytes());
            assert_eq!(client.request(Now::UNKNOWN, &login, &mut buffer).unwrap().status, status);
        }
    }
    for schemes in [&[Scheme::EcAes1][..], &[Scheme::EcAes2], &[Scheme::EcAes1, Scheme::EcAes2]] {
        let config = ClientConfig { schemes, ..Device::internal(Mode::Pinned) };
        let mut device = Device::connect(&gateway, &config);
        assert_eq!(device.session.facts().scheme(), schemes[0]);
        assert_eq!(device.call(&Request::get("/countries/get")), (200, COUNTRIES.to_vec()));
    }
}

/// What a gateway of `config` and a client with this offer agree on.
fn chosen(gateway: &Running, config: ClientConfig<'static>) -> Result<Scheme, ClientError<()>> {
    let pins = [gateway.pin];
    let mut client = client_of(gateway.address, &pins, config);
    let mut buffer = vec![0; 8192];
    let answer = client.request(Now::UNKNOWN, &Request::get("/countries/get"), &mut buffer);
    let answer = answer.map_err(|error| match error {
        ClientError::Refused { code, retry_after } => ClientError::Refused { code, retry_after },
        error => panic!("{error:?}"),
    })?;
    assert_eq!((answer.status, &*answer.body), (200, COUNTRIES));
    Ok(client.facts().unwrap().scheme())
}

#[test]
fn the_four_schemes_and_the_retry_between_their_groups() {
    use Scheme::{Aes1, Aes2, EcAes1, EcAes2};
    let gateway = Running::start(demo());
    for mode in [Mode::Confirmed, Mode::Pinned] {
        for schemes in [&[Aes1][..], &[Aes2, EcAes2], &[EcAes1, Aes1], &[EcAes2]] {
            let config = ClientConfig { schemes, ..Device::internal(mode) };
            assert_eq!(chosen(&gateway, config), Ok(schemes[0]));
        }
    }
    let strongest = Running::start(Config { preference: Preference::Strongest, ..demo() });
    for (schemes, scheme) in [
        (&[Aes1, EcAes1, Aes2][..], Aes2),
        (&[EcAes1, Aes2], Aes2),
        (&[Aes1, EcAes2], EcAes2),
        (&[Aes2, EcAes1], Aes2),
    ] {
        let config = ClientConfig { schemes, ..Device::internal(Mode::Pinned) };
        assert_eq!(chosen(&strongest, config), Ok(scheme));
    }
}

#[test]
fn finite_fields_are_off_until_they_are_named_and_each_type_has_its_policy() {
    use Scheme::{Aes1, Aes2, EcAes1, EcAes2};
    let no_common = ClientError::Refused { code: Code::NoCommonScheme, retry_after: None };
    let config = Config { schemes: Config::default().schemes, ..demo() };
    let external = TypePolicy {
        schemes: Some(vec![EcAes1, Aes1]),
        preference: Some(Preference::Strongest),
        least_mode: None,
    };
    // External clients are known from confirmed mode on; plain mode would need SCHEME-EC-AES2.
    let clients = config.clients.iter().cloned().map(|client| Client { least_mode: None, ..client });
    let gateway = Running::start(Config {
        clients: clients.collect(),
        least_mode: Mode::Confirmed,
        external,
        ..config
    });
    let internal = |schemes| chosen(&gateway, ClientConfig { schemes, ..Device::internal(Mode::Pinned) });
    let external = |schemes| chosen(&gateway, ClientConfig { schemes, ..Device::external(Mode::Pinned) });
    assert_eq!(internal(&[Aes1, Aes2]), Err(no_common));
    assert_eq!(internal(&[Aes1, EcAes1, EcAes2]), Ok(EcAes1));
    assert_eq!(external(&[EcAes2, Aes2]), Err(no_common));
    assert_eq!(external(&[Aes1, EcAes2, EcAes1]), Ok(EcAes1));
    assert_eq!(external(&[EcAes2, Aes1]), Ok(Aes1));
}

#[test]
fn info_valid_handshake() {
    let gateway = Running::start(demo());
    for mode in MODES {
        let answer = hello(&gateway, mode, &HEADERS, |hello| hello);
        let json = answer.json();
        assert_eq!(answer.status, 200);
        assert!(json["sessionId"].is_string() && json["token"].is_string());
        assert_eq!(json["expireToken"], 0);
        assert_eq!(json.get("keyAgreement").is_some(), mode != Mode::Plain);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

#[test]
fn info_missing_version() {
    let gateway = Running::start(demo());
    let [_, content_type] = HEADERS;
    for mode in MODES {
        for headers in [vec![content_type], vec![content_type, ("X-Dynamic-Key-Version", "1")], vec![]] {
            let answer = hello(&gateway, mode, &headers, |hello| hello);
            assert_eq!(answer.code(), refused(400, "MISSING_VERSION"));
        }
        let twice = [HEADERS[0], HEADERS[0], HEADERS[1]];
        assert_eq!(hello(&gateway, mode, &twice, |hello| hello).code(), refused(400, "MALFORMED_REQUEST"));
        let text = [HEADERS[0], ("Content-Type", "text/plain")];
        assert_eq!(hello(&gateway, mode, &text, |hello| hello).code(), refused(400, "MALFORMED_REQUEST"));
    }
}

#[test]
fn info_invalid_client_public_key() {
    let gateway = Running::start(demo());
    for mode in MODES {
        for (key, code) in [
            ("", "INVALID_PUBLIC_KEY"),
            ("AAAA", "INVALID_PUBLIC_KEY"),
            ("dGhpcyBpcyBubyBrZXk=", "INVALID_PUBLIC_KEY"),
            ("***", "MALFORMED_REQUEST"),
        ] {
            let with_key = |hello: String| {
                let mut hello: serde_json::Value = serde_json::from_str(&hello).unwrap();
                hello["clientPublicKey"] = key.into();
                hello.to_string()
            };
            assert_eq!(hello(&gateway, mode, &HEADERS, with_key).code(), refused(400, code), "{key}");
        }
    }
}

#[test]
fn info_clients_and_schemes() {
    let gateway = Running::start(demo());
    for mode in MODES {
        let unknown = |hello: String| hello.replace("internal-web-client", "nobody");
        assert_eq!(hello(&gateway, mode, &HEADERS, unknown).code(), refused(403, "CLIENT_NOT_ALLOWED"));
        let external = |hello: String| hello.replace(r#""internal","#, r#""external","#);
        assert_eq!(hello(&gateway, mode, &HEADERS, external).code(), refused(403, "CLIENT_NOT_ALLOWED"));
        let cut = |hello: String| hello[1..].to_owned();
        assert_eq!(hello(&gateway, mode, &HEADERS, cut).code(), refused(400, "MALFORMED_REQUEST"));
    }
    let strange = |hello: String| hello.replace("SCHEME-EC-AES", "SCHEME-OTHER");
    assert_eq!(hello(&gateway, Mode::Pinned, &HEADERS, strange).code(), refused(400, "NO_COMMON_SCHEME"));
}

#[test]
fn request_routes_of_the_documentation() {
    let gateway = Running::start(demo());
    for mode in MODES {
        let mut device = Device::connect(&gateway, &Device::internal(mode));
        assert_eq!(device.call(&Request::get("/countries/get")), (200, COUNTRIES.to_vec()));
        for (path, body) in [
            ("/lang/get", r#"{"languages":["es","pt","en"]}"#),
            ("/users/getbyid/u-1", r#"{"id":"u-1"}"#),
            ("/qr/get/reverse/example-bfp", r#"{"bfp":"example-bfp","state":"pending"}"#),
            ("/companies/getbyid/7", r#"{"id":"7"}"#),
        ] {
            assert_eq!(device.call(&Request::get(path)), (200, body.as_bytes().to_vec()), "{path}");
        }
        for (body, status) in [
            (r#"{"user":"demo","password":"demo","more":[1]}"#, 200),
            (r#"{"user":"demo","password":"demo "}"#, 401),
            (r#"{"user":"other","password":"demo"}"#, 401),
            ("[]", 401),
        ] {
            assert_eq!(device.call(&Request::post("/users/login", body.as_bytes())).0, status, "{body}");
        }
        assert_eq!(device.call(&Request::new("POST", "/users/login")).0, 401);
    }
}

#[test]
fn request_outside_the_allowlist() {
    let gateway = Running::start(demo());
    for mode in MODES {
        let mut device = Device::connect(&gateway, &Device::internal(mode));
        for (method, path) in [
            ("GET", "/admin"),
            ("DELETE", "/users/getbyid/1"),
            ("POST", "/countries/get"),
            ("GET", "/users/getbyid/%2e%2e"),
            ("GET", "//countries/get"),
            ("GET", "/countries/get/"),
            ("get", "/countries/get"),
        ] {
            let sealed = device.seal(&Request::new(method, path));
            let answer = device.send(&sealed);
            assert_eq!(device.refusal(answer), refused(404, "ROUTE_NOT_ALLOWED"), "{method} {path}");
        }
        let mut partner = Device::connect(&gateway, &Device::external(mode));
        for path in ["/countries/get", "/lang/get"] {
            assert_eq!(partner.call(&Request::get(path)).0, 200);
        }
        let sealed = partner.seal(&Request::get("/users/getbyid/1"));
        let answer = partner.send(&sealed);
        assert_eq!(partner.refusal(answer), refused(404, "ROUTE_NOT_ALLOWED"));
    }
}

#[test]
fn request_repeated_nonce() {
    let gateway = Running::start(demo());
    for mode in MODES {
        let mut device = Device::connect(&gateway, &Device::internal(mode));
        let sealed = device.seal(&Request::get("/countries/get"));
        let answer = device.send(&sealed);
        for _ in 0..2 {
            assert_eq!(device.send(&sealed).code(), refused(400, "ENCRYPTION_ERROR"));
        }
        assert_eq!(device.open(answer).0, 200);
        assert_eq!(device.call(&Request::get("/countries/get")).0, 200, "the session lives");
    }
}

#[test]
fn request_flipped_bits() {
    let gateway = Running::start(demo());
    for mode in MODES {
        let mut device = Device::connect(&gateway, &Device::internal(mode));
        let sealed = device.seal(&Request::get("/countries/get"));
        for member in ["nonce", "data"] {
            let mut json: serde_json::Value = serde_json::from_slice(&sealed.envelope).unwrap();
            let text = json[member].as_str().unwrap().to_owned();
            let other = if text.starts_with('B') { "C" } else { "B" };
            json[member] = format!("{other}{}", &text[1..]).into();
            let envelope = json.to_string().into_bytes();
            let forged = crate::support::Sealed { envelope, headers: sealed.headers.clone() };
            assert_eq!(device.send(&forged).code(), refused(400, "ENCRYPTION_ERROR"), "{member}");
        }
        let answer = device.send(&sealed);
        assert_eq!(device.open(answer).0, 200, "the nonce was not spent");
    }
}

#[test]
fn request_invalid_or_expired_token() {
    let secret = folder("qa-token").join("secret.hex");
    std::fs::write(&secret, "ab".repeat(32)).unwrap();
    let gateway = Running::start(dynamic_key_gateway::Config { token_secret: Some(secret), ..demo() });
    let key = TokenKey::hs256(&[0xab; 32]).unwrap();
    let audience = format!("http://{}", gateway.address);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for mode in MODES {
        let mut device = Device::connect(&gateway, &Device::internal(mode));
        let other = Device::connect(&gateway, &Device::internal(mode));
        let id = device.session.facts().id().to_owned();
        let claims = |issued: u64, expires: u64| TokenClaims {
            session_id: &id,
            client_id: "internal-web-client",
            device_id: "device-1",
            audience: &audience,
            issued_at: Timestamp::from_unix_secs(issued),
            expires: Timestamp::from_unix_secs(expires),
        };
        let issue = |claims: TokenClaims<'_>| {
            let mut room = [0; token::MAX_LEN];
            format!("Bearer {}", token::issue(key.signing(None).unwrap(), &claims, &mut room).unwrap())
        };
        let right = format!("Bearer {}", device.session.facts().token());
        let cut = &right[..right.len() - 1];
        let another = format!("Bearer {}", other.session.facts().token());
        let expired = issue(claims(now - 7200, now - 1));
        let tomorrow = issue(claims(now + 86_400, now + 90_000));
        let elsewhere = issue(TokenClaims { audience: "https://other.example", ..claims(now, now + 3600) });
        for (name, value) in [
            ("absent", None),
            ("none", Some("Bearer abc")),
            ("basic", Some("Basic YTpi")),
            ("cut", Some(cut)),
            ("another session's", Some(&*another)),
            ("expired", Some(&*expired)),
            ("not yet valid", Some(&*tomorrow)),
            ("for another origin", Some(&*elsewhere)),
        ] {
            let sealed = device.seal(&Request::get("/countries/get")).with("Authorization", value);
            assert_eq!(device.send(&sealed).code(), refused(401, "INVALID_TOKEN"), "{name}");
        }
        let again = issue(claims(now, now + 3600));
        let sealed = device.seal(&Request::get("/countries/get")).with("Authorization", Some(&*again));
        let answer = device.send(&sealed);
        assert_eq!(device.open(answer).0, 200, "the same key, made here");
    }
}

#[test]
fn request_invalid_session() {
    let gateway = Running::start(demo());
    for mode in MODES {
        let mut device = Device::connect(&gateway, &Device::internal(mode));
        let unknown = "x".repeat(43);
        for value in [None, Some(""), Some("unknown"), Some(&*unknown), Some("a b")] {
            let sealed = device.seal(&Request::get("/countries/get")).with("X-Session-Id", value);
            assert_eq!(device.send(&sealed).code(), refused(400, "INVALID_SESSION"), "{value:?}");
        }
        // Another's session, with its token: the envelope does not fit it.
        let other = Device::connect(&gateway, &Device::internal(mode));
        let token = format!("Bearer {}", other.session.facts().token());
        let sealed = device.seal(&Request::get("/countries/get"));
        let sealed = sealed.with("X-Session-Id", Some(other.session.facts().id()));
        let sealed = sealed.with("Authorization", Some(&*token));
        assert_eq!(device.send(&sealed).code(), refused(400, "ENCRYPTION_ERROR"));
    }
}

#[test]
fn request_expired_session() {
    let gateway = Running::start(dynamic_key_gateway::Config { session: Duration::from_secs(1), ..demo() });
    for mode in MODES {
        let mut device = Device::connect(&gateway, &Device::internal(mode));
        let sealed = device.seal(&Request::get("/countries/get"));
        std::thread::sleep(Duration::from_millis(1100));
        assert_eq!(device.send(&sealed).code(), refused(401, "SESSION_EXPIRED"));
    }
}

#[test]
fn request_malformed() {
    let gateway = Running::start(demo());
    for mode in MODES {
        let mut device = Device::connect(&gateway, &Device::internal(mode));
        for edit in [
            |text: String| text + "x",
            |text: String| text[..text.len() - 1].to_owned(),
            |text: String| text.replace("nonce", "nonsense"),
            |_| "[]".to_owned(),
            |_| String::new(),
        ] {
            let sealed = device.seal(&Request::get("/countries/get")).edited(edit);
            assert_eq!(device.send(&sealed).code(), refused(400, "MALFORMED_REQUEST"));
        }
        let sealed = device.seal(&Request::get("/countries/get")).with("X-Dynamic-Key-Version", None);
        assert_eq!(device.send(&sealed).code(), refused(400, "MISSING_VERSION"));
        for text in
            ["", "GET /countries/get", r#"{"method":"GET"}"#, r#"{"method":"GET","path":"/a","path":"/a"}"#]
        {
            let sealed = device.seal_text(text.into(), text.len());
            let answer = device.send(&sealed);
            assert_eq!(device.refusal(answer), refused(400, "MALFORMED_REQUEST"), "{text}");
        }
    }
}

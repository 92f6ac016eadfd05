//! The log of a session, at its most talkative: nothing in it that only the two ends may know.

use crate::support::{MODES, Program, client, folder};
use dynamic_key::request::Request;
use dynamic_key::session::Now;

#[test]
fn no_token_key_path_or_body_is_logged() {
    let folder = folder("secrecy");
    let (identity, secret) = (folder.join("identity.jwk"), folder.join("token.hex"));
    let program = Program::start(&[
        "--demo",
        "--listen",
        "127.0.0.1:0",
        "--log",
        "trace",
        "--identity",
        identity.to_str().unwrap(),
        "--token-secret",
        secret.to_str().unwrap(),
    ]);
    let jwk: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&identity).unwrap()).unwrap();
    let mut point = [4; 65];
    for (at, name) in [(1, "x"), (33, "y")] {
        let text = jwk[name].as_str().unwrap().as_bytes();
        dynamic_key::codec::base64::url_decode(text, &mut point[at..at + 32]).unwrap();
    }
    let pins = [dynamic_key::crypto::software::PinnedKey::from_point(&point).unwrap()];
    assert_eq!(pins[0].kid().as_str(), program.kid);

    let mut secrets = vec![
        jwk["d"].as_str().unwrap().to_owned(),
        std::fs::read_to_string(&secret).unwrap().trim().to_owned(),
    ];
    let mut buffer = vec![0; 8192];
    for mode in MODES {
        let mut client = client(program.address, &pins, mode);
        let login = br#"{"user":"demo","password":"demo","card":"plaintext-4711"}"#;
        let requests = [
            Request::post("/users/login", login),
            Request { query: &[("q", "plaintext-4711")], ..Request::get("/users/getbyid/plaintext-4711") },
            Request { headers: &[("accept", "plaintext-4711")], ..Request::get("/countries/get") },
            Request::get("/outside/plaintext-4711"),
        ];
        for request in requests {
            let _ = client.request(Now::UNKNOWN, &request, &mut buffer);
        }
        let facts = client.facts().unwrap();
        let signature = facts.token().rsplit('.').next().unwrap();
        secrets.extend([facts.token(), signature, facts.id()].map(str::to_owned));
        // A token and a session id that are refused are nobody's business either.
        let id = format!("Bearer {}", facts.token().replace('.', "_"));
        let headers = [
            crate::support::HEADERS[0],
            crate::support::HEADERS[1],
            ("X-Session-Id", facts.id()),
            ("Authorization", &id),
        ];
        let body = br#"{"nonce":"AAAAAAAAAAAAAAAA","data":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;
        let answer = crate::support::exchange(program.address, "POST", "/api/request/v2", &headers, body);
        assert_eq!(answer.code().0, 401);
    }
    program.signal("TERM");
    let (_, stdout, log) = program.finish();
    assert_eq!(stdout, "");
    assert_eq!(log.matches("endpoint=\"handshake\"").count(), 3, "{log}");
    assert!(log.contains("route=\"GET /users/getbyid/:id\""), "{log}");
    // The answer as it is, and as a string within a line would have it.
    let bodies = ["plaintext-4711", "password", r#"UY","PT"#, r#"UY\",\"PT"#];
    for secret in secrets.iter().map(String::as_str).chain(bodies) {
        assert!(secret.len() > 1 && !log.contains(secret), "{secret} is in the log:\n{log}");
    }
}

//! The issuer over TCP, with requests that no honest client sends, and killed between any two of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should panic"
)]

use dynamic_key::Secret;
use dynamic_key::token::{Config, Credentials, Lifecycle, oauth};
use dynamic_key_gateway::issuer::{RESOURCE, Settings};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const MERCHANT: &str = "client_id=merchant&client_secret=merchant-secret";
const APP: &str = "client_id=app&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A folder that ends with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("dynamic-key-issuer-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn database(&self) -> PathBuf {
        self.0.join("issued.redb")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A gateway with an issuer, in a process of its own.
struct Issuer {
    child: Child,
    address: String,
}

impl Issuer {
    fn start(database: &Path) -> Self {
        Self::with(&["--demo".as_ref(), "--issuer".as_ref(), database.as_os_str()])
    }

    fn with(args: &[&std::ffi::OsStr]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dynamic-key-gateway"))
            .args(args)
            .args(["--listen", "127.0.0.1:0", "--log", "error"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        let address = ready.split_whitespace().nth(2).unwrap().strip_prefix("http://").unwrap().into();
        Self { child, address }
    }

    /// SIGKILL: no handler, no flush, nothing.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn send(&self, head: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "{head}Host: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_lowercase(), location: header(head, "location: "), body: body.into() }
    }

    fn post(&self, path: &str, kind: &str, body: &str) -> Answer {
        self.send(&format!("POST {path} HTTP/1.1\r\nContent-Type: {kind}\r\n"), body)
    }

    fn token(&self, form: &str) -> Answer {
        self.post("/token", FORM, form)
    }

    fn refresh(&self, token: &str) -> Answer {
        self.token(&format!("grant_type=refresh_token&refresh_token={token}&{MERCHANT}"))
    }

    fn presented(&self, token: &str) -> u16 {
        self.send(&format!("GET {RESOURCE} HTTP/1.1\r\nAuthorization: Bearer {token}\r\n"), "").status
    }

    fn authorize(&self, query: &str) -> Answer {
        self.send(&format!("GET /authorize?{query} HTTP/1.1\r\n"), "")
    }

    fn code(&self) -> String {
        let query =
            format!("response_type=code&state=s&code_challenge_method=S256&code_challenge={CHALLENGE}&{APP}");
        let location = self.authorize(&query).location.unwrap();
        let code = location.strip_prefix("http://127.0.0.1/callback?code=").unwrap();
        code.strip_suffix("&state=s").unwrap().into()
    }

    fn exchange(&self, code: &str, verifier: &str) -> Answer {
        self.token(&format!("grant_type=authorization_code&code={code}&code_verifier={verifier}&{APP}"))
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    /// In lower case.
    head: String,
    location: Option<String>,
    body: String,
}

impl Answer {
    fn text(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("{name}: {self:?}")).into()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// Access and refresh token.
    fn issued(&self) -> (String, String) {
        assert_eq!(self.status, 200, "{self:?}");
        assert!(self.head.contains("cache-control: no-store"), "{self:?}");
        (self.text("access_token"), self.text("refresh_token"))
    }

    #[track_caller]
    fn refused(&self, status: u16, error: &str) {
        assert_eq!((self.status, self.text("error").as_str()), (status, error), "{self:?}");
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| line.strip_prefix(name)).map(Into::into)
}

#[test]
fn a_replaced_refresh_token_that_comes_again_ends_the_whole_family() {
    let folder = Folder::new("reuse");
    let issuer = Issuer::start(&folder.database());
    let (first, one) = issuer.token(&format!("grant_type=client_credentials&{MERCHANT}")).issued();
    let (second, two) = issuer.refresh(&one).issued();
    assert!(first != second && one != two);
    assert_eq!(
        (issuer.presented(&first), issuer.presented(&second)),
        (200, 200),
        "others may still be using it"
    );
    let (other, unrelated) = issuer.token(&format!("grant_type=client_credentials&{MERCHANT}")).issued();

    issuer.refresh(&one).refused(400, "invalid_grant");
    issuer.refresh(&two).refused(400, "invalid_grant");
    assert_eq!((issuer.presented(&first), issuer.presented(&second)), (401, 401));
    assert_eq!(issuer.presented(&other), 200, "another family");
    issuer.refresh(&unrelated).issued();
}

#[test]
fn a_code_is_good_once_for_its_client_with_its_verifier() {
    let folder = Folder::new("code");
    let issuer = Issuer::start(&folder.database());
    let code = issuer.code();
    let (access, refresh) = issuer.exchange(&code, VERIFIER).issued();
    assert_eq!(issuer.presented(&access), 200);
    issuer.exchange(&code, VERIFIER).refused(400, "invalid_grant");
    assert_eq!(issuer.presented(&access), 401, "a code that comes again was copied");
    let app = format!("grant_type=refresh_token&refresh_token={refresh}&client_id=app");
    issuer.token(&app).refused(400, "invalid_grant");
    issuer.exchange(&code, VERIFIER).refused(400, "invalid_grant");

    let code = issuer.code();
    issuer.exchange(&code, &VERIFIER.replace('d', "e")).refused(400, "invalid_grant");
    issuer.exchange(&code, VERIFIER).refused(400, "invalid_grant");
    let code = issuer.code();
    issuer.exchange(&code, &VERIFIER[1..]).refused(400, "invalid_grant");
    let elsewhere = APP.replace("callback", "other");
    let form = format!("grant_type=authorization_code&code={code}&code_verifier={VERIFIER}&{elsewhere}");
    issuer.token(&form).refused(400, "invalid_grant");
    let form = format!("grant_type=authorization_code&code={code}&code_verifier={VERIFIER}&{MERCHANT}");
    issuer.token(&form).refused(400, "invalid_grant");
    issuer.exchange(&code, VERIFIER).issued();
}

#[test]
fn nobody_is_sent_anywhere_but_to_where_the_client_registered() {
    let folder = Folder::new("authorize");
    let issuer = Issuer::start(&folder.database());
    let good =
        format!("response_type=code&state=a%26b&code_challenge_method=S256&code_challenge={CHALLENGE}&{APP}");
    let location = issuer.authorize(&good).location.unwrap();
    assert!(location.ends_with("&state=a%26b"), "{location}");
    for (from, to) in [
        ("callback", "elsewhere"),
        ("127.0.0.1", "evil.example"),
        ("client_id=app", "client_id=nobody"),
        ("client_id=app", "client_id=merchant"),
        ("state=", "stat="),
        ("state=", "state=x&state="),
        ("%26", "%2g"),
    ] {
        let answer = issuer.authorize(&good.replace(from, to));
        assert!(answer.location.is_none() && matches!(answer.status, 400 | 401), "{to}: {answer:?}");
    }
    let same = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cN";
    for (from, to) in [("S256", "plain"), ("=code&", "=token&"), ("_method", "_m"), (CHALLENGE, same)] {
        let location = issuer.authorize(&good.replace(from, to)).location.unwrap();
        assert!(location.starts_with("http://127.0.0.1/callback?error=invalid_request&"), "{to}: {location}");
    }
}

#[test]
fn credentials_are_proven_and_requests_well_formed() {
    let folder = Folder::new("refused");
    let issuer = Issuer::start(&folder.database());
    let grant = "grant_type=client_credentials";
    for client in [
        "client_id=merchant",
        "client_id=merchant&client_secret=",
        "client_id=merchant&client_secret=merchant-secreT",
        "client_id=nobody&client_secret=merchant-secret",
        "client_secret=merchant-secret",
        "client_id=app",
        "client_id=app&client_secret=x",
        // Whoever has an API key shows it.
        "client_id=platform&client_secret=platform-secret",
    ] {
        issuer.token(&format!("{grant}&{client}")).refused(401, "invalid_client");
    }
    issuer
        .token(&format!("{grant}&client_id=suspended&client_secret=suspended-secret"))
        .refused(403, "unauthorized_client");
    for body in [
        format!("{grant}&{MERCHANT}&client_id=merchant"),
        format!("{grant}&{MERCHANT}&x=%f"),
        format!("{grant}&{MERCHANT}&x=%ff"),
        format!("{grant}&{MERCHANT}&x={}", "a".repeat(20_000)),
    ] {
        assert_eq!(issuer.token(&body).status, 400, "{}", &body[..60]);
    }
    issuer.token(&format!("grant_type=password&{MERCHANT}")).refused(400, "unsupported_grant_type");
    issuer.token(MERCHANT).refused(400, "unsupported_grant_type");
    issuer.post("/token", JSON, "{}").refused(400, "invalid_request");

    let nomba = |body: &str| issuer.post("/v1/auth/token/issue", JSON, body);
    let good =
        r#"{"grant_type":"client_credentials","client_id":"merchant","client_secret":"merchant-secret"}"#;
    assert_eq!(nomba(good).json()["data"]["token_type"], "Bearer");
    for (from, to, status) in [
        ("merchant-secret", "x", 401),
        ("}", r#","client_id":"merchant"}"#, 400),
        ("}", r#","x":7}"#, 400),
        ("}", "", 400),
        ("client_credentials", "password", 400),
    ] {
        let answer = nomba(&good.replace(from, to));
        let code = answer.text("code");
        assert_eq!((answer.status, code), (status, status.to_string()), "{to}");
    }

    let login = |key: &str, body: &str| {
        issuer.send(&format!("POST /login HTTP/1.1\r\nContent-Type: {JSON}\r\nx-api-key: {key}\r\n"), body)
    };
    let good = r#"{"clientId":"platform","clientSecret":"platform-secret"}"#;
    let answer = login("platform-key", good).json();
    assert!(answer["refresh_token"].is_null() && answer["expires_in"] == 3600, "{answer}");
    assert_eq!(login("platform-kez", good).json()["code"], 401);
    assert_eq!(issuer.post("/login", JSON, good).json()["code"], 401);
    assert_eq!(
        login("platform-key", &good.replace("-secret", "-x")).json()["message"],
        "Invalid client credentials"
    );
}

#[test]
fn tokens_are_revoked_by_their_owner_only() {
    let folder = Folder::new("revoke");
    let issuer = Issuer::start(&folder.database());
    let (access, refresh) = issuer.token(&format!("grant_type=client_credentials&{MERCHANT}")).issued();
    let revoke = |form: String| issuer.post("/revoke", FORM, &form);
    // A stranger learns nothing and ends nothing.
    assert_eq!(revoke(format!("token={refresh}&client_id=app")).status, 200);
    assert_eq!(revoke(format!("token={refresh}&client_id=merchant&client_secret=x")).status, 401);
    assert_eq!(issuer.presented(&access), 200);
    assert_eq!(revoke(format!("token=unknown&{MERCHANT}")).status, 200);
    assert_eq!(revoke(format!("token={refresh}&{MERCHANT}")).status, 200);
    assert_eq!(issuer.presented(&access), 401);
    issuer.refresh(&refresh).refused(400, "invalid_grant");

    let (access, _) = issuer.token(&format!("grant_type=client_credentials&{MERCHANT}")).issued();
    let revoke = |bearer: &str| {
        let head = format!(
            "POST /v1/auth/token/revoke HTTP/1.1\r\nContent-Type: {JSON}\r\nAuthorization: {bearer}\r\n"
        );
        issuer.send(&head, &format!(r#"{{"token":"{access}"}}"#)).status
    };
    assert_eq!(revoke("Bearer nobody"), 401);
    assert_eq!(
        (issuer.presented(&access), revoke(&format!("Bearer {access}")), issuer.presented(&access)),
        (200, 200, 401)
    );
}

/// A kill between any answer and the next request loses nothing that was answered, and brings nothing back.
#[test]
fn nothing_is_lost_on_kill_9() {
    let folder = Folder::new("kill");
    let database = folder.database();
    let mut issuer = Issuer::start(&database);
    let again = |issuer: Issuer| {
        issuer.kill();
        Issuer::start(&database)
    };
    let (dead, gone) = issuer.token(&format!("grant_type=client_credentials&{MERCHANT}")).issued();
    issuer.post("/revoke", FORM, &format!("token={gone}&{MERCHANT}"));
    issuer = again(issuer);
    assert_eq!(issuer.presented(&dead), 401, "what was revoked stays so");
    let (mut access, mut refresh) =
        issuer.token(&format!("grant_type=client_credentials&{MERCHANT}")).issued();
    let mut replaced = String::new();
    for _ in 0..3 {
        issuer = again(issuer);
        assert_eq!(issuer.presented(&access), 200);
        let next = issuer.refresh(&refresh).issued();
        replaced = std::mem::replace(&mut refresh, next.1);
        access = next.0;
    }
    let code = issuer.code();
    issuer = again(issuer);
    issuer.exchange(&code, VERIFIER).issued();
    issuer = again(issuer);
    issuer.exchange(&code, VERIFIER).refused(400, "invalid_grant");
    issuer.refresh(&replaced).refused(400, "invalid_grant");
    issuer = again(issuer);
    issuer.refresh(&refresh).refused(400, "invalid_grant");

    let file = std::fs::read(&database).unwrap();
    for secret in [&access, &refresh, &code, &dead, "merchant-secret"] {
        assert!(!file.windows(secret.len()).any(|part| part == secret.as_bytes()), "a secret is in the file");
    }
}

/// Killed in the middle of work: what was answered until then is there, every token of it.
#[test]
fn nothing_that_was_answered_is_lost_when_the_kill_comes_in_the_middle() {
    let folder = Folder::new("middle");
    let database = folder.database();
    let issuer = Issuer::start(&database);
    let address = issuer.address.clone();
    let busy = || {
        let form = format!("grant_type=client_credentials&{MERCHANT}");
        let head =
            format!("POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {FORM}\r\n");
        let mut tokens = Vec::new();
        loop {
            let exchange = || {
                let mut stream = TcpStream::connect(&address)?;
                write!(stream, "{head}Content-Length: {}\r\n\r\n{form}", form.len())?;
                let mut text = String::new();
                stream.read_to_string(&mut text)?;
                std::io::Result::Ok(text)
            };
            let Ok(text) = exchange() else { return tokens };
            let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            let Ok(answer) = serde_json::from_str::<Value>(body) else { return tokens };
            // Or too many requests.
            tokens.extend(answer["access_token"].as_str().map(String::from));
        }
    };
    let tokens = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(busy)).collect();
        std::thread::sleep(std::time::Duration::from_millis(300));
        issuer.kill();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(tokens.len() > 4, "{}", tokens.len());
    let issuer = Issuer::start(&database);
    for token in &tokens {
        assert_eq!(issuer.presented(token), 200);
    }
}

#[test]
fn too_many_requests_are_put_off() {
    let folder = Folder::new("limit");
    let config = folder.0.join("gateway.toml");
    let text = r#"
        upstream = "http://127.0.0.1:9"
        [[clients]]
        type = "internal"
        id = "internal-web-client"
        [issuer]
        database = "issued.redb"
        requests_per_minute = 4
        [[issuer.clients]]
        id = "merchant"
        secret = "merchant-secret"
    "#;
    std::fs::write(&config, text).unwrap();
    let issuer = Issuer::with(&["--config".as_ref(), config.as_os_str()]);
    let form = format!("grant_type=client_credentials&{MERCHANT}");
    for _ in 0..2 {
        issuer.token(&form).issued();
    }
    let answer = issuer.token(&form);
    answer.refused(429, "temporarily_unavailable");
    let seconds: u64 = header(&answer.head, "retry-after: ").unwrap().parse().unwrap();
    assert!((1..=16).contains(&seconds), "{answer:?}");
    assert!(folder.database().exists(), "a relative path is relative to the file");
}

#[test]
fn settings_print_no_secret_and_ids_are_unique() {
    let folder = Folder::new("settings");
    let mut settings = Settings::demo(folder.database());
    assert!(
        !format!("{settings:?}").contains("-secret") && !format!("{settings:?}").contains("platform-key")
    );
    settings.clients.push(settings.clients[0].clone());
    assert!(dynamic_key_gateway::issuer::Issuer::open(&settings).is_err());
}

/// What the library writes is what is read here, field by field.
#[test]
fn the_library_and_the_issuer_mean_the_same_url() {
    let folder = Folder::new("url");
    let issuer = Issuer::start(&folder.database());
    let credentials = Credentials::public("app").unwrap();
    let config = Config {
        redirect_uri: Some("http://127.0.0.1/callback"),
        ..Config::new(&oauth::NOMBA, &credentials)
    };
    let mut tokens = Lifecycle::<64>::new(config).unwrap();
    let mut room = [0; 1024];
    let url = tokens.authorize("", &Secret::new([7; 64]), &mut room).unwrap();
    let location = issuer.send(&format!("GET {url} HTTP/1.1\r\n"), "").location.unwrap();
    let query = location.split_once('?').unwrap().1;
    assert!(query.starts_with("auth_code="), "{query}");
    tokens.authorized(query).unwrap();
}

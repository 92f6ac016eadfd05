//! How a gateway starts: one line where it cannot, and the keys that it keeps.

use crate::support::{Device, MODES, Program, Running, client, demo, folder};
use dynamic_key::Code;
use dynamic_key::client::ClientError;
use dynamic_key::request::Request;
use dynamic_key::session::{Mode, Now};
use dynamic_key_gateway::Config;
use dynamic_key_gateway::config::Limits;
use std::fs;
use std::path::Path;

/// A configuration that is right.
const RIGHT: &str = r#"
listen = "127.0.0.1:0"
upstream = "http://127.0.0.1:9"
[[clients]]
type = "internal"
id = "internal-web-client"
"#;

/// The one line that the program prints when it does not start.
fn complaint(arguments: &[&str]) -> String {
    let output = Program::output(arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{stderr}");
    assert!(output.stdout.is_empty());
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr.strip_prefix("dynamic-key-gateway: ").unwrap().trim_end().into()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn bad_files_are_one_line() {
    let file = folder("bad-files").join("gateway.toml");
    let long_id = RIGHT.replace("internal-web-client", &"x".repeat(65));
    for (text, expected) in [
        ("liste = 1", "gateway.toml, line 1: unknown field `liste`"),
        ("\n\nlisten = 8080", "gateway.toml, line 3: "),
        ("listen = \"here\"", "line 1: "),
        ("listen = ", "gateway.toml, line 1: "),
        ("x", "gateway.toml, line 1: "),
        ("[limits]\nbody = 1", "line 2: unknown field `body`"),
        ("[limits]\nhead_seconds = -1", "line 2: "),
        ("[[clients]]\ntype = \"internal\"", "line 1: missing field `id`"),
        (
            "[[clients]]\ntype = \"root\"\nid = \"a\"",
            "line 2: `root` is not a client type: internal or external",
        ),
        ("least_mode = \"pinned\"", "line 1: `pinned` is not a least mode: plain, confirmed or mutual"),
        ("schemes = [\"SCHEME-AES3\"]", "line 1: `SCHEME-AES3` is not a scheme: SCHEME-EC-AES2"),
        ("[external]\nschemes = [\"SCHEME-AES3\"]", "line 2: `SCHEME-AES3` is not a scheme: SCHEME-EC-AES2"),
        ("[internal]\nleast_mode = \"none\"", "line 2: `none` is not a least mode"),
        ("[internal]\nclients = []", "line 2: unknown field `clients`"),
        ("preference = \"server\"", "line 1: `server` is not a preference"),
        ("sample_upstream = true", "unknown field `sample_upstream`"),
        ("", "clients: none is configured"),
        (&RIGHT.replace("upstream", "#"), "upstream: none is configured"),
        (&RIGHT.replace("http://127.0.0.1:9", "https://a.example"), "upstream: must begin with http://"),
        (&RIGHT.replace("http://127.0.0.1:9", "127.0.0.1:9"), "upstream: must"),
        (&RIGHT.replace("127.0.0.1:9", "u:p@127.0.0.1:9"), "upstream: must have no user"),
        (&RIGHT.replace("127.0.0.1:9", "127.0.0.1:9/?a"), "upstream: must have no user"),
        (&long_id, "clients: "),
        (
            &format!("{RIGHT}[[clients]]\ntype = \"internal\"\nid = \"internal-web-client\"\n"),
            "configured twice",
        ),
        (&format!("audience = \"a b\"\n{RIGHT}"), "audience: must be an origin"),
        (&format!("session_seconds = 0\n{RIGHT}"), "session_seconds: must not be zero"),
        (&format!("schemes = []\n{RIGHT}"), "schemes: must not be zero or empty"),
        (&format!("{RIGHT}[external]\nschemes = []\n"), "external.schemes: must not be zero or empty"),
        (
            &format!("{RIGHT}[internal]\nschemes = [\"SCHEME-AES2\"]\nleast_mode = \"plain\"\n"),
            "may use plain mode, which needs SCHEME-EC-AES2",
        ),
        (&format!("cors_origins = [\"*\"]\n{RIGHT}"), "cors_origins: \"*\" is no origin"),
        (&format!("cors_origins = [\"https://a.example/\"]\n{RIGHT}"), "cors_origins: "),
        (
            &format!("least_mode = \"plain\"\nschemes = [\"SCHEME-EC-AES1\"]\n{RIGHT}"),
            "may use plain mode, which needs SCHEME-EC-AES2",
        ),
        (
            &format!("{RIGHT}[[routes]]\nmethod = \"get\"\npath = \"/a\"\n"),
            "routes: rule 0 (counted from 0): the method",
        ),
        (&format!("{RIGHT}[[routes]]\nmethod = \"GET\"\npath = \"/a/../b\"\n"), "the pattern must be"),
        (
            &format!("{RIGHT}[[routes]]\nmethod = \"GET\"\npath = \"/a\"\nheaders = [\"Range\"]\n"),
            "must never be forwarded",
        ),
        (
            &format!("{RIGHT}[[routes]]\nmethod = \"GET\"\npath = \"/a\"\nclients = [\"web\"]\n"),
            "routes: GET /a: names \"web\", which is no configured client of these types",
        ),
        (
            &format!("{RIGHT}[[routes]]\nmethod = \"GET\"\npath = \"/a\"\nclient_types = [\"external\"]\n"),
            "routes: GET /a: external clients reach only routes that name them",
        ),
        (&format!("{RIGHT}[limits]\nsessions = 0\n"), "limits.sessions: must not be zero"),
    ] {
        fs::write(&file, text).unwrap();
        let complaint = complaint(&["--config", path(&file)]);
        assert!(complaint.contains(expected), "{complaint:?} for {text:?}");
    }
}

#[test]
fn bad_command_lines_are_one_line() {
    let file = folder("bad-lines").join("gateway.toml");
    fs::write(&file, RIGHT).unwrap();
    let right = path(&file);
    for (arguments, expected) in [
        (&[][..], "either --config FILE or --demo is needed"),
        (&["--demo", "--config", right], "either --config FILE or --demo"),
        (&["--config", "/nowhere/gateway.toml"], "/nowhere/gateway.toml: entity not found"),
        (&["--config"], "missing argument"),
        (&["--demo", "--listen", "nowhere"], "nowhere"),
        (&["--demo", "--listen", "192.0.2.1:80"], "cannot listen on 192.0.2.1:80: "),
        (&["--demo", "--prot", "80"], "--prot"),
        (&["--demo", "here"], "here"),
        (&["--demo", "--log", "loud"], "loud"),
        (&["--demo", "--session-seconds", "0"], "session_seconds: must not be zero"),
        (&["--demo", "--upstream", "ftp://a"], "upstream: must begin with http://"),
        (&["--demo", "--identity", "/nowhere/key.pem"], "/nowhere/key.pem: entity not found"),
    ] {
        let complaint = complaint(arguments);
        assert!(complaint.contains(expected), "{complaint:?} for {arguments:?}");
    }
    let help = Program::output(&["--help"]);
    assert!(help.status.success() && help.stdout.starts_with(b"dynamic-key-gateway"));
}

#[test]
fn bad_keys_are_one_line() {
    let folder = folder("bad-keys");
    let file = folder.join("key");
    let right = folder.join("right.jwk");
    let gateway = Running::start(Config { identity: Some(right.clone()), ..demo() });
    drop(gateway);
    let jwk = fs::read_to_string(&right).unwrap();
    let other = jwk.replacen("\"x\": \"", "\"x\": \"A", 1);
    let curve = jwk.replace("P-256", "P-384");
    let public: String = jwk.lines().filter(|line| !line.contains("\"d\"")).collect();
    for text in [
        "",
        "no key",
        "{}",
        &other,
        &curve,
        &public,
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ] {
        fs::write(&file, text).unwrap();
        let complaint = complaint(&["--demo", "--listen", "127.0.0.1:0", "--identity", path(&file)]);
        assert!(complaint.ends_with("key: not a P-256 private key as PKCS #8 PEM or JWK"), "{complaint}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text, "it is left as it was");
    }
    for text in ["", "ab", &"ab".repeat(31), &"x".repeat(64), &("ab".repeat(32) + "a"), &"+a".repeat(32)] {
        fs::write(&file, text).unwrap();
        let complaint = complaint(&["--demo", "--listen", "127.0.0.1:0", "--token-secret", path(&file)]);
        assert!(complaint.ends_with("key: not a secret of at least 32 bytes in hexadecimal"), "{complaint}");
    }
}

#[test]
fn keys_are_generated_once_for_their_owner_and_kept() {
    let folder = folder("keys");
    for name in ["identity.pem", "identity.jwk"] {
        let (identity, secret) = (folder.join(name), folder.join(format!("{name}.hex")));
        let config =
            Config { identity: Some(identity.clone()), token_secret: Some(secret.clone()), ..demo() };
        let first = Running::start(config.clone()).pin;
        let contents = [&identity, &secret].map(|file| fs::read_to_string(file).unwrap());
        assert_eq!(contents[0].starts_with("-----BEGIN PRIVATE KEY-----\n"), name.ends_with("pem"));
        assert_eq!(contents[1].trim_end().len(), 64);
        #[cfg(unix)]
        for file in [&identity, &secret] {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(Running::start(config).pin, first, "the same identity");
        assert_eq!([&identity, &secret].map(|file| fs::read_to_string(file).unwrap()), contents);
    }
    assert_ne!(Running::start(demo()).pin, Running::start(demo()).pin, "without a file each its own");
}

#[test]
fn a_key_of_openssl_is_read() {
    // openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256
    let pem = "-----BEGIN PRIVATE KEY-----\n\
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgj/9lRz0cyLDWgjCK\n\
        7om6yY0X5VaM6sPd2gBullfYpI2hRANCAAQ0YBmjrFRpI8mfmF4EgLNrELc39QRb\n\
        ZZq31BgYvj7WR3dulZdAKdhs1y8M0LZXNg54n6SZYomtpSNaDQ9too/v\n\
        -----END PRIVATE KEY-----\n";
    let file = folder("openssl").join("key.pem");
    fs::write(&file, pem).unwrap();
    let gateway = Running::start(Config { identity: Some(file), ..demo() });
    assert_eq!(gateway.pin.kid().as_str(), "k-qDr9MY4vUz3ubCtPGtRRvFBOiBvn_1M2cvQgxkrMs");
}

#[test]
fn the_sample_configuration_starts_and_means_its_defaults() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("gateway.toml");
    let text = fs::read_to_string(&sample).unwrap();
    let file = folder("sample").join("gateway.toml");
    fs::write(&file, text.replace("127.0.0.1:8080", "127.0.0.1:0")).unwrap();
    let program = Program::start(&["--config", path(&file)]);
    assert!(file.with_file_name("identity.pem").exists(), "beside the file that names it");
    program.signal("TERM");
    assert!(program.finish().0);

    // With every setting spelled out it says the same.
    let spelled: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if setting.contains(" = ") && !setting.contains("cors_origins") => setting,
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let shown = |text: &str| {
        let config = Config { token_secret: None, ..Config::from_toml(text).unwrap() };
        format!("{config:?}")
    };
    assert_ne!(spelled, text);
    assert_eq!(shown(&spelled), shown(&text));
}

#[test]
fn a_configured_gateway_refuses_plain_mode() {
    let config = Config { least_mode: Mode::Confirmed, ..demo() };
    let clients = config.clients.iter().cloned();
    let clients = clients.map(|client| dynamic_key_gateway::config::Client { least_mode: None, ..client });
    let gateway = Running::start(Config { clients: clients.collect(), ..config });
    let pins = [gateway.pin];
    let mut buffer = vec![0; 8192];
    for mode in MODES {
        let outcome = client(gateway.address, &pins, mode).request(
            Now::UNKNOWN,
            &Request::get("/countries/get"),
            &mut buffer,
        );
        if mode == Mode::Plain {
            let refused = ClientError::Refused { code: Code::ConfirmationRequired, retry_after: None };
            assert_eq!(outcome.unwrap_err(), refused);
        } else {
            assert_eq!(outcome.unwrap().status, 200);
        }
    }
    assert_eq!(Config::default().least_mode, Mode::Confirmed);
    assert!(Config::default().limits.handshakes_per_minute > 0 && Limits::default().failures_per_minute > 0);
}

#[test]
fn a_route_may_demand_more_than_a_client() {
    let mut config = demo();
    for route in &mut config.routes {
        if route.path.starts_with("/users/getbyid") {
            route.least_mode = Some(Mode::Confirmed);
        }
    }
    let gateway = Running::start(config);
    let mut plain = Device::connect(&gateway, &Device::internal(Mode::Plain));
    let sealed = plain.seal(&Request::get("/users/getbyid/1"));
    let answer = plain.send(&sealed);
    assert_eq!(plain.refusal(answer), (400, "CONFIRMATION_REQUIRED".into()));
    assert_eq!(plain.call(&Request::get("/countries/get")).0, 200);
    let mut confirmed = Device::connect(&gateway, &Device::internal(Mode::Confirmed));
    assert_eq!(confirmed.call(&Request::get("/users/getbyid/1")).0, 200);
}

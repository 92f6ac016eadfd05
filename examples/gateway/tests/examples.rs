//! The examples as their readers run them: the client against the demonstration gateway, and the demo.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails should panic")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

const GET: [&str; 2] = ["GET", "/countries/get"];
const COUNTRIES: &str = "200\n{\"countries\":[\"UY\",\"PT\"]}\n";

/// An example as it is now: built once, in the profile of this test and beside it.
fn example(name: &str) -> Command {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let folder = test.ancestors().nth(2).unwrap();
        let profile = match folder.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            name => name,
        };
        let built = Command::new(env!("CARGO"))
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .args([
                "build",
                "--quiet",
                "--profile",
                profile,
                "--example",
                "client",
                "--example",
                "demo",
                "--example",
                "identity",
                "--example",
                "token",
            ])
            .arg("--target-dir")
            .arg(folder.parent().unwrap())
            .status();
        assert!(built.unwrap().success());
        folder.join("examples")
    });
    Command::new(folder.join(name))
}

/// A demonstration gateway, which ends with the test.
struct Gateway {
    child: Child,
    url: String,
    kid: String,
}

impl Gateway {
    fn start() -> Self {
        Self::with(&["--demo"])
    }

    fn with(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dynamic-key-gateway"))
            .args(args)
            .args(["--listen", "127.0.0.1:0", "--log", "error"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        let ["listening", "on", url, "identity", kid] = ready.split_whitespace().collect::<Vec<_>>()[..]
        else {
            panic!("not ready: {ready}");
        };
        let (url, kid) = (url.into(), kid.into());
        Self { child, url, kid }
    }

    /// The client with these arguments after those that name gateway and client.
    fn client(&self, args: &[&str]) -> Outcome {
        let to = ["--gateway", &self.url, "--client-id", "internal-web-client", "--type", "internal"];
        Outcome::of(example("client").args(to).args(args))
    }

    fn pinned(&self, args: &[&str]) -> Outcome {
        self.client(&[&["--pin", &self.kid], args].concat())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program left: exit code, standard output, standard error.
#[derive(Debug)]
struct Outcome(i32, String, String);

impl Outcome {
    fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self(status.code().unwrap(), text(stdout), text(stderr))
    }

    /// It failed with this exit code, nothing on standard output, and one line that says this.
    #[track_caller]
    fn fails(&self, code: i32, says: &str) {
        let Self(ended, out, err) = self;
        assert_eq!((*ended, out.as_str(), err.lines().count()), (code, "", 1), "{self:?}");
        assert!(err.contains(says), "{says:?}: {err}");
    }

    #[track_caller]
    fn prints(&self, code: i32, text: &str) {
        assert_eq!((self.0, self.1.as_str()), (code, text), "{self:?}");
    }
}

#[test]
fn the_client_is_answered_in_every_mode_with_every_offer() {
    let gateway = Gateway::start();
    let (aes1, aes2) = ("SCHEME-EC-AES1", "SCHEME-EC-AES2");
    for offer in [aes1, aes2, &format!("{aes1},{aes2}"), &format!("{aes2},{aes1}")] {
        for mode in ["plain", "confirmed"] {
            let options = ["--mode", mode, "--scheme", offer, "--repeat", "3"];
            gateway.client(&[&options[..], &GET].concat()).prints(0, &COUNTRIES.repeat(3));
        }
        for mode in [&[][..], &["--mode", "pinned"]] {
            let options = ["--scheme", offer, "--repeat", "3"];
            gateway.pinned(&[mode, &options, &GET].concat()).prints(0, &COUNTRIES.repeat(3));
        }
    }
    let another = "A".repeat(43);
    gateway.pinned(&["--pin", &another, GET[0], GET[1]]).prints(0, COUNTRIES);
    let login = ["POST", "/users/login", r#"{"user":"demo","password":"demo"}"#];
    gateway.pinned(&login).prints(0, "200\n{\"user\":\"demo\"}\n");
}

#[test]
fn only_success_is_exit_code_0() {
    let gateway = Gateway::start();
    let wrong = gateway.pinned(&["POST", "/users/login", r#"{"user":"demo","password":"wrong"}"#]);
    wrong.prints(1, "401\n{\"error\":\"wrong user or password\"}\n");
    let outside = gateway.pinned(&["GET", "/admin"]);
    assert!(outside.1.starts_with("404\n") && outside.1.contains("DYNAMIC_KEY_V2_ROUTE_NOT_ALLOWED"));
    assert_eq!(outside.0, 1);

    let nobody = "A".repeat(43);
    gateway.client(&["--pin", &nobody, GET[0], GET[1]]).fails(1, "none of the pinned keys");
    gateway.pinned(&["--client-id", "nobody", GET[0], GET[1]]).fails(1, "DYNAMIC_KEY_V2_CLIENT_NOT_ALLOWED");
    gateway.pinned(&["--type", "external", GET[0], GET[1]]).fails(1, "DYNAMIC_KEY_V2_CLIENT_NOT_ALLOWED");
    gateway.pinned(&["--gateway", "http://127.0.0.1:9", GET[0], GET[1]]).fails(1, "no connection");
}

#[test]
fn a_wrong_command_line_is_one_line_and_exit_code_2() {
    let gateway = Gateway::start();
    gateway.client(&GET).fails(2, "--pin");
    gateway.client(&["--mode", "pinned", GET[0], GET[1]]).fails(2, "--pin");
    for (args, says) in [
        (&["--pin"][..], "--pin wants a value"),
        (&["--pin", "short", GET[0], GET[1]], "43 characters"),
        (&["--mode", "mutual", GET[0], GET[1]], "--identity"),
        (&["--identity", "/nowhere", GET[0], GET[1]], "/nowhere: "),
        (&["--mode", "none", GET[0], GET[1]], "pinned, confirmed or plain"),
        (&["--type", "other", GET[0], GET[1]], "internal or external"),
        (&["--scheme", "SCHEME-EC-AES3", GET[0], GET[1]], "SCHEME-EC-AES3"),
        (&["--scheme", "SCHEME-EC-AES1,SCHEME-EC-AES1", GET[0], GET[1]], "twice"),
        (&["--device-id", "", GET[0], GET[1]], "1 to 64"),
        (&["--repeat", "0", GET[0], GET[1]], "number"),
        (&["--gateway", "https://127.0.0.1", GET[0], GET[1]], "http://"),
        (&["--gateway", "http://127.0.0.1/path", GET[0], GET[1]], "nothing more"),
        (&["--frobnicate", GET[0], GET[1]], "--frobnicate"),
        (&["GET"], "PATH"),
        (&["GET", "/a", "{}", "more"], "at most one"),
        (&["GET", "countries/get"], "begins with /"),
        (&["POST", "/users/login", "{"], "JSON"),
    ] {
        gateway.pinned(args).fails(2, says);
    }
    Outcome::of(example("client").args(["--mode", "plain", GET[0], GET[1]])).fails(2, "--gateway");
    let help = Outcome::of(example("client").arg("--help"));
    assert!(help.0 == 0 && help.1.contains("--show-wire") && help.2.is_empty(), "{help:?}");
}

/// A gateway that demands mutual mode and has no upstream: whoever gets through is told so, sealed.
#[test]
fn the_client_proves_an_identity_that_is_registered() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("mutual");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| {
        fs::write(folder.join(name), text).unwrap();
        folder.join(name).into_os_string().into_string().unwrap()
    };
    // A gateway keeps its key as a private JWK: so do two devices here.
    let key = |name: &str| {
        let own = format!("upstream = \"http://127.0.0.1:9\"\nidentity = \"{name}.jwk\"\n[[clients]]\n{WEB}");
        Gateway::with(&["--config", &file("keys.toml", &own)]);
        folder.join(format!("{name}.jwk")).into_os_string().into_string().unwrap()
    };
    let (device, stranger) = (key("device"), key("stranger"));
    let config = format!(
        "upstream = \"http://127.0.0.1:9\"\nleast_mode = \"mutual\"\n[[clients]]\n{WEB}\
         [[identities]]\nkey = \"device.jwk\"\ntype = \"internal\"\n\
         client = \"internal-web-client\"\ndevice = \"terminal-7\"\n"
    );
    let gateway = Gateway::with(&["--config", &file("gateway.toml", &config)]);
    let call = |key: &str, device: &str| {
        gateway.pinned(&["--mode", "mutual", "--identity", key, "--device-id", device, GET[0], GET[1]])
    };
    let served = call(&device, "terminal-7");
    assert!(served.1.starts_with("502\n") && served.1.contains("UPSTREAM_UNAVAILABLE"), "{served:?}");
    call(&device, "terminal-8").fails(1, "CLIENT_NOT_ALLOWED");
    call(&stranger, "terminal-7").fails(1, "CLIENT_NOT_ALLOWED");
    gateway.pinned(&GET).fails(1, "CONFIRMATION_REQUIRED");
}

const WEB: &str = "type = \"internal\"\nid = \"internal-web-client\"\n";

#[test]
fn the_wire_is_shown_beside_what_the_ends_see() {
    let gateway = Gateway::start();
    let login = ["--show-wire", "POST", "/users/login", r#"{"user":"demo","password":"demo"}"#];
    let Outcome(code, out, err) = gateway.pinned(&login);
    assert_eq!((code, out.as_str()), (0, "200\n{\"user\":\"demo\"}\n"));
    let (wire, ends) = err.split_once("── at the ends").unwrap();
    for shown in
        ["GET /.well-known/jwks.json", "POST /api/info/v2 HTTP/1.1", "POST /api/request/v2", "HTTP/1.1 200"]
    {
        assert!(wire.contains(shown), "{shown}: {wire}");
    }
    for hidden in ["password", "/users/login"] {
        assert!(!wire.contains(hidden) && ends.contains(hidden), "{hidden}: {err}");
    }
}

#[test]
fn the_demo_goes_as_told() {
    let Outcome(code, out, err) = Outcome::of(&mut example("demo"));
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let (_, summary) = out.split_once("═══ Summary ═══").unwrap();
    for told in ["Tokens that stay fresh", "Identities and what they tell each other"] {
        assert!(out.contains(&format!("═══ {told} ═══")), "{told}");
    }
    for (attack, refusal) in [
        ("Replay", "400 DYNAMIC_KEY_V2_ENCRYPTION_ERROR"),
        ("Bit flip, request", "400 DYNAMIC_KEY_V2_ENCRYPTION_ERROR"),
        ("Reflection, gateway", "400 DYNAMIC_KEY_V2_ENCRYPTION_ERROR"),
        ("Foreign token", "401 DYNAMIC_KEY_V2_INVALID_TOKEN"),
        ("Bit flip, answer", "Peer(Authentication)"),
        ("Reflection, client", "Peer(Authentication)"),
        ("Swapped answers", "Peer(Authentication)"),
        ("Changed status", "Peer(Authentication)"),
        ("Forged expiry", "OutcomeUnknown"),
        ("Stripped keyAgreement", "Peer(Downgrade)"),
        ("Stripped, answer", "Peer(Downgrade)"),
        ("Edited scheme list", "Peer(Authentication)"),
        ("Impostor gateway", "Peer(Authentication)"),
    ] {
        let line = summary.lines().find(|line| line.trim_start().starts_with(attack));
        assert!(line.is_some_and(|line| line.contains(refusal)), "{attack}: {line:?}");
    }
    assert!(!out.contains('✗') && !out.contains('\x1b'), "no colour where there is no terminal: {out}");
}

#[test]
fn every_grant_goes_as_told() {
    let Outcome(code, out, err) = Outcome::of(&mut example("token"));
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("All went as told") && !out.contains('✗'), "{out}");
}

#[test]
fn identities_exchange_what_they_say_as_told() {
    let Outcome(code, out, err) = Outcome::of(&mut example("identity"));
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("All went as told") && !out.contains('✗'), "{out}");
    let (_, summary) = out.split_once("═══ Summary ═══").unwrap();
    for (attack, refusal) in [
        ("Registration", "among the identity's keys"),
        ("Each message once", "come before"),
        ("A package to another", "could not be authenticated"),
        ("In another's name", "40901"),
        ("New keys", "40901"),
        ("A relay that lies", "two successors"),
        ("Another device", "could not be authenticated"),
    ] {
        let line = summary.lines().find(|line| line.trim_start().starts_with(attack));
        assert!(line.is_some_and(|line| line.contains(refusal)), "{attack}: {line:?}");
    }
}

//! What a relay is configured with.

use crate::server::{Program, folder};
use crate::support::{ONE, settings};
use dynamic_key_gateway::Config;

const RIGHT: &str = r#"
    upstream = "http://127.0.0.1:9"
    [[clients]]
    type = "internal"
    id = "internal-web-client"
    [relay]
    database = "relayed.redb"
    [[relay.applications]]
    name = "one"
    [[relay.applications.keys]]
    id = "one-key"
    secret = "the secret of the one application"
"#;

#[test]
fn what_cannot_be_is_one_line() {
    let file = folder("relay-settings").join("gateway.toml");
    let again = format!("{RIGHT}[[relay.applications.keys]]\nid = \"one-key\"\nsecret = \"{ONE}\"\n");
    let two = format!("{RIGHT}[[relay.applications]]\nname = \"one\"\n");
    let client = format!("{RIGHT}[[relay.applications]]\nname = \"two\"\nclients = [\"a\", \"a\"]\n");
    for (text, expected) in [
        (RIGHT.replace("database", "databas"), "unknown field `databas`"),
        (RIGHT.replace("database = \"relayed.redb\"", ""), "missing field `database`"),
        (RIGHT.replace("relayed.redb", "/nowhere/relayed.redb"), "the relay's database: "),
        (RIGHT.replace("relayed.redb\"", "a\"\nhost = \"a b\""), "relay.host: must be a host name"),
        (RIGHT.replace("relayed.redb\"", "a\"\nhost = \"a@b\""), "relay.host: must be a host name"),
        (RIGHT.replace("relayed.redb\"", "a\"\nbody_bytes = 0"), "relay: body_bytes must not be zero"),
        (RIGHT.replace("relayed.redb\"", "a\"\nclock_seconds = 0"), "relay: clock_seconds must not be zero"),
        (RIGHT.replace("relayed.redb\"", "a\"\nmessage_bytes = -1"), "gateway.toml, line "),
        (RIGHT.replace("name = \"one\"", "name = \"o/e\""), "relay.applications: names and customers are"),
        (RIGHT.replace("name = \"one\"", "name = \"one\"\ncustomer = \"\""), "names and customers are"),
        (RIGHT.replace(ONE, "short"), "the secret of \"one-key\" has less than 32 bytes"),
        (RIGHT.split("[[relay").next().unwrap().to_owned(), "none is configured: everybody would be refused"),
        (again, "two keys have the same id"),
        (two, "two have the same name"),
        (client, "a client acts for two of them, or twice for one"),
    ] {
        std::fs::write(&file, &text).unwrap();
        let output = Program::output(&["--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
        let complaint = String::from_utf8(output.stderr).unwrap();
        let own: Vec<&str> =
            complaint.lines().filter(|line| line.starts_with("dynamic-key-gateway: ")).collect();
        assert!(!output.status.success() && own.len() == 1, "{complaint}");
        assert!(own[0].contains(expected) && !complaint.contains(ONE), "{complaint:?}");
    }
    std::fs::write(&file, RIGHT).unwrap();
    let program = Program::start(&["--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    assert!(file.with_file_name("relayed.redb").exists(), "a relative path is relative to the file");
    program.signal("TERM");
    assert!(program.finish().0);
}

#[test]
fn settings_print_no_secret() {
    let shown = format!("{:?}", Config { relay: Some(settings()), ..Config::demo() });
    assert!(shown.contains("one-key") && !shown.contains(ONE), "{shown}");
}

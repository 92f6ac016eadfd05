//! What who operates it asks.

use crate::server::exchange;
use crate::support::Relay;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

#[test]
fn it_is_well_and_ready_and_says_what_it_is() {
    let relay = Relay::start();
    let get = |path: &str| {
        let answer = exchange(relay.address(), "GET", path, &[], b"");
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        answer.json()
    };
    assert_eq!((get("/ops/health"), get("/ops/ready")), (json!({"status": "ok"}), json!({"status": "ok"})));
    let version = json!({"name": "dynamic-key-gateway", "version": env!("CARGO_PKG_VERSION")});
    assert_eq!(get("/ops/version"), version);
    let licenses = get("/ops/licenses");
    let redb = licenses.as_array().unwrap().iter().find(|package| package["name"] == "redb").unwrap();
    assert_eq!(redb["license"], "MIT OR Apache-2.0");
}

/// Made anew with `UPDATE_LICENSES=1` in the environment.
#[test]
fn the_licences_are_those_of_all_that_is_linked() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let arguments = "tree --locked --offline --package dynamic-key-gateway --edges normal,no-proc-macro \
        --target x86_64-unknown-linux-gnu --prefix none --no-dedupe --format {p}|{l}";
    let output = Command::new(cargo).args(arguments.split_whitespace()).current_dir(here).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: BTreeSet<String> =
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    let packages: Vec<Value> = lines
        .iter()
        .map(|line| {
            let (package, license) = line.split_once('|').unwrap();
            let mut words = package.split(' ');
            let (name, version) = (words.next().unwrap(), words.next().unwrap().strip_prefix('v').unwrap());
            assert!(!license.is_empty(), "{line}");
            json!({"name": name, "version": version, "license": license})
        })
        .collect();
    assert!(packages.len() > 50, "{}", packages.len());
    let text: Vec<String> = packages.iter().map(|package| format!("  {package}")).collect();
    let text = format!("[\n{}\n]\n", text.join(",\n"));
    let file = here.join("licenses.json");
    if std::env::var_os("UPDATE_LICENSES").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "run it with UPDATE_LICENSES=1");
}

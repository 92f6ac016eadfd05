//! Writes what the vectors say of the elliptic-curve schemes as constants, for a machine without files.

mod wycheproof;

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use serde_json::Value;
use std::{env, fs, path::Path};

/// The files, and how many of their cases are of the elliptic-curve schemes.
const FILES: [(&str, usize); 3] =
    [("confirmed.json", 3), ("dynamic-key-v2.json", 7), ("key-agreement.json", 5)];

fn main() {
    let own = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let load = |file: &str| -> Value {
        let path = Path::new(&own).join("../../../test-vectors").join(file);
        println!("cargo:rerun-if-changed={}", path.display());
        serde_json::from_slice(&fs::read(path).expect("the vectors are there")).expect("they are JSON")
    };
    let messages = load("messages.json");
    let mut out = String::from("pub(crate) const CASES: &[Case] = &[\n");
    for (file, expected) in FILES {
        let vectors = load(file);
        let cases = vectors["cases"].as_array().expect("cases");
        let cases: Vec<_> = cases.iter().filter(|case| field(case, 12).starts_with(b"SCHEME-EC-")).collect();
        assert_eq!(cases.len(), expected, "{file}");
        for case in cases {
            let signatures: Vec<_> = [("server", "Server"), ("client", "Client")]
                .into_iter()
                .filter(|(prefix, _)| case.get(format!("{prefix}Signature")).is_some())
                .map(|(prefix, role)| signature(case, prefix, role, &messages))
                .collect();
            out += &format!(
                "Case {{ name: {:?}, client: ({:?}, {:?}), server: ({:?}, {:?}), transcript: {:?}, proof: {:?}, \
                 signatures: &[{}] }},\n",
                format!("{file}: {}", text(case, "name")),
                hex(text(case, "clientPrivate")),
                field(case, 2),
                hex(text(case, "serverPrivate")),
                field(case, 10),
                hex(text(case, "T")),
                Base64::decode_vec(text(case, "proof")).expect("base64"),
                signatures.join(", "),
            );
        }
    }
    out += "];\n";
    let to = env::var_os("OUT_DIR").expect("cargo sets it");
    for (file, text) in [("vectors.rs", out), ("wycheproof.rs", wycheproof::write())] {
        fs::write(Path::new(&to).join(file), text).expect("OUT_DIR is writable");
    }
}

/// A signature over the transcript; with the private key where it is that of an exchange, which signs as RFC 6979 says.
fn signature(case: &Value, prefix: &str, role: &str, messages: &Value) -> String {
    let jwk = &case[format!("{prefix}Jwk")];
    let coordinates = ["x", "y"].map(|name| base64url(text(jwk, name)));
    let point = [vec![4], coordinates.concat()].concat();
    let exchanges = messages["exchanges"].as_array().expect("exchanges").iter();
    let mut identities =
        exchanges.flat_map(|exchange| [&exchange["serverIdentity"], &exchange["clientIdentity"]]);
    let own = identities
        .find(|identity| identity.is_object() && identity["kid"] == case[format!("{prefix}Kid")])
        .map(|identity| hex(text(identity, "private")));
    let signature = base64url(text(case, &format!("{prefix}Signature")));
    format!("Signed {{ role: Role::{role}, point: {point:?}, signature: {signature:?}, private: {own:?} }}")
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

fn field(case: &Value, number: usize) -> Vec<u8> {
    hex(text(&case["fields"], &number.to_string()))
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().map(|digit| digit.to_digit(16).expect("hex") as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn base64url(text: &str) -> Vec<u8> {
    Base64UrlUnpadded::decode_vec(text).expect("base64url")
}

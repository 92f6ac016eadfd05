//! The crate's JOSE behind lines of JSON: one request a line on stdin, one answer a line on stdout, `{"ok":…}` or `{"error":"…"}`.
//! The foreign peers beside it drive it; `op` says what to do.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a request that is none of theirs should end it"
)]

use dynamic_key::Secret;
use dynamic_key::codec::base64;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::software::{Identity, Pins, RecipientKey, Software};
use dynamic_key::crypto::{Recipient, Signer};
use dynamic_key::jose::api_key::{self, Claims};
use dynamic_key::jose::jwe::pbes2::{self, Iterations};
use dynamic_key::jose::jwk::{Jwk, Use};
use dynamic_key::jose::jwt::Times;
use dynamic_key::jose::package::{self, Expected, Package};
use dynamic_key::jose::{Hs256Key, JoseError, KeyRef, jwe, jws};
use serde_json::{Value, json};
use std::io::{BufRead, Write};

type Provider = Software<getrandom::SysRng>;

fn main() {
    let mut provider = Software::new(getrandom::SysRng);
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let request = Request(serde_json::from_str(&line.unwrap()).unwrap());
        let answer = match answer(&mut provider, &request) {
            Ok(value) => json!({ "ok": value }),
            Err(error) => json!({ "error": format!("{error:?}") }),
        };
        writeln!(out, "{answer}").unwrap();
        out.flush().unwrap();
    }
}

struct Request(Value);

impl Request {
    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_else(|| panic!("{name} is missing: {}", self.0))
    }

    fn number(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_else(|| panic!("{name} is missing: {}", self.0))
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        let mut out = vec![0; self.text(name).len()];
        base64::url_decode(self.text(name).as_bytes(), &mut out).unwrap().to_vec()
    }

    fn time(&self, name: &str) -> Timestamp {
        Timestamp::from_unix_secs(self.number(name))
    }

    fn usage(&self) -> Use {
        if self.text("use") == "sig" { Use::Signature } else { Use::Encryption }
    }

    fn identity(&self) -> Identity {
        Identity::from_bytes(&Secret::new(self.bytes("private").try_into().unwrap())).unwrap()
    }

    fn recipient(&self) -> RecipientKey {
        RecipientKey::from_bytes(&Secret::new(self.bytes("private").try_into().unwrap())).unwrap()
    }

    fn jwk(&self, provider: &mut Provider, name: &str, usage: Use) -> Result<Jwk, JoseError> {
        Jwk::parse(provider, self.0[name].to_string().as_bytes(), usage)
    }
}

fn text(bytes: &[u8]) -> Value {
    let mut out = vec![0; base64::url_encoded_len(bytes.len())];
    base64::url_encode(bytes, &mut out).unwrap().into()
}

fn answer(provider: &mut Provider, request: &Request) -> Result<Value, JoseError> {
    match request.text("op") {
        // A private scalar, as the JWK of its public half.
        "jwk" => {
            let point = request.recipient().public()?.as_bytes().try_into().unwrap();
            let mut out = [0; Jwk::LEN];
            Jwk::new(point, request.usage())?.write(&mut out).unwrap();
            Ok(serde_json::from_slice(&out).unwrap())
        }
        "thumbprint" => Ok(request.jwk(provider, "jwk", request.usage())?.kid().as_str().into()),
        "sign" => {
            let (mut signer, kid) = (request.identity(), KeyRef::parse(request.text("kid"))?);
            let target = request.text("tgt");
            let header = jws::Header { issued_at: request.time("iat"), kid: &kid, target };
            let payload = request.bytes("payload");
            let mut out = vec![0; jws::signed_len(&header, payload.len())];
            Ok(jws::sign(&mut signer, &header, &payload, &mut out)?.into())
        }
        "verify" => {
            let pins = [request.jwk(provider, "jwk", Use::Signature)?.pinned()?];
            let (kid, token) = (KeyRef::parse(request.text("kid"))?, request.text("token"));
            let mut scratch = vec![0; token.len()];
            let message = jws::verify(&mut Pins(&pins), &kid, request.text("tgt"), token, &mut scratch)?;
            Ok(json!({ "payload": text(message.payload), "iat": message.issued_at.as_unix_secs() }))
        }
        "encrypt" => {
            let key = request.jwk(provider, "jwk", Use::Encryption)?;
            let kid = KeyRef::new(request.text("address"), key.kid())?;
            let header = jwe::Header { kid: &kid, content_type: request.0["cty"].as_str() };
            let mut buffer = request.bytes("plaintext");
            let length = buffer.len();
            buffer.resize(jwe::sealed_len(&header, length), 0);
            Ok(jwe::encrypt(provider, &key, &header, &mut buffer, length)?.into())
        }
        "decrypt" => {
            let mut token = request.text("token").as_bytes().to_vec();
            Ok(text(jwe::decrypt(provider, &mut request.recipient(), &mut token)?))
        }
        "encrypt-password" => {
            let iterations = Iterations::new(request.number("count") as u32).unwrap();
            let mut buffer = request.bytes("plaintext");
            let length = buffer.len();
            buffer.resize(length * 2 + 400, 0);
            let (password, cty) = (request.bytes("password"), request.0["cty"].as_str());
            Ok(pbes2::encrypt(provider, &password, iterations, cty, &mut buffer, length)?.into())
        }
        "decrypt-password" => {
            let most = Iterations::new(request.number("most") as u32).unwrap();
            let mut token = request.text("token").as_bytes().to_vec();
            Ok(text(pbes2::decrypt(provider, &request.bytes("password"), most, &mut token)?))
        }
        "pack" => {
            let mut signer = request.identity();
            let key = request.jwk(provider, "jwk", Use::Encryption)?;
            let sender = KeyRef::new(request.text("sender"), signer.kid())?;
            let recipient = KeyRef::new(request.text("recipient"), key.kid())?;
            let header =
                jws::Header { issued_at: request.time("iat"), kid: &sender, target: request.text("tgt") };
            let body = request.0["body"].to_string();
            let package =
                Package { header, recipient: &recipient, id: request.text("id"), body: body.as_bytes() };
            let mut buffer = vec![0; package.sealed_len()];
            Ok(package::pack(provider, &mut signer, &key, &package, &mut buffer)?.into())
        }
        "unpack" => {
            let pins = [request.jwk(provider, "jwk", Use::Signature)?.pinned()?];
            let sender = KeyRef::new(request.text("sender"), pins[0].kid())?;
            let (recipient, id) = (request.text("recipient"), request.text("id"));
            let expected = Expected { sender: &sender, recipient, id };
            let mut token = request.text("token").as_bytes().to_vec();
            let (mut key, mut verifier) = (request.recipient(), Pins(&pins));
            let received = package::unpack(provider, &mut key, &mut verifier, &expected, &mut token)?;
            Ok(serde_json::from_slice(received.body.raw()).unwrap())
        }
        "sign-token" => {
            let times = Times {
                issued_at: request.time("iat"),
                not_before: request.time("nbf"),
                expires: request.time("exp"),
            };
            let claims = Claims { key_id: request.text("kid"), audience: request.text("aud"), times };
            let mut out = vec![0; api_key::signed_len(&claims)];
            let key = Hs256Key::from_secret(&request.bytes("secret"))?;
            Ok(api_key::sign(&key, &claims, &mut out)?.into())
        }
        "verify-token" => {
            let key = Hs256Key::from_secret(&request.bytes("secret"))?;
            let (kid, aud, token) = (request.text("kid"), request.text("aud"), request.text("token"));
            let mut scratch = vec![0; token.len()];
            api_key::verify(&key, kid, aud, token, request.time("now"), 0, &mut scratch)?;
            Ok(Value::Null)
        }
        "kid" => Ok(request.recipient().kid().as_str().into()),
        other => panic!("no such op: {other}"),
    }
}

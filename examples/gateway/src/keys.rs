//! The gateway's own keys: its identity and the secret of its tokens, read from files or generated into them.

use dynamic_key::Secret;
use dynamic_key::codec::base64;
use dynamic_key::crypto::software::{Identity, PinnedKey};
use dynamic_key::gateway::TokenKey;
use getrandom::SysRng;
use getrandom::rand_core::TryRng;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use p256::{PublicKey, SecretKey};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The bytes of a token secret that is generated.
const SECRET_LEN: usize = 32;

/// Why a key file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be read or written.
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: io::ErrorKind,
    },
    /// The file holds no such key.
    Content {
        /// Its path.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// The system gives no randomness.
    Random,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Content { path, expected } => write!(f, "{}: not {expected}", path.display()),
            Self::Random => f.write_str("the system gives no randomness"),
        }
    }
}

impl std::error::Error for KeyError {}

/// The identity in the file, generated where there is none: PKCS #8 PEM, or a JWK where the file is called `.jwk` or
/// `.json`. Without a file a new one.
pub(crate) fn identity(path: Option<&Path>) -> Result<Identity, KeyError> {
    let Some(path) = path else { return generate() };
    let expected = "a P-256 private key as PKCS #8 PEM or JWK";
    let unfit = || KeyError::Content { path: path.to_owned(), expected };
    if let Some(text) = read(path)? {
        let parsed = if text.trim_start().starts_with('{') { from_jwk(&text) } else { from_pem(&text) };
        return parsed.ok_or_else(unfit);
    }
    let identity = generate()?;
    let is_jwk = path.extension().is_some_and(|extension| extension == "jwk" || extension == "json");
    let text = if is_jwk { to_jwk(&identity) } else { to_pem(&identity) };
    write_new(path, &text.ok_or_else(unfit)?)?;
    Ok(identity)
}

/// The public key in the file: SPKI PEM or JWK.
pub(crate) fn public(path: &Path) -> Result<PinnedKey, KeyError> {
    let expected = "a P-256 public key as SPKI PEM or JWK";
    let unfit = || KeyError::Content { path: path.to_owned(), expected };
    let missing = || KeyError::File { path: path.to_owned(), error: io::ErrorKind::NotFound };
    let text = read(path)?.ok_or_else(missing)?;
    let key = if text.trim_start().starts_with('{') {
        serde_json::from_str::<PublicJwk>(&text).ok().and_then(|jwk| jwk.to_key())
    } else {
        text.parse::<PublicKey>().ok()
    };
    let point = key.and_then(|key| key.to_sec1_point(false).as_bytes().try_into().ok());
    point.and_then(|point| PinnedKey::from_point(&point).ok()).ok_or_else(unfit)
}

/// The key of the tokens, from the secret in the file, in hexadecimal, generated where there is none. Without a file
/// from a new secret.
pub(crate) fn token_key(path: Option<&Path>) -> Result<TokenKey, KeyError> {
    let secret = match path.map(read).transpose()?.flatten() {
        Some(text) => from_hex(text.trim()),
        None => Some(generate_secret(path)?),
    };
    let key = secret.and_then(|secret| TokenKey::hs256(&secret).ok());
    key.ok_or_else(|| KeyError::Content {
        path: path.unwrap_or(Path::new("token secret")).to_owned(),
        expected: "a secret of at least 32 bytes in hexadecimal",
    })
}

fn generate_secret(path: Option<&Path>) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let mut secret = Zeroizing::new(vec![0; SECRET_LEN]);
    SysRng.try_fill_bytes(&mut secret).map_err(|_| KeyError::Random)?;
    if let Some(path) = path {
        let hex = Zeroizing::new(secret.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        write_new(path, &Zeroizing::new(format!("{}\n", *hex)))?;
    }
    Ok(secret)
}

/// The JWK Set with the identity's public key (RFC 7517 §5), whose kid is its thumbprint (RFC 7638).
pub(crate) fn jwk_set(key: &PinnedKey) -> String {
    #[derive(Serialize)]
    struct Published<'k> {
        #[serde(flatten)]
        key: PublicJwk,
        kid: &'k str,
        r#use: &'static str,
        alg: &'static str,
    }
    let kid = key.kid();
    let key = Published { key: PublicJwk::of(key), kid: kid.as_str(), r#use: "sig", alg: "ES256" };
    json!({ "keys": [key] }).to_string()
}

/// The public members of a P-256 key (RFC 7518 §6.2.1). Others, such as `use`, are not looked at.
#[derive(Serialize, Deserialize, PartialEq)]
struct PublicJwk {
    kty: String,
    crv: String,
    x: String,
    y: String,
}

impl PublicJwk {
    fn of(key: &PinnedKey) -> Self {
        let [_, point @ ..] = key.point();
        let (x, y) = point.split_at(32);
        Self { kty: "EC".into(), crv: "P-256".into(), x: b64url(x), y: b64url(y) }
    }

    /// The key, if it is a point on the curve.
    fn to_key(&self) -> Option<PublicKey> {
        if (&*self.kty, &*self.crv) != ("EC", "P-256") {
            return None;
        }
        let mut point = [4; 65];
        let (x, y) = point.split_at_mut(33);
        for (text, room) in [(&self.x, x.get_mut(1..)?), (&self.y, y)] {
            let _ = base64::url_decode(text.as_bytes(), room).ok().filter(|bytes| bytes.len() == 32)?;
        }
        PublicKey::from_sec1_bytes(&point).ok()
    }
}

/// The private member (RFC 7518 §6.2.2).
#[derive(Serialize, Deserialize)]
struct PrivateMember<'t> {
    d: &'t str,
}

fn generate() -> Result<Identity, KeyError> {
    Identity::generate(&mut SysRng).map_err(|_| KeyError::Random)
}

fn from_pem(text: &str) -> Option<Identity> {
    from_secret_key(&SecretKey::from_pkcs8_pem(text).ok()?)
}

fn to_pem(identity: &Identity) -> Option<Zeroizing<String>> {
    let key = SecretKey::from_slice(identity.to_bytes().as_bytes()).ok()?;
    key.to_pkcs8_pem(LineEnding::LF).ok()
}

fn from_secret_key(key: &SecretKey) -> Option<Identity> {
    let mut scalar = Secret::zero();
    scalar.as_mut_bytes().copy_from_slice(&Zeroizing::new(key.to_bytes()));
    Identity::from_bytes(&scalar).ok()
}

fn from_jwk(text: &str) -> Option<Identity> {
    let public: PublicJwk = serde_json::from_str(text).ok()?;
    let PrivateMember { d } = serde_json::from_str(text).ok()?;
    let mut scalar = Secret::zero();
    let length = base64::url_decode_secret(d.as_bytes(), scalar.as_mut_bytes()).ok()?.len();
    let identity = Identity::from_bytes(&scalar).ok().filter(|_| length == 32)?;
    (PublicJwk::of(&identity.public().ok()?) == public).then_some(identity)
}

fn to_jwk(identity: &Identity) -> Option<Zeroizing<String>> {
    #[derive(Serialize)]
    struct Jwk<'t> {
        #[serde(flatten)]
        public: PublicJwk,
        #[serde(flatten)]
        private: PrivateMember<'t>,
    }
    let d = Zeroizing::new(b64url(identity.to_bytes().as_bytes()));
    let jwk = Jwk { public: PublicJwk::of(&identity.public().ok()?), private: PrivateMember { d: &d } };
    serde_json::to_string_pretty(&jwk).ok().map(|text| Zeroizing::new(text + "\n"))
}

fn b64url(bytes: &[u8]) -> String {
    let mut text = vec![0; base64::url_encoded_len(bytes.len())];
    base64::url_encode_secret(bytes, &mut text).map(str::to_owned).unwrap_or_default()
}

fn from_hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    for pair in text.as_bytes().chunks(2) {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2 && !pair.contains('+'))?;
        bytes.push(u8::from_str_radix(pair, 16).ok()?);
    }
    Some(bytes)
}

fn read(path: &Path) -> Result<Option<Zeroizing<String>>, KeyError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(KeyError::File { path: path.to_owned(), error: error.kind() }),
    }
}

/// Whether others than its owner may read or write this file.
pub(crate) fn is_open(path: &Path) -> bool {
    #[cfg(unix)]
    return fs::metadata(path).is_ok_and(|file| std::os::unix::fs::MetadataExt::mode(&file) & 0o077 != 0);
    #[cfg(not(unix))]
    return false;
}

/// Writes a file that was not there, for its owner only, durably.
fn write_new(path: &Path, text: &str) -> Result<(), KeyError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = || {
        let mut file = options.open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| KeyError::File { path: path.to_owned(), error: error.kind() })
}

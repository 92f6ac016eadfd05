//! Holds JOSE to its ceilings, by ratios of costs that were measured together: a JWE of 1 KiB, encrypted and decrypted, beside
//! josekit and beside the bare primitives; HS256 verified beside jsonwebtoken.
//!
//! Exits with 1 where one does not hold, by the median of [`ATTEMPTS`] attempts.

mod provider;

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use aes_kw::KwAes256;
use dynamic_key::codec::base64;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::software::{RecipientKey, Software};
use dynamic_key::crypto::{KeyWrap, Recipient};
use dynamic_key::jose::api_key::{self, Claims};
use dynamic_key::jose::jwk::{Jwk, Use};
use dynamic_key::jose::jwt::Times;
use dynamic_key::jose::{Hs256Key, KeyRef, jwe};
use dynamic_key_benches::interleaved::{Work, medians};
use dynamic_key_benches::peers::Rng;
use josekit::jwe::{ECDH_ES_A256KW, JweHeader};
use josekit::jwk::alg::ec::EcCurve;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use p256::ecdh::{EphemeralSecret, diffie_hellman};
use p256::elliptic_curve::Generate;
use p256::elliptic_curve::sec1::ToSec1Point;
use provider::{Fast, FastRecipient, Key};
use rand_core::TryRng;
use sha2::{Digest, Sha256};
use std::hint::black_box;
use std::process::ExitCode;

const LENGTH: usize = 1024;
const ATTEMPTS: usize = 5;
const ROUNDS: usize = 101;
/// How many times ours, on AWS-LC, josekit has to cost.
const LEAST_OF_JOSEKIT: f64 = 3.0;
/// How many times the bare primitives ours may cost, with either provider.
const MOST_OF_BARE: f64 = 1.1;
/// How many times ours jsonwebtoken has to cost.
const LEAST_OF_JSONWEBTOKEN: f64 = 1.0;

/// A whole message, with a provider and a recipient whose key has this point.
fn ours<P: KeyWrap + 'static>(
    mut provider: P,
    mut recipient: impl Recipient<SharedSecret = P::SharedSecret> + 'static,
    point: &[u8; 65],
) -> Work {
    let key = Jwk::new(*point, Use::Encryption).unwrap();
    let kid = KeyRef::new("address", key.kid()).unwrap();
    let mut buffer = vec![7; 4096];
    Box::new(move || {
        let header = jwe::Header { kid: &kid, content_type: None };
        let length = jwe::encrypt(&mut provider, &key, &header, &mut buffer, LENGTH).unwrap().len();
        black_box(jwe::decrypt(&mut provider, &mut recipient, &mut buffer[..length]).unwrap());
    })
}

fn ours_fast() -> Work {
    let recipient = FastRecipient::generate().unwrap();
    let point = recipient.point;
    ours(Fast(Software::new(Rng(1))), recipient, &point)
}

fn ours_software() -> Work {
    let recipient = RecipientKey::generate(&mut Rng(2)).unwrap();
    let point = recipient.public().unwrap().as_bytes().try_into().unwrap();
    ours(Software::new(Rng(1)), recipient, &point)
}

/// What of a message no implementation can do without: a key is drawn and agreed with, and `agree`d with by the recipient; keys are
/// derived, wrapped and unwrapped, the text is sealed, encoded, decoded and opened. No header, no check of one.
fn bare<K: 'static>(
    mut generate: impl FnMut() -> (K, [u8; 65]) + 'static,
    send: impl Fn(K) -> [u8; 32] + 'static,
    receive: impl Fn(&[u8; 65]) -> [u8; 32] + 'static,
) -> Work {
    let (mut rng, mut text) = (Rng(3), vec![7; LENGTH]);
    let mut encoded = vec![0; base64::url_encoded_len(LENGTH)];
    let aad = [b'A'; 300];
    let kek = |z: [u8; 32]| {
        let info = b"\0\0\0\x0eECDH-ES+A256KW\0\0\0\0\0\0\0\0\0\0\x01\0";
        KwAes256::new(&Sha256::new().chain_update([0, 0, 0, 1]).chain_update(z).chain_update(info).finalize())
    };
    Box::new(move || {
        let (ephemeral, epk) = generate();
        let (mut cek, mut iv, mut wrapped) = ([0; 32], [0; 12], [0; 40]);
        rng.try_fill_bytes(&mut cek).unwrap();
        rng.try_fill_bytes(&mut iv).unwrap();
        kek(send(ephemeral)).wrap_key(&cek, &mut wrapped).unwrap();
        let gcm = Aes256Gcm::new(&cek.into());
        let tag = gcm.encrypt_inout_detached(&iv.into(), &aad, text.as_mut_slice().into()).unwrap();
        base64::url_encode(&text, &mut encoded).unwrap();

        base64::url_decode(black_box(&encoded), &mut text).unwrap();
        kek(receive(&epk)).unwrap_key(&wrapped, &mut cek).unwrap();
        let gcm = Aes256Gcm::new(&cek.into());
        gcm.decrypt_inout_detached(&iv.into(), &aad, text.as_mut_slice().into(), &tag).unwrap();
        black_box(&text);
    })
}

fn bare_fast() -> Work {
    let recipient = FastRecipient::generate().unwrap();
    let point = recipient.point;
    let generate = || Key::generate().unwrap();
    bare(
        generate,
        move |key| *key.agree(&point).unwrap().as_bytes(),
        move |epk| *recipient.key.agree(epk).unwrap().as_bytes(),
    )
}

fn bare_software() -> Work {
    let mut rng = Rng(4);
    let recipient = p256::SecretKey::try_generate_from_rng(&mut rng).unwrap();
    let public = recipient.public_key();
    let generate = move || {
        let key = EphemeralSecret::try_generate_from_rng(&mut rng).unwrap();
        let point = key.public_key().to_sec1_point(false).as_bytes().try_into().unwrap();
        (key, point)
    };
    let public = public.to_sec1_point(false);
    let parse = |point: &[u8]| p256::PublicKey::from_sec1_bytes(point).unwrap();
    bare(
        generate,
        move |key: EphemeralSecret| {
            (*key.diffie_hellman(&parse(public.as_bytes())).raw_secret_bytes()).into()
        },
        move |epk| {
            (*diffie_hellman(recipient.to_nonzero_scalar(), parse(epk).as_affine()).raw_secret_bytes()).into()
        },
    )
}

/// One key of AWS-LC's, drawn.
fn generation() -> Work {
    Box::new(|| {
        black_box(Key::generate().unwrap());
    })
}

/// One agreement of AWS-LC's, with the check that the point is on the curve.
fn agreement() -> Work {
    let recipient = FastRecipient::generate().unwrap();
    Box::new(move || {
        black_box(recipient.key.agree(black_box(&recipient.point)).unwrap());
    })
}

fn josekit() -> Work {
    let key = josekit::jwk::Jwk::generate_ec_key(EcCurve::P256).unwrap();
    let encrypter = ECDH_ES_A256KW.encrypter_from_jwk(&key.to_public_key().unwrap()).unwrap();
    let decrypter = ECDH_ES_A256KW.decrypter_from_jwk(&key).unwrap();
    let mut header = JweHeader::new();
    header.set_content_encryption("A256GCM");
    let text = vec![7; LENGTH];
    Box::new(move || {
        let message = josekit::jwe::serialize_compact(&text, &header, &encrypter).unwrap();
        black_box(josekit::jwe::deserialize_compact(&message, &decrypter).unwrap());
    })
}

const SECRET: [u8; 32] = [7; 32];

fn token() -> String {
    let at = Timestamp::from_unix_secs;
    let times = Times { issued_at: at(1000), not_before: at(1000), expires: at(4_000_000_000) };
    let claims = Claims { key_id: "agQIBAQ@api.example", audience: "api.example", times };
    let key = Hs256Key::from_secret(&SECRET).unwrap();
    api_key::sign(&key, &claims, &mut [0; 512]).unwrap().to_string()
}

fn our_token() -> Work {
    let (token, key) = (token(), Hs256Key::from_secret(&SECRET).unwrap());
    let now = Timestamp::from_unix_secs(2_000_000_000);
    Box::new(move || {
        let mut scratch = [0; 256];
        api_key::verify(&key, "agQIBAQ@api.example", "api.example", black_box(&token), now, 60, &mut scratch)
            .unwrap();
    })
}

fn their_token() -> Work {
    let (token, key) = (token(), DecodingKey::from_secret(&SECRET));
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&["api.example"]);
    validation.validate_nbf = true;
    Box::new(move || {
        black_box(jsonwebtoken::decode::<serde_json::Value>(black_box(&token), &key, &validation).unwrap());
    })
}

fn main() -> ExitCode {
    let mut ratios = [[0.0; 4]; ATTEMPTS];
    println!("JWE of {LENGTH} bytes, encrypted and decrypted, µs; HS256 verified, ns");
    println!("          on AWS-LC (of it generation, agreement × 2)  in software");
    println!("josekit   ours   bare                                  ours   bare   jsonwebtoken   ours");
    for ratios in &mut ratios {
        let works = [
            josekit(),
            ours_fast(),
            bare_fast(),
            generation(),
            agreement(),
            ours_software(),
            bare_software(),
            their_token(),
            our_token(),
        ];
        let [peer, fast, bare, generation, agreement, software, bare_software, their_token, our_token] =
            medians(ROUNDS, works);
        let [a, b, c, d, e, f, g] =
            [peer, fast, bare, generation, 2.0 * agreement, software, bare_software].map(|ns| ns / 1000.0);
        println!(
            "{a:>7.0} {b:>6.1} {c:>6.1}  ({d:>4.1}, {e:>5.1}) {f:>27.0} {g:>6.0} {their_token:>14.0} {our_token:>6.0}"
        );
        *ratios = [peer / fast, fast / bare, software / bare_software, their_token / our_token];
    }
    let [of_josekit, of_bare, of_bare_software, of_jsonwebtoken] =
        [0, 1, 2, 3].map(|ratio| median(ratios.map(|ratios| ratios[ratio])));
    println!("josekit / ours {of_josekit:.2} (at least {LEAST_OF_JOSEKIT})");
    println!(
        "ours / bare on AWS-LC {of_bare:.3}, in software {of_bare_software:.3} (at most {MOST_OF_BARE})"
    );
    println!("jsonwebtoken / ours {of_jsonwebtoken:.2} (more than {LEAST_OF_JSONWEBTOKEN})");
    let holds = of_josekit >= LEAST_OF_JOSEKIT
        && of_bare.max(of_bare_software) <= MOST_OF_BARE
        && of_jsonwebtoken > LEAST_OF_JSONWEBTOKEN;
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn median(mut ratios: [f64; ATTEMPTS]) -> f64 {
    *ratios.select_nth_unstable_by(ATTEMPTS / 2, f64::total_cmp).1
}

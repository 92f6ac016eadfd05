//! Recovery data: the signature first, then the password.

use crate::support::{ADDRESS, NOW, Party, answer, author, exactly, known, party, provider, signed_as};
use dynamic_key::crypto::software::{Identity, RecipientKey};
use dynamic_key::crypto::{Recipient, Signer};
use dynamic_key::identity::IdentityError;
use dynamic_key::identity::recovery::{self, Keys, Recovery};
use dynamic_key::identity::response::Response;
use dynamic_key::jose::JoseError;
use dynamic_key::jose::jwe::pbes2::Iterations;
use serde_json::{Value, json};

const PASSWORD: &[u8] = b"correct horse battery staple";
const TARGET: &str = "/v1/identity/me/recovery#recovery";

fn keys(party: &Party) -> Keys {
    Keys { signing: party.signer.to_bytes(), encryption: party.recipient.to_bytes() }
}

fn sealed(party: &Party) -> String {
    let mut buffer = [0; 1024];
    keys(party).seal(&mut provider(), PASSWORD, Iterations::MIN, &mut buffer).unwrap().to_owned()
}

/// Recovers what is in `body` with what is known of `party`.
fn recover(party: &Party, body: &Value, password: &[u8]) -> Result<Keys, IdentityError> {
    let text = answer(body);
    let response = Response::parse(&text)?;
    let recovery = Recovery::parse(&response, &party.signs_as())?;
    let mut scratch = [0; 1024];
    let opened =
        recovery.open(&mut provider(), &mut known(party), password, Iterations::DEFAULT, &mut scratch)?;
    let keys = Keys::take(opened)?;
    assert!(opened.iter().all(|byte| *byte == 0), "erased");
    Ok(keys)
}

fn body(party: &Party) -> Value {
    let kid = party.signs_as();
    let sealed = sealed(party);
    let body = exactly(|out| {
        recovery::update(&author(&kid), &sealed, out)?.sign([&mut party.signer.clone()]).map(|_| ())
    });
    assert!(recovery::parse(&body).is_ok());
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn the_keys_come_back_and_sign_and_agree_as_before() {
    let alice = party(ADDRESS, 1);
    let keys = recover(&alice, &body(&alice), PASSWORD).unwrap();
    assert_eq!(Identity::from_bytes(&keys.signing).unwrap().kid(), alice.signer.kid());
    assert_eq!(RecipientKey::from_bytes(&keys.encryption).unwrap().kid(), alice.recipient.kid());
    assert_eq!(format!("{keys:?}"), "Keys { signing: …, encryption: … }");
    let path = exactly(|out| recovery::get(ADDRESS, out).map(|_| ()));
    assert_eq!(path, b"/v1/identity/igQQD%40api.example/recovery");
}

#[test]
fn what_is_needed_is_enough_and_one_less_is_not() {
    let alice = party(ADDRESS, 1);
    let room = exactly(|out| keys(&alice).seal(&mut provider(), PASSWORD, Iterations::MIN, out).map(|_| ()));
    assert!(!room.windows(5).any(|window| window == b"\"sig\""));
    let empty = keys(&alice).seal(&mut provider(), b"", Iterations::MIN, &mut [0; 1024]).map(|_| ());
    assert_eq!(empty, Err(JoseError::WeakKey.into()));
}

#[test]
fn another_password_and_another_signer_recover_nothing() {
    let (alice, mallory) = (party(ADDRESS, 1), party(ADDRESS, 9));
    let good = body(&alice);
    let wrong = recover(&alice, &good, b"correct horse battery stapl").map(|_| ());
    assert_eq!(wrong, Err(JoseError::Authentication.into()));
    let text = good["recovery"].as_str().unwrap();
    for at in (0..text.len()).step_by(7) {
        let mut changed = text.as_bytes().to_vec();
        changed[at] ^= 1;
        let Ok(changed) = String::from_utf8(changed) else { continue };
        assert!(recover(&alice, &json!({"recovery": changed}), PASSWORD).is_err(), "byte {at}");
    }
    let other_key = recover(&alice, &body(&mallory), PASSWORD).map(|_| ());
    assert_eq!(other_key, Err(IdentityError::Stale), "a key that is not the current one");
    let elsewhere = recover(&alice, &body(&party("other", 1)), PASSWORD).map(|_| ());
    assert_eq!(elsewhere, Err(IdentityError::Address));
    let token = signed_as(&mut alice.signer.clone(), ADDRESS, 0, "/v1/identity/me/meta#metaPrivate", b"x");
    let other_end = recover(&alice, &json!({"recovery": token}), PASSWORD).map(|_| ());
    assert_eq!(other_end, Err(JoseError::Header.into()));
    for body in [json!({}), json!({"recovery": null}), json!({"recovery": ""}), json!([]), json!("x")] {
        assert_eq!(recover(&alice, &body, PASSWORD).map(|_| ()), Err(IdentityError::Malformed), "{body}");
    }
}

/// A relay that asks for more rounds than were signed for gets none: the signature is wrong before any is made.
#[test]
fn no_round_is_made_for_what_the_identity_has_not_signed() {
    use dynamic_key::jose::jwe::pbes2;
    let alice = party(ADDRESS, 1);
    let mut many = [0; 1024];
    many[..2].copy_from_slice(b"{}");
    let most = Iterations::new(2_000_000).unwrap();
    let parameters = pbes2::Parameters::draw(&mut provider(), most).unwrap();
    // Sealed by a key that was derived with fewer rounds: only the header counts here.
    let cheap = pbes2::Parameters::draw(&mut provider(), Iterations::MIN).unwrap();
    let kek = cheap.derive(&mut provider(), PASSWORD).unwrap();
    let sealed = pbes2::seal(&mut provider(), kek, &parameters, None, &mut many, 2).unwrap();
    // Signed by another key than it says: refused before the header is looked at.
    let mut mallory = party(ADDRESS, 9).signer;
    let forged = signed_as(&mut mallory, ADDRESS, NOW.as_unix_secs(), TARGET, sealed.as_bytes());
    let good = signed_as(&mut alice.signer.clone(), ADDRESS, NOW.as_unix_secs(), TARGET, sealed.as_bytes());
    let mixed = format!("{}.{}", good.rsplit_once('.').unwrap().0, forged.rsplit_once('.').unwrap().1);
    let began = std::time::Instant::now();
    assert_eq!(
        recover(&alice, &json!({"recovery": mixed}), PASSWORD).map(|_| ()),
        Err(JoseError::Authentication.into())
    );
    // And where it is signed, more than the caller allows is refused as the header that it is.
    assert_eq!(
        recover(&alice, &json!({"recovery": good}), PASSWORD).map(|_| ()),
        Err(JoseError::Header.into())
    );
    assert!(began.elapsed().as_secs() < 5, "no round was made");
}

#[test]
fn what_is_decrypted_is_two_scalars_and_nothing_else() {
    let scalar = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    let take = |text: String| Keys::take(&mut text.into_bytes()).map(|_| ());
    assert_eq!(take(format!(r#"{{"sig":"{scalar}","enc":"{scalar}"}}"#)), Ok(()));
    for text in [
        String::new(),
        "{}".into(),
        "[]".into(),
        format!(r#"{{"sig":"{scalar}"}}"#),
        format!(r#"{{"sig":"{scalar}","enc":null}}"#),
        format!(r#"{{"sig":"{scalar}","enc":"{}"}}"#, &scalar[1..]),
        format!(r#"{{"sig":"{scalar}","enc":"{scalar}A"}}"#),
        format!(r#"{{"sig":"{scalar}","enc":"{}"}}"#, &scalar[..8]),
        format!(r#"{{"sig":"{scalar}","enc":"{scalar}","enc":"{scalar}"}}"#),
    ] {
        assert_eq!(take(text.clone()), Err(IdentityError::Malformed), "{text}");
    }
}

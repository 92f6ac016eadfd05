//! What comes of trying to be someone else, for another identity and for the relay itself.

use crate::identity::device::{ROTATE, Trouble, done, id, provider, rotation, verify};
use crate::identity::scenes::{Cast, Outcome};
use crate::identity::telling::{about, is_refused, read, text, told};
use crate::services::line;
use crate::story::Story;
use dynamic_key::crypto::Signer as _;
use dynamic_key::crypto::software::{Identity, RecipientKey};
use dynamic_key::identity::message::Ask;
use dynamic_key::identity::package::Action;
use dynamic_key::identity::profile::Pin;
use dynamic_key::identity::{ChainError, IdentityError, Request};
use dynamic_key::jose::jwe::{self, Header};
use dynamic_key::jose::{JoseError, KeyRef};
use getrandom::SysRng;
use serde_json::{Map, Value, json};

pub(super) fn passed_on(cast: &mut Cast<'_, '_>, story: &mut Story) -> Outcome {
    story.scene(
        "A package to another",
        "What the vault signed for Mallory, sealed anew and sent to the user.",
    );
    let to_mallory = cast.user.look_up(&Pin::new(cast.mallory.me.clone()))?;
    let publish = about(Action::Publish, "recipes/1", Some(r#"{"title":"for Mallory"}"#));
    let mut body = cast.vault.send(&to_mallory, &publish)?.into_bytes();
    // A package is a signed message in an envelope: Mallory takes it out and puts it into another one.
    let inner = jwe::decrypt(&mut provider(), &mut cast.mallory.recipient, &mut body)?.to_vec();
    let mut sealed = inner.clone();
    sealed.resize(1 << 14, 0);
    let header = Header { kid: cast.user_known.reached_as(), content_type: Some("JWS") };
    let key = cast.user_known.encryption();
    let sealed = jwe::encrypt(&mut provider(), key, &header, &mut sealed, inner.len())?.to_owned();
    cast.mallory.post(cast.user.me.address(), &id()?, &sealed)?;
    let mut mallory = to_mallory;
    let page = cast.user.fetch(&Ask { limit: Some(1), ..Ask::default() })?;
    let outcome = cast.user.take(&page, &mut mallory)?.remove(0);
    story.refusal(
        matches!(outcome, Err(IdentityError::Jose(JoseError::Key | JoseError::Authentication))),
        &format!("under Mallory's name: {}", read(&outcome)),
    );
    let outcome = cast.mallory.take(&page, &mut mallory)?.remove(0);
    story.refusal(
        outcome == Err(IdentityError::Address),
        &format!("the user's message, handed to Mallory: {}", read(&outcome)),
    );
    Ok(())
}

pub(super) fn in_its_name(cast: &mut Cast<'_, '_>, story: &mut Story) -> Outcome {
    story.scene("In another's name", "Mallory signs as the vault, with the only key that it has.");
    let own = cast.mallory.me.clone();
    cast.mallory.me = KeyRef::new(cast.vault.me.address(), cast.mallory.signer.kid())?;
    let outcome = cast.mallory.send(&cast.user_known, &about(Action::Revoke, "recipes/42", None));
    cast.mallory.me = own;
    story.refusal(is_refused(&outcome), &format!("by the relay: {}", told(&outcome)));
    Ok(())
}

/// A relay that lies, together with somebody who has stolen a key that was replaced.
pub(super) fn forks(cast: &mut Cast<'_, '_>, story: &mut Story) -> Outcome {
    story.scene("A relay that lies", "It shows the user another chain of the vault's keys than there is.");
    let stolen = cast.vault.rotate()?;
    let known = cast.vault_known.pin().clone();
    cast.vault_known = cast.user.look_up(&known)?;
    let pin = cast.vault_known.pin().clone();
    let body = cast.user.profile(cast.vault.me.address())?;
    story.check(
        verify(&body, &known).is_ok_and(|known| known == cast.vault_known),
        "untouched, the chain leads from the key that was trusted to the current one",
    );
    let profile = object(&body)?;
    let (next, link, encryption) = cast.successor(&stolen.0, stolen.1)?;
    let chain = profile.get("sigChain").and_then(Value::as_array).cloned().unwrap_or_default();
    let edited = |edit: &dyn Fn(&mut Vec<Value>), is_current: bool| {
        let (mut profile, mut chain) = (profile.clone(), chain.clone());
        edit(&mut chain);
        profile.insert("sigChain".into(), chain.into());
        if is_current {
            profile.insert("sigPubKey".into(), next.clone());
            profile.insert("encPubKey".into(), encryption.clone());
        }
        verify(&Value::from(profile).to_string(), &pin)
    };
    let fork: &dyn Fn(&mut Vec<Value>) = &|chain| chain.push(link.clone());
    let instead: &dyn Fn(&mut Vec<Value>) = &|chain| {
        chain.pop();
        chain.push(link.clone());
    };
    let gap: &dyn Fn(&mut Vec<Value>) = &|chain| drop(chain.remove(1));
    let short: &dyn Fn(&mut Vec<Value>) = &|chain| drop(chain.pop());
    for (what, edit, is_current, expected) in [
        ("a thief's key behind the current one", fork, true, ChainError::Fork),
        ("a thief's key in its place", instead, true, ChainError::Rollback),
        ("a link left out", gap, false, ChainError::Gap),
        ("the last link left out", short, false, ChainError::Rollback),
    ] {
        let outcome = edited(edit, is_current);
        story.refusal(
            outcome == Err(expected.into()),
            &format!("{what}: {}", outcome.map_or_else(line, |_| "taken".into())),
        );
    }
    Ok(())
}

impl Cast<'_, '_> {
    /// A key that was replaced signs another successor: the successor, the link to it, and an encryption key by it.
    fn successor(&self, old: &KeyRef, mut stolen: Identity) -> Result<(Value, Value, Value), Trouble> {
        let mut next = Identity::generate(&mut SysRng)?;
        let recipient = RecipientKey::generate(&mut SysRng)?;
        let body = rotation(old, &mut stolen, &mut next, &recipient)?;
        let body = object(&String::from_utf8_lossy(&body))?;
        let member = |name| body.get(name).cloned().unwrap_or_default();
        let (link, encryption) = (member("sigPubKey"), member("encPubKey"));
        let payload = link.as_str().and_then(|link| link.split('.').nth(1)).map(text).unwrap_or_default();
        Ok((serde_json::from_str(&payload).unwrap_or_default(), link, encryption))
    }

    /// Sends the relay such a successor.
    pub(super) fn usurp(&mut self, old: &KeyRef, stolen: Identity) -> Result<Result<(), Trouble>, Trouble> {
        let (_, link, encryption) = self.successor(old, stolen)?;
        let body = json!({"sigPubKey": link, "encPubKey": encryption}).to_string();
        let request = Request { method: "POST", target: ROTATE, body: body.as_bytes() };
        Ok(self.mallory.ask(&request, done))
    }
}

fn object(text: &str) -> Result<Map<String, Value>, Trouble> {
    serde_json::from_str(text).map_err(|error| Trouble::Relay(line(error)))
}

//! What the scenes say of what they see.

use crate::identity::device::{Arrived, Trouble};
use crate::services::line;
use dynamic_key::codec::base64;
use dynamic_key::identity::IdentityError;
use dynamic_key::identity::package::{Action, Package};
use serde_json::Value;

pub(crate) fn about<'a>(action: Action, package: &'a str, content: Option<&'a str>) -> Package<'a> {
    Package { action, package, content: content.map(str::as_bytes) }
}

pub(crate) fn wants(action: Action, package: &str, content: Option<&str>) -> Arrived {
    Arrived { action, package: package.into(), content: content.map(Into::into) }
}

pub(crate) fn read(outcome: &Result<Arrived, IdentityError>) -> String {
    match outcome {
        Ok(Arrived { action, package, content }) => {
            format!("{action:?} {package} {}", content.as_deref().unwrap_or_default()).trim_end().into()
        }
        Err(error) => line(error),
    }
}

pub(crate) fn told<T>(outcome: &Result<T, Trouble>) -> String {
    outcome.as_ref().map_or_else(line, |_| "taken".into())
}

/// Whether it was the relay who refused.
pub(crate) fn is_refused<T>(outcome: &Result<T, Trouble>) -> bool {
    matches!(outcome, Err(Trouble::Refused(IdentityError::Refused { status: 400..=499, .. })))
}

/// What is base64url of text, as text.
pub(crate) fn text(part: &str) -> String {
    let mut room = vec![0; part.len()];
    let decoded = base64::url_decode(part.as_bytes(), &mut room).unwrap_or_default();
    String::from_utf8_lossy(decoded).into_owned()
}

/// The payloads of signed messages, and all parts of what is in them.
pub(crate) fn decoded(messages: &str) -> String {
    let messages: Vec<String> = serde_json::from_str(messages).unwrap_or_default();
    let mut all = String::new();
    for message in &messages {
        for part in message.split('.').map(text) {
            let body = serde_json::from_str::<Value>(&part).unwrap_or_default();
            let inner = body.get("body").and_then(Value::as_str).unwrap_or_default().split('.').map(text);
            all.extend([part].into_iter().chain(inner));
        }
    }
    all
}

/// The payload of the first message, its body cut off.
pub(crate) fn shortened(messages: &str) -> String {
    let messages: Vec<String> = serde_json::from_str(messages).unwrap_or_default();
    let payload =
        messages.first().and_then(|message| message.split('.').nth(1)).map(text).unwrap_or_default();
    let Some((head, body)) = payload.split_once(r#""body":""#) else { return payload };
    format!(r#"{head}"body":"{}…"}}"#, body.chars().take(24).collect::<String>())
}

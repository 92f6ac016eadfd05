//! Attacks on the handshake: who answers, and what is agreed on.

use crate::attacks::{AUTHENTICATION, is, told};
use crate::calls::COUNTRIES;
use crate::middle::{Exchange, edit};
use crate::stage::{Device, Stage, line};
use crate::story::Story;
use dynamic_key::client::ClientError;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use dynamic_key::{Error, Peer};
use serde_json::{Value, json};

/// The member that makes a session more than a plain one is cut out of the hello, or out of the answer.
pub(crate) fn stripped_key_agreement(stage: &Stage, story: &mut Story) -> Result<(), String> {
    story.scene(
        "Stripped keyAgreement",
        "The hello loses it, so that the gateway takes the device for one of plain mode.",
    );
    for mode in [Mode::Pinned, Mode::Confirmed] {
        tampered(stage, story, mode, Peer::Downgrade, |exchange| {
            if exchange.answer.is_none() {
                edit(&mut exchange.body, strip);
            }
        })?;
    }
    story.scene("Stripped, answer", "The hello arrives whole, and the answer loses it.");
    for mode in [Mode::Pinned, Mode::Confirmed] {
        tampered(stage, story, mode, Peer::Downgrade, |exchange| {
            if let Some((_, body)) = &mut exchange.answer {
                edit(body, strip);
            }
        })?;
    }
    Ok(())
}

fn strip(message: &mut Value) {
    if let Some(members) = message.as_object_mut() {
        members.remove("keyAgreement");
    }
}

/// The stronger scheme is struck from the list.
pub(crate) fn edited_schemes(stage: &Stage, story: &mut Story) -> Result<(), String> {
    story.scene(
        "Edited scheme list",
        "The stronger scheme is struck from the offer; the gateway takes the weaker one that is left.",
    );
    for mode in [Mode::Pinned, Mode::Confirmed] {
        tampered(stage, story, mode, Peer::Authentication, |exchange| {
            if exchange.answer.is_none() {
                edit(&mut exchange.body, |hello| {
                    if let Some(schemes) = hello.pointer_mut("/keyAgreement/supportedSchemes") {
                        *schemes = json!(["SCHEME-EC-AES1"]);
                    }
                });
            }
        })?;
    }
    Ok(())
}

/// Another gateway answers, with an identity of its own.
pub(crate) fn impostor(stage: &Stage, story: &mut Story) -> Result<(), String> {
    story.scene(
        "Impostor gateway",
        "Another gateway, as good as the other but for its identity, answers in its place.",
    );
    let pins = &stage.gateway.keys;
    let mut device = Device::new(&stage.impostor, pins, Mode::Pinned, &Scheme::ELLIPTIC)?;
    let outcome = device.connect();
    story.refusal(is(&outcome, &AUTHENTICATION), &told("device, pinned mode", &outcome));
    let requests = device.middle().seen.iter().filter(|exchange| !exchange.is_hello()).count();
    story.check(requests == 0, "no request was sent to it");
    Ok(())
}

/// What confirmed mode cannot see.
pub(crate) fn confirmed_limits(stage: &Stage, story: &mut Story) -> Result<(), String> {
    story.scene(
        "Confirmed mode",
        "It holds against who only listens: the impostor's handshake is as good as any.",
    );
    let pins = &stage.gateway.keys;
    let mut device = Device::new(&stage.impostor, pins, Mode::Confirmed, &Scheme::ELLIPTIC)?;
    let answer = device.request(&COUNTRIES).map_err(line)?;
    story.check(
        answer.status == 200,
        format_args!("device: took {} from the impostor, so pin", answer.status),
    );
    Ok(())
}

/// What plain mode cannot see.
pub(crate) fn plain_limits(stage: &Stage, story: &mut Story) -> Result<(), String> {
    story.scene("Plain mode", "The V2 contract does not bind an answer to its status or its request.");
    let mut device = stage.device(Mode::Plain, &Scheme::ELLIPTIC)?;
    device.connect().map_err(line)?;
    device.middle().does(|exchange| {
        if let Some((status, _)) = &mut exchange.answer {
            *status = 201;
        }
    });
    let answer = device.request(&COUNTRIES).map_err(line)?;
    story.check(
        answer.status == 201,
        format_args!("device: took {} for the 200 that was sent", answer.status),
    );
    Ok(())
}

/// A handshake with somebody in its middle, who fails.
fn tampered(
    stage: &Stage,
    story: &mut Story,
    mode: Mode,
    expected: Peer,
    alter: impl Fn(&mut Exchange),
) -> Result<(), String> {
    let mut device = stage.device(mode, &Scheme::ELLIPTIC)?;
    device.middle().does(alter);
    let outcome = device.connect();
    let sessions = device.session_id().is_some();
    story.refusal(
        is(&outcome, &ClientError::Core(Error::Peer(expected))) && !sessions,
        &told(&format!("device, {} mode", mode.name()), &outcome),
    );
    Ok(())
}

//! Attacks on a session that stands: on its requests, then on its answers.
//!
//! In each the man in the middle really does what is told, between a real client and a real gateway.

use crate::calls::{COUNTRIES, LOGIN, times};
use crate::middle::{Exchange, flip_bit, inject};
use crate::stage::{Device, Failure, Stage, line, wire};
use crate::story::Story;
use dynamic_key::client::{ClientError, NoAnswer};
use dynamic_key::{Code, Error, Peer};
use std::cell::RefCell;

/// What fails without saying where: a wrong proof, signature, tag or nonce.
pub(crate) const AUTHENTICATION: Failure = ClientError::Core(Error::Peer(Peer::Authentication));

/// A recorded request is sent once more.
pub(crate) fn replay(stage: &Stage, story: &mut Story) -> Result<(), String> {
    story.scene("Replay", "A login is recorded and sent to the gateway once more, byte for byte.");
    let mut device = stage.pinning_device()?;
    device.request(&LOGIN).map_err(line)?;
    let recorded = last(&mut device)?;
    let before = stage.witness.count("POST /users/login");
    let verdict = inject(&mut wire(&stage.gateway.origin)?, &recorded)?;
    refused_by_gateway(story, verdict, Code::EncryptionError);
    let after = stage.witness.count("POST /users/login");
    story.check(before == after, "the upstream heard nothing of it");
    still_works(&mut device, story)
}

/// A forged copy gets there before the genuine request.
pub(crate) fn bit_flip_of_a_request(stage: &Stage, story: &mut Story) -> Result<(), String> {
    story.scene(
        "Bit flip, request",
        "One bit of a copy is flipped, and the copy gets there before the genuine request.",
    );
    let verdict = RefCell::new(Err("nothing was sent".into()));
    let mut device = stage.pinning_device()?;
    device.connect().map_err(line)?;
    device.middle().does(|exchange| {
        if exchange.answer.is_none() {
            let mut forged = exchange.clone();
            flip_bit(&mut forged.body);
            *verdict.borrow_mut() =
                wire(&stage.gateway.origin).and_then(|mut wire| inject(&mut wire, &forged));
        }
    });
    let session = device.session_id();
    let answer = device.request(&COUNTRIES).map_err(line)?;
    refused_by_gateway(story, verdict.borrow().clone()?, Code::EncryptionError);
    story.check(
        answer.status == 200 && device.session_id() == session,
        format_args!(
            "the genuine one is served nevertheless, in the same session: {} {}",
            answer.status, answer.body
        ),
    );
    Ok(())
}

/// An answer of the gateway is sent to it as a request.
pub(crate) fn reflection_to_the_gateway(stage: &Stage, story: &mut Story) -> Result<(), String> {
    story.scene(
        "Reflection, gateway",
        "The gateway's own sealed answer is sent back to it as if it were a request.",
    );
    let mut device = stage.pinning_device()?;
    device.request(&COUNTRIES).map_err(line)?;
    let mut reflected = last(&mut device)?;
    reflected.body = reflected.answer.take().ok_or("there was no answer")?.1;
    let verdict = inject(&mut wire(&stage.gateway.origin)?, &reflected)?;
    refused_by_gateway(story, verdict, Code::EncryptionError);
    still_works(&mut device, story)
}

/// A request travels with the token of another session.
pub(crate) fn foreign_token(stage: &Stage, story: &mut Story) -> Result<(), String> {
    story.scene(
        "Foreign token",
        "A request that has not arrived yet is sent with the valid token of another session.",
    );
    let verdict = RefCell::new(Err("nothing was sent".into()));
    let mut other = stage.pinning_device()?;
    other.connect().map_err(line)?;
    let foreign = other.client.facts().ok_or("there is no session")?.token();
    let mut device = stage.pinning_device()?;
    device.connect().map_err(line)?;
    device.middle().does(|exchange| {
        if exchange.answer.is_none() {
            let mut forged = exchange.clone();
            if let Some(value) = forged.header_mut("Authorization") {
                *value = format!("Bearer {foreign}");
            }
            *verdict.borrow_mut() =
                wire(&stage.gateway.origin).and_then(|mut wire| inject(&mut wire, &forged));
        }
    });
    let answer = device.request(&COUNTRIES).map_err(line)?;
    refused_by_gateway(story, verdict.borrow().clone()?, Code::InvalidToken);
    story.check(answer.status == 200, format_args!("with its own token it is served: {}", answer.status));
    Ok(())
}

/// One bit of an answer is flipped.
pub(crate) fn bit_flip_of_an_answer(stage: &Stage, story: &mut Story) -> Result<(), String> {
    story.scene("Bit flip, answer", "One bit of the gateway's sealed answer is flipped on its way back.");
    on_the_way_back(stage, story, |exchange, _| {
        if let Some((_, body)) = &mut exchange.answer {
            flip_bit(body);
        }
    })
}

/// The client gets its own request back.
pub(crate) fn reflection_to_the_client(stage: &Stage, story: &mut Story) -> Result<(), String> {
    story.scene("Reflection, client", "The device gets its own sealed request back as the answer.");
    on_the_way_back(stage, story, |exchange, _| {
        exchange.answer = Some((200, exchange.body.clone()));
    })
}

/// The answer to another request.
pub(crate) fn swapped_answers(stage: &Stage, story: &mut Story) -> Result<(), String> {
    story.scene(
        "Swapped answers",
        "A request gets the genuine answer to another request of the same session.",
    );
    on_the_way_back(stage, story, |exchange, earlier| {
        exchange.answer.clone_from(&earlier.answer);
    })
}

/// Another status around the same envelope.
pub(crate) fn changed_status(stage: &Stage, story: &mut Story) -> Result<(), String> {
    story.scene("Changed status", "The sealed answer is left alone; only the HTTP status becomes 201.");
    on_the_way_back(stage, story, |exchange, _| {
        if let Some((status, _)) = &mut exchange.answer {
            *status = 201;
        }
    })
}

/// A forged end of the session, after the upstream has acted.
pub(crate) fn forged_expiry(stage: &Stage, story: &mut Story) -> Result<(), String> {
    story.scene(
        "Forged expiry",
        "A login has reached the upstream; instead of its answer comes SESSION_EXPIRED, which invites to try again.",
    );
    let mut device = stage.pinning_device()?;
    device.connect().map_err(line)?;
    let before = stage.witness.count("POST /users/login");
    device.middle().does(forge_expiry);
    let outcome = device.request(&LOGIN);
    let reached = stage.witness.count("POST /users/login").saturating_sub(before);
    let unknown = ClientError::OutcomeUnknown { cause: NoAnswer::Unsealed(Code::SessionExpired) };
    story.refusal(is(&outcome, &unknown), &told("device, POST", &outcome));
    story.check(
        reached == 1,
        format_args!("the upstream was asked {}: nothing was sent again by itself", times(reached)),
    );

    let mut device = stage.pinning_device()?;
    device.connect().map_err(line)?;
    let mut forged = false;
    device.middle().does(move |exchange| {
        if !forged && exchange.answer.is_some() {
            forge_expiry(exchange);
            forged = true;
        }
    });
    let session = device.session_id();
    let answer = device.request(&COUNTRIES).map_err(line)?;
    story.check(
        answer.status == 200 && device.session_id() != session,
        format_args!("a GET may be repeated, and is, in a new session: {} {}", answer.status, answer.body),
    );
    Ok(())
}

fn forge_expiry(exchange: &mut Exchange) {
    if let Some(answer) = &mut exchange.answer {
        let code = Code::SessionExpired;
        let text =
            format!(r#"{{"status":{},"code":"{code}","message":"{}"}}"#, code.status(), code.message());
        *answer = (code.status(), text.into_bytes());
    }
}

/// Alters an answer on its way back, given an earlier exchange of the session, and expects the device to refuse it, once
/// for a GET and once for a POST.
fn on_the_way_back(
    stage: &Stage,
    story: &mut Story,
    alter: impl Fn(&mut Exchange, &Exchange),
) -> Result<(), String> {
    let mut device = stage.pinning_device()?;
    device.request(&COUNTRIES).map_err(line)?;
    let earlier = last(&mut device)?;
    device.middle().does(move |exchange| {
        if exchange.answer.is_some() {
            alter(exchange, &earlier);
        }
    });
    let outcome = device.request(&COUNTRIES);
    story.refusal(is(&outcome, &AUTHENTICATION), &told("device, GET", &outcome));
    let before = stage.witness.count("POST /users/login");
    let outcome = device.request(&LOGIN);
    let reached = stage.witness.count("POST /users/login").saturating_sub(before);
    story.check(
        is(&outcome, &ClientError::OutcomeUnknown { cause: NoAnswer::NotAuthentic }) && reached == 1,
        format_args!("{}, asked {}", told("device, POST", &outcome), times(reached)),
    );
    device.middle().does(|_| {});
    still_works(&mut device, story)
}

/// After an attack the session is as good as it was.
fn still_works(device: &mut Device<'_>, story: &mut Story) -> Result<(), String> {
    let session = device.session_id();
    let answer = device.request(&COUNTRIES).map_err(line)?;
    story.check(
        answer.status == 200 && device.session_id() == session,
        format_args!("the session lives on: {} {}", answer.status, answer.body),
    );
    Ok(())
}

fn last(device: &mut Device<'_>) -> Result<Exchange, String> {
    device.middle().seen.last().cloned().ok_or_else(|| "nothing has passed".into())
}

fn refused_by_gateway(story: &mut Story, (status, code): (u16, Option<Code>), expected: Code) {
    story.refusal(
        (status, code) == (expected.status(), Some(expected)),
        &format!("gateway: {status} {}", code.map_or("and no code", Code::name)),
    );
}

/// Whether a call failed like this. Transports' errors are not compared.
pub(crate) fn is<T>(outcome: &Result<T, Failure>, expected: &Failure) -> bool {
    match (outcome, expected) {
        (Err(ClientError::Core(error)), ClientError::Core(expected)) => error == expected,
        (Err(ClientError::Refused { code, .. }), ClientError::Refused { code: expected, .. }) => {
            code == expected
        }
        (Err(ClientError::OutcomeUnknown { cause }), ClientError::OutcomeUnknown { cause: expected }) => {
            cause == expected
        }
        _ => false,
    }
}

/// What came of a call: its variant, and its sentence.
pub(crate) fn told(who: &str, outcome: &Result<impl std::fmt::Debug, Failure>) -> String {
    match outcome {
        Ok(answer) => format!("{who}: took {answer:?}"),
        Err(ClientError::Core(error)) => format!("{who}: {error:?}: {error}"),
        Err(error @ ClientError::OutcomeUnknown { .. }) => format!("{who}: OutcomeUnknown: {error}"),
        Err(error) => format!("{who}: {error}"),
    }
}

//! How it goes when nobody disturbs: handshakes, sealed calls, and what the wire shows of them.

use crate::stage::{Device, Stage, line};
use crate::story::{Look, Story};
use crate::support::tap::{Side, printable};
use dynamic_key::Code;
use dynamic_key::request::Request;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use std::time::Instant;

pub(crate) const COUNTRIES: Request<'static> = Request::get("/countries/get");
pub(crate) const LOGIN: Request<'static> =
    Request::post("/users/login", br#"{"user":"demo","password":"demo"}"#);

/// Every mode with every scheme that it can have, and one sealed call in each session.
pub(crate) fn handshakes(stage: &Stage, story: &mut Story) -> Result<(), String> {
    const AES1: &[Scheme] = &[Scheme::EcAes1];
    const AES2: &[Scheme] = &[Scheme::EcAes2];
    const FIELD1: &[Scheme] = &[Scheme::Aes1];
    const FIELD2: &[Scheme] = &[Scheme::Aes2];
    story.scene(
        "Modes and schemes",
        "A handshake each, over TCP, then GET /countries/get sealed in the session.",
    );
    for (mode, schemes) in [
        (Mode::Plain, AES2),
        (Mode::Confirmed, AES2),
        (Mode::Confirmed, AES1),
        (Mode::Pinned, AES2),
        (Mode::Pinned, AES1),
        (Mode::Confirmed, FIELD2),
        (Mode::Confirmed, FIELD1),
        (Mode::Pinned, FIELD2),
        (Mode::Pinned, FIELD1),
    ] {
        let mut device = stage.device(mode, schemes)?;
        let started = Instant::now();
        device.connect().map_err(line)?;
        let millis = started.elapsed().as_secs_f64() * 1000.0;
        let (sent, received) = wire_bytes(&device);
        let facts = device.client.facts().ok_or("there is no session")?;
        let (worth, scheme) = (facts.mode(), facts.scheme());
        story.check(
            worth == mode && schemes.contains(&scheme),
            format_args!("{:<9}  {scheme}  {sent} bytes out, {received} in, {millis:.1} ms", worth.name()),
        );
        let before = stage.witness.count("GET /countries/get");
        let answer = device.request(&COUNTRIES).map_err(line)?;
        let reached = stage.witness.count("GET /countries/get").saturating_sub(before);
        story.check(
            answer.status == 200 && answer.body.contains("countries") && reached == 1,
            format_args!(
                "           {} {}, seen by the upstream {}",
                answer.status,
                answer.body,
                times(reached)
            ),
        );
    }
    story.scene(
        "A small device's choice",
        "It lists SCHEME-EC-AES1 first, and the gateway follows the client's order.",
    );
    let mut device = stage.device(Mode::Pinned, &[Scheme::EcAes1, Scheme::EcAes2])?;
    device.connect().map_err(line)?;
    let scheme = device.client.facts().map(|facts| facts.scheme());
    story.check(scheme == Some(Scheme::EcAes1), scheme.map_or("no session", Scheme::name));
    Ok(())
}

/// One call in full: what the device sends, what the wire carries, what the upstream receives.
pub(crate) fn three_views(stage: &Stage, story: &mut Story) -> Result<(), String> {
    story.scene(
        "One call, three views",
        "A login: the device and the upstream see it, who listens between them does not.",
    );
    let mut device = stage.pinning_device()?;
    device.connect().map_err(line)?;
    device.tape.take();
    let heard = stage.witness.text().len();

    let mut plaintext = vec![0; LOGIN.plaintext_len()];
    LOGIN.write(&mut plaintext).map_err(line)?;
    story.quote(Look::Ends, "what the device seals", &printable(&plaintext));
    let answer = device.request(&LOGIN).map_err(line)?;
    let tape = device.tape.take();
    let wire = |side| -> String {
        tape.iter().filter(|(sender, _)| *sender == side).map(|(_, bytes)| printable(bytes)).collect()
    };
    story.quote(Look::Wire, "what the wire shows, to the gateway", &wire(Side::Client));
    let upstream: String = stage.witness.text().chars().skip(heard).collect();
    story.quote(Look::Ends, "what the upstream receives", &printable(upstream.as_bytes()));
    story.quote(Look::Wire, "what the wire shows, to the device", &wire(Side::Gateway));
    story.quote(Look::Ends, "what the device opens", &format!("{} {}", answer.status, answer.body));

    let secrets = ["/users/login", "password", r#"{"user":"demo"}"#];
    let both = wire(Side::Client) + &wire(Side::Gateway);
    story.check(
        both.contains(r#""data":""#) && !secrets.iter().any(|secret| both.contains(secret)),
        "the wire shows neither route nor body of request or answer",
    );
    story.check(
        upstream.contains("POST /users/login") && upstream.contains(r#"{"user":"demo","password":"demo"}"#),
        "the upstream got both, byte for byte",
    );
    story.check(answer.status == 200, format_args!("the device got {} {}", answer.status, answer.body));
    Ok(())
}

/// Refusals that are answers: authentic ones, sealed like any other.
pub(crate) fn sealed_refusals(stage: &Stage, story: &mut Story) -> Result<(), String> {
    story.scene(
        "An upstream that says no",
        "A wrong password: the 401 is the upstream's, and arrives sealed.",
    );
    let mut device = stage.pinning_device()?;
    let wrong = Request::post("/users/login", br#"{"user":"demo","password":"guess"}"#);
    let answer = device.request(&wrong).map_err(line)?;
    story.check(
        answer.status == 401 && answer.code.is_none(),
        format_args!("{} {}", answer.status, answer.body),
    );
    story.scene(
        "A route that no rule admits",
        "The gateway's own refusal is sealed, too; the upstream hears nothing.",
    );
    let answer = device.request(&Request::get("/admin")).map_err(line)?;
    story.check(
        answer.code == Some(Code::RouteNotAllowed) && stage.witness.count("GET /admin") == 0,
        format_args!("{} {}", answer.status, answer.code.map_or("no code", Code::name)),
    );
    Ok(())
}

fn wire_bytes(device: &Device<'_>) -> (usize, usize) {
    let tape = device.tape.take();
    let from = |side| tape.iter().filter(|(sender, _)| *sender == side).map(|(_, bytes)| bytes.len()).sum();
    (from(Side::Client), from(Side::Gateway))
}

/// A number of times, in words where it is small.
pub(crate) fn times(number: usize) -> String {
    match number {
        0 => "never".into(),
        1 => "once".into(),
        2 => "twice".into(),
        number => format!("{number} times"),
    }
}

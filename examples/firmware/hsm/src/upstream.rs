//! What is behind the gateway: a function with the answers of the sample upstream.

use defmt::{Format, debug};
use dynamic_key::codec::cursor::Writer;
use dynamic_key::gateway::serve::Forwarded;
use dynamic_key::gateway::{Admitted, Rule};
use dynamic_key::session::{ClientType, Mode};

/// The routes, for internal clients whose sessions are confirmed.
pub(crate) const RULES: &[Rule<'static>] = &[
    rule("GET", "/countries/get"),
    rule("GET", "/users/getbyid/:id"),
    rule("POST", "/users/login"),
    rule("GET", "/silent"),
];

const fn rule(method: &'static str, pattern: &'static str) -> Rule<'static> {
    Rule {
        method,
        pattern,
        client_types: &[ClientType::Internal],
        client_ids: &[],
        least_mode: Mode::Confirmed,
        forward_headers: &[],
    }
}

/// Answers an admitted request: status, and the length of the body that it wrote to `out`. To `/silent` there is no answer.
pub(crate) fn answer<H: Format>(admitted: &Admitted<'_, '_, H>, out: &mut [u8]) -> Forwarded {
    debug!("{}", admitted);
    let (request, mut out) = (&admitted.request, Writer::new(out));
    let mut status = 200;
    match admitted.rule.pattern {
        "/countries/get" => out.put(br#"{"countries":["UY","PT"]}"#),
        "/users/getbyid/:id" => {
            // A segment of a path holds neither quotes nor backslashes.
            let id = request.path().strip_prefix("/users/getbyid/")?;
            out.put(br#"{"id":""#);
            out.put(id.as_bytes());
            out.put(br#""}"#);
        }
        "/users/login" if request.body() == Some(br#"{"user":"demo","password":"demo"}"#) => {
            out.put(br#"{"user":"demo"}"#);
        }
        "/users/login" => {
            status = 401;
            out.put(br#"{"error":"wrong user or password"}"#);
        }
        _ => return None,
    }
    Some((status, out.finish().ok()?))
}

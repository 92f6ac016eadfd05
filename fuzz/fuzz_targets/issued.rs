//! Answers of an issuer: a token comes of one if and only if a second reading finds it, and what follows a refusal is what
//! its status and code say.
//!
//! Input: a dialect, a status, a number; then the body.
#![no_main]

use dynamic_key::session::Now;
use dynamic_key::token::{
    Answer, Config, Credentials, Dialect, Lifecycle, Need, Stop, TokenError, login, oauth,
};
use dynamic_key_fuzz::input::Input;
use dynamic_key_fuzz::json::{NoJson, Node, parse};
use libfuzzer_sys::fuzz_target;

const ROOM: usize = 24;
const STATUSES: [u16; 12] = [200, 200, 200, 400, 401, 403, 404, 429, 500, 503, 302, 204];

struct Issued {
    access: String,
    refresh: Option<String>,
    seconds: Option<u64>,
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let dialect = input.choose(&[&oauth::RFC6749, &oauth::NOMBA, &login::NILO]);
    let (status, random) = (input.choose(&STATUSES), u32::from(input.short()) << 16);
    let body = input.rest();
    let credentials = Credentials::confidential("id", "secret").unwrap();
    let credentials =
        if dialect.api_key.is_some() { credentials.with_api_key("key").unwrap() } else { credentials };
    let mut tokens = Lifecycle::<ROOM>::new(Config::new(dialect, &credentials)).unwrap();
    let (_, pending) = tokens.request(Now::UNKNOWN, &mut [0; 256]).unwrap();
    let outcome = tokens.answer(pending, Now::UNKNOWN, random, Answer { status, retry_after: None, body });
    let need = tokens.need(Now::UNKNOWN);
    let access = tokens.access(Now::UNKNOWN).map(|access| access.token.to_string());
    let root = match parse(body) {
        Ok(root) if root.depth() <= 16 => Some(root),
        Err(NoJson::NumberTooLarge) => return,
        _ => None,
    };
    let waits = matches!(need, Need::Wait(500..1_000));
    match status {
        200 | 204 => match root.and_then(|root| read(dialect, &root)) {
            Some(issued) if fits(&issued) => {
                assert_eq!(tokens.refresh_token(), issued.refresh.as_deref());
                if issued.seconds == Some(0) {
                    return assert!(outcome == Err(TokenError::Expired) && access.is_none() && waits);
                }
                assert_eq!((outcome, access), (Ok(()), Some(issued.access)));
                let Need::Wait(millis) = need else { panic!("{need:?}") };
                match issued.seconds {
                    None => assert_eq!(millis, u64::MAX),
                    Some(seconds) => assert!(millis < seconds * 1_000 && millis >= seconds * 500),
                }
            }
            Some(_) => {
                assert!(matches!(outcome, Err(TokenError::TooLong { length }) if length > ROOM));
                assert!(access.is_none() && waits && tokens.refresh_token().is_none());
            }
            None => {
                assert!(matches!(outcome, Err(TokenError::Malformed | TokenError::TooLong { .. })));
                assert!(access.is_none() && waits && tokens.refresh_token().is_none());
            }
        },
        400 | 401 | 403 => {
            let code = root.as_ref().and_then(|root| root.string(dialect.error?));
            match code.unwrap_or_default() {
                "temporarily_unavailable" | "server_error" => {
                    assert!(outcome == Err(TokenError::Later { status }) && waits);
                }
                code => {
                    let suspended = match code {
                        "unauthorized_client" | "access_denied" => true,
                        "invalid_client"
                        | "invalid_grant"
                        | "invalid_request"
                        | "invalid_scope"
                        | "unsupported_grant_type" => false,
                        _ => status == 403,
                    };
                    let stop = if suspended { Stop::Suspended } else { Stop::Refused };
                    assert_eq!((outcome, need), (Err(TokenError::Refused { status }), Need::Stopped(stop)));
                }
            }
        }
        _ => assert!(outcome == Err(TokenError::Later { status }) && waits && access.is_none()),
    }
});

/// What a second reading finds.
fn read(dialect: &Dialect, root: &Node) -> Option<Issued> {
    root.members()?;
    let found = match dialect.answer.wrapper {
        None => root,
        Some(wrapper) => root.get(wrapper)?,
    };
    found.members()?;
    let nomba = dialect.answer.wrapper.is_some();
    let typed = match found.get("token_type") {
        Some(kind) => kind.as_str()?.eq_ignore_ascii_case("bearer"),
        None => nomba,
    };
    let long = if dialect.api_key.is_some() { found.get("expiresIn") } else { None };
    let seconds = match (found.get("expires_in"), long) {
        (Some(_), Some(_)) => return None,
        (Some(seconds), None) | (None, Some(seconds)) => Some(seconds.integer()?),
        (None, None) => None,
    };
    let access = found.string("access_token")?.to_string();
    let refresh = match found.get("refresh_token") {
        Some(refresh) if dialect.api_key.is_none() => Some(refresh.as_str()?.to_string()),
        _ => None,
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._~+/=-".contains(c);
    let valid = !access.is_empty()
        && access.chars().all(allowed)
        && refresh
            .as_ref()
            .is_none_or(|text| !text.is_empty() && text.chars().all(|c| (' '..='~').contains(&c)));
    (typed && valid).then_some(Issued { access, refresh, seconds })
}

fn fits(issued: &Issued) -> bool {
    issued.access.len() <= ROOM && issued.refresh.as_ref().is_none_or(|refresh| refresh.len() <= ROOM)
}

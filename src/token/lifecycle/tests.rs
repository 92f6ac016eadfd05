use super::super::{Policy, TokenError, login, oauth};
use super::*;
use crate::codec::retry_after::RetryAfter;
use crate::codec::timestamp::Timestamp;
use crate::secret::Secret;
use crate::session::Uptime;
use crate::token::{Credentials, Dialect};
use std::format;
use std::string::String;

type Tokens<'c> = Lifecycle<'c, 16>;

fn credentials() -> Credentials {
    Credentials::confidential("id", "topsecret").unwrap()
}

fn keyed() -> Credentials {
    credentials().with_api_key("topsecret-key").unwrap()
}

fn oauth(credentials: &Credentials) -> Tokens<'_> {
    Lifecycle::new(Config::new(&oauth::RFC6749, credentials)).unwrap()
}

fn user(credentials: &Credentials) -> Tokens<'_> {
    let config =
        Config { redirect_uri: Some("http://127.0.0.1/"), ..Config::new(&oauth::RFC6749, credentials) };
    Lifecycle::new(config).unwrap()
}

const fn up(millis: u64) -> Now {
    Now::uptime(Uptime::from_millis(millis))
}

/// Sends what is due and returns its path and body.
fn sent(tokens: &mut Tokens<'_>, now: Now) -> (String, Pending) {
    assert_eq!(tokens.need(now), Need::Request);
    let mut room = [0; 512];
    let (request, pending) = tokens.request(now, &mut room).unwrap();
    let text = format!("{} {}", request.target, str::from_utf8(request.body).unwrap());
    assert_eq!(tokens.need(now), Need::Answer);
    (text, pending)
}

fn answer(status: u16, body: &str) -> Answer<'_> {
    Answer { status, retry_after: None, body: body.as_bytes() }
}

/// One exchange.
fn exchange(tokens: &mut Tokens<'_>, now: Now, status: u16, body: &str) -> Result<(), TokenError> {
    let (_, pending) = sent(tokens, now);
    tokens.answer(pending, now, 0, answer(status, body))
}

fn issue(access: &str, refresh: Option<&str>, expires_in: u64) -> String {
    let refresh = refresh.map_or(String::new(), |refresh| format!(r#","refresh_token":"{refresh}""#));
    format!(r#"{{"access_token":"{access}","token_type":"Bearer","expires_in":{expires_in}{refresh}}}"#)
}

fn token(tokens: &mut Tokens<'_>, now: Now) -> Option<String> {
    tokens.access(now).map(|access| access.token.into())
}

fn generation(tokens: &mut Tokens<'_>, now: Now) -> Generation {
    tokens.access(now).unwrap().generation
}

#[test]
fn a_token_is_obtained_used_and_refreshed_before_its_end() {
    let credentials = credentials();
    let mut tokens = oauth(&credentials);
    assert_eq!(token(&mut tokens, up(0)), None);
    let (request, pending) = sent(&mut tokens, up(0));
    assert_eq!(request, "/token grant_type=client_credentials&client_id=id&client_secret=topsecret");
    tokens.answer(pending, up(500), 0, answer(200, &issue("one", Some("r1"), 3600))).unwrap();
    assert_eq!(tokens.need(up(500)), Need::Wait(3_539_500), "from when the request left");
    assert_eq!(token(&mut tokens, up(3_539_999)).as_deref(), Some("one"));

    let (request, pending) = sent(&mut tokens, up(3_540_000));
    assert_eq!(
        request,
        "/token grant_type=refresh_token&refresh_token=r1&client_id=id&client_secret=topsecret"
    );
    assert_eq!(token(&mut tokens, up(3_599_999)).as_deref(), Some("one"), "others go on with the old one");
    assert_eq!(token(&mut tokens, up(3_600_000)), None);
    assert_eq!(tokens.need(up(3_600_000)), Need::Answer, "others wait");
    assert!(tokens.request(up(3_600_000), &mut [0; 512]).is_err(), "one refresh in flight");
    tokens.answer(pending, up(3_600_001), 0, answer(200, &issue("two", None, 3600))).unwrap();
    assert_eq!(token(&mut tokens, up(3_600_001)).as_deref(), Some("two"));
    assert_eq!(tokens.refresh_token(), Some("r1"), "an answer without a new one keeps the old");

    assert_eq!(exchange(&mut tokens, up(7_200_000), 200, &issue("three", Some("r2"), 3600)), Ok(()));
    assert_eq!(tokens.refresh_token(), Some("r2"));
}

#[test]
fn a_login_is_renewed_by_a_login() {
    let credentials = keyed();
    let mut tokens: Tokens<'_> = Lifecycle::new(Config::new(&login::NILO, &credentials)).unwrap();
    for round in 0..3 {
        let now = up(round * 3_600_000);
        let mut room = [0; 512];
        let (request, pending) = tokens.request(now, &mut room).unwrap();
        assert_eq!((request.target, request.content_type), ("/login", "application/json"));
        assert_eq!((request.api_key, request.bearer), (Some(("x-api-key", "topsecret-key")), None));
        assert_eq!(request.body, br#"{"clientId":"id","clientSecret":"topsecret"}"#);
        let body = issue("one", Some("ignored"), 3600);
        tokens.answer(pending, now, 0, answer(200, &body)).unwrap();
        assert_eq!((token(&mut tokens, now).as_deref(), tokens.refresh_token()), (Some("one"), None));
    }
    tokens.revoke();
    assert_eq!(token(&mut tokens, up(7_200_000)), None);
    assert_eq!(tokens.need(up(7_200_000)), Need::Stopped(Stop::Revoked), "there is nothing to send");
}

#[test]
fn the_needed_room_is_exact_and_a_short_buffer_changes_nothing() {
    let credentials = credentials();
    let mut tokens = oauth(&credentials);
    let needed = "grant_type=client_credentials&client_id=id&client_secret=topsecret".len();
    for room in 0..needed {
        let error = tokens.request(up(0), &mut [0; 512][..room]).err();
        assert_eq!(error, Some(TokenError::BufferTooSmall { needed }));
        assert_eq!(tokens.need(up(0)), Need::Request);
    }
    assert!(tokens.request(up(0), &mut [0; 512][..needed]).is_ok());
}

#[test]
fn a_401_renews_once() {
    let credentials = credentials();
    let mut tokens = oauth(&credentials);
    exchange(&mut tokens, up(0), 200, &issue("one", Some("r"), 3600)).unwrap();
    let first = generation(&mut tokens, up(0));
    tokens.used(first, 200);
    tokens.used(first, 403);
    tokens.used(first, 500);
    assert_eq!(token(&mut tokens, up(0)).as_deref(), Some("one"), "only a 401 is about the token");
    tokens.used(first, 401);
    assert_eq!(token(&mut tokens, up(0)), None, "a refused token is not used again");
    exchange(&mut tokens, up(0), 200, &issue("two", None, 3600)).unwrap();
    // Another user of the first token comes late.
    tokens.used(first, 401);
    assert_eq!(token(&mut tokens, up(0)).as_deref(), Some("two"));
    let second = generation(&mut tokens, up(0));
    tokens.used(second, 500);
    tokens.used(second, 401);
    assert_eq!(tokens.need(up(0)), Need::Stopped(Stop::Unauthorized));
    assert_eq!((token(&mut tokens, up(0)), tokens.refresh_token()), (None, None));
    tokens.restart();
    assert_eq!(exchange(&mut tokens, up(0), 200, &issue("three", None, 3600)), Ok(()));
}

#[test]
fn a_token_that_was_accepted_may_be_refused_and_renewed_again() {
    let credentials = credentials();
    let mut tokens = oauth(&credentials);
    exchange(&mut tokens, up(0), 200, &issue("t", None, 3600)).unwrap();
    for _ in 0..5 {
        let used = generation(&mut tokens, up(0));
        tokens.used(used, 401);
        exchange(&mut tokens, up(0), 200, &issue("t", None, 3600)).unwrap();
        let used = generation(&mut tokens, up(0));
        tokens.used(used, 204);
    }
    // One that nobody used until its end is not suspected any more.
    let used = generation(&mut tokens, up(0));
    tokens.used(used, 401);
    exchange(&mut tokens, up(0), 200, &issue("t", None, 3600)).unwrap();
    exchange(&mut tokens, up(3_600_000), 200, &issue("t", None, 3600)).unwrap();
    let used = generation(&mut tokens, up(3_600_000));
    tokens.used(used, 401);
    assert_eq!(tokens.need(up(3_600_000)), Need::Request);
}

#[test]
fn failures_back_off_longer_and_longer_and_success_forgets_them() {
    let credentials = credentials();
    let mut tokens = oauth(&credentials);
    let mut at = 0;
    for wait in [500, 1_000, 2_000, 4_000] {
        assert_eq!(exchange(&mut tokens, up(at), 503, ""), Err(TokenError::Later { status: 503 }));
        assert_eq!(tokens.need(up(at)), Need::Wait(wait));
        assert_eq!(tokens.need(up(at + wait - 1)), Need::Wait(1));
        assert!(tokens.request(up(at + wait - 1), &mut [0; 512]).is_err());
        at += wait;
    }
    exchange(&mut tokens, up(at), 200, &issue("t", None, 1)).unwrap();
    at += 1_000;
    let (_, pending) = sent(&mut tokens, up(at));
    tokens.failed(pending, up(at), u32::MAX).unwrap();
    assert_eq!(tokens.need(up(at)), Need::Wait(999), "half a second and almost another half by chance");
}

#[test]
fn whatever_brings_no_token_backs_off() {
    let credentials = credentials();
    let garbage = issue("with space", None, 1);
    let negative = issue("t", None, 3600).replace("3600", "-3600");
    for (status, body, error) in [
        (200, "", TokenError::Malformed),
        (200, garbage.as_str(), TokenError::Malformed),
        (200, &negative, TokenError::Malformed),
        (200, r#"{"error":"invalid_client"}"#, TokenError::Malformed),
        (200, &issue("t", None, 0), TokenError::Expired),
        (200, &issue("0123456789abcdefg", None, 1), TokenError::TooLong { length: 17 }),
        (204, "", TokenError::Malformed),
        (301, "", TokenError::Later { status: 301 }),
        (404, "", TokenError::Later { status: 404 }),
        (429, "", TokenError::Later { status: 429 }),
        (500, &issue("t", None, 3600), TokenError::Later { status: 500 }),
        (400, r#"{"error":"temporarily_unavailable"}"#, TokenError::Later { status: 400 }),
    ] {
        let mut tokens = oauth(&credentials);
        assert_eq!(exchange(&mut tokens, up(0), status, body), Err(error), "{status} {body}");
        assert_eq!(
            (tokens.need(up(0)), token(&mut tokens, up(0))),
            (Need::Wait(500), None),
            "{status} {body}"
        );
    }
}

#[test]
fn retry_after_is_honoured_as_seconds_and_as_a_date() {
    let credentials = credentials();
    let now = Now::both(Timestamp::from_unix_secs(784_111_777), Uptime::from_millis(5));
    for (value, wait) in [
        ("7", 7_000),
        ("0", 500),
        ("4294967295", 86_400_000),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60_000),
        ("Sunday, 06-Nov-94 08:50:37 GMT", 60_000),
        ("Sun Nov  6 08:50:37 1994", 60_000),
        ("Sun, 06 Nov 1994 08:49:36 GMT", 500),
    ] {
        let mut tokens = oauth(&credentials);
        let (_, pending) = sent(&mut tokens, now);
        let retry_after = RetryAfter::parse(value.as_bytes());
        assert!(retry_after.is_some());
        let answer = Answer { status: 429, retry_after, body: b"" };
        assert!(tokens.answer(pending, now, 0, answer).is_err());
        assert_eq!(tokens.need(now), Need::Wait(wait), "{value}");
    }
}

#[test]
fn a_refused_refresh_falls_back_on_the_credentials_and_refused_credentials_stop() {
    let credentials = credentials();
    let mut tokens = oauth(&credentials);
    exchange(&mut tokens, up(0), 200, &issue("one", Some("r"), 3600)).unwrap();
    let late = up(3_550_000);
    let refused = Err(TokenError::Refused { status: 400 });
    assert_eq!(exchange(&mut tokens, late, 400, r#"{"error":"invalid_grant"}"#), refused);
    assert_eq!(token(&mut tokens, late).as_deref(), Some("one"), "it lasts as long as it lasts");
    assert_eq!(tokens.refresh_token(), None);
    let (request, pending) = sent(&mut tokens, late);
    assert!(request.contains("client_credentials"), "{request}");
    let refused = tokens.answer(pending, late, 0, answer(401, r#"{"error":"invalid_client"}"#));
    assert_eq!(refused, Err(TokenError::Refused { status: 401 }));
    assert_eq!((tokens.need(late), token(&mut tokens, late)), (Need::Stopped(Stop::Refused), None));
    assert!(tokens.request(up(u64::MAX), &mut [0; 512]).is_err(), "it stays so");
}

#[test]
fn a_suspended_client_stops_and_says_so() {
    let credentials = credentials();
    for (status, body) in [(403, ""), (400, r#"{"error":"unauthorized_client"}"#)] {
        let mut tokens = oauth(&credentials);
        exchange(&mut tokens, up(0), 200, &issue("one", Some("r"), 3600)).unwrap();
        assert!(exchange(&mut tokens, up(3_550_000), status, body).is_err());
        assert_eq!(tokens.need(up(3_550_000)), Need::Stopped(Stop::Suspended), "{status} {body}");
        assert_eq!(token(&mut tokens, up(3_550_000)), None);
    }
}

#[test]
fn what_is_revoked_is_used_by_nobody_from_then_on() {
    let credentials = credentials();
    let mut tokens = oauth(&credentials);
    exchange(&mut tokens, up(0), 200, &issue("one", Some("r"), 3600)).unwrap();
    tokens.revoke();
    assert_eq!(token(&mut tokens, up(0)), None);
    assert!(exchange(&mut tokens, up(0), 503, "").is_err());
    assert_eq!((tokens.need(up(0)), token(&mut tokens, up(0))), (Need::Wait(500), None));
    let (request, pending) = sent(&mut tokens, up(500));
    assert_eq!(request, "/revoke token=r&client_id=id&client_secret=topsecret");
    tokens.answer(pending, up(500), 0, answer(200, "")).unwrap();
    assert_eq!((tokens.need(up(500)), tokens.refresh_token()), (Need::Stopped(Stop::Revoked), None));
}

#[test]
fn a_token_that_comes_after_revoke_is_revoked_unused() {
    let credentials = credentials();
    let config = Config::new(&oauth::NOMBA, &credentials);
    let mut tokens: Tokens<'_> = Lifecycle::new(config).unwrap();
    let (_, pending) = sent(&mut tokens, up(0));
    tokens.revoke();
    let body = format!(r#"{{"data":{}}}"#, issue("one", Some("r"), 3600));
    tokens.answer(pending, up(0), 0, answer(200, &body)).unwrap();
    assert_eq!(token(&mut tokens, up(0)), None);
    let mut room = [0; 512];
    let (request, pending) = tokens.request(up(0), &mut room).unwrap();
    assert_eq!((request.target, request.bearer), ("/v1/auth/token/revoke", Some("one")));
    assert_eq!(request.body, br#"{"token":"one"}"#);
    assert_eq!(tokens.answer(pending, up(0), 0, answer(401, "")), Err(TokenError::Refused { status: 401 }));
    assert_eq!(tokens.need(up(0)), Need::Stopped(Stop::Revoked));

    let mut tokens: Tokens<'_> = Lifecycle::new(config).unwrap();
    tokens.revoke();
    assert_eq!(tokens.need(up(0)), Need::Stopped(Stop::Revoked), "nothing is held");
}

#[test]
fn an_answer_to_a_request_that_was_given_up_is_not_taken() {
    let credentials = credentials();
    let mut tokens = oauth(&credentials);
    let (_, lost) = sent(&mut tokens, up(0));
    tokens.give_up(up(0), 0);
    let (_, pending) = sent(&mut tokens, up(500));
    let late = tokens.answer(lost, up(500), 0, answer(200, &issue("late", None, 3600)));
    assert_eq!(late, Err(TokenError::WrongTurn));
    assert_eq!((tokens.need(up(500)), token(&mut tokens, up(500))), (Need::Answer, None));
    tokens.answer(pending, up(500), 0, answer(200, &issue("new", None, 3600))).unwrap();
    assert_eq!(token(&mut tokens, up(500)).as_deref(), Some("new"));
    let stale = Pending { serial: tokens.serial };
    assert_eq!(tokens.failed(stale, up(500), 0), Err(TokenError::WrongTurn), "nothing is out");
}

#[test]
fn a_refresh_token_that_came_with_an_ended_access_token_counts() {
    let credentials = credentials();
    let mut tokens = oauth(&credentials);
    let (_, pending) = sent(&mut tokens, up(0));
    let body = issue("one", Some("r1"), 5);
    assert_eq!(tokens.answer(pending, up(5_000), 0, answer(200, &body)), Err(TokenError::Expired));
    assert_eq!((token(&mut tokens, up(5_000)), tokens.refresh_token()), (None, Some("r1")));
    assert_eq!(tokens.need(up(5_000)), Need::Wait(500));
}

#[test]
fn a_user_authorizes_and_a_code_is_exchanged() {
    let credentials = Credentials::public("id").unwrap();
    let mut tokens = user(&credentials);
    assert_eq!(tokens.need(up(0)), Need::Authorization);
    assert_eq!(tokens.authorized("code=c&state=x"), Err(TokenError::WrongTurn));
    let random = Secret::new([3; 64]);
    let mut room = [0; 512];
    let url = tokens.authorize("https://issuer.example", &random, &mut room).unwrap();
    assert!(
        url.starts_with("https://issuer.example/authorize?response_type=code&client_id=id&redirect_uri=http")
    );
    let state = String::from(url.split("state=").nth(1).unwrap().split('&').next().unwrap());
    let needed = url.len();
    for room in 0..needed {
        let error = tokens.authorize("https://issuer.example", &random, &mut [0; 512][..room]).err();
        assert_eq!(error, Some(TokenError::BufferTooSmall { needed }));
    }

    assert_eq!(tokens.authorized("code=c&state=wrong"), Err(TokenError::State));
    let denied = tokens.authorized(&format!("error=access_denied&state={state}"));
    assert_eq!((denied, tokens.need(up(0))), (Err(TokenError::Denied), Need::Authorization));
    tokens.authorized(&format!("code=c&state={state}")).unwrap();
    let again = tokens.authorized(&format!("code=d&state={state}"));
    assert_eq!(again, Err(TokenError::WrongTurn), "a code is taken once");

    let (request, pending) = sent(&mut tokens, up(0));
    let verifier = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM";
    assert_eq!(
        request,
        format!(
            "/token grant_type=authorization_code&code=c&redirect_uri=http%3A%2F%2F127.0.0.1%2F&code_verifier={verifier}&client_id=id"
        )
    );
    tokens.answer(pending, up(0), 0, answer(200, &issue("one", Some("r"), 60))).unwrap();
    assert_eq!(tokens.authorized(&format!("code=d&state={state}")), Err(TokenError::WrongTurn));

    // Its refresh token buys the next, and when that is refused, the user is asked.
    let (request, pending) = sent(&mut tokens, up(60_000));
    assert_eq!(request, "/token grant_type=refresh_token&refresh_token=r&client_id=id");
    assert!(tokens.answer(pending, up(60_000), 0, answer(400, r#"{"error":"invalid_grant"}"#)).is_err());
    assert_eq!(tokens.need(up(60_000)), Need::Authorization);
}

#[test]
fn a_code_survives_a_failure_and_not_a_refusal() {
    let credentials = Credentials::public("id").unwrap();
    let mut tokens = user(&credentials);
    let mut room = [0; 512];
    let url = tokens.authorize("", &Secret::new([3; 64]), &mut room).unwrap();
    let state = String::from(url.split("state=").nth(1).unwrap().split('&').next().unwrap());
    tokens.authorized(&format!("code=c&state={state}")).unwrap();
    let (first, pending) = sent(&mut tokens, up(0));
    tokens.failed(pending, up(0), 0).unwrap();
    let (second, pending) = sent(&mut tokens, up(500));
    assert_eq!(first, second);
    assert!(tokens.answer(pending, up(500), 0, answer(400, r#"{"error":"invalid_grant"}"#)).is_err());
    assert_eq!(tokens.need(up(500)), Need::Authorization);
    assert_eq!(tokens.authorized(&format!("code=c&state={state}")), Err(TokenError::WrongTurn));
}

#[test]
fn a_stored_refresh_token_is_taken_up() {
    let credentials = Credentials::public("id").unwrap();
    let mut tokens = user(&credentials);
    for (stored, error) in [
        ("", TokenError::Malformed),
        ("a\n", TokenError::Malformed),
        ("é", TokenError::Malformed),
        ("0123456789abcdefg", TokenError::TooLong { length: 17 }),
    ] {
        assert_eq!((tokens.restore(stored), tokens.need(up(0))), (Err(error), Need::Authorization));
    }
    tokens.restore("0123456789abcdef").unwrap();
    assert_eq!(tokens.restore("other"), Err(TokenError::WrongTurn));
    assert!(sent(&mut tokens, up(0)).0.contains("refresh_token=0123456789abcdef"));
    let credentials = keyed();
    let mut tokens: Tokens<'_> = Lifecycle::new(Config::new(&login::NILO, &credentials)).unwrap();
    assert_eq!(tokens.restore("r"), Err(TokenError::WrongTurn));
}

#[test]
fn clocks_may_be_missing_and_step_back() {
    let credentials = credentials();
    // None: used until refused; its timers tell of the back-off.
    let mut tokens = oauth(&credentials);
    assert!(exchange(&mut tokens, Now::UNKNOWN, 500, "").is_err());
    assert_eq!(tokens.need(Now::UNKNOWN), Need::Wait(500));
    tokens.waited(500);
    exchange(&mut tokens, Now::UNKNOWN, 200, &issue("t", None, 60)).unwrap();
    assert_eq!(token(&mut tokens, Now::UNKNOWN).as_deref(), Some("t"));
    tokens.waited(60_000);
    assert_eq!(token(&mut tokens, Now::UNKNOWN), None);

    // A wall clock that is set back leaves as much to come as there was.
    let wall = |secs| Now::wall(Timestamp::from_unix_secs(secs));
    let mut tokens = oauth(&credentials);
    exchange(&mut tokens, wall(1_000_000), 200, &issue("t", None, 3600)).unwrap();
    assert!(token(&mut tokens, wall(1_003_000)).is_some());
    assert!(token(&mut tokens, wall(5)).is_some());
    assert!(token(&mut tokens, wall(604)).is_some());
    assert_eq!(token(&mut tokens, wall(605)), None, "not prolonged");
    assert!(exchange(&mut tokens, wall(605), 500, "").is_err());
    assert_eq!(tokens.need(wall(0)), Need::Wait(500));
    assert_eq!(tokens.need(wall(1)), Need::Request, "not held up");
}

#[test]
fn a_token_without_an_end_is_used_until_it_is_refused() {
    let credentials = credentials();
    let mut tokens = oauth(&credentials);
    exchange(&mut tokens, up(0), 200, r#"{"access_token":"t","token_type":"bearer"}"#).unwrap();
    assert_eq!(tokens.need(up(1 << 60)), Need::Wait(u64::MAX));
    let used = generation(&mut tokens, up(1 << 60));
    tokens.used(used, 401);
    assert_eq!(tokens.need(up(1 << 60)), Need::Request);
}

#[test]
fn a_configuration_has_what_its_dialect_demands() {
    let of = |dialect: &Dialect, credentials: &Credentials, redirect_uri| {
        let config = Config { redirect_uri, ..Config::new(dialect, credentials) };
        Lifecycle::<4>::new(config).map(|_| ())
    };
    let (public, confidential, keyed) = (Credentials::public("id").unwrap(), credentials(), keyed());
    let back = Some("http://127.0.0.1/");
    let refused = Err(TokenError::InvalidConfiguration);
    assert_eq!(of(&oauth::RFC6749, &confidential, None), Ok(()));
    assert_eq!(of(&oauth::RFC6749, &public, None), refused, "no secret");
    assert_eq!(of(&oauth::RFC6749, &public, back), Ok(()));
    assert_eq!(of(&oauth::NOMBA, &confidential, back), Ok(()));
    assert_eq!(of(&oauth::RFC6749, &keyed, None), refused, "an API key that would go nowhere");
    assert_eq!(of(&login::NILO, &keyed, None), Ok(()));
    assert_eq!(of(&login::NILO, &confidential, None), refused, "no API key");
    assert_eq!(of(&login::NILO, &keyed, back), refused, "no users");
    let mut tokens = oauth(&confidential);
    let outcome = tokens.authorize("", &Secret::zero(), &mut [0; 512]).err();
    assert_eq!(outcome, Some(TokenError::InvalidConfiguration));
}

#[test]
fn nothing_secret_is_printed() {
    let credentials = credentials();
    let mut tokens = oauth(&credentials);
    exchange(&mut tokens, up(0), 200, &issue("topsecret-a", Some("topsecret-r"), 60)).unwrap();
    let access = tokens.access(up(0)).unwrap();
    let printed = format!("{access:?}");
    let printed = format!("{printed} {tokens:?} {:?}", tokens.config);
    assert!(!printed.contains("topsecret"), "{printed}");
    assert!(printed.contains("has_access: true") && printed.contains("Ready"), "{printed}");
}

#[test]
fn policies_are_the_caller_s() {
    let credentials = credentials();
    let policy = Policy { margin: 1_000, spread: 0, ..Policy::DEFAULT };
    let mut tokens: Tokens<'_> =
        Lifecycle::new(Config { policy, ..Config::new(&oauth::RFC6749, &credentials) }).unwrap();
    exchange(&mut tokens, up(0), 200, &issue("t", None, 3600)).unwrap();
    assert_eq!(tokens.need(up(0)), Need::Wait(3_599_000));
}

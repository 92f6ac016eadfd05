//! Redirects: a code is taken if and only if a second reading finds it, once, beside our state and no error.
//!
//! Input: the query, in which `$` stands for the state.
#![no_main]

use dynamic_key::Secret;
use dynamic_key::session::Now;
use dynamic_key::token::{Config, Credentials, Lifecycle, Need, TokenError, oauth};
use libfuzzer_sys::fuzz_target;

const ROOM: usize = 24;

/// A name and its value, decoded where they can be.
type Pair = (Option<Vec<u8>>, Option<Vec<u8>>);

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let credentials = Credentials::public("id").unwrap();
    let config = Config { redirect_uri: Some("/"), ..Config::new(&oauth::RFC6749, &credentials) };
    let mut tokens = Lifecycle::<ROOM>::new(config).unwrap();
    let mut room = [0; 256];
    let url = tokens.authorize("", &Secret::new([0xa5; 64]), &mut room).unwrap();
    let state = url.split("state=").nth(1).unwrap().split('&').next().unwrap().to_string();
    let query = text.replace('$', &state);
    let outcome = tokens.authorized(&query);
    let pairs: Vec<Pair> = query.split('&').map(pair).collect();
    let all = |name: &str| {
        let named = pairs.iter().filter(|(key, _)| key.as_deref() == Some(name.as_bytes()));
        named.map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    let expected = match (&all("state")[..], &all("code")[..], &all("error")[..]) {
        ([Some(sent)], code, error) if *sent == state.as_bytes() => match (code, error) {
            ([Some(code)], []) if is_code(code) && code.len() > ROOM => {
                Err(TokenError::TooLong { length: code.len() })
            }
            ([Some(code)], []) if is_code(code) => Ok(code.clone()),
            ([], [_]) => Err(TokenError::Denied),
            _ => Err(TokenError::Malformed),
        },
        _ => Err(TokenError::State),
    };
    assert_eq!(outcome, expected.as_ref().map(|_| ()).map_err(|error| *error), "{query:?}");
    match expected {
        Err(_) => assert_eq!(tokens.need(Now::UNKNOWN), Need::Authorization),
        Ok(code) => {
            let mut room = [0; 512];
            let (request, _) = tokens.request(Now::UNKNOWN, &mut room).unwrap();
            let body = str::from_utf8(request.body).unwrap();
            let sent = body.split('&').map(pair).find(|(key, _)| key.as_deref() == Some(b"code"));
            assert_eq!(sent.and_then(|(_, value)| value), Some(code), "{body}");
        }
    }
});

fn is_code(code: &[u8]) -> bool {
    !code.is_empty() && code.iter().all(|byte| (0x20..=0x7e).contains(byte))
}

fn pair(text: &str) -> Pair {
    let mut parts = text.splitn(2, '=').map(decode);
    (parts.next().unwrap(), parts.next().unwrap_or(Some(Vec::new())))
}

/// By splitting, another way than the one that is tested.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.replace('+', " ").into_bytes();
    for part in parts {
        let digits = part.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(part[2..].replace('+', " ").into_bytes());
    }
    Some(bytes)
}

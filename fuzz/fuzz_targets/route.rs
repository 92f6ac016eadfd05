//! What of a request reaches an upstream: paths against a second reading and the algorithms of RFC 3986, rules against
//! another way of choosing, headers against what must never go on.
//!
//! Input: a method, a client, rules, headers; then a path.
#![no_main]

use dynamic_key::gateway::allowlist::{Allowlist, Caller, RouteError, Rule};
use dynamic_key::gateway::forward::HeaderFilter;
use dynamic_key::gateway::path::check_path;
use dynamic_key::session::{ClientType, Mode};
use dynamic_key_fuzz::input::Input;
use libfuzzer_sys::fuzz_target;

const METHODS: [&str; 6] = ["GET", "POST", "HEAD", "get", "TRACE", ""];
const PARTS: [&str; 12] = ["a", "b", ":id", ":x", "users", "%41", "a.b", "~", ".", "", ":", "%2e"];
const TYPES: [&[ClientType]; 4] =
    [&[ClientType::Internal], &[ClientType::External], &[ClientType::Internal, ClientType::External], &[]];
const IDS: [&[&str]; 4] = [&[], &["c"], &["d", "c"], &["d"]];
const MODES: [Mode; 4] = [Mode::Plain, Mode::Confirmed, Mode::Pinned, Mode::Mutual];
const NAMED: [&[&str]; 4] = [&[], &["host", "X-Trace"], &["Authorization"], &["Connection"]];

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let method = input.choose(&METHODS);
    let client_type = input.choose(&[ClientType::Internal, ClientType::External]);
    let caller =
        Caller { client_type, client_id: input.choose(&["c", "d", "e"]), mode: input.choose(&MODES) };
    let patterns: Vec<(String, [u8; 5])> = (0..input.below(5))
        .map(|_| {
            let pattern: String =
                (0..=input.below(4)).map(|_| format!("/{}", input.choose(&PARTS))).collect();
            (pattern, [input.byte(), input.byte(), input.byte(), input.byte(), input.byte()])
        })
        .collect();
    let rules: Vec<Rule<'_>> = patterns
        .iter()
        .map(|(pattern, [method, types, ids, mode, headers])| Rule {
            method: METHODS[usize::from(*method) % METHODS.len()],
            pattern,
            client_types: TYPES[usize::from(types & 3)],
            client_ids: IDS[usize::from(ids & 3)],
            least_mode: MODES[usize::from(mode & 3)],
            forward_headers: NAMED[usize::from(headers & 3)],
        })
        .collect();
    for rule in &rules {
        headers(rule, input);
    }
    let Ok(path) = str::from_utf8(input.rest()) else { return };
    let is_path = check_path(path).is_ok();
    assert_eq!(is_path, is_unambiguous(path), "{path:?}");
    if is_path {
        names_one_place(path);
    }
    // What the rules themselves match, too.
    for path in patterns.iter().map(|(pattern, _)| pattern.replace(':', "")).chain([path.into()]) {
        finds(&rules, method, &path, &caller);
    }
});

/// §2.5 in another order: segments, and runs of triplets.
fn is_unambiguous(path: &str) -> bool {
    let Some(segments) = path.strip_prefix('/') else { return false };
    segments.split('/').all(|segment| {
        !matches!(segment, "" | "." | "..")
            && runs(segment).is_some_and(|runs| {
                runs.iter().all(|run| {
                    str::from_utf8(run).is_ok_and(|text| {
                        !text.contains(['/', '\\', '.', '%']) && !text.contains(char::is_control)
                    })
                })
            })
    })
}

/// The bytes of each run of triplets in a segment; `None` where anything else is no pchar, or `;`.
fn runs(segment: &str) -> Option<Vec<Vec<u8>>> {
    let mut runs = vec![vec![]];
    let mut rest = segment;
    while let Some(first) = rest.chars().next() {
        if first == '%' {
            let digits =
                rest.get(1..3).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
            runs.last_mut()?.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[3..];
        } else {
            if !first.is_ascii_alphanumeric() && !"-._~!$&'()*+,=:@".contains(first) {
                return None;
            }
            runs.push(vec![]);
            rest = &rest[1..];
        }
    }
    Some(runs)
}

/// Nobody who decodes or resolves an accepted path comes to another place.
fn names_one_place(path: &str) {
    let decoded = decode(path);
    assert_eq!(decode(&decoded), decoded, "nothing is left to decode");
    assert_eq!(remove_dot_segments(path), path);
    assert_eq!(remove_dot_segments(&decoded), decoded);
    assert_eq!(decoded.split('/').count(), path.split('/').count());
    assert!(decoded.split('/').zip(path.split('/')).all(|(one, other)| *one == decode(other)));
    assert!(
        !path.contains([';', '?', '#', '\\', ' '])
            && !decoded.contains('\\')
            && !decoded.contains(char::is_control)
    );
    assert!(!path.ends_with('/') && !path.contains("//"));
    for raw in [path.to_ascii_lowercase(), path.to_ascii_uppercase()] {
        assert!(check_path(&raw).is_ok());
    }
}

fn decode(path: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), path.as_bytes());
    while let [first, after @ ..] = rest {
        let triplet =
            str::from_utf8(after.get(..2).unwrap_or_default()).ok().filter(|digits| digits.len() == 2);
        match triplet.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => (bytes.push(byte), rest = &after[2..]).1,
            None => (bytes.push(*first), rest = after).1,
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// RFC 3986 §5.2.4.
fn remove_dot_segments(path: &str) -> String {
    let (mut input, mut output) = (path.to_string(), String::new());
    while !input.is_empty() {
        if let Some(rest) = input.strip_prefix("../").or(input.strip_prefix("./")) {
            input = rest.into();
        } else if input.starts_with("/./") || input == "/." {
            input = format!("/{}", input.get(3..).unwrap_or_default());
        } else if input.starts_with("/../") || input == "/.." {
            input = format!("/{}", input.get(4..).unwrap_or_default());
            output.truncate(output.rfind('/').unwrap_or(0));
        } else if input == "." || input == ".." {
            input.clear();
        } else {
            let end = input[1..].find('/').map_or(input.len(), |end| end + 1);
            output += &input[..end];
            input.drain(..end);
        }
    }
    output
}

fn finds(rules: &[Rule<'_>], method: &str, path: &str, caller: &Caller<'_>) {
    let Ok(allowlist) = Allowlist::new(rules) else { return };
    let found = allowlist.find(method, path, caller);
    if !is_unambiguous(path) {
        return assert_eq!(found, Err(RouteError::Path));
    }
    let segments: Vec<&str> = path.split('/').collect();
    let parts = |rule: &Rule<'_>| -> Vec<String> { rule.pattern.split('/').map(String::from).collect() };
    let matches = |rule: &&Rule<'_>| {
        let parts = parts(rule);
        rule.method == method
            && parts.len() == segments.len()
            && parts.iter().zip(&segments).all(|(part, segment)| part.starts_with(':') || part == segment)
    };
    let mut route: Vec<&Rule<'_>> = rules.iter().filter(matches).collect();
    for place in 0..segments.len() {
        let is_literal = |rule: &&Rule<'_>| !parts(rule)[place].starts_with(':');
        if route.iter().any(is_literal) {
            route.retain(is_literal);
        }
    }
    route.retain(|rule| rule.client_types.contains(&caller.client_type));
    route.retain(|rule| rule.client_ids.is_empty() || rule.client_ids.contains(&caller.client_id));
    let strong_enough = |rule: &&Rule<'_>| caller.mode >= rule.least_mode;
    match found {
        Ok(rule) => assert!(route.contains(&rule) && strong_enough(&rule)),
        Err(RouteError::ModeTooWeak) => assert!(!route.is_empty() && !route.iter().any(strong_enough)),
        Err(error) => assert!(error == RouteError::NotAllowed && route.is_empty()),
    }
}

/// What goes on is allowed for everybody or named by the rule, and is never a header of the connection.
fn headers(rule: &Rule<'_>, mut input: Input<'_>) {
    let mut filter = HeaderFilter::new(rule);
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..input.below(8) {
        let known =
            ["Accept", "accept-language", "host", "Connection", "x-trace", "If-Match", "AUTHORIZATION"];
        let name = known.get(input.below(10)).map_or_else(|| input.text(), |name| (*name).into());
        let value = input.text();
        let verdict = filter.admit(name.bytes(), value.bytes());
        let lower = name.to_ascii_lowercase();
        let is_token = !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c));
        let malformed = !is_token || value.contains(char::is_control) || seen.contains(&lower);
        assert_eq!(verdict.is_err(), malformed, "{name:?}: {value:?}");
        let Ok(admitted) = verdict else { return };
        let never = ["connection", "if-match"].contains(&&*lower);
        let named = rule.forward_headers.iter().any(|other| other.eq_ignore_ascii_case(&name));
        let expected = !never && (named || ["accept", "accept-language"].contains(&&*lower));
        assert_eq!(admitted.is_some(), expected, "{name}");
        assert!(admitted.is_none_or(|admitted| admitted.eq_ignore_ascii_case(&name)));
        seen.push(lower);
    }
}

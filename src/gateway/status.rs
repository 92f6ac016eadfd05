//! What becomes of an upstream's answer before it is sealed (§2.4, §2.6).

use crate::codec::json;
use crate::error::Code;

/// An upstream's answer as it is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Outcome {
    /// The body as it came, with this status.
    Body(u16),
    /// No plaintext, with this status.
    Empty(u16),
    /// The upstream did not answer in a way that can be passed on: [`Code::UpstreamUnavailable`].
    Unavailable,
}

/// 204 and 205 become 200 without a body; 1xx, 304 and what is no status become 502; so does a body that passes itself off
/// as an error of the gateway: an object whose `code` begins with `DYNAMIC_KEY_V2_`.
#[must_use]
pub fn outcome(status: u16, body: &[u8]) -> Outcome {
    match status {
        204 | 205 => Outcome::Empty(200),
        304 | 0..=199 | 600.. => Outcome::Unavailable,
        _ if passes_for_ours(body) => Outcome::Unavailable,
        _ => Outcome::Body(status),
    }
}

/// Whether somebody may take `body` for an error of the gateway: however many members it has, and whatever it repeats.
fn passes_for_ours(body: &[u8]) -> bool {
    let Ok(value) = json::value(body) else {
        // No JSON to us, but perhaps to a more lenient reader.
        let prefix = Code::PREFIX.as_bytes();
        return body.windows(prefix.len()).any(|window| window == prefix);
    };
    value.all_members().is_ok_and(|mut members| {
        members.any(|(name, value)| {
            name.is("code")
                && value
                    .string()
                    .is_ok_and(|code| code.bytes().take(Code::PREFIX.len()).eq(Code::PREFIX.bytes()))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        for (status, expected) in [
            (200, Outcome::Body(200)),
            (404, Outcome::Body(404)),
            (599, Outcome::Body(599)),
            (301, Outcome::Body(301)),
            (204, Outcome::Empty(200)),
            (205, Outcome::Empty(200)),
            (304, Outcome::Unavailable),
            (100, Outcome::Unavailable),
            (101, Outcome::Unavailable),
            (0, Outcome::Unavailable),
            (600, Outcome::Unavailable),
        ] {
            assert_eq!(outcome(status, b"{}"), expected);
        }
    }

    #[test]
    fn no_upstream_passes_for_the_gateway() {
        let many: std::string::String = (0..100).map(|i| std::format!("\"m{i}\":0,")).collect();
        for body in [
            r#"{"code":"DYNAMIC_KEY_V2_ROUTE_NOT_ALLOWED"}"#,
            r#" {"a":[],"c\u006fde":"\u0044YNAMIC_KEY_V2_"} "#,
            r#"{"code":"x","code":"DYNAMIC_KEY_V2_X"}"#,
            &std::format!(r#"{{{many}"code":"DYNAMIC_KEY_V2_X"}}"#),
            "\u{feff}{\"code\":\"DYNAMIC_KEY_V2_X\"}",
        ] {
            assert_eq!(outcome(200, body.as_bytes()), Outcome::Unavailable, "{body}");
        }
        for body in [
            "",
            "text",
            r#"{"code":"OTHER"}"#,
            r#"{"code":1}"#,
            r#"{"a":{"code":"DYNAMIC_KEY_V2_X"}}"#,
            r#"["DYNAMIC_KEY_V2_X"]"#,
            &std::format!(r#"{{{many}"code":"OTHER"}}"#),
        ] {
            assert_eq!(outcome(200, body.as_bytes()), Outcome::Body(200), "{body}");
        }
        assert_eq!(outcome(200, b"\xff\xfe"), Outcome::Body(200));
    }
}

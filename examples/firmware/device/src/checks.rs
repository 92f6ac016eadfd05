//! What an answer must say.

use dynamic_key::client::Response;
use dynamic_key::codec::json;

/// Whether the answer has this status and is an object with a string member of this name and value.
pub(crate) fn says(answer: &Response<'_>, status: u16, name: &str, value: &str) -> bool {
    let member = || json::object(answer.body, &[name]).ok().and_then(|[member]| member)?.string().ok();
    let is_value = |member: json::Str<'_>| member.copy_to(&mut [0; 64]).is_ok_and(|text| text == value);
    answer.status == status && member().is_some_and(is_value)
}

//! Exchanges of HTTP/1.1 in a recording: nothing but lengths, for both ends of it are this project's.

use std::error::Error;

/// A request and its answer.
pub(crate) struct Exchange {
    /// The body of the request.
    pub(crate) request: Vec<u8>,
    /// The status.
    pub(crate) status: u16,
    /// The body of the answer.
    pub(crate) response: Vec<u8>,
}

/// What was sent each way, as exchanges.
pub(crate) fn exchanges(mut to: &[u8], mut from: &[u8]) -> Result<Vec<Exchange>, Box<dyn Error>> {
    let mut exchanges = Vec::new();
    while !to.is_empty() {
        let (_, request) = message(&mut to)?;
        let (head, response) = message(&mut from)?;
        let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
        exchanges.push(Exchange { request, status, response });
    }
    Ok(exchanges)
}

/// Takes the next message: its head and its body.
fn message(bytes: &mut &[u8]) -> Result<(String, Vec<u8>), Box<dyn Error>> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").ok_or("a message was cut")?;
    let (head, rest) = bytes.split_at(end + 4);
    let head = String::from_utf8(head.to_owned())?.to_lowercase();
    let length = match head.split_once("\r\ncontent-length: ") {
        Some((_, after)) => after.lines().next().unwrap_or_default().parse()?,
        None => 0,
    };
    let (body, rest) = rest.split_at_checked(length).ok_or("a body was cut")?;
    *bytes = rest;
    Ok((head, body.to_owned()))
}

//! The man in the middle: between a client and the wire, free to read, alter, repeat and invent.

use dynamic_key::Code;
use dynamic_key::transport::{Header, Request, Response, Transport};
use serde_json::Value;
use std::fmt::Display;

/// One exchange, as it passes.
#[derive(Clone, Default)]
pub(crate) struct Exchange {
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Status and body; `None` on the way to the gateway.
    pub(crate) answer: Option<(u16, Vec<u8>)>,
}

impl Exchange {
    /// Whether it is a hello, and not a sealed request.
    pub(crate) fn is_hello(&self) -> bool {
        self.target == dynamic_key::client::HANDSHAKE_PATH
    }

    pub(crate) fn header_mut(&mut self, name: &str) -> Option<&mut String> {
        self.headers.iter_mut().find(|(other, _)| other == name).map(|(_, value)| value)
    }
}

/// What the man in the middle does: called once with the request, then with its answer.
pub(crate) type Deed<'s> = Box<dyn FnMut(&mut Exchange) + 's>;

/// A transport with a man in the middle.
pub(crate) struct Middle<'s, T> {
    wire: T,
    deed: Deed<'s>,
    /// Every exchange, as it passed.
    pub(crate) seen: Vec<Exchange>,
}

impl<'s, T: Transport> Middle<'s, T> {
    /// One who only looks.
    pub(crate) fn idle(wire: T) -> Self {
        Self { wire, deed: Box::new(|_| {}), seen: Vec::new() }
    }

    /// From now on.
    pub(crate) fn does(&mut self, deed: impl FnMut(&mut Exchange) + 's) {
        self.deed = Box::new(deed);
    }
}

impl<T: Transport> Transport for Middle<'_, T> {
    type Error = T::Error;

    fn send(&mut self, request: &Request<'_>) -> Result<(), T::Error> {
        let own = |header: &Header<'_>| (header.name().into(), header.value().concat());
        let mut exchange = Exchange {
            target: request.target.into(),
            headers: request.headers.iter().map(own).collect(),
            body: request.body.into(),
            answer: None,
        };
        (self.deed)(&mut exchange);
        let sent = send(&mut self.wire, &exchange);
        self.seen.push(exchange);
        sent
    }

    fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Response<'b>, T::Error> {
        let response = self.wire.receive(buffer)?;
        let mut answer = (response.status, response.body.to_vec());
        let (content_type_is_json, retry_after) = (response.content_type_is_json, response.retry_after);
        if let Some(exchange) = self.seen.last_mut() {
            exchange.answer = Some(answer.clone());
            (self.deed)(exchange);
            answer = exchange.answer.clone().unwrap_or(answer);
        }
        let (status, text) = answer;
        let length = text.len().min(buffer.len());
        let (body, _) = buffer.split_at_mut(length);
        body.iter_mut().zip(text).for_each(|(to, from)| *to = from);
        Ok(Response { status, content_type_is_json, retry_after, body })
    }
}

fn send<T: Transport>(wire: &mut T, exchange: &Exchange) -> Result<(), T::Error> {
    let headers: Vec<_> =
        exchange.headers.iter().filter_map(|(name, value)| Header::new(name, value).ok()).collect();
    wire.send(&Request { method: "POST", target: &exchange.target, headers: &headers, body: &exchange.body })
}

/// What the gateway says to a message that the man in the middle sends by himself: the status and, if it is an error in
/// the clear, its code.
pub(crate) fn inject<T: Transport<Error: Display>>(
    wire: &mut T,
    exchange: &Exchange,
) -> Result<(u16, Option<Code>), String> {
    let mut buffer = vec![0; 1 << 16];
    send(wire, exchange).map_err(|error| error.to_string())?;
    let answer = wire.receive(&mut buffer).map_err(|error| error.to_string())?;
    let text: Value = serde_json::from_slice(answer.body).map_err(|error| error.to_string())?;
    Ok((answer.status, text.get("code").and_then(Value::as_str).and_then(Code::from_name)))
}

/// Alters a JSON message as one who understands it.
pub(crate) fn edit(message: &mut Vec<u8>, change: impl FnOnce(&mut Value)) {
    if let Ok(mut value) = serde_json::from_slice(message) {
        change(&mut value);
        *message = value.to_string().into_bytes();
    }
}

/// Flips one bit of the ciphertext of an envelope; the text stays well-formed.
pub(crate) fn flip_bit(envelope: &mut Vec<u8>) {
    edit(envelope, |envelope| {
        if let Some(Value::String(data)) = envelope.get_mut("data") {
            // The lowest bit of the first six: `A` becomes `B`, `+` becomes `/`.
            const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            let first = data.chars().next().and_then(|first| ALPHABET.find(first));
            let flipped = first.and_then(|index| ALPHABET.chars().nth(index ^ 1));
            if let Some(flipped) = flipped {
                *data =
                    data.chars().skip(1).fold(String::from(flipped), |text, next| text + &next.to_string());
            }
        }
    });
}

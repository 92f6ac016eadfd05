//! A transport that reaches a gateway in memory through a man on the wire.

use dynamic_key::codec::retry_after::Unread;
use dynamic_key::transport::{Request, Response, Transport, TransportError};

use super::World;

/// What a man on the wire does with an answer, or with a request before it arrives.
pub type Tamper = Box<dyn FnMut(&mut Wire)>;

/// One exchange as the man on the wire sees it.
#[derive(Clone, Debug, Default)]
pub struct Wire {
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Empty before the request has arrived.
    pub answer: Option<(u16, Vec<u8>)>,
    /// Set it to lose the request (before) or its answer (after).
    pub lost: bool,
}

/// A transport that reaches a [`World`] through a man on the wire.
pub struct Link<'w> {
    pub world: &'w mut World,
    pub tamper: Tamper,
    pub seen: Vec<Wire>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

impl TransportError for Lost {
    fn request_left(&self) -> bool {
        true
    }
    fn is_timeout(&self) -> bool {
        false
    }
}

impl<'w> Link<'w> {
    pub fn honest(world: &'w mut World) -> Self {
        Self { world, tamper: Box::new(|_| {}), seen: Vec::new() }
    }
}

impl Transport for Link<'_> {
    type Error = Lost;

    fn send(&mut self, request: &Request<'_>) -> Result<(), Lost> {
        let headers = request.headers.iter().map(|header| (header.name().into(), header.value().concat()));
        let mut wire = Wire {
            target: request.target.into(),
            headers: headers.collect(),
            body: request.body.to_vec(),
            answer: None,
            lost: false,
        };
        (self.tamper)(&mut wire);
        if !wire.lost {
            wire.answer = Some(self.world.serve(&wire.target, &wire.headers, &wire.body));
            (self.tamper)(&mut wire);
        }
        self.seen.push(wire);
        Ok(())
    }

    fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Response<'b>, Lost> {
        let wire = self.seen.last().unwrap();
        let (status, body) = wire.answer.as_ref().filter(|_| !wire.lost).ok_or(Lost)?;
        let room = buffer.get_mut(..body.len()).unwrap();
        room.copy_from_slice(body);
        Ok(Response { status: *status, content_type_is_json: true, retry_after: Unread::ABSENT, body: room })
    }
}

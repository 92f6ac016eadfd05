//! What a gateway holds between opening a request and sealing its response, and what it answers.

use super::allowlist::Rule;
use super::forward::{self, HeaderFilter};
use crate::codec::{BufferTooSmall, json};
use crate::error::{Code, Error};
use crate::log::format_as;
use crate::request::ReceivedRequest;
use crate::session::{ClientFacts, Committed};
use core::fmt;

/// An answer that is ready to be sent: its status, and the length of its body at the front of the buffer.
///
/// Send it as `application/json` with `Cache-Control: no-store`, and keep the status: it is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The length of the body in bytes.
    pub length: usize,
    /// The gateway's own error, for logs; `None` where the answer is none.
    pub code: Option<Code>,
}

/// A request that was opened, committed and admitted: forward it, then seal its response.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Admitted<'b, 'c, H> {
    /// What the client wants of the upstream.
    pub request: ReceivedRequest<'b>,
    /// The rule that admits it.
    pub rule: &'c Rule<'c>,
    /// Whose session it is. Below mutual mode these are claims.
    pub client: ClientFacts,
    /// The right to answer, once.
    pub responder: Responder<H>,
}

impl<'c, H> Admitted<'_, 'c, H> {
    /// The sealed headers that go on to the upstream, each under its name: those that the rule admits (§2.5).
    pub fn forwarded_headers(&self) -> impl Iterator<Item = (&'c str, json::Str<'_>)> {
        let mut filter = HeaderFilter::new(self.rule);
        // They were all judged once before the request was admitted, so none fails now.
        self.request
            .headers()
            .filter_map(move |(name, value)| Some((filter.admit(name.bytes(), value.bytes()).ok()??, value)))
    }

    /// Writes the query, percent-encoded and without `?`, to the front of `out` and returns its length.
    ///
    /// # Errors
    /// [`BufferTooSmall`] with the exact length.
    pub fn write_query(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let pairs = self.request.query().map(|(name, value)| (name.bytes(), value.bytes()));
        forward::encode_query(pairs, out)
    }
}

/// The right to answer one committed request, once.
#[must_use]
pub struct Responder<H> {
    pub(super) session: H,
    pub(super) committed: Committed,
}

impl<H> fmt::Debug for Responder<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").field("committed", &self.committed).finish_non_exhaustive()
    }
}

format_as! { [H] Responder<H>, responder => "Responder {{ committed: {} }}", responder.committed }

/// What a gateway does next about a request.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once, and there is no heap to box it on")]
pub enum Opened<'b, 'c, H> {
    /// Forward it.
    Admitted(Admitted<'b, 'c, H>),
    /// Answer at once.
    Reply(Reply),
}

/// A sealed answer; or an error, with the right to answer where it was not spent.
pub type Sealed<H> = Result<Reply, (Error, Option<Responder<H>>)>;

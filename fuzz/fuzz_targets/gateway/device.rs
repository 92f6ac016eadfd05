//! The clients of the gateway, and what is known of each.

use super::OUTSTANDING;
use dynamic_key::Code;
use dynamic_key::request::Request;
use dynamic_key::session::{ClientType, Exchange, Mode, Session};
use dynamic_key_fuzz::provider::Provider;

/// A client's end.
pub(super) struct Client {
    pub(super) session: Session<Provider, 1024, OUTSTANDING>,
    pub(super) mode: Mode,
    pub(super) client_type: ClientType,
    /// When it ends, in milliseconds since the epoch.
    pub(super) ends: u64,
    /// Whether the gateway still has it, as far as it has not expired.
    pub(super) lives: bool,
    pub(super) sent: Vec<Sent>,
    /// Requests committed for certain, and those of which a failure leaves it open.
    pub(super) committed: usize,
    pub(super) uncertain: usize,
    /// One more than the highest counter that was committed, and that may have been.
    pub(super) top: u64,
    pub(super) possible_top: u64,
}

impl Client {
    /// Forgets what was sent and not answered, so that there is room for more.
    pub(super) fn gives_up(&mut self) {
        for sent in &mut self.sent {
            self.session.abandon(&sent.exchange);
            sent.is_awaited = false;
        }
    }
}

/// A request that was sealed.
pub(super) struct Sent {
    pub(super) exchange: Exchange,
    pub(super) envelope: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) fate: Fate,
    /// Whether the client awaits its response.
    pub(super) is_awaited: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fate {
    Fresh,
    Committed,
    /// Something failed on the way: nobody knows.
    Uncertain,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Countries,
    Login,
    ById,
    NoRoute,
    NoRequest,
    BadHeader,
}

pub(super) const KINDS: [Kind; 6] =
    [Kind::Countries, Kind::Login, Kind::ById, Kind::NoRoute, Kind::NoRequest, Kind::BadHeader];

impl Kind {
    pub(super) fn plaintext(self) -> Vec<u8> {
        let headers: &[(&str, &str)] =
            if self == Self::BadHeader { &[("accept", "a"), ("Accept", "b")] } else { &[("accept", "*/*")] };
        let request = match self {
            Self::Login => Request::post("/users/login", b"{\"n\":1}"),
            Self::ById => Request::get("/users/getbyid/7"),
            Self::NoRoute => Request::get("/admin"),
            Self::NoRequest => return b"{\"method\":\"GET\"}".to_vec(),
            Self::Countries | Self::BadHeader => Request::get("/countries/get"),
        };
        let request = Request { headers, query: &[("q", "a b")], ..request };
        let mut out = vec![0; request.plaintext_len()];
        request.write(&mut out).unwrap();
        out
    }

    /// The code of its refusal once it is committed.
    pub(super) fn refusal(self, client: &Client) -> Option<Code> {
        match self {
            Self::Countries => None,
            Self::Login if client.client_type == ClientType::Internal => None,
            Self::ById if client.mode == Mode::Plain => Some(Code::ConfirmationRequired),
            Self::ById => None,
            Self::Login | Self::NoRoute => Some(Code::RouteNotAllowed),
            Self::NoRequest | Self::BadHeader => Some(Code::MalformedRequest),
        }
    }
}

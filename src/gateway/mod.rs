//! The gateway's end, without I/O: what a server does between reading a request and writing its answer.
//!
//! ```text
//! POST /api/info/v2      accept ─────────────────────────────────────────────▶ answer
//! POST /api/request/v2   open_request ─▶ forward to the upstream ─▶ seal_response ─▶ answer
//! ```
//!
//! One that knows a client, lets it reach the routes of the documentation, and keeps eight sessions:
//!
//! ```
//! use dynamic_key::crypto::software::{Identity, Software};
//! use dynamic_key::gateway::allowlist::DEFAULT_RULES;
//! use dynamic_key::gateway::{Allowlist, Clients, FixedStore, Gateway, Head, KnownClient, TokenKey};
//! use dynamic_key::session::{ClientType, Mode};
//! use getrandom::SysRng;
//!
//! let identity = Identity::generate(&mut SysRng)?; // made once and kept: clients pin its public half
//! let known = [KnownClient {
//!     client_type: ClientType::Internal,
//!     client_id: "internal-web-client",
//!     least_mode: Mode::Confirmed,
//! }];
//! let gateway = Gateway {
//!     clients: Clients::new(&known),
//!     allowlist: Allowlist::new(DEFAULT_RULES)?,
//!     audience: "https://gateway.example",
//!     tokens: TokenKey::Es256, // or HS256 with a secret
//!     identity: Some(identity.public()?),
//!     session_seconds: 3600,
//!     instance: 0,
//!     plain: Default::default(),
//! };
//! let mut store = FixedStore::<Software<SysRng>, 8>::new();
//!
//! let mut head = Head::new(); // of a request: all its headers, in any order
//! head.add("X-Dynamic-Key-Version", b"2");
//! # let _ = (gateway, &mut store, head);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod accept;
mod admitted;
pub mod agreements;
pub mod allowlist;
pub mod clients;
pub mod forward;
pub mod head;
pub mod key_agreement;
mod open;
pub mod path;
mod seal;
pub mod serve;
pub mod sessions;
pub mod status;
pub mod token;

pub use admitted::{Admitted, Opened, Reply, Responder, Sealed};
pub use agreements::{AgreementStore, FixedAgreements};
pub use allowlist::{Allowlist, Rule};
pub use clients::{Clients, KnownClient, RegisteredIdentity};
pub use head::Head;
pub use key_agreement::KeyAgreementGateway;
pub use sessions::{FixedStore, SessionStore, StoreError};
pub use token::TokenKey;

use crate::agreement::schedule::PlainKdf;
use crate::codec::base64;
use crate::crypto::Provider;
use crate::crypto::software::PinnedKey;
use crate::envelope;
use crate::error::{Code, Error};
use crate::handshake::ServerError;
use crate::handshake::dynamic_key::{error_len, longest_answer};
use crate::log::{debug, format_as};

/// What a gateway is configured with. It holds no state: sessions are in a [`SessionStore`].
#[derive(Debug)]
pub struct Gateway<'c, C> {
    /// Which clients there are, and what each is granted.
    pub clients: C,
    /// Which routes they reach.
    pub allowlist: Allowlist<'c>,
    /// The gateway's origin, such as `https://gateway.example`: the audience of its tokens.
    pub audience: &'c str,
    /// Signs the tokens.
    pub tokens: TokenKey,
    /// The public half of the gateway's identity, where it has one: verifies tokens that are signed with ES256.
    pub identity: Option<PinnedKey>,
    /// How long a session lasts, in seconds.
    pub session_seconds: u64,
    /// This instance of the gateway, unique in its fleet: no two instances may seal under one number.
    pub instance: u32,
    /// How plain mode derives its key.
    pub plain: PlainKdf<'c>,
}

format_as! {
    [C] Gateway<'_, C>,
    gateway => "Gateway {{ audience: {}, identity: {}, session_seconds: {}, instance: {} }}",
    gateway.audience, gateway.identity.map(|key| key.kid()), gateway.session_seconds, gateway.instance
}

/// The room in bytes that answers of the gateway's own need in any case, whatever else the buffer holds: the longest
/// error, sealed.
pub const ERROR_ROOM: usize = {
    let (mut most, mut rest) = (0, Code::ALL.as_slice());
    while let [code, after @ ..] = rest {
        let length = error_len(*code, None);
        most = if length > most { length } else { most };
        rest = after;
    }
    envelope::sealed_len(most)
};

/// The room in bytes that [`Gateway::accept`] needs for its answer, whoever asks.
pub const ANSWER_ROOM: usize = longest_answer(SESSION_ID_LEN, token::MAX_LEN);

/// The outcome of a step: what to answer instead, unsealed.
type Step<T> = Result<T, ServerError>;

/// The characters of a session id: 32 bytes of base64url.
const SESSION_ID_LEN: usize = base64::url_encoded_len(32);

/// A session id of 256 random bits.
#[inline(never)] // one frame less in its caller's
fn random_id<'o, P: Provider>(provider: &mut P, out: &'o mut [u8; SESSION_ID_LEN]) -> Step<&'o str> {
    let mut random = [0; 32];
    provider.fill(&mut random)?;
    Ok(base64::url_encode(&random, out).map_err(Error::from)?)
}

/// An unsealed error.
fn refuse(error: ServerError, buffer: &mut [u8]) -> Result<Reply, Error> {
    match error {
        ServerError::Misuse(error) => Err(error),
        ServerError::Refuse(refusal) => {
            debug!("refused: {}", refusal.code);
            let length = refusal.write(buffer)?;
            Ok(Reply { status: refusal.code.status(), length, code: Some(refusal.code) })
        }
    }
}

fn body_of(buffer: &mut [u8], length: usize) -> Step<&mut [u8]> {
    buffer.get_mut(..length).ok_or(ServerError::Misuse(Error::BufferTooSmall { needed: length }))
}

impl From<Code> for ServerError {
    fn from(code: Code) -> Self {
        Self::code(code)
    }
}

impl From<StoreError> for ServerError {
    fn from(error: StoreError) -> Self {
        Self::code(match error {
            StoreError::Unknown | StoreError::Exhausted => Code::InvalidSession,
            StoreError::Ended => Code::SessionExpired,
            StoreError::Replayed => Code::EncryptionError,
            StoreError::Unavailable => Code::StoreUnavailable,
        })
    }
}

//! The common answer of a relay, `{status, code, err, msg, txnID, first, last, continue, body}`, its codes and its pages.

use super::IdentityError;
use crate::codec::json::{self, Str, Value};
use crate::log::format_as;
use core::fmt;

/// Who speaks in an answer: the range of its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Range {
    /// 10000 to 19999: another identity, through the relay.
    Peer,
    /// 20000 to 29999: the relay did what was asked.
    Success,
    /// 40000 to 49999: the request is at fault.
    Client,
    /// 50000 to 59999: the relay is at fault.
    Server,
    /// 60000 to 69999: anything else.
    Other,
}

/// The code of an answer: 10000 to 29999 or 40000 to 69999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Code(u32);

impl Code {
    /// This code; `None` where it is in no range.
    #[must_use]
    pub fn new(code: u32) -> Option<Self> {
        matches!(code, 10_000..=29_999 | 40_000..=69_999).then_some(Self(code))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The range that it is in.
    #[must_use]
    pub const fn range(self) -> Range {
        match self.0 {
            0..=19_999 => Range::Peer,
            20_000..=29_999 => Range::Success,
            30_000..=49_999 => Range::Client,
            50_000..=59_999 => Range::Server,
            _ => Range::Other,
        }
    }
}

/// An answer, where it lies.
#[derive(Clone, Copy)]
pub struct Response<'a> {
    /// `status`: an HTTP status, 100 to 599, usually that of the answer.
    pub status: u16,
    /// `code`.
    pub code: Code,
    /// `err`: what went wrong, for a person.
    pub err: Option<Str<'a>>,
    /// `msg`: what went right, for a person.
    pub msg: Option<Str<'a>>,
    /// `txnID`: by which the relay knows the exchange.
    pub transaction: Option<Str<'a>>,
    /// `first`: the cursor of the first element of a page.
    pub first: Option<Cursor>,
    /// `last`: the cursor of the last element of a page, for the next one.
    pub last: Option<Cursor>,
    /// `continue`: whether there is more; absent is no.
    pub has_more: bool,
    body: Option<Value<'a>>,
}

impl<'a> Response<'a> {
    /// Reads an answer. `status` and `code` must be there; a member that is there must be of its type.
    ///
    /// # Errors
    /// [`IdentityError::Malformed`], also for a code in no range, and for `err` in a success.
    pub fn parse(text: &'a [u8]) -> Result<Self, IdentityError> {
        let names = ["status", "code", "err", "msg", "txnID", "first", "last", "continue", "body"];
        let [status, code, err, msg, transaction, first, last, more, body] =
            json::object_with_body(text, &names, "body")?;
        let integer =
            |value: Option<Value<'_>>| value.ok_or(IdentityError::Malformed)?.integer().map_err(Into::into);
        let string = |value: Option<Value<'a>>| value.map(Value::string).transpose();
        let cursor = |value| string(value)?.map(Cursor::read).transpose();
        let (status, code): (u64, u64) = match (integer(status), integer(code)) {
            (Ok(status), Ok(code)) => (status, code),
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        let status = u16::try_from(status).ok().filter(|status| matches!(status, 100..=599));
        let code = u32::try_from(code).ok().and_then(Code::new);
        let response = Self {
            status: status.ok_or(IdentityError::Malformed)?,
            code: code.ok_or(IdentityError::Malformed)?,
            err: string(err)?,
            msg: string(msg)?,
            transaction: string(transaction)?,
            first: cursor(first)?,
            last: cursor(last)?,
            has_more: more.map(Value::boolean).transpose()?.unwrap_or_default(),
            body,
        };
        if response.err.is_some() && response.is_success() {
            return Err(IdentityError::Malformed);
        }
        Ok(response)
    }

    /// Whether both status and code say so: 200 to 299, and [`Range::Success`] or [`Range::Peer`].
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299) && matches!(self.code.range(), Range::Success | Range::Peer)
    }

    /// Whether it is a success.
    ///
    /// # Errors
    /// [`IdentityError::Refused`].
    pub const fn check(&self) -> Result<(), IdentityError> {
        if self.is_success() {
            Ok(())
        } else {
            Err(IdentityError::Refused { status: self.status, code: self.code.get() })
        }
    }

    /// `body` of a success.
    ///
    /// # Errors
    /// [`IdentityError::Refused`]; [`IdentityError::Malformed`] where there is none.
    pub fn body(&self) -> Result<Value<'a>, IdentityError> {
        self.check()?;
        self.body.ok_or(IdentityError::Malformed)
    }

    /// `body` of a failure, which sometimes says more about it.
    #[must_use]
    pub const fn details(&self) -> Option<Value<'a>> {
        if self.is_success() { None } else { self.body }
    }
}

/// Prints neither texts nor the body.
impl fmt::Debug for Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

format_as! { [] Response<'_>, response => "Response {{ status: {}, code: {} }}", response.status, response.code }

/// A place in a list of the relay, opaque: 1 to 96 characters of printable ASCII without `"` and `\`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    bytes: [u8; Self::MAX_LEN],
    /// At most `MAX_LEN`.
    len: u8,
}

impl Cursor {
    /// The most characters.
    pub const MAX_LEN: usize = 96;

    /// Takes a cursor.
    ///
    /// # Errors
    /// [`IdentityError::Malformed`].
    pub fn new(text: &str) -> Result<Self, IdentityError> {
        let fits = |byte| matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\');
        let mut bytes = [0; Self::MAX_LEN];
        let len = u8::try_from(text.len()).map_err(|_| IdentityError::Malformed)?;
        let room = bytes.get_mut(..text.len()).ok_or(IdentityError::Malformed)?;
        if text.is_empty() || !text.bytes().all(fits) {
            return Err(IdentityError::Malformed);
        }
        room.copy_from_slice(text.as_bytes());
        Ok(Self { bytes, len })
    }

    pub(super) fn read(text: Str<'_>) -> Result<Self, IdentityError> {
        let mut room = [0; Self::MAX_LEN];
        Self::new(text.copy_to(&mut room).map_err(|_| IdentityError::Malformed)?)
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        core::str::from_utf8(text).unwrap_or_default()
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

format_as! { [] Cursor, cursor => "{=str}", cursor.as_str() }

/// The way through the pages of a list, to its end.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Pages {
    next: Option<Cursor>,
    is_done: bool,
}

impl Pages {
    /// Before the first page.
    #[must_use]
    pub const fn new() -> Self {
        Self { next: None, is_done: false }
    }

    /// From where to ask for the next page; `None` for the first.
    #[must_use]
    pub const fn next(&self) -> Option<&Cursor> {
        self.next.as_ref()
    }

    /// Whether the last page has come.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.is_done
    }

    /// Takes note of a page.
    ///
    /// # Errors
    /// [`IdentityError::Refused`], and nothing has changed; [`IdentityError::Malformed`] where there is said to be more, but not from where,
    /// or from where the page came itself: that would never end.
    pub fn turn(&mut self, page: &Response<'_>) -> Result<(), IdentityError> {
        page.check()?;
        if !page.has_more {
            self.is_done = true;
            return Ok(());
        }
        match page.last {
            Some(last) if self.next != Some(last) => self.next = Some(last),
            _ => return Err(IdentityError::Malformed),
        }
        Ok(())
    }
}

//! What leaves and what comes back, in the one buffer.

use super::Response;
use crate::transport::{self, Header};
use core::ops::Range;

pub(super) const VERSION: Header<'static> = match Header::new("X-Dynamic-Key-Version", "2") {
    Ok(header) => header,
    Err(_) => Header::JSON,
};

/// The headers of a hello.
pub(super) const HELLO_HEADERS: [Header<'static>; 2] = [VERSION, Header::JSON];

/// As many headers as a request has, `N` at the most.
pub(super) struct Headers<'a, const N: usize> {
    all: [Header<'a>; N],
    count: usize,
}

impl<'a, const N: usize> Headers<'a, N> {
    pub(super) fn new(given: impl IntoIterator<Item = Header<'a>>) -> Self {
        let mut headers = Self { all: [Header::JSON; N], count: 0 };
        for (place, header) in headers.all.iter_mut().zip(given) {
            *place = header;
            headers.count = headers.count.saturating_add(1);
        }
        headers
    }

    pub(super) fn as_slice(&self) -> &[Header<'a>] {
        self.all.get(..self.count).unwrap_or_default()
    }
}

/// The request whose body is the `length` bytes at the front of `buffer`.
pub(super) fn request<'a>(
    target: &'a str,
    headers: &'a [Header<'a>],
    buffer: &'a [u8],
    length: usize,
) -> transport::Request<'a> {
    transport::Request { method: "POST", target, headers, body: buffer.get(..length).unwrap_or_default() }
}

/// An answer that was opened, and where its plaintext stands in the caller's buffer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<u32>,
    pub(super) body: Range<usize>,
}

impl Answer {
    /// The answer for the caller, whose buffer it is.
    pub(super) fn response(self, buffer: &mut [u8]) -> Response<'_> {
        let body = buffer.get_mut(self.body).unwrap_or_default();
        Response { status: self.status, retry_after: self.retry_after, body }
    }
}

/// The addresses of a buffer.
pub(super) fn place_of(buffer: &[u8]) -> Range<usize> {
    let start = buffer.as_ptr().addr();
    start..start.saturating_add(buffer.len())
}

/// Where `part` stands in the buffer at `place`; `None` where it stands elsewhere.
pub(super) fn range(part: &[u8], place: &Range<usize>) -> Option<Range<usize>> {
    let Range { start, end } = place_of(part);
    let within = place.start <= start && end <= place.end;
    within.then_some(start.wrapping_sub(place.start)..end.wrapping_sub(place.start))
}

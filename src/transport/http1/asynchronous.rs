//! The driver that awaits.

use super::encoder::{self, Sending};
use super::link::{Link, is_flushed};
use super::response::Receiver;
use super::{Error, Single, Spent};
use crate::log::format_as;
use crate::transport::{AsyncTransport, InvalidHeader, Request, Response};
use core::fmt;
use embedded_io_async::{ErrorType, Read, Write};

/// Opens streams to the one peer that it stands for: [`Connect`](super::Connect), awaited.
///
/// Timeouts are the streams', or the caller's, who drops the future of an exchange. A TCP stream should gather nothing by
/// itself (`TCP_NODELAY`), because a request goes out in blocks.
#[expect(
    async_fn_in_trait,
    reason = "whether the future is Send is the implementer's, as in embedded-io-async"
)]
pub trait AsyncConnect {
    /// A stream to the peer, which closes when it is dropped.
    type Stream: Read + Write;
    /// Why there is none.
    type Error: embedded_io::Error;

    /// Opens a new stream. The one before has been dropped.
    ///
    /// # Errors
    ///
    /// Whatever keeps a stream from being opened.
    async fn connect(&mut self) -> Result<Self::Stream, Self::Error>;

    /// Whether `idle`, over which an exchange has succeeded, may carry another: see
    /// [`Connect::is_reusable`](super::Connect::is_reusable).
    fn is_reusable(&mut self, idle: &mut Self::Stream) -> bool {
        let _ = idle;
        true
    }
}

impl<S: Read + Write> AsyncConnect for Single<S> {
    type Stream = S;
    type Error = Spent;

    async fn connect(&mut self) -> Result<S, Spent> {
        self.hand_out()
    }
}

/// The client's end of HTTP/1.1 over streams that are awaited: [`Http1`](super::Http1) in all but that.
///
/// A future that is dropped takes the stream along, as an error does; the next request opens another.
pub struct AsyncHttp1<'h, C: AsyncConnect> {
    connector: C,
    host: &'h str,
    link: Link<C::Stream>,
}

impl<'h, C: AsyncConnect> AsyncHttp1<'h, C> {
    /// As [`Http1::new`](super::Http1::new).
    ///
    /// # Errors
    ///
    /// [`InvalidHeader::Value`] if `host` is not an RFC 3986 host with an optional port.
    pub fn new(connector: C, host: &'h str) -> Result<Self, InvalidHeader> {
        if !encoder::is_host(host) {
            return Err(InvalidHeader::Value);
        }
        Ok(Self { connector, host, link: Link::Closed })
    }

    /// Drops the stream, such as before a device sleeps. The next request opens another.
    pub fn disconnect(&mut self) {
        self.link = Link::Closed;
    }
}

impl<'h, S: Read + Write> AsyncHttp1<'h, Single<S>> {
    /// A transport over the one `stream`, such as a UART: as [`Http1::over`](super::Http1::over), and a future that is
    /// dropped spends the stream as an error does.
    ///
    /// # Errors
    ///
    /// As [`AsyncHttp1::new`].
    pub fn over(stream: S, host: &'h str) -> Result<Self, InvalidHeader> {
        Self::new(Single::new(stream), host)
    }
}

impl<C: AsyncConnect> AsyncTransport for AsyncHttp1<'_, C> {
    type Error = Error<C::Error, <C::Stream as ErrorType>::Error>;

    async fn send(&mut self, request: &Request<'_>) -> Result<(), Self::Error> {
        encoder::check(request)?;
        let mut sending = Sending::request(request, self.host);
        let mut kept = self.link.take_idle(|stream| self.connector.is_reusable(stream));
        loop {
            let was_kept = kept.is_some();
            let mut stream = match kept.take() {
                Some(stream) => stream,
                None => self.connector.connect().await.map_err(Error::Connect)?,
            };
            match write(&mut stream, &mut sending).await {
                Ok(()) => {
                    self.link.sent(stream, request);
                    return Ok(());
                }
                // It was dead, and has taken nothing: the one time that a request goes to a second stream.
                Err(_) if was_kept && !sending.has_left() => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Response<'b>, Self::Error> {
        let (mut stream, to_head) = self.link.receive()?;
        let mut receiver = Receiver::new(to_head);
        loop {
            let read = stream.read(receiver.room(buffer)?).await;
            if receiver.take(buffer, read)? {
                break;
            }
        }
        self.link.received(stream, &receiver);
        Ok(receiver.response(buffer))
    }
}

impl<C: AsyncConnect + fmt::Debug> fmt::Debug for AsyncHttp1<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncHttp1")
            .field("connector", &self.connector)
            .field("host", &self.host)
            .field("link", &self.link)
            .finish()
    }
}

format_as! {
    [C: AsyncConnect] AsyncHttp1<'_, C>, http => "AsyncHttp1 {{ host: {}, link: {} }}", http.host, http.link
}

/// Writes a whole request.
async fn write<C, S: Write>(stream: &mut S, sending: &mut Sending<'_>) -> Result<(), Error<C, S::Error>> {
    loop {
        let bytes = sending.next();
        if bytes.is_empty() {
            break;
        }
        let written = stream.write(bytes).await;
        sending.take(written)?;
    }
    while !is_flushed(stream.flush().await)? {}
    Ok(())
}

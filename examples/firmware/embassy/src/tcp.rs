//! TCP connections of `embassy-net` as streams.

use core::net::SocketAddr;
use dynamic_key::transport::http1::AsyncConnect;
use embassy_net::tcp::Error;
use embassy_net::tcp::client::{TcpClient, TcpConnection};
use embedded_nal_async::TcpConnect;

/// Sockets at a time, and the bytes that each of them buffers.
pub const SOCKETS: usize = 1;
/// What is on its way out.
pub const TX: usize = 1024;
/// What has come in.
pub const RX: usize = 2048;

/// A connector to the one address.
#[derive(Clone, Copy)]
pub struct Dial {
    /// Whose connections these are.
    pub client: &'static TcpClient<'static, SOCKETS, TX, RX>,
    /// The gateway.
    pub address: SocketAddr,
}

impl AsyncConnect for Dial {
    type Stream = TcpConnection<'static, SOCKETS, TX, RX>;
    type Error = Error;

    async fn connect(&mut self) -> Result<Self::Stream, Error> {
        self.client.connect(self.address).await
    }
}

//! How much room a future takes: it holds the handshake, or the request on its way, and not both.

use crate::support::{Seeded, Soft};
use core::convert::Infallible;
use dynamic_key::client::AsyncClient;
use dynamic_key::crypto::software::{Pins, Software};
use dynamic_key::handshake::{ClientConfig, ClientHandshake};
use dynamic_key::request::Request;
use dynamic_key::session::{ClientType, Now};
use dynamic_key::transport::http1::AsyncHttp1;

/// A stream whose futures hold nothing.
struct Line;

impl embedded_io_async::ErrorType for Line {
    type Error = Infallible;
}

impl embedded_io_async::Read for Line {
    async fn read(&mut self, _: &mut [u8]) -> Result<usize, Infallible> {
        Ok(0)
    }
}

impl embedded_io_async::Write for Line {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(bytes.len())
    }
    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[test]
fn a_future_is_little_more_than_the_handshake_in_it() {
    let config = ClientConfig::new(ClientType::Internal, "internal-web-client", "device-1", "server");
    let transport = AsyncHttp1::over(Line, "gateway.example").unwrap();
    let mut client: AsyncClient<'_, Soft, _, _, 512> =
        AsyncClient::new(config, Software::new(Seeded(1)), Pins(&[]), transport).unwrap();
    let (request, mut buffer) = (Request::get("/"), [0; 64]);
    let handshake = size_of::<ClientHandshake<'_, Soft, 512>>();
    let future = size_of_val(&client.request(Now::UNKNOWN, &request, &mut buffer));
    assert!(future <= handshake + 1280, "{future} bytes, {handshake} of them the handshake's");
}

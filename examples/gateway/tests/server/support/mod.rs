//! What the tests share: a gateway on a free port, devices that speak to it over TCP, and a scripted upstream.

mod device;
mod gateway;
mod http;
mod tcp;
mod upstream;

pub use device::{Device, MODES, Sealed, client, client_of};
pub use gateway::{Program, Running, demo, folder};
pub use http::{Answer, HEADERS, exchange, read_answer};
pub use tcp::Dial;
pub use upstream::Upstream;

//! The gateway.

pub mod token;

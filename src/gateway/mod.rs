//! The gateway's end: what a request may reach, and what of it goes on.

pub mod allowlist;
pub mod forward;
pub mod path;

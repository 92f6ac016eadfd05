//! From Z to keys and proof: the transcript, the key schedule, and what is proven over them (§2.3).

pub mod proof;
pub mod schedule;
pub mod transcript;

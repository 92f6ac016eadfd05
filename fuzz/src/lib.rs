//! What the targets share.

pub mod identity;
pub mod input;
pub mod json;
pub mod member;
pub mod oracle;
pub mod provider;
pub mod seeded;

//! The messages of Dynamic Key V2 (§2.1): hello, answer and error, written and read.

mod read;
mod write;

pub use super::members::Nonce;
pub(crate) use read::{AnswerFields, ChoiceFields, ErrorFields, Hello, OfferFields};
pub(crate) use write::{
    AnswerMessage, ChoiceMessage, HelloMessage, OfferMessage, fill_signature, hello_len, longest_answer,
};
pub use write::{error_len, write_error};

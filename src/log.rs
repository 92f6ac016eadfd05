//! `defmt` behind one macro, and nothing otherwise.
//!
//! Only facts without secrets are logged: states, schemes, codes and lengths, never keys, tokens or messages.

/// Logs an event at debug level where the feature `defmt` is on.
macro_rules! debug {
    ($($argument:tt)*) => {{
        #[cfg(feature = "defmt")]
        ::defmt::debug!($($argument)*);
    }};
}

pub(crate) use debug;

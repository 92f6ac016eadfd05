//! `defmt` behind two macros, and nothing otherwise.
//!
//! Only facts without secrets are logged: states, schemes, codes and lengths, never keys, tokens or messages.

/// Logs an event at debug level where the feature `defmt` is on.
macro_rules! debug {
    ($($argument:tt)*) => {{
        #[cfg(feature = "defmt")]
        ::defmt::debug!($($argument)*);
    }};
}

/// Implements `defmt::Format` where the feature `defmt` is on: for types that hold more than may be logged.
///
/// `format_as! { [generics] Type, value => "text", facts of value… }`
macro_rules! format_as {
    ([$($generics:tt)*] $type:ty, $value:pat => $text:literal $(, $fact:expr)*) => {
        #[cfg(feature = "defmt")]
        impl<$($generics)*> ::defmt::Format for $type {
            fn format(&self, f: ::defmt::Formatter<'_>) {
                let $value = self;
                ::defmt::write!(f, $text $(, $fact)*);
            }
        }
    };
}

pub(crate) use {debug, format_as};

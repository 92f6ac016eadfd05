//! The primitives of the confirmed mode, called directly.
#![no_std]
#![no_main]

use measure::roles;

measure::image!(roles::bare(None));

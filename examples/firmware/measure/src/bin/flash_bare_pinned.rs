//! The primitives of the pinned mode, called directly.
#![no_std]
#![no_main]

use core::hint::black_box;
use measure::roles;

measure::image!(roles::bare(Some(&black_box([0; 64]))));

//! The provider on Cortex-M4 assembly under test.
#![no_std]
#![no_main]

conformance::image!("cortex-m4", CortexM4, dynamic_key_cortex_m4, traces: 0);

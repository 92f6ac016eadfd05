//! The software provider under test.
#![no_std]
#![no_main]

conformance::image!("software", Software, dynamic_key::crypto::software, traces: usize::MAX);

#![doc = include_str!("../README.md")]
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(all(target_arch = "arm", target_os = "none")))]
compile_error!(
    "dynamic-key-cortex-m4 is assembly for Cortex-M4: build it for thumbv7em-none-eabi or thumbv7em-none-eabihf"
);

mod assembly;
mod identity;
mod provider;
#[cfg(feature = "jwe")]
mod wrap;

pub use identity::{Identity, Pins};
pub use provider::{CortexM4, EphemeralKey};
#[cfg(feature = "jwe")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwe")))]
pub use wrap::RecipientKey;

//! Puts `memory.x` where the linker looks for it, and tells whether the processor loads words from any address.

use std::{env, fs, path::PathBuf};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("memory.x"), include_bytes!("memory.x")).expect("OUT_DIR is writable");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rerun-if-changed=memory.x");
    println!("cargo:rustc-check-cfg=cfg(unaligned)");
    if env::var("TARGET").expect("cargo sets TARGET").starts_with("thumbv7") {
        println!("cargo:rustc-cfg=unaligned");
    }
}

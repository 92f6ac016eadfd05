//! Lays out the log's strings, which stay on the host.

fn main() {
    println!("cargo:rustc-link-arg-bins=-Tdefmt.x");
}

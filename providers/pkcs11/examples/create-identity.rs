//! Creates an identity in a token and prints its kid, which is what the other side pins or registers.
//!
//! ```console
//! PKCS11_PIN=… create-identity /usr/lib/softhsm/libsofthsm2.so my-token "the gateway"
//! ```
//!
//! The PIN is taken from the environment, for a command line is read by everybody on the machine.

use dynamic_key::crypto::Signer;
use dynamic_key_pkcs11::{Pin, Token, Which};
use std::env;
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [module, token, label] = arguments.as_slice() else {
        return Err("usage: PKCS11_PIN=… create-identity MODULE TOKEN LABEL".into());
    };
    let pin = env::var("PKCS11_PIN").ok().map(Pin::new);
    let token = Token::open(Path::new(module), Which::Label(token), pin.as_ref())?;
    println!("{}", token.create_identity(label)?.kid());
    Ok(())
}

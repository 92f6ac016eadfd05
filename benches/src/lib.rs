//! What the benches compare: sessions of `dynamic-key`, the bare primitives beneath them, and the same crates composed
//! plainly.
//!
//! All of it seals and opens messages under AES-256-GCM with the AAD of a request, in buffers that were allocated before.

pub mod bare;
pub mod interleaved;
pub mod peers;
pub mod plain;

pub use peers::Peers;

/// The lengths of plaintext that are measured, in bytes.
pub const LENGTHS: [usize; 4] = [64, 256, 1024, 16 * 1024];

/// A text of `len` bytes as applications send it.
#[must_use]
pub fn text(len: usize) -> Vec<u8> {
    br#"{"method":"GET","path":"/countries/get","query":{"page":"7"}}   "#.iter().copied().cycle().take(len).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bare::{Codec, Expanded, Key, Ours, Peer, Raw};
    use dynamic_key::crypto::software::Software;
    use dynamic_key::session::Mode;

    fn bare<K: Key, C: Codec>(len: usize) {
        let mut bare = bare::Channel::<K, C>::new(len);
        assert_eq!(bare.seal_and_open(&text(len)), text(len));
        assert_eq!(bare.seal_and_open(&text(len)), text(len));
    }

    fn plain<K: Key + 'static>(len: usize) {
        let mut plain = plain::channel::<K>(len);
        for _ in 0..2 {
            let mut read = Vec::new();
            plain.seal_and_open(&text(len), &mut |message| read.extend_from_slice(message));
            assert_eq!(read, text(len));
        }
    }

    #[test]
    fn all_that_is_compared_carries_the_message() {
        for len in LENGTHS {
            bare::<Raw, Ours>(len);
            bare::<Raw, Peer>(len);
            bare::<Expanded, Ours>(len);
            bare::<Expanded, Peer>(len);
            plain::<Raw>(len);
            plain::<Expanded>(len);
            for mode in [Mode::Plain, Mode::Confirmed, Mode::Pinned] {
                let mut peers = Peers::new(mode, Software::new, len);
                assert_eq!(peers.request(&text(len)), text(len));
                assert_eq!(peers.exchange(&text(len)), text(len));
            }
        }
    }
}
